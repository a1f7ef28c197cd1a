#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: cluster_record
short_description: Reads and updates the cluster record
version_added: 0.1.0
description:
  - The record is a file on the file share, outside the nodes. It contains the desired release, the current operation,
    a pin, the drained nodes, whether the tables of the database were created, and the history.
  - A node starts only with the desired release, or, while an operation is open, with the release that the operation
    replaces.
  - The module reads and writes the record as the engine's user, since a share may deny access to root. Each write is
    atomic and under a lock.
options:
  directory:
    description: Directory of the record on the file share.
    type: path
    required: true
  cluster:
    description: Name of the cluster.
    type: str
    required: true
  user:
    description: The engine's user.
    type: str
    default: ivy
  group:
    description: The engine's group.
    type: str
    default: ivy
  store:
    description: The state directory of the node, where M(ivy.cluster.shared_config) caches the code of this module.
    type: path
    default: /var/lib/ivy-cluster
  state:
    description:
      - V(read) changes nothing.
      - V(opened) makes O(release) the desired release and begins or continues O(operation). If the release is already
        the desired one and no operation is open, nothing changes. A V(rollback) takes over an open V(site), since it
        reverts that operation.
      - V(closed) ends the operation.
      - V(schema_created) records that the tables of the database exist.
      - V(pinned) and V(unpinned) set and remove a pin. While a pin is set, only a rollback changes the release.
      - V(drained) sets the list of drained nodes.
      - V(deployed) records which applications every node has.
    type: str
    choices: [read, opened, closed, schema_created, pinned, unpinned, drained, deployed]
    default: read
  release:
    description: ID of the release.
    type: str
    default: ""
  engine_version:
    description: Version of the engine.
    type: str
    default: ""
  operation:
    description: Name of the operation.
    type: str
    default: ""
  operator:
    description: Who runs the operation. Shown to others while it is open.
    type: str
    default: ""
  step:
    description: Current step of the operation.
    type: str
    default: ""
  take_over:
    description: Reason for taking over an open operation of another operator.
    type: str
    default: ""
  reason:
    description: Reason for setting or removing a pin, or for the operation that O(state=opened) begins.
    type: str
    default: ""
  pin:
    description: Whether O(state=opened) also pins the release, in the same write.
    type: bool
    default: false
  node:
    description: The node on which the module runs, for the history.
    type: str
    default: ""
  drained:
    description: The drained nodes.
    type: list
    elements: str
  applications:
    description: SHA-256 of each application's artefact, by its name.
    type: dict
author:
  - The ivy.cluster contributors (@ivy-cluster)
extends_documentation_fragment:
  - ivy.cluster.attributes
"""

EXAMPLES = r"""
- name: Open the rollout
  ivy.cluster.cluster_record:
    directory: /srv/ivy/cluster
    cluster: demo
    state: opened
    operation: site
    release: "{{ built.release.id }}"

- name: Close the rollout
  ivy.cluster.cluster_record:
    directory: /srv/ivy/cluster
    cluster: demo
    state: closed
    operation: site
    release: "{{ built.release.id }}"
"""

RETURN = r"""
record:
  description: The record; null if there is none.
  returned: always
  type: dict
  contains:
    desired_release:
      description: The desired release.
      type: str
      sample: 3f2a9c0d1e4b5a6978c0d1e2f3a4b5c6
    previous_release:
      description: The release that the current operation replaces.
      type: str
      sample: null
    operation:
      description: The current operation.
      type: dict
      sample: {name: site, owner: admin@controller, since: "2026-01-31T12:00:00Z", step: activate}
    pin:
      description: The pin.
      type: dict
      sample: null
    applications:
      description: SHA-256 of the artefact of each application that every node has.
      type: dict
      sample: {demo.zip: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08}
    drained:
      description: The drained nodes.
      type: list
      elements: str
      sample: []
    schema:
      description: When, where and for which engine version the tables of the database were created.
      type: dict
      sample: {engine_version: 11.3.0, created_at: "2026-01-31T12:00:00Z", node: engine1}
    history:
      description: The last 100 events.
      type: list
      elements: dict
      sample: [{time: "2026-01-31T12:00:00Z", operation: site, release: 3f2a9c0d1e4b5a6978c0d1e2f3a4b5c6}]
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ivy.cluster.plugins.module_utils.node import calls

_TEXT: dict[str, object] = {"type": "str", "default": ""}
ARGUMENT_SPEC: dict[str, dict[str, object]] = {
    "directory": {"type": "path", "required": True},
    "cluster": {"type": "str", "required": True},
    "user": {"type": "str", "default": "ivy"},
    "group": {"type": "str", "default": "ivy"},
    "store": {"type": "path", "default": "/var/lib/ivy-cluster"},
    "state": {
        "type": "str",
        "choices": ["read", "opened", "closed", "schema_created", "pinned", "unpinned", "drained", "deployed"],
        "default": "read",
    },
    "release": _TEXT,
    "engine_version": _TEXT,
    "operation": _TEXT,
    "operator": _TEXT,
    "step": _TEXT,
    "take_over": _TEXT,
    "reason": _TEXT,
    "node": _TEXT,
    "pin": {"type": "bool", "default": False},
    "drained": {"type": "list", "elements": "str"},
    "applications": {"type": "dict"},
}


REQUIRED_IF = [
    ("state", "opened", ("operation",)),
    ("state", "schema_created", ("engine_version",)),
    ("state", "drained", ("drained",)),
    ("state", "deployed", ("applications",)),
]


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True, required_if=REQUIRED_IF)
    result = calls.call("cluster_record", module.params, module.check_mode, module._diff)
    (module.fail_json if result.get("failed") else module.exit_json)(**result)


if __name__ == "__main__":
    main()
