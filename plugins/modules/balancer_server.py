#!/usr/bin/python
# Copyright: the ivy.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: balancer_server
short_description: Takes a server out of a running HAProxy, or lets HAProxy use it again
version_added: 0.1.0
description:
  - Sets the state of the server in every backend that lists it, through HAProxy's runtime socket. The role C(haproxy)
    preserves the state over reloads and restarts.
  - A server that no backend lists is in no state, and nothing changes.
options:
  name:
    description: Name of the server.
    type: str
    required: true
  state:
    description:
      - V(maint) sends no request to the server any more. A few seconds later its sessions end.
      - V(drain) sends only requests of users who already have a session on it.
      - V(ready) uses it as soon as its health checks pass.
      - V(restored) ends a V(maint) that a run has set. It sets each server that is in maintenance to its state in
        O(before), or to V(ready), and leaves the others as they are, since somebody has changed them in the meantime.
    type: str
    choices: [ready, drain, maint, restored]
    required: true
  before:
    description: With O(state=restored), the state V(ready), V(drain) or V(maint) by backend.
    type: dict
    default: {}
  socket:
    description: HAProxy's runtime socket.
    type: path
    default: /run/haproxy/admin.sock
  timeout:
    description: Maximum number of seconds to wait for an answer.
    type: float
    default: 10
author:
  - The ivy.cluster contributors (@ivy-cluster)
extends_documentation_fragment:
  - ivy.cluster.attributes
seealso:
  - module: ivy.cluster.balancer_info
"""

EXAMPLES = r"""
- name: Take a node out of the balancer
  ivy.cluster.balancer_server:
    name: engine3
    state: maint

- name: Let the balancer use it as before
  ivy.cluster.balancer_server:
    name: engine3
    state: restored
    before:
      engine_nodes: drain
"""

RETURN = r"""
servers:
  description: The server in each backend afterwards. In check mode, as HAProxy would have it.
  returned: success
  type: list
  elements: dict
  contains:
    backend:
      description: Name of the backend.
      type: str
      sample: engine_nodes
    status:
      description: State in HAProxy's terms.
      type: str
      sample: MAINT
    up:
      description: Whether it is fully up.
      type: bool
      sample: false
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ivy.cluster.plugins.module_utils.haproxy.runtime_socket import (
    RuntimeSocket,
    RuntimeSocketError,
)
from ansible_collections.ivy.cluster.plugins.module_utils.haproxy.server_state import set_state

ARGUMENT_SPEC: dict[str, dict[str, object]] = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["ready", "drain", "maint", "restored"], "required": True},
    "before": {"type": "dict", "default": {}},
    "socket": {"type": "path", "default": "/run/haproxy/admin.sock"},
    "timeout": {"type": "float", "default": 10},
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    params = module.params
    if not set(params["before"].values()) <= {"ready", "drain", "maint"}:
        module.fail_json(msg="before: each state must be ready, drain or maint.")
    try:
        changed, servers = set_state(
            RuntimeSocket(params["socket"], params["timeout"]),
            params["name"],
            params["state"],
            module.check_mode,
            params["before"],
        )
    except RuntimeSocketError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=changed, servers=servers)


if __name__ == "__main__":
    main()
