#!/usr/bin/python
# Copyright: the ivy.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: preflight_probe_host
short_description: Probes a host for everything that its roles will need
version_added: 0.1.0
description:
  - Gathers the facts that the roles use, derives from the options of the host's roles what they need, and runs
    M(ivy.cluster.preflight_facts) with it.
  - The task does not fail if the host is unreachable, has no Python, or does not allow the user to become root. The
    result contains the reason, so that the other hosts are still probed.
options:
  groups:
    description: The groups of the host.
    type: list
    elements: str
    required: true
  gather_subset:
    description: The facts to gather, as for M(ansible.builtin.setup).
    type: list
    elements: str
    required: true
  store:
    description:
      - State directory of the host. If the host has the collection's code there, that is run.
      - Empty to send the code in any case.
    type: path
    default: ""
author:
  - The ivy.cluster contributors (@ivy-cluster)
extends_documentation_fragment:
  - ivy.cluster.attributes
seealso:
  - module: ivy.cluster.preflight_facts
  - module: ivy.cluster.preflight_evaluate
"""

EXAMPLES = r"""
- name: Probe the host
  ivy.cluster.preflight_probe_host:
    groups: "{{ group_names }}"
    gather_subset: ["!all", distribution, hardware]
  become: true
  register: probe
"""

RETURN = r"""
plan:
  description: The requirements of the host's roles.
  returned: always
  type: dict
  sample: {groups: [engine_nodes], address: 192.0.2.21}
reason:
  description:
    - Why the host could not be probed; empty if it could. An unknown reason is V(unreachable) without a connection, and
      V(failed) with a connection.
  returned: always
  type: str
  sample: ""
detail:
  description: The original error message, if the host could not be probed.
  returned: always
  type: str
  sample: ""
seen:
  description: The result of M(ivy.cluster.preflight_facts).
  returned: if the host could be probed
  type: dict
  sample: {uid: 0}
clock:
  description: Minimum and maximum number of seconds by which the host's clock is ahead of the controller's.
  returned: if the host could be probed
  type: list
  elements: float
  sample: [-0.1, 0.4]
token:
  description: Token that the port listener of this host sends, and content of its file on the share.
  returned: if the host could be probed
  type: str
  sample: 5b2f0c1d
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

ARGUMENT_SPEC: dict[str, t.Any] = {
    "groups": {"type": "list", "elements": "str", "required": True},
    "gather_subset": {"type": "list", "elements": "str", "required": True},
    "store": {"type": "path", "default": ""},
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    module.fail_json(msg="ivy.cluster.preflight_probe_host runs only through its action plugin.")


if __name__ == "__main__":
    main()
