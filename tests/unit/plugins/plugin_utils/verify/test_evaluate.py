# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each check passes on a healthy cluster and fails for the right reason."""

from __future__ import annotations

import copy
import dataclasses
import typing as t

import pytest

from ansible_collections.ivy.cluster.plugins.plugin_utils.node.snapshot import Host, Service, Snapshot
from ansible_collections.ivy.cluster.plugins.plugin_utils.verify import report
from ansible_collections.ivy.cluster.plugins.plugin_utils.verify.checks import results as sut
from ansible_collections.ivy.cluster.plugins.plugin_utils.verify.checks.results import Row, Status, failures
from ansible_collections.ivy.cluster.plugins.plugin_utils.verify.evaluate import evaluate

NODES = {"engine1": "192.0.2.21", "engine2": "192.0.2.22", "engine3": "192.0.2.23"}
RELEASE = "a" * 32
Results = dict[str, dict[str, t.Any]]


def connection(direction: str, local: str, local_port: int, remote: str, remote_port: int) -> dict[str, t.Any]:
    return {
        "direction": direction,
        "local_address": local,
        "local_port": local_port,
        "remote_address": remote,
        "remote_port": remote_port,
    }


def node_results(address: str) -> Results:
    others = [other for other in NODES.values() if other != address]
    names = [{"name": name, "same": True} for name in NODES]
    return {
        "engine": {
            "engine": {
                "installed_version": "11.3.0",
                "unit": {"active": "active", "sub": "running", "since": "2026-01-05 10:00:00"},
                "health": {"ok": True, "status": 200, "reason": ""},
                "running": {"release": RELEASE, "modified": []},
                "restart_required": False,
                "restart_reasons": [],
                "peers": {"connected": others, "missing": []},
            },
        },
        "record": {"record": {"desired_release": RELEASE}},
        "scan": {"drift": []},
        "connections": {
            "addresses": [address],
            "resolved": {"db.example.com": ["192.0.2.30"], "192.0.2.40": ["192.0.2.40"]},
            "connections": [
                connection("out", address, 40001, "192.0.2.30", 5432),
                connection("out", address, 40002, "192.0.2.40", 9200),
                connection("in", address, 7800, others[0], 50000),
            ],
        },
        "deployments": {
            "artefacts": [{"name": "demo.zip", "state": "deployed", "sha256": "d1", "time": 1030}],
            "placed": {"demo.zip": "d1"},
            "started": 1000,
        },
        "share_write": {"written": ["/srv/ivy/data/.ivy-probe"]},
        "share_read": {"files": names},
        "application_write": {"answers": [{"name": "store", "ok": True, "problem": ""}]},
        "application_read": {"answers": [{"name": "read engine1", "ok": True, "problem": ""}]},
    }


def session(address: str, database: str = "ivydb", user: str = "ivy", port: int = 40001) -> dict[str, t.Any]:
    return {"client_addr": address, "client_port": port, "datname": database, "usename": user}


def healthy() -> dict[str, Host]:
    hosts = {name: Host(name, address, results=node_results(address)) for name, address in NODES.items()}
    sessions = [session(address) for address in NODES.values()]
    clients = [connection("in", "192.0.2.40", 9200, address, 40002) for address in NODES.values()]
    probe = {
        "problems": [],
        "new_users": {"nodes": dict.fromkeys(NODES, 4)},
        "returns": {"nodes": {"engine2": 5}},
        "cookie": {"name": "IVYNODE", "secure": True, "http_only": True},
    }
    hosts["lb1"] = Host("lb1", "192.0.2.10", results={"probe": probe})
    hosts["db1"] = Host("db1", "192.0.2.30", results={"sessions": {"query_result": sessions}})
    hosts["search1"] = Host("search1", "192.0.2.40", results={"clients": {"connections": clients}})
    return hosts


