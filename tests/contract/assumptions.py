# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection's assumptions about an engine. Each is one test with the fact on which it is based."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

# How far a fact can be trusted: the terms of the profiles (roles/topology) and two more. `assumed` is a choice of this
# project without a source. Nothing relies on what is `unknown`: its test reports its observation and never fails.
CERTAINTIES = ("stated", "observed", "inferred", "assumed", "unknown")

# The test modules, in the order of the engine states that they need.
ORDER = (
    "test_archive",
    "test_create_db",
    "test_demo",
    "test_maintenance",
    "test_service",
    "test_cluster",
    "test_end",
)

Test = t.TypeVar("Test", bound=t.Callable[..., None])
Version = tuple[int, ...]


@dataclass(frozen=True)
class Assumption:
    """One row of the contract."""

    name: str
    area: str
    text: str
    fact: str
    certainty: str
    source: str
    since: str
    before: str

    def holds_for(self, version: str) -> bool:
        """Whether the assumption applies to this engine version."""
        return (not self.since or number(version) >= number(self.since)) and (
            not self.before or number(version) < number(self.before)
        )


REGISTRY: dict[str, Assumption] = {}


def number(version: str) -> Version:
    """The first three parts of a version, for comparisons."""
    return tuple(int(part) for part in version.split(".")[:3])


def assumption(
    area: str, text: str, *, fact: str, certainty: str, source: str, since: str = "", before: str = ""
) -> t.Callable[[Test], Test]:
    """Make a test an assumption of the contract.

    `text` states what the collection relies on or, for what is unknown, what the test observes. `fact` states what is
    known about the real engine.
    """
    if certainty not in CERTAINTIES:
        raise ValueError(f"unknown certainty: {certainty}; use one of: {', '.join(CERTAINTIES)}")

    def register(test: Test) -> Test:
        name = test.__name__
        if name in REGISTRY and REGISTRY[name].text != text:
            raise ValueError(f"two assumptions are named {name}")
        REGISTRY[name] = Assumption(name, area, text, fact, certainty, source, since, before)
        return test

    return register
