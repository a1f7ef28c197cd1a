# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest

from ansible_collections.ivy.cluster.plugins.module_utils.node.cluster import record
from ansible_collections.ivy.cluster.plugins.plugin_utils.operations import allowed_release as sut

A, B, C = "a" * 32, "b" * 32, "c" * 32
CLOSED = {**record.empty("demo"), "desired_release": A}
OPEN = {**CLOSED, "operation": {"name": "rollback"}, "previous_release": B}
PASSED = {**OPEN, "passed": {"n1": A}}
OVER = {**OPEN, "passed": {"n2": A}, "old_releases_until": "2026-01-01T00:00:00Z"}


def problem(current: t.Any, **running: t.Any) -> str:
    return sut.problem({"engine": {"applied": A, "running": running}, "record": current}, "n1", "demo")


@pytest.mark.parametrize(
    ("current", "release", "allowed"),
    [
        (CLOSED, A, True),
        (CLOSED, B, False),
        (OPEN, A, True),
        (OPEN, B, True),
        (OPEN, C, False),
        (PASSED, B, False),
        (OVER, B, False),
        ({**OPEN, "allowed_releases": [C]}, C, True),
        (record.empty("demo"), A, False),
        ({**CLOSED, "removed": {"n1": "2026-01-01T00:00:00Z"}}, A, False),
        ({**CLOSED, "schema": {"migrating": {"to": "14"}}}, A, False),
        ({**CLOSED, "cluster": "other"}, A, False),
        (None, A, False),
    ],
)
def test_a_node_serves_only_with_a_release_that_the_record_allows(current: t.Any, release: str, allowed: bool) -> None:
    assert (problem(current, release=release) == "") is allowed


def test_the_message_names_what_runs_what_is_wanted_and_what_to_run() -> None:
    words = problem(CLOSED, release=B)
    assert f"n1 runs release {B}, and the cluster record wants {A}, so no balancer may use it." in words
    assert words.endswith("Run: ansible-playbook ivy.cluster.rollout")
    # Only its own playbook completes an open operation, and a rollout of another than the pinned release is refused.
    assert "Run: ansible-playbook ivy.cluster.rollback " in problem(OPEN, release=C)
    pinned = problem({**CLOSED, "pin": {"release": A}}, release=B)
    assert pinned.endswith("Run: ansible-playbook ivy.cluster.undrain -e undrain_nodes=n1")


def test_the_reason_of_the_fence_is_reported_if_it_is_not_the_release() -> None:
    words = problem({**CLOSED, "removed": {"n1": "2026-01-01T00:00:00Z"}}, release=A)
    assert words.startswith("No balancer may use n1. This node was removed from the cluster at 2026-01-01T00:00:00Z.")


def test_an_engine_that_started_with_local_changes_runs_the_release_that_it_started_with() -> None:
    assert problem(CLOSED, release=None, started_release=A) == ""
    assert f"n1 runs release {B}" in problem(CLOSED, release=None, started_release=B)


@pytest.mark.parametrize(
    "found",
    [
        {"engine": {"applied": A, "running": None}, "record": CLOSED},
        {"engine": {"applied": A, "running": {"release": None, "started_release": None}}, "record": CLOSED},
        {"record": CLOSED},
        {"unreachable": True, "msg": "No route to host"},
        {"engine": {"running": {"release": A}}, "record": None, "record_problem": "The share is away."},
    ],
)
def test_what_is_not_known_is_not_allowed(found: dict[str, t.Any]) -> None:
    words = sut.problem(found, "n1", "demo")
    assert "n1" in words
    assert "not known" in words
    for name in ("msg", "record_problem"):
        assert found.get(name, "") in words


def test_an_engine_that_ran_while_the_database_was_restored_is_restarted_first() -> None:
    history = [
        {"operation": "restore_database", "time": "2026-01-01T12:00:00Z"},
        {"operation": "database restored", "time": "2026-01-01T13:00:00Z"},
        {"operation": "restore_database done", "time": "2026-01-01T13:05:00Z"},
        # It has not restored the database yet; the fence decides.
        {"operation": "restore_database", "time": "2026-01-01T15:00:00Z"},
    ]
    restored = {**CLOSED, "history": history}
    words = problem(restored, release=A, started="2026-01-01T11:59:59Z")
    assert "has run since 2026-01-01T11:59:59Z, and the database was restored after that" in words
    assert words.endswith("ivy.cluster.restart -e restart_nodes=n1 -e restart_force=true")
    for started in ("2026-01-01T12:00:00Z", "2026-01-01T14:00:00Z", "", None, "noon"):
        assert problem(restored, release=A, started=started) == ""
    assert problem({**CLOSED, "history": history[-1:]}, release=A, started="2025-01-01T00:00:00Z") == ""
    # It has taken another operation over. A second restore in one operation began later than that.
    for begun, since in (("10:00", "12:00"), ("12:00", "10:00")):
        history[0]["time"] = f"2026-01-01T{begun}:00Z"
        history[1]["since"] = f"2026-01-01T{since}:00Z"
        assert "has run since" in problem(restored, release=A, started="2026-01-01T11:59:59Z")