def observed(hosts: dict[str, Host] | None = None, **changes: t.Any) -> Snapshot:
    facts = Snapshot(
        cluster="demo",
        unit="axonivy-engine.service",
        engine_version="11.3.0",
        nodes=list(NODES),
        balancers=["lb1"],
        hosts=healthy() if hosts is None else hosts,
        database=Service("db.example.com", 5432, "db1"),
        database_name="ivydb",
        database_user="ivy",
        search=Service("192.0.2.40", 9200, "search1"),
        application_checked=True,
    )
    return dataclasses.replace(facts, **changes)


def with_change(name: str, change: t.Callable[[Results], t.Any]) -> dict[str, Host]:
    hosts = healthy()
    results = copy.deepcopy(dict(hosts[name].results))
    change(t.cast(Results, results))
    hosts[name] = dataclasses.replace(hosts[name], results=results)
    return hosts


def failed_rows(facts: Snapshot) -> list[tuple[str, str]]:
    return [(row.check, row.subject) for row in failures(evaluate(facts))]


def row_of(facts: Snapshot, check: str, subject: str) -> Row:
    rows = [row for row in evaluate(facts) if (row.check, row.subject) == (check, subject)]
    assert len(rows) == 1
    return rows[0]


def test_a_healthy_cluster_passes_every_check_on_every_host() -> None:
    rows = evaluate(observed())
    assert {row.status for row in rows} == {Status.PASSED}
    assert {row.check for row in rows} == set(sut.TITLES) - {sut.VIRTUAL_ADDRESS, sut.SEARCH_CLUSTER}
    for check in set(sut.TITLES) - {sut.BALANCER, sut.VIRTUAL_ADDRESS, sut.SEARCH_CLUSTER}:
        assert [row.subject for row in rows if row.check == check][:3] == list(NODES)


# --- restriction 1


def test_a_session_in_another_database_breaks_restriction_1_on_that_node_only() -> None:
    hosts = with_change("db1", lambda r: r["sessions"]["query_result"].append(session("192.0.2.22", "other")))
    facts = observed(hosts)
    assert failed_rows(facts) == [(sut.DATABASE, "engine2")]
    assert "other as ivy" in row_of(facts, sut.DATABASE, "engine2").message


def test_a_session_of_the_engine_as_another_user_counts_by_its_port() -> None:
    hosts = with_change("db1", lambda r: r["sessions"]["query_result"].append(session("192.0.2.22", "ivydb", "root")))
    assert failed_rows(observed(hosts)) == [(sut.DATABASE, "engine2")]


def test_a_session_of_psql_on_a_node_is_ignored() -> None:
    other = session("192.0.2.22", "postgres", "admin", port=55555)
    hosts = with_change("db1", lambda r: r["sessions"]["query_result"].append(other))
    assert failed_rows(observed(hosts)) == []


def test_sessions_of_the_former_and_the_current_login_are_those_of_engines() -> None:
    user = str(healthy()["db1"].results["sessions"]["query_result"][0]["usename"])

    def change(results: Results) -> None:
        for number, found in enumerate(results["sessions"]["query_result"]):
            found["usename"] = f"{user}_0000000{number}"

    assert failed_rows(observed(with_change("db1", change))) == []
    hosts = with_change("db1", lambda r: r["sessions"]["query_result"][0].update(usename=f"{user}_report"))
    assert failed_rows(observed(hosts)) == [(sut.DATABASE, "engine1")]


def test_a_login_that_was_changed_in_the_database_breaks_restriction_1() -> None:
    changes = ["login ivy_0000000a: unlocked", "login ivy_0000000a: another password"]
    hosts = with_change("db1", lambda r: r.update(database_login={"changes": changes}))
    assert failed_rows(observed(hosts)) == [(sut.DATABASE, "db1")]
    assert "another password" in row_of(observed(hosts), sut.DATABASE, "db1").message


@pytest.mark.parametrize("result", [{"msg": "psql cannot be run"}, {"changes": []}])
def test_a_login_that_is_right_or_not_known_breaks_nothing(result: dict[str, t.Any]) -> None:
    assert failed_rows(observed(with_change("db1", lambda r: r.update(database_login=result)))) == []


