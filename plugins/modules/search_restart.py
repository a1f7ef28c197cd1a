#!/usr/bin/python
# Copyright: the ivy.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: search_restart
short_description: Restarts one member of a search cluster while the others serve
version_added: 0.1.0
description:
  - Waits until all members are in the cluster and its status is green, restarts the unit of this host, and waits for
    the same again. If the cluster is not complete, nothing is restarted.
  - A member that is alone or in no cluster is restarted at once.
  - Use it with C(throttle=1), so that no two members restart at the same time.
options:
  unit:
    description: The systemd unit of the search server.
    type: str
    required: true
  url:
    description: URL of this member.
    type: str
    required: true
  user:
    description: Name of the user. Empty sends no login.
    type: str
    default: ""
  password:
    description: Password of O(user).
    type: str
    default: ""
  members:
    description: Number of members of the cluster.
    type: int
    required: true
  timeout:
    description: Maximum number of seconds to wait for the cluster, before the restart and after it.
    type: int
    default: 300
author:
  - The ivy.cluster contributors (@ivy-cluster)
extends_documentation_fragment:
  - ivy.cluster.attributes
seealso:
  - module: ivy.cluster.search_request
"""

EXAMPLES = r"""
- name: Restart the members one after another
  ivy.cluster.search_restart:
    unit: opensearch.service
    url: http://192.0.2.41:9200
    members: 3
  throttle: 1
"""

RETURN = r"""
health:
  description: Members and status before the restart and after it.
  returned: success, and not in check mode
  type: list
  elements: str
  sample: ["3 members, status green", "3 members, status green"]
"""

import time
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ivy.cluster.plugins.module_utils.probes import search, search_cluster

ARGUMENT_SPEC: dict[str, dict[str, object]] = {
    "unit": {"type": "str", "required": True},
    "url": {"type": "str", "required": True},
    "user": {"type": "str", "default": ""},
    "password": {"type": "str", "default": "", "no_log": True},
    "members": {"type": "int", "required": True},
    "timeout": {"type": "int", "default": 300},
}
_SECONDS = 10.0


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    params = module.params

    def ask() -> t.Mapping[str, t.Any]:
        url = f"{params['url']}/_cluster/health?timeout=1s&master_timeout=5s"
        found = search.get(url, params["user"], params["password"], _SECONDS).parsed()
        return found if isinstance(found, dict) else {}

    def act() -> None:
        status, _output, error = module.run_command(["systemctl", "restart", params["unit"]])
        if status:
            raise search_cluster.RestartError(f"systemctl restart {params['unit']} failed: {error.strip()}")

    if module.check_mode:
        module.exit_json(changed=True)
    try:
        health = search_cluster.restart(ask, act, params["members"], params["timeout"], time)
    except search_cluster.RestartError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=True, health=health)


if __name__ == "__main__":
    main()
