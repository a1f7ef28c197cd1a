# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One screen shows the state of each node, and marks the facts that could not be gathered."""

from __future__ import annotations

import base64
import json
import typing as t

import pytest

from ansible_collections.ivy.cluster.plugins.plugin_utils.node.snapshot import Host, Snapshot, snapshot_from
from ansible_collections.ivy.cluster.plugins.plugin_utils.verify import status as sut

RELEASE, OLD = "a" * 32, "b" * 32


def engine(**changes: t.Any) -> dict[str, t.Any]:
    return {
        "installed_version": "11.3.0",
        "unit": {"active": "active", "sub": "running", "since": "Mon 2026-01-05 10:00:00 UTC"},
        "applied": RELEASE,
        "running": {"release": RELEASE, "modified": []},
        "restart_required": False,
        "restart_reasons": [],
        "health": {"ok": True, "status": 200, "reason": ""},
        "peers": {"connected": ["192.0.2.22"], "missing": []},
        "licence": {"nodes": 5, "valid_until": "2027-11-03", "days_left": 300},
        **changes,
    }


def record(**changes: t.Any) -> dict[str, t.Any]:
    return {
        "cluster": "demo",
        "desired_release": RELEASE,
        "previous_release": None,
        "operation": None,
        "pin": None,
        "drained": [],
        "history": [{"time": "2026-01-05T09:00:00Z", "operation": "site done", "owner": "admin", "release": RELEASE}],
        **changes,
    }


def server(name: str, **changes: t.Any) -> dict[str, t.Any]:
    return {"name": name, "status": "UP", "up": True, "admin_state": "ready", **changes}


