# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs of restart, drain and undrain with the real record and the real steps on the balancers. Engines are stubs."""

from __future__ import annotations

import os
import re
import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.ivy.cluster.plugins.module_utils.node.cluster import record
from ansible_collections.ivy.cluster.tests.unit.long_tests import EVERY_CASE, cases, long
from ansible_collections.ivy.cluster.tests.unit.repository import test_lost_hosts as runs

A, B = "a" * 32, "b" * 32
STEPS = (
    "rollout/prepare_restart",
    "rollout/prepare_undrain",
    "rollout/require_closed",
    "rollout/plan_drain",
    "rollout/set_aside",
    "rollout/keep_out",
    "rollout/bring_back",
    "rollout/require_allowed_release",
    "restore/go_live",
    "restore/let_users_in",
)
GATHER = """
- name: Read the record
  ivy.cluster.cluster_record: LOCATION
  register: __gathered
- name: Hand on the state of the node
  ansible.builtin.set_fact:
    rollout_node: {engine: {unit: {active: active}}, record: "{{ __gathered.record }}"}
"""
# What an engine runs is in a file, if it is not the release of the cluster.
ENGINE_INFO = """
import json
import os
from ansible.plugins.action import ActionBase
class ActionModule(ActionBase):
    def run(self, tmp=None, task_vars=None):
        host = self._low_level_execute_command("echo $FAKE_HOST")["stdout"].strip()
        release = "RELEASE"
        if os.path.exists("DIRECTORY/running_" + host):
            with open("DIRECTORY/running_" + host) as stream:
                release = stream.read()
        with open("DIRECTORY/share/record.json") as stream:
            return {"changed": False, "engine": {"running": {"release": release}}, "record": json.load(stream)}
""".replace("RELEASE", A)
OPTIONS: dict[str, t.Any] = {
    "rollout_plan": None,
    "rollout_required": None,
    "rollback_choice": {"release": A},
    "drain_reason": "a new disk",
    "restore_reason": "",
    "ivy_engine_unit": "ivy.service",
    "ivy_engine_roots": {},
    "ivy_known_secrets": [],
}


@pytest.fixture
def cluster(tmp_path: Path) -> runs.Cluster:
    (tmp_path / "share").mkdir()
    made = runs.Cluster(tmp_path, (*runs.REAL, *runs.LEASE, *STEPS))
    location = {name: f"{{{{ {value} }}}}" for name, value in runs.LOCATION.items()}
    made.write(
        made.collection / "roles/rollout/tasks/gather.yml",
        GATHER.replace("LOCATION", yaml.safe_dump({**location, "state": "read"}, default_flow_style=True, width=1000)),
    )
    made.write(made.collection / "plugins/action/engine_info.py", ENGINE_INFO)
    variables = "roles/restore/vars/main/internal.yml"
    made.write(made.collection / variables, (runs.ROOT / variables).read_text("utf-8"))
    change(made, "opened", release=A)
    change(made, "closed", release=A, nodes={})
    return made


def change(cluster: runs.Cluster, state: str, **more: t.Any) -> None:
    directory, uid, gid = str(cluster.directory / "share"), os.geteuid(), os.getegid()
    with record.locked(directory, uid, gid) as now:
        # A run that failed has left its lease.
        value = {**(record.read(directory, uid, gid) or record.empty("test")), "lease": None}
        for name, fields in (("taken", {}), (state, more), ("released", {})):
            wanted = record.Change(name, "another", **{"operation": "site", "owner": "kim", "now": now, **fields})
            value = record.apply(value, wanted)
        record.write(directory, value, uid, gid)


def record_of(cluster: runs.Cluster) -> t.Any:
    return record.read(str(cluster.directory / "share"), os.geteuid(), os.getegid())


