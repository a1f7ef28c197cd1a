# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: addresses
short_description: Return the addresses by which hosts connect to one another
version_added: 0.1.0
author:
  - The ivy.cluster contributors (@ivy-cluster)
description:
  - Returns the C(ivy_address) of each host, or its C(ansible_host), or its name in the inventory.
  - Uses the inventory and not facts, so it works with C(--limit) and with hosts that are down.
positional: _input, hostvars
options:
  _input:
    description: Names of hosts.
    type: list
    elements: str
    required: true
  hostvars:
    description: The variable C(hostvars).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show the addresses of the engine nodes
  ansible.builtin.debug:
    msg: "{{ groups['engine_nodes'] | ivy.cluster.addresses(hostvars) }}"
"""

RETURN = r"""
_value:
  description: The address of each host by its name, in the order of the list.
  type: dict
"""

import typing as t

from ansible.errors import AnsibleFilterError


def addresses(hosts: t.Any, hostvars: t.Mapping[str, t.Mapping[str, t.Any]]) -> dict[str, str]:
    if isinstance(hosts, str) or not isinstance(hosts, t.Iterable):
        raise AnsibleFilterError(
            "ivy.cluster.addresses needs a list of host names, as in: "
            "groups['engine_nodes'] | ivy.cluster.addresses(hostvars)"
        )
    names = [str(name) for name in hosts]
    unknown = [name for name in names if name not in hostvars]
    if unknown:
        raise AnsibleFilterError(f"ivy.cluster.addresses: not in the inventory: {', '.join(unknown)}")
    return {name: _address(name, hostvars[name]) for name in names}


def _address(name: str, variables: t.Mapping[str, t.Any]) -> str:
    for key in ("ivy_address", "ansible_host"):
        value = str(variables[key]).strip() if key in variables and variables[key] is not None else ""
        if value:
            return value
    return name


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"addresses": addresses}
