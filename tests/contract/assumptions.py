# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the collection assumes of an engine. Each assumption is one test that carries the fact it rests on."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

# How far a fact can be trusted: the words of the profiles (roles/topology) and two more. `assumed` is a choice of
# this project without a source. On what is `unknown` nothing relies, so its test reports what it sees and never fails.
CERTAINTIES = ("stated", "observed", "inferred", "assumed", "unknown")

# The test modules, by the state that an engine has to be in for them.
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
    """One line of the contract."""

    name: str
    area: str
    text: str
    fact: str
    certainty: str
    source: str
    since: str
    before: str

    def holds_for(self, version: str) -> bool:
        """Whether the fact is one of this engine version at all."""
        return (not self.since or number(version) >= number(self.since)) and (
            not self.before or number(version) < number(self.before)
        )


REGISTRY: dict[str, Assumption] = {}


def number(version: str) -> Version:
    """The first three parts of a version, to compare by."""
    return tuple(int(part) for part in version.split(".")[:3])


def assumption(
    area: str, text: str, *, fact: str, certainty: str, source: str, since: str = "", before: str = ""
) -> t.Callable[[Test], Test]:
    """Make a test an assumption of the contract.

    `text` says what the collection relies on, or, for what is unknown, what the test looks at. `fact` says what is
    known of the real engine.
    """
    if certainty not in CERTAINTIES:
        raise ValueError(f"no such certainty: {certainty}; there are: {', '.join(CERTAINTIES)}")

    def register(test: Test) -> Test:
        name = test.__name__
        if name in REGISTRY and REGISTRY[name].text != text:
            raise ValueError(f"two assumptions have the name {name}")
        REGISTRY[name] = Assumption(name, area, text, fact, certainty, source, since, before)
        return test

    return register
