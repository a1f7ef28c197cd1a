# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who changed what of one YAML file: each key that differs has exactly one of four answers.

The three texts are what was applied, what lies on the node and what the release wants. Beside the applied text stands
the one that was accepted after the engine had rewritten its macros: both count as unchanged.
"""

from __future__ import annotations

import dataclasses
import enum

from ansible_collections.ivy.cluster.plugins.plugin_utils.yaml import meaning


class Side(enum.Enum):
    """Who changed a key."""

    DRIFT = "drift"
    PENDING = "pending"
    CONFLICT = "conflict"
    AGREED = "agreed"


@dataclasses.dataclass(frozen=True)
class KeyTruth:
    """One key that is not the same everywhere. ``change`` tells what became of it on the side that changed it."""

    key: str
    side: Side
    change: meaning.Change
    before: str | None
    after: str | None
    wanted: str | None


def classify(
    applied: str | bytes,
    actual: str | bytes,
    wanted: str | bytes | None = None,
    accepted: str | bytes | None = None,
) -> tuple[KeyTruth, ...]:
    """Every key that differs; raises :class:`yaml_tree.YamlError` where a text is not YAML.

    Without a wanted text the release is the applied one.
    """
    old = meaning.held(applied)
    base = old if accepted is None else meaning.held(accepted)
    here = meaning.held(actual)
    new = old if wanted is None else meaning.held(wanted)
    found = []
    for key in sorted({*old, *base, *here, *new}):
        by_node = here.get(key) not in (old.get(key), base.get(key))
        by_release = new.get(key) != old.get(key)
        if not by_node and not by_release:
            continue
        if here.get(key) == new.get(key):
            side = Side.AGREED
        elif by_node:
            side = Side.CONFLICT if by_release else Side.DRIFT
        else:
            side = Side.PENDING
        before, after, then = (meaning.shown(values.get(key)) for values in (old, here, new))
        change = meaning.change_of(key, before, after if by_node else then)
        if change == "rewritten" and base.get(key) != old.get(key):
            # The engine encrypts a value once; what stands there later is somebody else's work.
            change = "changed"
        found.append(KeyTruth(key, side, change, before, after, then))
    return tuple(found)
