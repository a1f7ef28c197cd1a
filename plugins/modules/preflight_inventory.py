#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: preflight_inventory
short_description: Validates an inventory without contacting a host
version_added: 0.1.0
description:
  - Runs on the controller and needs no connection. Use it once a run (C(run_once)).
  - Does not fail because of findings. M(ivy.cluster.report) reports them.
  - Resolves each variable for each host of the cluster's groups as the roles do, also for hosts outside the limit of
    the run. Validates the archives and the licence, and builds the release without writing it.
options:
  stage:
    description:
      - V(inventory) validates everything that needs no facts of a host.
      - V(facts) validates what needs facts, for the hosts that this run has probed. Findings of V(inventory) are not
        repeated.
    type: str
    choices: [inventory, facts]
    default: inventory
extends_documentation_fragment:
  - ivy.cluster.attributes
seealso:
  - module: ivy.cluster.report
author:
  - The ivy.cluster contributors (@ivy-cluster)
"""

EXAMPLES = r"""
- name: Validate the inventory
  ivy.cluster.preflight_inventory:
  register: inventory_check
  run_once: true
"""

RETURN = r"""
findings:
  description: The findings, as input of M(ivy.cluster.report).
  returned: always
  type: list
  elements: dict
  sample: []
settled:
  description: Codes of earlier findings that this stage has resolved, so that they are no longer reported.
  returned: always
  type: list
  elements: str
  sample: []
look_at_hosts:
  description: Whether the hosts can be probed. They cannot if there is no profile for the engine's version or a
    cluster-wide option has no value.
  returned: always
  type: bool
  sample: true
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

ARGUMENT_SPEC: dict[str, t.Any] = {
    "stage": {"type": "str", "choices": ["inventory", "facts"], "default": "inventory"},
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    module.fail_json(msg="ivy.cluster.preflight_inventory runs only on the controller, through its action plugin.")


if __name__ == "__main__":
    main()