def results(own: dict[str, t.Any], kept: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
    return {"engine": {"engine": own}, "scan": {"drift": []}, "record": {"record": record() if kept is None else kept}}


def hosts(**changes: t.Any) -> dict[str, t.Any]:
    reached = {"ping": "pong"}
    return {
        "engine1": {"address": "192.0.2.21", "reach": reached, "results": results(engine())},
        "engine2": {"address": "192.0.2.22", "reach": reached, "results": results(engine())},
        "lb1": {
            "address": "192.0.2.10",
            "reach": reached,
            "results": {
                "balancer": {
                    "process": {"version": "2.6.12"},
                    "servers": [server("engine1"), server("engine2")],
                    "certificates": [{"days_left": 364}],
                    "authorities": [{"name": "demo cluster CA", "days_left": 3649}],
                    "reload_required": False,
                }
            },
        },
        "db1": {
            "address": "192.0.2.30",
            "reach": reached,
            "results": {
                "database_state": {
                    "query_result": [
                        {"version": "15.14 (Debian)", "connections": 21, "max_connections": "70", "size": "9 MB"},
                    ]
                }
            },
        },
        "search1": {
            "address": "192.0.2.40",
            "reach": reached,
            "results": {
                "search_state": {
                    "json": {
                        "cluster_name": "demo",
                        "status": "green",
                        "number_of_nodes": 1,
                        "active_shards": 3,
                    }
                }
            },
        },
        **changes,
    }


def observed(given: dict[str, t.Any] | None = None, **changes: t.Any) -> Snapshot:
    return snapshot_from(
        {
            "cluster": "demo",
            "unit": "axonivy-engine.service",
            "engine_version": "11.3.0",
            "nodes": ["engine1", "engine2"],
            "balancers": ["lb1"],
            "hosts": hosts() if given is None else given,
            "database": {
                "address": "192.0.2.30",
                "port": 5432,
                "name": "ivydb",
                "user": "ivy",
                "servers": {"db1": "192.0.2.30"},
            },
            "search": {"address": "192.0.2.40", "port": 9200, "servers": {"search1": "192.0.2.40"}},
            "transport": "tcp",
            "runtime_deployment": False,
            "proceed_without": [],
            "accept_unsupported": [],
            "other_services": [],
            "application_checked": False,
            "check_mode": False,
            **changes,
        }
    )


def line(text: str, start: str) -> str:
    return next(one for one in text.splitlines() if one.strip().startswith(start))


def test_a_healthy_cluster_fits_on_one_screen() -> None:
    text = sut.from_facts(observed(accept_unsupported=["jgroups-tcp"])).text
    assert len(text.splitlines()) <= 32
    assert "aaaaaaaaaaaa desired; no operation in progress; not pinned" in text
    assert line(text, "engine1").split() == [
        *("engine1", "active/running", "11.3.0", "aaaaaaaaaaaa", "no", "no", "1/1", "up"),
        *("Mon", "2026-01-05", "10:00:00", "UTC"),
    ]
    assert line(text, "licence").endswith("300 days, valid until 2027-11-03, 5 nodes")
    assert line(text, "accepted").endswith("jgroups-tcp (not supported by the vendor)")
    assert line(text, "lb1").endswith("HAProxy 2.6.12, 2 of 2 servers up, certificate 364 days, authority 3649 days")
    assert line(text, "db1").endswith("PostgreSQL 15.14, 21 of 70 connections, ivydb 9 MB")
    assert line(text, "search1").endswith("search cluster demo green, 1 node, 3 shards")


def test_the_commit_of_the_desired_release_is_shown() -> None:
    given = hosts()
    kept = record(sources={RELEASE: {"commit": "1c9f2d7a4b8e" + "0" * 28, "clean": True}})
    for name in ("engine1", "engine2"):
        given[name]["results"] = results(engine(), kept)
    assert sut.cluster_facts(observed(given))["source"] == "commit 1c9f2d7a4b8e"
    assert "source" not in sut.cluster_facts(observed())


def test_an_expiry_is_highlighted_long_before_its_date() -> None:
    given = hosts()
    for node in ("engine1", "engine2"):
        given[node]["results"]["engine"]["engine"]["licence"] = {
            "nodes": 5,
            "valid_until": "2027-11-03",
            "days_left": 59,
        }
    balancer = given["lb1"]["results"]["balancer"]
    balancer.update(certificates=[{"days_left": 29}], authorities=[{"name": "CA", "days_left": 89}])
    text = sut.from_facts(observed(given)).text
    assert "licence    59 days - RENEW SOON" in text
    assert line(text, "lb1").endswith("certificate 29 days - RENEW SOON, authority 89 days - RENEW SOON")


def test_a_licence_that_is_not_valid_yet_is_highlighted() -> None:
    given = hosts()
    for node in ("engine1", "engine2"):
        given[node]["results"]["engine"]["engine"]["licence"] = {
            "nodes": 5,
            "valid_from": "2026-11-03",
            "valid_in_days": 3,
            "valid_until": "2027-11-03",
            "days_left": 368,
        }
    assert line(sut.from_facts(observed(given)).text, "licence").endswith("NOT VALID before 2026-11-03, 5 nodes")


@pytest.mark.parametrize(
    ("limits", "shown"),
    [
        ({"nodes": 5, "sessions": 200}, "5 nodes, 200 sessions"),
        # As many as nodes.
        ({"sessions": 2}, "2 sessions"),
        ({"sessions": 1}, "1 session - TOO FEW"),
        ({"sessions": None}, "valid until 2027-11-03"),
    ],
)
def test_the_limits_of_the_licence_are_beside_its_expiry(limits: dict[str, t.Any], shown: str) -> None:
    given = hosts()
    for node in ("engine1", "engine2"):
        licence = {"valid_until": "2027-11-03", "days_left": 300, **limits}
        given[node]["results"]["engine"]["engine"]["licence"] = licence
    assert line(sut.from_facts(observed(given)).text, "licence").endswith(shown)


def test_an_unreachable_node_is_listed_and_hides_no_other() -> None:
    away = {"address": "192.0.2.22", "reach": {"unreachable": True, "msg": "No route to host\nmore"}, "results": {}}
    text = sut.from_facts(observed(hosts(engine2=away), proceed_without=["engine2"])).text
    assert "UNREACHABLE" in line(text, "engine2")
    assert "it cannot be reached (No route to host) (in ivy_proceed_without)" in text
    assert "active/running" in line(text, "engine1")


@pytest.mark.parametrize(("active", "sub"), [("failed", "failed"), ("activating", "auto-restart")])
def test_a_fenced_node_is_listed_with_the_reason_and_the_fix(active: str, sub: str) -> None:
    stopped = {"active": active, "sub": sub, "since": None}
    own = engine(unit=stopped, applied=OLD, running=None, health=None, peers=None)
    stale = {"address": "192.0.2.22", "reach": {"ping": "pong"}, "results": results(own)}
    text = sut.from_facts(observed(hosts(engine2=stale))).text
    assert "FENCED" in line(text, "engine2")
    assert "--limit engine2" in line(text, "fenced:")


def test_a_stopped_node_that_may_start_is_not_fenced() -> None:
    own = engine(unit={"active": "inactive", "sub": "dead", "since": None}, running=None)
    stopped = {"address": "192.0.2.22", "reach": {"ping": "pong"}, "results": results(own)}
    text = sut.from_facts(observed(hosts(engine2=stopped))).text
    assert "inactive/dead" in line(text, "engine2")
    assert "fenced" not in text


def stopped(active: str, sub: str, begun: dict[str, t.Any] | None = None, **more: t.Any) -> dict[str, t.Any]:
    unit = {"known": True, "active": active, "sub": sub, "since": None, "result": "success", "exit_status": 0, **more}
    own = engine(unit=unit, running=None, health=None, peers=None, start=begun)
    return {"address": "192.0.2.22", "reach": {"ping": "pong"}, "results": results(own)}


def begun(state: str, reason: str) -> dict[str, t.Any]:
    return {"state": state, "reason": reason, "since": "2026-01-05T11:00:00Z", "failures": 0}


AWAY = "The file share is not mounted at /srv/ivy."


@pytest.mark.parametrize(
    ("node", "state", "lines"),
    [
        (
            stopped("activating", "start-pre", begun("waiting", AWAY)),
            "RETRYING",
            [f"{AWAY} (since 2026-01-05T11:00:00Z)"],
        ),
        (stopped("activating", "auto-restart", begun("waiting", AWAY)), "RETRYING", [AWAY]),
        (stopped("activating", "start-pre", begun("pausing", "The engine ended 3 times")), "RETRYING", ["3 times"]),
        (
            stopped("activating", "auto-restart", begun("started", ""), result="exit-code", exit_status=3),
            "RETRYING",
            ["the engine ended (result exit-code, exit status 3)", "journalctl -u axonivy-engine.service"],
        ),
        (stopped("activating", "start-pre"), "activating/start-pre", []),
        (
            stopped("failed", "failed", begun("refused", "An activation was interrupted."), result="exit-code"),
            "FAILED",
            ["refused at 2026-01-05T11:00:00Z: An activation was interrupted.", "ivy.cluster.site --limit engine2"],
        ),
        (
            stopped("failed", "failed", None, result="protocol"),
            "FAILED",
            ["result protocol", "ivy.cluster.site --limit engine2"],
        ),
        (stopped("inactive", "dead"), "inactive/dead", ["it was stopped", "ivy.cluster.site --limit engine2"]),
    ],
)
def test_a_stopped_node_has_the_reason_and_the_command(node: dict[str, t.Any], state: str, lines: list[str]) -> None:
    text = sut.from_facts(observed(hosts(engine2=node))).text
    assert line(text, "engine2").split()[1] == state
    below = text[text.index("engine2") : text.index("lb1")]
    assert [words for words in lines if words not in below] == []
    assert "FENCED" not in text


HELD = (
    "port 8080 is held by nginx (pid 7, unit nginx.service), which is not the engine. Stop it, or change ivy_http_port."
)


@pytest.mark.parametrize(
    "node", [stopped("activating", "auto-restart", begun("started", "")), stopped("inactive", "dead")]
)
def test_a_process_that_holds_the_port_of_a_stopped_engine_is_named(node: dict[str, t.Any]) -> None:
    """The balancers may have the node up: they see only that something answers."""
    node["results"]["engine"]["engine"]["port_problem"] = HELD
    assert HELD in sut.from_facts(observed(hosts(engine2=node))).text


@pytest.mark.parametrize(("failures", "state"), [(0, "active/running"), (1, "active/running"), (4, "CRASH LOOP")])
def test_an_engine_that_runs_only_between_two_crashes_is_not_reported_as_running(failures: int, state: str) -> None:
    own = engine(start={**begun("started", ""), "failures": failures})
    node = {"address": "192.0.2.22", "reach": {"ping": "pong"}, "results": results(own)}
    text = sut.from_facts(observed(hosts(engine2=node))).text
    assert state in line(text, "engine2")
    assert ("in a row soon after its start" in text) == (failures > 0)
    assert ("journalctl -u axonivy-engine.service" in text) == (failures > 0)


def test_a_record_that_cannot_be_read_fences_no_node() -> None:
    given = hosts(engine2=stopped("activating", "start-pre", begun("waiting", AWAY)))
    for name in ("engine1", "engine2"):
        given[name]["results"]["record"] = {"msg": "The cluster record cannot be read (Stale file handle)."}
    text = sut.from_facts(observed(given)).text
    assert "Stale file handle" in line(text, "record")
    assert "RETRYING" in line(text, "engine2")
    assert "FENCED" not in text


@pytest.mark.parametrize(("key", "restart"), [("EMail.Server.Host", False), ("SystemDb.Url", True)])
def test_a_local_change_of_a_key_that_the_engine_reloads_needs_no_restart(key: str, restart: bool) -> None:
    reason = "configuration/ivy.yaml changed since the engine started"
    own = engine(restart_required=True, restart_reasons=[reason], restart_undecided={"configuration/ivy.yaml": reason})
    change = {"root": "engine", "path": "configuration/ivy.yaml", "kind": "modified", "keys": [{"key": key}]}
    node = {
        "address": "192.0.2.22",
        "reach": {"ping": "pong"},
        "results": {**results(own), "scan": {"drift": [change]}},
    }
    text = sut.from_facts(observed(hosts(engine2=node), hot_reload_keys=["EMail"])).text
    assert ("REQUIRED" in line(text, "engine2"), "restart: " in text) == (restart, restart)
    assert "FILE" in line(text, "engine2")


def test_restart_drain_and_health_are_in_the_row() -> None:
    own = engine(
        restart_required=True,
        restart_reasons=["configuration/ivy.yaml: SystemDb.Url changed"],
        running={"release": OLD, "modified": []},
        health={"ok": False, "status": 503, "reason": "GET / answered 503"},
    )
    ill = {"address": "192.0.2.22", "reach": {"ping": "pong"}, "results": results(own)}
    balancer = hosts()["lb1"]
    balancer["results"]["balancer"]["servers"] = [server("engine1"), server("engine2", admin_state="drain", up=False)]
    text = sut.from_facts(observed(hosts(engine2=ill, lb1=balancer))).text
    row = line(text, "engine2")
    for word in ("NOT SERVING", "REQUIRED", "drain", "bbbbbbbbbbbb (applied aaaaaaaaaaaa)"):
        assert word in row
    assert "restart: configuration/ivy.yaml: SystemDb.Url changed" in text
    assert "health: GET / answered 503" in text


def test_what_a_run_has_set_in_the_balancers_is_shown() -> None:
    balancer = hosts()["lb1"]
    drained = {**server("engine2", admin_state="drain", up=False), "cookie_ignored": True}
    balancer["results"]["balancer"].update(servers=[server("engine1"), drained], preferred=["engine1"])
    text = sut.from_facts(observed(hosts(lb1=balancer))).text
    assert "drain without users" in line(text, "engine2")
    assert "new users get to engine1" in line(text, "lb1")


def test_the_maintenance_of_the_service_is_shown_first() -> None:
    balancer = hosts()["lb1"]
    state = {"active": True, "retry_after": 300, "allowed_sources": ["192.0.2.9/32"], "since": "2026-11-29T10:00:00Z"}
    balancer["results"]["balancer"]["maintenance"] = state
    text = sut.from_facts(observed(hosts(lb1=balancer))).text
    first = text.splitlines()[1]
    assert first.startswith(
        "  service    IN MAINTENANCE since 2026-11-29T10:00:00Z, only 192.0.2.9/32 get through (lb1)"
    )
    assert first.endswith("ivy.cluster.maintenance -e maintenance_state=off")
    assert "IN MAINTENANCE" in line(text, "lb1")
    for other in ({**state, "active": False}, None, "yes"):
        balancer["results"]["balancer"]["maintenance"] = other
        assert "MAINTENANCE" not in sut.from_facts(observed(hosts(lb1=balancer))).text


def test_an_open_operation_and_a_pin_are_highlighted() -> None:
    kept = record(
        operation={"name": "site", "owner": "admin", "since": "2026-01-05T09:00:00Z", "step": "start"},
        previous_release=OLD,
        old_releases_until="2026-01-06T09:00:00Z",
        lease={
            "operation": "site",
            "owner": "kim",
            "started": "2026-01-05T09:00:00Z",
            "renewed": "2026-01-05T09:03:00Z",
            "step": "stop",
            "node": "engine2",
        },
        pin={"release": RELEASE},
        drained=["engine1"],
    )
    given = hosts()
    for name in ("engine1", "engine2"):
        given[name]["results"] = results(engine(), kept)
    text = sut.from_facts(observed(given)).text
    allowed = "release bbbbbbbbbbbb allowed as well until 2026-01-06T09:00:00Z"
    assert f"OPEN: site by admin since 2026-01-05T09:00:00Z, step start, {allowed}" in text
    assert line(text, "at work").endswith(
        "site of kim, since 2026-01-05T09:00:00Z, last sign of life 2026-01-05T09:03:00Z, step: stop on engine2"
    )
    assert "PINNED to aaaaaaaaaaaa" in text
    assert line(text, "drained").endswith("engine1 by a run; the next one brings back what that run left out")


def test_a_node_that_an_operator_has_drained_is_shown_with_who_when_and_why() -> None:
    entry = {"since": "2026-01-05T09:00:00Z", "owner": "kim", "reason": "a new disk", "stopped": True}
    restarts = {"since": "2026-01-05T10:00:00Z", "owner": "kim", "nodes": ["engine1", "engine2"]}
    deploying = {"since": "2026-01-05T11:00:00Z", "owner": "kim", "applications": {"demo.zip": "a"}}
    kept = record(drained_nodes={"engine2": entry}, restarts=restarts, deploying=deploying)
    given = hosts()
    stopped = engine(unit={"active": "inactive", "sub": "dead", "known": True}, running=None)
    for name, state in (("engine1", engine()), ("engine2", stopped)):
        given[name]["results"] = results(state, kept)
    text = sut.from_facts(observed(given)).text
    words = "since 2026-01-05T09:00:00Z by kim: a new disk, engine stopped"
    assert line(text, "drained").endswith(f"engine2 {words}")
    assert f"    drained {words}" in text
    assert "it was stopped; to start it run: ansible-playbook ivy.cluster.undrain -e undrain_nodes=engine2" in text
    assert line(text, "restart").endswith(
        "forced by kim at 2026-01-05T10:00:00Z, and did not reach engine1, engine2. To finish it: "
        "ansible-playbook ivy.cluster.restart"
    )
    assert line(text, "deployment").endswith(
        "of demo.zip by kim since 2026-01-05T11:00:00Z, and not completed. To finish it: "
        "ansible-playbook ivy.cluster.deploy"
    )


def test_a_new_cluster_has_no_record() -> None:
    given = hosts()
    own = engine(installed_version=None, unit={"active": "inactive", "sub": "dead"}, applied=None, licence=None)
    for name in ("engine1", "engine2"):
        given[name]["results"] = {"engine": {"engine": own}, "record": {"record": None}}
    text = sut.from_facts(observed(given)).text
    assert "there is no cluster record yet" in text
    assert line(text, "licence").endswith("none found")


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (300, "300 days"),
        (1, "1 day - RENEW SOON"),
        (-2, "EXPIRED 2 days ago"),
        (None, "unknown"),
    ],
)
def test_a_near_expiry_is_highlighted(number: int | None, text: str) -> None:
    assert sut.days(number) == text


