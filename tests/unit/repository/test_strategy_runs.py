# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The strategies of a rollout with their real steps. Only the engines and the files of a release are stand-ins."""

from __future__ import annotations

import json
import re
import typing as t
from pathlib import Path

import pytest

from ansible_collections.ivy.cluster.tests.unit.long_tests import EVERY_CASE, long
from ansible_collections.ivy.cluster.tests.unit.repository.test_lost_hosts import (
    GROUPS,
    LEASE,
    REAL,
    SEQUENCE,
    SSH,
    SYSTEMCTL,
    Cluster,
    Ended,
    hold_record,
    recorded,
)

NODES = GROUPS["engine_nodes"]
OLD, NEW = "a" * 32, "b" * 32
STEPS = (
    *("stage", "choose_course", "check_strategy", "open", "close", "stop", "start", "activate", "await_confirmation"),
    *("restart_together", "restore_together", "restore_stopped", "choose_applications"),
)
GATHER = """
- name: Read the state of the unit
  ansible.builtin.raw: cat 'DIRECTORY/unit/{{ inventory_hostname }}' 'DIRECTORY/applied/{{ inventory_hostname }}'
  check_mode: false
  register: __read
- name: Read the cluster record
  ivy.cluster.cluster_record:
    directory: "{{ ivy_record_directory }}"
    cluster: "{{ ivy_cluster_name }}"
    user: "{{ ivy_user }}"
    group: "{{ ivy_group }}"
    store: "{{ ivy_state_directory }}"
  register: __record
- name: Set the facts
  ansible.builtin.set_fact:
    rollout_node:
      engine:
        installed_version: "11.3.0"
        architecture: x86_64
        applied: "{{ __read.stdout_lines[1] | trim }}"
        running: null
        unit: {active: "{{ __read.stdout_lines[0] | trim }}", main_pid: "1"}
      record: "{{ __record.record }}"
      record_problem: ""
"""
# A node whose disk is full is in a directory. With the file reload, no change needs a restart.
CONFIGURATION = """
- name: Read what is applied
  ansible.builtin.raw: cat 'DIRECTORY/applied/{{ inventory_hostname }}'; ls DIRECTORY
  check_mode: false
  register: __applied
- name: Activate
  ansible.builtin.raw: |
    [ ! -e 'DIRECTORY/full/{{ inventory_hostname }}' ] || [ '{{ __wanted }}' = OLD ] || exit 1
    echo 'apply {{ __wanted }} {{ inventory_hostname }}' >> 'DIRECTORY/log'
    echo '{{ __wanted }}' > 'DIRECTORY/applied/{{ inventory_hostname }}'
  when: __rollout_configuration_state == 'applied'
- name: Set the facts
  ansible.builtin.set_fact:
    __rollout_configuration:
      drift: []
      activation:
        changed: "{{ __applied.stdout_lines[0] | trim != __wanted }}"
        restart_required: >-
          {{ __applied.stdout_lines[0] | trim != __wanted and 'reload' not in __applied.stdout_lines | map('trim') }}
        restart_reasons: [a key]
        actions: []
""".replace("__wanted", "(__rollout_configuration_release | default(rollout_release))").replace("OLD", OLD)
# An engine that does not start with a release is named by a file.
GATE = """
- name: Wait until the engine is ready
  ansible.builtin.raw: |
    echo 'rollout/gate {{ inventory_hostname }}' >> 'DIRECTORY/log'
    [ ! -e "DIRECTORY/breaks/$(cat 'DIRECTORY/applied/{{ inventory_hostname }}')" ]
"""
# A host may be lost with the stop of its engine.
CONTROL = SYSTEMCTL.replace(
    'echo inactive > "$state"',
    'echo inactive > "$state"; [ ! -e "DIRECTORY/lose/$FAKE_HOST" ] || > "DIRECTORY/away/$FAKE_HOST"',
)
ALL_AT_ONCE = {"rollout_strategy": "all_at_once", "engine_accept_downtime": "true"}


