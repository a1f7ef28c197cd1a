# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration of keepalived on each load balancer, the options that the role rejects, and its check of HAProxy.

How long the address takes to move was measured on hosts, see docs/balancer.md.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import runpy
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
ROLE = ROOT / "roles/keepalived"
Roles = dict[str, dict[str, Any]]
CONFIGURATION = "/etc/keepalived/keepalived.conf"
DROP_IN = "/etc/systemd/system/keepalived.service.d/ivy-cluster.conf"
INTERFACE = "/etc/keepalived/ivy-cluster-interface.conf"
LOADED = "/run/ivy-cluster-keepalived-loaded"
VALUES: dict[str, Any] = {
    "ivy_cluster_name": "unit",
    "ivy_virtual_address": "192.0.2.100/24",
    "ivy_load_balancer_addresses": {"lb1": "192.0.2.11", "lb2": "192.0.2.12"},
    "ivy_balancer_check": {
        "socket": "/run/haproxy/check.sock",
        "user": {"name": "keepalived_script", "home": "/nonexistent", "shell": "/usr/sbin/nologin"},
    },
    "groups": {"load_balancers": ["lb1", "lb2"]},
    "inventory_hostname": "lb1",
}


BAD: dict[str, list[tuple[Any, str]]] = {
    "keepalived_router_id": [(0, "Set a number from 1 to 255"), (256, "Set a number from 1 to 255")],
    "keepalived_advertisement_interval": [(0, "from 0.1 to 40"), (41, "from 0.1 to 40")],
    "keepalived_interface": [("eth0; rm", "not the name of a network interface"), ("eth0\n", "not the name")],
}
ANSWER = ["2001:db8::11   STREAM lb1.acme.ch", "192.0.2.11      STREAM", "192.0.2.11 DGRAM"]
CASES: dict[str, dict[str, Any]] = {
    "plain": {},
    "second": {"inventory_hostname": "lb2"},
    "options": {
        "keepalived_interface": "br-lan.20",
        "keepalived_router_id": 255,
        "keepalived_advertisement_interval": 1.5,
    },
    "another cluster": {"ivy_cluster_name": "acme"},
    "a third cluster": {"ivy_cluster_name": "demo"},
    "ipv6": {
        "ivy_virtual_address": "2001:db8::100/64",
        "ivy_load_balancer_addresses": {"lb1": "2001:db8::11", "lb2": "2001:db8::12"},
    },
    "names": {
        "inventory_hostname": "lb2",
        "ivy_load_balancer_addresses": {"lb1": "lb1.acme.ch", "lb2": "192.0.2.12"},
        "__keepalived_lookups": {"results": [{"item": "lb1.acme.ch", "stdout_lines": ANSWER}]},
    },
    "removed": {"ivy_virtual_address": ""},
    **{f"{option} {value}": {option: value} for option, values in BAD.items() for value, _words in values},
}


@pytest.fixture(scope="module")
def roles() -> dict[str, dict[str, Any]]:
    """The variables of the role in each case, from one process."""
    cases = {name: {**VALUES, **changes} for name, changes in CASES.items()}
    command = [sys.executable, str(Path(__file__).with_name("keepalived_variables.py"))]
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
    done = subprocess.run(
        command, input=json.dumps(cases), capture_output=True, text=True, check=False, timeout=600, env=environment
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, dict[str, Any]] = json.loads(done.stdout)
    return found


