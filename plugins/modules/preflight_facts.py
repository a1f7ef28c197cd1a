#!/usr/bin/python
# Copyright: the ivy.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: preflight_facts
short_description: Gathers the facts of a host that preflight evaluates
version_added: 0.1.0
description:
  - Gathers in one call everything that the role P(ivy.cluster.preflight#role) evaluates about a host.
  - Makes no lasting change. On request it starts a port listener, a background process that listens on unused ports and
    keeps a small file on the share, so that other hosts can test both. M(ivy.cluster.preflight_cleanup) ends the port
    listener. Otherwise it ends after O(seconds).
  - While a port listener runs, an empty file in C(/run) marks it for other runs. If a port listener of another run uses
    ports, the module waits some seconds for its end.
  - Does the same in check mode, since no change remains.
options:
  ports:
    description: The TCP ports that the services of this host need.
    type: list
    elements: dict
    default: []
    suboptions:
      port:
        description: The port.
        type: int
        required: true
      addresses:
        description: Addresses on which the service will listen. V(*) means all addresses.
        type: list
        elements: str
        default: ["*"]
      unit:
        description: The service's systemd unit. While it starts or runs, no port listener uses its port.
        type: str
        default: ""
      listen:
        description: Whether a port listener uses the port if it is free.
        type: bool
        default: false
  names:
    description: Names to resolve in addition to the host's name.
    type: list
    elements: str
    default: []
  paths:
    description: Paths that will be written. They need not exist.
    type: list
    elements: path
    default: []
  installed:
    description: Path patterns by name. An item is installed if at least one path matches its pattern.
    type: dict
    default: {}
  packages:
    description: Packages that must be installed or available to apt.
    type: list
    elements: str
    default: []
  share:
    description: The shared directory. Omit it for a host without a share.
    type: dict
    suboptions:
      root:
        description: Where the share is mounted.
        type: path
        required: true
      directory:
        description: The directory below O(share.root) that the engine uses.
        type: path
        required: true
      user:
        description: Name of the engine's user.
        type: str
        required: true
      group:
        description: Name of the engine's group.
        type: str
        required: true
      uid:
        description: UID of the engine's user. The user need not exist.
        type: int
        required: true
      gid:
        description: GID of the engine's group.
        type: int
        required: true
      name:
        description: Name of this host. It is part of the name of its file.
        type: str
        required: true
  trust_file:
    description: File with the certificate of the authority that this host may already trust.
    type: path
    default: ""
  virtual_address:
    description: The address that load balancers share. Without it, nothing about such an address is gathered.
    type: dict
    suboptions:
      address:
        description: The address, without the length of a prefix.
        type: str
        required: true
      interface:
        description: The interface for it. Empty uses the one that has the host's own address.
        type: str
        default: ""
      own:
        description: The host's own address, or a name that resolves to it.
        type: str
        required: true
  time_zone:
    description: Time zone that must exist on the host.
    type: str
    default: ""
  locale:
    description: Locale that must exist on the host.
    type: str
    default: C.UTF-8
  token:
    description: Identifies this run. Letters and digits.
    type: str
    required: true
  seconds:
    description: Maximum lifetime of the port listener.
    type: int
    default: 60
author:
  - The ivy.cluster contributors (@ivy-cluster)
extends_documentation_fragment:
  - ivy.cluster.attributes
seealso:
  - module: ivy.cluster.preflight_connect
  - module: ivy.cluster.preflight_cleanup
"""

EXAMPLES = r"""
- name: Gather the facts of a host
  ivy.cluster.preflight_facts:
    ports:
      - port: 8080
        unit: axonivy-engine.service
        listen: true
    paths:
      - /opt/ivy
    token: q7x1
  become: true
  register: host
"""

RETURN = r"""
started:
  description: The host's time at the start of the module, in seconds since 1970.
  returned: always
  type: float
  sample: 1750000000.25
ended:
  description: The host's time at the end of the module.
  returned: always
  type: float
  sample: 1750000000.5
uid:
  description: UID of the user that the module ran as.
  returned: always
  type: int
  sample: 0
system:
  description: Distribution, architecture, memory, time zone, locale, Python and kernel.
  returned: always
  type: dict
  sample: {os: {id: debian, version: "12"}, memory_mb: 7900}
disks:
  description: The file system of each path.
  returned: always
  type: list
  elements: dict
  sample: [{path: /opt/ivy, free_mb: 20000, size_mb: 40000, free_files: 100000, read_only: false}]
installed:
  description: Whether a path matches each pattern of O(installed).
  returned: always
  type: dict
  sample: {engine_archive: true}
ports:
  description: The processes that hold each port.
  returned: always
  type: list
  elements: dict
  sample: [{port: 8080, holders: [{program: nginx, pid: 811, unit: nginx.service, user: root}], quiet: true}]
virtual_address:
  description:
    - Whether the host has the virtual address, the interface for it and the networks of that interface, the hardware
      address of another host that answers for it, and whether keepalived has a configuration of somebody else.
  returned: O(virtual_address) is set
  type: dict
  sample: {held: false, interface: eth0, networks: [192.0.2.0/24], neighbour: "", other_configuration: false}
under_way:
  description: Port listeners of other runs. If there are any, no port listener is started.
  returned: always
  type: list
  elements: int
  sample: []
listening:
  description: The ports on which the port listener listens.
  returned: always
  type: list
  elements: int
  sample: [8080]
names:
  description: The addresses of each name; empty for a name that cannot be resolved.
  returned: always
  type: dict
  sample: {db.example.com: [192.0.2.30]}
hostname:
  description: The host's name.
  returned: always
  type: str
  sample: engine1
packages:
  description: Missing, unavailable and held packages, and the configuration of automatic upgrades.
  returned: always
  type: dict
  sample: {missing: [], without_candidate: [], held: [], lists: true, upgrades: {enabled: false, blacklist: []}}
accounts:
  description: The IDs of the engine's user and group names on this host, and the names of its IDs.
  returned: with O(share)
  type: dict
  sample: {uid: 1200, gid: 1200, name_of_uid: ivy, name_of_gid: ivy}
mount:
  description: The mount that contains the share.
  returned: with O(share)
  type: dict
  sample: {target: /srv/ivy, type: nfs4, source: "nas:/ivy"}
probe:
  description: The file that was written to the share and locked, or the errors.
  returned: with O(share)
  type: dict
  sample: {directory: /srv/ivy/data, path: /srv/ivy/data/.ivy-q7x1-e1, uid: 1200, gid: 1200, error: "", lock_error: ""}
firewall:
  description: TCP ports that the role P(ivy.cluster.firewall#role) has restricted, and the addresses that may connect.
  returned: always
  type: list
  elements: dict
  sample: [{ports: [7800, 7900], addresses: [192.0.2.21, 192.0.2.22]}]
trusted:
  description: The certificate in O(trust_file); empty if there is none.
  returned: always
  type: str
  sample: ""
listener:
  description: The port listener.
  returned: if a port listener was started
  type: dict
  sample: {pid: 4711, start: "123456"}
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ivy.cluster.plugins.module_utils.preflight import entry

ARGUMENT_SPEC: dict[str, dict[str, object]] = {
    "ports": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "port": {"type": "int", "required": True},
            "addresses": {"type": "list", "elements": "str", "default": ["*"]},
            "unit": {"type": "str", "default": ""},
            "listen": {"type": "bool", "default": False},
        },
    },
    "names": {"type": "list", "elements": "str", "default": []},
    "paths": {"type": "list", "elements": "path", "default": []},
    "installed": {"type": "dict", "default": {}},
    "packages": {"type": "list", "elements": "str", "default": []},
    "share": {
        "type": "dict",
        "options": {
            "root": {"type": "path", "required": True},
            "directory": {"type": "path", "required": True},
            "user": {"type": "str", "required": True},
            "group": {"type": "str", "required": True},
            "uid": {"type": "int", "required": True},
            "gid": {"type": "int", "required": True},
            "name": {"type": "str", "required": True},
        },
    },
    "trust_file": {"type": "path", "default": ""},
    "virtual_address": {
        "type": "dict",
        "options": {
            "address": {"type": "str", "required": True},
            "interface": {"type": "str", "default": ""},
            "own": {"type": "str", "required": True},
        },
    },
    "time_zone": {"type": "str", "default": ""},
    "locale": {"type": "str", "default": "C.UTF-8"},
    "token": {"type": "str", "required": True, "no_log": False},
    "seconds": {"type": "int", "default": 60},
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    result = entry.preflight_facts(module.params)
    (module.fail_json if result.get("failed") else module.exit_json)(**result)


if __name__ == "__main__":
    main()
