# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks the engine over loopback, in the name of the public host, whether it serves."""

from __future__ import annotations

import http.client
import typing as t


class Health(t.NamedTuple):
    """The answer; status 0 where there was none."""

    status: int
    ok: bool
    reason: str


def check(port: int, path: str, host: str, reject: t.Iterable[str], seconds: float = 10.0) -> Health:
    """200 and none of the pages that an engine shows when it only looks alive."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=seconds)
    try:
        connection.putrequest("GET", path or "/", skip_host=True, skip_accept_encoding=True)
        connection.putheader("Host", host or f"127.0.0.1:{port}")
        connection.putheader("Connection", "close")
        connection.endheaders()
        answer = connection.getresponse()
        body = answer.read(1 << 20).decode("utf-8", "replace")
        status = answer.status
    except (OSError, http.client.HTTPException) as exc:
        return Health(0, False, f"no answer on port {port}: {exc or type(exc).__name__}")
    finally:
        connection.close()
    if status in (301, 302, 303, 307, 308):
        # A start page may lead elsewhere; that it answers as the public host is what counts.
        return Health(status, True, "")
    if status == 503:
        return Health(
            status, False, f"GET {path} answered 503: the engine is not ready, or has no licence for this node"
        )
    if status != 200:
        return Health(status, False, f"GET {path} answered {status}")
    for text in reject:
        if text in body:
            return Health(status, False, f"GET {path} shows {text!r}: the engine is in demo or maintenance mode")
    return Health(status, True, "")
