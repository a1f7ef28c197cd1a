#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: application_files
short_description: Checks the archives of applications on the controller
version_added: 0.1.0
description:
  - Downloads the archives that have a URL to a cache on the controller, and checks each archive, its checksum and
    whether it is an application (C(.zip)) or a project (C(.iar)).
  - Runs on the controller and needs no connection. Use it once in a run (C(run_once)).
  - All problems of all applications are reported together.
options:
  applications:
    description:
      - The value of the option C(engine_applications), a list of dictionaries.
      - Each has C(name), C(archive) or C(url) with C(checksum), and optionally C(options).
    type: raw
    required: true
  cache:
    description:
      - Directory for downloads. It is created with mode C(0700).
      - It is not part of the state of a host, so it is written in check mode too, and never counts as a change.
    type: path
    required: true
  problems:
    description: Problems of other options, which are reported with those of the archives.
    type: list
    elements: str
    default: []
  secrets:
    description: Known secrets, which are masked in messages. Values of any depth.
    type: raw
    default: []
author:
  - The ivy.cluster contributors (@ivy-cluster)
extends_documentation_fragment:
  - ivy.cluster.attributes
"""

EXAMPLES = r"""
- name: Check the archives
  ivy.cluster.application_files:
    applications:
      - name: demo.zip
        url: https://repository.example.com/demo-1.2.zip
        checksum: sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
      - name: shop/orders.iar
        archive: files/orders.iar
    cache: /var/cache/ivy-cluster
  run_once: true
"""

RETURN = r"""
applications:
  description: The checked archives.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name in the deploy directory.
      type: str
      sample: demo.zip
    archive:
      description: Path of the file on the controller.
      type: str
      sample: /srv/archives/demo.zip
    sha256:
      description: SHA-256 of the file.
      type: str
      sample: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
    options:
      description: Deployment options.
      type: dict
      sample: {}
"""

from ansible.module_utils.basic import AnsibleModule

ARGUMENT_SPEC: dict[str, dict[str, object]] = {
    "applications": {"type": "raw", "required": True},
    "cache": {"type": "path", "required": True},
    "problems": {"type": "list", "elements": "str", "default": []},
    "secrets": {"type": "raw", "default": [], "no_log": True},
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    module.fail_json(msg="ivy.cluster.application_files runs only on the controller, through its action plugin.")


if __name__ == "__main__":
    main()
