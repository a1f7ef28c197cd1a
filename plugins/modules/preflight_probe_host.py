#!/usr/bin/python
# Copyright: the ivy.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: preflight_probe_host
short_description: Looks at a host with everything that its roles will need in mind
version_added: 0.1.0
description:
  - Gathers the facts that the roles use, finds out from the options of the host's roles what they will need there, and
    asks M(ivy.cluster.preflight_facts).
  - A host that cannot be reached, has no Python or does not let its user become root is an answer, too, and no failure,
    so that the other hosts are still looked at.
options:
  groups:
    description: The groups that the host is in.
    type: list
    elements: str
    required: true
  gather_subset:
    description: Which facts to gather, as M(ansible.builtin.setup) takes it.
    type: list
    elements: str
    required: true
  seconds:
    description: How long what is left on the host for the other hosts to try lives at most.
    type: int
    default: 60
author:
  - The ivy.cluster contributors (@ivy-cluster)
extends_documentation_fragment:
  - ivy.cluster.attributes
seealso:
  - module: ivy.cluster.preflight_facts
  - module: ivy.cluster.preflight_evaluate
"""

EXAMPLES = r"""
- name: Look at the host
  ivy.cluster.preflight_probe_host:
    groups: "{{ group_names }}"
    gather_subset: ["!all", distribution, hardware]
  become: true
  register: look
"""

RETURN = r"""
plan:
  description: What the host's roles need.
  returned: always
  type: dict
  sample: {groups: [engine_nodes], address: 192.0.2.21}
reason:
  description:
    - Why the host could not be looked at, empty when it could. V(unreachable) is the default where there is no
      connection, V(failed) where there is one.
  returned: always
  type: str
  sample: ""
detail:
  description: What was said, when it could not be looked at.
  returned: always
  type: str
  sample: ""
seen:
  description: What M(ivy.cluster.preflight_facts) returned.
  returned: when the host could be looked at
  type: dict
  sample: {uid: 0}
clock:
  description: By how many seconds the host's clock is ahead of the controller's, at least and at most.
  returned: when the host could be looked at
  type: list
  elements: float
  sample: [-0.1, 0.4]
token:
  description: What the listeners of this host say, and what its file on the share holds.
  returned: when the host could be looked at
  type: str
  sample: 5b2f0c1d
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

ARGUMENT_SPEC: dict[str, t.Any] = {
    "groups": {"type": "list", "elements": "str", "required": True},
    "gather_subset": {"type": "list", "elements": "str", "required": True},
    "seconds": {"type": "int", "default": 60},
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    module.fail_json(msg="ivy.cluster.preflight_probe_host is run by its action plugin of the same name.")


if __name__ == "__main__":
    main()
