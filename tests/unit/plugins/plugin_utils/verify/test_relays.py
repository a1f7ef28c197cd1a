# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restrictions 1 and 2 through the load balancers: node, load balancer, primary or search server."""

from __future__ import annotations

import copy
import typing as t

import pytest

from ansible_collections.ivy.cluster.plugins.plugin_utils.node.snapshot import Host, Service, Snapshot
from ansible_collections.ivy.cluster.plugins.plugin_utils.verify.checks import connections as sut

VIRTUAL = "192.0.2.100"
NODES = {"engine1": "192.0.2.21", "engine2": "192.0.2.22"}
DATABASES = {"db1": "192.0.2.31", "db2": "192.0.2.32", "db3": "db3.example.com"}
SEARCHES = {"search1": "192.0.2.41", "search2": "192.0.2.42", "search3": "192.0.2.43"}
BALANCER = "192.0.2.10"
Hosts = dict[str, dict[str, t.Any]]


def link(direction: str, local: tuple[str, int], remote: tuple[str, int]) -> dict[str, t.Any]:
    ends = {"local_address": local[0], "local_port": local[1], "remote_address": remote[0], "remote_port": remote[1]}
    return {"direction": direction, **ends}


def member(name: str, role: str) -> dict[str, t.Any]:
    leads = role == "leader"
    return {"name": name, "role": role, "state": "running", "leads": leads, "synchronous": not leads, "runs": True}


def session(
    port: int, database: str = "ivydb", user: str = "ivy_0000000a", address: str = BALANCER
) -> dict[str, t.Any]:
    return {"client_addr": address, "client_port": port, "datname": database, "usename": user}


def healthy() -> Hosts:
    engine = {"engine": {"unit": {"active": "active"}}}
    hosts: Hosts = {
        name: {
            "engine": engine,
            "connections": {
                "addresses": [address],
                "resolved": {VIRTUAL: [VIRTUAL]},
                "connections": [
                    link("out", (address, 40001), (VIRTUAL, 5432)),
                    link("out", (address, 40002), (VIRTUAL, 9200)),
                ],
            },
        }
        for name, address in NODES.items()
    }
    of_nodes = [
        link("in", (VIRTUAL, port), (address, own))
        for address in NODES.values()
        for port, own in ((5432, 40001), (9200, 40002))
    ]
    passed_on = [
        link("out", (BALANCER, 50001), ("192.0.2.31", 5432)),
        link("out", (BALANCER, 50002), ("192.0.2.31", 5432)),
        link("out", (BALANCER, 50003), ("192.0.2.42", 9200)),
    ]
    resolved = {address: [address] for address in (*DATABASES.values(), *SEARCHES.values())}
    resolved["db3.example.com"] = ["192.0.2.33"]
    hosts["lb1"] = {"relay": {"connections": [*of_nodes, *passed_on], "resolved": resolved}}
    hosts["lb2"] = {"relay": {"connections": [], "resolved": resolved}}
    members = [member("db1", "leader"), member("db2", "sync"), member("db3", "replica")]
    for name in DATABASES:
        hosts[name] = {"patroni": {"member": {"members": members, "answers": True, "problem": ""}}}
    hosts["db1"]["sessions"] = {"query_result": [session(50001), session(50002)]}
    return {**hosts, **{name: {} for name in SEARCHES}}


def observed(hosts: Hosts, away: t.Collection[str] = ()) -> Snapshot:
    addresses = {**NODES, **DATABASES, **SEARCHES}
    return Snapshot(
        cluster="c",
        unit="u",
        engine_version="12.0.9",
        nodes=list(NODES),
        balancers=["lb1", "lb2"],
        hosts={
            name: Host(name, addresses.get(name, BALANCER), name not in away, results=results)
            for name, results in hosts.items()
        },
        database=Service(VIRTUAL, 5432),
        database_name="ivydb",
        database_user="ivy",
        search=Service(VIRTUAL, 9200),
        patroni_members=list(DATABASES),
        search_servers=list(SEARCHES),
        relayed=["database", "search"],
    )


def failures(facts: Snapshot) -> dict[str, str]:
    rows = [*sut.check_database(facts), *sut.check_search(facts)]
    return {f"{row.check} {row.subject}": row.message for row in rows if row.status.value == "failed"}


def test_each_hop_is_in_the_report() -> None:
    rows = {f"{row.check} {row.subject}": row.message for row in sut.check_database(observed(healthy()))}
    assert rows == {
        "database lb1": "passes the connections of engine1, engine2 on to the primary db1 only, which lists 2 sessions "
        "through it, all in ivydb",
        "database lb2": "no engine node is connected to it",
        "database engine1": "1 connection to 192.0.2.100:5432, none elsewhere",
        "database engine2": "1 connection to 192.0.2.100:5432, none elsewhere",
    }
    rows = {row.subject: row.message for row in sut.check_search(observed(healthy()))}
    assert rows["lb1"].endswith("members of one cluster: search2 (1 connection)")
    assert failures(observed(healthy())) == {}


