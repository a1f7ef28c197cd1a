# Copyright: the ivy.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restrictions 1 and 2 where the engines reach a service through the load balancers, one hop after the other.

A server sees the address of the load balancer only. The connections of a load balancer have both ends: those of the
nodes, and those to the servers.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.common.commands import command
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.text import count, listed
from ansible_collections.ivy.cluster.plugins.plugin_utils.node.snapshot import (
    Endpoint,
    FactError,
    Host,
    Result,
    Service,
    Snapshot,
)
from ansible_collections.ivy.cluster.plugins.plugin_utils.verify.checks.results import (
    DATABASE,
    SEARCH,
    Row,
    failed,
    host_rows,
    passed,
)
from ansible_collections.ivy.cluster.plugins.plugin_utils.verify.members import database as members


@dataclasses.dataclass(frozen=True)
class Relay:
    """The connections of one load balancer for one service."""

    name: str
    # The peers of the front end, and for each server the connections to it by their own end.
    clients: t.Collection[str]
    servers: t.Mapping[str, t.Collection[Endpoint]]

    @property
    def ends(self) -> set[Endpoint]:
        return {end for ends in self.servers.values() for end in ends}

    def nodes(self, facts: Snapshot) -> list[str]:
        """The running nodes that are connected to the front end."""
        return [node.name for node in facts.running if addresses_of(node) & set(self.clients)]

    @property
    def targets(self) -> str:
        return listed(f"{name} ({count(len(ends), 'connection')})" for name, ends in sorted(self.servers.items()))


def addresses_of(node: Host) -> set[str]:
    """The addresses under which other hosts list the node; empty if they are unknown."""
    try:
        own = {connection["local_address"] for connection in node.fact("connections", "connections")}
        return {*node.fact("connections", "addresses"), *own}
    except FactError:
        return set()


def is_login(user: str, owner: str) -> bool:
    """Whether the engines log in with this role. During a rotation of the password, they have two."""
    return user == owner or re.fullmatch(rf"{re.escape(owner)}_[0-9a-f]{{8}}", user) is not None


def _relay(facts: Snapshot, host: Host, service: Service, servers: t.Collection[str]) -> Relay:
    resolved = host.fact("relay", "resolved")
    names: dict[str, str] = {}
    for server in (facts.hosts[name] for name in servers if name in facts.hosts):
        names.update(dict.fromkeys(resolved.get(server.address) or [server.address], server.name))
    clients: set[str] = set()
    found: dict[str, set[Endpoint]] = {}
    for one in host.fact("relay", "connections"):
        if one["direction"] == "in" and one["local_port"] == service.port:
            clients.add(str(one["remote_address"]))
        elif one["direction"] == "out" and one["remote_port"] == service.port:
            address = str(one["remote_address"])
            found.setdefault(names.get(address, address), set()).add((one["local_address"], one["local_port"]))
    return Relay(host.name, clients, found)


def _reached(facts: Snapshot) -> list[Host]:
    return [facts.hosts[name] for name in facts.balancers if name in facts.hosts and facts.hosts[name].reachable]


def problems_of(facts: Snapshot, node: Host, service: Service, servers: t.Collection[str]) -> list[str]:
    """Why the way of a node ends before the load balancers; empty if one of them has its connections."""
    balancers = _reached(facts)
    if len(balancers) < len(facts.balancers):
        # One that this run does not know may have them.
        return []
    try:
        relays = [_relay(facts, host, service, servers) for host in balancers]
    except FactError:
        return []
    return [] if any(node.name in one.nodes(facts) for one in relays) else ["no load balancer has a connection from it"]


def database_rows(facts: Snapshot, sessions: t.Sequence[Result] | None) -> list[Row]:
    """Each load balancer that nodes are connected to passes their connections on to the primary, and to no other."""
    state = members.gather(facts)

    def row(host: Host) -> Row:
        relay = _relay(facts, host, facts.database, facts.patroni_members)
        nodes = relay.nodes(facts)
        if not nodes:
            return passed(DATABASE, host.name, "no engine node is connected to it")
        if not state.primary:
            return _failed(DATABASE, host.name, [f"the primary is not known: {state.problem or 'there is none'}"])
        problems = []
        others = [name for name in relay.servers if name != state.primary]
        if others:
            problems.append(f"passes connections on to {listed(sorted(others))}; the primary is {state.primary}")
        if state.primary not in relay.servers:
            problems.append(f"has no connection to the primary {state.primary}")
        text = f"passes the connections of {listed(nodes)} on to the primary {state.primary} only"
        if sessions is not None and not problems:
            number, elsewhere = _sessions(facts, relay, sessions)
            if elsewhere:
                problems.append(f"the primary lists sessions through it in {listed(elsewhere)}")
            if not number:
                problems.append(f"the primary lists no session through it in {facts.database_name}")
            text += f", which lists {count(number, 'session')} through it, all in {facts.database_name}"
        return _failed(DATABASE, host.name, problems) if problems else passed(DATABASE, host.name, text)

    return host_rows(DATABASE, _reached(facts), "the connections that it passes on", row)


def _sessions(facts: Snapshot, relay: Relay, sessions: t.Iterable[Result]) -> tuple[int, list[str]]:
    """The number of expected sessions through a load balancer, and the others.

    Other clients may use the front end as well. Then only sessions of the engines' logins count.
    """
    only_nodes = set(relay.clients) <= {address for node in facts.reached for address in addresses_of(node)}
    expected, others = 0, set()
    for one in sessions:
        if (one.get("client_addr"), one.get("client_port")) not in relay.ends:
            continue
        database, user = one.get("datname"), str(one.get("usename"))
        login = is_login(user, facts.database_user)
        if login and database == facts.database_name:
            expected += 1
        elif login or only_nodes:
            others.add(f"{database} as {user}")
    return expected, sorted(others)


def search_rows(facts: Snapshot) -> list[Row]:
    """Each load balancer that nodes are connected to passes their requests on to members of the search cluster only."""

    def row(host: Host) -> Row:
        relay = _relay(facts, host, facts.search, facts.search_servers)
        nodes = relay.nodes(facts)
        if not nodes:
            return passed(SEARCH, host.name, "no engine node is connected to it")
        others = [name for name in relay.servers if name not in facts.search_servers]
        if others:
            return _failed(SEARCH, host.name, [f"passes requests on to {listed(sorted(others))}"])
        # It closes a connection that it does not need.
        targets = relay.targets or "none at the moment"
        return passed(
            SEARCH, host.name, f"passes the requests of {listed(nodes)} on to members of one cluster: {targets}"
        )

    return host_rows(SEARCH, _reached(facts), "the connections that it passes on", row)


def _failed(check: str, name: str, problems: t.Sequence[str]) -> Row:
    fix = f"To restore the configuration of the load balancer, run: {command('site', '--limit', 'load_balancers')}"
    return failed(check, name, "; ".join(problems), fix)
