# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbooks add_node and remove_node: their order, their refusals, and runs that are interrupted.

The plays, the roles add_node and remove_node, the lease and the drain are real. The other roles are stubs that log.
"""

from __future__ import annotations

import json
import os
import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.ivy.cluster.plugins.module_utils.node.cluster import record
from ansible_collections.ivy.cluster.tests.unit.long_tests import cases, long
from ansible_collections.ivy.cluster.tests.unit.repository import test_lost_hosts as lost
from ansible_collections.ivy.cluster.tests.unit.repository.test_lost_hosts import Cluster, Ended

ROOT = Path(__file__).resolve().parents[3]
RELEASE = "a" * 32
APPLICATIONS = {"demo.zip": "d" * 64}
OWN = tuple(
    f"{path.parts[-3]}/{path.stem}"
    for role in ("add_node", "remove_node")
    for path in ROOT.glob(f"roles/{role}/tasks/*.yml")
)
MEMBERS = ["engine1", "engine2"]
# A host of which nothing is known has neither a unit nor a record.
GATHER = """
- name: Log the step
  check_mode: false
  ansible.builtin.raw: |
    echo 'rollout/gather {{ inventory_hostname }}' >> 'DIRECTORY/log'
    cat 'DIRECTORY/unit/{{ inventory_hostname }}' 2>/dev/null || true
  register: rollout_node
- name: Read the record
  ivy.cluster.cluster_record:
    directory: "{{ ivy_record_directory }}"
    cluster: "{{ ivy_cluster_name }}"
    user: "{{ ivy_user }}"
    group: "{{ ivy_group }}"
    store: "{{ ivy_state_directory }}"
    state: read
  register: __read
- name: Set the facts
  ansible.builtin.set_fact:
    __rollout_record: "{{ __read }}"
    rollout_node:
      record: "{{ __read.record }}"
      engine:
        unit:
          active: "{{ rollout_node.stdout | trim or 'inactive' }}"
          known: "{{ rollout_node.stdout | trim != '' }}"
"""
STAGE = """
- name: Plan what the node needs
  ansible.builtin.set_fact:
    rollout_plan: "{{ planned }}"
"""
STOP = """
- name: Stop the engine
  ansible.builtin.raw: echo inactive > 'DIRECTORY/unit/{{ inventory_hostname }}'
"""
# Logs which nodes are not among the addresses any more.
PEER = """
- name: Log the addresses
  ansible.builtin.raw: |
    echo 'without {{ rollout_leaving_nodes | default([]) | join(",") }} {{ inventory_hostname }}' >> 'DIRECTORY/log'
"""
NODE_RELEASES = """
from ansible.plugins.action import ActionBase
class ActionModule(ActionBase):
    _requires_connection = False
    _supports_check_mode = True
    def run(self, tmp=None, task_vars=None):
        if self._task.args.get("release"):
            return {"changed": False}
        new = task_vars["inventory_hostname"] in task_vars.get("new_nodes", [])
        releases = [] if new else [{"id": "RELEASE", "complete": True, "engine_version": "11.3.0"}]
        return {"changed": False, "applied": "" if new else "RELEASE", "releases": releases, "cached": []}
"""
SYSTEMCTL = """#!/bin/bash
case "$*" in
  *show*) printf 'Id=x\\nLoadState=loaded\\nActiveState=inactive\\nUnitFileState=enabled\\n' ;;
  *is-enabled*) echo enabled ;;
  *disable*) echo "systemctl/disable $FAKE_HOST" >> DIRECTORY/log ;;
