# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether every node sees the same values.

A release is one for all nodes, so a value that an inventory overrides for one of them would be lost without a word.
"""

from __future__ import annotations

import json
import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.common import masking
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.findings import Finding
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.native import Plain

ABSENT = "(absent)"


def compare_nodes(
    variable: str, by_node: t.Mapping[str, Plain], *, secret: bool
) -> tuple[dict[str, Plain], list[Finding]]:
    """The first node's dictionary, and one finding for each key whose value is not the same on all nodes."""
    findings: list[Finding] = []
    no_dictionary = [node for node, value in by_node.items() if not isinstance(value, dict)]
    if no_dictionary:
        problem = f"{variable} is not a dictionary on {', '.join(no_dictionary)}"
        return {}, [Finding.in_file("", 0, problem, "Give it as key: value pairs.")]
    flat = {node: _flatten(value) for node, value in by_node.items()}
    keys = {key for values in flat.values() for key in values}
    for key in sorted(keys):
        if any(other.startswith((f"{key}.", f"{key}[")) for other in keys):
            # Empty on one node and not on another: its entries are reported one by one.
            continue
        groups: dict[str, list[str]] = {}
        for node, values in flat.items():
            groups.setdefault(values.get(key, ABSENT), []).append(node)
        if len(groups) > 1:
            findings.append(Finding.in_file("", 0, *_describe(variable, key, groups, secret)))
    first = next(iter(by_node.values()), {})
    return t.cast("dict[str, Plain]", first), findings


def _describe(variable: str, key: str, groups: t.Mapping[str, list[str]], secret: bool) -> tuple[str, str]:
    shown = []
    for value, nodes in groups.items():
        hidden = value != ABSENT and (secret or masking.is_secret_key(key))
        text = masking.MASK if hidden else masking.mask(key, value)
        shown.append(f"{', '.join(nodes)}: {text}")
    problem = f"{variable}.{key} is not the same on every node ({'; '.join(shown)})"
    # The smaller group is nearly always the one that somebody overrode.
    odd = min(groups.values(), key=len)
    return problem, f"Look for an override in host_vars or a smaller group of {', '.join(odd)}, and remove it."


def _flatten(value: Plain, path: str = "") -> dict[str, str]:
    if isinstance(value, dict) and value:
        result: dict[str, str] = {}
        for key, item in value.items():
            result.update(_flatten(item, f"{path}.{key}" if path else key))
        return result
    if isinstance(value, list) and value:
        result = {}
        for index, item in enumerate(value):
            result.update(_flatten(item, f"{path}[{index}]"))
        return result
    if not path:
        return {}
    # JSON, to distinguish the number 1 from the text "1".
    return {path: json.dumps(value, ensure_ascii=False)}
