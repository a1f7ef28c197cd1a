#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: preflight_inventory
short_description: Finds what is wrong with an inventory, without contacting a host
version_added: 0.1.0
description:
  - Runs on the controller and needs no connection. Use it once a run (C(run_once)).
  - It does not fail because of what it finds. M(ivy.cluster.report) tells it.
  - Looks at each variable as each host of the cluster's groups would see it in the roles, whatever hosts the run is
    limited to, at the archives and the licence, and builds the release without writing it.
options:
  stage:
    description:
      - V(inventory) is everything that can be told without a host.
      - V(cluster) is the part of it that says whether the cluster itself is described well, for runs that need neither
        the source nor an archive nor a licence.
      - V(facts) is what only facts can tell, for hosts that this run has looked at. What V(inventory) has told is
        not told again.
    type: str
    choices: [inventory, cluster, facts]
    default: inventory
extends_documentation_fragment:
  - ivy.cluster.attributes
seealso:
  - module: ivy.cluster.report
author:
  - The ivy.cluster contributors (@ivy-cluster)
"""

EXAMPLES = r"""
- name: Look at the inventory
  ivy.cluster.preflight_inventory:
  register: looked
  run_once: true
"""

RETURN = r"""
findings:
  description: What is wrong, as M(ivy.cluster.report) takes it.
  returned: always
  type: list
  elements: dict
  sample: []
settled:
  description: Kinds of findings of an earlier look that this one has answered, so that they are told no more.
  returned: always
  type: list
  elements: str
  sample: []
look_at_hosts:
  description: Whether the hosts can be looked at, too. Not so where there is no profile for the engine's version or a
    cluster-wide option has no value.
  returned: always
  type: bool
  sample: true
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

ARGUMENT_SPEC: dict[str, t.Any] = {
    "stage": {"type": "str", "choices": ["inventory", "cluster", "facts"], "default": "inventory"},
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    module.fail_json(
        msg="ivy.cluster.preflight_inventory runs on the controller, by its action plugin of the same name."
    )


if __name__ == "__main__":
    main()
