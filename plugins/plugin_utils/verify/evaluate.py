# Copyright: the ivy.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a cluster keeps the vendor's restrictions: what was seen of the hosts in, rows of a report out.

Nothing here reads a configuration and believes it. What counts is what is connected, what runs and what lies on the
disks; a fact that could not be had breaks the check that needs it.
"""

from __future__ import annotations

import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.common.commands import command
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.table import (
    Row,
    broken,
    failures,
    holds,
    left_out,
    render,
)
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.text import count, listed
from ansible_collections.ivy.cluster.plugins.plugin_utils.node.snapshot import (
    Endpoint,
    Host,
    LookError,
    Observed,
    Result,
    Service,
)

HOSTS = "hosts"
DATABASE = "database"
SEARCH = "search"
CONFIGURATION = "configuration"
LOCAL_CHANGE = "local_change"
DEPLOYMENT = "deployment"
PEERS = "peers"
BALANCER = "balancer"
SHARE = "share"
APPLICATION = "application"

TITLES: t.Final = {
    HOSTS: "Every host can be reached, every engine runs and answers",
    DATABASE: "Restriction 1: every node uses the same system database",
    SEARCH: "Restriction 2: every node uses the same search engine",
    CONFIGURATION: "Restriction 3: every node runs the same configuration",
    LOCAL_CHANGE: "Restriction 4: no node has a change of its own",
    DEPLOYMENT: "Restriction 5: nothing was deployed while the engine ran",
    PEERS: "The nodes are connected to each other",
    BALANCER: "The load balancer spreads users over the nodes and keeps each user on one",
    SHARE: "A file that one node writes is read by the others",
    APPLICATION: "What one node stores is read and found through the others",
}

# Where a PostgreSQL, a connection pooler, an Elasticsearch or an OpenSearch commonly listens. An engine that is
# connected to one of these elsewhere uses a second database or search engine.
_DATABASE_PORTS = frozenset(range(5432, 5440)) | {6432}
_SEARCH_PORTS = frozenset(range(9200, 9300))

# An engine deploys what it finds at its start after it said that it is ready; on a busy host that takes minutes.
DEPLOYMENT_GRACE = 900

_LOOK_FIRST = "Mend this first, then verify again."
_ONLY_OWN_VIEW = "not part of this run (--limit); only the nodes' connections were looked at"


def _rows(check: str, hosts: t.Iterable[Host], what: str, row: t.Callable[[Host], Row]) -> list[Row]:
    """One row a host; a host of which a needed fact is missing has a broken row that says which."""

    def guarded(host: Host) -> Row:
        try:
            return row(host)
        except LookError as exc:
            return broken(check, host.name, f"{what} could not be looked at: {exc}", _LOOK_FIRST)

    return [guarded(host) for host in hosts]


def _running_rows(check: str, seen: Observed, what: str, row: t.Callable[[Host], Row]) -> list[Row]:
    """One row a node; one that does not run breaks nothing but its own row among the hosts."""
    rows: list[Row] = []
    for node in seen.present:
        if node.runs:
            rows += _rows(check, [node], what, row)
        else:
            rows.append(left_out(check, node.name, "does not run" if node.reachable else "not reachable"))
    return rows


# --- the hosts


def check_hosts(seen: Observed) -> list[Row]:
    rows: list[Row] = []
    for name, host in seen.hosts.items():
        if not host.reachable:
            rows.append(_unreachable_row(host, name in seen.proceed_without))
        elif name in seen.nodes:
            rows += _rows(HOSTS, [host], "the engine", lambda node: _engine_row(seen, node))
    return rows


def _unreachable_row(host: Host, expected: bool) -> Row:
    if expected:
        return left_out(HOSTS, host.name, "not reachable, and left out by ivy_proceed_without")
    return broken(
        HOSTS,
        host.name,
        f"not reachable: {host.why}",
        f"Nothing is known about this host. {host.advice}.",
    )


def _engine_row(seen: Observed, node: Host) -> Row:
    engine = node.engine
    unit, health, version = engine["unit"], engine.get("health") or {}, engine.get("installed_version")
    if unit["active"] != "active":
        state = f"the engine does not run ({unit['active']}, {unit['sub']})"
        if node.name in seen.proceed_without:
            return left_out(HOSTS, node.name, f"{state}, and is left out by ivy_proceed_without")
        return broken(
            HOSTS,
            node.name,
            state,
            f"See why: journalctl -u {seen.unit} -n 50. If the fence keeps it from starting, run: "
            f"{command('site', '--limit', node.name)}",
        )
    if not health.get("ok"):
        return broken(
            HOSTS,
            node.name,
            f"the engine runs but does not serve: {health.get('reason') or health.get('status')}",
            f"See the engine's logs and journalctl -u {seen.unit} -n 50.",
        )
    if version and version != seen.engine_version:
        return broken(
            HOSTS,
            node.name,
            f"engine {version} runs, the inventory says {seen.engine_version}",
            f"All nodes need exactly one version. Run: {command('site')}",
        )
    return holds(
        HOSTS,
        node.name,
        f"engine {seen.engine_version} runs since {unit.get('since') or 'unknown'}, answers {health.get('status')}",
    )


# --- restriction 1


def check_database(seen: Observed) -> list[Row]:
    rows: list[Row] = []
    sessions: list[Result] | None = None
    server = seen.hosts.get(seen.database.host)
    if not seen.database.host:
        rows.append(
            left_out(
                DATABASE,
                str(seen.database),
                "no host of database_servers has this address, so the database's own list of sessions is not at "
                "hand; the nodes' connections are",
            )
        )
    elif server is None:
        rows.append(left_out(DATABASE, seen.database.host, _ONLY_OWN_VIEW))
    elif server.reachable:
        try:
            sessions = list(server.look("sessions", "query_result"))
        except LookError as exc:
            rows.append(
                broken(
                    DATABASE,
                    server.name,
                    f"the list of its sessions could not be read: {exc}",
                    "Check that PostgreSQL runs there: systemctl status postgresql.",
                )
            )
    return rows + _running_rows(
        DATABASE, seen, "the engine's connections", lambda node: _database_row(seen, node, sessions)
    )


def _database_row(seen: Observed, node: Host, sessions: list[Result] | None) -> Row:
    own = _outgoing(node)
    right = _endpoints(node, seen.database)
    connected = _to(own, right)
    problems = _elsewhere(own, right, _DATABASE_PORTS | {seen.database.port}, seen.other_services, "database")
    if not connected:
        problems.append(f"no connection to {seen.database}")
    text = f"{count(len(connected), 'connection')} to {seen.database}, none elsewhere"
    if sessions is not None:
        wanted, others = _sessions_of(seen, node, own, sessions)
        if others:
            problems.append(f"by the database's own list it has sessions in {listed(others)}")
        if not wanted:
            problems.append(
                f"by the database's own list it has no session of {seen.database_user} in {seen.database_name}"
            )
        text += f"; by the database's own list {count(wanted, 'session')}, all in {seen.database_name}"
    return _connected_row(DATABASE, node, problems, text, seen.database)


def _sessions_of(seen: Observed, node: Host, own: list[Result], sessions: list[Result]) -> tuple[int, list[str]]:
    """How many right sessions the engine has, and what else. A colleague's psql on the node is not the engine's."""
    addresses = _addresses_of(node)
    ends = {(one["local_address"], one["local_port"]) for one in own}
    right, others = 0, set()
    for one in sessions:
        client, database, user = one.get("client_addr"), one.get("datname"), one.get("usename")
        if client not in addresses or (user != seen.database_user and (client, one.get("client_port")) not in ends):
            continue
        if (database, user) == (seen.database_name, seen.database_user):
            right += 1
        else:
            others.add(f"{database} as {user}")
    return right, sorted(others)


def _connected_row(check: str, node: Host, problems: list[str], text: str, service: Service) -> Row:
    if problems:
        return broken(
            check,
            node.name,
            "; ".join(problems),
            f"The node was configured by hand, or cannot reach {service}. This restores what was changed on it and "
            f"restarts it where needed: {command('site')}",
        )
    return holds(check, node.name, text)


def _connections(node: Host) -> list[Result]:
    found: list[Result] = node.look("connections", "connections")
    return found


def _outgoing(node: Host) -> list[Result]:
    return [one for one in _connections(node) if one["direction"] == "out"]


def _to(connections: t.Iterable[Result], right: t.Collection[Endpoint]) -> list[Result]:
    return [one for one in connections if (one["remote_address"], one["remote_port"]) in right]


def _addresses_of(node: Host) -> set[str]:
    """Under which addresses the node shows up at others."""
    return {*node.look("connections", "addresses"), *(one["local_address"] for one in _connections(node))}


def _endpoints(node: Host, service: Service) -> set[Endpoint]:
    """The service's address as the node resolves it: a name may lead somewhere else on one node."""
    resolved = node.look("connections", "resolved").get(service.address) or [service.address]
    return {(address, service.port) for address in resolved}