def test_a_new_password_that_no_engine_has_yet_breaks_nothing() -> None:
    changes = ["login ivy_0000000a: created", "login ivy_0000000a: another password"]
    hosts = with_change("db1", lambda r: r.update(database_login={"changes": changes}))
    assert failed_rows(observed(hosts)) == []


def test_a_node_without_a_session_breaks_restriction_1() -> None:
    hosts = with_change("db1", lambda r: r["sessions"]["query_result"].pop())
    assert failed_rows(observed(hosts)) == [(sut.DATABASE, "engine3")]


@pytest.mark.parametrize("port", [5432, 5433, 6432])
def test_a_connection_to_another_database_server_breaks_restriction_1(port: int) -> None:
    extra = connection("out", "192.0.2.21", 41000, "192.0.2.99", port)
    hosts = with_change("engine1", lambda r: r["connections"]["connections"].append(extra))
    assert failed_rows(observed(hosts)) == [(sut.DATABASE, "engine1")]
    assert failed_rows(observed(hosts, other_services={("192.0.2.99", port)})) == []


def test_a_name_with_another_address_on_one_node_breaks_restriction_1() -> None:
    def change(results: Results) -> None:
        results["connections"]["resolved"]["db.example.com"] = ["192.0.2.31"]
        results["connections"]["connections"][0]["remote_address"] = "192.0.2.31"

    facts = observed(with_change("engine1", change))
    # The name leads to where the engine is connected, so only the database itself can confirm it.
    hosts = dict(facts.hosts)
    hosts["db1"] = Host(
        "db1",
        "192.0.2.30",
        results={"sessions": {"query_result": [session(NODES["engine2"]), session(NODES["engine3"])]}},
    )
    assert failed_rows(dataclasses.replace(facts, hosts=hosts)) == [(sut.DATABASE, "engine1")]


def test_without_the_list_of_sessions_the_connections_are_checked_and_the_report_states_it() -> None:
    facts = observed(database=Service("db.example.com", 5432, ""))
    assert failed_rows(facts) == []
    assert row_of(facts, sut.DATABASE, "db.example.com:5432").status is Status.SKIPPED
    hosts = {name: host for name, host in healthy().items() if name != "db1"}
    assert row_of(observed(hosts), sut.DATABASE, "db1").status is Status.SKIPPED


def test_a_list_of_sessions_that_cannot_be_read_is_a_failure() -> None:
    hosts = with_change("db1", lambda r: r.update(sessions={"msg": "connection refused\nmore"}))
    facts = observed(hosts)
    assert failed_rows(facts) == [(sut.DATABASE, "db1")]
    assert "connection refused" in row_of(facts, sut.DATABASE, "db1").message


# --- restriction 2


def test_another_search_server_breaks_restriction_2() -> None:
    def change(results: Results) -> None:
        results["connections"]["connections"][1].update(remote_address="192.0.2.41", remote_port=9201)

    facts = observed(with_change("engine1", change))
    assert failed_rows(facts) == [(sut.SEARCH, "engine1")]
    text = row_of(facts, sut.SEARCH, "engine1").message
    assert "192.0.2.41:9201" in text
    assert "no connection to 192.0.2.40:9200" in text


def test_every_running_node_must_be_connected_to_the_search_server() -> None:
    hosts = with_change("search1", lambda r: r["clients"]["connections"].pop(0))
    facts = observed(hosts)
    assert failed_rows(facts) == [(sut.SEARCH, "search1")]
    assert "engine1" in row_of(facts, sut.SEARCH, "search1").message


def test_without_connections_of_the_search_server_the_report_states_it() -> None:
    facts = observed(search=Service("192.0.2.40", 9200, ""))
    assert failed_rows(facts) == []
    assert row_of(facts, sut.SEARCH, "192.0.2.40:9200").status is Status.SKIPPED


