#!/usr/bin/python
# Copyright: the ivy.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: support_facts
short_description: Gathers outputs of programs and files of a host for a support bundle
version_added: 0.1.0
description:
  - Used by M(ivy.cluster.support_gather); not for other tasks.
  - Changes nothing. Check mode makes no difference.
  - Reads with limits of time, number and size, follows no link below the directories, and masks what may be a secret.
options:
  programs:
    description: Programs whose output is gathered.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the part.
        type: str
        required: true
      arguments:
        description: The program and its arguments. No shell is involved.
        type: list
        elements: str
        required: true
  directories:
    description: Directories with files to gather. One that does not exist is left out.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: First component of the names of the parts.
        type: str
        required: true
      path:
        description: The directory.
        type: path
        required: true
      patterns:
        description: >-
          Patterns for paths below the directory. C(*) stands for a part of one name, C(**) for any number of names. At
          most 40 files, the newest ones.
        type: list
        elements: str
        required: true
      whole:
        description: Whether a file is left out if it is too long. Otherwise its end is gathered.
        type: bool
        default: false
  part_bytes:
    description: Maximum number of bytes of a part.
    type: int
    required: true
  host_bytes:
    description: Maximum number of bytes of all parts.
    type: int
    required: true
  part_seconds:
    description: Maximum number of seconds for a part.
    type: float
    default: 20
  seconds:
    description: Maximum number of seconds for all parts.
    type: float
    default: 120
author:
  - The ivy.cluster contributors (@ivy-cluster)
extends_documentation_fragment:
  - ivy.cluster.attributes
seealso:
  - module: ivy.cluster.support_gather
  - module: ivy.cluster.support_bundle
"""

EXAMPLES = r"""
# Not for tasks. Use ivy.cluster.support_gather.
"""

RETURN = r"""
parts:
  description: What was gathered.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of the part, with the characters of file names only.
      type: str
      sample: logs/haproxy.service.log
    text:
      description: The text, masked.
      type: str
      sample: "2026-11-29T10:00:00+0000 lb1 haproxy[481]: ..."
problems:
  description: What is missing or not complete.
  returned: success
  type: list
  elements: str
  sample: ["logs/ivy.log: the first 5242880 bytes are left out"]
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ivy.cluster.plugins.module_utils.support.gather import Limits, gather

ARGUMENT_SPEC: dict[str, t.Any] = {
    "programs": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "name": {"type": "str", "required": True},
            "arguments": {"type": "list", "elements": "str", "required": True},
        },
    },
    "directories": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "name": {"type": "str", "required": True},
            "path": {"type": "path", "required": True},
            "patterns": {"type": "list", "elements": "str", "required": True},
            "whole": {"type": "bool", "default": False},
        },
    },
    "part_bytes": {"type": "int", "required": True},
    "host_bytes": {"type": "int", "required": True},
    "part_seconds": {"type": "float", "default": 20},
    "seconds": {"type": "float", "default": 120},
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    params = module.params
    limits = Limits(params["part_bytes"], params["host_bytes"], params["seconds"], params["part_seconds"])
    module.exit_json(changed=False, **gather(params["programs"], params["directories"], limits))


if __name__ == "__main__":
    main()
