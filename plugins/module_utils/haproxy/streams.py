# Copyright: the ivy.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests and WebSockets under way, from HAProxy's list of streams."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

from .runtime_socket import RuntimeSocket

_STREAM = re.compile(
    r"^(?P<id>0x[0-9a-f]+):(?: proto=\S+ src=(?P<source>\S+):\d+)?.*? be=(?P<backend>\S+) srv=(?P<server>\S+) "
    r".*? rq\[f=[0-9a-f]+h,i=\d+,an=(?P<request>[0-9a-f]+)h.*? rp\[f=[0-9a-f]+h,i=\d+,an=(?P<response>[0-9a-f]+)h"
)
# HAProxy's analysers AN_REQ_HTTP_XFER_BODY, and AN_RES_INSPECT to AN_RES_HTTP_XFER_BODY. A stream that has become a
# tunnel has none of them.
_REQUEST_BODY = 0x00008000
_RESPONSE = 0x07F00000


@dataclass(frozen=True)
class UnderWay:
    """What a server is working on."""

    requests: int = 0
    websockets: int = 0


@dataclass(frozen=True)
class Stream:
    """One request or WebSocket. The server is ``<none>`` while the request waits for one."""

    id: str
    source: str
    backend: str
    server: str
    websocket: bool


def list_streams(text: str) -> list[Stream]:
    """Every stream in `show sess`."""
    found = []
    for line in text.splitlines():
        match = _STREAM.match(line)
        if match is not None:
            tunnel = not int(match["request"], 16) & _REQUEST_BODY and not int(match["response"], 16) & _RESPONSE
            found.append(Stream(match["id"], match["source"] or "", match["backend"], match["server"], tunnel))
    return found


def parse_streams(text: str) -> dict[tuple[str, str], UnderWay]:
    """Count the requests and the WebSockets of each server, by backend and server, from `show sess`."""
    requests: Counter[tuple[str, str]] = Counter()
    websockets: Counter[tuple[str, str]] = Counter()
    for stream in list_streams(text):
        if stream.server != "<none>":
            (websockets if stream.websocket else requests)[stream.backend, stream.server] += 1
    return {key: UnderWay(requests[key], websockets[key]) for key in {*requests, *websockets}}


def under_way(runtime: RuntimeSocket) -> dict[tuple[str, str], UnderWay]:
    """Ask HAProxy."""
    return parse_streams(runtime.command("show sess"))
