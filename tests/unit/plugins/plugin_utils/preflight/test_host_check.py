# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each thing that can be wrong with a host is planted into what a healthy cluster answered, and found."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.ivy.cluster.plugins.plugin_utils.common.findings import Finding
from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight import host_check
from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight.checks import (
    network,
)
from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight.checks import (
    share as preflight_share_checks,
)
from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight.model.host_facts import Limits, looks_from
from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight.model.host_requirements import (
    Need,
    Plan,
    Port,
    Target,
)

Looked = dict[str, dict[str, Any]]
ENGINE, DATABASE = "axonivy-engine.service", "postgresql@15-main.service"
SHARE = {
    "root": "/srv/ivy",
    "directory": "/srv/ivy/data",
    "user": "ivy",
    "group": "ivy",
    "uid": 1200,
    "gid": 1200,
    "mode": "existing",
    "accept_local": False,
    "source": "",
}


def port_state(port: int, program: str, unit: str) -> dict[str, Any]:
    return {"port": port, "holders": [{"pid": 7, "program": program, "unit": unit, "user": program}], "quiet": True}


def seen(**more: Any) -> dict[str, Any]:
    return {
        "system": {
            "os": {"id": "debian", "version": "12"},
            "architecture": "x86_64",
            "systemd": True,
            "memory_mb": 8000,
            "time_zone": "Etc/UTC",
            "has_zone": True,
            "has_locale": True,
            "max_map_count": 65530,
            "max_map_count_fixed": False,
        },
        "disks": [disk("/var/log", 1)],
        "ports": [],
        "listening": [],
        "names": {},
        "hostname": "",
        "packages": {
            "missing": [],
            "held": [],
            "lists": True,
            "without_candidate": [],
            "upgrades": {"enabled": False, "blacklist": []},
        },
        "trusted": "",
        **more,
    }


def disk(path: str, device: int, **more: Any) -> dict[str, Any]:
    return {
        "path": path,
        "device": device,
        "free_mb": 9000,
        "size_mb": 20000,
        "free_files": 900000,
        "read_only": False,
        **more,
    }


def engine(number: int) -> dict[str, Any]:
    host, address = f"engine{number}", f"192.0.2.2{number}"
    plan = Plan(
        groups=("engine_nodes",),
        address=address,
        ports=(
            Port(8080, "the engine's HTTP", "ivy_http_port", ENGINE, ("*",), True),
            Port(7800, "the engines' cluster", "ivy_jgroups_port", ENGINE, (address,), True),
        ),
        memory=(Need("engine", "engine_heap_max", 2304),),
        packages=("openjdk-17-jre-headless",),
        services=("openjdk-17-jre-headless",),
        share=dict(SHARE),
        time_zone="Etc/UTC",
    )
    path = f"/srv/ivy/data/.ivy-preflight-t{number}-{host}"
    answer = seen(
        ports=[port_state(8080, "java", ENGINE), port_state(7800, "java", ENGINE)],
        hostname=host,
        names={host: [address]},
        accounts={"uid": 1200, "gid": 1200, "name_of_uid": "ivy", "name_of_gid": "ivy"},
        mount={"target": "/srv/ivy", "type": "nfs4", "source": "nas:/ivy"},
        probe={"directory": "/srv/ivy/data", "path": path, "uid": 1200, "gid": 1200, "made": True, "error": ""},
    )
    return {
        "plan": plan.to_dict(),
        "reason": "",
        "detail": "",
        "seen": answer,
        "token": f"t{number}",
        "clock": [-0.2, 0.9],
    }


def database() -> dict[str, Any]:
    port = Port(5432, "PostgreSQL", "ivy_database_port", DATABASE, ("192.0.2.30",), True)
    plan = Plan(groups=("database_servers",), address="192.0.2.30", ports=(port,))
    answer = seen(ports=[port_state(5432, "postgres", DATABASE)], hostname="db1")
    return {"plan": plan.to_dict(), "reason": "", "detail": "", "seen": answer, "token": "td", "clock": [-0.2, 0.9]}


