# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook deploy with its real steps. Only the engines are stand-ins: what they do with the deploy directory."""

from __future__ import annotations

import hashlib
import io
import threading
import typing as t
import zipfile
from pathlib import Path

import pytest

from ansible_collections.ivy.cluster.tests.unit.long_tests import EVERY_CASE, long
from ansible_collections.ivy.cluster.tests.unit.repository.test_lost_hosts import (
    GROUPS,
    LEASE,
    REAL,
    ROOT,
    SEQUENCE,
    SSH,
    SYSTEMCTL,
    Cluster,
    Ended,
    hold,
    hold_record,
    recorded,
)

NODES = GROUPS["engine_nodes"]
RELEASE = "a" * 32
PASSWORD = "hunter2-of-the-database"
STEPS = (
    *("plan_deployment", "check_applications", "deploy_at_run_time", "deploy_application", "stop_for_deployment"),
    *("copy_applications", "place_applications", "await_applications", "await_application", "choose_applications"),
    *("report_deployment", "recover_deployment", "stage", "open", "close", "stop", "start", "require_engine"),
)
GATHER = """
- name: Read the state of the unit
  ansible.builtin.raw: cat 'DIRECTORY/unit/{{ inventory_hostname }}' 'DIRECTORY/pid/{{ inventory_hostname }}'
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
        applied: RELEASE
        running: null
        unit: {active: "{{ __read.stdout_lines[0] | trim }}", main_pid: "{{ __read.stdout_lines[1] | trim }}"}
      record: "{{ __record.record }}"
      record_problem: ""
""".replace("RELEASE", RELEASE)
CONFIGURATION = """
- name: The node has the release, and a local change
  ansible.builtin.set_fact:
    __rollout_configuration: {drift: [], activation: {changed: true, restart_required: true, restart_reasons: [x]}}
"""
# A node whose engine does not start is in a file. It starts without the application that breaks it.
GATE = """
- name: Wait until the engine is ready
  ansible.builtin.raw: |
    echo 'rollout/gate {{ inventory_hostname }}' >> 'DIRECTORY/log'
    [ ! -e DIRECTORY/breaks ] || [ ! -e '{{ ivy_engine_directory }}/deploy/shop.zip' ]
"""
# A start is another process.
CONTROL = SYSTEMCTL.replace(
    'echo active > "$state"', 'echo active > "$state"; echo $RANDOM$$ > "DIRECTORY/pid/$FAKE_HOST"'
)


def zipped(text: str) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("project.iar", text)
    return target.getvalue()


class Engines(threading.Thread):
    """What running engines do with the artefacts in their deploy directories."""

    def __init__(self, place: Deployment) -> None:
        super().__init__(daemon=True)
        self.place = place
        self.ended = threading.Event()

    def run(self) -> None:
        while not self.ended.wait(0.3):
            if (self.place.directory / "breaks").exists():
                # The application breaks the engine before it is deployed.
                continue
            for node in NODES:
                deploy = self.place.deploy(node)
                if (self.place.directory / "unit" / node).read_text().strip() == "active":
                    for path in [*deploy.glob("*.zip"), *deploy.glob("*.iar")]:
                        self.take(node, path)

    def take(self, node: str, path: Path) -> None:
        with zipfile.ZipFile(path) as archive:
            text = archive.read("project.iar").decode()
        fails = text.startswith("broken")
        log = f"{node}: {text}\npassword={PASSWORD}\n"
        path.with_name(f"{path.name}.deploymentLog").write_text(log)
        if fails:
            path.with_name(f"{path.name}.deploymentError").write_text(f"project resources not found\n{log}")
        path.rename(path.with_name(path.name + (".notDeployed" if fails else ".deployed")))


