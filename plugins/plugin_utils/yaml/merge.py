# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Three-way comparison of one YAML file: classifies every differing key as drift, pending, conflict or agreed.

The three texts are the applied one, the one on the node and the one of the release. A fourth is the text that was
accepted after the engine had rewritten its macros; it counts as unchanged, like the applied one.
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
class KeyChange:
    """One key that differs. ``change`` is the kind of change on the side that changed it."""

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
) -> tuple[KeyChange, ...]:
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
            # The engine encrypts a value once. A later change was made by somebody else.
            change = "changed"
        found.append(KeyChange(key, side, change, before, after, then))
    return tuple(found)