@pytest.fixture
def looked() -> Looked:
    return {"engine1": engine(1), "engine2": engine(2), "db1": database()}


def judged(looked: Looked, reached: dict[str, Any] | None = None) -> list[Finding]:
    return host_check.judge(looks_from(copy.deepcopy(looked), reached or {}), Limits())


def only(found: list[Finding]) -> Finding:
    assert len(found) == 1, found
    return found[0]


def test_a_healthy_cluster_has_no_finding(looked: Looked) -> None:
    assert judged(looked) == []


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        ("unreachable", "host-unreachable"),
        ("no-python", "host-no-python"),
        ("old-python", "host-old-python"),
        ("no-root", "host-no-root"),
        ("failed", "host-not-inspected"),
        ("something new", "host-not-inspected"),
    ],
)
def test_a_host_that_cannot_be_inspected_is_reported_and_hides_no_other(looked: Looked, reason: str, code: str) -> None:
    looked["engine1"] = {"plan": Plan((), "").to_dict(), "reason": reason, "detail": "3.7.3"}
    looked["engine2"]["seen"]["system"]["systemd"] = False
    assert [(one.code, one.subject) for one in judged(looked)] == [(code, "engine1"), ("no-systemd", "engine2")]


def test_a_host_that_was_left_out_is_nothing(looked: Looked) -> None:
    looked["engine3"] = {"skipped": True, "changed": False}
    assert judged(looked) == []


System = Callable[[dict[str, Any]], None]


@pytest.mark.parametrize(
    ("change", "code", "named"),
    [
        (lambda system: system["os"].update(version="11"), "os-unsupported", "debian 11"),
        (lambda system: system["os"].update(id="rhel", version="9.4"), "os-unsupported", "rhel 9.4"),
        (lambda system: system.update(architecture="riscv64"), "architecture-unsupported", "riscv64"),
        (lambda system: system.update(systemd=False), "no-systemd", "systemd"),
        (lambda system: system.update(has_locale=False), "locale-missing", "C.UTF-8"),
        (lambda system: system.update(has_zone=False), "time-zone-unknown", "Etc/UTC"),
        (lambda system: system.update(memory_mb=2000), "memory-too-small", "2304 MB"),
        (lambda system: system.update(memory_mb=2400), "memory-tight", "2400 MB"),
    ],
)
def test_what_is_wrong_with_the_system(looked: Looked, change: System, code: str, named: str) -> None:
    change(looked["engine1"]["seen"]["system"])
    found = only(judged(looked))
    assert (found.code, found.subject) == (code, "engine1")
    assert named in found.message
    assert found.fix


def test_the_same_on_several_hosts_is_one_finding(looked: Looked) -> None:
    for name in ("engine1", "engine2"):
        looked[name]["seen"]["system"]["has_locale"] = False
    assert only(judged(looked)).subject == "engine1, engine2"


def test_the_number_of_maps_counts_where_it_cannot_be_raised(looked: Looked) -> None:
    looked["db1"]["plan"]["map_count"] = 262144
    assert judged(looked) == []
    looked["db1"]["seen"]["system"]["max_map_count_fixed"] = True
    assert only(judged(looked)).code == "max-map-count"
    looked["db1"]["plan"]["map_count"] = 0
    assert judged(looked) == []


@pytest.mark.parametrize(
    ("state", "code"),
    [
        ({"free_mb": 511}, "disk-full"),
        ({"free_mb": 2047}, "disk-low"),
        ({"read_only": True, "free_mb": 0, "free_files": 0}, "disk-read-only"),
        ({"free_files": 9999}, "disk-inodes"),
        ({"error": "Input/output error"}, "disk-unreadable"),
    ],
)
def test_room_on_disks(looked: Looked, state: dict[str, Any], code: str) -> None:
    looked["db1"]["seen"]["disks"] = [disk("/var/log", 1), disk("/var/lib/postgresql", 2, **state)]
    found = only(judged(looked))
    assert found.code == code
    assert "/var/lib/postgresql" in found.message