class Deployment:
    """Three nodes on this machine that have an application in version one."""

    def __init__(self, directory: Path, run_time: bool) -> None:
        self.directory = directory
        (directory / "share").mkdir()
        real = (*REAL, *LEASE, *SEQUENCE, *(f"rollout/{name}" for name in STEPS))
        self.cluster = Cluster(directory, tuple(step for step in real if step != "rollout/drain"))
        self.cluster.write(directory / "bin/systemctl", CONTROL).chmod(0o755)
        self.cluster.write(directory / "ssh", SSH.replace("FAKE_HOST=", 'PATH="DIRECTORY/bin:$PATH" FAKE_HOST='))
        for name, text in (("gather", GATHER), ("set_configuration", CONFIGURATION), ("gate", GATE)):
            self.cluster.write(self.cluster.collection / f"roles/rollout/tasks/{name}.yml", text)
        self.cluster.write(self.cluster.collection / "plugins/modules/node_releases.py", NO_MODULE)
        (self.cluster.collection / "plugins/action/node_releases.py").unlink()
        self.options: dict[str, t.Any] = {
            "rollout_plan": None,
            "rollout_required": None,
            "rollout_release": None,
            "rollout_option_problems": [],
            "ivy_profile": {"runtime_deployment": run_time},
            "ivy_engine_unit": "ivy.service",
            "ivy_engine_home": f"{directory}/hosts/{{{{ inventory_hostname }}}}",
            "ivy_engine_directory": f"{directory}/hosts/{{{{ inventory_hostname }}}}",
            "ivy_state_directory": f"{directory}/hosts/{{{{ inventory_hostname }}}}/store",
            "ivy_controller_cache": f"{directory}/cache",
            "ivy_cluster_key": "key",
            "ivy_known_secrets": [PASSWORD],
            "engine_start_timeout": 60,
        }
        for node in NODES:
            self.deploy(node).mkdir(parents=True)
            (directory / "hosts" / node / "artefacts").mkdir()
            for name, text in (("unit", "active"), ("pid", "1")):
                self.cluster.write(directory / name / node, f"{text}\n")
        self.engines = Engines(self)
        self.engines.start()
        hold_record(self.cluster, desired_release=RELEASE, schema={"engine_version": "11.3.0"})
        self.declare("one")

    def deploy(self, node: str) -> Path:
        return self.directory / "hosts" / node / "deploy"

    def declare(self, text: str, *more: dict[str, t.Any]) -> str:
        """Declare an application with this content. Returns its digest."""
        data = zipped(text)
        path = self.directory / "shop.zip"
        path.write_bytes(data)
        self.options["engine_applications"] = [{"name": "shop.zip", "archive": str(path)}, *more]
        return hashlib.sha256(data).hexdigest()

    def run(self, *arguments: str, **variables: t.Any) -> Ended:
        (self.directory / "log").unlink(missing_ok=True)
        return self.cluster.run("deploy.yml", *arguments, **{**self.options, **variables})

    def files(self) -> dict[str, list[str]]:
        return {node: sorted(path.name for path in self.deploy(node).iterdir()) for node in NODES}

    @property
    def applications(self) -> dict[str, str]:
        return dict(recorded(self.cluster)["applications"])

    @staticmethod
    def turns(ended: Ended) -> list[str]:
        """What engines did, in its order."""
        lines = [line.removeprefix("rollout/") for line in ended.log]
        return [line for line in lines if line.split()[0] in ("stop", "start", "gate")]

    def check_failed(self, ended: Ended, reason: str, node: str = "engine1") -> None:
        """The run failed for one reason, every engine serves, and the log is masked."""
        assert ended.code != 0
        assert f"shop.zip was not deployed by {node}." in ended.last, ended.output
        assert reason in ended.last, ended.output
        assert PASSWORD not in ended.output
        assert {(self.directory / "unit" / name).read_text().strip() for name in NODES} == {"active"}
        assert recorded(self.cluster)["lease"] is None

    def pids(self) -> list[str]:
        return [(self.directory / "pid" / node).read_text() for node in NODES]


NO_MODULE = """#!/usr/bin/python
from ansible.module_utils.basic import AnsibleModule
names = ("release", "cache", "cluster_key", "store")
AnsibleModule({name: {"type": "str", "no_log": False} for name in names}, supports_check_mode=True).exit_json()
"""


@pytest.fixture
def place(request: pytest.FixtureRequest, tmp_path: Path) -> t.Iterator[Deployment]:
    made = Deployment(tmp_path, request.param)
    yield made
    made.engines.ended.set()
    made.engines.join()


