#!/usr/bin/python
# Copyright: the ivy.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: search_request
short_description: Sends a request to a search server
version_added: 0.1.0
description:
  - Sends one C(GET) request. The time limit is for all of it, and no more than 1 MiB of the answer is read.
  - Does not follow redirects and uses no proxy, so that no other server gets the login.
  - A server that does not answer does not fail the task. RV(status) is 0 then, and RV(msg) is the reason.
  - Changes nothing. Check mode makes no difference.
options:
  url:
    description: URL of the request.
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
  timeout:
    description: Maximum number of seconds for the request.
    type: float
    default: 10
author:
  - The ivy.cluster contributors (@ivy-cluster)
extends_documentation_fragment:
  - ivy.cluster.attributes
"""

EXAMPLES = r"""
- name: Get the health of the search server
  ivy.cluster.search_request:
    url: http://192.0.2.40:9200/_cluster/health
  register: search
"""

RETURN = r"""
status:
  description: HTTP status, 0 without an answer.
  returned: always
  type: int
  sample: 200
json:
  description: The parsed answer.
  returned: the answer is JSON of no more than 1 MiB
  type: raw
  sample: {status: green}
too_long:
  description: Whether the answer is longer than 1 MiB.
  returned: always
  type: bool
  sample: false
msg:
  description: Why RV(json) is not returned.
  returned: RV(json) is not returned
  type: str
  sample: no answer (timed out)
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ivy.cluster.plugins.module_utils.probes import search

ARGUMENT_SPEC: dict[str, dict[str, object]] = {
    "url": {"type": "str", "required": True},
    "user": {"type": "str", "default": ""},
    "password": {"type": "str", "default": "", "no_log": True},
    "timeout": {"type": "float", "default": 10},
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    params = module.params
    answer = search.get(params["url"], params["user"], params["password"], params["timeout"])
    result: dict[str, object] = {"status": answer.status, "too_long": len(answer.content) > search.LONGEST}
    parsed = answer.parsed()
    if parsed is None:
        result["msg"] = answer.problem or f"status {answer.status}, and the answer is not JSON of at most 1 MiB"
    else:
        result["json"] = parsed
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
