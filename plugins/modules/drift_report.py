#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: drift_report
short_description: Puts what M(ivy.cluster.shared_config_info) found on all nodes into one report
version_added: 0.1.0
description:
  - Groups nodes that differ in the same way, says of each finding what to do next, and writes the report as JSON, as
    Markdown and as one page of HTML that needs nothing but itself.
  - Runs on the controller and needs no connection, so it works when hosts are down. Use it once a run (C(run_once)).
  - The same answers of the nodes and the same O(time) give the same bytes.
options:
  cluster:
    description: Name of the cluster.
    type: str
    required: true
  engine_version:
    description: Version of the engine.
    type: str
    default: ""
  time:
    description: When the nodes were looked at, as it is to stand in the report.
    type: str
    required: true
  nodes:
    description:
      - The result of M(ivy.cluster.shared_config_info) of each node, by its name.
      - A result that failed, or of a node that could not be reached, is shown as such.
    type: dict
    required: true
  release:
    description: Id of the release of the source that the nodes were compared with. Empty where there was none.
    type: str
    default: ""
  release_problem:
    description: Why the source could not be built.
    type: str
    default: ""
  pin:
    description:
      - The pin of the cluster record, as M(ivy.cluster.cluster_record) reads it. While there is one, the report names
        the playbooks that work nevertheless.
    type: dict
  command:
    description: How the commands in the report begin.
    type: str
    default: ansible-playbook
  directory:
    description:
      - Directory on the controller for the report; made where it is missing. A relative one lies where the run was
        started. Empty writes no file.
    type: str
    default: ""
  name:
    description: Name of the files without their endings C(.json), C(.md) and C(.html).
    type: str
    default: drift
author:
  - The ivy.cluster contributors (@ivy-cluster)
extends_documentation_fragment:
  - ivy.cluster.attributes
seealso:
  - module: ivy.cluster.shared_config_info
"""

EXAMPLES = r"""
- name: Report on all nodes
  ivy.cluster.drift_report:
    cluster: demo
    time: "{{ now(utc=true, fmt='%Y-%m-%dT%H:%M:%SZ') }}"
    nodes: "{{ dict(ansible_play_hosts_all | zip(ansible_play_hosts_all | map('extract', hostvars, 'looked'))) }}"
    directory: reports
  register: drift
  run_once: true
"""

RETURN = r"""
summary:
  description: The report in numbers and names.
  returned: always
  type: dict
  sample:
    ok: false
    drift_found: true
    nodes: 3
    clean: [engine3]
    drifted: [engine1]
    unreachable: [engine2]
    failed: []
    conflict: 0
    drift: 1
    pending: 0
headline:
  description: The report in one sentence.
  returned: always
  type: str
  sample: 1 local change on 1 of 3 nodes; engine2 not looked at.
text:
  description: The report for a terminal.
  returned: always
  type: str
  sample: "Cluster demo: No local change on 3 nodes."
report:
  description: The whole report, as in the JSON file.
  returned: always
  type: dict
  sample: {format: 1, cluster: demo, findings: []}
files:
  description: The files of the report.
  returned: always
  type: list
  elements: str
  sample: [/home/me/reports/drift.json, /home/me/reports/drift.md, /home/me/reports/drift.html]
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

ARGUMENT_SPEC: dict[str, t.Any] = {
    "cluster": {"type": "str", "required": True},
    "engine_version": {"type": "str", "default": ""},
    "time": {"type": "str", "required": True},
    "nodes": {"type": "dict", "required": True},
    "release": {"type": "str", "default": ""},
    "release_problem": {"type": "str", "default": ""},
    "pin": {"type": "dict"},
    "command": {"type": "str", "default": "ansible-playbook"},
    "directory": {"type": "str", "default": ""},
    "name": {"type": "str", "default": "drift"},
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    module.fail_json(msg="ivy.cluster.drift_report runs on the controller, by its action plugin of the same name.")


if __name__ == "__main__":
    main()