# --- restriction 3


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"running": {"release": "b" * 32, "modified": []}}, "runs release bbbbbbbbbbbb"),
        ({"running": {"release": None, "modified": []}}, "does not run a release"),
        ({"running": {"release": RELEASE, "modified": ["configuration/web.xml"]}}, "configuration/web.xml"),
        ({"restart_required": True, "restart_reasons": ["SystemDb.Url changed"]}, "SystemDb.Url changed"),
    ],
)
def test_other_content_breaks_restriction_3(change: dict[str, t.Any], text: str) -> None:
    facts = observed(with_change("engine2", lambda r: r["engine"]["engine"].update(change)))
    assert failed_rows(facts) == [(sut.CONFIGURATION, "engine2")]
    assert text in row_of(facts, sut.CONFIGURATION, "engine2").message


def test_the_record_is_read_through_any_node() -> None:
    hosts = with_change("engine1", lambda r: r.update(record={"msg": "the share is away"}))
    assert failed_rows(observed(hosts)) == []


def test_without_a_record_restriction_3_fails() -> None:
    hosts = healthy()
    for name in NODES:
        results = {**hosts[name].results, "record": {"record": None}}
        hosts[name] = dataclasses.replace(hosts[name], results=results)
    assert failed_rows(observed(hosts)) == [(sut.CONFIGURATION, "cluster record")]


# --- restriction 4


def test_a_local_change_breaks_restriction_4_and_is_listed() -> None:
    drift = [{"path": "configuration/applications/demo/app.yaml", "kind": "modified"}]
    facts = observed(with_change("engine3", lambda r: r["scan"].update(drift=drift)))
    assert failed_rows(facts) == [(sut.LOCAL_CHANGE, "engine3")]
    assert "app.yaml (modified)" in row_of(facts, sut.LOCAL_CHANGE, "engine3").message


# --- restriction 5


@pytest.mark.parametrize(
    ("item", "text"),
    [
        ({"name": "extra.zip", "state": "deployed", "sha256": "d9", "time": 5000}, "extra.zip was deployed by hand"),
        ({"name": "extra.zip", "state": "pending", "sha256": "d9", "time": 5000}, "is waiting to be deployed"),
        ({"name": "extra.zip", "state": "failed", "sha256": "d9", "time": 5000}, "failed to deploy"),
        (
            {"name": "demo.zip", "state": "deployed", "sha256": "d2", "time": 1030},
            "differs from the file that the collection placed",
        ),
        (
            {"name": "demo.zip", "state": "deployed", "sha256": "d1", "time": 4600},
            "60 minutes after the engine's start",
        ),
    ],
)
def test_a_deployment_while_running_breaks_restriction_5(item: dict[str, t.Any], text: str) -> None:
    facts = observed(with_change("engine1", lambda r: r["deployments"].update(artefacts=[item])))
    assert failed_rows(facts) == [(sut.DEPLOYMENT, "engine1")]
    assert text in row_of(facts, sut.DEPLOYMENT, "engine1").message


def test_a_later_deployment_passes_if_the_version_allows_it() -> None:
    hosts = with_change("engine1", lambda r: r["deployments"]["artefacts"][0].update(time=99999))
    assert failed_rows(observed(hosts, runtime_deployment=True)) == []


def test_one_node_may_deploy_for_all_if_the_version_allows_it() -> None:
    hosts = with_change("engine2", lambda r: r["deployments"].update(placed={}, artefacts=[]))
    assert failed_rows(observed(hosts, runtime_deployment=True)) == []
    assert (sut.DEPLOYMENT, "engine2") in failed_rows(observed(hosts))


def test_engines_are_stopped_for_a_deployment_only_if_the_version_requires_it() -> None:
    by_hand = {"name": "extra.zip", "state": "deployed", "sha256": "d9", "time": 0}
    hosts = with_change("engine1", lambda r: r["deployments"]["artefacts"].append(by_hand))
    for runtime in (False, True):
        row = row_of(observed(hosts, runtime_deployment=runtime), sut.DEPLOYMENT, "engine1")
        assert "extra.zip was deployed by hand" in row.message
        assert ("stop the engines" in row.fix) is not runtime