@long
@pytest.mark.parametrize("place", [False], indirect=True)
def test_engines_that_deploy_at_their_start_stop_together_and_start_one_after_another(place: Deployment) -> None:
    if EVERY_CASE:
        refused = place.run()
        assert refused.code != 0
        assert "Users notice: the service is unavailable from the stop until the first engine" in refused.output
        assert place.turns(refused) == []
        assert place.files() == {node: [] for node in NODES}

    digest = place.declare("one")
    ended = place.run(engine_accept_downtime="true")
    assert ended.code == 0, ended.output
    turns = place.turns(ended)
    assert sorted(turns[:3]) == [f"stop {node}" for node in NODES]
    assert turns[3:] == [f"{what} {node}" for node in NODES for what in ("start", "gate")]
    before = place.files()
    assert all("shop.zip.deployed" in names for names in before.values()), before
    assert place.applications == {"shop.zip": digest}
    assert "Record with which applications the engines start" in ended.output
    assert recorded(place.cluster)["deploying"] is None
    assert "Users: the service was unavailable for" in ended.output
    assert recorded(place.cluster)["lease"] is None

    # One that the first engine cannot deploy is tried on no other node.
    place.declare("broken by a mistake")
    place.check_failed(place.run(engine_accept_downtime=True), "project resources not found")
    assert place.files() == before
    assert place.applications == {"shop.zip": digest}

    if EVERY_CASE:
        # One that breaks the engine, which passes the gate without it.
        place.declare("two")
        (place.directory / "breaks").touch()
        place.check_failed(place.run(engine_accept_downtime=True), "The engine did not pass the gate with it.")
        assert place.files() == before
        assert place.applications == {"shop.zip": digest}


@pytest.mark.parametrize("place", [False], indirect=True)
def test_a_node_that_could_not_be_brought_back_at_the_beginning_stays_out(place: Deployment) -> None:
    """The deployment changes nothing of it, so it does not pass the gate."""
    tasks = "roles/rollout/tasks/activate.yml"
    place.cluster.write(place.cluster.collection / tasks, (ROOT / tasks).read_text(encoding="utf-8"))
    place.cluster.write(place.directory / "unit/engine1", "inactive\n")
    hold_record(place.cluster, desired_release=RELEASE, schema={"engine_version": "11.3.0"}, drained=["engine3"])
    for balancer in GROUPS["load_balancers"]:
        place.cluster.balancer(balancer, NODES, out={"engine3": "maint"})

    ended = place.run(engine_applications=[])

    assert ended.code == 0, ended.output
    assert "start engine1" in place.turns(ended)
    assert {place.cluster.requested(balancer)["engine3"] for balancer in GROUPS["load_balancers"]} == {"maint"}
    assert recorded(place.cluster)["drained"] == ["engine3"]


@long
@pytest.mark.parametrize("place", [True], indirect=True)
def test_one_running_node_deploys_for_all(place: Deployment) -> None:
    pids = place.pids()
    (place.directory / "away/engine1").touch()
    left_out = {"ivy_proceed_without": ["engine1"]}
    if EVERY_CASE:
        predicted = place.run("--check", **left_out)
        assert predicted.code == 0, predicted.output
        assert "engine2 would deploy shop.zip for all nodes while they serve" in predicted.output
        assert place.files() == {node: [] for node in NODES}

    digest = place.declare("one")
    ended = place.run(**left_out)
    assert ended.code == 0, ended.output
    before = place.files()
    assert before["engine3"] == []
    assert "shop.zip.deployed" in before["engine2"]
    assert place.applications == {"shop.zip": digest}
    assert "1 application deployed by engine2 at run time. No engine was stopped." in ended.output

    place.declare("broken by a mistake", {"name": "later.zip", "archive": f"{place.directory}/shop.zip"})
    failed = place.run(**left_out)
    place.check_failed(failed, "project resources not found", node="engine2")
    assert "It was not tried, because shop.zip was not deployed." in failed.output
    assert place.files() == before
    assert place.applications == {"shop.zip": digest}

    if EVERY_CASE:
        hold(place.cluster, "another-controller")
        refused = place.run(**left_out)
        assert refused.code != 0
        assert "kim" in refused.output
        assert "Nothing was changed." in refused.output
        assert place.files() == before
    assert place.pids() == pids
