# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What status and verify report about the members of the database."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.ivy.cluster.plugins.module_utils.probes import patroni
from ansible_collections.ivy.cluster.plugins.plugin_utils.node.snapshot import Host, Service, Snapshot
from ansible_collections.ivy.cluster.plugins.plugin_utils.verify.checks.database_members import check_replication
from ansible_collections.ivy.cluster.plugins.plugin_utils.verify.members import database as members

LEADER = {"name": "a", "role": "leader", "state": "running"}
SYNC = {"name": "b", "role": "sync_standby", "state": "streaming", "lag": 0}
REPLICA = {"name": "c", "role": "replica", "state": "streaming", "lag": 42}


def facts(*entries: dict[str, t.Any]) -> Snapshot:
    found = [one.to_dict() for one in patroni.members({"members": list(entries)})]
    answer = {"member": {"members": found, "answers": bool(found), "problem": "" if found else "it does not answer"}}
    hosts = {
        "a": Host("a", "192.0.2.1", False, "no answer"),
        "b": Host("b", "192.0.2.2", results={"patroni": answer}),
    }
    none = Service("", 0)
    return Snapshot("c", "u", "12.0.9", [], [], hosts, none, "d", "u", none, patroni_members=["a", "b", "c"])


@pytest.mark.parametrize(
    ("entries", "text"),
    [
        (
            (LEADER, SYNC, REPLICA),
            "primary a; b synchronous, c asynchronous, 42 bytes behind; 2 more servers may be lost",
        ),
        (
            (LEADER, SYNC, {**REPLICA, "state": "start failed"}),
            "primary a; b synchronous, c NOT RUNNING (start failed); missing: c; 1 more server may be lost",
        ),
        (
            (LEADER, {**SYNC, "role": "replica"}),
            "primary a; b asynchronous; missing: c; WITH THE PRIMARY, ITS LAST CHANGES WOULD BE LOST",
        ),
        ((LEADER,), "primary a; no replica; missing: b, c; NO SERVER MAY BE LOST"),
        ((SYNC, REPLICA), "NO PRIMARY"),
        ((), "UNKNOWN: Patroni on b: it does not answer"),
    ],
)
def test_status_reports_what_may_be_lost_next(entries: tuple[dict[str, t.Any], ...], text: str) -> None:
    assert members.described(members.gather(facts(*entries))).replace(" and ", ", ") == text


def rows(*entries: dict[str, t.Any]) -> list[tuple[str, str, str]]:
    return [(row.subject, row.status.value, row.message) for row in check_replication(facts(*entries))]


def test_verify_has_a_row_for_each_member() -> None:
    assert rows(LEADER, SYNC, REPLICA) == [
        ("a", "passed", "primary"),
        ("b", "passed", "synchronous"),
        ("c", "passed", "replica"),
    ]
    assert [row[:2] for row in rows(LEADER, SYNC)] == [("a", "passed"), ("b", "passed"), ("c", "failed")]
    assert rows(LEADER, {**SYNC, "role": "replica"}, REPLICA)[0][1] == "failed"
    assert rows(SYNC, REPLICA) == [("all members", "failed", "there is no primary")]


@pytest.mark.parametrize(
    ("entries", "synchronous", "problem"),
    [
        ((LEADER, SYNC, REPLICA), 1, ""),
        ((LEADER, SYNC, REPLICA), 2, "1 of 2 standbys are synchronous"),
        ((LEADER, SYNC), 1, "not members of the database cluster: c"),
        ((SYNC, {**LEADER, "role": "replica"}, REPLICA), 1, "there is no primary"),
        ((LEADER, SYNC, {**REPLICA, "state": "stopped"}), 1, "not running: c (stopped)"),
        ((LEADER, {**SYNC, "role": "quorum_standby"}, REPLICA), 1, ""),
    ],
)
def test_a_member_is_stopped_only_if_the_others_serve(
    entries: tuple[dict[str, t.Any], ...], synchronous: int, problem: str
) -> None:
    assert patroni.problem(patroni.members({"members": list(entries)}), ["a", "b", "c"], synchronous) == problem


@pytest.mark.parametrize(
    ("wanted", "actual", "changes"),
    [
        ({"ttl": 20}, {"ttl": 20, "other": 1}, {}),
        ({"ttl": 20}, {"ttl": 30}, {"ttl": 20}),
        ({"synchronous_mode": True}, {"synchronous_mode": "True"}, {}),
        (
            {"postgresql": {"parameters": {"max_connections": "120"}}},
            {"postgresql": {"parameters": {"max_connections": 120}}},
            {},
        ),
        (
            {"postgresql": {"use_slots": True, "parameters": {"max_connections": "120"}}},
            {"postgresql": {"use_slots": True}},
            {"postgresql": {"parameters": {"max_connections": "120"}}},
        ),
        ({"pause": None}, {"pause": True}, {"pause": None}),
        ({"pause": None}, {}, {}),
    ],
)
def test_only_what_differs_is_sent(
    wanted: dict[str, t.Any], actual: dict[str, t.Any], changes: dict[str, t.Any]
) -> None:
    assert patroni.differences(wanted, actual) == changes
