# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges the network between the hosts: who holds a port, who finds whom by which name, who reaches whom."""

from __future__ import annotations

import dataclasses
import ipaddress
import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.common.findings import WARNING, Finding
from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight.model.host_facts import Look, Looks
from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight.model.host_requirements import (
    Port,
    is_address,
)

# Who connects to whose ports. The engine nodes connect to the engine's HTTP port of another one for nothing.
_CLIENTS: dict[str, dict[str, tuple[str, ...]]] = {
    "load_balancers": {
        "engine_nodes": ("ivy_http_port", "ivy_https_port"),
        "database_servers": ("ivy_patroni_port",),
        "search_servers": ("ivy_search_port",),
    },
    "search_servers": {"search_servers": ("elasticsearch_transport_port",)},
    "engine_nodes": {
        "engine_nodes": ("ivy_jgroups_port", "ivy_jgroups_fd_port"),
        "database_servers": ("ivy_database_port",),
        "search_servers": ("ivy_search_port",),
        # The front end of several search servers.
        "load_balancers": ("ivy_search_port",),
    },
    "database_servers": {
        "etcd_members": ("ivy_etcd_port",),
        "database_servers": ("ivy_database_port", "ivy_patroni_port"),
    },
    "etcd_members": {"etcd_members": ("ivy_etcd_port", "ivy_etcd_peer_port")},
}
# JGroups logs a warning for each foreign connection.
_LINKED_IS_ENOUGH = ("ivy_jgroups_port", "ivy_jgroups_fd_port")
# An upgrade of the engine may exchange the product.
_REPLACED = {
    "opensearch.service": "elasticsearch.service",
    "elasticsearch.service": "opensearch.service",
}
_INSTEAD = {"database_servers": "ivy_database_host", "search_servers": "ivy_search_url"}


@dataclasses.dataclass(frozen=True)
class Question:
    """One connection to try from a host."""

    host: str
    purpose: str
    option: str
    address: str
    port: int
    token: str = ""
    linked_is_enough: bool = False

    def arguments(self) -> dict[str, t.Any]:
        names = ("address", "port", "token", "linked_is_enough")
        return {name: getattr(self, name) for name in names}


def questions(looks: Looks, host: str) -> list[Question]:
    """Whom a host is to try: services that run, and listeners that stand for those that do not run yet."""
    look = looks.get(host)
    if look is None or not look.seen_at_all:
        return []
    outside = {target.option for target in look.plan.external}
    found = []
    for client in look.plan.groups:
        for server, options in _CLIENTS.get(client, {}).items():
            if _INSTEAD.get(server) in outside:
                continue
            for other in looks.values():
                if other.host != host and other.in_group(server) and other.seen_at_all:
                    found += [one for one in _services(other) if one.option in options]
    found += [Question("", one.purpose, one.option, one.address, one.port) for one in look.plan.external]
    return list(dict.fromkeys(found))


def _services(look: Look) -> t.Iterator[Question]:
    for port, state in zip(look.plan.ports, look.seen["ports"], strict=False):
        listening = port.port in look.seen["listening"]
        # What listens on loopback only was not configured yet, and nobody else can reach it before it is.
        running = state["holders"] and not _foreign(port, state["holders"]) and not state.get("local_only")
        if listening or running:
            token = look.token if listening else ""
            linked = port.option in _LINKED_IS_ENOUGH
            yield Question(look.host, port.purpose, port.option, look.plan.address, port.port, token, linked)


def _foreign(port: Port, holders: t.Sequence[t.Mapping[str, t.Any]]) -> list[t.Mapping[str, t.Any]]:
    """Those who hold a port that is not theirs. The role elasticsearch stops the product that the new one replaces."""
    own = (port.unit, _REPLACED.get(port.unit))
    return [one for one in holders if one["unit"] not in own]


def ports(look: Look) -> t.Iterator[Finding]:
    under_way = look.seen.get("under_way")
    if under_way:
        what = "another preflight is running on this host, so not all ports could be checked"
        yield Finding(
            "preflight-under-way",
            "Ports",
            look.host,
            what,
            "It releases the ports within three minutes; then run again",
        )
    for port, state in zip(look.plan.ports, look.seen["ports"], strict=False):
        for one in _foreign(port, state["holders"]):
            details = [f"pid {one['pid']}"] if one["pid"] else []
            details += [f"unit {one['unit']}"] if one["unit"] else []
            details += [f"user {one['user']}"]
            who = f"{one['program'] or 'an unknown program'} ({', '.join(details)})"
            what = f"port {port.port} ({port.purpose}) is held by {who}"
            advice = f"Stop that program or give it another port, or choose another one in {port.option}"
            yield Finding("port-held", "Ports", look.host, what, advice)
        if state.get("error") and not under_way:
            what = f"port {port.port} ({port.purpose}) cannot be listened on ({state['error']})"
            yield Finding(
                "port-unusable", "Ports", look.host, what, f"Find the program that uses it, or change {port.option}"
            )