def test_one_file_system_is_reported_once_with_all_its_paths(looked: Looked) -> None:
    looked["db1"]["seen"]["disks"] = [disk("/opt/ivy", 2, free_mb=1), disk("/var/log", 2, free_mb=1)]
    assert "/opt/ivy, /var/log has 1 MB" in only(judged(looked)).message


def test_a_file_system_without_a_fixed_number_of_files_has_room(looked: Looked) -> None:
    looked["db1"]["seen"]["disks"] = [disk("/opt/ivy", 2, free_files=None)]
    assert judged(looked) == []


@pytest.mark.parametrize(("clock", "printed"), [([3.5, 9.0], "ahead of"), ([-9.0, -3.5], "behind")])
def test_a_clock_that_is_off_for_sure(looked: Looked, clock: list[float], printed: str) -> None:
    looked["engine2"]["clock"] = clock
    found = only(judged(looked))
    assert (found.code, found.subject, found.severity) == ("clock-offset", "engine2", "error")
    assert f"at least 4 seconds {printed}" in found.message


def test_a_slow_connection_makes_no_clock_wrong(looked: Looked) -> None:
    looked["engine2"]["clock"] = [-30.0, 45.0]
    assert judged(looked) == []


def test_when_all_agree_against_the_controller_it_is_the_controller(looked: Looked) -> None:
    for name in looked:
        looked[name]["clock"] = [60.0, 61.0]
    found = only(judged(looked))
    assert (found.code, found.severity) == ("clock-controller", "warning")


def test_hosts_that_disagree_with_one_another_are_reported_each(looked: Looked) -> None:
    looked["engine1"]["clock"], looked["engine2"]["clock"], looked["db1"]["clock"] = [60, 61], [-61, -60], [90, 91]
    assert [one.code for one in judged(looked)] == ["clock-offset"] * 3


def test_directories_of_the_system_are_named_by_the_uppermost(looked: Looked) -> None:
    paths = {"/": 1, "/etc": 1, "/usr": 1, "/var": 2, "/var/log": 2, "/opt/ivy": 1}
    looked["db1"]["seen"]["disks"] = [disk(path, device, free_mb=1) for path, device in paths.items()]
    reported = [one.message.partition(" has ")[0] for one in judged(looked)]
    assert reported == ["the file system of /, /opt/ivy", "the file system of /var"]


def test_time_zones_that_differ(looked: Looked) -> None:
    looked["db1"]["seen"]["system"]["time_zone"] = "Asia/Tokyo"
    assert judged(looked) == []
    looked["engine2"]["seen"]["system"]["time_zone"] = "Europe/Zurich"
    found = only(judged(looked))
    assert (found.code, found.severity) == ("time-zone-differs", "warning")
    assert "does not depend on it" in found.fix
    assert "journals" in found.fix
    assert "engine2 Europe/Zurich" in found.message


def test_a_port_that_another_program_holds(looked: Looked) -> None:
    looked["engine1"]["seen"]["ports"][0] = port_state(8080, "nginx", "nginx.service")
    found = only(judged(looked))
    assert found.code == "port-held"
    assert "port 8080 (the engine's HTTP) is held by nginx (pid 7, unit nginx.service, user nginx)" in found.message
    assert "ivy_http_port" in found.fix


def serves(looked: Looked, host: str, protocol: str, *, http: bool = True, https: bool = False) -> None:
    """An engine that runs, and the protocol that the balancers are to use."""
    looked[host]["plan"]["node_protocol"] = protocol
    ports = list(looked[host]["plan"]["ports"])
    more = {"port": 8443, "option": "ivy_https_port", "purpose": "the engine's HTTPS"}
    looked[host]["plan"]["ports"] = [*ports, {**ports[0], **more}]
    looked[host]["seen"]["ports"][0] = {**port_state(8080, "java", ENGINE), "local_only": not http}
    state = port_state(8443, "java", ENGINE)
    looked[host]["seen"]["ports"].append(state if https else {**state, "holders": []})