def test_balancers_with_different_states_are_listed() -> None:
    given = hosts()
    other = {
        "address": "192.0.2.11",
        "reach": {"ping": "pong"},
        "results": {
            "balancer": {
                "servers": [server("engine1", up=False, status="DOWN")],
                "process": {},
            }
        },
    }
    given["lb2"] = other
    text = sut.from_facts(observed(given, balancers=["lb1", "lb2"])).text
    assert "lb1 up, lb2 down" in line(text, "engine1")
    assert "lb1 up, lb2 missing" in line(text, "engine2")


def test_a_login_that_was_changed_in_the_database_is_in_its_line() -> None:
    given = hosts()
    assert "LOGIN" not in sut.from_facts(observed(given)).text
    given["db1"]["results"]["database_login"] = {"changes": ["login ivy_0000000a: another password"]}
    assert "LOGIN OF THE ENGINES CHANGED: login ivy_0000000a: another password" in sut.from_facts(observed(given)).text


def test_the_result_of_the_archive_is_in_the_line_of_the_database() -> None:
    given = hosts()
    results = given["db1"]["results"]

    def shown(result: dict[str, t.Any]) -> str:
        results["database_archive"] = result
        return line(sut.from_facts(observed(given)).text, "db1")

    def content(**values: t.Any) -> dict[str, t.Any]:
        return {"content": base64.b64encode(json.dumps(values).encode()).decode()}

    assert "rchive" not in shown({"skipped": True})
    assert "ARCHIVE: NO BACKUP YET" in shown({"msg": "file not found"})
    assert "ARCHIVE: UNKNOWN" in shown({"content": "%"})
    assert "ARCHIVE: UNKNOWN" in shown(content(newest=1))
    assert shown(content(newest="20260101-120000F", problem="", complete=2)).endswith(
        ", archive 20260101-120000F, 2 backups"
    )
    failed = shown(content(newest="", problem="no \x1b[1mdisk", complete=0))
    assert "ARCHIVE: LAST BACKUP FAILED: no" in failed
    assert "\x1b" not in failed