@long
def test_a_drained_node_is_recorded_and_one_that_an_interrupted_run_left_out_is_brought_back(
    cluster: runs.Cluster,
) -> None:
    change(cluster, "drained", drained=["engine3"])
    for balancer in runs.GROUPS["load_balancers"]:
        cluster.balancer(balancer, runs.GROUPS["engine_nodes"], out={"engine3": "maint"})

    ended = cluster.run("drain.yml", drain_nodes="engine2", **OPTIONS)

    assert ended.code == 0, ended.output
    found = record_of(cluster)
    entry = found["drained_nodes"].pop("engine2")
    assert (entry["owner"], entry["reason"], entry["stopped"]) == ("admin", "a new disk", False)
    assert found["drained_nodes"] == {}
    assert found["drained"] == []
    assert found["lease"] is None
    states = {"engine1": "ready", "engine2": "drain", "engine3": "ready"}
    assert [cluster.requested(balancer) for balancer in runs.GROUPS["load_balancers"]] == [states, states]
    assert ended.done("rollout/gate") == ["engine3"]
    assert "drained: engine2" in ended.output
    assert re.search(r"engine2 \d+\.\d", " ".join(ended.output.rpartition("users moved")[2].split())), ended.output

    # The same again changes nothing.
    log = len(ended.log)
    ended = cluster.run("drain.yml", drain_nodes="engine2", **OPTIONS)
    assert ended.code == 0, ended.output
    assert [line for line in ended.log[log:] if line.startswith("balancer/")] == []
    assert "changed=0" in ended.output.rpartition("engine2 ")[2]
    assert record_of(cluster)["drained_nodes"] == {"engine2": entry}

    # A second one would leave one node fewer than the minimum.
    ended = cluster.run("drain.yml", drain_nodes="engine1", engine_minimum_available=2, **OPTIONS)
    assert ended.code != 0
    message = " ".join(ended.output.split())
    assert "Without engine1, HAProxy on lb1 has engine3 to serve, and 2 must remain" in message, ended.output
    assert cluster.requested("lb1") == states

    # Another run leaves it out, and undrain brings it back.
    ended = cluster.run("undrain.yml", undrain_nodes="engine2", **{**OPTIONS, "rollout_required": False})
    assert ended.code == 0, ended.output
    assert record_of(cluster)["drained_nodes"] == {}
    # The rest is done by the steps of a rollout, which are stubs here.
    assert record_of(cluster)["drained"] == ["engine2"]


def test_the_last_node_in_service_is_not_drained(cluster: runs.Cluster) -> None:
    nodes = runs.GROUPS["engine_nodes"]
    cluster.balancer("lb2", nodes, down=("engine1", "engine3"))
    ended = cluster.run("drain.yml", drain_nodes="engine2", engine_minimum_available=0, **OPTIONS)
    assert ended.code != 0
    message = " ".join(ended.output.split())
    assert "Without engine2, HAProxy on lb2 has no node to serve, and 1 must remain" in message, ended.output
    assert "HAProxy on lb1" not in message.partition("PLAY RECAP")[0]
    assert record_of(cluster)["drained"] == []

    ended = cluster.run("drain.yml", drain_nodes=" , ".join(nodes), **OPTIONS)
    assert "has no node to serve" in " ".join(ended.output.split()), ended.output
    assert cluster.requested("lb1") == dict.fromkeys(nodes, "ready")


def test_what_is_wrong_with_the_options_is_reported_at_once_and_no_host_is_contacted(cluster: runs.Cluster) -> None:
    ended = cluster.run(
        "drain.yml",
        "--limit",
        "engine1",
        **{**OPTIONS, "drain_reason": " ", "drain_nodes": "engine2,engine9", "drain_reboot": "yes"},
        drain_stop_engine="yes",
        drain_reboot_timeout="800",
        ivy_plan="x",
    )
    assert ended.code != 0
    message = " ".join(ended.output.split())
    for words in (
        "drain_nodes: not in the group engine_nodes: engine9. It has: engine1, engine2, engine3",
        "drain_nodes: --limit leaves out engine2",
        "drain_reason is empty",
        "drain_stop_engine and drain_reboot: choose one of them",
        "drain_reboot_timeout: it must be more than two minutes shorter than ivy_lease_timeout",
        "ivy_plan: drain has no plan",
    ):
        assert words in message, ended.output
    assert ended.output.count("FAILED! =>") == 1
    assert ended.log == []