@pytest.mark.parametrize(("http", "https"), [(True, True), (False, True), (True, False)])
@pytest.mark.parametrize("protocol", ["http", "https"])
def test_balancers_change_to_what_every_running_engine_serves_already(
    looked: Looked, protocol: str, http: bool, https: bool
) -> None:
    serves(looked, "engine1", protocol, http=http, https=https)
    found = [one for one in judged(looked) if one.code == "node-tls-step"]
    served = https if protocol == "https" else http
    assert [one.subject for one in found] == ([] if served else ["engine1"])
    if found:
        assert ("allow" if protocol == "https" else "prefer") in found[0].fix


def test_a_new_cluster_may_begin_with_any_protocol(looked: Looked) -> None:
    serves(looked, "engine1", "https")
    for state in looked["engine1"]["seen"]["ports"]:
        state["holders"] = []
    assert [one for one in judged(looked) if one.code == "node-tls-step"] == []


def test_another_version_of_the_right_program_is_another_service(looked: Looked) -> None:
    looked["db1"]["seen"]["ports"][0] = port_state(5432, "postgres", "postgresql@14-main.service")
    assert only(judged(looked)).code == "port-held"


def test_a_search_engine_that_an_upgrade_replaces_may_hold_its_port(looked: Looked) -> None:
    looked["engine1"]["plan"]["ports"][0]["unit"] = "opensearch.service"
    looked["engine1"]["seen"]["ports"][0] = port_state(8080, "java", "elasticsearch.service")
    assert [one.code for one in judged(looked) if one.code == "port-held"] == []


def test_another_preflight_on_a_host_is_reported_once(looked: Looked) -> None:
    state = {"holders": [], "quiet": True, "error": "Address already in use"}
    looked["engine1"]["seen"].update(ports=[{**state, "port": 8080}, {**state, "port": 7800}], under_way=[7])
    found = only(judged(looked))
    assert (found.code, found.severity, found.subject) == ("preflight-under-way", "error", "engine1")
    assert "within three minutes" in found.fix
    looked["engine1"]["seen"]["ports"][0] = port_state(8080, "nginx", "nginx.service")
    assert sorted(one.code for one in judged(looked)) == ["port-held", "preflight-under-way"]


def test_a_port_that_nobody_holds_and_nobody_can_use(looked: Looked) -> None:
    looked["db1"]["seen"]["ports"][0] = {"port": 5432, "holders": [], "quiet": True, "error": "Permission denied"}
    assert only(judged(looked)).code == "port-unusable"


def by_name(looked: Looked, address: str, names: dict[str, list[str]]) -> None:
    """engine1 is reached by a name, which the hosts resolve as given."""
    looked["engine1"]["plan"]["address"] = address
    for host, found in names.items():
        looked[host]["plan"]["names"] = [address]
        looked[host]["seen"]["names"][address] = found


def test_a_node_that_resolves_its_own_address_to_loopback(looked: Looked) -> None:
    by_name(looked, "node.example.com", {"engine1": ["127.0.1.1"], "engine2": ["192.0.2.21"]})
    found = only(judged(looked))
    assert (found.code, found.subject, found.severity) == ("own-name-loopback", "engine1", "error")


def test_a_host_name_on_loopback_is_a_warning_where_it_is_not_a_address(looked: Looked) -> None:
    looked["engine1"]["seen"]["names"]["engine1"] = ["127.0.1.1"]
    looked["db1"]["seen"]["names"]["db1"] = ["127.0.1.1"]
    found = only(judged(looked))
    assert (found.code, found.subject, found.severity) == ("hostname-loopback", "engine1", "warning")


@pytest.mark.parametrize(
    ("addresses", "code", "where"),
    [
        ([], "name-unresolved", "engine2"),
        (["127.0.0.1"], "name-loopback", "engine2"),
        (["192.0.2.99"], "name-differs", "engine1, engine2"),
    ],
)
def test_what_peers_make_of_a_name(looked: Looked, addresses: list[str], code: str, where: str) -> None:
    by_name(looked, "node.example.com", {"engine1": ["192.0.2.21"], "engine2": addresses})
    found = only(judged(looked))
    assert (found.code, found.subject, found.severity) == (code, where, "error")


