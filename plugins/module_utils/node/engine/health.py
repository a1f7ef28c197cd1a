# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks the engine whether it serves: the same requests, with the same accepted responses, as the balancer's check.

The profile of the engine's version defines both (roles/topology, ivy_health). Redirects are not followed, since the
balancer cannot follow them either; the profile names the page to which an engine redirects.
"""

from __future__ import annotations

import http.client
import typing as t

from .deadline import Deadline

_MAX_BODY_READ = 1 << 20


class Health(t.NamedTuple):
    """The response that decided; status 0 where there was none."""

    status: int
    ok: bool
    reason: str


def accepts(statuses: str, status: int) -> bool:
    """Whether a status is in a list such as 200,301-303, which is HAProxy's notation."""
    for part in str(statuses).split(","):
        first, _dash, last = part.strip().partition("-")
        if int(first) <= status <= int(last or first):
            return True
    return False


def check(
    port: int, host: str, definition: t.Mapping[str, t.Any], seconds: float = 10.0, *, address: str = "127.0.0.1"
) -> Health:
    """Send all requests of the definition. The first response that is not accepted decides."""
    found = Health(0, False, "the definition of health has no requests")
    for request in definition["requests"]:
        found = _ask(port, host, definition, request, seconds, address)
        if not found.ok:
            break
    return found


def _ask(
    port: int,
    host: str,
    definition: t.Mapping[str, t.Any],
    request: t.Mapping[str, t.Any],
    seconds: float,
    address: str,
) -> Health:
    path = str(request["path"])
    connection = http.client.HTTPConnection(address, port, timeout=seconds)
    try:
        Deadline(seconds).connect(connection)
        connection.putrequest("GET", path, skip_host=True, skip_accept_encoding=True)
        connection.putheader("Host", host or f"{address}:{port}")
        for name, value in (definition.get("headers") or {}).items():
            connection.putheader(str(name), str(value))
        connection.putheader("Connection", "close")
        connection.endheaders()
        answer = connection.getresponse()
        body = answer.read(_MAX_BODY_READ).decode("utf-8", "replace")
        status = answer.status
    except (OSError, http.client.HTTPException) as exc:
        return Health(0, False, f"no answer on port {port}: {exc or type(exc).__name__}")
    finally:
        connection.close()
    if not accepts(request["status"], status):
        reason = f"GET {path} answered {status}"
        if status == 503:
            reason += ": the engine is not ready, or has no licence for this node"
        return Health(status, False, reason)
    require, reject = request.get("require") or (), request.get("reject") or ()
    if (require or reject) and not body:
        # HAProxy rejects it, too.
        return Health(status, False, f"GET {path} answered {status} without a text that shows the engine's mode")
    for text in require:
        if text not in body:
            return Health(status, False, f"GET {path} does not show {text!r}: another program may answer")
    for text in reject:
        if text in body:
            return Health(status, False, f"GET {path} shows {text!r}: the engine is in demo or maintenance mode")
    return Health(status, True, "")
