# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses by which hosts cannot reach one another, and ports that two services want."""

from __future__ import annotations

import ipaddress
import re
import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.common.findings import Finding
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.text import listed
from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight.model.inventory import (
    BALANCERS,
    DATABASES,
    ENGINES,
    ETCDS,
    SEARCHES,
    Host,
    Inventory,
    ip,
    is_loopback,
    odd_spelling,
)

# What listens on the hosts of a group, and the option that says where.
PORTS: t.Mapping[str, t.Mapping[str, str]] = {
    BALANCERS: {
        "haproxy_https_port": "HTTPS of the load balancer",
        "haproxy_http_port": "HTTP of the load balancer",
        "haproxy_metrics_port": "metrics of the load balancer",
    },
    ENGINES: {
        "ivy_http_port": "HTTP of the engine",
        "ivy_https_port": "HTTPS of the engine",
        "ivy_jgroups_port": "messages between the nodes",
        "ivy_jgroups_fd_port": "failure detection between the nodes",
    },
    DATABASES: {"ivy_database_port": "the system database"},
    SEARCHES: {
        "ivy_search_port": "the search engine",
        "elasticsearch_transport_port": "data between the search servers",
    },
    ETCDS: {"ivy_etcd_port": "etcd for its clients", "ivy_etcd_peer_port": "etcd for its members"},
}
# Options that are lists of addresses and networks, and whether a name may stand among them.
LISTS: t.Mapping[str, t.Mapping[str, bool]] = {
    BALANCERS: {
        "haproxy_limit_exempt_sources": False,
        "haproxy_metrics_allowed_sources": False,
        "haproxy_proxy_protocol_sources": False,
        "haproxy_system_allowed_sources": False,
        "haproxy_trusted_proxies": False,
    },
    ENGINES: {"engine_allowed_extra": True},
    SEARCHES: {"elasticsearch_allowed_extra": True},
    ETCDS: {"etcd_allowed_extra": True},
    DATABASES: {"postgres_allowed_extra": True},
}
# Options with addresses to listen on, as a list or as one text. Special words of a service are not judged.
LISTENING: t.Mapping[str, t.Sequence[str]] = {
    BALANCERS: ("haproxy_bind_addresses", "haproxy_metrics_address"),
    DATABASES: ("postgres_listen_addresses",),
    SEARCHES: ("elasticsearch_bind_addresses",),
}
_FAILURE_DETECTION = "ivy_jgroups_fd_port"
_ONLY_WITH_TLS = "ivy_https_port"
# Words that a service has for its addresses, as in _site_ and _eth0:ipv4_.
_WORD_OF_SERVICE = re.compile(r"\*|_[A-Za-z0-9.:-]+_")
_LABEL = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)")


def check(inventory: Inventory) -> list[Finding]:
    return [
        *check_addresses(inventory),
        *check_connections(inventory),
        *check_ports(inventory),
        *check_lists(inventory),
        *check_listening(inventory),
    ]


def check_addresses(inventory: Inventory) -> list[Finding]:
    findings = []
    area = "Inventory"
    loopback = [host for host in inventory.hosts if is_loopback(host.address)]
    if loopback:
        problem = "the others would reach it by a loopback address: " + _pairs(loopback)
        advice = "Set ivy_address to one that the other hosts can use."
        place = inventory.place("ivy_address", [host.name for host in loopback])
        findings.append(Finding("address-loopback", area, place, problem, advice))
    for host in inventory.hosts:
        if host in loopback or not (problem := _bad_address(host.raw_address)):
            continue
        code = "address-underscore" if "underscore" in problem else "address-invalid"
        advice = "Set ivy_address to an IP address or to a name that DNS allows."
        findings.append(Finding(code, area, f"ivy_address, on {host.name}", problem, advice))
    for hosts in _by_address(inventory).values():
        nodes = [host for host in hosts if ENGINES in host.groups]
        if len(nodes) > 1:
            problem = f"engine nodes have the same address: {_pairs(nodes)}"
            advice = "Set ivy_address for each."
            findings.append(Finding("address-twice", area, "ivy_address", problem, advice))
        for group in (BALANCERS, DATABASES, SEARCHES):
            same = [host for host in hosts if group in host.groups]
            if len(same) > 1:
                problem = f"hosts of the group {group} have the same address: {_pairs(same)}"
                findings.append(Finding("address-twice", area, "ivy_address", problem, "Set ivy_address for each."))
    return findings


def _bad_address(address: str) -> str:
    spelling = odd_spelling(address)
    if spelling:
        return f"'{address}' cannot be used as it is written: {spelling}"
    found = ip(address)
    if found is not None:
        if found.is_unspecified or found.is_multicast or found.is_link_local:
            return f"{address} is the address of no host that others can reach"
        return ""
    if re.fullmatch(r"[0-9.]+", address):
        return f"'{address}' is not an IP address"
    if all(_LABEL.fullmatch(label) for label in address.split(".")) and len(address) < 254:
        return ""
    if all(_LABEL.fullmatch(label.replace("_", "x")) for label in address.split(".")):
        return f"'{address}' has an underscore, which cannot be part of a certificate or of the Host of a request"
    return f"'{address}' is neither an IP address nor a name"