def _loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address.partition("%")[0]).is_loopback
    except ValueError:
        return False


def names(looks: Looks) -> t.Iterator[Finding]:
    """Each name as the hosts that need it see it; a host's own address and its own name."""
    own = {look.plan.address: look.host for look in looks.values() if look.plan.address}
    by_name: dict[str, dict[str, tuple[str, ...]]] = {}
    for look in looks.values():
        for name in look.plan.names:
            by_name.setdefault(name, {})[look.host] = tuple(look.seen["names"].get(name, ()))
        yield from _hostname(look)
    for name, seen in by_name.items():
        at = f"{name} ({own[name]})" if name in own and own[name] != name else name
        for host, addresses in seen.items():
            if not addresses:
                advice = (
                    "Put it into DNS or into /etc/hosts of every host, or use its address in ivy_address or "
                    "the option that names it"
                )
                yield Finding("name-unresolved", "Names", host, f"it cannot resolve {at}", advice)
            elif own.get(name) == host and any(map(_loopback, addresses)):
                what = (
                    f"it resolves its own name {name} to {', '.join(addresses)}, so its services would listen "
                    "where no peer comes"
                )
                advice = (
                    "Correct /etc/hosts (Debian writes 127.0.1.1 there), or set ivy_address to the address "
                    "that peers use"
                )
                yield Finding("own-name-loopback", "Names", host, what, advice)
            elif any(map(_loopback, addresses)):
                what = f"it resolves {at} to {', '.join(addresses)}, which is itself"
                yield Finding("name-loopback", "Names", host, what, "Correct /etc/hosts or DNS there")
        distinct = {
            tuple(address for address in addresses if not _loopback(address)) for addresses in seen.values()
        } - {()}
        if len(distinct) > 1:
            shown = "; ".join(f"{host} {', '.join(addresses)}" for host, addresses in sorted(seen.items()) if addresses)
            where = ", ".join(sorted(host for host, addresses in seen.items() if addresses))
            advice = "Correct /etc/hosts or DNS, so that all mean the same host"
            yield Finding("name-differs", "Names", where, f"they resolve {at} to different addresses ({shown})", advice)


def _hostname(look: Look) -> t.Iterator[Finding]:
    """Programs that ask for the host's name get an address that no peer can use; the engine's own is ivy_address."""
    name = look.seen["hostname"]
    addresses = look.seen["names"].get(name, ())
    if look.in_group("engine_nodes") and name != look.plan.address and any(map(_loopback, addresses)):
        what = f"it resolves its own name {name} to {', '.join(addresses)}"
        advice = (
            "Write its real address into /etc/hosts there (Debian writes 127.0.1.1), since applications may "
            "announce this name to their peers"
        )
        yield Finding("hostname-loopback", "Names", look.host, what, advice, WARNING)


def _will_be_allowed(server: Look | None, port: int, client: Look) -> bool:
    """Whether the server's rules for this port do not know the client yet, for example because it is a new node."""
    if server is None:
        return False
    chains = [chain for chain in server.seen.get("firewall", ()) if port in chain["ports"]]
    own = client.plan.address
    try:
        addresses = [
            ipaddress.ip_address(one) for one in ([own] if is_address(own) else server.seen["names"].get(own, ()))
        ]
        networks = [ipaddress.ip_network(one, strict=False) for chain in chains for one in chain["addresses"]]
    except ValueError:
        return False
    return bool(chains and addresses) and not any(address in network for address in addresses for network in networks)


def reached(looks: Looks) -> t.Iterator[Finding]:
    for look in looks.values():
        if look.reached is None:
            continue
        for question, error in zip(questions(looks, look.host), look.reached, strict=False):
            if not error or _will_be_allowed(looks.get(question.host), question.port, look):
                continue
            whom = f"{question.host} " if question.host else ""
            address = question.address if is_address(question.address) else f"{question.address}"
            what = f"it does not reach {whom}({address}) on port {question.port}, {question.purpose} ({error})"
            advice = "Open the port from there in the firewalls between them, and check the route"
            if question.host:
                advice += "; if that address is another host's, correct ivy_address"
            else:
                advice += f", or correct {question.option}"
            yield Finding("not-reached", "Network", look.host, what, advice)
