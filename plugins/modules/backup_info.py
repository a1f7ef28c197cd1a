#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: backup_info
short_description: Lists the backups on an engine node, and verifies one of them
version_added: 0.1.0
description:
  - Changes nothing.
  - RV(problems) reports that a backup is incomplete or damaged. The module does not fail because of it.
options:
  directory:
    description: Directory of the backups.
    type: path
    required: true
  id:
    description: Id of the backup to verify, or V(latest) for the newest complete one. Empty only lists.
    type: str
    default: ""
  verify:
    description:
      - V(checksums) computes the checksums of the backup's files. V(content) also reads all of the dump and of the
        archives.
    type: str
    choices: [none, checksums, content]
    default: checksums
  identity:
    description: The secret key of age with which an encrypted backup is read. It is not written to a disk.
    type: str
    default: ""
  target:
    description: The cluster on which the backup is to be restored. RV(problems) has what forbids that.
    type: dict
    suboptions:
      cluster:
        description: Name of the cluster.
        type: str
        required: true
      engine_version:
        description: Version of its engine.
        type: str
        required: true
      server_version:
        description: Version of its database server, as C(server_version_num), V(0) if it is not known.
        type: int
        default: 0
      foreign:
        description: Whether the backup may be of another cluster.
        type: bool
        default: false
author:
  - The ivy.cluster contributors (@ivy-cluster)
extends_documentation_fragment:
  - ivy.cluster.attributes
"""

EXAMPLES = r"""
- name: List the backups
  ivy.cluster.backup_info:
    directory: /var/backups/ivy-cluster

- name: Verify the newest one
  ivy.cluster.backup_info:
    directory: /var/backups/ivy-cluster
    id: latest
    verify: content
"""

RETURN = r"""
backups:
  description: The ids of the complete backups, the newest first.
  returned: always
  type: list
  elements: str
  sample: [20260131T120000Z]
last:
  description: The result of the last attempt. Empty if there was none.
  returned: always
  type: dict
  sample: {time: 1769860800, problem: "", seconds: 4.2, newest: 20260131T120000Z, complete: 14, size: 1048576}
id:
  description: Id of the backup that was verified.
  returned: O(id) is not empty
  type: str
  sample: 20260131T120000Z
manifest:
  description: Its manifest; null if it has none that can be read.
  returned: O(id) is not empty
  type: dict
  sample: {id: 20260131T120000Z, cluster: demo, engine_version: 11.3.0}
record:
  description: The cluster record in it; null if it cannot be read.
  returned: O(id) is not empty
  type: dict
  sample: {cluster: demo}
problems:
  description: What is wrong with it, and why it cannot be restored on O(target).
  returned: O(id) is not empty
  type: list
  elements: str
  sample: []
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ivy.cluster.plugins.module_utils.node.backup import choice
from ansible_collections.ivy.cluster.plugins.module_utils.node.files.errors import NodeError
from ansible_collections.ivy.cluster.plugins.module_utils.node.masking.text import failure

ARGUMENT_SPEC: dict[str, dict[str, object]] = {
    "directory": {"type": "path", "required": True},
    "id": {"type": "str", "default": ""},
    "verify": {"type": "str", "choices": ["none", "checksums", "content"], "default": "checksums"},
    "identity": {"type": "str", "default": "", "no_log": True},
    "target": {
        "type": "dict",
        "options": {
            "cluster": {"type": "str", "required": True},
            "engine_version": {"type": "str", "required": True},
            "server_version": {"type": "int", "default": 0},
            "foreign": {"type": "bool", "default": False},
        },
    },
}


def run(module: AnsibleModule) -> dict[str, object]:
    return {"changed": False, **choice.inspect(module.params)}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    try:
        result = run(module)
    except NodeError as exc:
        module.fail_json(msg=str(exc))
    except Exception as exc:
        module.fail_json(msg=f"The backups cannot be read. {failure(exc)}")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