def _elsewhere(
    own: t.Iterable[Result],
    right: t.Collection[Endpoint],
    ports: t.Collection[int],
    allowed: t.Collection[Endpoint],
    what: str,
) -> list[str]:
    found = sorted(
        {
            f"{one['remote_address']}:{one['remote_port']}"
            for one in own
            if one["remote_port"] in ports and (one["remote_address"], one["remote_port"]) not in {*right, *allowed}
        }
    )
    return [f"connected to another {what} server: {listed(found)}"] if found else []


# --- restriction 2


def check_search(seen: Observed) -> list[Row]:
    rows = _running_rows(SEARCH, seen, "the engine's connections", lambda node: _search_row(seen, node))
    server = seen.hosts.get(seen.search.host)
    if not seen.search.host:
        rows.append(
            left_out(
                SEARCH,
                str(seen.search),
                "no host of search_servers has this address, so its own view is not at hand; the nodes' "
                "connections are",
            )
        )
    elif server is None:
        rows.append(left_out(SEARCH, seen.search.host, _ONLY_OWN_VIEW))
    elif server.reachable:
        rows += _rows(SEARCH, [server], "its connections", lambda host: _search_server_row(seen, host))
    return rows


def _search_row(seen: Observed, node: Host) -> Row:
    own = _outgoing(node)
    right = _endpoints(node, seen.search)
    connected = _to(own, right)
    problems = _elsewhere(own, right, _SEARCH_PORTS | {seen.search.port}, seen.other_services, "search")
    if not connected:
        problems.append(f"no connection to {seen.search}")
    text = f"{count(len(connected), 'connection')} to {seen.search}, none to another search server"
    return _connected_row(SEARCH, node, problems, text, seen.search)


