# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: server_settled
short_description: Whether HAProxy uses a server as far as an operator permits it
version_added: 0.1.0
author:
  - The ivy.cluster contributors (@ivy-cluster)
description:
  - A server that nobody has taken out is settled if it is fully up.
  - A server in drain is settled if its health check passes. HAProxy does not check a server in maintenance.
positional: _input
options:
  _input:
    description: A server, as M(ivy.cluster.balancer_info) returns it.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Wait until HAProxy uses the node again
  ivy.cluster.balancer_info:
  register: balancer
  until: balancer.servers | map('ivy.cluster.server_settled') | unique == [true]
"""

RETURN = r"""
_value:
  description: Whether it is.
  type: bool
"""

import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.operations import balancer_nodes as nodes


def server_settled(server: t.Mapping[str, t.Any]) -> bool:
    return nodes.settled(server)


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"server_settled": server_settled}