def test_different_artefacts_break_restriction_5_on_both_sides() -> None:
    def change(results: Results) -> None:
        results["deployments"]["placed"] = {"demo.zip": "d2"}
        results["deployments"]["artefacts"][0]["sha256"] = "d2"

    assert failed_rows(observed(with_change("engine1", change))) == [
        (sut.DEPLOYMENT, "engine1"),
        (sut.DEPLOYMENT, "engine2"),
        (sut.DEPLOYMENT, "engine3"),
    ]


# --- the rest


def test_a_missing_peer_is_listed() -> None:
    facts = observed(with_change("engine1", lambda r: r["engine"]["engine"]["peers"].update(connected=["192.0.2.22"])))
    assert failed_rows(facts) == [(sut.PEERS, "engine1")]
    assert "engine3" in row_of(facts, sut.PEERS, "engine1").message


def test_with_multicast_only_the_ring_counts() -> None:
    hosts = with_change("engine1", lambda r: r["engine"]["engine"]["peers"].update(connected=["192.0.2.22"]))
    assert failed_rows(observed(hosts, transport="multicast")) == []


def test_a_stopped_node_is_not_a_missing_peer() -> None:
    hosts = with_change("engine3", lambda r: r["engine"]["engine"]["unit"].update(active="failed", sub="failed"))
    for name in ("engine1", "engine2"):
        results = copy.deepcopy(dict(hosts[name].results))
        results["engine"]["engine"]["peers"]["connected"].remove("192.0.2.23")
        hosts[name] = dataclasses.replace(hosts[name], results=results)
    facts = observed(hosts)
    assert failed_rows(facts) == [(sut.HOSTS, "engine3")]
    assert failed_rows(dataclasses.replace(facts, proceed_without=["engine3"])) == []
    assert row_of(facts, sut.DATABASE, "engine3").status is Status.SKIPPED


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"new_users": {"nodes": {"engine1": 6, "engine2": 6}}}, "no request without a cookie reaches engine3"),
        ({"returns": {"nodes": {"engine1": 2, "engine2": 3}}}, "requests with a cookie reach engine1, engine2"),
        ({"returns": {"nodes": {}}}, "no node"),
        ({"new_users": {"nodes": {}}}, "no response through it"),
        ({"problems": ["The certificate has expired."], "new_users": {"nodes": {}}}, "The certificate has expired"),
        ({"cookie": {"name": "IVYNODE", "secure": False, "http_only": True}}, "IVYNODE lacks Secure"),
    ],
)
def test_problems_of_a_balancer_are_reported(change: dict[str, t.Any], text: str) -> None:
    facts = observed(with_change("lb1", lambda r: r["probe"].update(change)))
    assert failed_rows(facts) == [(sut.BALANCER, "lb1")]
    assert text in row_of(facts, sut.BALANCER, "lb1").message


def test_a_balancer_in_maintenance_is_reported_and_not_a_failure() -> None:
    state = {"active": True, "since": "2026-11-29T10:00:00Z", "allowed_sources": []}
    hosts = with_change("lb1", lambda r: r.update(balancer={"maintenance": state}, probe={"msg": "status 503"}))
    facts = observed(hosts)
    assert failed_rows(facts) == []
    row = row_of(facts, sut.BALANCER, "lb1")
    assert row.status is Status.SKIPPED
    assert "IN MAINTENANCE since 2026-11-29T10:00:00Z: users get the maintenance page" in row.message


def test_a_file_that_one_node_cannot_read_names_the_writer() -> None:
    hosts = with_change("engine2", lambda r: r["share_read"]["files"][0].update(same=False))
    facts = observed(hosts)
    assert failed_rows(facts) == [(sut.SHARE, "engine2")]
    assert "engine1" in row_of(facts, sut.SHARE, "engine2").message


