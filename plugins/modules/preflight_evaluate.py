#!/usr/bin/python
# Copyright: the ivy.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: preflight_evaluate
short_description: Evaluates what preflight gathered from the hosts
version_added: 0.1.0
description:
  - Runs on the controller and needs no connection. Use it once a run (C(run_once)).
  - Does not fail because of findings. M(ivy.cluster.report) reports all findings together.
options:
  looked:
    description: The results of M(ivy.cluster.preflight_probe_host), by host. A host without a result is ignored.
    type: dict
    required: true
  reached:
    description: The results of M(ivy.cluster.preflight_connect), by host.
    type: dict
    default: {}
  limits:
    description: Thresholds for findings.
    type: dict
    default: {}
    suboptions:
      disk_minimum_mb:
        description: Less free space than this is an error.
        type: int
        default: 512
      disk_wanted_mb:
        description: Less free space than this is a warning.
        type: int
        default: 2048
      inodes_minimum:
        description: Fewer free inodes than this are an error.
        type: int
        default: 10000
      clock_tolerance:
        description: Maximum difference between clocks in seconds.
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
- name: Evaluate the probes
  ivy.cluster.preflight_evaluate:
    looked: "{{ probes_by_host }}"
    reached: "{{ connections_by_host }}"
  register: evaluation
  run_once: true
"""

RETURN = r"""
findings:
  description: The findings, as input of M(ivy.cluster.report).
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
    module.fail_json(msg="ivy.cluster.preflight_evaluate runs only on the controller, through its action plugin.")


if __name__ == "__main__":
    main()
