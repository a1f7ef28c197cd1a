# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: add_node_problems
short_description: Why nodes cannot be added to the cluster
version_added: 0.1.0
author:
  - The ivy.cluster contributors (@ivy-cluster)
description:
  - Returns all reasons, each with what to do about it.
positional: _input
options:
  _input:
    description: Names of the nodes to add.
    type: list
    elements: str
    required: true
  nodes:
    description: All nodes of the inventory, with the new ones.
    type: list
    elements: str
    required: true
  limited:
    description: The hosts of the cluster that C(--limit) leaves out.
    type: list
    elements: str
    required: true
  left_out:
    description: The nodes in C(ivy_proceed_without).
    type: list
    elements: str
    required: true
  applied:
    description: The nodes to which a release was applied before.
    type: list
    elements: str
    required: true
  record:
    description: The cluster record; null if there is none.
    type: dict
    required: true
  engine_version:
    description: Version of the engine in the inventory.
    type: str
    required: true
  applications:
    description:
      - The SHA-256 digests of the declared archives by name of the application, for engines that need a copy of their
        own. Omit it where nodes share their applications.
    type: dict
"""

EXAMPLES = r"""
- name: Print why the node cannot be added
  ansible.builtin.debug:
    msg: >-
      {{ ['engine4'] | ivy.cluster.add_node_problems(nodes=groups['engine_nodes'], limited=[],
      left_out=ivy_proceed_without, applied=['engine1'], record=found.record, engine_version=ivy_engine_version) }}
"""

RETURN = r"""
_value:
  description: The reasons; empty if the nodes can be added.
  type: list
  elements: str
"""

import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.operations.node_changes import (
    Addition,
    addition_problems,
    problems_of,
)


def add_node_problems(
    names: t.Iterable[str],
    *,
    record: t.Mapping[str, t.Any] | None,
    engine_version: str,
    applications: t.Mapping[str, str] | None = None,
    **nodes: t.Iterable[str],
) -> list[str]:
    known = {"record": record, "engine_version": str(engine_version), "applications": applications}
    return problems_of(Addition, addition_problems, names, nodes, **known)


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"add_node_problems": add_node_problems}
