# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules of role firewall, as the engine and the search engine use it."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jinja2.nativetypes
import pytest
import yaml

from ansible_collections.ivy.cluster.tests.in_process import run_play

ROOT = Path(__file__).resolve().parents[3]
PLAY = """
- hosts: localhost
  gather_facts: false
  vars: {ansible_connection: local, ansible_python_interpreter: "{{ ansible_playbook_python }}"}
  vars_files: ["{{ role_path }}/vars/main/internal.yml"]
  tasks:
    - ansible.builtin.copy:
        content: "{{ lookup('ansible.builtin.template', role_path ~ '/templates/rules.nft.j2') }}"
        dest: "{{ directory }}/{{ item.case }}"
        mode: "0600"
      vars:
        firewall_name: "{{ item.name }}"
        firewall_rules: "{{ item.rules }}"
      loop: "{{ cases }}"

# The rules as the two roles pass them.
- hosts: localhost
  gather_facts: false
  vars:
    ansible_connection: local
    ansible_python_interpreter: "{{ ansible_playbook_python }}"
    engine_http_firewall: false
  vars_files:
    - "{{ role_path }}/vars/main/internal.yml"
    - "{{ role_path }}/../engine/vars/main/firewall.yml"
    - "{{ role_path }}/../engine/vars/main/state.yml"
    - "{{ role_path }}/../elasticsearch/vars/main/internal.yml"
    - "{{ role_path }}/../elasticsearch/vars/main/state.yml"
  tasks:
    - ansible.builtin.copy: &write
        content: "{{ lookup('ansible.builtin.template', role_path ~ '/templates/rules.nft.j2') }}"
        dest: "{{ directory }}/{{ item }}"
        mode: "0600"
      vars: {ivy_node_serves_https: false, <<: @engine@}
      loop: [engine role]
    - ansible.builtin.copy: *write
      vars: {engine_http_firewall: true, ivy_node_serves_https: false, <<: @engine@}
      loop: [engine role with http]
    - ansible.builtin.copy: *write
      vars: {engine_http_firewall: true, ivy_node_serves_https: true, <<: @engine@}
      loop: [engine role with https]
    - ansible.builtin.copy: *write
      vars: {ivy_search_front_end: false, __elasticsearch_is_cluster: false, <<: @elasticsearch@}
      loop: [elasticsearch role]
    - ansible.builtin.copy: *write
      vars: {ivy_search_front_end: true, <<: @elasticsearch@}
      loop: [elasticsearch role with a cluster]
"""
ENGINE = [
    {"name": "cluster", "tcp": [7800, 7900, 7901], "udp": [7800, 45588], "allow": ["10.0.0.22", "10.0.0.21", "node3"]},
    {"name": "http", "tcp": [8080], "allow": ["10.0.0.10", "fd00::10", "192.0.2.0/24"]},
]
SEARCH = [{"name": "search", "tcp": [9200], "allow": ["10.0.0.21"]}]
VRRP = [{"name": "vrrp", "protocols": [112], "allow": ["10.0.0.12", "fd00::12"]}]
# The values of the cluster that the roles derive their rules from.
CLUSTER = {
    "ivy_engine_addresses": {
        "engine1": "10.0.0.21",
        "engine2": " 10.0.0.22",
        "engine3": "node3",
        "engine4": "fd00::24",
    },
    "ivy_load_balancer_addresses": {"lb1": "10.0.0.10"},
    "ivy_address": "10.0.0.40",
    "ivy_cluster_name": "unit",
    "ivy_jgroups_port": 7800,
    "ivy_jgroups_fd_port": 7900,
    "ivy_http_port": 8080,
    "ivy_https_port": 8443,
    "ivy_search_port": 9200,
    "ivy_search_server_addresses": {"search1": "10.0.0.40", "search2": "10.0.0.41", "search3": "10.0.0.42"},
    "elasticsearch_transport_port": 9300,
    "engine_allowed_extra": ["192.0.2.0/24"],
    "elasticsearch_allowed_extra": ["10.0.0.99", "fd00:1::/64"],
}
NODES = {"10.0.0.21", "10.0.0.22", "10.0.0.23", "10.0.0.40", "fd00::24", "fe80::3"}
LOOKUPS = {
    "results": [{"item": "node3", "stdout_lines": ["10.0.0.23 STREAM node3", "10.0.0.23 DGRAM", "fe80::3%eth0 STREAM"]}]
}


def changed(change: Callable[[list[dict[str, Any]]], Any]) -> list[dict[str, Any]]:
    rules: list[dict[str, Any]] = copy.deepcopy(ENGINE)
    change(rules)
    return rules


