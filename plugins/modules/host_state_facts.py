#!/usr/bin/python
# Copyright: the ivy.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: host_state_facts
short_description: Gathers the state of everything on a host that roles of this collection set
version_added: 0.1.0
description:
  - Used by the controller's side of M(ivy.cluster.host_state) and by the role C(haproxy); not for other tasks.
  - Gathers packages, files, units, accounts, rules of the packet filter, kernel parameters and the state of services in
    one call. Private keys and the stored password of the database stay on the host.
  - Changes nothing, except that it writes and removes a small file on the share. In check mode it does not do that.
options:
  subjects:
    description: What to gather, by kind.
    type: dict
    required: true
  passwords:
    description: Passwords of the services C(database) and C(search).
    type: dict
    default: {}
author:
  - The ivy.cluster contributors (@ivy-cluster)
extends_documentation_fragment:
  - ivy.cluster.attributes
seealso:
  - module: ivy.cluster.host_state
"""

EXAMPLES = r"""
# Not for tasks. Use ivy.cluster.host_state.
"""

RETURN = r"""
observed:
  description: The state of each subject by kind. A subject that does not exist is missing or absent.
  returned: success
  type: dict
  sample: {packages: {haproxy: [hold, ok, installed]}}
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ivy.cluster.plugins.module_utils.host_state import entry

ARGUMENT_SPEC: dict[str, t.Any] = {
    "subjects": {"type": "dict", "required": True},
    "passwords": {"type": "dict", "default": {}, "no_log": True},
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    module.exit_json(**entry.host_state_facts(module.params, module.check_mode))


if __name__ == "__main__":
    main()
