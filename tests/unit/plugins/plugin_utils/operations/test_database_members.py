# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest

from ansible_collections.ivy.cluster.plugins.module_utils.probes.patroni import Member
from ansible_collections.ivy.cluster.plugins.plugin_utils.operations import database_members as sut

NAMES = ("db1", "db2", "db3")


def member(name: str, role: str = "replica", state: str = "streaming", lag: int | None = 0) -> dict[str, t.Any]:
    return Member(name, role, "running" if role == "leader" else state, lag, False).to_dict()


HEALTHY = [member("db1", "leader"), member("db2"), member("db3", "sync_standby")]


def test_a_synchronous_standby_is_chosen() -> None:
    assert sut.switchover(HEALTHY, "", NAMES, 1) == {"primary": "db1", "candidate": "db3", "problems": []}


def test_the_standby_that_is_least_behind_is_chosen() -> None:
    found = [
        member("db1", "leader"),
        member("db2", "quorum_standby", lag=None),
        member("db3", "sync_standby", lag=4096),
        member("db4", "sync_standby", lag=16),
    ]
    assert sut.switchover(found, "", (*NAMES, "db4"), 1)["candidate"] == "db4"
    assert sut.switchover(found, "db2", (*NAMES, "db4"), 1)["candidate"] == "db2"


def test_without_synchronous_standbys_any_replica_that_runs_is_chosen() -> None:
    found = [member("db1", "leader"), member("db2", state="stopped"), member("db3", lag=8)]
    assert sut.switchover(found, "", NAMES, 0) == {"primary": "db1", "candidate": "db3", "problems": []}
    assert sut.switchover(found, "", NAMES, 1)["problems"]


def test_there_is_nothing_to_do_for_the_primary() -> None:
    assert sut.switchover(HEALTHY, "db1", (), 1) == {"primary": "db1", "candidate": "db1", "problems": []}


@pytest.mark.parametrize(
    ("members", "candidate", "reached", "expected"),
    [
        ([], "", NAMES, ["No member of the database answers"]),
        ([member("db1"), member("db2")], "", NAMES, ["has no primary now"]),
        ([member("db1", "leader"), member("db2"), member("db3")], "", NAMES, ["No synchronous standby runs"]),
        (
            [member("db1", "leader"), member("db2", "sync_standby", "stopped")],
            "",
            NAMES,
            ["db2 is a synchronous standby, stopped"],
        ),
        (HEALTHY, "db2", NAMES, ["db2 cannot become the primary: db2 is a replica, streaming. Choose one of: db3."]),
        (HEALTHY, "db9", NAMES, ["it is not a member of the database"]),
        (HEALTHY, "", ("db2", "db3"), ["this run does not reach its host"]),
        (HEALTHY, "db2", ("db3",), ["does not reach its host", "Choose one of: db3"]),
    ],
)
def test_a_switchover_that_could_lose_a_change_is_refused(
    members: list[dict[str, t.Any]], candidate: str, reached: tuple[str, ...], expected: list[str]
) -> None:
    problems = sut.switchover(members, candidate, reached, 1)["problems"]
    assert len(problems) == len(expected)
    assert all(text in problem for text, problem in zip(expected, problems))


def test_a_replica_that_cannot_follow_may_be_copied_again() -> None:
    found = [member("db1", "leader"), member("db2", "sync_standby"), member("db3", state="start failed")]
    assert sut.reinitialization(found, "db3", True, False) == {"primary": "db1", "problems": [], "warnings": []}
    # It may be so damaged that the cluster does not list it.
    assert sut.reinitialization(found[:2], "db3", True, True)["problems"] == []


def test_a_replica_that_runs_is_named() -> None:
    assert "db2 runs as it should" in sut.reinitialization(HEALTHY, "db2", True, True)["warnings"][0]


def test_the_only_standby_that_runs_is_named_or_refused() -> None:
    alone = [HEALTHY[0], member("db2", state="stopped"), HEALTHY[2]]
    assert "a change is only on the primary" in sut.reinitialization(alone, "db3", True, False)["warnings"][0]
    strict = sut.reinitialization(alone, "db3", True, True)
    assert "postgres_synchronous_strict" in strict["problems"][0]
    # Patroni makes db2 synchronous.
    assert sut.reinitialization(HEALTHY, "db3", True, True)["problems"] == []


@pytest.mark.parametrize(
    ("members", "name", "answers", "expected"),
    [
        ([], "db3", False, ["No member of the database answers"]),
        (HEALTHY, "db1", True, ["db1 is the primary. Its files are never removed"]),
        ([member("db2"), member("db3")], "db3", True, ["There is nothing to copy from"]),
        (HEALTHY, "db2", False, ["Patroni on db2 does not answer"]),
        ([member("db2"), member("db3")], "db3", False, ["nothing to copy from", "Patroni on db3 does not answer"]),
    ],
)
def test_files_that_must_stay_are_not_removed(
    members: list[dict[str, t.Any]], name: str, answers: bool, expected: list[str]
) -> None:
    problems = sut.reinitialization(members, name, answers, False)["problems"]
    assert len(problems) == len(expected)
    assert all(text in problem for text, problem in zip(expected, problems))