def targets(looked: Looked, host: str) -> list[tuple[str, int, str]]:
    questions = network.questions(looks_from(looked), host)
    return [(one.address, one.port, one.token) for one in questions]


def test_who_is_tried_from_where(looked: Looked) -> None:
    assert targets(looked, "engine1") == [("192.0.2.22", 7800, ""), ("192.0.2.30", 5432, "")]
    assert targets(looked, "db1") == []
    looked["lb1"] = {**database(), "plan": Plan(("load_balancers",), "192.0.2.10").to_dict()}
    assert targets(looked, "lb1") == [("192.0.2.21", 8080, ""), ("192.0.2.22", 8080, "")]


def test_a_listener_stands_for_a_service_that_does_not_run_yet(looked: Looked) -> None:
    looked["db1"]["seen"].update(ports=[{"port": 5432, "holders": [], "quiet": True}], listening=[5432])
    assert ("192.0.2.30", 5432, "td") in targets(looked, "engine1")


def test_nobody_is_tried_who_cannot_answer(looked: Looked) -> None:
    looked["db1"]["seen"].update(ports=[{"port": 5432, "holders": [], "quiet": False}])
    looked["engine2"]["seen"]["ports"][1] = port_state(7800, "nginx", "nginx.service")
    assert targets(looked, "engine1") == []


def test_a_service_that_is_not_configured_yet_is_not_tried_from_elsewhere(looked: Looked) -> None:
    """Debian's package starts PostgreSQL on loopback, where only its own host reaches it."""
    looked["db1"]["seen"]["ports"][0]["local_only"] = True
    assert targets(looked, "engine1") == [("192.0.2.22", 7800, "")]


def test_an_address_outside_takes_the_place_of_the_group(looked: Looked) -> None:
    outside = Target("the system database", "ivy_database_host", "db.example.com", 6432)
    looked["engine1"]["plan"]["external"] = [outside.__dict__]
    assert targets(looked, "engine1") == [("192.0.2.22", 7800, ""), ("db.example.com", 6432, "")]


def test_a_way_that_is_closed(looked: Looked) -> None:
    found = only(judged(looked, {"engine1": {"targets": ["", "timed out"], "files": {}}}))
    assert (found.code, found.subject) == ("not-reached", "engine1")
    assert "db1 (192.0.2.30) on port 5432, PostgreSQL (timed out)" in found.message


def test_a_new_node_is_not_expected_to_pass_rules_that_do_not_know_it_yet(looked: Looked) -> None:
    refused = {"engine1": {"targets": ["Connection refused", ""], "files": {}}}
    looked["engine2"]["seen"]["firewall"] = [
        {"ports": [7800, 7900], "addresses": ["192.0.2.22", "192.0.2.30"]},
        {"ports": [8080], "addresses": ["192.0.2.21"]},
    ]
    assert judged(looked, refused) == []
    # Once the rules name the node, something else refuses the connection.
    looked["engine2"]["seen"]["firewall"][0]["addresses"] = ["192.0.2.16/28"]
    assert only(judged(looked, refused)).code == "not-reached"
    # No rules for this port.
    del looked["engine2"]["seen"]["firewall"][0]
    assert only(judged(looked, refused)).code == "not-reached"


def test_a_new_node_with_a_name_is_known_to_the_rules_by_its_addresses(looked: Looked) -> None:
    refused = {"engine1": {"targets": ["Connection refused", ""], "files": {}}}
    for host in looked.values():
        host["seen"]["names"]["engine1.example.com"] = ["192.0.2.21"]
    looked["engine1"]["plan"]["address"] = "engine1.example.com"
    looked["engine2"]["seen"]["firewall"] = [{"ports": [7800], "addresses": ["192.0.2.22"]}]
    assert judged(looked, refused) == []
    looked["engine2"]["seen"]["firewall"][0]["addresses"] = ["192.0.2.21"]
    assert only(judged(looked, refused)).code == "not-reached"


