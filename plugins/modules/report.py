#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: report
short_description: Creates the report of preflight, drift, verify, status, history or plan
version_added: 0.1.0
description:
  - Returns the report as text and as data, and on request writes it to the controller as text, JSON and HTML.
  - Runs on the controller and needs no connection, so it also works if hosts are down. Use it with C(run_once).
  - It does not fail because of a report's content; RV(ok) and RV(summary) return the result.
  - The same input gives the same bytes. Control characters in text from nodes are escaped.
options:
  preflight:
    description: Creates the report of preflight.
    type: dict
    suboptions:
      cluster:
        description: Name of the cluster.
        type: str
        required: true
      scope:
        description: What was checked.
        type: str
        choices: [all, inventory]
        default: all
      findings:
        description:
          - The findings, in any order, as returned by M(ivy.cluster.preflight_inventory) and
            M(ivy.cluster.preflight_evaluate).
          - Each has the strings C(code), C(severity) (V(error) or V(warning)), C(area), C(subject), C(message) and
            C(fix), and optionally C(details) (a dictionary of strings by host), C(file) and C(line).
        type: list
        elements: dict
        required: true
      accept:
        description: Codes of errors to report as warnings.
        type: list
        elements: str
        default: []
  drift:
    description: Creates the report of drift. Nodes that differ in the same way are one change.
    type: dict
    suboptions:
      cluster:
        description: Name of the cluster.
        type: str
        required: true
      engine_version:
        description: Version of the engine.
        type: str
        default: ""
      time:
        description: Time of the inspection, for the report.
        type: str
        required: true
      nodes:
        description:
          - By node, the result of M(ivy.cluster.shared_config_info).
          - The report lists a node whose result has failed or that could not be reached as not inspected.
        type: dict
        required: true
      release:
        description: Id of the release of the source that the nodes were compared with. Empty if there was none.
        type: str
        default: ""
      release_problem:
        description: Why the source could not be built.
        type: str
        default: ""
      hot_reload_keys:
        description:
          - Prefixes of the keys of C(ivy.yaml) that the engine reloads, from the profile. A local change of such keys
            alone needs no restart.
        type: list
        elements: str
        default: []
      source:
        description:
          - The commit of the source, as M(ivy.cluster.config_release) returns it.
          - Those of the applied releases come from the cluster record in the nodes' results.
        type: dict
      pin:
        description:
          - The pin of the cluster record, as M(ivy.cluster.cluster_record) returns it.
          - With a pin, the report recommends the playbooks that work on a pinned cluster.
        type: dict
      command:
        description: The beginning of the commands in the report.
        type: str
        default: ansible-playbook
  verify:
    description:
      - Creates the report of verify from the facts that the role P(ivy.cluster.verify#role) gathers.
      - A check that lacks a fact has failed; the other checks are not affected.
    type: dict
  status:
    description: Creates the report of status from the facts that the role P(ivy.cluster.verify#role) gathers.
    type: dict
  history:
    description: Creates the report of history.
    type: dict
    suboptions:
      cluster:
        description: Name of the cluster.
        type: str
        required: true
      nodes:
        description:
          - By node, the result C(record) of M(ivy.cluster.cluster_record) and the result C(releases) of
            M(ivy.cluster.node_releases). Both are absent for a node that could not be reached.
        type: dict
        required: true
  plan:
    description: Creates the report of plan, and compares it with an approved one.
    type: dict
    suboptions:
      cluster:
        description: Name of the cluster.
        type: str
        required: true
      operation:
        description: The operation that would run.
        type: str
        choices: [site, rollout, rollback]
        required: true
      engine_version:
        description: Version of the engine.
        type: str
        required: true
      release:
        description: Id of the release that would be rolled out.
        type: str
        required: true
      source:
        description: The commit of the source, as M(ivy.cluster.config_release) returns it.
        type: dict
      record:
        description: The cluster record, as M(ivy.cluster.cluster_record) returns it. Null if there is none yet.
        type: dict
      nodes:
        description:
          - By engine node of the run, in its order, C(plan) and C(foreseen), the facts C(rollout_plan) and
            C(rollout_foreseen) of the role P(ivy.cluster.rollout#role), and C(configuration), the result of
            M(ivy.cluster.shared_config_info).
        type: dict
        required: true
      others:
        description: Engine nodes of the cluster that the run does not contact.
        type: list
        elements: str
        default: []
      course:
        description: The result of P(ivy.cluster.rollout_course#filter), if the operation has a strategy.
        type: dict
        default: {}
      limit:
        description: The C(--limit) of the run, for the command in the report.
        type: str
        default: ""
      left_out:
        description: Engine nodes that are to stay off.
        type: list
        elements: str
        default: []
      services:
        description: By host, the result of M(ivy.cluster.host_state).
        type: dict
        default: {}
      approved:
        description:
          - Digest of the approved plan. If it is another one, RV(ok) is false and RV(summary) has in C(differs) what
            would be done differently. Empty compares nothing.
        type: str
        default: ""
      command:
        description: The beginning of the commands in the report.
        type: str
        default: ansible-playbook
  directory:
    description:
      - Directory on the controller for the files of the report; created if it does not exist. A relative path is
        relative to the current directory. Empty writes no file.
      - The files have the name of the report, for example C(drift.txt), C(drift.json) and C(drift.html).
      - Their mode is 0640; that of a created directory is 0750.
    type: path
    default: ""
extends_documentation_fragment:
  - ivy.cluster.attributes
seealso:
  - module: ivy.cluster.preflight_inventory
  - module: ivy.cluster.shared_config_info
author:
  - The ivy.cluster contributors (@ivy-cluster)
"""

EXAMPLES = r"""
- name: Report the drift of all nodes
  ivy.cluster.report:
    drift:
      cluster: demo
      time: "{{ now(utc=true, fmt='%Y-%m-%dT%H:%M:%SZ') }}"
      nodes: "{{ dict(ansible_play_hosts_all | zip(ansible_play_hosts_all | map('extract', hostvars, 'inspected'))) }}"
    directory: reports
  register: drift
  run_once: true

- name: Report the findings of preflight
  ivy.cluster.report:
    preflight:
      cluster: demo
      scope: inventory
      findings: "{{ inventory_check.findings }}"
  register: preflight
  run_once: true
"""

RETURN = r"""
ok:
  description: Whether the report contains nothing that should fail a run.
  returned: always
  type: bool
  sample: false
headline:
  description: The report in one sentence.
  returned: always
  type: str
  sample: 1 local change on 1 of 3 nodes; engine2 not inspected.
text:
  description: The report for a terminal.
  returned: always
  type: str
  sample: "Cluster demo: No local change on 3 nodes."
summary:
  description: The result in numbers and names, for C(set_stats).
  returned: always
  type: dict
  contains:
    ok:
      description: The same as RV(ok).
      type: bool
    counts:
      description: Numbers, for example of errors and warnings, or of checks that passed.
      type: dict
  sample:
    ok: false
    drift_found: true
    counts: {nodes: 3, conflict: 0, drift: 1, pending: 0}
    clean: [engine3]
    drifted: [engine1]
    unreachable: [engine2]
    failed: []
report:
  description: The report as data, as in the JSON file.
  returned: always
  type: dict
  sample: {format: 1, report: preflight, cluster: demo, summary: {ok: true}, findings: []}
files:
  description: The files of the report that exist on the controller. Check mode writes none.
  returned: always
  type: list
  elements: str
  sample: [/home/me/reports/drift.txt, /home/me/reports/drift.json, /home/me/reports/drift.html]
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

ARGUMENT_SPEC: dict[str, t.Any] = {
    "preflight": {
        "type": "dict",
        "options": {
            "cluster": {"type": "str", "required": True},
            "scope": {"type": "str", "choices": ["all", "inventory"], "default": "all"},
            "findings": {
                "type": "list",
                "elements": "dict",
                "required": True,
            },
            "accept": {"type": "list", "elements": "str", "default": []},
        },
    },
    "drift": {
        "type": "dict",
        "options": {
            "cluster": {"type": "str", "required": True},
            "engine_version": {"type": "str", "default": ""},
            "time": {"type": "str", "required": True},
            "nodes": {"type": "dict", "required": True},
            "release": {"type": "str", "default": ""},
            "release_problem": {"type": "str", "default": ""},
            "pin": {"type": "dict"},
            "source": {"type": "dict"},
            "hot_reload_keys": {"type": "list", "elements": "str", "default": [], "no_log": False},
            "command": {"type": "str", "default": "ansible-playbook"},
        },
    },
    "verify": {"type": "dict"},
    "status": {"type": "dict"},
    "history": {
        "type": "dict",
        "options": {
            "cluster": {"type": "str", "required": True},
            "nodes": {"type": "dict", "required": True},
        },
    },
    "plan": {
        "type": "dict",
        "options": {
            "cluster": {"type": "str", "required": True},
            "operation": {"type": "str", "choices": ["site", "rollout", "rollback"], "required": True},
            "engine_version": {"type": "str", "required": True},
            "release": {"type": "str", "required": True},
            "source": {"type": "dict"},
            "record": {"type": "dict"},
            "nodes": {"type": "dict", "required": True},
            "others": {"type": "list", "elements": "str", "default": []},
            "course": {"type": "dict", "default": {}},
            "limit": {"type": "str", "default": ""},
            "left_out": {"type": "list", "elements": "str", "default": []},
            "services": {"type": "dict", "default": {}},
            "approved": {"type": "str", "default": ""},
            "command": {"type": "str", "default": "ansible-playbook"},
        },
    },
    "directory": {"type": "path", "default": ""},
}
REPORTS = ("preflight", "drift", "verify", "status", "history", "plan")


def main() -> None:
    module = AnsibleModule(
        argument_spec=ARGUMENT_SPEC,
        mutually_exclusive=[REPORTS],
        required_one_of=[REPORTS],
        supports_check_mode=True,
    )
    module.fail_json(msg="ivy.cluster.report runs on the controller, by its action plugin of the same name.")


if __name__ == "__main__":
    main()
