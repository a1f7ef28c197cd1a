# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP requests to a service of this host."""

from __future__ import annotations

import http.client
import json
import time
import typing as t

from ..engine.deadline import Deadline

# Methods that change nothing, so a request may be repeated.
SAFE_METHODS = ("GET", "HEAD")
_INTERVAL = 0.3
_MAX_BODY_RETURNED = 4096
# The body is only searched for a short text. No application answers a probe with more.
_MAX_BODY_READ = 4 << 20
# The controller looks for one key of the answer, and what it gets it keeps for each node.
_MAX_JSON_RETURNED = 16 << 10


def send(port: int, host_header: str, request: t.Mapping[str, t.Any], timeout: float) -> dict[str, t.Any]:
    """Send one request to the loopback interface. A problem is part of the answer, not an exception."""
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
        Deadline(timeout).connect(connection)
        connection.request(request["method"], request["path"], body=body, headers=headers)
        response = connection.getresponse()
        text = response.read(_MAX_BODY_READ).decode("utf-8", "replace")
    except (OSError, ValueError, http.client.HTTPException) as exc:
        answer["problem"] = f"no answer ({exc or type(exc).__name__})"
        return answer
    finally:
        connection.close()
    answer["status"], answer["body"] = response.status, text[:_MAX_BODY_RETURNED]
    answer["json"] = _object(text)
    if not 200 <= response.status < 300:
        answer["problem"] = f"status {response.status}"
    elif request["contains"] not in text:
        answer["problem"] = "the answer does not contain the expected text"
    answer["ok"] = not answer["problem"]
    return answer


def _object(text: str) -> dict[str, t.Any] | None:
    """A short JSON object, whose keys the controller may look up. Of everything else it gets the begin of the body."""
    if len(text) > _MAX_JSON_RETURNED:
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def send_all(
    requests: t.Sequence[t.Mapping[str, t.Any]],
    wait: float,
    send_request: t.Callable[[t.Mapping[str, t.Any], float], dict[str, t.Any]],
) -> list[dict[str, t.Any]]:
    """Send all requests within one time limit. Only a request that changes nothing is repeated."""
    end = time.monotonic() + wait
    answers = []
    for request in requests:
        while True:
            answer = send_request(request, max(end - time.monotonic(), 1.0))
            if answer["ok"] or request["method"] not in SAFE_METHODS or time.monotonic() >= end:
                break
            time.sleep(_INTERVAL)
        answers.append(answer)
    return answers