def test_only_the_jgroups_ports_are_content_with_a_connection_that_is_there(looked: Looked) -> None:
    questions = network.questions(looks_from(looked), "engine1")
    assert {one.port: one.linked_is_enough for one in questions} == {7800: True, 5432: False}


def files(looked: Looked, host: str) -> list[str]:
    return [one["name"] for one in preflight_share_checks.files(looks_from(looked), host)]


def answers(**of_engine1: Any) -> dict[str, Any]:
    """engine1 looks for the file of engine2."""
    return {
        "engine1": {
            "targets": [],
            "files": {"engine2": {"found": True, "error": "", "uid": 1200, "gid": 1200, **of_engine1}},
        }
    }


def test_each_node_looks_for_the_files_of_the_others(looked: Looked) -> None:
    assert files(looked, "engine1") == ["engine2"]
    assert files(looked, "db1") == []
    assert judged(looked, answers()) == []


@pytest.mark.parametrize(
    ("probe", "read"),
    [
        ({}, ("/srv/ivy/data/.ivy-preflight-t2-engine2", 1200, 1200)),
        ({"uid": 0, "gid": 0}, ("/srv/ivy/data/.ivy-preflight-t2-engine2", 1200, 1200)),
        ({"uid": 1000, "gid": 4}, ("/srv/ivy/data/.ivy-preflight-t2-engine2", 1200, 1200)),
        # A new share belongs to root.
        (
            {"path": "/srv/ivy/.ivy-preflight-t2-engine2", "uid": 0, "gid": 0},
            ("/srv/ivy/.ivy-preflight-t2-engine2", 0, 0),
        ),
        ({"path": "/srv/ivy/.ivy-preflight-t2-engine2"}, ("/srv/ivy/.ivy-preflight-t2-engine2", 1200, 1200)),
        ({"path": "/etc/shadow", "uid": 0, "gid": 0}, None),
        ({"path": "/srv/ivy/data/../../../etc/shadow"}, None),
        ({"path": "/srv/ivy/data/.ivy-preflight-t2-engine1"}, None),
        ({"path": ["/srv/ivy/data"]}, None),
    ],
)
def test_a_node_does_not_choose_what_the_others_read(
    looked: Looked, probe: dict[str, Any], read: tuple[str, int, int] | None
) -> None:
    looked["engine2"]["seen"]["probe"].update(probe)
    found = preflight_share_checks.files(looks_from(looked), "engine1")
    assert [(one["path"], one["uid"], one["gid"]) for one in found] == ([read] if read else [])


def test_a_share_that_is_not_shared(looked: Looked) -> None:
    found = only(judged(looked, answers(found=False)))
    assert (found.code, found.subject) == ("share-not-shared", "engine1")
    assert "engine2" in found.message


def test_a_node_with_another_share_than_the_rest_is_reported_once(looked: Looked) -> None:
    looked["engine3"] = engine(3)
    well = {"error": "", "uid": 1200, "gid": 1200}
    names = ("engine1", "engine2", "engine3")
    for odd in names:
        rest = [name for name in names if name != odd]
        others = ", ".join(rest)
        reached = {
            name: {
                "targets": [],
                "files": {other: {**well, "found": odd not in (name, other)} for other in names if other != name},
            }
            for name in names
        }
        found = only(judged(looked, reached))
        assert (found.code, found.subject) == ("share-not-shared", odd)
        assert (
            found.message
            == f"it does not see what {others} wrote, and what it wrote is not seen by {others} in /srv/ivy"
        )


def test_two_nodes_with_a_share_each_are_reported_once(looked: Looked) -> None:
    reached = answers(found=False)
    reached["engine2"] = {"targets": [], "files": {"engine1": {"found": False, "error": ""}}}
    found = only(judged(looked, reached))
    assert (found.code, found.subject) == ("share-not-shared", "engine1, engine2")
    assert found.message == "neither sees what the other wrote in /srv/ivy"


