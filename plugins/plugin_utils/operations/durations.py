# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a step takes, from the durations in the cluster record."""

from __future__ import annotations

import statistics
import typing as t

RECENT = 5
STARTS = ("start", "restart")


def typical(record: t.Mapping[str, t.Any], kinds: t.Collection[str], node: str = "") -> int | None:
    """The median in seconds of the recent steps of a node, else of all nodes; None if there is none."""
    known = [item for item in record.get("durations") or [] if item.get("kind") in kinds]
    own = [int(item["seconds"]) for item in known if node and item.get("node") == node][-RECENT:]
    found = own or [int(item["seconds"]) for item in known][-RECENT:]
    return round(statistics.median(found)) if found else None
