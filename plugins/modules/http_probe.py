#!/usr/bin/python
# Copyright: the ivy.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: http_probe
short_description: Sends HTTP requests to a service of this host and searches the answers for a text
version_added: 0.1.0
description:
  - Connects to the loopback interface and sends the public name in the C(Host) header, so that the service of exactly
    this host answers as it answers its users.
  - Repeats a request with a safe method until it succeeds or O(wait) is over.
  - A request without success does not fail the task. RV(answers) contains the problem.
options:
  port:
    description: Port of the service on this host.
    type: int
    required: true
  host_header:
    description: Value of the C(Host) header.
    type: str
    required: true
  requests:
    description: The requests, sent in this order.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the answer in the result.
        type: str
        required: true
      path:
        description: Path and query.
        type: str
        required: true
      method:
        description:
          - Method. A request with a method other than V(GET) and V(HEAD) is sent only once and counts as a change.
          - It is not sent in check mode.
        type: str
        default: GET
      body:
        description: Body of the request.
        type: str
        default: ""
      content_type:
        description: Content type of O(requests[].body).
        type: str
        default: application/json
      contains:
        description: Text that the body of the answer must contain. Empty accepts any body.
        type: str
        default: ""
  wait:
    description: Maximum number of seconds for all requests together.
    type: float
    default: 10
  store:
    description: The state directory of the node, where M(ivy.cluster.shared_config) caches the code of this module.
    type: path
    default: /var/lib/ivy-cluster
author:
  - The ivy.cluster contributors (@ivy-cluster)
extends_documentation_fragment:
  - ivy.cluster.attributes
"""

EXAMPLES = r"""
- name: Find a note on this node, in the database and in the index
  ivy.cluster.http_probe:
    port: 8080
    host_header: ivy.example.com
    requests:
      - name: read
        path: /demo/api/notes/17
        contains: q7x1
      - name: find
        path: /demo/api/search?q=q7x1
        contains: q7x1
    wait: 10
  register: probe
"""

RETURN = r"""
answers:
  description: One answer for each request, in the same order.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: Name of the request.
      type: str
      sample: read
    ok:
      description: Whether the status is a success and the body contains the expected text.
      type: bool
      sample: true
    status:
      description: HTTP status, 0 without an answer.
      type: int
      sample: 200
    body:
      description: The first 4096 characters of the body.
      type: str
      sample: '{"id": 17}'
    json:
      description: The parsed body if it is a JSON object of no more than 16384 characters, otherwise null.
      type: dict
      sample: {"id": 17}
    problem:
      description: Why the request did not succeed, empty if it did.
      type: str
      sample: status 503
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ivy.cluster.plugins.module_utils.node import calls

ARGUMENT_SPEC: dict[str, dict[str, object]] = {
    "port": {"type": "int", "required": True},
    "host_header": {"type": "str", "required": True},
    "requests": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "name": {"type": "str", "required": True},
            "path": {"type": "str", "required": True},
            "method": {"type": "str", "default": "GET"},
            "body": {"type": "str", "default": ""},
            "content_type": {"type": "str", "default": "application/json"},
            "contains": {"type": "str", "default": ""},
        },
    },
    "wait": {"type": "float", "default": 10},
    "store": {"type": "path", "default": "/var/lib/ivy-cluster"},
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    result = calls.call("http_probe", module.params, module.check_mode, module._diff)
    (module.fail_json if result.get("failed") else module.exit_json)(**result)


if __name__ == "__main__":
    main()
