#!/usr/bin/python
# Copyright: the ivy.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: preflight_connect
short_description: Tries whom a host can reach, and looks for the other hosts' files on the share
version_added: 0.1.0
description:
  - Opens a connection to each of O(targets) and ends it at once.
  - Looks on the share for the files that M(ivy.cluster.preflight_facts) wrote on the other hosts.
  - Changes nothing.
options:
  targets:
    description: Whom to reach.
    type: list
    elements: dict
    default: []
    suboptions:
      address:
        description: Address or name of the other side. A name is resolved on this host.
        type: str
        required: true
      port:
        description: Port of the other side.
        type: int
        required: true
      token:
        description: What a listener of M(ivy.cluster.preflight_facts) says. Empty for a service that runs.
        type: str
        default: ""
      linked_is_enough:
        description:
          - A connection that is there already proves enough, so none is opened.
          - For services that log every connection which is not one of their own.
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
        description: Its file.
        type: path
        required: true
      uid:
        description: Number of the user to look as.
        type: int
        required: true
      gid:
        description: Number of the group to look as.
        type: int
        required: true
      token:
        description: What the file holds.
        type: str
        required: true
  seconds:
    description: How long to wait for one connection.
    type: float
    default: 3
  share_seconds:
    description: How long to wait for the files, since a network file system may show a new one late.
    type: float
    default: 5
author:
  - The ivy.cluster contributors (@ivy-cluster)
extends_documentation_fragment:
  - ivy.cluster.attributes
seealso:
  - module: ivy.cluster.preflight_facts
"""

EXAMPLES = r"""
- name: Try the database's port
  ivy.cluster.preflight_connect:
    targets:
      - address: 192.0.2.30
        port: 5432
  register: reach
"""

RETURN = r"""
targets:
  description: One text for each of O(targets), empty when it was reached, else why not.
  returned: always
  type: list
  elements: str
  sample: [Connection refused]
files:
  description: What was seen of each file, by the name of the host.
  returned: always
  type: dict
  sample: {engine2: {found: true, error: "", uid: 1200, gid: 1200}}
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ivy.cluster.plugins.module_utils.preflight import network, share

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
    "seconds": {"type": "float", "default": 3},
    "share_seconds": {"type": "float", "default": 5},
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    given = module.params
    module.exit_json(
        changed=False,
        targets=network.reach(given["targets"], given["seconds"]),
        files=share.see_all(given["files"], given["share_seconds"]),
    )


if __name__ == "__main__":
    main()
