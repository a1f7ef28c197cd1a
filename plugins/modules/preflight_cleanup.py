#!/usr/bin/python
# Copyright: the ivy.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: preflight_cleanup
short_description: Ends what preflight_facts left behind
version_added: 0.1.0
description:
  - Ends the process of M(ivy.cluster.preflight_facts) and waits until its listeners and its file are gone.
  - One that is gone already is no error.
options:
  pid:
    description: The process.
    type: int
    required: true
  start:
    description: What tells it from a later process with the same number.
    type: str
    required: true
  seconds:
    description: How long to wait.
    type: float
    default: 10
author:
  - The ivy.cluster contributors (@ivy-cluster)
extends_documentation_fragment:
  - ivy.cluster.attributes
seealso:
  - module: ivy.cluster.preflight_facts
"""

EXAMPLES = r"""
- name: End the listeners
  ivy.cluster.preflight_cleanup:
    pid: "{{ host.port_listener.pid }}"
    start: "{{ host.port_listener.start }}"
  become: true
"""

RETURN = r"""
gone:
  description: Whether the process is gone.
  returned: always
  type: bool
  sample: true
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ivy.cluster.plugins.module_utils.preflight import port_listener

ARGUMENT_SPEC: dict[str, t.Any] = {
    "pid": {"type": "int", "required": True},
    "start": {"type": "str", "required": True},
    "seconds": {"type": "float", "default": 10},
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    given = module.params
    module.exit_json(changed=False, gone=port_listener.end(given["pid"], given["start"], given["seconds"]))


if __name__ == "__main__":
    main()
