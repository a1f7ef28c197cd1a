#!/usr/bin/python
# Copyright: the ivy.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: virtual_address_info
short_description: Reports whether a load balancer holds the virtual address
version_added: 0.1.0
description:
  - Reports whether an interface of the host has the address, and the state of keepalived, which moves the address
    between the load balancers.
  - Changes nothing. Check mode makes no difference.
options:
  address:
    description: The virtual address, without the length of a prefix.
    type: str
    required: true
author:
  - The ivy.cluster contributors (@ivy-cluster)
extends_documentation_fragment:
  - ivy.cluster.attributes
seealso:
  - module: ivy.cluster.balancer_info
"""

EXAMPLES = r"""
- name: Find the load balancer that users reach
  ivy.cluster.virtual_address_info:
    address: 192.0.2.100
  register: virtual_address
"""

RETURN = r"""
held:
  description: Whether the host has the address.
  returned: success
  type: bool
  sample: true
interface:
  description: The interface that has the address; empty if none has.
  returned: success
  type: str
  sample: eth0
service:
  description: State of C(keepalived.service) according to systemd.
  returned: success
  type: str
  sample: active
"""

import ipaddress

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ivy.cluster.plugins.module_utils.node.engine import unit
from ansible_collections.ivy.cluster.plugins.module_utils.preflight import virtual_address

ARGUMENT_SPEC: dict[str, dict[str, object]] = {"address": {"type": "str", "required": True}}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    address = module.params["address"]
    try:
        ipaddress.ip_address(address)
    except ValueError as error:
        module.fail_json(msg=f"address: {error}")
    interface = virtual_address.holder(virtual_address.assigned(), address)
    service = unit.show("keepalived.service").active
    module.exit_json(changed=False, held=bool(interface), interface=interface, service=service)


if __name__ == "__main__":
    main()
