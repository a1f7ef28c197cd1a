#!/usr/bin/python
# Copyright: the ivy.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: preflight_connect
short_description: Tests the connections from a host to others, and reads the other hosts' files on the share
version_added: 0.1.0
description:
  - Opens a connection to each of O(targets) and closes it at once.
  - Reads the files on the share that M(ivy.cluster.preflight_facts) wrote on the other hosts.
  - Changes nothing.
options:
  targets:
    description: The connections to test.
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
      token:
        description: Token that the port listener of M(ivy.cluster.preflight_facts) sends. Empty for a running service.
        type: str
        default: ""
      linked_is_enough:
        description:
          - Whether an existing connection is sufficient, so that none is opened.
          - For services that log every connection of another program.
        type: bool
        default: false
  files:
    description: The files of the other hosts.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the other host.
        type: str
        required: true
      path:
        description: Path of its file.
        type: path
        required: true
      uid:
        description: UID for reading the file.
        type: int
        required: true
      gid:
        description: GID for reading the file.
        type: int
        required: true
      token:
        description: Expected content of the file.
        type: str
        required: true
  store:
    description:
      - State directory of the host. If the host has the collection's code there, that is run.
      - Empty to send the code of the module in any case.
    type: path
    default: ""
author:
  - The ivy.cluster contributors (@ivy-cluster)
extends_documentation_fragment:
  - ivy.cluster.attributes
seealso:
  - module: ivy.cluster.preflight_facts
"""

EXAMPLES = r"""
- name: Test the connection to the database
  ivy.cluster.preflight_connect:
    targets:
      - address: 192.0.2.30
        port: 5432
  register: connections
"""

RETURN = r"""
targets:
  description: One text for each of O(targets), empty if the connection succeeded, otherwise the reason.
  returned: always
  type: list
  elements: str
  sample: [Connection refused]
files:
  description: Result of reading each file, by host name, and whether this host sees the other's lock.
  returned: always
  type: dict
  sample: {engine2: {found: true, error: "", uid: 1200, gid: 1200, locked: true, lock_error: ""}}
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ivy.cluster.plugins.module_utils.preflight import entry

ARGUMENT_SPEC: dict[str, t.Any] = {
    "targets": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "address": {"type": "str", "required": True},
            "port": {"type": "int", "required": True},
            "token": {"type": "str", "default": "", "no_log": False},
            "linked_is_enough": {"type": "bool", "default": False},
        },
    },
    "files": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "name": {"type": "str", "required": True},
            "path": {"type": "path", "required": True},
            "uid": {"type": "int", "required": True},
            "gid": {"type": "int", "required": True},
            "token": {"type": "str", "required": True, "no_log": False},
        },
    },
    "store": {"type": "path", "default": ""},
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    module.exit_json(**entry.preflight_connect(module.params))


if __name__ == "__main__":
    main()