CASES: dict[str, tuple[str, list[dict[str, Any]]]] = {
    "engine": ("ivy-engine", ENGINE),
    "search": ("ivy-search", SEARCH),
    "protocol": ("ivy-keepalived", VRRP),
    "another protocol": ("ivy-keepalived", [{**VRRP[0], "protocols": [51]}]),
    "other order": ("ivy-engine", changed(lambda rules: rules[0]["allow"].reverse())),
    "port": ("ivy-engine", changed(lambda rules: rules[0]["tcp"].append(7902))),
    "address": ("ivy-engine", changed(lambda rules: rules[1]["allow"].pop())),
    "chain": ("ivy-engine", changed(lambda rules: rules.pop())),
}


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The rules of every case, rendered in one run of Ansible."""
    directory = tmp_path_factory.mktemp("rules")
    play = PLAY
    for role, file in (("engine", "close_ports.yml"), ("elasticsearch", "close_port.yml")):
        tasks = yaml.safe_load((ROOT / "roles" / role / "tasks" / file).read_text(encoding="utf-8"))
        play = play.replace(f"@{role}@", json.dumps(tasks[0]["vars"]))
    (directory / "play.yml").write_text(play, encoding="utf-8")
    values = {
        **CLUSTER,
        "role_path": str(ROOT / "roles/firewall"),
        "directory": str(directory),
        "cases": [{"case": case, "name": name, "rules": rules} for case, (name, rules) in CASES.items()],
        "__firewall_lookups": LOOKUPS,
    }
    done = run_play(directory, values)
    assert done.returncode == 0, done.stdout + done.stderr
    return {path.name: path.read_text(encoding="utf-8") for path in directory.iterdir() if path.suffix != ".yml"}


def members(rules: str, name: str) -> list[str]:
    block = rules.split(f"set {name} {{", 1)[1].split("\n\t}", 1)[0]
    found = re.search(r"elements = \{ (.*) \}", block)
    return found[1].split(", ") if found else []


def chain(rules: str, name: str) -> list[str]:
    return [
        line.strip() for line in rules.split(f"chain {name} {{", 1)[1].split("}\n", 1)[0].splitlines() if line.strip()
    ]


def meaning(rules: str) -> tuple[str, dict[tuple[str, int], tuple[set[str], str]]]:
    """The table, and for each closed port the allowed hosts and what happens to the others."""
    (table,) = set(re.findall(r"^(?:delete )?table inet (\w+)", rules, re.MULTILINE))
    closed = {}
    for protocol, ports, name in re.findall(r"\t(tcp|udp) dport (.+) jump (\w+)", rules):
        accepted, verdicts = set(), []
        for line in chain(rules, name):
            found = re.fullmatch(r"ip6? saddr @(\w+) accept", line)
            if found:
                accepted |= set(members(rules, found[1]))
            elif line == 'iif "lo" accept':
                accepted.add("lo")
            elif line.startswith("meta l4proto "):
                verdicts += [line.split()[-1]] if line.split()[2] == protocol else []
            else:
                verdicts.append(line.removeprefix("counter "))
        for port in re.findall(r"\d+", ports):
            assert (protocol, int(port)) not in closed
            closed[(protocol, int(port))] = (accepted, verdicts[0])
    return table, closed


def test_the_engine_passes_the_ports_between_the_nodes(rendered: dict[str, str]) -> None:
    """The expected rules are those of the engine's own templates, which this role replaced."""
    nodes = {"lo", *NODES}
    between = {
        ("tcp", 7800): (nodes, "reject with tcp reset"),
        ("tcp", 7900): (nodes, "reject with tcp reset"),
        ("tcp", 7901): (nodes, "reject with tcp reset"),
        ("udp", 7800): (nodes, "drop"),
        ("udp", 45588): (nodes, "drop"),
    }
    assert meaning(rendered["engine role"]) == ("ivy_engine", between)
    http = {("tcp", 8080): (nodes | {"10.0.0.10", "192.0.2.0/24"}, "reject with tcp reset")}
    assert meaning(rendered["engine role with http"]) == ("ivy_engine", {**between, **http})
    https = {("tcp", 8443): http["tcp", 8080]}
    assert meaning(rendered["engine role with https"]) == ("ivy_engine", {**between, **http, **https})


def test_the_search_engine_passes_its_port(rendered: dict[str, str]) -> None:
    """The expected rules are those of the search engine's own templates, which this role replaced."""
    allowed = {"lo", *NODES, "10.0.0.99", "fd00:1::/64"}
    assert meaning(rendered["elasticsearch role"]) == (
        "ivy_search",
        {("tcp", 9200): (allowed, "reject with tcp reset")},
    )


def test_the_members_of_a_search_cluster_exchange_data_with_nobody_else(rendered: dict[str, str]) -> None:
    closed = meaning(rendered["elasticsearch role with a cluster"])[1]
    assert closed["tcp", 9300] == ({"lo", "10.0.0.40", "10.0.0.41", "10.0.0.42"}, "reject with tcp reset")
    allowed = {"lo", *NODES, "10.0.0.99", "fd00:1::/64"}
    assert closed["tcp", 9200] == (allowed | {"10.0.0.10"}, "reject with tcp reset")


