# Copyright: the ivy.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lists of nodes in HAProxy's rules: nodes whose cookie is ignored, and nodes that new users prefer.

HAProxy loads each list from a file and can change it while it runs. Both are changed here, so that a list outlives a
reload, a restart and a crash of HAProxy.
"""

from __future__ import annotations

from collections.abc import Sequence

from .new_file import replace_file
from .runtime_socket import RuntimeSocket, RuntimeSocketError

CLOSED_NODES_FILE = "/var/lib/haproxy/closed-nodes"
PREFERRED_NODES_FILE = "/var/lib/haproxy/preferred-nodes"
MOVED_USERS_TABLE = "moved_users"
# HAProxy draws one of these numbers for each new user. Two to six nodes get equal shares.
DRAWS = 60


def closed_nodes(runtime: RuntimeSocket, path: str = CLOSED_NODES_FILE) -> list[str] | None:
    """The nodes whose cookie is ignored; None if the process has no such list."""
    if f"({path})" not in runtime.command("show acl"):
        return None
    return [value for _id, value in entries(runtime.command(f"show acl {path}"))]


def set_closed(runtime: RuntimeSocket, name: str, closed: bool, path: str = CLOSED_NODES_FILE) -> None:
    """Ignore the cookie that names a node, or do not ignore it any more."""
    names = closed_nodes(runtime, path)
    if names is None:
        raise RuntimeSocketError(
            f"HAProxy at {runtime.path} has not loaded {path}, so it cannot ignore a cookie. The playbook site sets it "
            "up."
        )
    if closed == (name in names):
        return
    # The file first: if HAProxy ends in between, its next start does what was requested.
    write_list(path, [*names, name] if closed else [other for other in names if other != name])
    if closed:
        _clear_moved_users(runtime)
    runtime.command(f"{'add' if closed else 'del'} acl {path} {name}")


def preferred_nodes(runtime: RuntimeSocket, path: str = PREFERRED_NODES_FILE) -> list[str] | None:
    """The nodes that new users prefer, sorted; None if the process has no such list."""
    if f"({path})" not in runtime.command("show map"):
        return None
    return sorted({line.split()[1] for _id, line in entries(runtime.command(f"show map {path}"))})


def set_preferred(runtime: RuntimeSocket, names: Sequence[str], path: str = PREFERRED_NODES_FILE) -> None:
    """Replace the nodes that new users prefer."""
    lines = [f"{number} {names[number % len(names)]}" for number in range(DRAWS)] if names else []
    write_list(path, lines)
    replace_list(runtime, "map", path, lines)


def moved_users(runtime: RuntimeSocket) -> int:
    """The number of users whose cookie has been ignored since the last node was closed."""
    try:
        # No entry fulfils the condition, so only the line with their number is printed.
        header = runtime.command(f"show table {MOVED_USERS_TABLE} data.server_id lt 0")
    except RuntimeSocketError:
        return 0
    used = header.partition("used:")[2].split()
    return int(used[0]) if used else 0


def _clear_moved_users(runtime: RuntimeSocket) -> None:
    runtime.command(f"clear table {MOVED_USERS_TABLE}")


def replace_list(runtime: RuntimeSocket, kind: str, path: str, lines: Sequence[str]) -> None:
    """Replace all entries of a list in the process at once, "map" or "acl"."""
    version = runtime.command(f"prepare {kind} {path}").rpartition(":")[2].strip()
    for line in lines:
        runtime.command(f"add {kind} @{version} {path} {line}")
    runtime.command(f"commit {kind} @{version} {path}")


def entries(answer: str) -> list[tuple[str, str]]:
    """Address and content of each entry."""
    pairs = (line.strip().partition(" ") for line in answer.splitlines())
    return [(address, content) for address, _space, content in pairs if content]


def write_list(path: str, lines: Sequence[str]) -> None:
    """Write the file of a list, complete or not at all."""
    try:
        replace_file(path, "".join(f"{line}\n" for line in lines))
    except OSError as error:
        raise RuntimeSocketError(
            f"{path} cannot be written ({error.strerror}). No rule of HAProxy was changed."
        ) from error
