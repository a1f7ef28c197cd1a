# Copyright: the ivy.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HAProxy's runtime socket: one class that talks, and functions that understand the answers."""

from __future__ import annotations

import csv
import hashlib
import io
import ipaddress
import os
import re
import socket
import ssl
from dataclasses import dataclass
from typing import Any

# Bits of srv_admin_state in `show servers state` (HAProxy's enum srv_admin).
_MAINTENANCE_BITS = 0x01 | 0x02 | 0x04 | 0x20 | 0x40
_DRAIN_BITS = 0x08 | 0x10

# What the socket answers to a command that it refuses; the answers of successful commands never begin like this.
_REFUSALS = (
    "Unknown command",
    "Permission denied",
    "No such",
    "Can't find",
    "Require",
    "Invalid",
    "Missing",
    "A server name",
    "Proxy is disabled",
    "Backend does not",
    "Unsupported",
)

_PEM_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


class RuntimeSocketError(Exception):
    """The socket cannot be reached, or HAProxy refused a command. The text is meant for a person."""


class RuntimeSocket:
    """One HAProxy process, spoken to through its UNIX socket; each command is a connection of its own."""

    def __init__(self, path: str, timeout: float = 10.0) -> None:
        self.path = path
        self.timeout = timeout

    def command(self, text: str) -> str:
        """Send one command and return the whole answer. A refusal is an error."""
        if "\n" in text or ";" in text:
            raise RuntimeSocketError(f"A command for HAProxy's socket must be one line without a semicolon: {text!r}.")
        answer = self._exchange(text + "\n")
        if answer.lstrip().startswith(_REFUSALS):
            first_line = answer.strip().splitlines()[0]
            raise RuntimeSocketError(f"HAProxy at {self.path} refused '{text}': {first_line}")
        return answer

    def _exchange(self, text: str) -> str:
        chunks: list[bytes] = []
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.settimeout(self.timeout)
                connection.connect(self.path)
                connection.sendall(text.encode("utf-8"))
                while True:
                    chunk = connection.recv(65536)
                    if not chunk:
                        break
                    chunks.append(chunk)
        except OSError as error:
            raise RuntimeSocketError(
                f"HAProxy's runtime socket {self.path} cannot be used: {error}. Is haproxy.service running?"
            ) from error
        return b"".join(chunks).decode("utf-8", "replace")


@dataclass(frozen=True)
class ServerState:
    """What `show servers state` knows beyond the statistics: what an administrator asked for."""

    backend: str
    name: str
    address: str
    port: int
    admin_state: str


def parse_info(text: str) -> dict[str, str]:
    """Understand `show info`."""
    pairs = (line.partition(":") for line in text.splitlines())
    return {key.strip(): value.strip() for key, separator, value in pairs if separator}


def parse_statistics(text: str) -> list[dict[str, str]]:
    """Understand `show stat`: CSV whose header line begins with a hash."""
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines or not lines[0].startswith("# "):
        raise RuntimeSocketError(f"HAProxy's statistics cannot be understood: they begin with {text[:60]!r}.")
    return list(csv.DictReader(io.StringIO("\n".join([lines[0][2:], *lines[1:]]))))


def parse_server_states(text: str) -> list[ServerState]:
    """Understand `show servers state`, format 1."""
    lines = text.splitlines()
    if not lines or lines[0].strip() != "1":
        raise RuntimeSocketError(f"HAProxy's server states have a format that is not known: {text[:60]!r}.")
    names: list[str] = []
    states = []
    for line in lines[1:]:
        fields = line.lstrip("# ").split()
        if line.startswith("#"):
            names = fields
        elif fields:
            row = dict(zip(names, fields))
            states.append(
                ServerState(
                    backend=row["be_name"],
                    name=row["srv_name"],
                    address=row["srv_addr"],
                    port=int(row["srv_port"]),
                    admin_state=admin_state(int(row["srv_admin_state"])),
                )
            )
    return states


def admin_state(bits: int) -> str:
    """Say in HAProxy's own words what an administrator asked for; maintenance outweighs drain."""
    if bits & _MAINTENANCE_BITS:
        return "maint"
    if bits & _DRAIN_BITS:
        return "drain"
    return "ready"


def parse_configured_servers(configuration: str) -> dict[tuple[str, str], tuple[str, str]]:
    """Find (host, port) of each (backend, server) in the text of a configuration."""
    servers = {}
    section = ""
    for line in configuration.splitlines():
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if words[0] in ("backend", "listen") and len(words) > 1:
            section = words[1]
        elif line[0] not in " \t":
            section = ""
        elif section and words[0] == "server" and len(words) > 2:
            host, separator, port = words[2].rpartition(":")
            if separator and port.isdigit():
                servers[section, words[1]] = (host.strip("[]"), port)
    return servers


