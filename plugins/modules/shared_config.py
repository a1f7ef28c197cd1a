#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: shared_config
short_description: Stages and applies the shared configuration on an engine node
version_added: 0.1.0
description:
  - Brings a release that M(ivy.cluster.config_release) built to a node, and activates it there.
  - A node on which nothing has to be done costs one round trip, and so does a change of few files on a node to which
    the same controller brought the release before. Any other release that the node does not have costs one more round
    trip, with only those files that it lacks.
  - Each file is replaced atomically. An activation that was interrupted is completed by the next run.
  - What somebody changed on the node is found and reported as drift, and copied to a backup before it is overwritten.
    YAML with another form of the same keys is not drift.
  - Reports whether the engine must be restarted and why, by comparing the files on disk with those recorded when the
    engine started.
options:
  state:
    description:
      - V(staged) brings the release to the node without activating it, and reports in RV(activation) what
        activating it would do.
      - V(applied) activates it.
      - V(accepted) accepts the engine's own rewriting of C(${encrypt:...}) and C(${hash:...}) in YAML files,
        provided that nothing else differs; any later difference is drift. Use it right after the gate.
      - V(baseline) records the vendor's files of a newly unpacked engine, to distinguish extra files from them. It
        needs O(engine_version) instead of O(release).
    type: str
    choices: [staged, applied, accepted, baseline]
    default: applied
  release:
    description: Id of the release.
    type: str
    default: ""
  cache:
    description: Directory on the controller that holds the releases.
    type: path
    default: ""
  engine_version:
    description: Version of the engine whose files are the baseline.
    type: str
    default: ""
  node_files:
    description:
      - The files that may differ between nodes, such as the unit, C(node.env) and C(jvm.options).
      - They are written, backed up, checked for drift and counted for a restart like the release, but are not
        part of it.
      - A file that is no longer in the list is removed, or replaced by the vendor's. Without this option, node files do
        not change.
  previous_node_files:
    description:
      - Whether V(applied) restores the node files that the node had before they were last changed. O(node_files) has
        precedence.
    type: bool
    default: false
  on_drift:
    description:
      - What to do about changes made on the node. V(overwrite) backs them up and restores the release, V(fail) changes
        nothing and fails with a list, V(keep) does not change those files.
    type: str
    choices: [overwrite, fail, keep]
    default: overwrite
  wait:
    description:
      - With O(state=accepted), the number of seconds that the engine has for its rewriting, which it does some moments
        after it has read a file. The wait ends as soon as no file is left as the release has it.
    type: float
    default: 0
  keep_releases:
    description: Number of releases to keep on the node.
    type: int
    default: 5
  keep_backups:
    description:
      - Number of different contents of each file, and of backups altogether, to keep on the node.
      - A backup also stays until it is 30 days old, if no newer one has the same files, and until it was reported.
    type: int
    default: 10
  accept_new_key:
    description:
      - Whether a release may be taken that was built with another cluster key than the applied one. Two controllers
        with different keys would otherwise replace each other's release in every run.
      - A release that the node already has is always taken, so that a rollback can go back behind the change of a key.
    type: bool
    default: false
  previous_key:
    description:
      - Fingerprint of a former cluster key, from the filter P(ivy.cluster.cluster_key_fingerprint#filter). If the
        applied release was built with this key, one that was built with another key may be taken.
    type: str
    default: ""
  lease:
    description:
      - The cluster record, as for M(ivy.cluster.cluster_record). The module checks in the same call, before it changes
        anything, that this run holds the lease in it. Without this option nothing is checked.
    type: dict
    suboptions:
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
      run_id:
        description: Set by the controller half of this module. Do not use it in tasks.
        type: str
        default: ""
  payload:
    description: Set by the controller half of this module. Do not use it in tasks.
    type: str
    default: ""
  bundle:
    description: Set by the controller half of this module. Do not use it in tasks.
    type: path
    default: ""
author:
  - The ivy.cluster contributors (@ivy-cluster)
extends_documentation_fragment:
  - ivy.cluster.attributes
  - ivy.cluster.node
  - ivy.cluster.node.transport
  - ivy.cluster.node.node_files
seealso:
  - module: ivy.cluster.config_release
  - module: ivy.cluster.shared_config_info
  - module: ivy.cluster.engine_info
"""

EXAMPLES = r"""
- name: Record what the vendor delivered
  ivy.cluster.shared_config:
    state: baseline
    engine_version: 11.3.0
    roots:
      engine: /opt/ivy/versions/11.3.0

- name: Stage the release
  ivy.cluster.shared_config:
    state: staged
    release: "{{ built.release.id }}"
    cache: ~/.cache/ivy-cluster/demo
    roots:
      engine: /opt/ivy/current
  register: staged

- name: Activate it
  ivy.cluster.shared_config:
    release: "{{ built.release.id }}"
    cache: ~/.cache/ivy-cluster/demo
    roots:
      engine: /opt/ivy/current
    node_files:
      - path: /etc/ivy-cluster/node.env
        content: "LANG=\"C.UTF-8\"\n"
        mode: "0600"
  when: staged.activation.changed
"""

RETURN = r"""
release:
  description: Id of the release.
  returned: state is staged or applied
  type: str
  sample: 3f2a9c0d1e4b5a6978c0d1e2f3a4b5c6
staged:
  description: Whether the node has the release.
  returned: state is staged or applied
  type: bool
  sample: true
applied:
  description: Id of the release that is active, before and after.
  returned: state is staged or applied
  type: dict
  sample: {before: null, after: 3f2a9c0d1e4b5a6978c0d1e2f3a4b5c6}
actions:
  description: What was done.
  returned: state is staged or applied
  type: list
  elements: dict
  sample: [{action: update, root: engine, path: configuration/ivy.yaml}]
node_files_changed:
  description: Whether the node files differ from those that were applied before.
  returned: state is applied
  type: bool
  sample: false
drift:
  description: Changes on the node since the release was applied.
  returned: state is staged or applied
  type: list
  elements: dict
  contains:
    root:
      description:
        - The root of the file; V(node) for node files.
        - V(copy) is the copy that an engine with read-only files works on. Changes there are lost when it
          restarts, and are never overwritten.
      type: str
      sample: engine
    path:
      description: The file.
      type: str
      sample: configuration/ivy.yaml
    kind:
      description: One of V(modified), V(missing), V(extra), V(attributes).
      type: str
      sample: modified
    detail:
      description: A description of the difference.
      type: str
      sample: the content differs
    keys:
      description: The keys that differ, for YAML, secrets masked.
      type: list
      elements: dict
      sample: [{key: EMail.Server.Host, change: changed, before: mail1, after: mail2}]
    owner:
      description: Owner of the file.
      type: str
      sample: ivy
    modified:
      description: When the file was last written.
      type: str
      sample: "2026-01-31T12:00:00Z"
kept:
  description: Files that were not changed because of O(on_drift=keep).
  returned: state is staged or applied
  type: list
  elements: str
  sample: []
engine_owned:
  description: Files that the engine itself maintains.
  returned: state is staged or applied
  type: list
  elements: str
  sample: [configuration/applications/demo/app.yaml]
backup:
  description: Directory on the node with what was overwritten; empty when nothing was.
  returned: state is staged or applied
  type: str
  sample: /var/lib/ivy-cluster/backups/20260131T120000Z
interrupted:
  description: Whether an earlier activation was interrupted.
  returned: state is staged or applied
  type: bool
  sample: false
running:
  description: What the engine runs with; null when it does not run.
  returned: state is staged or applied
  type: dict
  sample: {active: true, release: 3f2a9c0d1e4b5a6978c0d1e2f3a4b5c6, modified: [], started: "2026-01-31T12:00:00Z"}
restart_required:
  description: Whether the running engine must be restarted.
  returned: state is staged or applied
  type: bool
  sample: true
restart_reasons:
  description: The reasons.
  returned: state is staged or applied
  type: list
  elements: str
  sample: ["configuration/ivy.yaml: SystemDb.Url changed since the engine started"]
hot_reload:
  description: Changed files that the running engine reloads without a restart.
  returned: state is staged or applied
  type: list
  elements: str
  sample: [configuration/applications/demo/app.yaml]
daemon_reload:
  description: Whether systemd must read the unit again.
  returned: state is staged or applied
  type: bool
  sample: false
activation:
  description: What activating the release would do.
  returned: state is staged
  type: dict
  sample:
    changed: true
    actions: []
    restart_required: false
    restart_reasons: []
    hot_reload: []
    daemon_reload: false
node_files_digest:
  description: Keyed digest of O(node_files), to recognise in a later run that the same would be written.
  returned: check mode, with O(node_files)
  type: str
  sample: 5e1d8f3a0b7c4d2e9f6a1b8c3d0e7f42
accepted:
  description: Files whose rewriting by the engine was accepted.
  returned: state is accepted
  type: list
  elements: str
  sample: [configuration/applications/demo/app.yaml]
files:
  description: Number of the vendor's files.
  returned: state is baseline
  type: int
  sample: 41
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ivy.cluster.plugins.module_utils.node.config import entry, request

REQUIRED_IF = [
    ("state", "baseline", ("engine_version",)),
    ("state", "staged", ("release",)),
    ("state", "applied", ("release",)),
]


ARGUMENT_SPEC: dict[str, dict[str, object]] = {
    **request.COMMON,
    **request.TRANSPORT,
    "state": {"type": "str", "choices": ["staged", "applied", "accepted", "baseline"], "default": "applied"},
    "release": {"type": "str", "default": ""},
    "cache": {"type": "path", "default": ""},
    "engine_version": {"type": "str", "default": ""},
    "node_files": request.NODE_FILES,
    "on_drift": {"type": "str", "choices": ["overwrite", "fail", "keep"], "default": "overwrite"},
    "wait": {"type": "float", "default": 0},
    "keep_releases": {"type": "int", "default": 5},
    "keep_backups": {"type": "int", "default": 10},
    "accept_new_key": {"type": "bool", "default": False},
    "previous_key": {"type": "str", "default": "", "no_log": False},
    "previous_node_files": {"type": "bool", "default": False},
    "lease": request.LEASE,
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True, required_if=REQUIRED_IF)
    result = entry.shared_config(module.params, module.check_mode, module._diff)
    for text in result.pop("warnings", []):
        module.warn(text)
    if result.pop("failed", False):
        module.fail_json(**result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