def test_an_entry_that_is_not_found_is_reported() -> None:
    answers = [{"name": "find engine1", "ok": False, "problem": "status 500"}]
    facts = observed(with_change("engine2", lambda r: r["application_read"].update(answers=answers)))
    assert failed_rows(facts) == [(sut.APPLICATION, "engine2")]
    assert "find engine1: status 500" in row_of(facts, sut.APPLICATION, "engine2").message


def test_check_mode_skips_the_checks_that_write() -> None:
    facts = observed(check_mode=True)
    assert failed_rows(facts) == []
    for check in (sut.SHARE, sut.APPLICATION):
        assert row_of(facts, check, "all nodes").message == "check mode writes nothing"


def test_an_unreachable_host_hides_no_other() -> None:
    hosts = healthy()
    hosts["engine2"] = Host("engine2", NODES["engine2"], reachable=False, why="No route to host")
    hosts["search1"] = Host("search1", "192.0.2.40", reachable=False, why="timed out")
    facts = observed(hosts)
    found = failed_rows(facts)
    assert (sut.HOSTS, "engine2") in found
    assert (sut.HOSTS, "search1") in found
    assert row_of(facts, sut.LOCAL_CHANGE, "engine1").status is Status.PASSED
    left = dataclasses.replace(facts, proceed_without=["engine2"])
    assert (sut.HOSTS, "engine2") not in failed_rows(left)


def test_a_limited_run_checks_the_hosts_it_has() -> None:
    facts = observed({"engine2": healthy()["engine2"]})
    assert failed_rows(facts) == []
    assert row_of(facts, sut.PEERS, "engine2").status is Status.PASSED
    assert row_of(facts, sut.SHARE, "engine2").status is Status.SKIPPED


def test_a_single_node_has_no_peers() -> None:
    own: dict[str, list[str]] = {"connected": [], "missing": []}
    hosts = with_change("engine2", lambda r: r["engine"]["engine"].update(peers=own))
    assert row_of(observed({"engine2": hosts["engine2"]}), sut.PEERS, "engine2").status is Status.SKIPPED


def test_a_peer_outside_of_the_run_counts_if_its_port_is_open() -> None:
    own = {"connected": ["192.0.2.21"], "missing": ["192.0.2.23"]}
    hosts = with_change("engine2", lambda r: r["engine"]["engine"].update(peers=own))
    assert failed_rows(observed({"engine2": hosts["engine2"]})) == [(sut.PEERS, "engine2")]


@pytest.mark.parametrize("missing", ["engine", "scan", "connections", "deployments", "share_read", "application_read"])
def test_a_missing_fact_fails_the_checks_that_need_it(missing: str) -> None:
    facts = observed(with_change("engine1", lambda r: r.update({missing: {"msg": "it exploded"}})))
    assert any("it exploded" in row.message for row in failures(evaluate(facts)))


def test_the_text_shows_marks_fixes_and_a_summary() -> None:
    drift = [{"path": "configuration/web.xml", "kind": "modified"}]
    hosts = with_change("engine3", lambda r: r["scan"].update(drift=drift))
    document = report.from_facts(observed(hosts, accept_unsupported=["jgroups-tcp"]))
    lines = document.text.splitlines()
    assert lines[0] == "Cluster demo, engine 11.3.0"
    at = next(number for number, line in enumerate(lines) if "✗" in line)
    assert "engine3" in lines[at]
    assert "->" in lines[at + 1]
    assert lines[-2].endswith("checks passed, 1 failed.")
    assert lines[-2] == document.headline
    assert lines[-1].endswith(": jgroups-tcp")
    assert all(line == line.rstrip() for line in lines)
    assert document.summary["counts"]["failed"] == 1
    assert document.summary["failed"] == ["Restriction 4: no node has local changes: engine3"]


# --- the virtual address

ADDRESS = "192.0.2.100"


