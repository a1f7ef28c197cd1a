#!/usr/bin/python
# Copyright: the ivy.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: connections_info
short_description: Lists the established TCP connections of a host or of one of its services
version_added: 0.1.0
description:
  - Reads the kernel's tables, so the result shows actual connections, not what a program reports or a file configures.
  - On a server it lists the clients. On a client, with O(unit), it lists the peers of a service.
  - Needs only Python on the host, and changes nothing.
  - If the kernel denies even root access to the files of a process, as in a container without C(CAP_SYS_PTRACE), the
    connections of the process's user are listed instead.
options:
  unit:
    description:
      - Name of a systemd unit. Only the connections of its main process and of the child processes are listed.
      - Empty lists all connections of the host.
    type: str
    default: ""
  local_ports:
    description: List only connections at these ports of this host, and those of O(remote_ports). Empty lists all.
    type: list
    elements: int
    default: []
  remote_ports:
    description: List only connections to these ports of peers, and those of O(local_ports). Empty lists all.
    type: list
    elements: int
    default: []
  expect:
    description:
      - Connections to wait for, for instance those of a pool that opens them on demand.
      - The module reads the tables until each was found or O(wait) is over, and lists all connections that it found in
        between.
    type: list
    elements: dict
    default: []
    suboptions:
      address:
        description: Address or name of the peer. A name is resolved on this host.
        type: str
        required: true
      port:
        description: Port of the peer.
        type: int
        required: true
  wait:
    description: Maximum number of seconds to wait for the connections of O(expect).
    type: float
    default: 0
  store:
    description: The state directory of the node, where M(ivy.cluster.shared_config) caches the code of this module.
    type: path
    default: /var/lib/ivy-cluster
author:
  - The ivy.cluster contributors (@ivy-cluster)
extends_documentation_fragment:
  - ivy.cluster.attributes
seealso:
  - module: ivy.cluster.engine_info
"""

EXAMPLES = r"""
- name: List the hosts that use the search server
  ivy.cluster.connections_info:
    local_ports:
      - 9200
  register: search

- name: List the engine's connections
  ivy.cluster.connections_info:
    unit: axonivy-engine.service
    expect:
      - address: search.example.com
        port: 9200
    wait: 5
  become: true
  register: engine
"""

RETURN = r"""
connections:
  description: The established connections, sorted and without duplicates.
  returned: always
  type: list
  elements: dict
  contains:
    direction:
      description: V(in) if the peer connected to a port on which this host listens, otherwise V(out).
      type: str
      sample: out
    local_address:
      description: Address of this host.
      type: str
      sample: 192.0.2.21
    local_port:
      description: Port of this host.
      type: int
      sample: 40112
    remote_address:
      description: Address of the peer.
      type: str
      sample: 192.0.2.40
    remote_port:
      description: Port of the peer.
      type: int
      sample: 9200
addresses:
  description: The addresses of this host without loopback addresses.
  returned: always
  type: list
  elements: str
  sample: [192.0.2.21]
listening:
  description: Ports on which the host, or the processes of O(unit), accept connections.
  returned: always
  type: list
  elements: int
  sample: [7800, 8080]
resolved:
  description:
    - The addresses of each name or address of O(expect), as resolved on this host.
    - Empty for a name that cannot be resolved.
  returned: always
  type: dict
  sample: {search.example.com: [192.0.2.40]}
main_pid:
  description: The main process of O(unit); 0 if it does not run or O(unit) is empty.
  returned: always
  type: int
  sample: 4711
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ivy.cluster.plugins.module_utils.node import calls

ARGUMENT_SPEC: dict[str, dict[str, object]] = {
    "unit": {"type": "str", "default": ""},
    "local_ports": {"type": "list", "elements": "int", "default": []},
    "remote_ports": {"type": "list", "elements": "int", "default": []},
    "expect": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {"address": {"type": "str", "required": True}, "port": {"type": "int", "required": True}},
    },
    "wait": {"type": "float", "default": 0},
    "store": {"type": "path", "default": "/var/lib/ivy-cluster"},
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    result = calls.call("connections_info", module.params, module.check_mode, module._diff)
    (module.fail_json if result.get("failed") else module.exit_json)(**result)


if __name__ == "__main__":
    main()
