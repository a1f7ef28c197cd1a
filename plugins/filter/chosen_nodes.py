# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: chosen_nodes
short_description: Return the engine nodes that an operator names for an operation
version_added: 0.1.0
author:
  - The ivy.cluster contributors (@ivy-cluster)
description:
  - Splits the text of the option, and reports all that is wrong with the choice.
positional: _input, option
options:
  _input:
    description: >-
      Names with commas or spaces between them, or a list of names. Empty for all nodes of the run.
    type: raw
    required: true
  option:
    description: Name of the option, for the messages.
    type: str
    required: true
  nodes:
    description: The engine nodes of the inventory.
    type: list
    elements: str
    required: true
  in_run:
    description: Those that C(--limit) does not leave out.
    type: list
    elements: str
    required: true
  left_out:
    description: The nodes in C(ivy_proceed_without).
    type: list
    elements: str
    default: []
  required:
    description: Whether it is a problem if no node is named.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Choose the nodes
  ansible.builtin.set_fact:
    choice: >-
      {{ 'engine2, engine3' | ivy.cluster.chosen_nodes('restart_nodes', nodes=groups['engine_nodes'],
      in_run=ansible_play_hosts_all) }}
"""

RETURN = r"""
_value:
  description: RV(_value.nodes), the names in the order of the inventory, and RV(_value.problems), a list of messages.
  type: dict
"""

import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.operations import chosen_nodes as chosen


def chosen_nodes(
    value: t.Any,
    option: str,
    nodes: t.Sequence[str],
    in_run: t.Sequence[str],
    left_out: t.Sequence[str] = (),
    required: bool = False,
) -> dict[str, t.Any]:
    return chosen.choose(value, option, list(nodes), list(in_run), list(left_out), required)


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"chosen_nodes": chosen_nodes}
