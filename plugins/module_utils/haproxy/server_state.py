# Copyright: the ivy.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sets state, weight and persistence of a server in the backends of a running HAProxy, and waits for the effect."""

from __future__ import annotations

import re
import time
import typing as t
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from .node_lists import CLOSED_NODES_FILE, closed_nodes, set_closed
from .runtime_socket import RuntimeSocket, RuntimeSocketError
from .saved_states import CONFIGURATION_FILE, STATE_FILE, save_changed_states
from .servers import describe_servers, parse_server_states, parse_statistics
from .streams import UnderWay, under_way

RESTORED = "restored"
# As a state before: in drain, and its cookie is ignored.
CLOSED = "closed"
_NAME = re.compile(r"[A-Za-z0-9_.:-]+")
_POLL_SECONDS = 0.2
# Closing a session takes HAProxy milliseconds.
_CLOSE_SECONDS = 5.0

Server = dict[str, t.Any]


@dataclass(frozen=True)
class Request:
    """What to set. None leaves a property as it is.

    ``restored`` sets a server that is in maintenance, or whose cookie is ignored, to its state in ``before``, by
    backend, or to ready.
    """

    name: str
    state: str | None = None
    weight: int | None = None
    ignore_cookie: bool | None = None
    before: Mapping[str, str] = field(default_factory=dict)
    backend: str | None = None
    must_exist: bool = True
    closed_file: str = CLOSED_NODES_FILE
    state_file: str = STATE_FILE
    configuration_file: str = CONFIGURATION_FILE

    def sets_something(self) -> bool:
        return (self.state, self.weight, self.ignore_cookie) != (None, None, None)


@dataclass(frozen=True)
class Wait:
    """What to wait for, and how long. ``quiet`` is the number of seconds without a request after which users count as
    gone."""

    condition: str
    seconds: float
    quiet: float = 0.0
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic


class Waited(t.NamedTuple):
    """Whether the condition became true, after how many seconds, and the servers then."""

    done: bool
    seconds: float
    servers: list[Server]


def find_servers(runtime: RuntimeSocket, request: Request) -> list[Server]:
    """The server in each backend. Raises RuntimeSocketError if what is named does not exist."""
    for what, name in (("server", request.name), ("backend", request.backend)):
        if name is not None and not _NAME.fullmatch(name):
            raise RuntimeSocketError(f"{name!r} is not the name of a {what}.")
    statistics = parse_statistics(runtime.command("show stat"))
    states = parse_server_states(runtime.command("show servers state"))
    listed = describe_servers(statistics, states)
    if request.backend is not None and request.backend not in {row["pxname"] for row in statistics}:
        raise RuntimeSocketError(f"HAProxy at {runtime.path} has no backend {request.backend}.")
    servers = [
        server for server in listed if server["name"] == request.name and request.backend in (None, server["backend"])
    ]
    if not servers and request.must_exist:
        where = f"backend {request.backend}" if request.backend else "any backend"
        known = ", ".join(sorted({server["name"] for server in listed})) or "none"
        raise RuntimeSocketError(
            f"HAProxy at {runtime.path} has no server {request.name} in {where}. Its servers: {known}."
        )
    weights = {(state.backend, state.name): state.weight for state in states}
    closed = closed_nodes(runtime, request.closed_file) or []
    at_work = under_way(runtime)
    found = []
    for server in servers:
        work = at_work.get((server["backend"], server["name"]), UnderWay())
        weight = weights.get((server["backend"], server["name"])) or ""
        more = {
            "requested_weight": int(weight) if weight.isdecimal() else server["weight"],
            "cookie_ignored": server["name"] in closed,
            "requests": work.requests,
            "websockets": work.websockets,
        }
        found.append({**server, **more})
    return found


def apply(runtime: RuntimeSocket, request: Request, check: bool) -> tuple[list[Server], list[Server]]:
    """The servers before and after. In check mode, as they would be."""
    before = find_servers(runtime, request)
    after = [_predict(server, request) for server in before]
    ready = [server["backend"] for server in after if server["cookie_ignored"] and server["admin_state"] == "ready"]
    if ready and request.ignore_cookie:
        raise RuntimeSocketError(
            f"{request.name} is ready in {', '.join(ready)}, so its users would move at each request if its cookie was "
            "ignored. Drain it, too."
        )
    if check or not before or not request.sets_something():
        return before, after
    if changes(before, after):
        _set(runtime, request, before, after)
    # Also if nothing changed: an earlier run may have ended before it saved the states.
    save_changed_states(runtime, request.configuration_file, request.state_file)
    found = find_servers(runtime, request)
    if _used(found) - _used(after):
        raise RuntimeSocketError(
            f"HAProxy at {runtime.path} uses {request.name}, which was taken out. It may have been reloaded, or "
            "somebody else may have changed it, in the same moment. Run again."
        )
    return before, found