def reconcile_server_states(states: str, configuration: str) -> str:
    """Give the saved states the addresses of the configuration.

    HAProxy takes port and name from the saved state, so without this a changed port would never come into force.
    """
    configured = parse_configured_servers(configuration)
    names: list[str] = []
    lines = []
    for line in states.splitlines():
        if line.startswith("#"):
            names = line.lstrip("# ").split()
        elif line.strip() and names:
            row = dict(zip(names, line.split()))
            place = configured.get((row["be_name"], row["srv_name"]))
            if place is None:
                continue
            row["srv_port"] = place[1]
            if _is_address(place[0]):
                row.update(srv_addr=place[0], srv_fqdn="-")
            else:
                row.update(srv_fqdn=place[0])
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
    """Write the states for HAProxy's next start or reload; when no process answers, keep those saved before."""
    try:
        states = RuntimeSocket(socket_path).command("show servers state")
    except RuntimeSocketError:
        with open(target, encoding="utf-8") as stream:
            states = stream.read()
    if states.split("\n", 1)[0].strip() != "1":
        raise RuntimeSocketError(f"the server states have a format that is not known: {states[:60]!r}")
    with open(configuration_path, encoding="utf-8") as stream:
        states = reconcile_server_states(states, stream.read())
    temporary = target + ".new"
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as stream:
        stream.write(states)
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(temporary, target)


def describe_servers(statistics: list[dict[str, str]], states: list[ServerState]) -> list[dict[str, Any]]:
    """Join statistics and states into one entry for each server."""
    asked_for = {(state.backend, state.name): state for state in states}
    servers = []
    for row in statistics:
        if row["svname"] in ("FRONTEND", "BACKEND") or row.get("type") != "2":
            continue
        state = asked_for.get((row["pxname"], row["svname"]))
        servers.append(
            {
                "backend": row["pxname"],
                "name": row["svname"],
                "address": row.get("addr") or (f"{state.address}:{state.port}" if state else ""),
                "status": row["status"],
                "up": is_up(row["status"]),
                "check": {
                    "status": row.get("check_status", "").lstrip("* "),
                    "code": row.get("check_code", ""),
                    "reason": row.get("last_chk") or row.get("check_desc", ""),
                },
                "admin_state": state.admin_state if state else "ready",
                "sessions": _number(row.get("scur")),
                "sessions_total": _number(row.get("stot")),
                "queue": _number(row.get("qcur")),
                "weight": _number(row.get("weight")),
                "seconds_since_change": _number(row.get("lastchg")),
            }
        )
    return servers


def is_up(status: str) -> bool:
    """Tell whether a server is up for good: `UP 1/3` is about to go down, `DRAIN` takes no new users."""
    return status in ("UP", "no check")


def parse_certificate(text: str) -> dict[str, str]:
    """Understand `show ssl cert <file>`."""
    return parse_info(text)


def fingerprint(pem: str) -> str:
    """SHA-1 of the first certificate in a PEM text, written as HAProxy writes it."""
    match = _PEM_CERTIFICATE.search(pem)
    if not match:
        return ""
    return hashlib.sha1(ssl.PEM_cert_to_DER_cert(match.group(0)), usedforsecurity=False).hexdigest().upper()


def _number(text: str | None) -> int:
    return int(text) if text else 0


def authority_ends(path: str) -> dict[str, int]:
    """When each authority of a file ends, by its name; none where there is no such file."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(path)
    except OSError:
        return {}
    found = {}
    for authority in context.get_ca_certs():
        names = dict(pair for part in authority.get("subject", ()) for pair in part)  # type: ignore[misc]
        found[str(names.get("commonName") or path)] = int(ssl.cert_time_to_seconds(str(authority["notAfter"])))
    return found


def loaded_certificate_ends(runtime: RuntimeSocket) -> dict[str, int]:
    """When each certificate that the process serves ends, by its file."""
    listed = runtime.command("show ssl cert").splitlines()
    paths = [line.strip() for line in listed if line.strip() and not line.startswith(("#", "*"))]
    told = {path: parse_info(runtime.command(f"show ssl cert {path}")) for path in paths}
    return {path: int(ssl.cert_time_to_seconds(one["notAfter"])) for path, one in told.items() if "notAfter" in one}


def write_certificate_metrics(socket_path: str, authority: str, directory: str) -> None:
    """A text file for a Prometheus node exporter; no directory, no collector."""
    if not os.path.isdir(directory):
        return
    ends = [("authority", name, end) for name, end in authority_ends(authority).items()]
    ends += [("balancer", name, end) for name, end in loaded_certificate_ends(RuntimeSocket(socket_path)).items()]
    metric = "ivy_certificate_expiry_timestamp_seconds"
    lines = [f"# HELP {metric} When a certificate ends.", f"# TYPE {metric} gauge"]
    for kind, name, end in ends:
        quoted = name.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
        lines.append(f'{metric}{{kind="{kind}",name="{quoted}"}} {end}')
    file = os.path.join(directory, "ivy_certificates.prom")
    with open(f"{file}.new", "w", encoding="utf-8") as stream:
        os.fchmod(stream.fileno(), 0o644)
        stream.write("\n".join(lines) + "\n")
    os.replace(f"{file}.new", file)