esac
"""
PEERS = ["postgres/allow_nodes db1", "elasticsearch/close_port search1"]


class Nodes(Cluster):
    """Three nodes in the inventory."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory, (*lost.REAL, *lost.LEASE, *OWN))
        for role in ("add_node", "remove_node"):
            for part in ("defaults", "vars"):
                text = (ROOT / f"roles/{role}/{part}/main.yml").read_text(encoding="utf-8")
                self.write(self.collection / f"roles/{role}/{part}/main.yml", text)
        self.write(self.collection / "plugins/action/node_releases.py", NODE_RELEASES.replace("RELEASE", RELEASE))
        self.step("rollout/gather", GATHER)
        self.step("rollout/stage", self.stub("rollout/stage") + STAGE)
        self.step("rollout/stop", self.stub("rollout/stop") + STOP)
        renew = "- ansible.builtin.include_tasks: renew_lease.yml\n"
        self.step("rollout/restart", renew + self.stub("rollout/restart").lstrip())
        render = {"rollout_release": "{{ source_release }}", "rollout_release_problem": ""}
        self.step("rollout/render", yaml.safe_dump([{"name": "Build", "ansible.builtin.set_fact": render}]))
        for name in ("haproxy/update_servers", "engine/close_ports"):
            self.step(name, self.stub(name) + PEER)
        for node in lost.GROUPS["engine_nodes"]:
            self.write(directory / "unit" / node, "active")
        self.write(directory / "bin/systemctl", SYSTEMCTL).chmod(0o755)
        self.write(directory / "ssh", lost.SSH.replace("FAKE_HOST=", 'PATH="DIRECTORY/bin:$PATH" FAKE_HOST='))
        (directory / "share").mkdir()
        known = {"desired_release": RELEASE, "engine_version": "11.3.0", "applications": APPLICATIONS}
        self.record = {**record.empty("test"), **known}

    def stub(self, step: str) -> str:
        return lost.STUB.replace("STEP", step).replace("ONCE", "false")

    def step(self, name: str, text: str) -> None:
        self.write(self.collection / f"roles/{name.replace('/', '/tasks/')}.yml", f"---\n{text.lstrip()}")

    @property
    def record(self) -> dict[str, t.Any]:
        return record.read(str(self.directory / "share"), os.geteuid(), os.getegid()) or {}

    @record.setter
    def record(self, value: dict[str, t.Any]) -> None:
        record.write(str(self.directory / "share"), value, os.geteuid(), os.getegid())

    def call(self, playbook: str, *arguments: str, **variables: t.Any) -> Ended:
        (self.directory / "log").unlink(missing_ok=True)
        settings = {
            "rollout_plan": None,
            "rollout_release": None,
            "planned": {
                "activate": True,
                "start": True,
                "restart": False,
                "first": True,
                "gate": False,
                "waits": False,
                "reasons": [],
            },
            "source_release": RELEASE,
            "ivy_profile": {"runtime_deployment": False},
            "rollout_application_digests": APPLICATIONS,
            "ivy_transport": "multicast",
            "ivy_controller_cache": str(self.directory / "cache"),
            "ivy_cluster_key": "0" * 64,
            "ivy_engine_unit": "axonivy-engine.service",
            "ivy_engine_service": "axonivy-engine",
            "engine_drain_websockets_timeout": 0,
            "engine_drain_requests_timeout": 0,
            **variables,
        }
        return self.run(playbook, *arguments, **settings)

    def add(self, *arguments: str, **variables: t.Any) -> Ended:
        return self.call(
            "add_node.yml", *arguments, **{"add_node_names": "engine3", "new_nodes": ["engine3"], **variables}
        )

    def remove(self, *arguments: str, **variables: t.Any) -> Ended:
        return self.call("remove_node.yml", *arguments, **{"remove_node_names": "engine3", **variables})


@pytest.fixture
def nodes(tmp_path: Path) -> Nodes:
    return Nodes(tmp_path)


def new(nodes: Nodes) -> None:
    """engine3 is new: nothing is installed there, and no balancer lists it until it is added."""
    (nodes.directory / "unit/engine3").unlink()
    for balancer in lost.GROUPS["load_balancers"]:
        nodes.balancer(balancer, MEMBERS)
    joined = json.loads((nodes.directory / "lb1.json").read_text(encoding="utf-8"))
    joined["servers"].append({**joined["servers"][0], "name": "engine3"})
    nodes.write(nodes.directory / "joined.json", json.dumps(joined))
    join = (
        "\n- name: Join\n  ansible.builtin.raw: cp 'DIRECTORY/joined.json' 'DIRECTORY/{{ inventory_hostname }}.json'\n"
    )
    nodes.step("haproxy/update_servers", nodes.stub("haproxy/update_servers") + join)


def in_order(ended: Ended, *steps: str) -> None:
    found = [ended.log.index(step) for step in steps]
    assert found == sorted(found), ended.log