def check_connections(inventory: Inventory) -> list[Finding]:
    """Hosts that are all this machine: the second would undo what the first got."""
    own = [
        host
        for host in inventory.hosts
        if host.text("ansible_connection") in ("local", "ansible.builtin.local")
        or (is_loopback(host.text("ansible_host") or host.name) and host.text("ansible_port") in ("", "22"))
    ]
    if len(own) < 2:
        return []
    problem = f"{listed([host.name for host in own])} would all be reached on the controller itself"
    advice = "Give each its own ansible_host, or ansible_port where ports are forwarded."
    return [Finding("same-machine", "Inventory", "ansible_host", problem, advice)]


def check_ports(inventory: Inventory) -> list[Finding]:
    findings = []
    wrong: dict[tuple[str, int], list[str]] = {}
    for host in inventory.hosts:
        for option, _what, port in _ports(host):
            if not 0 < port < 65536:
                wrong.setdefault((option, port), []).append(host.name)
    for (option, port), names in wrong.items():
        place = inventory.place(option, names)
        advice = "Use a number from 1 to 65535."
        if option == _FAILURE_DETECTION:
            advice += " The port after it is used, too."
        findings.append(Finding("port-range", "Options", place, f"{port} is not a port", advice))
    clashes: dict[tuple[tuple[str, ...], int], list[str]] = {}
    for hosts in _by_address(inventory).values():
        wanted: dict[int, list[tuple[str, str]]] = {}
        for host in hosts:
            for option, what, port in _ports(host):
                if (option, what) not in wanted.setdefault(port, []):
                    wanted[port].append((option, what))
        for port, services in wanted.items():
            if len(services) > 1:
                key = (tuple(f"{option} ({what})" for option, what in services), port)
                clashes.setdefault(key, []).append(listed([host.name for host in hosts]))
    for (described, port), names in clashes.items():
        problem = f"port {port} is wanted by {' and '.join(described)}"
        advice = "Give each a port of its own, or a host of its own."
        findings.append(Finding("port-collision", "Ports", listed(names), problem, advice))
    return findings


def check_lists(inventory: Inventory) -> list[Finding]:
    findings: list[Finding] = []
    for group, options in LISTS.items():
        for option, names_too in options.items():
            for host in inventory.of(group):
                # Entries that are not text are reported by the option checks.
                entries = [str(entry) for entry in host.items(option) if isinstance(entry, (str, int, float))]
                wrong = [entry for entry in entries if not _is_source(entry, names_too)]
                if not wrong:
                    continue
                kinds = "an address, a network or a name" if names_too else "an address or a network"
                problem = f"{listed(wrong)} is not {kinds}"
                advice = "Write it as in 192.0.2.1, 192.0.2.0/24 or 2001:db8::/32."
                finding = Finding("address-list", "Options", option, problem, advice)
                if finding not in findings:
                    findings.append(finding)
    return findings


def check_listening(inventory: Inventory) -> list[Finding]:
    findings: list[Finding] = []
    for group, options in LISTENING.items():
        for option in options:
            for host in inventory.of(group):
                # What is derived from ivy_address is reported as that.
                given = host.values.get(option) if option in host.given else None
                entries = given if isinstance(given, (list, tuple)) else [given]
                for entry in entries:
                    spelling = _bad_listening(entry) if isinstance(entry, str) else ""
                    problem = f"'{entry}' cannot be used as it is written: {spelling}"
                    finding = Finding("address-list", "Options", option, problem, "Correct it.")
                    if spelling and finding not in findings:
                        findings.append(finding)
    return findings


def _bad_listening(entry: str) -> str:
    spelling = odd_spelling(entry)
    if spelling or ip(entry) is not None or _WORD_OF_SERVICE.fullmatch(entry):
        return spelling
    is_name = all(_LABEL.fullmatch(label) for label in entry.replace("_", "x").split("."))
    return (
        "" if is_name and not re.fullmatch(r"[0-9.]+", entry) else "it is neither an address nor a name, without a port"
    )


def _is_source(text: str, names_too: bool) -> bool:
    address, slash, length = text.partition("/")
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        # Digits and dots alone are meant as an address.
        may_be_name = names_too and not slash and not re.fullmatch(r"[0-9.]*", text)
        labels = text.removesuffix(".").replace("_", "x").split(".")
        return may_be_name and all(_LABEL.fullmatch(label) for label in labels)
    return "%" not in address and (not slash or length.isdecimal())


def _ports(host: Host) -> t.Iterator[tuple[str, str, int]]:
    for group, options in PORTS.items():
        if group in host.groups:
            for option, what in options.items():
                port = host.number(option)
                if option == _ONLY_WITH_TLS and host.text("ivy_node_tls") == "disable":
                    continue
                if port is not None:
                    yield option, what, port
                    if option == _FAILURE_DETECTION:
                        # Where its own port is not free yet.
                        yield option, f"{what}, second port", port + 1


def _by_address(inventory: Inventory) -> dict[str, list[Host]]:
    found: dict[str, list[Host]] = {}
    for host in inventory.hosts:
        # One form for each: an IPv6 address can be written in many.
        address = str(ip(host.address) or host.address.lower())
        # Loopback is a finding of its own, and says nothing about which hosts are the same.
        found.setdefault(host.name if is_loopback(address) else address, []).append(host)
    return found


def _pairs(hosts: t.Iterable[Host]) -> str:
    return listed([f"{host.name}={host.address}" for host in hosts])
