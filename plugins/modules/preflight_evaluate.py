#!/usr/bin/python
# Copyright: the ivy.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: preflight_evaluate
short_description: Judges what preflight saw of the hosts
version_added: 0.1.0
description:
  - Runs on the controller and needs no connection. Use it once a run (C(run_once)).
  - It does not fail because of what was found; M(ivy.cluster.report) tells everything together.
options:
  looked:
    description: What M(ivy.cluster.preflight_probe_host) returned, by host. A host without an answer was left out.
    type: dict
    required: true
  reached:
    description: What M(ivy.cluster.preflight_connect) returned, by host.
    type: dict
    default: {}
  limits:
    description: Where a finding begins.
    type: dict
    default: {}
    suboptions:
      disk_minimum_mb:
        description: Less free space is an error.
        type: int
        default: 512
      disk_wanted_mb:
        description: Less free space is a warning.
        type: int
        default: 2048
      inodes_minimum:
        description: Room for fewer files is an error.
        type: int
        default: 10000
      clock_tolerance:
        description: Seconds by which clocks may differ.
        type: float
        default: 2
author:
  - The ivy.cluster contributors (@ivy-cluster)
extends_documentation_fragment:
  - ivy.cluster.attributes
seealso:
  - module: ivy.cluster.preflight_probe_host
  - module: ivy.cluster.report
"""

EXAMPLES = r"""
- name: Judge what was seen
  ivy.cluster.preflight_evaluate:
    looked: "{{ looked_by_host }}"
    reached: "{{ reached_by_host }}"
  register: judged
  run_once: true
"""

RETURN = r"""
findings:
  description: What is wrong, in the form that M(ivy.cluster.report) takes.
  returned: always
  type: list
  elements: dict
  sample: []
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

ARGUMENT_SPEC: dict[str, t.Any] = {
    "looked": {"type": "dict", "required": True},
    "reached": {"type": "dict", "default": {}},
    "limits": {
        "type": "dict",
        "default": {},
        "options": {
            "disk_minimum_mb": {"type": "int", "default": 512},
            "disk_wanted_mb": {"type": "int", "default": 2048},
            "inodes_minimum": {"type": "int", "default": 10000},
            "clock_tolerance": {"type": "float", "default": 2},
        },
    },
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    module.fail_json(
        msg="ivy.cluster.preflight_evaluate runs on the controller, by its action plugin of the same name."
    )


if __name__ == "__main__":
    main()