@long
def test_a_node_passes_the_gate_before_any_balancer_knows_it(nodes: Nodes) -> None:
    new(nodes)
    ended = nodes.add()
    assert ended.code == 0, ended.output
    for peer in (*PEERS, *(f"engine/close_ports {node}" for node in MEMBERS)):
        in_order(ended, peer, "engine/main engine3", "rollout/stage engine3", "rollout/restart engine3")
    in_order(ended, "rollout/restart engine3", "haproxy/update_servers lb1", "config_guard/main engine3")
    in_order(ended, "rollout/restart engine3", "haproxy/update_servers lb2")
    for step in ("rollout/stage", "rollout/restart", "rollout/activate", "file_share/main", "engine/main"):
        assert ended.done(step) == ["engine3"], step
    # The whole roles would also apply other changes of the inventory, and restart services.
    for step in ("postgres/main", "elasticsearch/main", "haproxy/main", "rollout/stop", "rollout/close"):
        assert ended.done(step) == [], step
    assert nodes.record["lease"] is None
    assert nodes.record["desired_release"] == RELEASE
    assert "engine3 serves in the cluster test" in " ".join(ended.output.split())


@long
def test_the_source_is_not_rolled_out_when_a_node_is_added(nodes: Nodes) -> None:
    new(nodes)
    ended = nodes.add(source_release="b" * 32, ivy_transport="tcp")
    assert ended.code == 0, ended.output
    text = " ".join(ended.output.replace("\\n", " ").split())
    assert f"engine3: the release of the cluster, {RELEASE}. The source gives another one, {'b' * 32}" in text
    assert "The running engines know the new node since it has joined them" in text
    assert nodes.record["desired_release"] == RELEASE


@pytest.mark.parametrize(
    ("variables", "message"),
    cases(
        ({"ivy_engine_version": "12.0.0"}, "Versions must not mix"),
        more=(
            ({"add_node_names": " , "}, "add_node_names is empty"),
            ({"add_node_names": "engine3,engine9"}, "engine9 is not in the group engine_nodes"),
            ({"ivy_proceed_without": ["engine3"]}, "engine3 is in ivy_proceed_without"),
            ({"new_nodes": ["engine2", "engine3"]}, "No release was ever applied to engine2 either"),
        ),
    ),
)
def test_a_node_that_cannot_be_added_is_refused_before_anything_is_changed(
    nodes: Nodes, variables: dict[str, t.Any], message: str
) -> None:
    new(nodes)
    before = nodes.record
    ended = nodes.add(**variables)
    assert ended.code != 0
    assert message in ended.last, ended.output
    # They only read.
    checks = {"rollout/gather", "rollout/check_applications", "rollout/require_safe_opening"}
    assert {line.split()[0] for line in ended.log} <= {"preflight/main", *checks}
    assert nodes.record == before


def test_a_node_is_not_added_while_a_rollout_is_open_or_hosts_are_left_out(nodes: Nodes) -> None:
    new(nodes)
    nodes.record = {**nodes.record, "operation": {"name": "rollout", "owner": "kim", "since": "now", "step": "stop"}}
    ended = nodes.add("--limit", "engine_nodes,lb1,db1,search1", rollout_application_digests={"demo.zip": "e" * 64})
    assert ended.code != 0
    assert "The nodes use demo.zip with the checksum dddddddddddd" in ended.last, ended.output
    assert "The operation rollout of kim is open" in ended.last, ended.output
    assert "--limit leaves out lb2" in ended.last
    assert ended.done("engine/main") == []


@long
def test_a_node_that_serves_is_not_restarted_by_adding_it(nodes: Nodes) -> None:
    plan = {"activate": True, "start": False, "restart": True, "first": False, "gate": False, "waits": False}
    ended = nodes.add(new_nodes=[], planned={**plan, "reasons": ["jvm.options"]})
    assert ended.code != 0
    assert "engine3 belongs to the cluster and serves, and needs a restart: jvm.options" in ended.last, ended.output
    assert ended.done("rollout/restart") == []


ADD = [
    ["postgres/require_connections"],
    ["postgres/allow_nodes", "elasticsearch/close_port", "engine/close_ports"],
    ["file_share/main", "engine/main"],
    ["rollout/stage"],
    ["rollout/restart"],
    ["haproxy/update_servers"],
    ["config_guard/main"],
]