def test_nodes_with_a_share_each_are_all_reported(looked: Looked) -> None:
    looked["engine3"] = engine(3)
    names = ("engine1", "engine2", "engine3")
    blind = {"found": False, "error": ""}
    reached = {name: {"targets": [], "files": {other: blind for other in names if other != name}} for name in names}
    found = judged(looked, reached)
    assert [(one.code, one.subject) for one in found] == [("share-not-shared", name) for name in names]


def test_a_share_with_other_numbers(looked: Looked) -> None:
    found = only(judged(looked, answers(uid=65534)))
    assert (found.code, found.subject) == ("share-other-numbers", "engine1")
    assert "uid 65534" in found.message


def test_a_share_whose_locks_do_not_reach_the_other_node(looked: Looked) -> None:
    assert judged(looked, answers(locked=True, lock_error="")) == []
    found = only(judged(looked, answers(locked=False, lock_error="")))
    assert (found.code, found.subject) == ("share-locks-local", "engine1")
    assert "engine2" in found.message


def test_a_share_without_locks(looked: Looked) -> None:
    looked["engine2"]["seen"]["probe"]["lock_error"] = "No locks available"
    found = only(judged(looked, answers(locked=False, lock_error="")))
    assert (found.code, found.subject) == ("share-without-locks", "engine2")
    assert "No locks available" in found.message


def test_a_missing_mount(looked: Looked) -> None:
    looked["engine1"]["seen"]["mount"] = {"target": "/", "type": "ext4", "source": "/dev/sda1"}
    assert only(judged(looked, answers())).code == "share-not-mounted"
    looked["engine1"]["plan"]["share"]["accept_local"] = True
    assert judged(looked, answers()) == []


def test_a_share_that_does_not_let_the_engine_in(looked: Looked) -> None:
    probe = {
        "directory": "/srv/ivy/data",
        "path": "",
        "uid": 1200,
        "gid": 1200,
        "made": True,
        "error": "Permission denied",
    }
    looked["engine1"]["seen"]["probe"] = probe
    found = only(judged(looked, answers()))
    assert found.code == "share-not-writable"
    assert "uid 1200, gid 1200" in found.message


def test_a_share_that_the_role_will_mount_is_not_tried_and_that_is_printed(looked: Looked) -> None:
    probe = {"directory": "/srv/ivy", "path": "", "uid": None, "gid": None, "made": False, "error": "it does not exist"}
    for name in ("engine1", "engine2"):
        looked[name]["plan"]["share"]["mode"] = "mount"
        looked[name]["seen"].update(mount={"target": "/", "type": "ext4", "source": "/dev/sda1"}, probe=probe)
    found = only(judged(looked, answers(found=False)))
    assert (found.code, found.severity, found.subject) == ("share-not-tried", "warning", "engine1, engine2")


@pytest.mark.parametrize(
    ("accounts", "code"),
    [
        ({"uid": 998}, "engine-user-number"),
        ({"gid": 998}, "engine-user-number"),
        ({"uid": None, "name_of_uid": "tomcat"}, "engine-number-taken"),
        ({"gid": None, "name_of_gid": "tomcat"}, "engine-number-taken"),
    ],
)
def test_the_numbers_of_the_engines_user(looked: Looked, accounts: dict[str, Any], code: str) -> None:
    looked["engine1"]["seen"]["accounts"].update(accounts)
    assert only(judged(looked)).code == code


def test_a_host_without_the_engines_user_is_well(looked: Looked) -> None:
    looked["engine1"]["seen"]["accounts"] = {"uid": None, "gid": None, "name_of_uid": "", "name_of_gid": ""}
    assert judged(looked) == []


def test_packages_that_cannot_be_installed(looked: Looked) -> None:
    packages = looked["engine1"]["seen"]["packages"]
    packages.update(missing=["openjdk-99-jre"], without_candidate=["openjdk-99-jre"])
    assert only(judged(looked)).code == "package-missing"
    packages.update(lists=False, without_candidate=[])
    found = only(judged(looked))
    assert (found.code, found.severity) == ("package-lists-missing", "warning")
    packages.update(lists=True)
    assert judged(looked) == []