def with_balancers(**changes: Results | None) -> Snapshot:
    """Two load balancers, of which the first one holds the address. One without results is not reachable."""
    hosts = healthy()
    for name, held in (("lb1", True), ("lb2", False)):
        own: Results = {"virtual_address": {"held": held, "service": "active"}, "balancer": {"servers": []}}
        given = changes.get(name, {})
        results = {**hosts["lb1"].results, **own, **(given or {})}
        hosts[name] = Host(name, "192.0.2.10", given is not None, "" if given is not None else "no answer", results)
    return observed(hosts, balancers=["lb1", "lb2"], virtual_address=ADDRESS)


def test_one_load_balancer_holds_the_address_and_another_can_take_it_over() -> None:
    row = row_of(with_balancers(), sut.VIRTUAL_ADDRESS, ADDRESS)
    assert (row.status, row.message) == (Status.PASSED, "lb1 holds it, lb2 can take it over")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"lb1": {"virtual_address": {"held": False, "service": "active"}}}, "no load balancer holds it"),
        ({"lb2": {"virtual_address": {"held": True, "service": "active"}}}, "lb1, lb2 hold it at the same time"),
        ({"lb2": {"virtual_address": {"held": False, "service": "failed"}}}, "keepalived does not run on lb2 (failed)"),
        ({"lb2": {"balancer": {"msg": "no socket"}}}, "HAProxy does not answer on lb2"),
        ({"lb2": {"virtual_address": {"msg": "no ip"}}}, "lb2 could not be inspected: no ip"),
        ({"lb1": None}, "no load balancer of those that could be asked holds it"),
    ],
)
def test_an_address_that_nobody_or_more_than_one_holds_or_nobody_could_take_over_fails(
    changes: dict[str, Results | None], words: str
) -> None:
    row = row_of(with_balancers(**changes), sut.VIRTUAL_ADDRESS, ADDRESS)
    assert row.status is Status.FAILED
    assert words in row.message
    assert row.fix


def test_a_lost_load_balancer_means_no_redundancy() -> None:
    row = row_of(with_balancers(lb2=None), sut.VIRTUAL_ADDRESS, ADDRESS)
    assert row.message == "lb1 holds it; no redundancy: lb2 is not reachable"


def test_a_part_of_the_load_balancers_says_nothing_about_the_address() -> None:
    facts = with_balancers()
    facts = dataclasses.replace(facts, hosts={name: host for name, host in facts.hosts.items() if name != "lb2"})
    assert row_of(facts, sut.VIRTUAL_ADDRESS, ADDRESS).status is Status.SKIPPED


# --- a cluster of search servers


def with_searches(health: dict[str, t.Any]) -> Snapshot:
    hosts = healthy()
    names = ["search1", "search2", "search3"]
    for name in names:
        hosts[name] = Host(name, "192.0.2.40", results={"search_state": {"json": health}})
    return observed(hosts, search=Service("192.0.2.100", 9200), search_servers=names)


def test_a_whole_search_cluster_passes_on_each_member() -> None:
    facts = with_searches({"number_of_nodes": 3, "status": "green"})
    rows = [row for row in evaluate(facts) if row.check == sut.SEARCH_CLUSTER]
    assert [(row.subject, row.status) for row in rows] == [(f"search{one}", Status.PASSED) for one in (1, 2, 3)]


@pytest.mark.parametrize(
    "health", [{"number_of_nodes": 2, "status": "green"}, {"number_of_nodes": 3, "status": "yellow"}, {}]
)
def test_a_search_cluster_that_may_lose_no_member_fails(health: dict[str, t.Any]) -> None:
    row = row_of(with_searches(health), sut.SEARCH_CLUSTER, "search1")
    assert row.status is Status.FAILED
    assert row.message.endswith("no redundancy")


def test_one_search_server_is_not_checked_as_a_cluster() -> None:
    assert [row for row in evaluate(observed(search_servers=["search1"])) if row.check == sut.SEARCH_CLUSTER] == []
