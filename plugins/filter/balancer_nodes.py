# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: balancer_nodes
short_description: Return the state of each node in the load balancers
version_added: 0.1.0
author:
  - The ivy.cluster contributors (@ivy-cluster)
description:
  - Joins the results of M(ivy.cluster.balancer_info) in a loop over the load balancers.
positional: _input
options:
  _input:
    description: The results of the loop. A load balancer without an answer is left out.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Print the nodes that an operator has taken out
  ansible.builtin.debug:
    msg: "{{ balancers.results | ivy.cluster.balancer_nodes }}"
"""

RETURN = r"""
_value:
  description: >-
    By node, RV(_value.states), the requested state by C(balancer/backend); RV(_value.taken_out), how an operator keeps
    users from the node, by balancer; RV(_value.words), the same in words, empty if nobody does.
  type: dict
"""

import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.operations import balancer_nodes as nodes


def balancer_nodes(results: t.Iterable[t.Mapping[str, t.Any]]) -> dict[str, dict[str, t.Any]]:
    return nodes.by_node(results)


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"balancer_nodes": balancer_nodes}
