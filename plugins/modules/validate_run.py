#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: validate_run
short_description: Validates the inventory and the options of a run before it contacts a host
version_added: 0.1.0
description:
  - Runs on the controller and needs no connection. Every playbook of the collection begins with it.
  - Fails with one message that contains all of the following findings.
  - Hosts and groups from files that are not inventories, such as archives, licences or the source of the shared
    configuration in an inventory directory.
  - Variables with the prefix of a role that are not an option of that role, and variables of the command line (C(-e))
    whose name is similar to an option. A variable that another variable uses is accepted.
  - Variables of the command line with a value of the wrong type.
  - Options that name a file of the controller by facts, unless Ansible is configured with
    C(inject_facts_as_vars=False).
  - With O(roles), options of these roles with an invalid value on any host. With O(cluster), everything else that
    M(ivy.cluster.preflight_inventory) finds in the description of the cluster.
options:
  inventory_options:
    description:
      - Whether unknown options in the inventory are reported. Playbooks that run the role C(preflight) leave this to
        its report.
    type: bool
    default: true
  roles:
    description:
      - Roles whose options are validated for all hosts. Playbooks that run the role C(preflight) leave this to it, and
        the others do not have to validate the options again on each host.
    type: list
    elements: str
    default: []
  cluster:
    description: Whether groups, addresses and versions are validated, for playbooks that change the cluster.
    type: bool
    default: false
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
roles:
  description: The roles whose options have been validated.
  returned: success
  type: list
  elements: str
  sample: [topology, verify]
findings:
  description: The findings that C(preflight_accept) accepts, as input of M(ivy.cluster.report).
  returned: success
  type: list
  elements: dict
  sample: []
options:
  description:
    - By host of the cluster, the options with the values that they have on it. The first play of each playbook sets
      them by C(set_fact), so that no fact replaces them.
    - It lacks the options of the command line, those that tasks have set, those whose value depends on facts or on the
      play, and those that the collection passes to its own roles. The result is not logged, because some options are
      secrets.
  returned: success
  type: dict
  sample: {engine1: {ivy_http_port: 8080}}
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

ARGUMENT_SPEC: dict[str, t.Any] = {
    "inventory_options": {"type": "bool", "default": True},
    "roles": {"type": "list", "elements": "str", "default": []},
    "cluster": {"type": "bool", "default": False},
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    module.fail_json(msg="ivy.cluster.validate_run runs only on the controller, through its action plugin.")


if __name__ == "__main__":
    main()
