#!/usr/bin/python
# Copyright: the ivy.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: host_state
short_description: Compares a host with the state that roles of this collection would set
version_added: 0.1.0
description:
  - Each role describes the state that it sets in a variable, such as C(haproxy_state). The controller renders the
    description with the options of the host. One call gathers the state of everything in it, and the controller
    compares the two.
  - The result names the roles that have to run. The others would change nothing on the host. A description that cannot
    be evaluated, or a state that cannot be gathered, counts as a difference.
  - Files are compared by owner, mode and SHA-256 digest. Nothing is remembered from an earlier run.
  - Changes nothing, except that it writes and removes a small file on the share to prove that the engine's user can
    write to it, and that it caches the collection's code. In check mode it does not do that either.
options:
  roles:
    description: The roles to compare, in the order in which they would run.
    type: list
    elements: str
    required: true
  store:
    description:
      - State directory of the host. If the host has the collection's code there, that is run. A host without the code
        gets it, except in check mode.
      - On an engine node this requires that the directory exists. On other hosts it is created.
      - Empty to send the code in any case.
    type: path
    default: ""
author:
  - The ivy.cluster contributors (@ivy-cluster)
extends_documentation_fragment:
  - ivy.cluster.attributes
seealso:
  - module: ivy.cluster.host_state_facts
  - module: ivy.cluster.shared_config_info
notes:
  - The configuration of the engine is not compared. M(ivy.cluster.shared_config) does that.
"""

EXAMPLES = r"""
- name: Compare the host with the state that the roles would set
  ivy.cluster.host_state:
    roles: [certificates, haproxy]
    store: /var/lib/ivy-cluster
  become: true
  register: host_state

- name: Run the roles that would change something
  ansible.builtin.include_role:
    name: "ivy.cluster.{{ host_state_role }}"
  loop: "{{ host_state.roles }}"
  loop_control:
    loop_var: host_state_role
"""

RETURN = r"""
roles:
  description:
    - The first of O(roles) with a difference and all that follow it, because a role may use what an earlier one sets
      up.
  returned: success
  type: list
  elements: str
  sample: [haproxy]
differences:
  description: What differs, by role. The texts contain no content of a file.
  returned: success
  type: dict
  sample:
    haproxy:
      - "/etc/haproxy/haproxy.cfg: another content"
wanted:
  description: Of each role in RV(differences), a keyed digest of the state that it would set.
  returned: success
  type: dict
  sample: {haproxy: 5e1d8f3a0b7c4d2e9f6a1b8c3d0e7f42}
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

ARGUMENT_SPEC: dict[str, t.Any] = {
    "roles": {"type": "list", "elements": "str", "required": True},
    "store": {"type": "path", "default": ""},
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    module.fail_json(msg="ivy.cluster.host_state runs only through its action plugin.")


if __name__ == "__main__":
    main()
