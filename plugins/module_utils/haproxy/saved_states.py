# Copyright: the ivy.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file of server states that HAProxy loads at a start or reload."""

from __future__ import annotations

import contextlib
import fcntl
import ipaddress
import os
import time
import typing as t

from .new_file import replace_file
from .runtime_socket import RuntimeSocket, RuntimeSocketError

STATE_FILE = "/var/lib/haproxy/server-state"
CONFIGURATION_FILE = "/etc/haproxy/haproxy.cfg"
# Whoever has the lock asks HAProxy once and writes a file.
_LOCK_SECONDS = 20.0
_LOCK_POLL_SECONDS = 0.05


def parse_configured_servers(configuration: str) -> dict[tuple[str, str], tuple[str, str, bool]]:
    """Map (backend, server) to (host, port, whether with TLS), from the text of a configuration."""
    servers = {}
    section = ""
    encrypted = False
    for line in configuration.splitlines():
        words = line.split()
        # A condition (.if) begins no section.
        if not words or words[0].startswith(("#", ".")):
            continue
        if words[0] in ("backend", "listen") and len(words) > 1:
            section, encrypted = words[1], False
        elif line[0] not in " \t":
            section = ""
        elif section and words[0] == "default-server":
            encrypted = encrypted or "ssl" in words
        elif section and words[0] == "server" and len(words) > 2:
            host, separator, port = words[2].rpartition(":")
            if separator and port.isdecimal():
                servers[section, words[1]] = (host.strip("[]"), port, encrypted or "ssl" in words)
    return servers


def reconcile_server_states(states: str, configuration: str) -> str:
    """Replace the addresses in saved states by those of the configuration.

    HAProxy takes port, name and encryption from the saved state, so without this a change would never take effect.
    """
    configured = parse_configured_servers(configuration)
    names: list[str] = []
    lines = []
    for line in states.splitlines():
        if line.startswith("#"):
            names = line.lstrip("# ").split()
        elif line.strip() and names:
            row = dict(zip(names, line.split()))
            endpoint = configured.get((row["be_name"], row["srv_name"]))
            if endpoint is None:
                continue
            host, row["srv_port"], encrypted = endpoint
            if "srv_use_ssl" in row:
                row["srv_use_ssl"] = "1" if encrypted else "0"
            if _is_address(host):
                row.update(srv_addr=host, srv_fqdn="-")
            else:
                row.update(srv_fqdn=host)
            line = " ".join(row.values())
        lines.append(line)
    return "\n".join(lines) + "\n"


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def save_server_states(socket_path: str, configuration_path: str, target: str) -> None:
    """Write the states for HAProxy's next start or reload. If no process answers, the states saved before remain."""
    with _locked(target):
        try:
            states = RuntimeSocket(socket_path).command("show servers state")
        except RuntimeSocketError:
            with open(target, encoding="utf-8") as stream:
                states = stream.read()
        _write(states, configuration_path, target)


def save_changed_states(runtime: RuntimeSocket, configuration_path: str, target: str) -> None:
    """Write the states that somebody has just set, so that they outlive a crash of HAProxy and a power loss."""
    try:
        with _locked(target):
            _write(runtime.command("show servers state"), configuration_path, target)
    except OSError as error:
        raise RuntimeSocketError(
            f"The states that were set in HAProxy at {runtime.path} cannot be saved in {target}, so it would forget "
            f"them if it was killed: {error}. Fix the cause and run again."
        ) from error


@contextlib.contextmanager
def _locked(target: str) -> t.Iterator[None]:
    """Nobody else asks the process and writes the file. So the file has what the process answered last."""
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(f"{target}.lock", flags, 0o600)
    try:
        end = time.monotonic() + _LOCK_SECONDS
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= end:
                    raise
                time.sleep(_LOCK_POLL_SECONDS)
        yield
    finally:
        os.close(descriptor)


def _write(states: str, configuration_path: str, target: str) -> None:
    if states.split("\n", 1)[0].strip() != "1":
        raise RuntimeSocketError(f"the server states have an unknown format. They begin with {states[:60]!r}")
    with open(configuration_path, encoding="utf-8") as stream:
        states = reconcile_server_states(states, stream.read())
    replace_file(target, states)
