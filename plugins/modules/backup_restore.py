#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: backup_restore
short_description: Restores the parts of a backup, on the engine node that has it
version_added: 0.1.0
description:
  - What takes long is done while the engines run. V(loaded) and V(unpacked) change nothing that is in use.
  - Verify the backup first, with M(ivy.cluster.backup_info).
options:
  directory:
    description: Directory of the backups.
    type: path
    required: true
  id:
    description: Id of the backup.
    type: str
    required: true
  state:
    description:
      - V(loaded) loads the dump into the empty database O(database).
      - V(unpacked) unpacks the shared files beside those in use.
      - V(staged) stores the release of the backup on this node.
      - V(swapped) replaces the shared files in use by those that V(unpacked) has unpacked. The old ones stay in the
        directory C(restore/before) beside the cluster record. No engine may run.
    type: str
    choices: [loaded, unpacked, staged, swapped]
    required: true
  database:
    description: With O(state=loaded), the name of the database.
    type: str
    default: ""
  again:
    description:
      - Whether V(unpacked) continues an interrupted restore, so that the old files are those from before its beginning.
        Otherwise the old files of an earlier restore are removed.
    type: bool
    default: false
  identity:
    description: The secret key of age with which an encrypted backup is read. It is not written to a disk.
    type: str
    default: ""
  settings:
    description: The file with the settings of the node, which the role C(engine) writes.
    type: path
    default: /etc/ivy-cluster/node.json
  trees:
    description: Directories of the file share by the name of their archive, for instance V(data).
    type: dict
    default: {}
attributes:
  idempotent:
    description: V(loaded), V(unpacked) and V(swapped) do the same again.
    support: partial
author:
  - The ivy.cluster contributors (@ivy-cluster)
extends_documentation_fragment:
  - ivy.cluster.attributes
"""

EXAMPLES = r"""
- name: Unpack the shared files
  ivy.cluster.backup_restore:
    directory: /var/backups/ivy-cluster
    id: 20260131T120000Z
    state: unpacked
    trees:
      data: /srv/ivy/data
"""

RETURN = r"""
tables:
  description: Number of tables in the database.
  returned: O(state=loaded), not in check mode
  type: int
  sample: 42
files:
  description: Number of shared files.
  returned: O(state=unpacked), not in check mode
  type: int
  sample: 1200
before:
  description: Directories with the old shared files.
  returned: O(state=swapped), not in check mode
  type: list
  elements: str
  sample: [/srv/ivy/cluster/restore/before/data]
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ivy.cluster.plugins.module_utils.node.backup import restore
from ansible_collections.ivy.cluster.plugins.module_utils.node.files.errors import NodeError
from ansible_collections.ivy.cluster.plugins.module_utils.node.masking.text import failure

ARGUMENT_SPEC: dict[str, dict[str, object]] = {
    "directory": {"type": "path", "required": True},
    "id": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["loaded", "unpacked", "staged", "swapped"], "required": True},
    "database": {"type": "str", "default": ""},
    "again": {"type": "bool", "default": False},
    "identity": {"type": "str", "default": "", "no_log": True},
    "settings": {"type": "path", "default": "/etc/ivy-cluster/node.json"},
    "trees": {"type": "dict", "default": {}},
}


def run(module: AnsibleModule) -> dict[str, object]:
    return {"changed": True} if module.check_mode else restore.restore(module.params)


def main() -> None:
    module = AnsibleModule(
        argument_spec=ARGUMENT_SPEC, supports_check_mode=True, required_if=[("state", "loaded", ("database",))]
    )
    try:
        result = run(module)
    except NodeError as exc:
        module.fail_json(msg=str(exc))
    except Exception as exc:
        module.fail_json(msg=f"The backup cannot be restored. {failure(exc)}")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
