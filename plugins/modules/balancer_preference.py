#!/usr/bin/python
# Copyright: the ivy.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: balancer_preference
short_description: Sets which servers of a running HAProxy get all new users
version_added: 0.1.0
description:
  - In a rolling restart, users of a drained server are to go to one that has restarted already. Otherwise they would
    move again.
  - A request without a cookie, or with one that is ignored, goes to one of these servers, as long as that one is up.
    Users who have a session on another server stay there. Without a preferred server that is up, HAProxy chooses among
    all servers as usual.
  - Acts on one load balancer. Run it on each of them. The preference outlives reloads and restarts of HAProxy.
options:
  servers:
    description: Names of the preferred servers. Empty ends the preference.
    type: list
    elements: str
    required: true
  socket:
    description: HAProxy's runtime socket.
    type: path
    default: /run/haproxy/admin.sock
  file:
    description: The list of the preferred servers, which HAProxy has loaded.
    type: path
    default: /var/lib/haproxy/preferred-nodes
  timeout:
    description: Maximum number of seconds to wait for an answer of HAProxy.
    type: float
    default: 10
author:
  - The ivy.cluster contributors (@ivy-cluster)
extends_documentation_fragment:
  - ivy.cluster.attributes
seealso:
  - module: ivy.cluster.balancer_server
"""

EXAMPLES = r"""
- name: Send new users to the nodes that have restarted
  ivy.cluster.balancer_preference:
    servers: [engine1, engine2]

- name: Send new users to all nodes
  ivy.cluster.balancer_preference:
    servers: []
"""

RETURN = r"""
servers:
  description: The preferred servers afterwards. In check mode, as they would be.
  returned: success
  type: list
  elements: str
  sample: [engine1, engine2]
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ivy.cluster.plugins.module_utils.haproxy.node_lists import (
    PREFERRED_NODES_FILE,
    preferred_nodes,
    set_preferred,
)
from ansible_collections.ivy.cluster.plugins.module_utils.haproxy.runtime_socket import (
    RuntimeSocket,
    RuntimeSocketError,
)
from ansible_collections.ivy.cluster.plugins.module_utils.haproxy.servers import server_names

ARGUMENT_SPEC: dict[str, dict[str, object]] = {
    "servers": {"type": "list", "elements": "str", "required": True},
    "socket": {"type": "path", "default": "/run/haproxy/admin.sock"},
    "file": {"type": "path", "default": PREFERRED_NODES_FILE},
    "timeout": {"type": "float", "default": 10},
}


def run(module: AnsibleModule) -> dict[str, object]:
    """The result of the module. Raises RuntimeSocketError."""
    runtime = RuntimeSocket(module.params["socket"], module.params["timeout"])
    wanted = sorted(set(module.params["servers"]))
    unknown = sorted(set(wanted) - server_names(runtime))
    if unknown:
        raise RuntimeSocketError(f"HAProxy at {runtime.path} has no server {', '.join(unknown)}.")
    found = preferred_nodes(runtime, module.params["file"])
    if found is None and wanted:
        raise RuntimeSocketError(
            f"HAProxy at {runtime.path} has not loaded {module.params['file']}, so it cannot prefer a server. The "
            "playbook site sets it up."
        )
    before = found or []
    result: dict[str, object] = {"changed": before != wanted, "servers": wanted}
    if module._diff and before != wanted:
        result["diff"] = {"before": {"preferred": before}, "after": {"preferred": wanted}}
    if before != wanted and not module.check_mode:
        set_preferred(runtime, wanted, module.params["file"])
    return result


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    try:
        result = run(module)
    except RuntimeSocketError as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
