#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: cluster_record
short_description: Reads and updates the cluster record
version_added: 0.1.0
description:
  - The record is a file on the file share, outside the nodes. It contains the desired release, the lease of the run
    that changes the cluster, the open rollout, a pin, the drained nodes, whether the tables of the database were
    created, and the history.
  - A run takes the lease before it changes anything. Every other state fails if the run does not hold it, and renews
    it. The lease alone never counts as changed.
  - A node starts only with the desired release, or, while a rollout is open and for a limited time, with the release
    that the rollout replaces. A node that has passed the gate starts only with the release with which it passed, or the
    desired one.
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
      - V(taken) takes the lease. It fails if another run has it, unless that run ended or gave no sign of life within
        its O(stale_after), or O(take_over) states a reason.
      - V(renewed) checks that this run holds the lease, renews it, and records O(step) and O(node).
      - V(released) gives the lease up if this run holds it.
      - V(opened) makes O(release) the desired release and begins or continues O(operation). If the release is already
        the desired one and no operation is open, nothing changes. V(site) and V(rollout) complete each other. A
        V(rollback) continues an open one of them, since it reverts it.
      - V(passed) records that O(node) has passed the gate with the desired release. If no operation is open, the
        history gets an entry with O(reason), since the run has repaired the node.
      - V(closed) ends the operation. It fails if a node of O(nodes) has another release, or did not
        pass the gate with it.
      - V(schema_created) records that the tables of the database exist.
      - V(migration_begun) records that the database is migrated to O(engine_version), so that no earlier release starts
        any more. V(migrated) records that this is done, and with O(applications) which applications are still deployed.
      - V(pinned) and V(unpinned) set and remove a pin. While a pin is set, only a rollback changes the release. A
        further O(reason) is added to those of the pin.
      - V(drained) adds O(drained) to the nodes that runs have taken out of the load balancers, with the states that
        they had there, and V(undrained) removes O(node).
      - V(removed) removes O(node) from the record, except from the history. Its engine does not start any more until a
        run starts it.
      - V(deploying) records O(applications) with which engines are to start that are stopped for it, and V(deployed)
        which applications every node has.
      - V(node_drained) records that an operator keeps users from O(node), since when and why. The node is no
        longer one of those that a run has taken out, so no run brings it back. V(node_undrained) makes it one of
        them again, to be used as if nobody had taken it out.
      - V(restart_requested) records which nodes a forced restart has to reach. If an earlier one of these nodes is not
        finished, that one stays for a day. A node is removed when it has V(passed) in an operation C(restart).
      - V(restored) takes from O(restored) what it contains about the data of the backup, the tables, the applications,
        the pin and the history, and keeps the lease, the open operation and the drained nodes.
      - V(isolated) records that no balancer may use a node, and V(live) that they may again.
      - V(database_replacing) records that the open C(restore_database) begins to change the files of the database, so
        that nothing else follows before they are restored, but C(restore).
      - V(database_kept) records that no file of it was changed after all.
      - V(database_restored) records that the open C(restore_database) has restored the database, so that a run that
        continues it does not restore it again.
    type: str
    choices:
      - read
      - taken
      - renewed
      - released
      - opened
      - passed
      - closed
      - schema_created
      - migration_begun
      - migrated
      - pinned
      - unpinned
      - drained
      - undrained
      - removed
      - deploying
      - deployed
      - node_drained
      - node_undrained
      - restart_requested
      - restored
      - isolated
      - live
      - database_replacing
      - database_kept
      - database_restored
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
    description: Reason for taking over the lease of another run, or an open operation of another kind.
    type: str
    default: ""
  stale_after:
    description: Seconds without a sign of life after which another run may take the lease over.
    type: int
    default: 900
  new_cluster:
    description:
      - Whether O(state=taken) passes on a node that has neither the account nor the directory of the record because
        nothing is set up there yet. It then returns RV(deferred).
    type: bool
    default: false
  old_release_hours:
    description: Hours after the last progress of a rollout in which the replaced release may start. At most a year.
    type: int
    default: 24
  nodes:
    description: With O(state=closed), the release of each node of the run.
    type: dict
  restored:
    description: With O(state=restored), the record in the backup.
    type: dict
  isolated:
    description: With O(state=restored), whether the cluster is isolated.
    type: bool
    default: false
  backup:
    description: With O(state=opened), the id of the backup that was made before the operation.
    type: str
    default: ""
  keep_open:
    description:
      - With O(state=opened), whether an operation is opened although O(release) is the desired one already. It stays
        open until every node has passed the gate.
    type: bool
    default: false
  database:
    description:
      - With O(state=opened) and C(restore_database), the C(target) to which the database is restored, the C(timeline)
        of PostgreSQL that is followed, the one that is C(left), and the C(system) identifier of the server. It fails if
        the open operation has restored the database already, unless O(repeat) is the time of that.
      - With O(state=database_replacing), the directory of the C(files).
      - With O(state=database_restored), the timeline that was C(begun).
    type: dict
  repeat:
    description:
      - With O(state=opened), when the open operation has restored the database, to restore it again. Another time is
        refused.
    type: str
    default: ""
  run_id:
    description: Set by the controller half of this module. Do not use it in tasks.
    type: str
    default: ""
  ended_run:
    description: Set by the controller half of this module. Do not use it in tasks.
    type: str
    default: ""
  reason:
    description:
      - Reason for setting or removing a pin, for the operation that O(state=opened) begins, or for draining a node.
      - Of this and of each other text that people enter, 300 characters are recorded.
    type: str
    default: ""
  pin:
    description: Whether O(state=opened) also pins the release, in the same write.
    type: bool
    default: false
  node:
    description: The node that the change is about.
    type: str
    default: ""
  drained:
    description: The nodes that are taken out of the load balancers.
    type: list
    elements: str
  drained_states:
    description:
      - With O(state=drained), the state of each node before, V(ready), V(drain), V(maint) or V(closed), by
        C(balancer/backend). V(closed) is a drained server whose cookie is ignored.
      - V(maint) and V(closed) of a node that was already taken out do not replace what is recorded for it.
    type: dict
  engine_stopped:
    description: With O(state=node_drained), whether the engine of the node is stopped, so that no run starts it.
    type: bool
    default: false
  restart:
    description: With O(state=restart_requested), the nodes to restart.
    type: list
    elements: str
  applications:
    description: SHA-256 of each application's artefact, by its name.
    type: dict
  source:
    description:
      - With O(state=opened), the commit of O(release) as RV(ivy.cluster.config_release#module:release) returns it.
      - The record keeps the first commit that had exactly these files. Without a commit, nothing is recorded.
    type: dict
author:
  - The ivy.cluster contributors (@ivy-cluster)
extends_documentation_fragment:
  - ivy.cluster.attributes
"""

EXAMPLES = r"""
- name: Take the lease
  ivy.cluster.cluster_record:
    directory: /srv/ivy/cluster
    cluster: demo
    state: taken
    operation: site

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

- name: Give the lease up
  ivy.cluster.cluster_record:
    directory: /srv/ivy/cluster
    cluster: demo
    state: released
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
    lease:
      description: The run that may change the cluster.
      type: dict
      sample:
        run_id: 0f3a5c7e9b1d2f4a-4711-8650
        owner: admin
        operation: site
        started: "2026-01-31T12:00:00Z"
        renewed: "2026-01-31T12:03:00Z"
        stale_after: 900
        step: restart
        node: engine2
    passed:
      description: The release with which each node passed the gate of the open rollout.
      type: dict
      sample: {engine1: 3f2a9c0d1e4b5a6978c0d1e2f3a4b5c6}
    old_releases_until:
      description: Until when replaced releases may start.
      type: str
      sample: "2026-02-01T12:00:00Z"
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
    drained_states:
      description: The states that the drained nodes had in the load balancers before.
      type: dict
      sample: {engine3: {lb1/engine_nodes: drain}}
    removed:
      description: When each node was removed whose engine must not start.
      type: dict
      sample: {engine4: "2026-01-31T12:00:00Z"}
    schema:
      description:
        - When and where the tables of the database were created, and to which engine version they belong. After an
          upgrade also C(migrated_from), C(migrated_at) and the C(backup) before it; C(migrating) until it has ended.
      type: dict
      sample: {engine_version: 11.3.0, created_at: "2026-01-31T12:00:00Z", node: engine1}
    sources:
      description: The commit of the source of each release that the record names, and whether it has exactly its files.
      type: dict
      sample: {3f2a9c0d1e4b5a6978c0d1e2f3a4b5c6: {commit: 1c9f2d7a4b8e6035f1d2c3b4a5968778695a4b3c, clean: true}}
    isolated:
      description: Since when, by whom and why no balancer uses a node after a restore.
      type: dict
      sample: null
    durations:
      description: Seconds from the first step on a node until it passed the gate, of the last 60 starts and restarts.
      type: list
      elements: dict
      sample: [{kind: restart, node: engine1, seconds: 62}]
    drained_nodes:
      description: The nodes that operators have drained, and whether their engine was stopped.
      type: dict
      sample:
        engine2: {since: "2026-01-31T12:00:00Z", owner: admin, reason: a new disk, stopped: false}
    deploying:
      description: The applications of a deployment for which engines were stopped, and that was not completed.
      type: dict
      sample: null
    restarts:
      description: The nodes that a forced restart has not reached yet.
      type: dict
      sample: null
    history:
      description: The last 100 events.
      type: list
      elements: dict
      sample: [{time: "2026-01-31T12:00:00Z", operation: site, release: 3f2a9c0d1e4b5a6978c0d1e2f3a4b5c6}]
before:
  description: The record before the change.
  returned: O(state) is not V(read)
  type: dict
first:
  description:
    - Whether this call has taken the lease, and not renewed it. When the nodes of a run take the lease, the first one
      does; if another one does, too, it has another file share.
  returned: O(state=taken)
  type: bool
  sample: true
deferred:
  description: The node has no record yet because nothing is set up there.
  returned: with O(new_cluster), on such a node
  type: bool
  sample: true
lease:
  description: The lease of the other run.
  returned: this run does not hold the lease
  type: dict
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
        "choices": [
            "read",
            "taken",
            "renewed",
            "released",
            "opened",
            "passed",
            "closed",
            "schema_created",
            "migration_begun",
            "migrated",
            "pinned",
            "unpinned",
            "drained",
            "undrained",
            "removed",
            "deploying",
            "deployed",
            "node_drained",
            "node_undrained",
            "restart_requested",
            "restored",
            "isolated",
            "live",
            "database_replacing",
            "database_kept",
            "database_restored",
        ],
        "default": "read",
    },
    "release": _TEXT,
    "engine_version": _TEXT,
    "operation": _TEXT,
    "operator": _TEXT,
    "step": _TEXT,
    "take_over": _TEXT,
    "stale_after": {"type": "int", "default": 900},
    "new_cluster": {"type": "bool", "default": False},
    "old_release_hours": {"type": "int", "default": 24},
    "nodes": {"type": "dict"},
    "run_id": _TEXT,
    "ended_run": _TEXT,
    "reason": _TEXT,
    "node": _TEXT,
    "pin": {"type": "bool", "default": False},
    "drained": {"type": "list", "elements": "str"},
    "drained_states": {"type": "dict"},
    "applications": {"type": "dict"},
    "source": {"type": "dict"},
    "engine_stopped": {"type": "bool", "default": False},
    "restart": {"type": "list", "elements": "str"},
    "restored": {"type": "dict"},
    "isolated": {"type": "bool", "default": False},
    "backup": _TEXT,
    "keep_open": {"type": "bool", "default": False},
    "database": {"type": "dict"},
    "repeat": {"type": "str", "default": ""},
}


REQUIRED_IF = [
    ("state", "taken", ("operation",)),
    ("state", "opened", ("operation",)),
    ("state", "passed", ("node",)),
    ("state", "undrained", ("node",)),
    ("state", "removed", ("node",)),
    ("state", "schema_created", ("engine_version",)),
    ("state", "migration_begun", ("engine_version",)),
    ("state", "migrated", ("engine_version",)),
    ("state", "drained", ("drained",)),
    ("state", "deploying", ("applications",)),
    ("state", "deployed", ("applications",)),
    ("state", "node_drained", ("node", "reason")),
    ("state", "node_undrained", ("node",)),
    ("state", "restart_requested", ("restart",)),
    ("state", "restored", ("restored",)),
    ("state", "database_replacing", ("database",)),
    ("state", "database_restored", ("database",)),
]


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True, required_if=REQUIRED_IF)
    result = calls.call("cluster_record", module.params, module.check_mode, module._diff)
    (module.fail_json if result.get("failed") else module.exit_json)(**result)


if __name__ == "__main__":
    main()