def test_services_that_do_not_respond_or_are_elsewhere() -> None:
    given = hosts()
    given["db1"]["results"] = {"database_state": {"msg": "could not connect"}}
    given["search1"]["results"] = {"search_state": {"msg": "Connection refused", "status": -1}}
    given["lb1"]["results"] = {"balancer": {"msg": "no socket"}}
    text = sut.from_facts(observed(given)).text
    assert "PostgreSQL does not respond: could not connect" in text
    assert "the search engine does not respond: Connection refused" in text
    assert "HAProxy does not respond: no socket" in text
    service = {"address": "db.example.com", "port": 5432, "name": "ivydb", "user": "ivy", "servers": {}}
    assert "db.example.com:5432 (not a host of this inventory)" in sut.from_facts(observed(database=service)).text


def test_a_limited_run_shows_its_hosts() -> None:
    text = sut.from_facts(observed({"engine2": hosts()["engine2"]})).text
    assert "active/running" in line(text, "engine2")
    assert line(text, "db1").endswith("not part of this run (--limit)")


def test_missing_input_is_reported() -> None:
    with pytest.raises(KeyError, match="cluster"):
        snapshot_from({})


def test_a_host_without_a_result_does_not_run() -> None:
    host = Host("engine1", "192.0.2.21", results={"engine": {"msg": "Module failed"}})
    assert not host.runs