@pytest.mark.parametrize(
    ("held", "blacklist", "reported"),
    [
        ([], [], True),
        (["openjdk-17-jre-headless"], [], False),
        ([], ["openjdk-"], False),
        ([], ["(", "postgresql"], True),
    ],
)
def test_upgrades_that_nobody_asked_for(looked: Looked, held: list[str], blacklist: list[str], reported: bool) -> None:
    looked["engine1"]["seen"]["packages"].update(held=held, upgrades={"enabled": True, "blacklist": blacklist})
    found = judged(looked)
    assert [(one.code, one.severity) for one in found] == ([("upgrades-unattended", "warning")] if reported else [])


def test_what_a_role_says_of_a_host(looked: Looked) -> None:
    looked["db1"]["plan"]["problems"] = ["postgres_version: Debian 12 brings 15."]
    assert only(judged(looked)).code == "role-refuses-host"


# --- the virtual address


def balancer(number: int, balancers: int = 2, named: str = "", **more: Any) -> dict[str, Any]:
    asked = {"address": "192.0.2.100", "length": 24, "interface": named, "balancers": balancers}
    plan = Plan(groups=("load_balancers",), address=f"192.0.2.1{number}", virtual_address=asked)
    state = {"held": False, "interface": "eth0", "networks": ["192.0.2.0/24"], "neighbour": "", **more}
    answer = seen(hostname=f"lb{number}", virtual_address={"other_configuration": False, **state})
    return {"plan": plan.to_dict(), "reason": "", "detail": "", "seen": answer, "token": "tb", "clock": [-0.2, 0.9]}


def test_load_balancers_of_which_one_holds_the_address() -> None:
    assert judged({"lb1": balancer(1, held=True), "lb2": balancer(2, neighbour="02:42:ac:1f:4d:0b")}) == []


def test_an_address_that_nobody_has() -> None:
    assert judged({"lb1": balancer(1), "lb2": balancer(2)}) == []


def test_an_address_of_a_foreign_host() -> None:
    found = only(judged({"lb1": balancer(1), "lb2": balancer(2, neighbour="02:42:ac:1f:4d:63")}))
    assert (found.code, found.subject) == ("virtual-address-in-use", "lb1, lb2")
    assert "02:42:ac:1f:4d:63" in found.message


def test_another_load_balancer_that_was_not_inspected_may_be_the_one_that_answers() -> None:
    lost = {"plan": Plan((), "").to_dict(), "reason": "unreachable", "detail": ""}
    answers = {"lb1": balancer(1, neighbour="02:42:ac:1f:4d:0c")}
    assert judged(dict(answers)) == []
    assert [one.code for one in judged({**answers, "lb2": lost})] == ["host-unreachable"]


@pytest.mark.parametrize(
    ("change", "named", "code", "words"),
    [
        ({"networks": ["10.0.0.0/8"]}, "", "virtual-address-network", "eth0 has the network 10.0.0.0/8"),
        ({"networks": ["192.0.2.0/25"]}, "", "virtual-address-network", "is in 192.0.2.0/24"),
        ({"networks": []}, "", "virtual-address-network", "none of this kind"),
        ({"interface": "", "networks": []}, "", "virtual-address-interface", "no interface has its address 192.0.2.12"),
        ({"interface": "", "networks": []}, "ens9", "virtual-address-interface", "it has no interface ens9"),
        ({"other_configuration": True}, "", "keepalived-foreign", "has not written"),
    ],
)
def test_a_load_balancer_that_cannot_have_the_address(
    change: dict[str, Any], named: str, code: str, words: str
) -> None:
    found = only(judged({"lb1": balancer(1), "lb2": balancer(2, named=named, **change)}))
    assert (found.code, found.subject) == (code, "lb2")
    assert words in found.message
    assert found.fix