class Place:
    """Three nodes on this machine that have a release and are to get another one."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        (directory / "share").mkdir()
        self.cluster = Cluster(directory, (*REAL, *LEASE, *SEQUENCE, *(f"rollout/{name}" for name in STEPS)))
        write = self.cluster.write
        write(directory / "bin/systemctl", CONTROL).chmod(0o755)
        write(directory / "ssh", SSH.replace("FAKE_HOST=", 'PATH="DIRECTORY/bin:$PATH" FAKE_HOST='))
        parts = {"gather": GATHER, "set_configuration": CONFIGURATION, "gate": GATE}
        parts["build"] = "- ansible.builtin.import_tasks: check_strategy.yml\n"
        for name, text in parts.items():
            write(self.cluster.collection / f"roles/rollout/tasks/{name}.yml", text)
        for node in NODES:
            self.set(node, "active", OLD)
        hold_record(
            self.cluster,
            desired_release=OLD,
            schema={"engine_version": "11.3.0"},
            durations=[{"kind": "start", "node": "engine1", "seconds": 62}],
        )

    def set(self, node: str, state: str, release: str) -> None:
        self.cluster.write(self.directory / "unit" / node, f"{state}\n")
        self.cluster.write(self.directory / "applied" / node, f"{release}\n")

    def mark(self, name: str) -> None:
        self.cluster.write(self.directory / name, "")

    def run(self, *arguments: str, playbook: str = "rollout.yml", **variables: t.Any) -> Ended:
        (self.directory / "log").unlink(missing_ok=True)
        settings = {
            "rollout_plan": None,
            "rollout_required": None,
            "rollout_release": NEW,
            "ivy_profile": {"runtime_deployment": False},
            "ivy_engine_unit": "ivy.service",
            "ivy_known_secrets": [],
            "engine_start_timeout": 60,
            "engine_node_files": {},
            **variables,
        }
        return self.cluster.run(playbook, *arguments, **settings)

    @property
    def applied(self) -> dict[str, str]:
        return {node: (self.directory / "applied" / node).read_text().strip() for node in NODES}

    @property
    def units(self) -> frozenset[str]:
        return frozenset((self.directory / "unit" / node).read_text().strip() for node in NODES)

    @staticmethod
    def turns(ended: Ended) -> list[str]:
        """What engines did, in its order."""
        lines = [line.removeprefix("rollout/") for line in ended.log]
        return [line for line in lines if line.split()[0] in ("stop", "start", "gate", "apply")]


def turn(node: str, release: str = NEW) -> list[str]:
    return [f"stop {node}", f"apply {release} {node}", f"start {node}", f"gate {node}"]


def stats(ended: Ended) -> dict[str, t.Any]:
    found = re.search(r"CUSTOM STATS: \*+\s+RUN: (\{.*\})", ended.output)
    assert found is not None, ended.output
    value: dict[str, t.Any] = json.loads(found[1])["ivy_rollout"]
    return value


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setenv("ANSIBLE_SHOW_CUSTOM_STATS", "1")
    return Place(tmp_path)


@long
def test_a_rollout_waits_for_confirmation_after_the_first_node(place: Place) -> None:
    ended = place.run(rollout_strategy="confirm")
    assert ended.code == 0, ended.output
    assert place.turns(ended) == turn("engine1")
    assert place.applied == {"engine1": NEW, "engine2": OLD, "engine3": OLD}
    found = recorded(place.cluster)
    assert (found["desired_release"], found["previous_release"], found["passed"]) == (NEW, OLD, {"engine1": NEW})
    assert found["operation"]["step"] == "wait for confirmation after engine1"
    assert (found["lease"], found["drained"]) == (None, [])
    assert "engine1 runs the new release. engine2, engine3 still run as before" in ended.last, ended.output
    assert "go on ansible-playbook" in ended.last
    assert "rollout.yml -e rollout_strategy=rolling" in ended.last
    assert "rollback.yml -e rollout_strategy=rolling -e" in ended.last
    published = stats(ended)
    assert (published["waits"], published["canary"], published["waiting"]) == (True, "engine1", ["engine2", "engine3"])

    again = place.run(rollout_strategy="confirm")
    assert again.code == 0, again.output
    assert place.turns(again) == []
    assert recorded(place.cluster) == found
    assert "engine1 runs the release, and the rollout waits for confirmation." in again.output
    assert "go on ansible-playbook" in again.last, again.output
    assert stats(again)["waits"] is True

    ended = place.run()
    assert ended.code == 0, ended.output
    assert place.turns(ended) == [*turn("engine2"), *turn("engine3")]
    found = recorded(place.cluster)
    assert (found["operation"], found["previous_release"]) == (None, None)
    assert stats(ended)["waits"] is False


@long
def test_a_rollback_reverts_a_rollout_that_waits(place: Place) -> None:
    assert place.run(rollout_strategy="confirm").code == 0
    ended = place.run(playbook="rollback.yml", rollback_choice={"release": OLD}, rollout_release=None)
    assert ended.code == 0, ended.output
    # The others have the release, and only pass the gate.
    assert [line for line in place.turns(ended) if not line.startswith("gate")] == turn("engine1", OLD)[:3]
    assert set(place.applied.values()) == {OLD}


@long
def test_nothing_is_active_before_a_confirmation_if_no_engine_has_to_restart(place: Place) -> None:
    place.mark("reload")
    before = recorded(place.cluster)
    ended = place.run(rollout_strategy="confirm")
    assert ended.code == 0, ended.output
    assert place.turns(ended) == []
    assert set(place.applied.values()) == {OLD}
    assert recorded(place.cluster) == before
    assert "No engine has to restart, so there is no first node to wait for. Nothing is activated." in ended.last
    assert stats(ended)["waits"] is True


@long
def test_a_rollout_that_waits_remembers_other_files_of_the_nodes(place: Place) -> None:
    """The release stays the same, so a rolling run would open no rollout."""
    hold_record(place.cluster, desired_release=NEW, schema={"engine_version": "11.3.0"})
    first = place.run(rollout_strategy="confirm")
    assert (first.code, place.turns(first)) == (0, turn("engine1")), first.output
    again = place.run(rollout_strategy="confirm")
    assert (again.code, place.turns(again)) == (0, []), again.output
    ended = place.run()
    assert (ended.code, place.turns(ended)) == (0, [*turn("engine2"), *turn("engine3")]), ended.output
    assert recorded(place.cluster)["operation"] is None


def test_what_cannot_be_right_is_refused_together(place: Place) -> None:
    refused = place.run("--limit", "engine1", rollout_strategy="all_at_once", engine_accept_downtime="false")
    assert refused.code != 0
    assert "This rollout cannot be done: 2 problems. Nothing was changed." in refused.output
    assert "--limit leaves out engine2, engine3" in refused.output
    assert "until the first engine has passed the gate, about 1 min 2 s, as the last starts took." in refused.output
    assert "engine_accept_downtime is not set" in refused.output
    assert refused.output.count("FAILED! =>") == 1
    assert refused.done("rollout/renew_lease") == place.turns(refused) == []
    assert recorded(place.cluster)["lease"] is None


@long
def test_all_engines_stop_before_the_first_one_starts_with_the_release(place: Place) -> None:
    ended = place.run(**ALL_AT_ONCE)
    assert ended.code == 0, ended.output
    turns = place.turns(ended)
    assert sorted(turns[:3]) == [f"stop {node}" for node in NODES]
    assert sorted(turns[3:6]) == [f"apply {NEW} {node}" for node in NODES]
    assert turns[6:] == [f"{what} {node}" for node in NODES for what in ("start", "gate")]
    # Requests under way end first, on each node.
    begin = ended.log.index("stop engine1")
    for node in NODES:
        assert f"balancer/requests {node} lb1" in ended.log[:begin], ended.log
    found = recorded(place.cluster)
    assert (found["operation"], found["lease"], found["drained"]) == (None, None, [])
    assert set(place.cluster.requested("lb1").values()) == {"ready"}
    assert "engine_minimum_available does not apply." in ended.output
    assert re.search(r"users the service was unavailable for \d+ s \(announced: about 1 min 2 s\)", ended.last), (
        ended.output
    )
    assert "restarted: engine1, engine2, engine3" in ended.last
    assert stats(ended)["waits"] is False


def check_back(place: Place, ended: Ended, reason: str, nodes: t.Sequence[str] = ()) -> None:
    """The run failed for this reason, and these nodes serve again with the release that they had."""
    nodes = nodes or NODES
    assert ended.code != 0
    assert reason in ended.output, ended.output
    for node in nodes:
        assert f"{node}: It serves again with the release that it had, {OLD}." in ended.output, ended.output
        assert place.applied[node] == OLD
        assert place.cluster.requested("lb1")[node] == "ready"
        assert (place.directory / "unit" / node).read_text().strip() == "active"
    # One after another.
    turns = [line for line in place.turns(ended) if line.split()[0] in ("start", "gate")]
    back = [f"{what} {node}" for node in nodes for what in ("start", "gate")]
    assert turns[-len(back) :] == back
    found = recorded(place.cluster)
    assert (found["desired_release"], found["previous_release"], found["passed"]) == (NEW, OLD, {})
    assert "rollback.yml" in ended.output


@long
def test_every_node_comes_back_if_the_first_engine_does_not_pass_the_gate(place: Place) -> None:
    place.mark(f"breaks/{NEW}")
    ended = place.run(**ALL_AT_ONCE)
    check_back(place, ended, "The engine on engine1 did not pass the gate.")
    assert recorded(place.cluster)["drained"] == []
    # No other one was started with it.
    assert [line for line in place.turns(ended) if line.startswith("start")] == [
        "start engine1",
        *(f"start {node}" for node in NODES),
    ]
    if not EVERY_CASE:
        return
    # The same command continues when the cause is gone.
    (place.directory / "breaks" / NEW).unlink()
    ended = place.run(**ALL_AT_ONCE)
    assert ended.code == 0, ended.output
    assert set(place.applied.values()) == {NEW}


@long
def test_every_node_comes_back_if_the_release_cannot_be_activated_on_one(place: Place) -> None:
    place.mark("full/engine2")
    check_back(place, place.run(**ALL_AT_ONCE), "engine2: Activate")


@long
def test_the_others_come_back_if_a_node_is_lost_while_the_engines_stop(place: Place) -> None:
    place.mark("lose/engine3")
    ended = place.run(**ALL_AT_ONCE)
    check_back(place, ended, "engine3 was lost.", ["engine1", "engine2"])
    assert "ivy_proceed_without" in ended.last
    assert "No engine was stopped" not in ended.last


@long
def test_the_same_command_finishes_what_was_interrupted(place: Place) -> None:
    """The first node runs the release, one is stopped with it, and one was started with the earlier one."""
    value = {"name": "rollout", "owner": "kim", "since": "2026-11-01T00:00:00Z", "step": ""}
    more = {"previous_release": OLD, "operation": value, "passed": {"engine1": NEW}, "drained": ["engine2"]}
    hold_record(place.cluster, desired_release=NEW, schema={"engine_version": "11.3.0"}, **more)
    place.set("engine1", "active", NEW)
    place.set("engine2", "inactive", NEW)
    ended = place.run(**ALL_AT_ONCE)
    assert ended.code == 0, ended.output
    assert "engine1 has the release already and serves meanwhile." in ended.output
    assert "stop engine1" not in place.turns(ended)
    assert place.turns(ended)[-4:] == ["start engine2", "gate engine2", "start engine3", "gate engine3"]
    assert place.units == {"active"}
    found = recorded(place.cluster)
    assert (found["operation"], found["drained"]) == (None, [])


@long
def test_a_later_node_that_fails_leaves_a_message_about_those_that_are_stopped(place: Place) -> None:
    gate = place.cluster.collection / "roles/rollout/tasks/gate.yml"
    gate.write_text(
        gate.read_text(encoding="utf-8").replace("[ ! -e", "[ {{ inventory_hostname }} != engine2 ] && [ ! -e")
    )
    ended = place.run(**ALL_AT_ONCE)
    assert ended.code != 0
    assert "The engine on engine2 did not pass the gate." in ended.last, ended.output
    assert "Still stopped: engine3. They have the release." in ended.last
    assert recorded(place.cluster)["passed"] == {"engine1": NEW}


@long
def test_check_mode_predicts_a_strategy_and_changes_nothing(place: Place) -> None:
    before = recorded(place.cluster)
    for strategy, words in (
        ("all_at_once", "The engines on engine1, engine2, engine3 would stop together"),
        ("confirm", "Only engine1 would be changed."),
    ):
        # Predictions need no acknowledgement.
        ended = place.run("--check", rollout_strategy=strategy)
        assert ended.code == 0, ended.output
        assert words in ended.output
        assert place.turns(ended) == []
        assert recorded(place.cluster) == before
