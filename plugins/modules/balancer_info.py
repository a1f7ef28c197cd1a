#!/usr/bin/python
# Copyright: the ivy.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: balancer_info
short_description: Reports the servers and certificates of a running HAProxy and whether it needs a reload
version_added: 0.1.0
description:
  - Queries the running process through its runtime socket, so the result shows what is in use, not what a file
    contains.
  - A reload is required if the process has loaded something else than what is on disk, no matter which run or which
    person changed it.
  - Runs on a load balancer and changes nothing. Check mode makes no difference.
options:
  socket:
    description: HAProxy's runtime socket.
    type: path
    default: /run/haproxy/admin.sock
  timeout:
    description: Maximum number of seconds to wait for an answer.
    type: float
    default: 10
  digest:
    description:
      - Digest in C(description) of the section C(global) of the configuration on disk.
      - If the process reports another digest, it has loaded a different configuration. Empty skips the comparison.
    type: str
    default: ""
  files:
    description:
      - Files that HAProxy reads at a start and a reload, such as its configuration and error pages.
      - A reload is required if one of them was changed after the process started.
      - Certificates need not be listed, since HAProxy reports which ones it uses.
    type: list
    elements: path
    default: []
  authority_file:
    description: File with certificates of authorities on the host. Empty reports no authorities.
    type: path
    default: ""
author:
  - The ivy.cluster contributors (@ivy-cluster)
extends_documentation_fragment:
  - ivy.cluster.attributes
seealso:
  - module: ivy.cluster.balancer_probe
"""

EXAMPLES = r"""
- name: Gather the engine nodes that the balancer uses
  ivy.cluster.balancer_info:
  register: balancer

- name: Print the nodes that get no new users
  ansible.builtin.debug:
    msg: "{{ balancer.servers | rejectattr('up') | map(attribute='name') | list }}"

- name: Compare the process with the configuration and the certificate on disk
  ivy.cluster.balancer_info:
    files:
      - /etc/haproxy/haproxy.cfg
  register: balancer
"""

RETURN = r"""
process:
  description: The process that answered.
  returned: success
  type: dict
  contains:
    version:
      description: HAProxy's version.
      type: str
      sample: 2.6.12-1+deb12u4
    pid:
      description: Process ID of the worker. A reload changes it.
      type: int
      sample: 481
    started:
      description: Start time of the worker in seconds since 1970.
      type: int
      sample: 1795364468
    connections:
      description: Number of open connections.
      type: int
      sample: 12
    description:
      description: Value of C(description) in the section C(global).
      type: str
      sample: ivy-cluster 3b5f0c0d2c1e4a5b
servers:
  description: Every server of every backend, without those of the database.
  returned: success
  type: list
  elements: dict
  contains:
    backend:
      description: Name of the backend.
      type: str
      sample: engine_nodes
    name:
      description: Name of the server.
      type: str
      sample: engine1
    address:
      description: Address and port.
      type: str
      sample: 192.0.2.21:8080
    status:
      description: State in HAProxy's terms.
      type: str
      sample: UP
    up:
      description: >-
        Whether it is fully up. C(UP 1/3) is about to go down, and neither C(DRAIN) nor the weight 0 gets new users.
      type: bool
      sample: true
    check:
      description: Result of the last health check.
      type: dict
      contains:
        status:
          description: HAProxy's code for the result.
          type: str
          sample: L7OK
        code:
          description: HTTP status.
          type: str
          sample: "200"
        reason:
          description: HAProxy's explanation.
          type: str
          sample: HTTP status check returned code <200>
    admin_state:
      description: State that an administrator requested, one of V(ready), V(drain) and V(maint).
      type: str
      sample: ready
    cookie_ignored:
      description: Whether requests whose cookie names the server go to another one.
      type: bool
      sample: false
    sessions:
      description: Number of open requests and tunnels.
      type: int
      sample: 3
    sessions_total:
      description: Number of requests and tunnels since the start.
      type: int
      sample: 4711
    queue:
      description: Number of requests that wait for this server.
      type: int
      sample: 0
    seconds_since_request:
      description: Seconds since the last request; null if there was none.
      type: int
      sample: 3
    weight:
      description: Current weight. It is lower while a server warms up.
      type: int
      sample: 100
    seconds_since_change:
      description: Seconds since the state changed.
      type: int
      sample: 86400
drains:
  description: Whether the process has loaded the lists with which M(ivy.cluster.balancer_server) drains a server.
  returned: success
  type: bool
  sample: true
preferred:
  description: Servers that get all new users; see M(ivy.cluster.balancer_preference). Empty if all do.
  returned: success
  type: list
  elements: str
  sample: []
maintenance:
  description:
    - Whether users get a page instead of the nodes; see M(ivy.cluster.balancer_maintenance).
    - Null if the process has not loaded the lists for it.
  returned: success
  type: dict
  contains:
    active:
      description: Whether the service is in maintenance.
      type: bool
      sample: false
    retry_after:
      description: Seconds after which clients are asked to come back.
      type: int
      sample: 300
    allowed_sources:
      description: Networks whose requests still reach the nodes.
      type: list
      elements: str
      sample: []
    since:
      description: When maintenance began, in ISO 8601 format; empty out of maintenance.
      type: str
      sample: "2026-11-29T10:00:00Z"
certificates:
  description: Every certificate that the process has loaded.
  returned: success
  type: list
  elements: dict
  contains:
    file:
      description: File that it was loaded from.
      type: str
      sample: /etc/ivy-cluster-pki/balancer.pem
    subject:
      description: Its subject.
      type: str
      sample: /CN=ivy.example.com
    not_after:
      description: Expiry time in ISO 8601 format.
      type: str
      sample: "2027-11-22T16:31:11Z"
    days_left:
      description: Full days until then.
      type: int
      sample: 364
    fingerprint:
      description: Its SHA-1 fingerprint.
      type: str
      sample: 5F1B0E6C0B7F0B6B0D4C6E0D8C8E8B0A1C2D3E4F
    current:
      description: Whether the file still contains this certificate.
      type: bool
      sample: true
authorities:
  description: The authorities in O(authority_file).
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Common name.
      type: str
      sample: prod cluster CA
    days_left:
      description: Full days until it expires.
      type: int
      sample: 3649
reload_required:
  description: Whether the process uses something else than what is on disk.
  returned: success
  type: bool
  sample: false
reload_reasons:
  description: Why a reload is required.
  returned: success
  type: list
  elements: str
  sample:
    - The certificate in /etc/ivy-cluster-pki/balancer.pem is not the one that the process serves.
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ivy.cluster.plugins.module_utils.haproxy.process import inspect
from ansible_collections.ivy.cluster.plugins.module_utils.haproxy.runtime_socket import (
    RuntimeSocket,
    RuntimeSocketError,
)

ARGUMENT_SPEC: dict[str, dict[str, object]] = {
    "socket": {"type": "path", "default": "/run/haproxy/admin.sock"},
    "timeout": {"type": "float", "default": 10},
    "digest": {"type": "str", "default": ""},
    "files": {"type": "list", "elements": "path", "default": []},
    "authority_file": {"type": "path", "default": ""},
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    params = module.params
    try:
        balancer = inspect(
            RuntimeSocket(params["socket"], params["timeout"]),
            params["digest"],
            params["files"],
            params["authority_file"],
        )
    except RuntimeSocketError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, **balancer)


if __name__ == "__main__":
    main()
