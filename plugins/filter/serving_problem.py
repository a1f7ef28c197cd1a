# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: serving_problem
short_description: Why the load balancers must not use an engine node
version_added: 0.1.0
author:
  - The ivy.cluster contributors (@ivy-cluster)
description:
  - A node may serve only with a release with which the fence would let its engine start. An engine that kept running
    while its node was away from a rollout may have another one.
positional: _input, node, cluster
options:
  _input:
    description: Result of M(ivy.cluster.engine_info) with the cluster record.
    type: dict
    required: true
  node:
    description: Name of the node.
    type: str
    required: true
  cluster:
    description: Name of the cluster.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Fail if no balancer may use the node
  ansible.builtin.fail:
    msg: "{{ found | ivy.cluster.serving_problem(inventory_hostname, 'production') }}"
  when: found | ivy.cluster.serving_problem(inventory_hostname, 'production') != ''
"""

RETURN = r"""
_value:
  description: >-
    The release that runs, the one that the cluster record wants, and what to run; empty if the node may serve.
  type: str
"""

import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.operations import allowed_release


def serving_problem(found: t.Mapping[str, t.Any], node: str, cluster: str) -> str:
    return allowed_release.problem(found, str(node), str(cluster))


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"serving_problem": serving_problem}