def guarded(**changes: t.Any) -> dict[str, t.Any]:
    value = {"time": "2026-01-05T11:00:00Z", "error": "", "findings": [], "record_problem": "", "waits": "", **changes}
    content = json.dumps(value)
    return {
        "address": "192.0.2.22",
        "reach": {"ping": "pong"},
        "results": {**results(engine()), "guard": {"text": content}},
    }


def test_the_result_of_the_guard_is_below_its_node() -> None:
    findings = [{"path": f"configuration/{number}.yaml", "kind": "modified"} for number in range(7)]
    text = sut.from_facts(observed(hosts(engine2=guarded(findings=findings, waits="operation site is open")))).text
    found = line(text, "guard at 2026-01-05T11:00:00Z: 7 files differ: configuration/0.yaml (modified), ")
    assert found.endswith(", 2 more")
    assert "guard at 2026-01-05T11:00:00Z: operation site is open" in text
    assert text.index("engine2") < text.index("7 files differ")


def test_only_a_guard_with_a_problem_is_shown() -> None:
    text = sut.from_facts(observed(hosts(engine2=guarded(error="The store is damaged")))).text
    assert "guard at 2026-01-05T11:00:00Z: The store is damaged" in text
    assert "guard" not in sut.from_facts(observed(hosts(engine2=guarded()))).text
    absent = guarded()
    absent["results"]["guard"] = {"msg": "file not found", "failed": False}
    assert "guard" not in sut.from_facts(observed(hosts(engine2=absent))).text


