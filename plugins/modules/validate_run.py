#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: validate_run
short_description: Validates what a run was called with, before any host is contacted
version_added: 0.1.0
description:
  - Runs on the controller and needs no connection. Every playbook of the collection begins with it.
  - Fails with all of the following in one message.
  - Hosts and groups that come from files that are no inventory, such as archives, licences or the source of the shared
    configuration in a directory that was given as an inventory.
  - Variables that begin like an option of a role and are none, and variables of the command line (C(-e)) that are
    nearly one. A variable that another one refers to is the user's own.
  - Variables of the command line whose value is of the wrong type.
options:
  inventory_options:
    description:
      - Whether unknown options that the inventory sets are reported, too. Playbooks that run the role C(preflight)
        leave that to its report.
    type: bool
    default: true
extends_documentation_fragment:
  - ivy.cluster.attributes
seealso:
  - module: ivy.cluster.preflight_inventory
author:
  - The ivy.cluster contributors (@ivy-cluster)
"""

EXAMPLES = r"""
- name: Validate the inventory and the options
  ivy.cluster.validate_run:
  run_once: true
"""

RETURN = r"""
findings:
  description: What is wrong and was accepted by C(preflight_accept), as M(ivy.cluster.report) takes it.
  returned: success
  type: list
  elements: dict
  sample: []
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

ARGUMENT_SPEC: dict[str, t.Any] = {
    "inventory_options": {"type": "bool", "default": True},
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    module.fail_json(msg="ivy.cluster.validate_run runs on the controller, by its action plugin of the same name.")


if __name__ == "__main__":
    main()
