# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: kept_out_nodes
short_description: Return the nodes that no load balancer may use
version_added: 0.1.0
author:
  - The ivy.cluster contributors (@ivy-cluster)
description:
  - Reads from the cluster record which nodes operators have drained, which ones runs have left out, and whether the
    cluster is isolated.
positional: _input
options:
  _input:
    description: The cluster record.
    type: dict
    required: true
  nodes:
    description: The engine nodes of the inventory.
    type: list
    elements: str
    required: true
  operation:
    description: Operation of the run. C(go_live) and C(undrain) bring nodes back.
    type: str
    required: true
  chosen:
    description: The nodes of the run.
    type: list
    elements: str
    default: []
  engines:
    description: >-
      What M(ivy.cluster.engine_info) returned, by node. One that an interrupted run has left out may serve if its
      engine runs with the release of the cluster.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Print the nodes that no load balancer may use
  ansible.builtin.debug:
    msg: "{{ record | ivy.cluster.kept_out_nodes(groups['engine_nodes'], 'site') }}"
"""

RETURN = r"""
_value:
  description: By node, C(state), V(drain) or V(maint), and C(reason) in words.
  type: dict
"""

import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.operations import kept_out


def kept_out_nodes(
    record: t.Mapping[str, t.Any],
    nodes: t.Sequence[str],
    operation: str,
    chosen: t.Sequence[str] = (),
    engines: t.Mapping[str, t.Any] | None = None,
) -> dict[str, dict[str, str]]:
    return kept_out.nodes(record, nodes, operation, chosen, engines or {})


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"kept_out_nodes": kept_out_nodes}