def test_local_changes_are_listed() -> None:
    listed = hosts()
    listed["engine1"]["results"]["scan"] = {
        "drift": [
            {"path": "configuration/ivy.yaml", "kind": "modified"},
            {"path": "configuration/\x1b[2J", "kind": "extra"},
        ]
    }
    listed["engine2"]["results"]["scan"] = {"failed": True, "msg": "The store is damaged."}
    text = sut.from_facts(observed(hosts=listed)).text
    assert "2 FILES" in line(text, "engine1")
    assert "drift: configuration/ivy.yaml (modified), configuration/\\x1b[2J (extra)" in text
    assert "unknown" in line(text, "engine2")
    assert "drift: The store is damaged." in text


def test_an_unknown_host_key_is_reported_with_its_fix() -> None:
    message = "Failed to connect to the host via ssh: @@@@@@@@\r\nHost key verification failed."
    facts = observed(
        hosts(engine2={"address": "192.0.2.22", "reach": {"unreachable": True, "msg": message}, "results": {}})
    )
    assert "its SSH host key is not in known_hosts" in sut.from_facts(facts).text
    assert "ssh-keyscan" in facts.hosts["engine2"].advice


def balancers_with_address(**of_second: t.Any) -> dict[str, t.Any]:
    first = hosts()["lb1"]
    own = {"virtual_address": {"held": True, "service": "active"}}
    other = {"virtual_address": {"held": False, "service": "active"}}
    first = {**first, "results": {**first["results"], **own}}
    second = {**first, "address": "192.0.2.11", "results": {**first["results"], **other}, **of_second}
    return hosts(lb1=first, lb2=second)


