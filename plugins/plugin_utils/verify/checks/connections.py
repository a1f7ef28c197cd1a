# Copyright: the ivy.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restrictions 1 and 2: every node uses the same system database and the same search engine.

The checks use the connections of the running processes, not the configuration.
"""

from __future__ import annotations

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
    login_problem,
)
from ansible_collections.ivy.cluster.plugins.plugin_utils.verify.checks import relays
from ansible_collections.ivy.cluster.plugins.plugin_utils.verify.checks.results import (
    DATABASE,
    ONLY_NODES,
    SEARCH,
    Row,
    failed,
    host_rows,
    passed,
    running_rows,
    skipped,
)
from ansible_collections.ivy.cluster.plugins.plugin_utils.verify.members import database as members

# Common ports of PostgreSQL, a connection pooler, Elasticsearch and OpenSearch. A connection to one of these elsewhere
# means a second database or search engine.
_DATABASE_PORTS = frozenset(range(5432, 5440)) | {6432}
_SEARCH_PORTS = frozenset(range(9200, 9300))


def check_database(facts: Snapshot) -> list[Row]:
    relayed = "database" in facts.relayed
    name = members.gather(facts).primary if relayed else facts.database.host
    server = facts.hosts.get(name)
    rows: list[Row] = []
    sessions: list[Result] | None = None
    if not name and not relayed:
        rows.append(
            skipped(
                DATABASE,
                str(facts.database),
                "no host of database_servers has this address, so its list of sessions is not available; only the "
                "nodes' connections were checked",
            )
        )
    elif name and server is None:
        rows.append(skipped(DATABASE, name, ONLY_NODES))
    elif server is not None and server.reachable:
        sessions, rows = _server_rows(server)
    if relayed:
        rows += relays.database_rows(facts, sessions)
    return rows + running_rows(
        DATABASE, facts, "the engine's connections", lambda node: _database_row(facts, node, sessions)
    )


def _server_rows(server: Host) -> tuple[list[Result] | None, list[Row]]:
    """The sessions of the database server if they could be read, and what is wrong on it."""
    rows: list[Row] = []
    sessions: list[Result] | None = None
    try:
        sessions = list(server.fact("sessions", "query_result"))
    except FactError as exc:
        rows.append(
            failed(
                DATABASE,
                server.name,
                f"its list of sessions could not be read: {exc}",
                "Check that PostgreSQL runs there: systemctl status postgresql.",
            )
        )
    problem = login_problem(server)
    if problem:
        rows.append(
            failed(
                DATABASE,
                server.name,
                f"an engine could not open a new connection, since the login was changed there: {problem}",
                f"To restore the login, run: {command('site')}",
            )
        )
    return sessions, rows


def _database_row(facts: Snapshot, node: Host, sessions: list[Result] | None) -> Row:
    own = _outgoing(node)
    expected = _endpoints(node, facts.database)
    connected = _to(own, expected)
    problems = _elsewhere(own, expected, _DATABASE_PORTS | {facts.database.port}, facts.other_services, "database")
    if not connected:
        problems.append(f"no connection to {facts.database}")
    text = f"{count(len(connected), 'connection')} to {facts.database}, none elsewhere"
    if "database" in facts.relayed:
        problems += relays.problems_of(facts, node, facts.database, facts.patroni_members)
    elif sessions is not None:
        number, others = _sessions_of(facts, node, own, sessions)
        if others:
            problems.append(f"the database lists its sessions in {listed(others)}")
        if not number:
            problems.append(f"the database lists no session of {facts.database_user} in {facts.database_name}")
        text += f"; the database lists {count(number, 'session')}, all in {facts.database_name}"
    return _connected_row(DATABASE, node, problems, text, facts.database)


def _sessions_of(facts: Snapshot, node: Host, own: list[Result], sessions: list[Result]) -> tuple[int, list[str]]:
    """The number of expected sessions of the engine, and its others.

    Sessions of other programs on the node, such as psql, are ignored.
    """
    addresses = relays.addresses_of(node)
    ends = {(connection["local_address"], connection["local_port"]) for connection in own}
    expected, others = 0, set()
    for session in sessions:
        client, database, user = session.get("client_addr"), session.get("datname"), session.get("usename")
        login = relays.is_login(str(user), facts.database_user)
        if client not in addresses or (not login and (client, session.get("client_port")) not in ends):
            continue
        if database == facts.database_name and login:
            expected += 1
        else:
            others.add(f"{database} as {user}")
    return expected, sorted(others)


def _connected_row(check: str, node: Host, problems: list[str], text: str, service: Service) -> Row:
    if problems:
        return failed(
            check,
            node.name,
            "; ".join(problems),
            f"The node was configured by hand, or cannot reach {service}. To restore its configuration and restart "
            f"it if required, run: {command('site')}",
        )
    return passed(check, node.name, text)


def _connections(node: Host) -> list[Result]:
    found: list[Result] = node.fact("connections", "connections")
    return found


def _outgoing(node: Host) -> list[Result]:
    return [connection for connection in _connections(node) if connection["direction"] == "out"]


def _to(connections: t.Iterable[Result], endpoints: t.Collection[Endpoint]) -> list[Result]:
    return [connection for connection in connections if _remote(connection) in endpoints]


def _remote(connection: Result) -> Endpoint:
    return connection["remote_address"], connection["remote_port"]


def _endpoints(node: Host, service: Service) -> set[Endpoint]:
    """The service's addresses as the node resolves them; a name may resolve differently on one node."""
    resolved = node.fact("connections", "resolved").get(service.address) or [service.address]
    return {(address, service.port) for address in resolved}


