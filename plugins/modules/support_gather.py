#!/usr/bin/python
# Copyright: the ivy.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: support_gather
short_description: Gathers what a host contributes to a support bundle
version_added: 0.1.0
description:
  - Runs modules that inspect the host, and M(ivy.cluster.support_facts), masks what they answer, and stages it on the
    controller for M(ivy.cluster.support_bundle). Neither the result nor the output of the run contains it.
  - Nothing on the host is changed. Only a host that cannot be reached is an error.
options:
  modules:
    description: Modules of this collection that inspect the host, and change nothing in check mode.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the file, without C(.json).
        type: str
        required: true
      module:
        description: The module, without the name of the collection.
        type: str
        required: true
      options:
        description: Its options.
        type: dict
        default: {}
  programs:
    description: As for M(ivy.cluster.support_facts).
    type: list
    elements: dict
    default: []
  directories:
    description: As for M(ivy.cluster.support_facts).
    type: list
    elements: dict
    default: []
  part_bytes:
    description: Maximum number of bytes of a part.
    type: int
    required: true
  host_bytes:
    description: Maximum number of bytes of all parts.
    type: int
    required: true
author:
  - The ivy.cluster contributors (@ivy-cluster)
extends_documentation_fragment:
  - ivy.cluster.attributes
seealso:
  - module: ivy.cluster.support_bundle
"""

EXAMPLES = r"""
- name: Gather the state and the journal of the load balancer
  ivy.cluster.support_gather:
    modules:
      - name: state/balancer
        module: balancer_info
    programs:
      - name: logs/haproxy.service.log
        arguments: [journalctl, --no-pager, --unit=haproxy.service, --lines=1000]
    part_bytes: 200000
    host_bytes: 4000000
"""

RETURN = r"""
files:
  description: Number of files that were staged.
  returned: success
  type: int
  sample: 24
bytes:
  description: Their size.
  returned: success
  type: int
  sample: 812345
problems:
  description: Number of parts that are missing or not complete.
  returned: success
  type: int
  sample: 1
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

ARGUMENT_SPEC: dict[str, t.Any] = {
    "modules": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "name": {"type": "str", "required": True},
            "module": {"type": "str", "required": True},
            "options": {"type": "dict", "default": {}},
        },
    },
    "programs": {"type": "list", "elements": "dict", "default": []},
    "directories": {"type": "list", "elements": "dict", "default": []},
    "part_bytes": {"type": "int", "required": True},
    "host_bytes": {"type": "int", "required": True},
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    module.fail_json(msg="ivy.cluster.support_gather runs only through its action plugin.")


if __name__ == "__main__":
    main()
