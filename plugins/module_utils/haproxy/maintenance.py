# Copyright: the ivy.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Maintenance of the whole service: HAProxy answers users with a page, and only some addresses reach the nodes.

The state is in two lists that HAProxy's rules read: a map with the value of ``Retry-After`` and the time since when,
which is empty out of maintenance, and the addresses that still get through. Both are changed in the process and in the
files from which HAProxy loads them, so that the state outlives a reload, a restart and a crash of HAProxy.
"""

from __future__ import annotations

import contextlib
import dataclasses
import ipaddress
import time
import typing as t
from collections.abc import Callable, Sequence

from .node_lists import entries, replace_list, write_list
from .runtime_socket import RuntimeSocket, RuntimeSocketError
from .streams import Stream, list_streams

MAINTENANCE_FILE = "/var/lib/haproxy/maintenance"
SOURCES_FILE = "/var/lib/haproxy/maintenance-sources"
BACKEND = "engine_nodes"
RETRY_AFTER = "retry_after"
SINCE = "since"
_POLL_SECONDS = 0.2
# HAProxy needs a moment until it has closed them.
_CLOSE_SECONDS = 5.0
_EVERYBODY = 8

_Network = t.Union[ipaddress.IPv4Network, ipaddress.IPv6Network]


class Files(t.NamedTuple):
    """Where HAProxy loads the lists from."""

    state: str = MAINTENANCE_FILE
    sources: str = SOURCES_FILE


FILES = Files()


@dataclasses.dataclass(frozen=True)
class Maintenance:
    """The state of one balancer."""

    active: bool = False
    retry_after: int = 0
    allowed_sources: tuple[str, ...] = ()
    since: str = ""

    def settings(self) -> dict[str, t.Any]:
        """What can be set; the time follows from it."""
        found = dataclasses.asdict(self)
        del found["since"]
        return {**found, "allowed_sources": list(self.allowed_sources)}

    def to_dict(self) -> dict[str, t.Any]:
        return {**self.settings(), SINCE: self.since}

    def lines(self) -> list[str]:
        """The map."""
        return [f"{RETRY_AFTER} {self.retry_after}", f"{SINCE} {self.since}"] if self.active else []


@dataclasses.dataclass(frozen=True)
class Wait:
    """How long to wait for what is under way."""

    seconds: float
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic


class Ended(t.NamedTuple):
    """Whether all had ended by itself, after how many seconds, and what was closed."""

    done: bool
    seconds: float
    closed: dict[str, int]


def source_problems(sources: Sequence[str]) -> list[str]:
    """What is wrong with a list of addresses and networks, for messages."""
    found = []
    for source in sources:
        try:
            network = ipaddress.ip_network(source.strip(), strict=False)
        except ValueError:
            found.append(f"{source!r} is neither an IP address nor a network such as 192.0.2.0/24.")
            continue
        if network.prefixlen < _EVERYBODY:
            found.append(f"{source!r} contains a large part of all addresses. Name those of the administrators only.")
    return found


def normalised(sources: Sequence[str]) -> tuple[str, ...]:
    """Each network once, in one order and one spelling; an address is a network of its own."""
    networks = {ipaddress.ip_network(source.strip(), strict=False) for source in sources}
    return tuple(str(network) for network in sorted(networks, key=lambda of: (of.version, int(of[0]), of.prefixlen)))


def current(runtime: RuntimeSocket, files: Files = FILES) -> Maintenance | None:
    """The state of the process; None if it has not loaded the lists."""
    if f"({files.state})" not in runtime.command("show map") or f"({files.sources})" not in runtime.command("show acl"):
        return None
    lines = [content for _address, content in entries(runtime.command(f"show map {files.state}"))]
    sources = [content for _address, content in entries(runtime.command(f"show acl {files.sources}"))]
    return _parsed(lines, sources)


def saved(files: Files = FILES) -> Maintenance | None:
    """The state with which the next process starts; None if it is not known."""
    try:
        return _parsed(_file_lines(files.state), _file_lines(files.sources))
    except OSError:
        return None


def predicted(before: Maintenance, wanted: Maintenance, now: str) -> Maintenance:
    """The state afterwards: nobody is allowed past a service that is not in maintenance, and the time is kept."""
    if not wanted.active:
        return Maintenance()
    return dataclasses.replace(wanted, since=before.since if before.active and before.since else now)


def set_state(runtime: RuntimeSocket, after: Maintenance, files: Files = FILES) -> None:
    """Write the files, then change the process: if HAProxy ends in between, its next start does what was requested.

    Who is allowed is there before the maintenance, and as long as it.
    """
    parts = [("acl", files.sources, list(after.allowed_sources)), ("map", files.state, after.lines())]
    if not after.active:
        parts.reverse()
    for _kind, path, lines in parts:
        write_list(path, lines)
    for kind, path, lines in parts:
        replace_list(runtime, kind, path, lines)
    found = current(runtime, files)
    if found != after:
        raise RuntimeSocketError(
            f"HAProxy at {runtime.path} has another state than the one that was set. It may have been reloaded, or "
            "somebody else may have changed it, in the same moment. Run again."
        )


def under_way(runtime: RuntimeSocket, allowed: Sequence[str]) -> list[Stream]:
    """Requests and WebSockets of users on the nodes. What comes from an allowed address is left alone."""
    networks = [ipaddress.ip_network(source) for source in allowed]
    streams = list_streams(runtime.command("show sess"))
    return [stream for stream in streams if stream.backend == BACKEND and not _is_within(stream.source, networks)]


def end_sessions(runtime: RuntimeSocket, allowed: Sequence[str], wait: Wait, close: bool) -> Ended:
    """Wait until the requests and WebSockets of users have ended; close the others when the time is over."""
    begin = wait.clock()
    while True:
        left = under_way(runtime, allowed)
        seconds = wait.clock() - begin
        if not left or seconds >= wait.seconds:
            break
        wait.sleep(min(_POLL_SECONDS, max(0.0, wait.seconds - seconds)))
    closed = {
        "requests": sum(not stream.websocket for stream in left),
        "websockets": sum(stream.websocket for stream in left),
    }
    if not left or not close:
        return Ended(not left, round(seconds, 1), dict.fromkeys(closed, 0))
    identifiers = {stream.id for stream in left}
    for identifier in sorted(identifiers):
        # One that has just ended does not exist any more. Whether all have ended is found out below.
        with contextlib.suppress(RuntimeSocketError):
            runtime.command(f"shutdown session {identifier}")
    end = wait.clock() + _CLOSE_SECONDS
    while {stream.id for stream in under_way(runtime, allowed)} & identifiers:
        if wait.clock() >= end:
            raise RuntimeSocketError(f"HAProxy at {runtime.path} did not close all requests and WebSockets. Run again.")
        wait.sleep(_POLL_SECONDS)
    return Ended(False, round(seconds, 1), closed)


def describe(runtime: RuntimeSocket) -> dict[str, t.Any] | None:
    """The state for reports; None if the process has not loaded the lists."""
    found = current(runtime)
    return None if found is None else found.to_dict()


def _parsed(lines: Sequence[str], sources: Sequence[str]) -> Maintenance:
    values = dict(line.split(None, 1) for line in lines if len(line.split()) > 1)
    if RETRY_AFTER not in values:
        return Maintenance(allowed_sources=_readable(sources))
    number = values[RETRY_AFTER].strip()
    seconds = int(number) if number.isdecimal() else 0
    return Maintenance(True, seconds, _readable(sources), values.get(SINCE, "").strip())


def _readable(sources: Sequence[str]) -> tuple[str, ...]:
    """Whoever changed the list by hand may have written anything that HAProxy accepts."""
    try:
        return normalised(sources)
    except ValueError:
        return tuple(sources)


def _file_lines(path: str) -> list[str]:
    with open(path, encoding="utf-8", errors="replace") as stream:
        lines = [line.strip() for line in stream.read(1 << 20).splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


def _is_within(source: str, networks: Sequence[_Network]) -> bool:
    try:
        address = ipaddress.ip_address(source)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return any(address in network for network in networks)