def test_the_holder_of_the_virtual_address_is_shown() -> None:
    more: dict[str, t.Any] = {"balancers": ["lb1", "lb2"], "virtual_address": "192.0.2.100"}
    text = sut.from_facts(observed(balancers_with_address(), **more)).text
    assert line(text, "192.0.2.100").split(maxsplit=1)[1] == "virtual address, lb1 holds it, lb2 can take it over"
    lost = balancers_with_address(reach={"unreachable": True, "msg": "no route to host"})
    text = sut.from_facts(observed(lost, **more)).text
    assert line(text, "192.0.2.100").endswith("virtual address, lb1 holds it. NOT REDUNDANT: lb2 is not reachable")
    part = {name: host for name, host in balancers_with_address().items() if name != "lb2"}
    assert "--limit" in line(sut.from_facts(observed(part, **more)).text, "192.0.2.100")


def test_each_member_of_a_search_cluster_is_shown() -> None:
    one = hosts()["search1"]
    other = {
        "search_state": {"json": {"cluster_name": "demo", "status": "green", "number_of_nodes": 2, "active_shards": 6}}
    }
    given = hosts(search1={**one, "results": other}, search2={**one, "results": other})
    servers = {"search1": "192.0.2.40", "search2": "192.0.2.41"}
    search: dict[str, t.Any] = {"search": {"address": "192.0.2.100", "port": 9200, "servers": servers}}
    text = sut.from_facts(observed(given, **search)).text
    assert line(text, "search2").endswith("search cluster demo green, 2 nodes, 6 shards")
    other["search_state"]["json"]["status"] = "yellow"
    assert line(sut.from_facts(observed(given, **search)).text, "search1").endswith("6 shards - NOT REDUNDANT")
