# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restarts one member of a search cluster while the others serve."""

from __future__ import annotations

import typing as t

# Answers of /_cluster/health by their number of members and their status.
Ask = t.Callable[[], t.Mapping[str, t.Any]]


class RestartError(Exception):
    """The member was not restarted, or has not come back."""


class Clock(t.Protocol):
    """The part of the module time that is needed."""

    def monotonic(self) -> float: ...

    def sleep(self, seconds: float, /) -> None: ...


_PAUSE = 2.0


def members(health: t.Mapping[str, t.Any]) -> int:
    """The number of members that this one knows; 0 if it is in no cluster with a master."""
    number = health.get("number_of_nodes")
    return number if isinstance(number, int) and health.get("status") in ("green", "yellow", "red") else 0


def is_complete(health: t.Mapping[str, t.Any], expected: int) -> bool:
    return members(health) >= expected and health.get("status") == "green"


def described(health: t.Mapping[str, t.Any]) -> str:
    number = members(health)
    return f"{number} members, status {health.get('status')}" if number else "no answer of a cluster with a master"


def _wait(
    ask: Ask, enough: t.Callable[[t.Mapping[str, t.Any]], bool], seconds: float, clock: Clock
) -> t.Mapping[str, t.Any]:
    deadline = clock.monotonic() + seconds
    while True:
        health = ask()
        if enough(health) or clock.monotonic() >= deadline:
            return health
        clock.sleep(_PAUSE)


def restart(ask: Ask, act: t.Callable[[], None], expected: int, seconds: float, clock: Clock) -> list[str]:
    """Restart the member if the cluster can do without it, and wait until the cluster is complete again.

    A member that is alone, or in no cluster, protects nothing that others have: it may be the one whose configuration
    has to change before the others can join. Nothing but its own answer is waited for then.
    """
    before = ask()
    alone = members(before) <= 1
    if not alone:
        before = _wait(ask, lambda health: is_complete(health, expected), seconds, clock)
        if not is_complete(before, expected):
            raise RestartError(
                f"it was not restarted, because the cluster is not complete ({described(before)}, {expected} expected) "
                "and would lose another member"
            )
    act()
    after = _wait(ask, lambda health: bool(members(health)) if alone else is_complete(health, expected), seconds, clock)
    if not (members(after) if alone else is_complete(after, expected)):
        raise RestartError(f"it was restarted, and the cluster is not complete since then ({described(after)})")
    return [described(before), described(after)]