def _elsewhere(
    own: t.Iterable[Result],
    expected: t.Collection[Endpoint],
    ports: t.Collection[int],
    allowed: t.Collection[Endpoint],
    what: str,
) -> list[str]:
    found = sorted(
        {
            f"{connection['remote_address']}:{connection['remote_port']}"
            for connection in own
            if connection["remote_port"] in ports and _remote(connection) not in {*expected, *allowed}
        }
    )
    return [f"connected to another {what} server: {listed(found)}"] if found else []


def check_search(facts: Snapshot) -> list[Row]:
    rows = running_rows(SEARCH, facts, "the engine's connections", lambda node: _search_row(facts, node))
    if "search" in facts.relayed:
        return rows + relays.search_rows(facts)
    server = facts.hosts.get(facts.search.host)
    if not facts.search.host:
        rows.append(
            skipped(
                SEARCH,
                str(facts.search),
                "no host of search_servers has this address, so its connections are not available; only the nodes' "
                "connections were checked",
            )
        )
    elif server is None:
        rows.append(skipped(SEARCH, facts.search.host, ONLY_NODES))
    elif server.reachable:
        rows += host_rows(SEARCH, [server], "its connections", lambda host: _search_server_row(facts, host))
    return rows


def _search_row(facts: Snapshot, node: Host) -> Row:
    own = _outgoing(node)
    expected = _endpoints(node, facts.search)
    connected = _to(own, expected)
    problems = _elsewhere(own, expected, _SEARCH_PORTS | {facts.search.port}, facts.other_services, "search")
    if not connected:
        problems.append(f"no connection to {facts.search}")
    if "search" in facts.relayed:
        problems += relays.problems_of(facts, node, facts.search, facts.search_servers)
    text = f"{count(len(connected), 'connection')} to {facts.search}, none to another search server"
    return _connected_row(SEARCH, node, problems, text, facts.search)


def _search_server_row(facts: Snapshot, server: Host) -> Row:
    clients = {
        connection["remote_address"]
        for connection in server.fact("clients", "connections")
        if connection["direction"] == "in"
    }
    if not facts.running:
        return skipped(SEARCH, server.name, "no engine node of this run is running")
    missing = [node.name for node in facts.running if not clients & ({node.address} | relays.addresses_of(node))]
    if missing:
        return failed(
            SEARCH,
            server.name,
            f"no connection from {listed(missing)}",
            f"These nodes use another search engine or none. Run: {command('site')}",
        )
    return passed(SEARCH, server.name, f"connections from {listed(node.name for node in facts.running)}")
