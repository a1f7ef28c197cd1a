#!/usr/bin/python
# Copyright: the ivy.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: support_bundle
short_description: Packs a support bundle on the controller
version_added: 0.1.0
description:
  - Packs what M(ivy.cluster.support_gather) has staged in this run into one archive that only its owner can read.
  - Runs on the controller. In check mode nothing is written.
options:
  cluster:
    description: Name of the cluster.
    type: str
    required: true
  directory:
    description:
      - Directory on the controller for the archive. It is created if it does not exist.
      - A relative path is relative to the current directory.
    type: path
    required: true
  hosts:
    description: All hosts of the run, each with why it was lost, as Ansible reports it, or an empty text.
    type: dict
    required: true
author:
  - The ivy.cluster contributors (@ivy-cluster)
extends_documentation_fragment:
  - ivy.cluster.attributes
seealso:
  - module: ivy.cluster.support_gather
"""

EXAMPLES = r"""
- name: Pack the support bundle
  ivy.cluster.support_bundle:
    cluster: prod
    directory: .
    hosts:
      lb1: ""
      engine1: ""
      engine2: "Failed to connect to the host via ssh: Connection timed out"
  become: false
  run_once: true
"""

RETURN = r"""
file:
  description: The archive. In check mode, as it would be.
  returned: success
  type: str
  sample: /home/admin/ivy/support-prod-20261129T100000Z.tar.gz
size:
  description: Its size in bytes. In check mode 0.
  returned: success
  type: int
  sample: 234567
sha256:
  description: Its SHA-256. In check mode empty.
  returned: success
  type: str
  sample: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
lost:
  description: Hosts that are not in the archive, with the reason.
  returned: success
  type: dict
  sample: {engine2: Connection timed out}
text:
  description: What is in the archive.
  returned: success
  type: str
  sample: "lb1: 24 files"
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

ARGUMENT_SPEC: dict[str, t.Any] = {
    "cluster": {"type": "str", "required": True},
    "directory": {"type": "path", "required": True},
    "hosts": {"type": "dict", "required": True},
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    module.fail_json(msg="ivy.cluster.support_bundle runs only through its action plugin.")


if __name__ == "__main__":
    main()