@long
@pytest.mark.parametrize(
    ("step", "host"),
    cases(
        ("engine/close_ports", "engine2"),
        more=(
            ("postgres/allow_nodes", "db1"),
            ("engine/main", "engine3"),
            ("rollout/restart", "engine3"),
            ("haproxy/update_servers", "lb2"),
        ),
    ),
)
def test_an_addition_that_loses_a_host_ends_there_and_the_same_command_finishes_it(
    nodes: Nodes, step: str, host: str
) -> None:
    new(nodes)
    ended = nodes.add(lost=f"{step} {host}")
    assert ended.code != 0
    number = next(number for number, play in enumerate(ADD) if step in play)
    assert [name for play in ADD[number + 1 :] for name in play if ended.done(name)] == [], ended.output
    assert f"Cannot be reached: {host}." in ended.last
    # It keeps the lease, so that nobody else works with the cluster in between without noticing.
    assert nodes.record["lease"]["operation"] == "add_node"
    (nodes.directory / f"away/{host}").unlink()
    ended = nodes.add()
    assert ended.code == 0, ended.output
    assert nodes.record["lease"] is None


@long
def test_a_node_leaves_in_this_order(nodes: Nodes) -> None:
    nodes.record = {**nodes.record, "durations": [{"kind": "start", "node": "engine3", "seconds": 90}]}
    ended = nodes.remove()
    assert ended.code == 0, ended.output
    stop = "rollout/stop engine3"
    in_order(ended, "balancer/drain without cookie engine3 lb1", "balancer/sessions engine3 lb2", stop)
    in_order(ended, stop, "systemctl/disable engine3", "balancer/maint engine3 lb1", "haproxy/update_servers lb1")
    for peer in (*PEERS, "haproxy/update_servers lb2", *(f"engine/close_ports {node}" for node in MEMBERS)):
        in_order(ended, stop, peer, "config_guard/remove engine3", "file_share/remove engine3", "engine/remove engine3")
    for host in ("lb1", "lb2", *MEMBERS):
        assert f"without engine3 {host}" in ended.log
    for step in ("rollout/stop", "engine/remove", "file_share/remove"):
        assert ended.done(step) == ["engine3"]
    for step in ("postgres/main", "elasticsearch/main", "haproxy/main", "rollout/start", "rollout/restart"):
        assert ended.done(step) == [], step
    found = nodes.record
    assert (found["lease"], found["drained"], found["drained_states"], found["durations"]) == (None, [], {}, [])
    assert list(found["removed"]) == ["engine3"]
    assert [(entry["operation"], entry["node"]) for entry in found["history"]] == [("remove_node", "engine3")]
    assert "Now remove from the group engine_nodes of the inventory: engine3." in " ".join(ended.output.split())

    # Once more, before the inventory is edited.
    (nodes.directory / "unit/engine3").unlink()
    for balancer in lost.GROUPS["load_balancers"]:
        nodes.balancer(balancer, MEMBERS)
    ended = nodes.remove()
    assert ended.code == 0, ended.output
    assert ended.done("rollout/stop") == []
    assert {**nodes.record, "removed": None} == {**found, "removed": None}


@pytest.mark.parametrize(
    ("variables", "message"),
    cases(
        ({"remove_node_names": "engine1,engine2,engine3"}, "The last node of a cluster cannot be removed"),
        more=(
            ({"remove_node_names": ""}, "remove_node_names is empty"),
            ({"remove_node_names": "engine9, engine3"}, "engine9 is neither in the group engine_nodes"),
            ({"engine_minimum_available": 3}, "2 nodes would remain, and engine_minimum_available asks for 3"),
        ),
    ),
)
def test_a_node_that_cannot_be_removed_is_refused_before_anything_is_changed(
    nodes: Nodes, variables: dict[str, t.Any], message: str
) -> None:
    before = nodes.record
    ended = nodes.remove(**variables)
    assert ended.code != 0
    assert message in ended.last, ended.output
    assert {line.split()[0] for line in ended.log} <= {"rollout/gather"}
    assert nodes.record == before


def test_all_reasons_against_a_removal_are_reported_together(nodes: Nodes) -> None:
    nodes.balancer("lb1", lost.GROUPS["engine_nodes"], down=("engine1", "engine2"))
    (nodes.directory / "away/lb2").touch()
    ended = nodes.remove(remove_node_names="engine3,engine9")
    # A balancer that is away ends the run before.
    assert "Cannot be reached: lb2. Nothing was changed." in ended.last, ended.output
    (nodes.directory / "away/lb2").unlink()
    nodes.write(nodes.directory / "lb2.json", '{"msg": "no socket"}')
    ended = nodes.remove(remove_node_names="engine3,engine9")
    assert ended.code != 0
    for problem in (
        "engine9 is neither",
        "HAProxy on lb1 would have no node to serve",
        "HAProxy on lb2 does not answer",
    ):
        assert problem in ended.last, ended.output
    assert ended.done("rollout/stop") == []


