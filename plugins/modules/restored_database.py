#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: restored_database
short_description: Replaces the system database by one into which a dump was loaded
version_added: 0.1.0
description:
  - Runs on the host of the database server, as its administrator. The old database stays under its name with the
    suffix C(_before) until the next restore.
options:
  state:
    description:
      - V(prepared) creates an empty database with the suffix C(_restore) and the extensions of the system database.
      - V(swapped) renames the system database, and gives its name to the new one. It fails if an engine is connected.
      - V(dropped) drops the new one, after a test.
      - V(unused) fails if an engine is still connected to the system database after some seconds. It changes nothing.
      - V(inspected) changes nothing.
    type: str
    choices: [inspected, prepared, swapped, dropped, unused]
    default: inspected
  name:
    description: Name of the system database.
    type: str
    required: true
  owner:
    description: The engine's user of the database.
    type: str
    required: true
  port:
    description: Port of the server.
    type: int
    default: 5432
  socket_directory:
    description: Directory of the server's socket.
    type: path
    default: /var/run/postgresql
  extensions:
    description: Extensions of the new database besides those of the system database.
    type: list
    elements: str
    default: []
  locale:
    description: Locale of the new database if there is no system database.
    type: str
    default: C.UTF-8
  again:
    description:
      - Whether V(prepared) continues an interrupted restore, so that the old database is the one from before its
        beginning. Otherwise the old database of an earlier restore is dropped.
    type: bool
    default: false
  needed_bytes:
    description: Size of the database in the backup. RV(problems) reports if there is no space for it.
    type: int
    default: 0
attributes:
  idempotent:
    description: V(prepared) and V(swapped) do the same again.
    support: partial
author:
  - The ivy.cluster contributors (@ivy-cluster)
extends_documentation_fragment:
  - ivy.cluster.attributes
"""

EXAMPLES = r"""
- name: Create an empty database
  ivy.cluster.restored_database:
    state: prepared
    name: AxonIvySystemDatabase
    owner: ivy
"""

RETURN = r"""
server_version:
  description: Version of the server, as C(server_version_num).
  returned: O(state=inspected)
  type: int
  sample: 150008
databases:
  description: Those of the three databases that exist.
  returned: O(state=inspected)
  type: list
  elements: str
  sample: [AxonIvySystemDatabase]
problems:
  description: Why the backup cannot be restored on this server.
  returned: O(state=inspected)
  type: list
  elements: str
  sample: []
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ivy.cluster.plugins.module_utils.database import restored
from ansible_collections.ivy.cluster.plugins.module_utils.node.files.errors import NodeError
from ansible_collections.ivy.cluster.plugins.module_utils.node.masking.text import failure

ARGUMENT_SPEC: dict[str, dict[str, object]] = {
    "state": {
        "type": "str",
        "choices": ["inspected", "prepared", "swapped", "dropped", "unused"],
        "default": "inspected",
    },
    "name": {"type": "str", "required": True},
    "owner": {"type": "str", "required": True},
    "port": {"type": "int", "default": 5432},
    "socket_directory": {"type": "path", "default": "/var/run/postgresql"},
    "extensions": {"type": "list", "elements": "str", "default": []},
    "locale": {"type": "str", "default": "C.UTF-8"},
    "again": {"type": "bool", "default": False},
    "needed_bytes": {"type": "int", "default": 0},
}


def run(module: AnsibleModule) -> dict[str, object]:
    return restored.call(module.params, module.check_mode)


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    try:
        result = run(module)
    except NodeError as exc:
        module.fail_json(msg=str(exc))
    except Exception as exc:
        module.fail_json(msg=f"The database cannot be replaced. {failure(exc)}")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