def _search_server_row(seen: Observed, server: Host) -> Row:
    clients = {one["remote_address"] for one in server.look("clients", "connections") if one["direction"] == "in"}
    if not seen.running:
        return left_out(SEARCH, server.name, "no engine of this run runs")
    missing = [node.name for node in seen.running if not clients & ({node.address} | set(_known_addresses(node)))]
    if missing:
        return broken(
            SEARCH,
            server.name,
            f"sees no connection of {listed(missing)}",
            f"These nodes use another search engine or none. Run: {command('site')}",
        )
    return holds(SEARCH, server.name, f"sees connections of {listed(node.name for node in seen.running)}")


def _known_addresses(node: Host) -> set[str]:
    try:
        return _addresses_of(node)
    except LookError:
        return set()


# --- restriction 3


def check_configuration(seen: Observed) -> list[Row]:
    record, why = seen.record()
    desired = str(record.get("desired_release") or "")
    rows = []
    if not desired:
        rows.append(
            broken(
                CONFIGURATION,
                "cluster record",
                why or "it names no release yet",
                f"The record is kept on the file share. To write it, run: {command('site')}",
            )
        )
    return rows + _running_rows(CONFIGURATION, seen, "the engine", lambda node: _configuration_row(node, desired))


def _configuration_row(node: Host, desired: str) -> Row:
    engine = node.engine
    running = engine.get("running") or {}
    release = str(running.get("release") or "")
    modified = list(running.get("modified") or [])
    problems = []
    if modified:
        problems.append(f"runs with other content in {listed(modified)}")
    if engine.get("restart_required"):
        reasons = listed(engine.get("restart_reasons") or ["the engine started with something else"], 3)
        problems.append(f"needs a restart: {reasons}")
    if not release:
        problems = problems or ["runs something that is no release"]
    elif desired and release != desired:
        problems.append(f"runs release {release[:12]}, the cluster record asks for {desired[:12]}")
    if problems:
        return broken(
            CONFIGURATION,
            node.name,
            "; ".join(problems),
            "This brings the node to the cluster's release and restarts it where needed: "
            f"{command('site', '--limit', node.name)}",
        )
    return holds(CONFIGURATION, node.name, f"runs release {release[:12]}, no restart outstanding")


# --- restriction 4


def check_local_change(seen: Observed) -> list[Row]:
    return _rows(LOCAL_CHANGE, seen.reached, "the node's files", _local_change_row)


def _local_change_row(node: Host) -> Row:
    drift = node.look("scan", "drift")
    if drift:
        return broken(
            LOCAL_CHANGE,
            node.name,
            listed(f"{item['path']} ({item['kind']})" for item in drift),
            "Take over into the source what you want to keep. Then this backs the files up in the node's store and "
            f"restores them: {command('site')}",
        )
    return holds(LOCAL_CHANGE, node.name, "every managed file is as it was rolled out")


