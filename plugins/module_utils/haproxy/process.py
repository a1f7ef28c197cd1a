# Copyright: the ivy.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The running HAProxy process, and whether it needs a reload."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from typing import Any

from . import maintenance
from .certificates import describe_authorities, describe_certificates
from .node_lists import closed_nodes, preferred_nodes
from .runtime_socket import RuntimeSocket, parse_info
from .servers import describe_servers, parse_server_states, parse_statistics

_SSO = "sso:"


def describe_process(answer: str) -> dict[str, Any]:
    """Parse `show info`."""
    info = parse_info(answer)
    return {
        "version": info.get("Version", ""),
        "pid": int(info["Pid"]),
        "started": int(info.get("Start_time_sec") or time.time() - int(info["Uptime_sec"])),
        "connections": int(info.get("CurrConns", 0)),
        "description": info.get("description", ""),
    }


def configured_descriptions(configuration: str) -> list[str]:
    """The values of `description` in a configuration."""
    lines = (line.split(None, 1) for line in configuration.splitlines())
    return [words[1].strip().strip('"') for words in lines if len(words) > 1 and words[0] == "description"]


def sso_headers(descriptions: Iterable[str]) -> list[str]:
    """The headers of the single sign-on that a configuration of the role removes, as its description lists them."""
    words = [text.split() for text in descriptions if text.startswith("ivy-cluster ")]
    return sorted({word[len(_SSO) :].lower() for of in words for word in of if word.startswith(_SSO)} - {""})


def changed_after(path: str, started: int) -> bool:
    """Whether a file was changed in a later second than the one in which the process started.

    If the second of the start counted too, a file written just before a reload would require reloads forever.
    """
    try:
        return int(os.stat(path).st_ctime) > started
    except OSError:
        return False


def reload_reasons(
    process: dict[str, Any], certificates: Sequence[dict[str, Any]], digest: str, files: Sequence[str]
) -> list[str]:
    """What differs between the process and the files on disk."""
    reasons = []
    if digest and digest not in process["description"].split():
        reasons.append("The process has loaded a different configuration from the one on disk.")
    reasons.extend(
        f"{path} was changed after the process started." for path in files if changed_after(path, process["started"])
    )
    reasons.extend(
        f"The certificate in {certificate['file']} is not the one that the process serves."
        for certificate in certificates
        if not certificate["current"]
    )
    return reasons


def inspect(runtime: RuntimeSocket, digest: str, files: Sequence[str], authority_file: str) -> dict[str, Any]:
    """The process, its servers and certificates, and whether it needs a reload."""
    process = describe_process(runtime.command("show info"))
    servers = describe_servers(
        parse_statistics(runtime.command("show stat")),
        parse_server_states(runtime.command("show servers state")),
    )
    closed = closed_nodes(runtime)
    certificates = describe_certificates(runtime, time.time())
    reasons = reload_reasons(process, certificates, digest, files)
    return {
        "process": process,
        "servers": [{**server, "cookie_ignored": server["name"] in (closed or [])} for server in servers],
        "drains": closed is not None,
        "preferred": preferred_nodes(runtime) or [],
        "maintenance": maintenance.describe(runtime),
        "certificates": certificates,
        "authorities": describe_authorities(authority_file, time.time()),
        "reload_required": bool(reasons),
        "reload_reasons": reasons,
    }
