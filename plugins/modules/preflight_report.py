#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: preflight_report
short_description: Puts everything that preflight found into one report
version_added: 0.1.0
description:
  - Sorts and groups the findings, errors before warnings, and writes them as JSON where that is asked for.
  - Runs on the controller and needs no connection. Use it once a run (C(run_once)).
  - It does not fail because of what was found; RV(ok) tells, so that one task more can end the run with the whole
    report.
options:
  cluster:
    description: Name of the cluster.
    type: str
    required: true
  scope:
    description: What was looked at.
    type: str
    choices: [all, inventory]
    default: all
  findings:
    description: Everything that was found, in any order.
    type: list
    elements: dict
    required: true
    suboptions:
      code:
        description: Kind of the finding. It stays the same from version to version.
        type: str
        required: true
      area:
        description: Heading of the report under which it is listed.
        type: str
        required: true
      subject:
        description: The hosts, the option or the file.
        type: str
        default: ""
      message:
        description: What is wrong.
        type: str
        required: true
      fix:
        description: What to do.
        type: str
        default: ""
      severity:
        description: An error fails the run, a warning does not.
        type: str
        choices: [error, warning]
        default: error
      details:
        description: By host, what it reported. The text shows one of them.
        type: dict
        default: {}
      file:
        description: The file of the shared configuration.
        type: str
        default: ""
      line:
        description: The line, 0 for the entire file.
        type: int
        default: 0
  accept:
    description: Codes of errors that are to be warnings.
    type: list
    elements: str
    default: []
  file:
    description:
      - JSON file on the controller for the report; its directory is made where it is missing. A relative one lies where
        the run was started. Empty writes no file.
      - Check mode writes none either, and RV(text) says so.
    type: str
    default: ""
extends_documentation_fragment:
  - ivy.cluster.attributes
seealso:
  - module: ivy.cluster.preflight_inventory
author:
  - The ivy.cluster contributors (@ivy-cluster)
"""

EXAMPLES = r"""
- name: Put everything that was found into one report
  ivy.cluster.preflight_report:
    cluster: demo
    findings: "{{ looked.findings }}"
    file: reports/preflight.json
  register: report
  run_once: true
"""

RETURN = r"""
ok:
  description: Whether there is no error.
  returned: always
  type: bool
  sample: false
headline:
  description: The report in one sentence.
  returned: always
  type: str
  sample: "Preflight of cluster demo checked the inventory: 1 error. Nothing was changed."
text:
  description: The report for a terminal.
  returned: always
  type: str
  sample: "Preflight of cluster demo: no problem found in the inventory."
report:
  description: The whole report, as in the JSON file.
  returned: always
  type: dict
  sample: {format: 1, cluster: demo, scope: all, ok: true, errors: 0, warnings: 0, findings: []}
file:
  description: The file that was written, empty when there is none.
  returned: always
  type: str
  sample: /home/me/reports/preflight.json
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

ARGUMENT_SPEC: dict[str, t.Any] = {
    "cluster": {"type": "str", "required": True},
    "scope": {"type": "str", "choices": ["all", "inventory"], "default": "all"},
    "findings": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "code": {"type": "str", "required": True},
            "area": {"type": "str", "required": True},
            "subject": {"type": "str", "default": ""},
            "message": {"type": "str", "required": True},
            "fix": {"type": "str", "default": ""},
            "severity": {"type": "str", "choices": ["error", "warning"], "default": "error"},
            "details": {"type": "dict", "default": {}},
            "file": {"type": "str", "default": ""},
            "line": {"type": "int", "default": 0},
        },
    },
    "accept": {"type": "list", "elements": "str", "default": []},
    "file": {"type": "str", "default": ""},
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    module.fail_json(msg="ivy.cluster.preflight_report runs on the controller, by its action plugin of the same name.")


if __name__ == "__main__":
    main()