@long
def test_a_forced_restart_reaches_each_node_once(cluster: runs.Cluster) -> None:
    ended = cluster.run("restart.yml", restart_nodes="engine2 engine3", restart_force="true", **OPTIONS)
    # Without a plan of the node, the steps of a rollout end; their stubs make none.
    assert sorted(ended.done("rollout/stage")) == ["engine2", "engine3"], ended.output
    assert record_of(cluster)["restarts"]["nodes"] == ["engine2", "engine3"]
    change(cluster, "passed", node="engine2", operation="restart")

    ended = cluster.run("restart.yml", restart_force="true", **OPTIONS)
    assert record_of(cluster)["restarts"]["nodes"] == ["engine3"]
    assert "forced a restart at" in ended.output
    assert "that did not reach engine3. This run restarts these" in " ".join(ended.output.split()), ended.output


# Each is a run of its own through the same play.
ENDED_EARLY = cases("backup.yml", more=("go_live.yml", "deploy.yml", "rotate_certificates.yml"))
NOTHING_TO_DEPLOY = {"rollout_deployment": {"way": "nothing"}}


@pytest.mark.parametrize("playbook", ENDED_EARLY)
def test_a_run_that_rolls_nothing_out_brings_its_own_nodes_back(cluster: runs.Cluster, playbook: str) -> None:
    change(cluster, "drained", drained=["engine3"])
    for balancer in runs.GROUPS["load_balancers"]:
        out = {"engine3": "maint"}
        cluster.balancer(balancer, runs.GROUPS["engine_nodes"], out=out, certificates=[], reload_required=False)

    ended = cluster.run(playbook, **OPTIONS, **NOTHING_TO_DEPLOY)

    assert ended.code == 0, ended.output
    assert ended.done("rollout/gate") == ["engine3"], ended.output
    assert "An interrupted run had left engine3 out of the balancers." in ended.output
    found = record_of(cluster)
    assert (found["drained"], found["lease"]) == ([], None)
    assert set(cluster.requested("lb1").values()) == {"ready"}


# All of them bring a node back in the same way.
STALE = cases(("backup.yml", {}), more=(("drain.yml", {"drain_nodes": "engine2"}), ("deploy.yml", NOTHING_TO_DEPLOY)))


@pytest.mark.parametrize(("playbook", "more"), STALE)
def test_a_node_whose_engine_kept_running_with_a_replaced_release_stays_out(
    cluster: runs.Cluster, playbook: str, more: dict[str, t.Any]
) -> None:
    """It was left out of a rollout that is closed, because SSH did not reach it."""
    change(cluster, "drained", drained=["engine3"])
    nodes = runs.GROUPS["engine_nodes"]
    for balancer in runs.GROUPS["load_balancers"]:
        cluster.balancer(balancer, nodes, out={"engine3": "maint"})
    cluster.write(cluster.directory / "running_engine3", B)

    ended = cluster.run(playbook, **OPTIONS, **more)

    # The run itself goes on.
    assert ended.code == 0, ended.output
    assert [cluster.requested(balancer)["engine3"] for balancer in runs.GROUPS["load_balancers"]] == ["maint", "maint"]
    assert record_of(cluster)["drained"] == ["engine3"]
    message = " ".join(ended.output.split())
    assert f"engine3 runs release {B}, and the cluster record wants {A}, so no balancer may use it. Run: " in message, (
        ended.output
    )
    assert "rollout.yml" in message.partition("so no balancer may use it. ")[2].partition("PLAY")[0]
    assert "Run afterwards" not in message

    if EVERY_CASE and playbook == "backup.yml":
        (cluster.directory / "running_engine3").unlink()
        ended = cluster.run(playbook, **OPTIONS, **more)
        assert ended.code == 0, ended.output
        assert record_of(cluster)["drained"] == []
        assert cluster.requested("lb1") == dict.fromkeys(nodes, "ready")


