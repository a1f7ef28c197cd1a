# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gathers everything that preflight needs from a host in one call."""

from __future__ import annotations

import os
import re
import socket
import typing as t

from . import disk, firewall, network, packages, port_listener, ports, share, system, virtual_address

_TOKEN = re.compile(r"[A-Za-z0-9]{1,64}\Z")
_NAME = re.compile(r"[A-Za-z0-9._-]+\Z")
# Port listeners of another run have ended by then, unless the run was killed.
_OTHERS_SECONDS = 10.0


def invalid(params: t.Mapping[str, t.Any]) -> str:
    """Why the parameters cannot be used; empty if they are valid."""
    if not _TOKEN.match(params["token"]):
        return "token becomes part of a file name, so it may contain only letters and digits."
    if params["share"] and not _NAME.match(params["share"]["name"]):
        return (
            f"share.name: '{params['share']['name']}' becomes part of a file name, so it may contain only letters, "
            "digits, dots, hyphens and underscores."
        )
    return ""


def open_listeners(
    requested: t.Sequence[t.Mapping[str, t.Any]], states: t.Sequence[dict[str, t.Any]]
) -> list[tuple[int, socket.socket]]:
    """Listen on each requested port that no process holds and no service is about to use."""
    opened = []
    for request, state in zip(requested, states):
        if request["listen"] and not state["holders"] and state["quiet"]:
            try:
                opened.append((int(request["port"]), port_listener.open_socket(int(request["port"]))))
            except OSError as exc:
                state["error"] = exc.strerror or str(exc)
    return opened


def gather(params: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The facts of the host. Starts a port listener if there are ports or a share to test."""
    hostname = socket.gethostname()
    under_way = port_listener.wait_for_others(_OTHERS_SECONDS) if params["ports"] else []
    states = ports.gather(params["ports"])
    if under_way:
        ports.exclude(states, under_way)
    result: dict[str, t.Any] = {
        "uid": os.geteuid(),
        "system": system.gather(params["time_zone"], params["locale"]),
        "disks": [disk.gather(path) for path in params["paths"]],
        "installed": disk.find_installed(params["installed"]),
        "ports": states,
        "firewall": firewall.gather(),
        "names": network.resolve_all([*params["names"], hostname]),
        "hostname": hostname,
        "packages": packages.gather(params["packages"]),
        "trusted": system.read_text(params["trust_file"]) if params["trust_file"] else "",
    }
    asked = params.get("virtual_address")
    if asked is not None:
        result["virtual_address"] = virtual_address.inspect(asked["address"], asked["interface"], asked["own"])
    file, lock = None, -1
    if params["share"] is not None:
        result.update(_share(params["share"], params["token"]))
        probe = result["probe"]
        if probe["path"]:
            file = (probe["path"], probe["uid"], probe["gid"])
            lock, probe["lock_error"] = share.hold(*file)
    opened = [] if under_way else open_listeners(params["ports"], states)
    if any("error" in state for state in states):
        # Another run opened its listeners at the same moment.
        under_way = port_listener.others()
    result["under_way"] = under_way
    result["listening"] = [port for port, _socket in opened]
    if opened or file:
        result["listener"] = port_listener.start(
            [listener for _port, listener in opened], params["token"], file, params["seconds"], lock
        )
    return result


def _share(options: t.Mapping[str, t.Any], token: str) -> dict[str, t.Any]:
    uid, gid = options["uid"], options["gid"]
    return {
        "accounts": system.accounts(options["user"], options["group"], uid, gid),
        "mount": share.mount_of(options["root"], system.read_text("/proc/self/mountinfo")),
        "probe": share.write(options["root"], options["directory"], token, options["name"], uid, gid),
    }
