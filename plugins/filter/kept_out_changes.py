# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: kept_out_changes
short_description: Return the servers that load balancers use although their node is to be out
version_added: 0.1.0
author:
  - The ivy.cluster contributors (@ivy-cluster)
description:
  - Compares the nodes that no load balancer may use with the servers of HAProxy.
positional: _input
options:
  _input:
    description: The nodes, as P(ivy.cluster.kept_out_nodes#filter) returns them.
    type: dict
    required: true
  results:
    description: >-
      The results of M(ivy.cluster.balancer_info) in a loop over the load balancers. One without an answer is left out.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Print what has to be set
  ansible.builtin.debug:
    msg: "{{ kept_out | ivy.cluster.kept_out_changes(balancers.results) }}"
"""

RETURN = r"""
_value:
  description: C(balancer), C(node), C(state), C(ignore_cookie) and C(reason) of each.
  type: list
  elements: dict
"""

import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.operations import kept_out


def kept_out_changes(
    wanted: t.Mapping[str, t.Mapping[str, str]], results: t.Iterable[t.Mapping[str, t.Any]]
) -> list[dict[str, t.Any]]:
    return kept_out.changes(wanted, results)


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"kept_out_changes": kept_out_changes}