# --- restriction 5


def check_deployment(seen: Observed) -> list[Row]:
    placed: dict[str, t.Mapping[str, str]] = {}
    for node in seen.reached:
        found = _placed(node)
        if found is not None:
            placed[node.name] = found
    return _rows(DEPLOYMENT, seen.reached, "its deployments", lambda node: _deployment_row(seen, node, placed))


def _placed(node: Host) -> t.Mapping[str, str] | None:
    try:
        found: t.Mapping[str, str] = node.look("deployments", "placed")
    except LookError:
        return None
    return found


def _deployment_row(seen: Observed, node: Host, placed: t.Mapping[str, t.Mapping[str, str]]) -> Row:
    artefacts: list[Result] = node.look("deployments", "artefacts")
    own: t.Mapping[str, str] = node.look("deployments", "placed")
    started = float(node.look("deployments", "started") or 0)
    problems = [text for item in artefacts if (text := _artefact_problem(seen, item, own, started))]
    # Where one running node deploys for all, the others find it on the share and have nothing in their own deploy/.
    for other, theirs in ({} if seen.runtime_deployment else placed).items():
        differing = sorted(name for name in {*theirs, *own} if theirs.get(name) != own.get(name))
        if differing:
            problems.append(f"{listed(differing)} is not the same as on {other}")
            break
    if problems:
        return broken(
            DEPLOYMENT,
            node.name,
            "; ".join(problems),
            "Remove what does not belong there from deploy/ and from the engine. To deploy an application, name it in "
            f"engine_applications{'' if seen.runtime_deployment else ', stop the engines'} and run: {command('site')}",
        )
    if not artefacts:
        return holds(DEPLOYMENT, node.name, "nothing was deployed through deploy/")
    names = listed(sorted({item["name"] for item in artefacts}))
    where = "for all nodes" if seen.runtime_deployment else "equal on all nodes, deployed at the start"
    return holds(DEPLOYMENT, node.name, f"{names} as placed by the collection, {where}")


def _artefact_problem(seen: Observed, item: Result, placed: t.Mapping[str, str], started: float) -> str:
    name, state = item["name"], item["state"]
    if state == "failed":
        return f"{name} failed to deploy"
    if state == "pending":
        return f"{name} waits to be deployed"
    if name not in placed:
        return f"{name} was deployed by hand"
    if item["sha256"] != placed[name]:
        return f"{name} is not the file that the collection placed"
    late = float(item["time"]) - started
    if started and late > DEPLOYMENT_GRACE and not seen.runtime_deployment:
        return f"{name} was deployed {count(int(late // 60), 'minute')} after the engine's start"
    return ""


# --- the cluster's own connections


def check_peers(seen: Observed) -> list[Row]:
    return _running_rows(PEERS, seen, "the engine", lambda node: _peers_row(seen, node))


def _peers_row(seen: Observed, node: Host) -> Row:
    peers = node.engine.get("peers") or {}
    connected = set(peers.get("connected") or [])
    names = {one.address: one.name for one in seen.hosts.values()}
    # What the node itself found: nodes outside of this run count as well, as long as their port answers.
    missing = {names.get(address, address) for address in peers.get("missing") or []}
    if seen.transport == "tcp":
        missing |= {one.name for one in seen.running if one.name != node.name and one.address not in connected}
        whom = "each other running node"
    else:
        # Over multicast only the ring of the failure detection leaves connections to look at.
        whom = "its neighbours in the ring of the failure detection"
    if missing:
        return broken(
            PEERS,
            node.name,
            f"not connected to {listed(sorted(missing))}",
            "Check that the nodes reach each other on the JGroups ports (firewall, address to which the engine binds), "
            "then restart this node.",
        )
    if not connected:
        return left_out(PEERS, node.name, "the only running node")
    return holds(PEERS, node.name, f"connected to {whom} ({count(len(connected), 'peer')})")


# --- the load balancer


def check_balancer(seen: Observed) -> list[Row]:
    reached = [seen.hosts[name] for name in seen.balancers if name in seen.hosts and seen.hosts[name].reachable]
    return _rows(BALANCER, reached, "the answers over TLS", lambda host: _balancer_row(seen, host))


