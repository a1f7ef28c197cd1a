# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A member of a search cluster restarts only while the others can do without it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pytest

from ansible_collections.ivy.cluster.plugins.module_utils.probes import search_cluster as sut

WHOLE = {"number_of_nodes": 3, "status": "green"}
TWO = {"number_of_nodes": 2, "status": "yellow"}
RECOVERING = {"number_of_nodes": 3, "status": "yellow"}
ALONE = {"number_of_nodes": 1, "status": "yellow"}
NOBODY: dict[str, Any] = {}
NO_MASTER = {"error": {"type": "master_not_discovered_exception"}, "status": 503}


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float, /) -> None:
        self.now += seconds


def answers(*given: Mapping[str, Any]) -> Callable[[], Mapping[str, Any]]:
    """One answer after another; the last one again and again."""
    left = list(given)
    return lambda: left.pop(0) if len(left) > 1 else left[0]


def restarted(given: Iterable[Mapping[str, Any]]) -> tuple[list[str], list[str]]:
    done: list[str] = []
    return sut.restart(answers(*given), lambda: done.append("restart"), 3, 60, Clock()), done


def test_a_whole_cluster_is_waited_for_before_and_after() -> None:
    health, done = restarted([RECOVERING, TWO, WHOLE, NOBODY, TWO, RECOVERING, WHOLE])
    assert done == ["restart"]
    assert health == ["3 members, status green", "3 members, status green"]


@pytest.mark.parametrize("health", [TWO, RECOVERING, {"number_of_nodes": 3, "status": "red"}])
def test_a_cluster_that_lacks_something_loses_no_other_member(health: dict[str, Any]) -> None:
    done: list[str] = []
    with pytest.raises(sut.RestartError, match="it was not restarted, because the cluster is not complete"):
        sut.restart(answers(health), lambda: done.append("restart"), 3, 60, Clock())
    assert done == []


@pytest.mark.parametrize("before", [NOBODY, NO_MASTER, ALONE])
def test_a_member_without_others_restarts_at_once(before: dict[str, Any]) -> None:
    health, done = restarted([before, NO_MASTER, ALONE])
    assert done == ["restart"]
    assert health[1] == "1 members, status yellow"


def test_a_cluster_that_does_not_recover_ends_the_run() -> None:
    clock = Clock()
    with pytest.raises(sut.RestartError, match=r"is not complete since then \(2 members, status yellow\)"):
        sut.restart(answers(WHOLE, WHOLE, TWO), lambda: None, 3, 60, clock)
    assert clock.now >= 60


def test_a_member_that_does_not_come_back_ends_the_run() -> None:
    with pytest.raises(sut.RestartError, match="no answer of a cluster with a master"):
        sut.restart(answers(ALONE, NOBODY), lambda: None, 3, 60, Clock())