def test_go_live_lets_users_in_where_no_operator_keeps_them_out_and_the_release_is_allowed(
    cluster: runs.Cluster,
) -> None:
    nodes = runs.GROUPS["engine_nodes"]
    change(cluster, "node_drained", node="engine2", operation="drain", reason="a new disk")
    change(cluster, "isolated")
    for balancer in runs.GROUPS["load_balancers"]:
        cluster.balancer(balancer, nodes, out=dict.fromkeys(nodes, "maint"))
    cluster.write(cluster.directory / "running_engine3", B)

    ended = cluster.run("go_live.yml", **OPTIONS)

    # As with a node that is not healthy.
    assert ended.code != 0
    message = " ".join(ended.output.split())
    assert f"the others are in use: engine3 runs release {B}, and the cluster record wants {A}" in message, ended.output
    assert "An operator has drained engine2" in message
    assert cluster.requested("lb2") == {"engine1": "ready", "engine2": "maint", "engine3": "maint"}
    assert record_of(cluster)["isolated"]

    (cluster.directory / "running_engine3").unlink()
    ended = cluster.run("go_live.yml", **OPTIONS)
    assert ended.code == 0, ended.output
    assert cluster.requested("lb2") == {"engine1": "ready", "engine2": "maint", "engine3": "ready"}
    found = record_of(cluster)
    assert found["isolated"] is None
    assert list(found["drained_nodes"]) == ["engine2"]


@pytest.mark.parametrize("isolated", [True, False])
def test_what_must_stay_out_is_not_brought_back(cluster: runs.Cluster, isolated: bool) -> None:
    """No node of an isolated cluster, and none that is left out of the run."""
    change(cluster, "drained", drained=["engine3"])
    if isolated:
        change(cluster, "isolated")
    left_out = [] if isolated else ["engine3"]
    ended = cluster.run("backup.yml", **OPTIONS, ivy_proceed_without=left_out)
    assert ended.code == 0, ended.output
    assert ended.done("rollout/gate") == []
    assert record_of(cluster)["drained"] == ["engine3"]


def test_every_playbook_with_the_lease_brings_back_what_an_interrupted_run_left_out() -> None:
    """A rollout does it with the nodes that it has."""
    checked = set()
    for path in sorted((runs.ROOT / "playbooks").glob("*.yml")):
        imported = {
            Path(entry["ansible.builtin.import_playbook"]).name: entry
            for entry in yaml.safe_load(path.read_text(encoding="utf-8"))
            if "ansible.builtin.import_playbook" in entry
        }
        if "take_lease.yml" not in imported or "when" not in imported.get("roll_out.yml", {"when": ""}):
            continue
        own = imported["bring_back.yml"]["vars"].get("bring_back_all", False)
        # It drains its own nodes.
        assert own is (path.stem != "drain"), path.name
        checked.add(path.stem)
    others = {"rotate_certificates", "switchover_database", "reinitialize_database", "replace_etcd_member"}
    assert checked == {"add_node", "backup", "deploy", "drain", "go_live", "remove_node", *others}


@long
def test_an_open_operation_is_completed_by_its_own_playbook(cluster: runs.Cluster) -> None:
    directory = str(cluster.directory / "share")
    value = {**record_of(cluster), "operation": {"name": "restore", "owner": "kim", "since": "noon"}}
    record.write(directory, value, os.geteuid(), os.getegid())
    ended = cluster.run("restart.yml", **OPTIONS)
    assert ended.code != 0
    message = " ".join(ended.output.split())
    assert "A rollout is open: restore of kim" in message
    assert re.search(r"restore(\.yml)? -e 'restore_backup=<id>'", message)


@long
def test_a_restart_is_refused_while_a_rollout_is_open(cluster: runs.Cluster) -> None:
    change(cluster, "opened", release="b" * 32)
    ended = cluster.run("restart.yml", **OPTIONS)
    assert ended.code != 0
    assert "A rollout is open: site of kim, since " in ended.output
    assert ended.done("rollout/stage") == []