@long
def test_a_lost_host_is_removed_from_the_others_and_the_record(nodes: Nodes) -> None:
    nodes.record = {
        **nodes.record,
        "drained": ["engine3"],
        "drained_states": {"engine3": {"lb1/engine_nodes": "ready"}},
    }
    (nodes.directory / "away/engine3").touch()
    ended = nodes.remove()
    assert ended.code != 0
    assert "Cannot be reached: engine3. Nothing was changed." in ended.last, ended.output
    assert '"ivy_proceed_without": ["engine3"]' in ended.last

    ended = nodes.remove(ivy_proceed_without=["engine3"])
    assert ended.code == 0, ended.output
    assert "balancer/maint engine3 lb2" in ended.log
    for host in ("lb1", "lb2", *MEMBERS):
        assert f"without engine3 {host}" in ended.log
    assert [line for line in ended.log if line.startswith(("rollout/stop", "engine/remove"))] == []
    assert (nodes.record["drained"], list(nodes.record["removed"])) == ([], ["engine3"])
    assert "Not cleaned, because this run did not reach it: engine3." in " ".join(ended.output.split())


@long
def test_a_removal_brings_back_other_nodes_that_an_interrupted_run_left_out(nodes: Nodes) -> None:
    nodes.record = {**nodes.record, "drained": ["engine2", "engine3"]}
    ended = nodes.remove()
    assert ended.code == 0, ended.output
    assert ended.done("rollout/bring_back") == ["engine2"]


@long
def test_a_node_that_the_inventory_does_not_have_any_more_is_removed(nodes: Nodes) -> None:
    nodes.record = {**nodes.record, "passed": {"engine9": RELEASE}}
    ended = nodes.remove(remove_node_names="engine9")
    assert ended.code == 0, ended.output
    assert (nodes.record["passed"], list(nodes.record["removed"])) == ({}, ["engine9"])
    assert "Now remove from the group" not in ended.output


REMOVE = [
    ["rollout/stop"],
    ["postgres/allow_nodes", "elasticsearch/close_port", "engine/close_ports", "haproxy/update_servers"],
    ["config_guard/remove", "file_share/remove", "engine/remove"],
]


@long
@pytest.mark.parametrize(
    ("step", "host"),
    cases(("haproxy/update_servers", "lb1"), more=(("rollout/stop", "engine3"), ("file_share/remove", "engine3"))),
)
def test_a_removal_that_loses_a_host_ends_there_and_the_same_command_finishes_it(
    nodes: Nodes, step: str, host: str
) -> None:
    ended = nodes.remove(lost=f"{step} {host}")
    assert ended.code != 0
    number = next(number for number, play in enumerate(REMOVE) if step in play)
    assert [name for play in REMOVE[number + 1 :] for name in play if ended.done(name)] == [], ended.output
    assert f"Cannot be reached: {host}." in ended.last, ended.output
    assert nodes.record["lease"]["operation"] == "remove_node"
    (nodes.directory / f"away/{host}").unlink()
    ended = nodes.remove()
    assert ended.code == 0, ended.output
    assert ended.done("engine/remove") == ["engine3"]
    assert (nodes.record["lease"], nodes.record["drained"]) == (None, [])


@pytest.mark.parametrize("playbook", cases("remove_node.yml", more=("add_node.yml",)))
def test_another_run_is_not_disturbed(nodes: Nodes, playbook: str) -> None:
    lost.hold(nodes, "another-controller")
    names = {"add_node_names": "engine3", "new_nodes": ["engine3"], "remove_node_names": "engine3"}
    ended = nodes.call(playbook, **names)
    assert ended.code != 0
    assert "Another run changes the cluster: site of kim" in ended.last, ended.output
    # They only read.
    checks = {"rollout/gather", "rollout/check_applications", "rollout/require_safe_opening"}
    assert {line.split()[0] for line in ended.log} <= {"preflight/main", *checks}


@pytest.mark.parametrize("playbook", cases("add_node.yml", more=("remove_node.yml",)))
def test_check_mode_changes_nothing(nodes: Nodes, playbook: str) -> None:
    if playbook == "add_node.yml":
        new(nodes)
    before = nodes.record
    names = {"add_node_names": "engine3", "new_nodes": ["engine3"], "remove_node_names": "engine3"}
    ended = nodes.call(playbook, "--check", **names)
    assert ended.code == 0, ended.output
    assert nodes.record == before
    assert "would be" in ended.output
