#!/usr/bin/python
# Copyright: the ivy.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: share_probe
short_description: Verifies with probe files that hosts share a directory
version_added: 0.1.0
description:
  - Each host writes its own file with O(state=written), reads the files of all hosts with O(state=read), and removes
    its own file with O(state=absent).
  - Accesses the share as O(user), not as root, because a file server may give root other rights.
options:
  directory:
    description: The shared directory.
    type: path
    required: true
  user:
    description: User that must be able to write and read in O(directory).
    type: str
    required: true
  group:
    description: Group of O(user).
    type: str
    required: true
  state:
    description: Whether to write, read or remove the files.
    type: str
    choices: [written, read, absent]
    required: true
  token:
    description:
      - Identifies this probe. It is part of the file names and is the content of the files.
      - A file with other content counts as missing.
    type: str
    required: true
  names:
    description: Names of the hosts whose files are written, read or removed.
    type: list
    elements: str
    required: true
  wait:
    description: Maximum number of seconds that O(state=read) waits for the files.
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
"""

EXAMPLES = r"""
- name: Write a file on every node
  ivy.cluster.share_probe:
    directory: /srv/ivy/data
    user: ivy
    group: ivy
    state: written
    token: q7x1
    names:
      - "{{ inventory_hostname }}"

- name: Read the files of all nodes
  ivy.cluster.share_probe:
    directory: /srv/ivy/data
    user: ivy
    group: ivy
    state: read
    token: q7x1
    names: "{{ groups['engine_nodes'] }}"
    wait: 5
  register: share

- name: Remove the file
  ivy.cluster.share_probe:
    directory: /srv/ivy/data
    user: ivy
    group: ivy
    state: absent
    token: q7x1
    names:
      - "{{ inventory_hostname }}"
"""

RETURN = r"""
written:
  description: The files that were written, or would be written in check mode.
  returned: with state V(written)
  type: list
  elements: str
  sample: [/srv/ivy/data/.ivy-probe-q7x1-engine1]
files:
  description: The files, and whether each exists with the right content.
  returned: with state V(read)
  type: list
  elements: dict
  contains:
    name:
      description: Name of the host that wrote the file.
      type: str
      sample: engine1
    same:
      description: Whether the file exists with the right content.
      type: bool
      sample: true
removed:
  description: The files that were removed, or would be removed in check mode.
  returned: with state V(absent)
  type: list
  elements: str
  sample: [/srv/ivy/data/.ivy-probe-q7x1-engine1]
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ivy.cluster.plugins.module_utils.node import calls

ARGUMENT_SPEC: dict[str, dict[str, object]] = {
    "directory": {"type": "path", "required": True},
    "user": {"type": "str", "required": True},
    "group": {"type": "str", "required": True},
    "state": {"type": "str", "required": True, "choices": ["written", "read", "absent"]},
    "token": {"type": "str", "required": True, "no_log": False},
    "names": {"type": "list", "elements": "str", "required": True},
    "wait": {"type": "float", "default": 0},
    "store": {"type": "path", "default": "/var/lib/ivy-cluster"},
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    result = calls.call("share_probe", module.params, module.check_mode, module._diff)
    (module.fail_json if result.get("failed") else module.exit_json)(**result)


if __name__ == "__main__":
    main()
