#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: cluster_record
short_description: Reads and writes what all engine nodes agree on
version_added: 0.1.0
description:
  - The record lies on the file share, off the nodes. It holds the release that the cluster wants, the operation under
    way, a pin, the drained nodes, whether the database's tables were made, and the history.
  - No node starts with a release other than the wanted one; while an operation is open, also with one of those that
    it replaces.
  - It is read and written as the engine's user, since a share may not let root in. Each write is atomic and under a
    lock.
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
  state:
    description:
      - V(read) changes nothing.
      - V(opened) makes O(release) the wanted one and begins O(operation), or goes on with it. Where the release is
        wanted already and no operation is open, there is nothing to begin.
        A V(rollback) takes over a V(site) that was left open, since that is what it is to undo.
      - V(closed) ends the operation.
      - V(schema_created) remembers that the database's tables exist.
      - V(pinned) and V(unpinned) set and lift a pin, which lets only a rollback change the release.
      - V(drained) sets the list of drained nodes.
      - V(deployed) remembers which applications every node has.
    type: str
    choices: [read, opened, closed, schema_created, pinned, unpinned, drained, deployed]
    default: read
  release:
    description: Id of the release.
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
    description: Who runs it; shown to others who find it open.
    type: str
    default: ""
  step:
    description: The step that the operation has reached.
    type: str
    default: ""
  take_over:
    description: Reason to take over an operation that somebody else left open.
    type: str
    default: ""
  reason:
    description: Reason for a pin or its lifting, or for the operation that O(state=opened) begins.
    type: str
    default: ""
  pin:
    description: With O(state=opened), pin the release as well, in the same write.
    type: bool
    default: false
  node:
    description: The node on which this runs, for the history.
    type: str
    default: ""
  drained:
    description: The drained nodes.
    type: list
    elements: str
  applications:
    description: Names of the applications' artefacts, each with the SHA-256 of its content.
    type: dict
author:
  - The ivy.cluster contributors (@ivy-cluster)
extends_documentation_fragment:
  - ivy.cluster.attributes
"""

EXAMPLES = r"""
- name: Begin the rollout
  ivy.cluster.cluster_record:
    directory: /srv/ivy/cluster
    cluster: demo
    state: opened
    operation: site
    release: "{{ built.release.id }}"

- name: End it
  ivy.cluster.cluster_record:
    directory: /srv/ivy/cluster
    cluster: demo
    state: closed
    operation: site
    release: "{{ built.release.id }}"
"""

RETURN = r"""
record:
  description: The record; null when there is none.
  returned: always
  type: dict
  contains:
    desired_release:
      description: The release that the cluster wants.
      type: str
      sample: 3f2a9c0d1e4b5a6978c0d1e2f3a4b5c6
    previous_release:
      description: The release before, while an operation replaces it.
      type: str
      sample: null
    operation:
      description: The operation under way.
      type: dict
      sample: {name: site, owner: admin@controller, since: "2026-01-31T12:00:00Z", step: activate}
    pin:
      description: The pin.
      type: dict
      sample: null
    applications:
      description: The applications that every node has, each with the SHA-256 of its artefact.
      type: dict
      sample: {demo.zip: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08}
    drained:
      description: The drained nodes.
      type: list
      elements: str
      sample: []
    schema:
      description: When, where and for which version the database's tables were made.
      type: dict
      sample: {engine_version: 11.3.0, created_at: "2026-01-31T12:00:00Z", node: engine1}
    history:
      description: What happened, the last hundred entries.
      type: list
      elements: dict
      sample: [{time: "2026-01-31T12:00:00Z", operation: site, release: 3f2a9c0d1e4b5a6978c0d1e2f3a4b5c6}]
"""

import json

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ivy.cluster.plugins.module_utils.node.cluster import record
from ansible_collections.ivy.cluster.plugins.module_utils.node.files import accounts
from ansible_collections.ivy.cluster.plugins.module_utils.node.files.errors import NodeError

_STATES = ["read", "opened", "closed", "schema_created", "pinned", "unpinned", "drained", "deployed"]


def argument_spec() -> dict[str, dict[str, object]]:
    text: dict[str, object] = {"type": "str", "default": ""}
    return {
        "directory": {"type": "path", "required": True},
        "cluster": {"type": "str", "required": True},
        "user": {"type": "str", "default": "ivy"},
        "group": {"type": "str", "default": "ivy"},
        "state": {"type": "str", "choices": _STATES, "default": "read"},
        "release": text,
        "engine_version": text,
        "operation": text,
        "operator": text,
        "step": text,
        "take_over": text,
        "reason": text,
        "node": text,
        "pin": {"type": "bool", "default": False},
        "drained": {"type": "list", "elements": "str"},
        "applications": {"type": "dict"},
    }


def _shown(value: object) -> str:
    return json.dumps(value, indent=2, sort_keys=True) + "\n" if value is not None else ""


def run(module: AnsibleModule) -> dict[str, object]:
    params = module.params
    must_exist = not module.check_mode and params["state"] != "read"
    uid = accounts.uid_of(params["user"], must_exist)
    gid = accounts.gid_of(params["group"], must_exist)
    # Where the engine's user does not exist yet, it has written no record either.
    before = None if accounts.NOBODY_YET in (uid, gid) else record.read(params["directory"], uid, gid)
    if before is not None and before["cluster"] not in ("", params["cluster"]):
        raise NodeError(
            f"The record in {params['directory']} belongs to cluster {before['cluster']}, not to {params['cluster']}. "
            "Two clusters must not share a directory."
        )
    if params["state"] == "read":
        return {"changed": False, "record": before}
    change = record.Change(
        state=params["state"],
        release=params["release"],
        engine_version=params["engine_version"],
        operation=params["operation"],
        owner=params["operator"],
        step=params["step"],
        node=params["node"],
        take_over=params["take_over"],
        reason=params["reason"],
        drained=params["drained"],
        applications=params["applications"],
        pin=params["pin"],
    )

    def changed_record(old: record.Record | None) -> record.Record | None:
        blank = record.empty(params["cluster"])
        new = record.apply(old if old is not None else blank, change)
        return None if old is None and new == blank else new

    if module.check_mode:
        after = changed_record(before)
    else:
        with record.locked(params["directory"], uid, gid):
            before = record.read(params["directory"], uid, gid)
            after = changed_record(before)
            if after is not None and after != before:
                record.write(params["directory"], after, uid, gid)
    result: dict[str, object] = {"changed": after != before, "record": after}
    if module._diff:
        result["diff"] = {
            "before": _shown(before),
            "after": _shown(after),
            "before_header": "cluster record",
            "after_header": "cluster record",
        }
    return result


def main() -> None:
    module = AnsibleModule(
        argument_spec=argument_spec(),
        supports_check_mode=True,
        required_if=[
            ("state", "opened", ("operation",)),
            ("state", "schema_created", ("engine_version",)),
            ("state", "drained", ("drained",)),
            ("state", "deployed", ("applications",)),
        ],
    )
    try:
        result = run(module)
    except NodeError as exc:
        module.fail_json(msg=str(exc))
    except OSError as exc:
        module.fail_json(msg=f"The cluster record in {module.params['directory']} could not be handled: {exc}.")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