def paths(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {item["path"]: item for item in found["keepalived_state"]["paths"]}


def configuration(found: dict[str, Any]) -> list[str]:
    content = paths(found)[CONFIGURATION]["content"]
    return [line.strip() for line in content.splitlines() if line.strip() and not line.strip().startswith("#")]


def block(lines: list[str], name: str) -> list[str]:
    start = lines.index(f"{name} {{")
    return lines[start + 1 : lines.index("}", start)]


def test_the_load_balancers_differ_in_address_and_priority_only(roles: Roles) -> None:
    first, second = configuration(roles["plain"]), configuration(roles["second"])
    assert {"state BACKUP", "nopreempt", "vrrp_version 3", "enable_script_security", "advert_int 0.2"} <= set(first)
    assert {"check_unicast_src", "script_user keepalived_script", "init_fail", "fall 1"} <= set(first)
    assert block(first, "virtual_ipaddress") == ["192.0.2.100/24 dev $IVY_INTERFACE"]
    assert block(first, "unicast_peer") == ["192.0.2.12"]
    assert "unicast_src_ip 192.0.2.11" in first
    swapped = {"router_id lb1": "router_id lb2", "priority 200": "priority 190"}
    swapped |= {"192.0.2.12": "192.0.2.11", "unicast_src_ip 192.0.2.11": "unicast_src_ip 192.0.2.12"}
    assert [swapped.get(line, line) for line in first] == second


def test_the_check_asks_the_socket_that_haproxy_has_for_its_user(roles: Roles) -> None:
    template = (ROOT / "roles/haproxy/templates/haproxy.cfg.j2").read_text(encoding="utf-8")
    assert (
        "stats socket {{ ivy_balancer_check['socket'] }} user {{ ivy_balancer_check['user']['name'] }} mode 600"
        in template
    )
    script = next(line for line in configuration(roles["plain"]) if line.startswith("script "))
    assert script == 'script "/usr/local/lib/ivy-cluster/keepalived-check /run/haproxy/check.sock"'


def test_options_reach_the_configuration(roles: Roles) -> None:
    assert {"virtual_router_id 255", "advert_int 1.5"} <= set(configuration(roles["options"]))
    assert paths(roles["options"])[INTERFACE]["content"].splitlines()[-1] == "$IVY_INTERFACE=br-lan.20"
    assert roles["options"]["keepalived_option_problems"] == []


def test_the_router_id_follows_from_the_name_of_the_cluster(roles: Roles) -> None:
    found = [
        int(roles[case]["keepalived_router_id"]) for case in ("plain", "second", "another cluster", "a third cluster")
    ]
    assert found[0] == found[1]
    assert len(set(found)) == 3
    assert all(1 <= one <= 255 for one in found)


def test_an_ipv6_address_is_not_used_as_the_source_of_connections(roles: Roles) -> None:
    lines = configuration(roles["ipv6"])
    assert block(lines, "virtual_ipaddress") == ["2001:db8::100/64 dev $IVY_INTERFACE preferred_lft 0"]
    assert block(lines, "unicast_peer") == ["2001:db8::12"]


def test_names_are_replaced_by_addresses_of_the_same_kind(roles: Roles) -> None:
    found = roles["names"]
    assert "        192.0.2.11\n" in paths(found)[CONFIGURATION]["content"]
    # Without the host, nobody knows whether the name still has this address.
    assert [text.partition(":")[0] for text in found["keepalived_state"]["unknown"]] == ["lb1.acme.ch"]


def test_the_state_finds_a_process_that_has_loaded_another_configuration(roles: Roles) -> None:
    found = paths(roles["plain"])
    digest = hashlib.sha256(found[CONFIGURATION]["content"].encode()).hexdigest()
    assert found[LOADED]["contains"] == f"{digest}  {CONFIGURATION}\n"
    unit = found[DROP_IN]["content"]
    assert len(re.findall(rf"sha256sum {CONFIGURATION} {INTERFACE} >{LOADED}", unit)) == 2


def test_a_killed_process_leaves_no_address_behind(roles: Roles) -> None:
    unit = paths(roles["plain"])[DROP_IN]["content"].splitlines()
    assert "ExecStopPost=-/bin/ip address flush to 192.0.2.100" in unit
    assert "Restart=always" in unit


def test_vrrp_is_let_in_from_the_other_load_balancers_only(roles: Roles) -> None:
    (included,) = [one for one in roles["plain"]["keepalived_state"]["includes"] if one["role"] == "firewall"]
    (rule,) = included["vars"]["firewall_rules"]
    assert (rule["protocols"], rule["allow"]) == ([112], ["192.0.2.12"])


def test_without_an_address_only_what_the_role_has_set_up_is_removed(roles: Roles) -> None:
    assert roles["removed"]["keepalived_state"] == {"paths": [{"path": DROP_IN, "state": "absent"}]}
    tasks = yaml.safe_load((ROLE / "tasks/remove.yml").read_text(encoding="utf-8"))
    assert tasks[1]["when"] == "__keepalived_installed.stat.exists"
    # An interrupted removal is completed by the next run, which looks for the drop-in.
    files = yaml.safe_load((ROLE / "vars/main/state.yml").read_text(encoding="utf-8"))["__keepalived_all_files"]
    assert files[-1] == "{{ __keepalived_drop_in }}"


@pytest.mark.parametrize(
    ("option", "value", "words"), [(option, *pair) for option, pairs in BAD.items() for pair in pairs]
)
def test_a_bad_option_is_rejected(option: str, value: Any, words: str, roles: Roles) -> None:
    (problem,) = roles[f"{option} {value}"]["keepalived_option_problems"]
    assert problem.startswith(option)
    assert words in problem


# --- the check of HAProxy

CHECK: dict[str, Any] = runpy.run_path(str(ROLE / "files/keepalived-check"))


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[tuple[str, socket.socket]]:
    path = str(tmp_path / "check.sock")
    with socket.socket(socket.AF_UNIX) as stream:
        stream.bind(path)
        stream.listen()
        yield path, stream


def test_a_process_that_answers_passes(listener: tuple[str, socket.socket]) -> None:
    path, stream = listener

    def answer() -> None:
        connection, _address = stream.accept()
        with connection:
            connection.recv(100)
            connection.sendall(b"Name: HAProxy\n")

    thread = threading.Thread(target=answer)
    thread.start()
    assert CHECK["answers"](path) is True
    thread.join()


def test_a_stopped_process_does_not_pass(listener: tuple[str, socket.socket], monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel accepts connections for it, and nobody answers."""
    path, _stream = listener
    monkeypatch.setitem(CHECK["answers"].__globals__, "SECONDS", 0.05)
    assert CHECK["answers"](path) is False


def test_a_process_that_closes_the_connection_does_not_pass(listener: tuple[str, socket.socket]) -> None:
    path, stream = listener

    def close() -> None:
        connection, _address = stream.accept()
        connection.recv(100)
        connection.close()

    thread = threading.Thread(target=close)
    thread.start()
    assert CHECK["answers"](path) is False
    thread.join()


def test_a_missing_process_does_not_pass(tmp_path: Path) -> None:
    assert CHECK["answers"](str(tmp_path / "check.sock")) is False


def test_a_hanging_haproxy_is_noticed_within_three_seconds(roles: Roles) -> None:
    """The interval of the check, its attempts, and the time in which another load balancer takes the address over."""
    interval = next(int(line.split()[1]) for line in configuration(roles["plain"]) if line.startswith("interval "))
    limit = next(int(line.split()[1]) for line in configuration(roles["plain"]) if line.startswith("timeout "))
    duration = CHECK["ATTEMPTS"] * CHECK["SECONDS"] + (CHECK["ATTEMPTS"] - 1) * CHECK["PAUSE"]
    assert interval + duration < 2.8
    assert duration < limit
