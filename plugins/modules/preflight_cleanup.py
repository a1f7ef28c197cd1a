#!/usr/bin/python
# Copyright: the ivy.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: preflight_cleanup
short_description: Ends the port listener of preflight_facts
version_added: 0.1.0
description:
  - Ends the process that M(ivy.cluster.preflight_facts) started, and waits until its listeners and file are removed.
  - A process that has already ended is not an error.
options:
  pid:
    description: PID of the process.
    type: int
    required: true
  start:
    description: Start time of the process. It distinguishes the process from a later one with the same PID.
    type: str
    required: true
  store:
    description:
      - State directory of the host. If the host has the collection's code there, that is run.
      - Empty to send the code of the module in any case.
    type: path
    default: ""
author:
  - The ivy.cluster contributors (@ivy-cluster)
extends_documentation_fragment:
  - ivy.cluster.attributes
seealso:
  - module: ivy.cluster.preflight_facts
"""

EXAMPLES = r"""
- name: End the port listener
  ivy.cluster.preflight_cleanup:
    pid: "{{ host.listener.pid }}"
    start: "{{ host.listener.start }}"
  become: true
"""

RETURN = r"""
gone:
  description: Whether the process has ended.
  returned: always
  type: bool
  sample: true
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ivy.cluster.plugins.module_utils.preflight import entry

ARGUMENT_SPEC: dict[str, t.Any] = {
    "pid": {"type": "int", "required": True},
    "start": {"type": "str", "required": True},
    "store": {"type": "path", "default": ""},
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    module.exit_json(**entry.preflight_cleanup(module.params))


if __name__ == "__main__":
    main()