def _used(servers: Sequence[Server]) -> set[str]:
    return {server["backend"] for server in servers if server["admin_state"] == "ready"}


def _set(runtime: RuntimeSocket, request: Request, before: Sequence[Server], after: Sequence[Server]) -> None:
    ignored = {server["cookie_ignored"] for server in after}
    if ignored == {False}:
        set_closed_if_loaded(runtime, request)
    for old, new in zip(before, after):
        path = f"{new['backend']}/{new['name']}"
        if old["requested_weight"] != new["requested_weight"]:
            runtime.command(f"set server {path} weight {new['requested_weight']}")
        if old["admin_state"] != new["admin_state"]:
            runtime.command(f"set server {path} state {new['admin_state']}")
    # While a server is ready, its cookie must not be ignored: its users would move at each request.
    if True in ignored:
        set_closed(runtime, request.name, True, request.closed_file)


def set_closed_if_loaded(runtime: RuntimeSocket, request: Request) -> None:
    """Follow the cookie again, if the process can ignore one at all."""
    if closed_nodes(runtime, request.closed_file) is not None:
        set_closed(runtime, request.name, False, request.closed_file)


def changes(before: Sequence[Server], after: Sequence[Server]) -> bool:
    """Whether anything that can be set differs. What HAProxy counts makes no difference."""
    return settings(before) != settings(after)


def settings(servers: Sequence[Server]) -> dict[str, dict[str, t.Any]]:
    """What can be set, by backend and server."""
    return {
        f"{server['backend']}/{server['name']}": {
            "state": server["admin_state"],
            "weight": server["requested_weight"],
            "cookie_ignored": server["cookie_ignored"],
        }
        for server in servers
    }


def _predict(server: Server, request: Request) -> Server:
    state = server["admin_state"]
    ignored = server["cookie_ignored"]
    if request.state == RESTORED:
        # What is in neither state was changed by somebody since, and is left as it is.
        if state == "maint" or ignored:
            state = request.before.get(server["backend"], "ready")
        ignored = state == CLOSED
        state = "drain" if ignored else state
    elif request.state is not None:
        state = request.state
        ignored = ignored and state != "ready"
    if request.ignore_cookie is not None:
        ignored = request.ignore_cookie
    new: Server = {**server, "admin_state": state, "cookie_ignored": ignored}
    if request.weight is not None:
        new["requested_weight"] = request.weight
    if state != server["admin_state"]:
        new.update(up=False, status={"maint": "MAINT", "drain": "DRAIN"}.get(state, "DOWN"))
    elif request.weight == 0:
        new["up"] = False
    return new


def wait_for(runtime: RuntimeSocket, request: Request, wait: Wait) -> Waited:
    """Wait until the condition is true for the server in each backend, or the time is over."""
    begin = wait.clock()
    while True:
        servers = find_servers(runtime, request)
        done = all(_holds(server, wait) for server in servers)
        seconds = wait.clock() - begin
        if done or seconds >= wait.seconds:
            return Waited(done, round(seconds, 1), servers)
        wait.sleep(min(_POLL_SECONDS, max(0.0, wait.seconds - seconds)))


def _holds(server: Server, wait: Wait) -> bool:
    if wait.condition == "up":
        return bool(server["up"])
    # A server that is down answers nothing any more.
    if server["status"].startswith("DOWN"):
        return True
    if server["requests"] or server["queue"]:
        return False
    if wait.condition == "users":
        idle = server["seconds_since_request"]
        return idle is None or idle >= wait.quiet
    return wait.condition == "requests" or not server["websockets"]


def close_sessions(runtime: RuntimeSocket, servers: Sequence[Server], wait: Wait) -> dict[str, int]:
    """Close the requests and WebSockets under way, and count them."""
    for server in servers:
        runtime.command(f"shutdown sessions server {server['backend']}/{server['name']}")
    request = Request(servers[0]["name"], must_exist=False) if servers else None
    end = wait.clock() + _CLOSE_SECONDS
    while request is not None and wait.clock() < end:
        left = [server for server in find_servers(runtime, request) if server["requests"] or server["websockets"]]
        if not {server["backend"] for server in left} & {server["backend"] for server in servers}:
            break
        wait.sleep(_POLL_SECONDS)
    return {kind: sum(server[kind] for server in servers) for kind in ("requests", "websockets")}


def describe(servers: Sequence[Server]) -> str:
    """The servers in words, for messages."""
    return ", ".join(
        f"{server['status']} in {server['backend']} ({server['requests']} requests, {server['websockets']} WebSockets)"
        for server in servers
    )
