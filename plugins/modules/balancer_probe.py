#!/usr/bin/python
# Copyright: the ivy.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: balancer_probe
short_description: Sends HTTPS requests to a load balancer as browsers do and reports which nodes answer
version_added: 0.1.0
description:
  - Connects to one balancer by its address, with the public name in the TLS handshake and in the header C(Host), and
    verifies its certificate against the cluster's CA.
  - Sends C(GET) requests for O(path) of new users, who have no cookie and should reach every node, and then requests of
    one user with a cookie, who should stay on one node.
  - A problem does not fail the task. It is listed in RV(problems), so that a report can combine it with other findings.
  - Changes nothing. Check mode makes no difference.
options:
  address:
    description: Address or name of the balancer.
    type: str
    required: true
  port:
    description: The balancer's HTTPS port.
    type: int
    default: 443
  host:
    description: The public name, with the port if it is not 443, as in the public URL.
    type: str
    required: true
  path:
    description: Path that the requests ask for. The balancer must pass it to an engine.
    type: str
    default: /
  ca_file:
    description:
      - File with the certificates of trusted authorities on the host where the module runs.
      - Empty uses the authorities that the host trusts.
    type: path
    default: ""
  ca_file_required:
    description: Whether the module fails if O(ca_file) does not exist. Otherwise it is as if O(ca_file) were empty.
    type: bool
    default: true
  cookie:
    description: Name of the balancer's cookie.
    type: str
    default: IVYNODE
  new_users:
    description: Number of requests without a cookie.
    type: int
    default: 9
  status:
    description: Expected HTTP statuses.
    type: list
    elements: int
    default: [200]
author:
  - The ivy.cluster contributors (@ivy-cluster)
extends_documentation_fragment:
  - ivy.cluster.attributes
seealso:
  - module: ivy.cluster.balancer_info
"""

EXAMPLES = r"""
- name: Test from the balancer's host whether users reach every node and stay on one
  ivy.cluster.balancer_probe:
    address: 192.0.2.10
    host: ivy.example.com
    ca_file: /etc/ivy-cluster-pki/ca.pem
  register: probe

- name: Fail if users do not reach every node
  ansible.builtin.assert:
    that:
      - probe.problems | length == 0
      - probe.new_users.nodes | length == groups['engine_nodes'] | length
"""

RETURN = r"""
ok:
  description: Whether there are no problems.
  returned: success
  type: bool
  sample: true
problems:
  description: Descriptions of the problems.
  returned: success
  type: list
  elements: str
  sample: []
tls:
  description: The TLS connection.
  returned: success
  type: dict
  contains:
    ok:
      description: Whether the certificate is valid for the name and signed by a trusted authority.
      type: bool
      sample: true
    version:
      description: Protocol version.
      type: str
      sample: TLSv1.3
    cipher:
      description: Cipher suite.
      type: str
      sample: TLS_AES_256_GCM_SHA384
    subject:
      description: Common name of the certificate.
      type: str
      sample: ivy.example.com
    issuer:
      description: Common name of the issuer.
      type: str
      sample: demo cluster CA
    not_after:
      description: Expiry time in ISO 8601 format.
      type: str
      sample: "2027-11-22T16:31:11Z"
    days_left:
      description: Full days until then.
      type: int
      sample: 364
cookie:
  description: The balancer's cookie.
  returned: success
  type: dict
  contains:
    name:
      description: Its name.
      type: str
      sample: IVYNODE
    value:
      description: Value of the returning user.
      type: str
      sample: engine2
    secure:
      description: Whether browsers send it over TLS only.
      type: bool
      sample: true
    http_only:
      description: Whether scripts cannot read it.
      type: bool
      sample: true
    same_site:
      description: Which requests from other sites carry it.
      type: str
      sample: Lax
new_users:
  description: The requests without a cookie.
  returned: success
  type: dict
  contains:
    requests:
      description: Number of requests with an expected status.
      type: int
      sample: 9
    nodes:
      description: Number of answers by node.
      type: dict
      sample: {engine1: 3, engine2: 3, engine3: 3}
    statuses:
      description: Number of answers by HTTP status.
      type: dict
      sample: {"200": 9}
returns:
  description: The requests with the cookie.
  returned: success
  type: dict
  contains:
    requests:
      description: Number of requests with an expected status.
      type: int
      sample: 5
    nodes:
      description: Number of answers by node.
      type: dict
      sample: {engine2: 5}
    statuses:
      description: Number of answers by HTTP status.
      type: dict
      sample: {"200": 5}
    stayed:
      description: Whether all came from the node that the cookie names.
      type: bool
      sample: true
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ivy.cluster.plugins.module_utils.probes import balancer

ARGUMENT_SPEC: dict[str, dict[str, object]] = {
    "address": {"type": "str", "required": True},
    "port": {"type": "int", "default": 443},
    "host": {"type": "str", "required": True},
    "path": {"type": "str", "default": "/"},
    "ca_file": {"type": "path", "default": ""},
    "ca_file_required": {"type": "bool", "default": True},
    "cookie": {"type": "str", "default": "IVYNODE"},
    "new_users": {"type": "int", "default": 9},
    "status": {"type": "list", "elements": "int", "default": [200]},
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    params = module.params
    target = balancer.Target(params["address"], params["port"], params["host"], params["cookie"], params["path"])
    try:
        context = balancer.tls_context(params["ca_file"], params["ca_file_required"])
    except balancer.ProbeError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, **balancer.run(target, context, params["status"], params["new_users"]))


if __name__ == "__main__":
    main()
