#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: backup
short_description: Makes a backup of the cluster on an engine node
version_added: 0.1.0
description:
  - Dumps the system database with the account of the engine, and packs the shared files, the releases of the node and
    the cluster record. The directory of the backup gets its name when all files and the manifest are complete and
    were read again.
  - Checks the free space first. After an error, the earlier backups are there.
  - The timer that the role C(backup) installs does the same without a controller.
options:
  directory:
    description: Directory of the backups. Only root may enter it.
    type: path
    required: true
  settings:
    description: The file with the settings of the node, which the role C(engine) writes.
    type: path
    default: /etc/ivy-cluster/node.json
  trees:
    description: Directories of the file share by the name of their archive, for instance V(data).
    type: dict
    default: {}
  recipients:
    description: Public keys of age, or of SSH, for which every file is encrypted. Without one, nothing is encrypted.
    type: list
    elements: str
    default: []
  keep:
    description: Number of backups to keep, at least 1.
    type: int
    default: 14
  keep_days:
    description: Days after which a backup is removed, V(0) for no limit. The newest one always stays.
    type: int
    default: 0
  verify:
    description:
      - V(checksums) computes the checksums again. V(content) also reads all of the dump and of the archives, as far as
        they are not encrypted.
    type: str
    choices: [none, checksums, content]
    default: content
  metrics_directory:
    description: Directory of the text files for a Prometheus node exporter. Without it, no metrics are written.
    type: path
    default: ""
  certificates:
    description: Files to be added, in base64, by their path in the archive.
    type: dict
    default: {}
attributes:
  idempotent:
    description: Each call makes another backup.
    support: none
author:
  - The ivy.cluster contributors (@ivy-cluster)
extends_documentation_fragment:
  - ivy.cluster.attributes
"""

EXAMPLES = r"""
- name: Make a backup
  ivy.cluster.backup:
    directory: /var/backups/ivy-cluster
    trees:
      data: /srv/ivy/data
"""

RETURN = r"""
id:
  description: Id of the backup, the time when it began.
  returned: not in check mode
  type: str
  sample: 20260131T120000Z
path:
  description: Its directory.
  returned: not in check mode
  type: str
  sample: /var/backups/ivy-cluster/20260131T120000Z
size:
  description: Bytes of all its files.
  returned: not in check mode
  type: int
  sample: 1048576
files:
  description: Its files.
  returned: not in check mode
  type: list
  elements: str
  sample: [data.tar.gz, database.dump, record.json, releases.tar.gz]
release:
  description: The desired release of the cluster at that time.
  returned: not in check mode
  type: str
  sample: 3f2a9c0d1e4b5a6978c0d1e2f3a4b5c6
changed_while_read:
  description: Shared files that were written while they were read, at most 20 of each directory.
  returned: not in check mode
  type: list
  elements: str
  sample: []
left_out:
  description:
    - Entries of the shared directories that are not in the backup, at most 20 of each directory.
    - The engine's user cannot read them, they are more than 100 directories deep, they have more than 64 GiB of holes,
      or they are something else than files, directories and links.
  returned: not in check mode
  type: list
  elements: str
  sample: []
removed:
  description: Backups that were removed because of O(keep) or O(keep_days).
  returned: not in check mode
  type: list
  elements: str
  sample: []
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ivy.cluster.plugins.module_utils.node.backup import program
from ansible_collections.ivy.cluster.plugins.module_utils.node.files.errors import NodeError
from ansible_collections.ivy.cluster.plugins.module_utils.node.masking.text import failure

ARGUMENT_SPEC: dict[str, dict[str, object]] = {
    "directory": {"type": "path", "required": True},
    "settings": {"type": "path", "default": "/etc/ivy-cluster/node.json"},
    "trees": {"type": "dict", "default": {}},
    "recipients": {"type": "list", "elements": "str", "default": []},
    "keep": {"type": "int", "default": 14},
    "keep_days": {"type": "int", "default": 0},
    "verify": {"type": "str", "choices": ["none", "checksums", "content"], "default": "content"},
    "metrics_directory": {"type": "path", "default": ""},
    "certificates": {"type": "dict", "default": {}, "no_log": True},
}


def run(module: AnsibleModule) -> dict[str, object]:
    params = module.params
    if module.check_mode:
        return {"changed": True}
    made = program.run(program.options_from(params), params["verify"], params["metrics_directory"])
    return {"changed": True, **made}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    try:
        result = run(module)
    except NodeError as exc:
        module.fail_json(msg=str(exc))
    except Exception as exc:
        module.fail_json(msg=f"No backup was made. {failure(exc)}")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
