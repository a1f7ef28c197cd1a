# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: remove_node_problems
short_description: Why nodes cannot be removed from the cluster
version_added: 0.1.0
author:
  - The ivy.cluster contributors (@ivy-cluster)
description:
  - Returns all reasons, each with what to do about it.
positional: _input
options:
  _input:
    description: Names of the nodes to remove.
    type: list
    elements: str
    required: true
  nodes:
    description: The nodes of the inventory.
    type: list
    elements: str
    required: true
  limited:
    description: The hosts of the cluster that C(--limit) leaves out.
    type: list
    elements: str
    required: true
  active:
    description: The nodes whose engine runs.
    type: list
    elements: str
    required: true
  record:
    description: The cluster record; null if there is none.
    type: dict
    required: true
  balancers:
    description: The results of M(ivy.cluster.balancer_info) in a loop over the load balancers.
    type: list
    elements: dict
    required: true
  minimum:
    description: Number of nodes that must remain in service.
    type: int
    required: true
"""

EXAMPLES = r"""
- name: Print why the node cannot be removed
  ansible.builtin.debug:
    msg: >-
      {{ ['engine3'] | ivy.cluster.remove_node_problems(nodes=groups['engine_nodes'], limited=[],
      active=['engine1', 'engine2'], record=found.record, balancers=balancers.results, minimum=1) }}
"""

RETURN = r"""
_value:
  description: The reasons; empty if the nodes can be removed.
  type: list
  elements: str
"""

import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.operations.node_changes import (
    Removal,
    problems_of,
    removal_problems,
)


def remove_node_problems(
    names: t.Iterable[str],
    *,
    record: t.Mapping[str, t.Any] | None,
    balancers: t.Iterable[t.Mapping[str, t.Any]],
    minimum: int,
    **nodes: t.Iterable[str],
) -> list[str]:
    answers = {str(answer[answer.get("ansible_loop_var", "item")]): answer.get("servers") for answer in balancers}
    known = {"record": record, "balancers": answers, "minimum": int(minimum)}
    return problems_of(Removal, removal_problems, names, nodes, **known)


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"remove_node_problems": remove_node_problems}
