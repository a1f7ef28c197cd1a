# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What status and verify report about the members of etcd."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.ivy.cluster.plugins.plugin_utils.node.snapshot import Host, Service, Snapshot
from ansible_collections.ivy.cluster.plugins.plugin_utils.verify.checks.etcd import check_etcd
from ansible_collections.ivy.cluster.plugins.plugin_utils.verify.members import etcd as quorum

HEALTHY = {"has_data": True, "healthy": True, "status": {"leads": False, "errors": []}}
LEADS = {**HEALTHY, "status": {"leads": True, "errors": []}}


def facts(**states: t.Any) -> Snapshot:
    hosts = {
        name: Host(name, "192.0.2.1", state is not None, "no answer", {"etcd": {"member": state}} if state else {})
        for name, state in states.items()
        if state != "absent"
    }
    none = Service("", 0)
    return Snapshot("c", "u", "12.0.9", [], [], hosts, none, "d", "u", none, etcd_members=list(states))


@pytest.mark.parametrize(
    ("states", "text"),
    [
        ({"a": LEADS, "b": HEALTHY, "c": HEALTHY}, "3 of 3 members healthy, leader a; 1 more member may be lost"),
        (
            {"a": LEADS, "b": HEALTHY, "c": None},
            "2 of 3 members healthy, leader a; NO MEMBER MAY BE LOST; c: not reachable: no answer",
        ),
        (
            {"a": {**HEALTHY, "healthy": False}, "b": {}, "c": HEALTHY},
            "1 of 3 members healthy; NO MAJORITY; a: not healthy; b: etcd could not be inspected: "
            "this run did not gather it",
        ),
        (
            {"a": LEADS, "b": "absent", "c": HEALTHY},
            "2 of 3 members healthy, leader a; not part of this run (--limit): b",
        ),
        ({"a": {"has_data": False}}, "0 of 1 member healthy; NO MAJORITY; a: no data"),
        (
            {"a": {**LEADS, "status": {"leads": True, "errors": ["NOSPACE"]}}},
            "0 of 1 member healthy; NO MAJORITY; a: alarm: NOSPACE",
        ),
    ],
)
def test_status_reports_how_many_members_may_be_lost(states: dict[str, t.Any], text: str) -> None:
    assert quorum.described(quorum.gather(facts(**states))) == text


def test_verify_has_a_row_for_each_member() -> None:
    rows = check_etcd(facts(a=LEADS, b={**HEALTHY, "healthy": False}, c="absent"))
    assert [(row.subject, row.status.value) for row in rows] == [("a", "passed"), ("b", "failed"), ("c", "skipped")]
    assert check_etcd(facts()) == []
