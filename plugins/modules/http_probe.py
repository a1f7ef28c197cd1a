#!/usr/bin/python
# Copyright: the ivy.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: http_probe
short_description: Sends HTTP requests to a service of this host and looks for a text in the answers
version_added: 0.1.0
description:
  - Asks through the loopback interface, with the C(Host) header of the public name, so that it sees the service of
    exactly this host as its users see it.
  - A request that does not yet bring what is wanted is repeated until O(wait) is over, all within one round trip.
  - Never fails because of an answer; the answers say what was wrong.
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
    description: What to send, one after another.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: How the answer is named in the result.
        type: str
        required: true
      path:
        description: Path and query.
        type: str
        required: true
      method:
        description: Method. Any other than V(GET) and V(HEAD) is sent once only and counts as a change.
        type: str
        default: GET
      body:
        description: Body of the request.
        type: str
        default: ""
      content_type:
        description: Type of O(requests[].body).
        type: str
        default: application/json
      contains:
        description: Text that the answer's body must hold. Empty accepts any body.
        type: str
        default: ""
  wait:
    description: Greatest number of seconds for all requests together.
    type: float
    default: 10
author:
  - The ivy.cluster contributors (@ivy-cluster)
extends_documentation_fragment:
  - ivy.cluster.attributes
"""

EXAMPLES = r"""
- name: Look for a note on this node, in the database and in the index
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
  description: One answer for each request, in their order.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: The request's name.
      type: str
      sample: read
    ok:
      description: Whether the status was a success and the wanted text was there.
      type: bool
      sample: true
    status:
      description: HTTP status, 0 where no answer came.
      type: int
      sample: 200
    body:
      description: The first 4096 characters of the body.
      type: str
      sample: '{"id": 17}'
    json:
      description: The body as data, where it is JSON.
      type: raw
      sample: {"id": 17}
    problem:
      description: What was wrong, empty where nothing was.
      type: str
      sample: status 503
"""

import http.client
import json
import time
import typing as t

from ansible.module_utils.basic import AnsibleModule

_SAFE = ("GET", "HEAD")
_PAUSE = 0.3
_SHOWN = 4096
# A body is only searched for a short text; no application answers a probe with more.
_READ = 4 << 20


def ask(port: int, host_header: str, request: t.Mapping[str, t.Any], timeout: float) -> dict[str, t.Any]:
    """One request, one answer; what goes wrong is part of the answer."""
    answer: dict[str, t.Any] = {
        "name": request["name"],
        "ok": False,
        "status": 0,
        "body": "",
        "json": None,
        "problem": "",
    }
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    headers = {"Host": host_header, "Connection": "close"}
    body = request["body"].encode("utf-8") if request["body"] else None
    if body is not None:
        headers["Content-Type"] = request["content_type"]
    try:
        connection.request(request["method"], request["path"], body=body, headers=headers)
        response = connection.getresponse()
        text = response.read(_READ).decode("utf-8", "replace")
    except (OSError, http.client.HTTPException) as exc:
        answer["problem"] = f"no answer ({exc or type(exc).__name__})"
        return answer
    finally:
        connection.close()
    answer["status"], answer["body"] = response.status, text[:_SHOWN]
    try:
        answer["json"] = json.loads(text)
    except ValueError:
        answer["json"] = None
    if not 200 <= response.status < 300:
        answer["problem"] = f"status {response.status}"
    elif request["contains"] not in text:
        answer["problem"] = "the answer does not hold what was stored"
    answer["ok"] = not answer["problem"]
    return answer


def probe(
    requests: t.Sequence[t.Mapping[str, t.Any]],
    wait: float,
    send: t.Callable[[t.Mapping[str, t.Any], float], dict[str, t.Any]],
) -> list[dict[str, t.Any]]:
    """All requests within one span of time. A request that changes something is never sent twice."""
    end = time.monotonic() + wait
    answers = []
    for request in requests:
        while True:
            answer = send(request, max(end - time.monotonic(), 1.0))
            if answer["ok"] or request["method"] not in _SAFE or time.monotonic() >= end:
                break
            time.sleep(_PAUSE)
        answers.append(answer)
    return answers


def main() -> None:
    module = AnsibleModule(
        argument_spec={
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
        },
        supports_check_mode=True,
    )
    port, host_header = module.params["port"], module.params["host_header"]
    changes = any(request["method"] not in _SAFE for request in module.params["requests"])
    requests = [request for request in module.params["requests"] if not module.check_mode or request["method"] in _SAFE]
    answers = probe(requests, module.params["wait"], lambda request, timeout: ask(port, host_header, request, timeout))
    module.exit_json(changed=changes, answers=answers)


if __name__ == "__main__":
    main()