def _balancer_row(seen: Observed, balancer: Host) -> Row:
    problems: list[str] = [str(text).rstrip(".") for text in balancer.look("probe", "problems")]
    probe = balancer.results["probe"]
    reached = list((probe.get("new_users") or {}).get("nodes") or {})
    stayed = list((probe.get("returns") or {}).get("nodes") or {})
    cookie = probe.get("cookie") or {}
    if not reached:
        problems = problems or ["nothing answers through it"]
    else:
        missing = [node.name for node in seen.running if node.name not in reached]
        if missing:
            problems.append(f"without a cookie nobody reaches {listed(missing)}")
        if len(stayed) != 1:
            problems.append(f"with a cookie the requests went to {listed(stayed) or 'no node'}")
        lacking = [flag for flag, key in (("Secure", "secure"), ("HttpOnly", "http_only")) if not cookie.get(key)]
        if cookie.get("name") and lacking:
            problems.append(f"its cookie {cookie['name']} lacks {listed(lacking)}")
    if problems:
        return broken(
            BALANCER,
            balancer.name,
            "; ".join(problems),
            f"Each node's place in the balancer: {command('status')}; if it was changed by hand, this restores it: "
            f"{command('site')}",
        )
    return holds(
        BALANCER,
        balancer.name,
        f"TLS holds; {listed(sorted(reached))} without a cookie, only {listed(stayed)} with {cookie.get('name')} "
        "(Secure, HttpOnly)",
    )


# --- write on one node, read on another


def check_share(seen: Observed) -> list[Row]:
    if seen.check_mode:
        return [left_out(SHARE, "all nodes", "check mode writes nothing")] if seen.reached else []
    return _rows(SHARE, seen.reached, "the share", lambda node: _share_row(seen, node))


def _share_row(seen: Observed, node: Host) -> Row:
    advice = (
        "Check that every node mounts the same file system and that the engine's user (uid and gid) may write there."
    )
    try:
        node.look("share_write", "written")
    except LookError as exc:
        return broken(SHARE, node.name, f"the engine's user cannot write: {exc}", advice)
    same = {str(item["name"]) for item in node.look("share_read", "files") if item["same"]}
    missing = [one.name for one in seen.reached if one.name not in same]
    if missing:
        return broken(SHARE, node.name, f"does not see the file that was written on {listed(missing)}", advice)
    others = [one.name for one in seen.reached if one.name != node.name]
    if not others:
        return left_out(SHARE, node.name, "reads back its own file; no other node is in this run")
    return holds(SHARE, node.name, f"reads what {listed(others)} wrote")


def check_application(seen: Observed) -> list[Row]:
    if not seen.application_checked:
        return [left_out(APPLICATION, "all nodes", "verify_application is not set")] if seen.reached else []
    if seen.check_mode:
        return [left_out(APPLICATION, "all nodes", "check mode writes nothing")] if seen.reached else []
    return _running_rows(APPLICATION, seen, "the application", lambda node: _application_row(seen, node))


def _application_row(seen: Observed, node: Host) -> Row:
    advice = "See the engine's log on this node, and restrictions 1 and 2 above."
    for answer in node.look("application_write", "answers"):
        if not answer["ok"]:
            return broken(APPLICATION, node.name, f"does not store: {answer['problem']}", advice)
    failed = [
        f"{answer['name']}: {answer['problem']}"
        for answer in node.look("application_read", "answers")
        if not answer["ok"]
    ]
    if failed:
        return broken(APPLICATION, node.name, listed(failed, 3), advice)
    others = [one.name for one in seen.running if one.name != node.name]
    if not others:
        return left_out(APPLICATION, node.name, "finds its own entry; no other node is in this run")
    return holds(APPLICATION, node.name, f"reads and finds what was stored through {listed(others)}")


# --- all of it


def evaluate(seen: Observed) -> list[Row]:
    """Every check, whatever the others came to."""
    rows: list[Row] = []
    for check in (
        check_hosts,
        check_database,
        check_search,
        check_configuration,
        check_local_change,
        check_deployment,
        check_peers,
        check_balancer,
        check_share,
        check_application,
    ):
        rows += check(seen)
    return rows


def report(seen: Observed) -> dict[str, t.Any]:
    """The rows as data and as a table, and one sentence for those that do not hold."""
    rows = evaluate(seen)
    wrong = failures(rows)
    head = [f"Cluster {seen.cluster}, engine {seen.engine_version}"]
    foot = []
    if seen.accept_unsupported:
        foot.append(f"Accepted although the vendor does not support it: {', '.join(seen.accept_unsupported)}")
    short = [f"{TITLES[check]}: {listed(row.subject for row in wrong if row.check == check)}" for check in TITLES]
    return {
        "ok": not wrong,
        "rows": [row.plain() for row in rows],
        "text": render(rows, TITLES, head, foot),
        "broken": [text for check, text in zip(TITLES, short) if any(row.check == check for row in wrong)],
    }
