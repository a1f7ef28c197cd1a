# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine nodes that an operator names for an operation."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.common.text import listed, plain_text

_SHOWN = 20


def names(value: t.Any) -> list[str]:
    """The names in a text with commas or spaces, as surveys and the command line give it, or in a list."""
    items = value if isinstance(value, (list, tuple)) else [value]
    found = [name for item in items if item is not None for name in re.split(r"[,\s]+", str(item)) if name]
    return list(dict.fromkeys(found))


def choose(
    value: t.Any,
    option: str,
    nodes: t.Sequence[str],
    in_run: t.Sequence[str],
    left_out: t.Sequence[str],
    required: bool,
) -> dict[str, t.Any]:
    """``nodes``, those of the operation in the order of the inventory, and ``problems``, what is wrong with the choice.

    Without a name they are all nodes of the run, unless names are required.
    """
    wanted = names(value)
    problems = []
    if not wanted and required:
        problems.append(f"{option} is empty: name the nodes, for instance -e {option}={_example(nodes)}")
    unknown = [name for name in wanted if name not in nodes]
    if unknown:
        problems.append(
            f"{option}: not in the group engine_nodes: {listed(map(plain_text, unknown), _SHOWN)}. "
            f"It has: {listed(map(plain_text, nodes), _SHOWN) or 'no host'}"
        )
    outside = [name for name in wanted if name in nodes and name not in in_run]
    if outside:
        problems.append(f"{option}: --limit leaves out {listed(outside, _SHOWN)}")
    absent = [name for name in wanted if name in left_out]
    if absent:
        problems.append(f"{option}: ivy_proceed_without leaves out {listed(absent, _SHOWN)}")
    chosen = [name for name in nodes if name in (wanted or in_run) and name not in left_out]
    return {"nodes": chosen, "problems": problems}


def _example(nodes: t.Sequence[str]) -> str:
    return plain_text(nodes[0]) if nodes else "engine1"