def test_a_server_may_be_known_by_its_name() -> None:
    hosts = healthy()
    members = [member("db1", "replica"), member("db2", "sync"), member("db3", "leader")]
    for name in DATABASES:
        hosts[name]["patroni"]["member"]["members"] = members
    hosts["db3"]["sessions"] = hosts["db1"]["sessions"]
    for one in hosts["lb1"]["relay"]["connections"]:
        if one["remote_port"] == 5432:
            one["remote_address"] = "192.0.2.33"
    assert failures(observed(hosts)) == {}


def passed_on(server: str, port: int) -> dict[str, t.Any]:
    return link("out", (BALANCER, 50009), (server, port))


def change(name: str, fact: str, key: str, value: t.Callable[[list[t.Any]], list[t.Any]]) -> t.Callable[[Hosts], None]:
    def apply(hosts: Hosts) -> None:
        hosts[name][fact][key] = value(copy.deepcopy(hosts[name][fact][key]))

    return apply


@pytest.mark.parametrize(
    ("apply", "subject", "text"),
    [
        # A load balancer that passes connections on to a replica, or to a foreign server.
        (change("lb1", "relay", "connections", lambda all: [*all, passed_on("192.0.2.32", 5432)]),
         "database lb1", "passes connections on to db2; the primary is db1"),
        (change("lb1", "relay", "connections", lambda all: [*all, passed_on("192.0.2.99", 5432)]),
         "database lb1", "passes connections on to 192.0.2.99"),
        (change("lb1", "relay", "connections",
                lambda all: [one for one in all if one["remote_address"] != "192.0.2.31"]),
         "database lb1", "has no connection to the primary db1"),
        (change("lb1", "relay", "connections", lambda all: [*all, passed_on("192.0.2.99", 9200)]),
         "search lb1", "passes requests on to 192.0.2.99"),
        # An engine that is connected to something else at the virtual address.
        (change("lb1", "relay", "connections",
                lambda all: [one for one in all if (one["remote_address"], one["local_port"]) != ("192.0.2.22", 5432)]),
         "database engine2", "no load balancer has a connection from it"),
        (change("lb1", "relay", "connections",
                lambda all: [one for one in all if (one["remote_address"], one["local_port"]) != ("192.0.2.22", 9200)]),
         "search engine2", "no load balancer has a connection from it"),
        # Another database on the primary.
        (change("db1", "sessions", "query_result", lambda all: [all[0], {**all[1], "datname": "other"}]),
         "database lb1", "the primary lists sessions through it in other as ivy_0000000a"),
        (change("db1", "sessions", "query_result", lambda all: [all[0], {**all[1], "usename": "root"}]),
         "database lb1", "the primary lists sessions through it in ivydb as root"),
        (change("db1", "sessions", "query_result", lambda _all: [session(50001, address="192.0.2.11")]),
         "database lb1", "the primary lists no session through it in ivydb"),
        (lambda hosts: hosts["db1"].update(sessions={"msg": "refused"}),
         "database db1", "its list of sessions could not be read: refused"),
        (lambda hosts: hosts["lb1"].update(relay={"msg": "denied"}),
         "database lb1", "the connections that it passes on could not be inspected: denied"),
        (lambda hosts: hosts["db1"].update(database_login={"changes": ["login ivy_0000000a: another password"]}),
         "database db1", "another password"),
    ],
)  # fmt: skip
def test_a_wrong_hop_is_named(apply: t.Callable[[Hosts], None], subject: str, text: str) -> None:
    hosts = healthy()
    apply(hosts)
    found = failures(observed(hosts))
    assert text in found[subject]
    assert [name for name in found if name.split()[0] == subject.split()[0]] == [subject]


def test_without_a_primary_the_way_ends_at_the_load_balancer() -> None:
    hosts = healthy()
    for name in DATABASES:
        hosts[name]["patroni"]["member"]["members"] = [member("db2", "sync")]
    assert failures(observed(hosts)) == {"database lb1": "the primary is not known: there is none"}


def test_sessions_of_other_clients_are_not_those_of_engines() -> None:
    hosts = healthy()
    hosts["lb1"]["relay"]["connections"] += [
        link("in", (VIRTUAL, 5432), ("192.0.2.200", 1024)),
        link("out", (BALANCER, 50009), ("192.0.2.31", 5432)),
    ]
    hosts["db1"]["sessions"]["query_result"].append(session(50009, "reports", "reporter"))
    assert failures(observed(hosts)) == {}
    hosts["db1"]["sessions"]["query_result"].append(session(50002, "other"))
    assert list(failures(observed(hosts))) == ["database lb1"]


def test_a_load_balancer_that_is_away_may_have_the_connections() -> None:
    hosts = healthy()
    assert failures(observed(hosts, away=["lb1"])) == {}
    del hosts["lb1"]
    assert failures(observed(hosts)) == {}