def test_ports_are_closed_to_all_hosts_except_the_allowed_ones(rendered: dict[str, str]) -> None:
    rules = rendered["engine"]
    jumps = re.findall(r"^\t\t(?:tcp|udp) dport .*$", rules, re.MULTILINE)
    assert [re.sub(r' comment ".{16}"', " #", line.strip()) for line in jumps] == [
        "tcp dport { 7800, 7900, 7901 } jump cluster #",
        "udp dport { 7800, 45588 } jump cluster",
        "tcp dport { 8080 } jump http",
    ]
    assert members(rules, "cluster4") == ["10.0.0.21", "10.0.0.22", "10.0.0.23"]
    assert members(rules, "cluster6") == ["fe80::3"]
    assert members(rules, "http4") == ["10.0.0.10", "192.0.2.0/24"]
    assert members(rules, "http6") == ["fd00::10"]
    assert chain(rules, "cluster") == [
        'iif "lo" accept',
        "ip saddr @cluster4 accept",
        "ip6 saddr @cluster6 accept",
        "meta l4proto udp counter drop",
        "counter reject with tcp reset",
    ]
    assert chain(rules, "http")[-1] == "counter reject with tcp reset"
    assert "meta l4proto udp counter drop" not in chain(rules, "http")


def test_a_protocol_without_ports_is_closed_to_all_hosts_except_the_allowed_ones(rendered: dict[str, str]) -> None:
    rules = rendered["protocol"]
    (jump,) = re.findall(r"^\t\tmeta l4proto .* jump .*$", rules, re.MULTILINE)
    assert re.sub(r' comment ".{16}"', " #", jump.strip()) == "meta l4proto { 112 } jump vrrp #"
    assert (members(rules, "vrrp4"), members(rules, "vrrp6")) == (["10.0.0.12"], ["fd00::12"])
    assert chain(rules, "vrrp") == [
        'iif "lo" accept',
        "ip saddr @vrrp4 accept",
        "ip6 saddr @vrrp6 accept",
        "meta l4proto { 112 } counter drop",
        "counter reject with tcp reset",
    ]
    assert rules != rendered["another protocol"]


def test_the_table_is_replaced_as_one_transaction(rendered: dict[str, str]) -> None:
    rules = rendered["search"]
    lines = [line for line in rules.splitlines() if line and not line.startswith("#")]
    assert lines[:3] == ["table inet ivy_search", "delete table inet ivy_search", "table inet ivy_search {"]
    assert members(rules, "search6") == []


@pytest.mark.parametrize("case", ["port", "address", "chain"])
def test_the_comment_in_the_rules_changes_with_every_rule(case: str, rendered: dict[str, str]) -> None:
    (before,), (after,) = (re.findall(r'comment "(.{16})"', rendered[name]) for name in ("engine", case))
    assert before != after


def test_the_order_of_the_addresses_changes_nothing(rendered: dict[str, str]) -> None:
    assert rendered["other order"] == rendered["engine"]


def test_both_services_use_this_role() -> None:
    for path in ("engine/tasks/close_ports.yml", "elasticsearch/tasks/close_port.yml"):
        tasks = yaml.safe_load((ROOT / "roles" / path).read_text(encoding="utf-8"))
        roles = [task["ansible.builtin.include_role"] for task in tasks]
        assert roles == [
            {"name": "ivy.cluster.firewall"},
            {"name": "ivy.cluster.firewall", "tasks_from": "remove"},
        ]


def is_changed(result: object) -> bool:
    return bool(result)


def test_a_disabled_unit_is_enabled_even_if_its_rules_are_in_force() -> None:
    (task,) = [
        task
        for task in yaml.safe_load((ROOT / "roles/firewall/tasks/close.yml").read_text(encoding="utf-8"))
        if "Load the rules" in task["name"]
    ]
    assert task["ansible.builtin.systemd_service"]["enabled"] is True
    condition = jinja2.nativetypes.NativeEnvironment()
    condition.tests["changed"] = is_changed
    needed = condition.compile_expression(task["when"])

    def states(digest_in_force: bool, written: bool) -> list[str]:
        values = {
            "__firewall_digest": "digest",
            "__firewall_in_force": {"stdout": "digest" if digest_in_force else ""},
            "__firewall_written": written,
        }
        return [state for state in task["loop"] if needed(item=state, **values)]

    assert states(digest_in_force=True, written=False) == ["started"]
    assert states(digest_in_force=False, written=False) == ["started", "reloaded"]
    assert states(digest_in_force=True, written=True) == ["started", "reloaded"]
