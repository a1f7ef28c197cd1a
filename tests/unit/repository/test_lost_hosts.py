# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host that is lost in a step ends the run before the next step. The plays are real, the roles are stubs that log."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.ivy.cluster.plugins.module_utils.node.cluster import record
from ansible_collections.ivy.cluster.plugins.plugin_utils.operations import run_identity
from ansible_collections.ivy.cluster.tests.in_process import PLAYBOOK
from ansible_collections.ivy.cluster.tests.unit.long_tests import EVERY_CASE, cases, long

ROOT = Path(__file__).resolve().parents[3]
PLAYBOOKS = sorted(path.name for path in (ROOT / "playbooks").glob("*.yml"))
CHECKPOINT = "stop_after_lost_host.yml"
# From the directory of the playbooks, or of the parts that they import.
ASSERTIONS = (f"_includes/tasks/{CHECKPOINT}", f"tasks/{CHECKPOINT}")
# These plays contact no host.
CONTACT_NONE = (
    *("Validate the inventory and the options", "Leave out nodes"),
    *("Show the summary", "Show which secrets were replaced", "Show the deployment", "Report what was restored"),
    "Report what was upgraded",
)
# They have one play with work on hosts, and no later play that other hosts could continue with.
ONE_STEP = ("preflight.yml", "unpin.yml")
GROUPS = {
    "load_balancers": ["lb1", "lb2"],
    "engine_nodes": ["engine1", "engine2", "engine3"],
    "database_servers": ["db1"],
    "search_servers": ["search1"],
}


class Step(t.NamedTuple):
    """One play, or one import of the checkpoint."""

    name: str
    play: dict[str, t.Any]
    checkpoint: bool


def steps(playbook: Path) -> list[Step]:
    """The steps of a playbook in order, including those of imported playbooks."""
    found: list[Step] = []
    for entry in yaml.safe_load(playbook.read_text(encoding="utf-8")):
        imported = entry.get("ansible.builtin.import_playbook")
        if imported and Path(imported).name != CHECKPOINT:
            found += steps(playbook.parent / imported)
        else:
            found.append(Step(entry["name"], entry, bool(imported)))
    return found


def tasks(play: dict[str, t.Any]) -> list[dict[str, t.Any]]:
    return [*play.get("pre_tasks", []), *play.get("tasks", [])]


def working(playbook: str) -> list[tuple[Step, Step | None]]:
    """The plays that fail if a host cannot be reached, each with the step after it."""
    found = steps(ROOT / "playbooks" / playbook)
    return [
        (step, after)
        for step, after in zip(found, [*found[1:], None])
        if not step.checkpoint and not step.play.get("ignore_unreachable") and step.name not in CONTACT_NONE
    ]


@pytest.mark.parametrize("playbook", [name for name in PLAYBOOKS if name not in ONE_STEP])
def test_a_checkpoint_follows_every_play_that_can_lose_a_host(playbook: str) -> None:
    for step, after in working(playbook):
        assert after is not None, f"{step.name}: the run ends without a checkpoint"
        assert after.checkpoint, f"{step.name}: {after.name} follows it, and no checkpoint"
        assert after.play["vars"]["checkpoint_step"] == step.name
        assert after.play["vars"]["checkpoint_effect"]


@pytest.mark.parametrize("playbook", ONE_STEP)
def test_a_playbook_without_a_checkpoint_has_nothing_after_the_play_that_can_lose_a_host(playbook: str) -> None:
    assert [after for _step, after in working(playbook)] == [None]


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_every_batch_begins_with_the_assertion_that_the_earlier_hosts_passed(playbook: str) -> None:
    for step in steps(ROOT / "playbooks" / playbook):
        if "serial" in step.play:
            assert not step.play.get("pre_tasks"), step.name
            assert not step.play.get("roles"), step.name
            assert tasks(step.play)[0].get("ansible.builtin.import_tasks") in ASSERTIONS, step.name


def task_files() -> list[Path]:
    return sorted([*ROOT.glob("roles/*/tasks/*.yml"), *ROOT.glob("playbooks/_includes/tasks/*.yml")])


def all_tasks(found: list[dict[str, t.Any]]) -> t.Iterator[dict[str, t.Any]]:
    for task in found:
        yield task
        for part in ("block", "rescue", "always"):
            yield from all_tasks(task.get(part, []))


@pytest.mark.parametrize("path", task_files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_an_ignored_host_does_not_remove_the_others_from_the_run(path: Path) -> None:
    """With run_once or any_errors_fatal it would, in spite of ignore_unreachable."""
    in_fatal_plays = path.parts[-3] in ("rollout", "engine", "preflight", "_includes")
    for task in all_tasks(yaml.safe_load(path.read_text(encoding="utf-8")) or []):
        if task.get("ignore_unreachable"):
            assert "run_once" not in task, task["name"]
            assert not in_fatal_plays or task.get("any_errors_fatal") is False, task["name"]


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_the_balancers_are_reached_before_the_first_play_that_stops_an_engine(playbook: str) -> None:
    used = [
        task.get("ansible.builtin.include_role") or task.get("ansible.builtin.import_role") or {}
        for step in steps(ROOT / "playbooks" / playbook)
        for task in tasks(step.play)
    ]
    entries = [role.get("tasks_from", "main") for role in used if role.get("name") == "ivy.cluster.rollout"]
    for changing in ("stage", "open", "activate", "restart"):
        if changing in entries:
            assert "reach_balancers" in entries[: entries.index(changing)], f"{changing}: {entries}"


# Runs the commands for a host on this machine. A host that is away fails as OpenSSH does, a new one has no file share.
SSH = """#!/bin/bash
host="${@: -2:1}"
if [ -e "DIRECTORY/away/$host" ]; then echo "ssh: connect to host $host port 22: No route to host" >&2; exit 255; fi
share=share
[ ! -e "DIRECTORY/new/$host" ] || share=nothing
FAKE_HOST="$host" FAKE_SHARE="$share" exec /bin/sh -c "${@: -1}"
"""
# The default, a thousandth of a second, keeps the controller busy with waiting.
CONFIGURATION = "[defaults]\ninternal_poll_interval = 0.01\n"
# Actions instead of modules, which would start Python on each host. The host itself reports its name.
BALANCER = """
import fcntl
import json
import os
from ansible.plugins.action import ActionBase
class Balancer(ActionBase):
    options = {}
    def run(self, tmp=None, task_vars=None):
        _unused, given = self.validate_argument_spec(self.options)
        host = self._low_level_execute_command("echo $FAKE_HOST")["stdout"].strip()
        return self.answer(host, "DIRECTORY/" + host + ".json", given)
    def log(self, line):
        with open("DIRECTORY/log", "a") as stream:
            stream.write(line)
"""
BALANCER_INFO = """
class ActionModule(Balancer):
    def answer(self, host, path, given):
        with open(path) as stream:
            answer = json.load(stream)
        return {"failed": "msg" in answer, "changed": False, **answer}
"""
BALANCER_SERVER = """
class ActionModule(Balancer):
    options = {
        **{name: {"type": "str"} for name in ("name", "state", "wait_for", "wait", "quiet", "at_deadline")},
        "before": {"type": "dict"},
        "must_exist": {"type": "bool"},
        "ignore_cookie": {"type": "bool"},
    }
    def answer(self, host, path, given):
        # Nodes may be drained together.
        lock = open(path + ".lock", "w")
        fcntl.flock(lock, fcntl.LOCK_EX)
        what = given["wait_for"] or given["state"]
        more = " without cookie" if given["ignore_cookie"] else ""
        self.log(f"balancer/{what}{more} {given['name']} {host}\\n")
        if os.path.exists("DIRECTORY/lose_" + host):
            open("DIRECTORY/away/" + host, "w").close()
        with open(path) as stream:
            answer = json.load(stream)
        if answer.get("stubborn"):
            return {"failed": True, "msg": "Permission denied"}
        servers = [server for server in answer["servers"] if server["name"] == given["name"]]
        for server in servers:
            state = given["state"]
            if state == "restored":
                ours = server["admin_state"] == "maint" or server.get("cookie_ignored")
                state = given["before"].get(server["backend"], "ready") if ours else ""
                server["cookie_ignored"] = state == "closed"
                state = "drain" if state == "closed" else state
            if given["ignore_cookie"]:
                server["cookie_ignored"] = True
            if state:
                server.update(up=state == "ready", admin_state=state, status={"ready": "UP"}.get(state, state.upper()))
        with open(path, "w") as stream:
            json.dump(answer, stream)
        return {"changed": True, "servers": servers, "moved_users": 2, "closed": {"requests": 0, "websockets": 1}}
"""
BALANCER_PREFERENCE = """
class ActionModule(Balancer):
    options = {"servers": {"type": "list"}}
    def answer(self, host, path, given):
        self.log(f"balancer/prefer {','.join(given['servers']) or 'none'} {host}\\n")
        return {"changed": True}
"""
HOST_STATE = """
from ansible.plugins.action import ActionBase
class ActionModule(ActionBase):
    _requires_connection = False
    def run(self, tmp=None, task_vars=None):
        return {"changed": False, "roles": self._task.args["roles"], "differences": {}}
"""
VALIDATE_RUN = """
from ansible.plugins.action import ActionBase
class ActionModule(ActionBase):
    _requires_connection = False
    def run(self, tmp=None, task_vars=None):
        return {"changed": False, "options": {}}
"""
# Replaces every task file of every role: logs the step, and breaks the connection if the host is to be lost in it.
STUB = """
- name: Log the step
  run_once: ONCE
  check_mode: false
  ansible.builtin.raw: |
    echo 'STEP {{ inventory_hostname }}' >> 'DIRECTORY/log'
    [ '{{ lost }}' != 'STEP {{ inventory_hostname }}' ] || { > 'DIRECTORY/away/{{ inventory_hostname }}'; exit 255; }
"""
ONCE = ("rollout/open", "rollout/create_schema")
REAL = (
    "rollout/reach_balancers",
    "rollout/await_balancers",
    "rollout/require_other_nodes",
    "rollout/respect_taken_out",
    "rollout/take_out_absent",
    "rollout/put_back",
    "rollout/keep_isolated",
    "rollout/drain",
    "rollout/prefer",
    "upgrade/require_absent_stopped",
)
# Those of one node, for tests of their order, and the end of the rollout.
SEQUENCE = ("rollout/restart", "rollout/report_failure", "rollout/restore_previous", "rollout/close")
# Of these the tests of the lease use the real ones, too; the others would have no file share.
LEASE = (
    "rollout/take_lease",
    "rollout/take_new_lease",
    "rollout/take_lease_elsewhere",
    "rollout/renew_lease",
    "rollout/renew_lease_elsewhere",
    "rollout/release_lease",
)
LOCATION = {
    "directory": "ivy_record_directory",
    "cluster": "ivy_cluster_name",
    "user": "ivy_user",
    "group": "ivy_group",
    "store": "ivy_state_directory",
}
# The steps on hosts by play. No step of a later play may begin after a host was lost.
ROLL_OUT = [
    ["rollout/stage"],
    ["rollout/open", "rollout/activate", "rollout/create_schema"],
    ["rollout/restart"],
    ["rollout/close"],
]
GIVE_UP = ["rollout/release_lease"]
SET_UP = [
    "rollout/renew_lease_elsewhere",
    "postgres/main",
    "elasticsearch/main",
    "certificates/main",
    "haproxy/main",
    "keepalived/main",
    "file_share/main",
    "engine/main",
]
PLAYS = {
    "rollout.yml": [["rollout/gather"], ["rollout/require_engine", "rollout/build"], *ROLL_OUT, GIVE_UP],
    "rollback.yml": [["rollout/gather"], ["rollout/take_lease"], ["rollback/main"], *ROLL_OUT, GIVE_UP],
    "site.yml": [
        ["preflight/main"],
        ["rollout/build"],
        ["rollout/take_lease"],
        SET_UP,
        *ROLL_OUT,
        ["rollout/renew_lease", "config_guard/main"],
        GIVE_UP,
    ],
}


class Cluster:
    """The collection with stubs for its roles, and hosts that are this machine."""

    def __init__(self, directory: Path, real: tuple[str, ...] = REAL) -> None:
        self.directory = directory
        self.collection = directory / "ansible_collections/ivy/cluster"
        shutil.copytree(ROOT / "playbooks", self.collection / "playbooks")
        # With what Python has compiled, but not the files that it is writing.
        shutil.copytree(ROOT / "plugins", self.collection / "plugins", ignore=shutil.ignore_patterns("*.pyc.*"))
        # The real one reads the specifications of the roles, and the stubs have none.
        self.write(self.collection / "plugins/action/validate_run.py", VALIDATE_RUN)
        # Everything differs, so that each role runs.
        self.write(self.collection / "plugins/action/host_state.py", HOST_STATE)
        self.write(self.collection / "plugins/action/balancer_info.py", BALANCER + BALANCER_INFO)
        self.write(self.collection / "plugins/action/balancer_server.py", BALANCER + BALANCER_SERVER)
        self.write(self.collection / "plugins/action/balancer_preference.py", BALANCER + BALANCER_PREFERENCE)
        for path in ROOT.glob("roles/*/tasks/*.yml"):
            step = f"{path.parent.parent.name}/{path.stem}"
            stub = STUB.replace("STEP", step).replace("ONCE", str(step in ONCE).lower())
            if step == "rollout/gather":
                stub = f"{stub.rstrip()}\n  register: rollout_node\n"
            if step == "rollout/restart" and step not in real:
                stub += "- ansible.builtin.include_tasks: await_balancers.yml\n  when: not ansible_check_mode\n"
            if step == "rollout/restart" and "rollout/renew_lease" in real:
                stub = f"- ansible.builtin.include_tasks: renew_lease.yml\n{stub.lstrip()}"
            text = path.read_text(encoding="utf-8").replace("retries: 60", "retries: 1") if step in real else stub
            self.write(self.collection / f"roles/{step.replace('/', '/tasks/')}.yml", text)
        parts = (
            "defaults/main.yml",
            *(f"vars/main/{name}.yml" for name in ("lease", "internal", "record", "strategy")),
        )
        for part in parts:
            self.write(self.collection / "roles/rollout" / part, (ROOT / "roles/rollout" / part).read_text("utf-8"))
        self.write(directory / "ssh", SSH).chmod(0o755)
        (directory / "away").mkdir()
        for balancer in GROUPS["load_balancers"]:
            self.balancer(balancer, GROUPS["engine_nodes"])
        hosts = {group: {"hosts": dict.fromkeys(names)} for group, names in GROUPS.items()}
        self.write(directory / "hosts.yml", yaml.safe_dump({"all": {"children": hosts}}))

    def write(self, path: Path, text: str) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("DIRECTORY", str(self.directory)), encoding="utf-8")
        return path

    def balancer(
        self,
        name: str,
        servers: list[str],
        down: tuple[str, ...] = (),
        out: t.Mapping[str, str] | None = None,
        **more: t.Any,
    ) -> None:
        """Set the answer of HAProxy on this host. ``out`` is what operators have requested."""
        out = out or {}
        listed = [
            {
                "backend": "engine_nodes",
                "name": server,
                "up": server not in (*down, *out),
                "admin_state": out.get(server, "ready"),
                "status": "DOWN" if server in down else out.get(server, "up").upper(),
                "check": {"status": "L7STS", "reason": "503"} if server in down else {"status": "L7OK", "reason": ""},
            }
            for server in servers
        ]
        self.write(self.directory / f"{name}.json", json.dumps({"servers": listed, "drains": True, **more}))

    def requested(self, name: str) -> dict[str, str]:
        """The states that HAProxy on this host was asked for."""
        servers = json.loads((self.directory / f"{name}.json").read_text(encoding="utf-8"))["servers"]
        return {server["name"]: server["admin_state"] for server in servers}

    def begin_with(self, step: str, included: str) -> None:
        """Include a task file at the beginning of a step."""
        path = self.collection / f"roles/rollout/tasks/{step}.yml"
        task = {"name": "Begin", "ansible.builtin.include_tasks": f"{included}.yml", "run_once": step == "open"}
        self.write(path, yaml.safe_dump([task]) + path.read_text(encoding="utf-8"))

    def run(self, playbook: str, *arguments: str, **variables: t.Any) -> Ended:
        settings = {
            "lost": "",
            "ivy_proceed_without": [],
            "rollout_plan": {"start": False, "restart": True, "first": False, "waits": False, "gate": False},
            "preflight_host_facts": {"seen": {}},
            "rollback_choice": {"release": "1"},
            "rollback_reason": "a test",
            "rollout_release": "1",
            "rollout_required": True,
            "ivy_cluster_name": "test",
            "ivy_engine_version": "11.3.0",
            "ivy_public_url": "https://ivy.example.com/",
            "ivy_record_directory": f"{self.directory}/$FAKE_SHARE",
            "ivy_state_directory": str(self.directory / "store"),
            "ivy_user": str(os.geteuid()),
            "ivy_group": str(os.getegid()),
            "ivy_operator": "admin",
            "ivy_lease_timeout": 900,
            "ivy_take_over_reason": "",
            "ansible_become": False,
            "ansible_python_interpreter": sys.executable,
            **variables,
        }
        settings = {name: value for name, value in settings.items() if value is not None}
        command = [*PLAYBOOK, "-i", str(self.directory / "hosts.yml")]
        command += [str(self.collection / "playbooks" / playbook), "-e", json.dumps(settings), *arguments]
        environment = {
            **os.environ,
            "ANSIBLE_CONFIG": str(self.write(self.directory / "ansible.cfg", CONFIGURATION)),
            "ANSIBLE_COLLECTIONS_PATH": str(self.directory),
            "ANSIBLE_LOCAL_TEMP": str(self.directory / "temporary"),
            "ANSIBLE_REMOTE_TEMP": str(self.directory / "remote"),
            "ANSIBLE_SSH_EXECUTABLE": str(self.directory / "ssh"),
            "ANSIBLE_PIPELINING": "1",
            "ANSIBLE_FORKS": "8",
            "ANSIBLE_NOCOLOR": "1",
            "LC_ALL": "C.UTF-8",
        }
        ended = subprocess.run(
            command, capture_output=True, text=True, timeout=900, check=False, env=environment, cwd=self.directory
        )
        log = self.directory / "log"
        lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
        return Ended(ended.returncode, ended.stdout + ended.stderr, lines)


class Ended(t.NamedTuple):
    code: int
    output: str
    log: list[str]

    @property
    def last(self) -> str:
        """The output after the last task, on one line."""
        return " ".join(self.output.rpartition("TASK [")[2].split())

    def done(self, step: str) -> list[str]:
        """The hosts that began the step."""
        return [line.split()[1] for line in self.log if line.split()[0] == step]


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    return Cluster(tmp_path)


@pytest.mark.parametrize(
    ("playbook", "step", "host"),
    cases(
        ("rollout.yml", "rollout/activate", "engine3"),
        ("rollout.yml", "rollout/restart", "engine3"),
        ("rollback.yml", "rollout/restart", "engine1"),
        ("site.yml", "haproxy/main", "lb1"),
        more=(
            ("rollout.yml", "rollout/gather", "engine2"),
            ("rollout.yml", "rollout/stage", "engine1"),
            ("rollout.yml", "rollout/open", "engine1"),
            ("site.yml", "preflight/main", "engine2"),
            ("site.yml", "rollout/build", "engine2"),
            ("site.yml", "rollout/take_lease", "engine3"),
        ),
    ),
)
def test_a_host_that_is_lost_ends_the_run_before_the_next_step(
    cluster: Cluster, playbook: str, step: str, host: str
) -> None:
    plan = {"start": False, "restart": step != "rollout/activate", "first": False, "waits": False, "gate": False}
    ended = cluster.run(playbook, lost=f"{step} {host}", rollout_plan=plan)

    assert ended.code != 0
    assert host in ended.done(step), ended.output
    later = [
        name
        for number, play in enumerate(PLAYS[playbook])
        if any(step in before for before in PLAYS[playbook][:number])
        for name in play
    ]
    assert [name for name in later if ended.done(name)] == [], ended.output
    # The last message names the host, what was not touched, and what to do.
    assert f"Cannot be reached: {host}." in ended.last, ended.output
    assert "run the same playbook again" in ended.last
    assert ("ivy_proceed_without" in ended.last) == (host in GROUPS["engine_nodes"])
    if step == "rollout/restart":
        reached = GROUPS["engine_nodes"][: GROUPS["engine_nodes"].index(host) + 1]
        assert ended.done(step) == reached
        untouched = [node for node in GROUPS["engine_nodes"] if node not in reached]
        assert f"Not touched: {', '.join(untouched)}." in ended.last or not untouched


def test_nodes_that_are_away_from_the_start_are_named(cluster: Cluster) -> None:
    for node in GROUPS["engine_nodes"]:
        (cluster.directory / "away" / node).touch()

    ended = cluster.run("rollout.yml")

    assert ended.code != 0
    assert ended.log == []
    assert "Cannot be reached: engine1, engine2, engine3. Nothing was changed." in ended.last, ended.output
    # No node would be left.
    assert "ivy_proceed_without" not in ended.last


@pytest.mark.parametrize("playbook", cases("site.yml", more=("rollback.yml",)))
def test_all_steps_run_if_no_host_is_lost(cluster: Cluster, playbook: str) -> None:
    ended = cluster.run(playbook)

    assert ended.code == 0, ended.output
    skipped = {"rollout/activate"}
    assert {name for play in PLAYS[playbook] for name in play if not ended.done(name)} == skipped
    assert ended.done("rollout/restart") == GROUPS["engine_nodes"]


# Each role of a host runs, whatever its group.
ONE_BY_ONE = ["lb1", "lb2", "engine1", "engine2", "engine3", "db1", "search1"]


def set_up(ended: Ended) -> list[str]:
    """The hosts in the order in which their services were set up."""
    own = ("haproxy/main", "engine/main", "postgres/main", "elasticsearch/main")
    return [line.split()[1] for line in ended.log if line.split()[0] in own]


# From the command line or a survey, it arrives as text.
@pytest.mark.parametrize("value", cases("true", more=(True,)))
def test_an_update_of_packages_changes_one_host_after_another(cluster: Cluster, value: object) -> None:
    ended = cluster.run("site.yml", packages_upgrade=value)

    assert ended.code == 0, ended.output
    assert set_up(ended) == ONE_BY_ONE
    # The engines restart afterwards, in the order of the rollout.
    assert [line.split()[0] for line in ended.log].index("rollout/stage") > [
        line.split()[0] for line in ended.log
    ].index("elasticsearch/main")
    assert ended.done("rollout/restart") == GROUPS["engine_nodes"]


@pytest.mark.parametrize("host", cases("lb1", more=("db1",)))
def test_an_update_of_packages_in_the_inventory_of_a_group_concerns_the_whole_run(cluster: Cluster, host: str) -> None:
    hosts = yaml.safe_load((cluster.directory / "hosts.yml").read_text(encoding="utf-8"))
    (group,) = [group for group, names in GROUPS.items() if host in names]
    hosts["all"]["children"][group]["vars"] = {"packages_upgrade": True}
    cluster.write(cluster.directory / "hosts.yml", yaml.safe_dump(hosts))

    ended = cluster.run("site.yml", packages_upgrade=None)

    assert ended.code == 0, ended.output
    assert set_up(ended) == ONE_BY_ONE


@pytest.mark.parametrize(
    ("step", "host"), cases(("haproxy/main", "lb1"), more=(("engine/main", "engine2"), ("postgres/main", "db1")))
)
def test_a_host_that_is_lost_ends_an_update_of_packages(cluster: Cluster, step: str, host: str) -> None:
    ended = cluster.run("site.yml", packages_upgrade=True, lost=f"{step} {host}")

    assert ended.code != 0
    place = ONE_BY_ONE.index(host)
    assert set_up(ended) == ONE_BY_ONE[: place + 1], ended.output
    assert ended.done("rollout/stage") == []
    assert f"Not touched: {', '.join(ONE_BY_ONE[place + 1 :])}. No engine was started" in ended.last, ended.output


def test_a_package_that_cannot_be_installed_ends_an_update_at_its_host(cluster: Cluster) -> None:
    role = cluster.collection / "roles/haproxy/tasks/main.yml"
    cluster.write(role, role.read_text(encoding="utf-8") + "- ansible.builtin.fail: {msg: dpkg fails}\n")

    ended = cluster.run("site.yml", packages_upgrade=True)

    assert ended.code != 0
    assert set_up(ended) == ["lb1"]
    assert "lb1 could not be set up; the reason is above." in ended.last, ended.output
    assert f"Not touched: {', '.join(ONE_BY_ONE[1:])}. No engine was started" in ended.last, ended.output


def test_an_update_after_which_nodes_do_not_serve_ends_at_this_host(cluster: Cluster) -> None:
    path = cluster.collection / "playbooks/_includes/tasks/await_nodes_in_service.yml"
    cluster.write(path, path.read_text(encoding="utf-8").replace("retries: 60", "retries: 1"))
    # A node that was down before does not stop the run.
    for balancer in GROUPS["load_balancers"]:
        cluster.balancer(balancer, GROUPS["engine_nodes"], down=("engine2",))
    role = cluster.collection / "roles/haproxy/tasks/main.yml"
    task = """
- name: Update HAProxy
  ansible.builtin.raw: |
    sed -i 's/"up": true/"up": false/g' 'DIRECTORY/{{ inventory_hostname }}.json'
"""
    cluster.write(role, role.read_text(encoding="utf-8") + task)

    ended = cluster.run("site.yml", packages_upgrade=True)

    assert ended.code != 0
    assert set_up(ended) == ["lb1"], ended.output
    text = " ".join(ended.output.split())
    assert "lb1 is set up, but not every engine node that served before serves again" in text, ended.output
    assert "HAProxy on lb1 does not have engine1, engine3 up." in text, ended.output
    assert "HAProxy on lb2" not in text
    assert f"Not touched: {', '.join(ONE_BY_ONE[1:])}." in ended.last


UPGRADE = {
    "upgrade_plan": {"back_up": True, "stop": True, "migrate": True, "node": "engine1"},
    "rollout_plan": {"start": True, "restart": False, "first": True, "waits": False, "gate": False, "activate": True},
}


def test_an_upgrade_takes_its_steps_in_order_and_migrates_once(cluster: Cluster) -> None:
    ended = cluster.run("upgrade.yml", **UPGRADE)

    assert ended.code == 0, ended.output
    before = ["preflight/main", "rollout/gather", "upgrade/main", "rollout/build", "rollout/take_lease"]
    installed = ["backup/create", "engine/main", "rollout/stage"]
    proved = ["upgrade/require_stopped", "rollout/require_unused_database"]
    away = ["upgrade/stop", "haproxy/main", *proved, "rollout/open", "rollout/activate"]
    after = ["rollout/restart", "rollout/close", "config_guard/main", "upgrade/report"]
    wanted = [*before, *installed, *away, "rollout/begin_migration", "upgrade/migrate", *after]
    steps_of_run = dict.fromkeys(line.split()[0] for line in ended.log)
    assert [step for step in steps_of_run if step in wanted] == wanted
    assert ended.done("upgrade/migrate") == ["engine1"]
    assert ended.done("upgrade/stop") == ended.done("rollout/restart") == GROUPS["engine_nodes"]
    # Once no engine can start any more, all of them are inspected again.
    names = [line.split()[0] for line in ended.log]
    last = names[names.index("rollout/begin_migration") + 1 : names.index("upgrade/migrate")]
    assert last == [*[proved[0]] * 3, proved[1]]


def test_an_upgrade_ends_if_the_engine_of_a_node_that_it_leaves_out_runs(cluster: Cluster) -> None:
    ended = cluster.run("upgrade.yml", ivy_proceed_without=["engine2"], **UPGRADE)

    assert ended.code != 0
    assert "leaves out engine2, whose engine answers the load balancers" in " ".join(ended.output.split()), ended.output
    assert ended.done("upgrade/stop") == ended.done("upgrade/migrate") == []


@pytest.mark.parametrize(
    ("step", "host", "never"),
    cases(
        ("upgrade/stop", "engine2", ("haproxy/main", "rollout/activate", "upgrade/migrate", "rollout/restart")),
        more=(
            ("backup/create", "engine1", ("engine/main", "upgrade/stop")),
            ("rollout/activate", "engine3", ("upgrade/migrate", "rollout/restart")),
            ("upgrade/migrate", "engine1", ("rollout/restart",)),
        ),
    ),
)
def test_a_host_that_is_lost_ends_an_upgrade(cluster: Cluster, step: str, host: str, never: tuple[str, ...]) -> None:
    ended = cluster.run("upgrade.yml", lost=f"{step} {host}", **UPGRADE)

    assert ended.code != 0
    assert host in ended.done(step), ended.output
    assert [name for name in never if ended.done(name)] == [], ended.output
    assert f"Cannot be reached: {host}." in ended.last, ended.output


@long
def test_a_check_mode_run_without_a_node_runs_all_steps_on_the_others(cluster: Cluster) -> None:
    (cluster.directory / "away/engine1").touch()

    ended = cluster.run("rollout.yml", "--check", ivy_proceed_without=["engine1"])

    assert ended.code == 0, ended.output
    assert ended.done("rollout/restart") == ["engine2", "engine3"]


def test_a_lost_node_ends_a_run_for_some_nodes_too(cluster: Cluster) -> None:
    ended = cluster.run("rollout.yml", "--limit", "engine2,engine3", lost="rollout/restart engine2")

    assert ended.code != 0
    assert ended.done("rollout/restart") == ["engine2"]
    assert "Cannot be reached: engine2. Not touched: engine3." in ended.last, ended.output


@pytest.mark.parametrize("fails", [False, True])
def test_a_node_that_has_only_to_pass_the_gate_comes_before_any_other_is_stopped(cluster: Cluster, fails: bool) -> None:
    """An earlier run has started it with the release, and it serves."""
    hosts = yaml.safe_load((cluster.directory / "hosts.yml").read_text(encoding="utf-8"))
    gate = {"start": False, "restart": False, "first": False, "waits": False, "gate": True}
    plans = {"engine1": {**gate, "restart": True, "gate": False}, "engine2": {**gate, "gate": False}, "engine3": gate}
    hosts["all"]["children"]["engine_nodes"]["hosts"] = {name: {"planned": plan} for name, plan in plans.items()}
    cluster.write(cluster.directory / "hosts.yml", yaml.safe_dump(hosts))

    ended = cluster.run(
        "rollout.yml", rollout_plan="{{ planned }}", lost="rollout/restart engine3" if fails else "nothing"
    )

    assert (ended.code == 0) != fails, ended.output
    assert ended.done("rollout/restart") == (["engine3"] if fails else ["engine3", "engine1"])


def test_a_balancer_that_is_away_is_named_before_anything_is_staged(cluster: Cluster) -> None:
    (cluster.directory / "away/lb2").touch()

    ended = cluster.run("rollback.yml", "--check", "--limit", "engine1,engine2")

    assert ended.code != 0
    assert ended.done("rollout/stage") == []
    assert "lb2 cannot be reached" in ended.last, ended.output
    assert "lb1" not in ended.last.partition("PLAY RECAP")[0]
    assert "No engine was stopped" in ended.last


def test_a_balancer_that_does_not_list_a_node_is_named_before_anything_is_staged(cluster: Cluster) -> None:
    cluster.balancer("lb2", ["engine1", "engine3"])
    (cluster.directory / "lb1.json").write_text('{"msg": "connection refused"}', encoding="utf-8")

    ended = cluster.run("rollout.yml")

    assert ended.code != 0
    assert ended.done("rollout/stage") == []
    assert "HAProxy on lb1 does not answer: connection refused" in ended.last, ended.output
    assert "HAProxy on lb2 does not list engine2." in ended.last


@long
def test_in_check_mode_a_balancer_that_this_run_sets_up_may_be_missing(cluster: Cluster) -> None:
    for balancer in GROUPS["load_balancers"]:
        (cluster.directory / f"{balancer}.json").write_text('{"msg": "no socket"}', encoding="utf-8")

    ended = cluster.run("site.yml", "--check")
    assert ended.code == 0, ended.output


@pytest.mark.parametrize(
    ("case", "message"),
    cases(
        ("away", "lb2 cannot be reached: "),
        ("down", "HAProxy on lb2 has it as DOWN: 503"),
        more=(
            ("unlisted", "HAProxy on lb2 does not list it."),
            ("drained-and-down", "HAProxy on lb2 has it as DOWN: 503"),
        ),
    ),
)
def test_a_balancer_that_does_not_have_the_node_up_ends_the_run_at_the_gate(
    cluster: Cluster, case: str, message: str
) -> None:
    """The balancers work until the first node starts."""
    nodes = GROUPS["engine_nodes"]
    change = {
        "away": "touch away/lb2",
        "unlisted": "cp unlisted.json lb2.json",
        "down": "cp down.json lb2.json",
        "drained-and-down": "cp drained-and-down.json lb2.json",
    }[case]
    cluster.balancer("unlisted", nodes[1:])
    cluster.balancer("down", nodes, down=("engine1",))
    cluster.balancer("drained-and-down", nodes, down=("engine1",), out={"engine1": "drain"})
    restart = cluster.collection / "roles/rollout/tasks/restart.yml"
    task = yaml.safe_dump([{"name": "Change", "ansible.builtin.raw": f"cd '{cluster.directory}'; {change}"}])
    cluster.write(restart, task + restart.read_text(encoding="utf-8"))

    ended = cluster.run("rollout.yml")

    assert ended.code != 0
    assert ended.done("rollout/restart") == nodes[:1], ended.output
    # A failure of the node, so that the rescue of restart.yml can report what to do.
    assert "Not every balancer has engine1 up" in ended.last, ended.output
    assert message in ended.last
    assert "lb1" not in ended.last.partition("PLAY RECAP")[0]


@pytest.mark.parametrize("lost", cases("engine1", more=("lb2",)))
def test_of_two_nodes_the_other_one_is_not_touched(cluster: Cluster, lost: str) -> None:
    nodes = GROUPS["engine_nodes"][:2]
    hosts = yaml.safe_load((cluster.directory / "hosts.yml").read_text(encoding="utf-8"))
    hosts["all"]["children"]["engine_nodes"]["hosts"] = dict.fromkeys(nodes)
    cluster.write(cluster.directory / "hosts.yml", yaml.safe_dump(hosts))
    for balancer in GROUPS["load_balancers"]:
        cluster.balancer(balancer, nodes)
    if lost == "lb2":
        restart = cluster.collection / "roles/rollout/tasks/restart.yml"
        task = {"name": "Lose it", "ansible.builtin.raw": f"touch '{cluster.directory}/away/lb2'"}
        cluster.write(restart, yaml.safe_dump([task]) + restart.read_text(encoding="utf-8"))
    cluster.begin_with("restart", "require_other_nodes")

    ended = cluster.run("rollout.yml", lost=f"rollout/restart {lost}")

    assert ended.code != 0
    assert ended.done("rollout/restart") == ["engine1"], ended.output
    assert ended.done("rollout/close") == []
    words = "Not touched: engine2." if lost == "engine1" else "lb2 cannot be reached"
    assert words in ended.last, ended.output


@pytest.fixture
def leased(tmp_path: Path) -> Cluster:
    """A cluster whose roles take the real lease, on a file share that is a directory."""
    (tmp_path / "share").mkdir()
    return Cluster(tmp_path, (*REAL, *LEASE))


def lease_of(cluster: Cluster) -> dict[str, t.Any] | None:
    found = record.read(str(cluster.directory / "share"), os.geteuid(), os.getegid())
    return (found or {}).get("lease")


def hold(cluster: Cluster, run_id: str) -> None:
    """Another run takes the lease."""
    directory, uid, gid = str(cluster.directory / "share"), os.geteuid(), os.getegid()
    with record.locked(directory, uid, gid) as now:
        change = record.Change("taken", run_id, operation="site", owner="kim", step="restart", now=now)
        value = record.read(directory, uid, gid) or record.empty("test")
        record.write(directory, record.apply({**value, "lease": None}, change), uid, gid)


@pytest.mark.parametrize("playbook", cases("rollback.yml", "site.yml", more=("rollout.yml",)))
def test_a_second_run_is_refused_before_it_changes_anything(leased: Cluster, playbook: str) -> None:
    hold(leased, "another-controller")

    ended = leased.run(playbook)

    assert ended.code != 0
    changing = {*SET_UP, "rollback/main", *(name for play in ROLL_OUT for name in play), "config_guard/main"}
    assert [name for name in changing if ended.done(name)] == [], ended.output
    assert "Another run changes the cluster: site of kim, since " in ended.last, ended.output
    assert "ivy_take_over_reason" in ended.last
    # Once, though three nodes report it.
    assert ended.output.count("FAILED! =>") == 1, ended.output
    assert (lease_of(leased) or {})["run_id"] == "another-controller"


def test_nodes_with_different_file_shares_are_not_changed(leased: Cluster, tmp_path: Path) -> None:
    """The share of engine2 is not mounted, and its directory is there."""
    (tmp_path / "other").mkdir()
    ssh = tmp_path / "ssh"
    text = ssh.read_text(encoding="utf-8")
    ssh.write_text(text.replace("[ ! -e", '[ "$host" != engine2 ] || share=other\n[ ! -e', 1), encoding="utf-8")
    ended = leased.run("rollout.yml")
    assert ended.code != 0
    assert "they do not have the same file share" in ended.output
    assert "Nothing was changed." in ended.output
    changing = {name for play in ROLL_OUT for name in play}
    assert [name for name in changing if ended.done(name)] == [], ended.output


@pytest.mark.parametrize("playbook", cases("rollout.yml", more=("site.yml",)))
def test_a_run_gives_the_lease_up_at_its_end(leased: Cluster, playbook: str) -> None:
    ended = leased.run(playbook)
    assert ended.code == 0, ended.output
    assert lease_of(leased) is None


@long
@pytest.mark.parametrize("playbook", cases("rollout.yml", more=("rollback.yml", "site.yml")))
def test_a_run_that_was_not_approved_gives_the_lease_up(leased: Cluster, playbook: str) -> None:
    for part in ("tasks/report.yml", "vars/main.yml", "defaults/main.yml"):
        leased.write(leased.collection / "roles/plan" / part, (ROOT / "roles/plan" / part).read_text("utf-8"))

    ended = leased.run(playbook, ivy_plan="another", engine_start_timeout=60)

    assert ended.code != 0
    assert "This is not the approved plan" in ended.last, ended.output
    assert ended.done("rollout/take_lease") == ended.done("rollout/release_lease") == []
    assert "TASK [ivy.cluster.rollout : Take the lease of the cluster" in ended.output
    assert lease_of(leased) is None
    # In the plan, before the nodes are changed.
    assert sorted(ended.done("rollout/stage")) == GROUPS["engine_nodes"]
    changing = {*SET_UP, *(name for play in ROLL_OUT for name in play), "config_guard/main"} - {"rollout/stage"}
    assert [name for name in changing if ended.done(name)] == [], ended.output


@pytest.mark.parametrize("how", cases("ended", more=("reason",)))
def test_the_lease_of_a_run_that_has_ended_is_taken_over(leased: Cluster, how: str) -> None:
    with subprocess.Popen(["true"]) as process:
        identity = run_identity.RunIdentity(run_identity._controller("/proc"), process.pid, "1")
    hold(leased, identity.run_id if how == "ended" else "another-controller")

    ended = leased.run("rollout.yml", ivy_take_over_reason="kim is on holiday" if how == "reason" else "")

    assert ended.code == 0, ended.output
    found = record.read(str(leased.directory / "share"), os.geteuid(), os.getegid())
    assert found is not None
    reasons = [event["reason"] for event in found["history"] if event["operation"] == "take over"]
    assert reasons == ["its run has ended" if how == "ended" else "kim is on holiday"]


def lose_lease(cluster: Cluster, step: str, host: str) -> None:
    """Another run takes over at the end of this step."""
    hold(cluster, "another-controller")
    (cluster.directory / "share" / record.FILE_NAME).rename(cluster.directory / "stolen.json")
    change = f"cp '{cluster.directory}/stolen.json' '{cluster.directory}/share/{record.FILE_NAME}'"
    task = {"name": "Change", "ansible.builtin.raw": change, "when": f"inventory_hostname == '{host}'"}
    path = cluster.collection / f"roles/{step.replace('/', '/tasks/')}.yml"
    cluster.write(path, path.read_text(encoding="utf-8") + yaml.safe_dump([task]))


@pytest.mark.parametrize(
    ("step", "host", "later"),
    cases(("file_share/main", "engine1", "engine/main"), more=(("certificates/main", "lb1", "haproxy/main"),)),
)
def test_a_run_that_loses_the_lease_sets_up_nothing_more_on_a_host(
    leased: Cluster, step: str, host: str, later: str
) -> None:
    """A role may take longer than the lease lasts."""
    lose_lease(leased, step, host)

    ended = leased.run("site.yml")

    assert ended.code != 0
    assert host in ended.done(step), ended.output
    assert host not in ended.done(later), ended.output
    assert "This run has lost the lease of the cluster" in ended.output
    assert (lease_of(leased) or {})["run_id"] == "another-controller"


def test_a_host_is_not_set_up_without_the_lease_when_every_engine_node_has_failed(leased: Cluster) -> None:
    """It takes longer than they, and another run has taken over since."""
    lose_lease(leased, "certificates/main", "lb1")
    path = leased.collection / "roles/file_share/tasks/main.yml"
    leased.write(path, yaml.safe_dump([{"name": "Fail", "ansible.builtin.fail": {"msg": "no mount"}}]))
    path = leased.collection / "roles/certificates/tasks/main.yml"
    wait = {"name": "Wait", "ansible.builtin.include_tasks": "wait.yml"}
    leased.write(path, yaml.safe_dump([wait]) + path.read_text(encoding="utf-8"))
    failed = {"when": "groups['engine_nodes'] | intersect(ansible_play_hosts) | length > 0"}
    leased.write(path.with_name("wait.yml"), yaml.safe_dump([{"ansible.builtin.raw": "sleep 0.1"}, {**wait, **failed}]))

    ended = leased.run("site.yml", "--limit", "engine1,lb1")

    assert ended.done("certificates/main") == ["lb1"], ended.output
    assert ended.done("haproxy/main") == []
    assert "This run has lost the lease of the cluster" in ended.output, ended.output


@pytest.mark.parametrize("reason", cases("kim is on holiday", more=("",)))
def test_a_run_does_not_take_a_lost_lease_back(leased: Cluster, reason: str) -> None:
    """Another run has taken over while the hosts were set up. With a reason, the first one could take even that."""
    lose_lease(leased, "engine/main", "engine1")

    ended = leased.run("site.yml", "--limit", "engine1", ivy_take_over_reason=reason)

    assert ended.code != 0
    assert ended.done("engine/main") == ["engine1"], ended.output
    assert ended.done("rollout/stage") == []
    assert "This run has lost the lease of the cluster" in ended.last, ended.output
    assert (lease_of(leased) or {})["run_id"] == "another-controller"


@long
def test_a_run_ends_if_the_cluster_has_changed_since_the_release_was_built(leased: Cluster) -> None:
    task = {
        "name": "Read",
        "ivy.cluster.cluster_record": {name: f"{{{{ {value} }}}}" for name, value in LOCATION.items()},
    }
    path = leased.collection / "roles/rollout/tasks/build.yml"
    begun = path.read_text(encoding="utf-8") + yaml.safe_dump([{**task, "register": "__rollout_record"}])
    leased.write(path, begun)
    lose_lease(leased, "rollout/build", "engine1")
    stolen = leased.directory / "stolen.json"
    value = {**json.loads(stolen.read_text(encoding="utf-8")), "lease": None, "desired_release": "a" * 32}
    stolen.write_text(json.dumps(value), encoding="utf-8")

    ended = leased.run("site.yml", "--limit", "engine1")

    assert ended.code != 0
    assert ended.done("rollout/build") == ["engine1"], ended.output
    assert ended.done("engine/main") == []
    assert "The cluster record is not the one with which this run began" in ended.output
    leased.write(path, begun)
    ended = leased.run("site.yml", "--limit", "engine1")
    assert ended.code == 0, ended.output


def test_a_run_that_loses_the_lease_touches_no_further_node(leased: Cluster) -> None:
    lose_lease(leased, "rollout/restart", "engine1")

    ended = leased.run("rollout.yml")

    assert ended.code != 0
    assert ended.done("rollout/restart") == ["engine1"], ended.output
    assert ended.done("rollout/close") == []
    assert "This run has lost the lease of the cluster" in ended.output
    assert (lease_of(leased) or {})["run_id"] == "another-controller"


@long
def test_a_run_without_an_engine_node_takes_the_lease_through_one(leased: Cluster) -> None:
    hold(leased, "another-controller")
    ended = leased.run("site.yml", "--limit", "lb1")
    assert ended.code != 0
    assert ended.done("haproxy/main") == []
    assert "Another run changes the cluster" in ended.output, ended.output

    (leased.directory / "share" / record.FILE_NAME).unlink()
    ended = leased.run("site.yml", "--limit", "lb1")
    assert ended.code == 0, ended.output
    assert ended.done("haproxy/main") == ["lb1"]
    assert lease_of(leased) is None


def test_an_empty_server_takes_the_place_of_one_that_is_half_restored(leased: Cluster, tmp_path: Path) -> None:
    (tmp_path / "main/global").mkdir(parents=True)
    part = {"target": "latest", "timeline": 1, "left": 1, "restored": None, "files": str(tmp_path / "main")}
    operation = {"name": "restore_database", "owner": "kim", "since": "2026-01-01T12:00:00Z", "database": part}
    value = {**record.empty("test"), "desired_release": "a" * 32, "operation": operation}
    record.write(str(tmp_path / "share"), value, os.geteuid(), os.getegid())
    site = ("site.yml", "-e", "ivy_take_over_reason='the archive is damaged'", "--limit")

    for limit in ("db1", "db1,engine1,engine2,engine3"):
        ended = leased.run(*site, limit)
        assert ended.code != 0
        assert ended.done("postgres/main") == []
        assert "If the files cannot be restored" in " ".join(ended.output.split()), ended.output
        # Another run need not wait.
        assert lease_of(leased) is None
        # They were moved away. Engines would begin with the empty server.
        if limit == "db1":
            (tmp_path / "main").rename(tmp_path / "damaged")

    ended = leased.run(*site, "db1")
    assert ended.code == 0, ended.output
    assert ended.done("postgres/main") == ["db1"]
    assert ended.done("rollout/open") == []
    found = record.read(str(tmp_path / "share"), os.geteuid(), os.getegid())
    assert (found or {})["operation"] == operation


def set_up_anew(cluster: Cluster, *hosts: str) -> None:
    """The hosts do not have the file share until the engine is installed."""
    for host in hosts:
        cluster.write(cluster.directory / "new" / host, "")
    path = cluster.collection / "roles/engine/tasks/main.yml"
    task = {"name": "Install", "ansible.builtin.raw": f"rm -f '{cluster.directory}/new/{{{{ inventory_hostname }}}}'"}
    cluster.write(path, path.read_text(encoding="utf-8") + yaml.safe_dump([task]))


@long
def test_on_a_new_cluster_the_lease_is_taken_when_the_nodes_are_set_up(leased: Cluster) -> None:
    set_up_anew(leased, *GROUPS["engine_nodes"])
    stage = leased.collection / "roles/rollout/tasks/stage.yml"
    copy = f"cp '{leased.directory}/share/{record.FILE_NAME}' '{leased.directory}/at_stage.json'"
    task = {"name": "Copy", "ansible.builtin.raw": copy}
    leased.write(stage, stage.read_text(encoding="utf-8") + yaml.safe_dump([task]))

    ended = leased.run("site.yml", "--limit", "engine1")

    assert ended.code == 0, ended.output
    assert json.loads((leased.directory / "at_stage.json").read_text(encoding="utf-8"))["lease"]["operation"] == "site"
    assert lease_of(leased) is None


@pytest.mark.parametrize("others", cases("left out", more=("away",)))
def test_a_new_node_does_not_know_that_no_other_run_is_at_work(leased: Cluster, others: str) -> None:
    hold(leased, "another-controller")
    set_up_anew(leased, "engine1")
    (leased.directory / "away/engine2").touch()
    if others == "away":
        (leased.directory / "away/engine3").touch()
    without = ["engine2", "engine3"] if others == "left out" else []

    ended = leased.run("site.yml", "--limit", "engine1", ivy_proceed_without=without)

    assert ended.code != 0
    assert ended.done("engine/main") == [], ended.output
    expected = "No engine node besides those that are new could be reached" if others == "away" else "site of kim"
    assert expected in " ".join(ended.output.split()), ended.output


def test_an_engine_is_not_stopped_while_no_other_node_serves(cluster: Cluster) -> None:
    cluster.balancer("lb2", GROUPS["engine_nodes"], down=("engine2", "engine3"))
    cluster.begin_with("restart", "require_other_nodes")

    ended = cluster.run("rollout.yml")

    assert ended.code != 0
    assert ended.done("rollout/restart") == []
    assert "engine1 was not stopped" in ended.output, ended.output
    assert "HAProxy on lb2 has up besides it: none; not up: engine2, engine3" in ended.output


@long
@pytest.mark.parametrize("accepted", cases("interruption", more=("serves nobody",)))
def test_an_engine_is_stopped_if_that_makes_no_difference(cluster: Cluster, accepted: str) -> None:
    down = ("engine2", "engine3") if accepted == "interruption" else ("engine1", "engine2", "engine3")
    for balancer in GROUPS["load_balancers"]:
        cluster.balancer(balancer, GROUPS["engine_nodes"], down=down)
    cluster.begin_with("restart", "require_other_nodes")

    ended = cluster.run("rollout.yml", engine_minimum_available=0 if accepted == "interruption" else 1)

    assert ended.done("rollout/restart")[:1] == ["engine1"], ended.output


@pytest.mark.parametrize("stubborn", [False, True])
def test_a_node_that_is_left_out_is_taken_out_of_every_balancer_first(leased: Cluster, stubborn: bool) -> None:
    """It cannot be reached by SSH, and its engine may still serve the replaced release."""
    (leased.directory / "away/engine3").touch()
    leased.begin_with("open", "take_out_absent")
    if stubborn:
        leased.balancer("lb2", GROUPS["engine_nodes"], stubborn=True)

    ended = leased.run("rollout.yml", ivy_proceed_without=["engine3"])

    found = record.read(str(leased.directory / "share"), os.geteuid(), os.getegid())
    assert found is not None
    # Recorded first, so that a later run undoes it, whatever became of this one.
    assert found["drained"] == ["engine3"]
    assert (ended.code == 0) != stubborn, ended.output
    if stubborn:
        assert ended.done("rollout/open") == []
        assert "HAProxy on lb2 does not take engine3 out: Permission denied" in ended.last
        assert "No node was changed" in ended.last
        return
    for balancer in GROUPS["load_balancers"]:
        servers = json.loads((leased.directory / f"{balancer}.json").read_text(encoding="utf-8"))["servers"]
        assert {server["name"]: server["up"] for server in servers} == {
            "engine1": True,
            "engine2": True,
            "engine3": False,
        }


@pytest.mark.parametrize(("state", "balancers"), cases(("drain", ["lb2"]), more=(("maint", ["lb1", "lb2"]),)))
def test_a_node_that_an_operator_has_taken_out_passes_and_stays_out(
    cluster: Cluster, state: str, balancers: list[str]
) -> None:
    for balancer in balancers:
        cluster.balancer(balancer, GROUPS["engine_nodes"], out={"engine2": state})
    cluster.begin_with("open", "respect_taken_out")

    ended = cluster.run("rollout.yml")

    assert ended.code == 0, ended.output
    assert ended.done("rollout/restart") == GROUPS["engine_nodes"]
    # In the plan, before anything is changed, and at the gate.
    words = f"{state} on {' and '.join(balancers)}"
    text = " ".join(ended.output.replace("\\n", " ").split())
    assert f"An operator keeps users from engine2: {words}. " in text
    assert f"because an operator has taken it out: {words}. It stays so. This lets users in again: ansible" in text
    for balancer in GROUPS["load_balancers"]:
        assert cluster.requested(balancer) == {
            "engine1": "ready",
            "engine2": state if balancer in balancers else "ready",
            "engine3": "ready",
        }


@long
def test_no_node_is_changed_if_operators_have_taken_out_too_many(cluster: Cluster) -> None:
    cluster.balancer("lb2", GROUPS["engine_nodes"], out={"engine2": "drain", "engine3": "maint"})
    cluster.begin_with("open", "respect_taken_out")

    ended = cluster.run("rollout.yml")

    assert ended.code != 0
    assert ended.done("rollout/open") == []
    assert "While engine1 restarts, HAProxy on lb2 would have no other node to serve" in ended.last, ended.output
    assert "An operator keeps users from engine2, engine3." in ended.last
    assert "No node was changed." in ended.last
    ended = cluster.run("rollout.yml", engine_minimum_available=0)
    assert ended.code == 0, ended.output


@long
def test_a_node_that_a_run_has_taken_out_is_used_again_as_operators_had_it(leased: Cluster) -> None:
    leased.balancer("lb1", GROUPS["engine_nodes"], out={"engine3": "drain"})
    leased.begin_with("open", "take_out_absent")
    ended = leased.run("rollout.yml", ivy_proceed_without=["engine3"])
    assert ended.code == 0, ended.output
    assert {leased.requested(balancer)["engine3"] for balancer in GROUPS["load_balancers"]} == {"maint"}

    if EVERY_CASE:
        # Once more without it: its maintenance is the first run's, not an operator's.
        ended = leased.run("rollout.yml", ivy_proceed_without=["engine3"])
        assert ended.code == 0, ended.output
    leased.begin_with("restart", "put_back")
    path = leased.collection / "roles/rollout/tasks/open.yml"
    location = {name: f"{{{{ {value} }}}}" for name, value in LOCATION.items()}
    task = {"name": "Read", "ivy.cluster.cluster_record": location, "register": "__rollout_record", "run_once": True}
    leased.write(path, yaml.safe_dump([task]))
    ended = leased.run("rollout.yml", rollout_operation="site")
    assert ended.code == 0, ended.output
    found = record.read(str(leased.directory / "share"), os.geteuid(), os.getegid())
    assert found is not None
    assert (found["drained"], found["drained_states"]) == ([], {})
    assert leased.requested("lb1") == {"engine1": "ready", "engine2": "ready", "engine3": "drain"}
    assert leased.requested("lb2") == {"engine1": "ready", "engine2": "ready", "engine3": "ready"}


@long
def test_no_balancer_uses_a_node_of_an_isolated_cluster(leased: Cluster) -> None:
    nodes = GROUPS["engine_nodes"]
    leased.balancer("lb1", nodes, out=dict.fromkeys(nodes, "maint"))
    # Its host was replaced.
    leased.balancer("lb2", nodes)
    directory, uid, gid = str(leased.directory / "share"), os.geteuid(), os.getegid()
    isolated = {"since": "2026-01-01T00:00:00Z", "owner": "kim", "reason": "backup x"}
    with record.locked(directory, uid, gid):
        record.write(directory, {**record.empty("test"), "drained": ["engine3"], "isolated": isolated}, uid, gid)
    leased.begin_with("stage", "keep_isolated")
    leased.begin_with("restart", "put_back")
    location = {name: f"{{{{ {value} }}}}" for name, value in LOCATION.items()}
    task = {"name": "Read", "ivy.cluster.cluster_record": location, "register": "__rollout_record", "run_once": True}
    leased.write(leased.collection / "roles/rollout/tasks/open.yml", yaml.safe_dump([task]))

    ended = leased.run("rollout.yml", __rollout_current={"isolated": {"since": "noon"}})

    assert ended.code == 0, ended.output
    found = record.read(directory, uid, gid)
    assert found is not None
    assert found["drained"] == []
    assert leased.requested("lb1") == leased.requested("lb2") == dict.fromkeys(nodes, "maint")


# The state of the unit is in a file for each host. What is asked for is logged.
SYSTEMCTL = """#!/bin/bash
state="DIRECTORY/unit/$FAKE_HOST"
case "$*" in
  *show*)
    active="$(cat "$state")"
    printf 'Id=ivy.service\\nLoadState=loaded\\nActiveState=%s\\nUnitFileState=enabled\\n' "$active" ;;
  *is-enabled*) echo enabled ;;
  *is-active*) cat "$state" ;;
  *stop*) echo "stop $FAKE_HOST" >> DIRECTORY/log; echo inactive > "$state" ;;
  *start*) echo "start $FAKE_HOST" >> DIRECTORY/log; echo active > "$state" ;;
esac
"""
# The stub of the facts, from the same file.
GATHER = """
- name: Read the state of the unit
  ansible.builtin.raw: |
    echo 'asked {{ inventory_hostname }}' >> 'DIRECTORY/log'
    cat 'DIRECTORY/unit/{{ inventory_hostname }}'
  register: __read
- name: Set the facts
  ansible.builtin.set_fact:
    rollout_node: {engine: {unit: {active: "{{ __read.stdout | trim }}"}, installed_version: "1"}}
"""
WAITING = (
    "rollout/restart",
    "rollout/start",
    "rollout/stop",
    "rollout/ask_again",
    "rollout/resume",
    "rollout/activate",
)


@pytest.fixture
def waiting(tmp_path: Path) -> Cluster:
    """Engines that waited for their next attempt when the state was gathered; the engine of each serves by now."""
    # The drain has tests of its own.
    made = Cluster(tmp_path, (*(step for step in REAL if step != "rollout/drain"), *WAITING))
    made.write(tmp_path / "bin/systemctl", SYSTEMCTL).chmod(0o755)
    made.write(tmp_path / "ssh", SSH.replace("FAKE_HOST=", 'PATH="DIRECTORY/bin:$PATH" FAKE_HOST='))
    made.write(made.collection / "roles/rollout/tasks/gather.yml", GATHER)
    plan = {"activate": True, "start": True, "restart": False, "first": True, "waits": True, "gate": False}
    hosts = yaml.safe_load((tmp_path / "hosts.yml").read_text(encoding="utf-8"))
    for node in GROUPS["engine_nodes"]:
        made.write(tmp_path / "unit" / node, "active")
    hosts["all"]["children"]["engine_nodes"]["vars"] = {"rollout_plan": {**plan, "reasons": []}}
    made.write(tmp_path / "hosts.yml", yaml.safe_dump(hosts))
    return made


def run_waiting(made: Cluster, **variables: t.Any) -> Ended:
    known = {"__rollout_configuration": {"drift": []}, "__rollout_record": {"record": {}}}
    return made.run("rollout.yml", rollout_plan=None, ivy_engine_unit="ivy.service", **known, **variables)


@long
def test_engines_that_waited_and_serve_by_now_are_stopped_one_after_another(waiting: Cluster) -> None:
    ended = run_waiting(waiting)

    assert ended.code == 0, ended.output
    turns = [line for line in ended.log if line.split()[0] in ("stop", "start")]
    assert turns == [f"{what} {node}" for node in GROUPS["engine_nodes"] for what in ("stop", "start")]
    # Each was asked again after the lease was renewed, drained then, and activated while it was stopped.
    for node in GROUPS["engine_nodes"]:
        stop = ended.log.index(f"stop {node}")
        before = [line for line in ended.log[:stop] if line.endswith(f" {node}")]
        steps = ["rollout/renew_lease", "asked", "rollout/drain", "rollout/renew_lease"]
        assert before[-4:] == [f"{step} {node}" for step in steps], ended.log
        assert ended.log[stop:].index(f"rollout/set_configuration {node}") < ended.log[stop:].index(f"start {node}")


@long
def test_an_engine_that_waited_and_serves_alone_by_now_is_not_stopped(waiting: Cluster) -> None:
    waiting.balancer("lb2", GROUPS["engine_nodes"], down=("engine2", "engine3"))

    ended = run_waiting(waiting)

    assert ended.code != 0
    assert "engine1 was not stopped" in ended.output, ended.output
    assert ended.done("stop") == []


@long
def test_a_host_lost_while_engines_wait_leaves_the_others_waiting(waiting: Cluster) -> None:
    for node in GROUPS["engine_nodes"]:
        waiting.write(waiting.directory / "unit" / node, "activating")

    ended = run_waiting(waiting, lost="rollout/create_schema engine1")

    assert ended.code != 0
    assert "No engine was stopped" in ended.last, ended.output
    assert ended.done("stop") == []


@long
def test_systemd_tries_again_to_start_an_engine_that_waited_if_the_run_fails(waiting: Cluster) -> None:
    waiting.write(waiting.directory / "unit/engine1", "activating")
    failing = "- name: Fail\n  ansible.builtin.fail:\n"
    for name in ("set_configuration", "report_failure"):
        waiting.write(waiting.collection / f"roles/rollout/tasks/{name}.yml", failing)

    ended = run_waiting(waiting)

    assert ended.code != 0
    assert [line for line in ended.log if line.split()[0] in ("stop", "start")] == ["stop engine1", "start engine1"]
    assert (waiting.directory / "unit/engine2").read_text(encoding="utf-8") == "active"


# The release that is applied to a node, and the one that its engine runs. One with the file .old goes on with the old.
GATHER_RELEASES = """
- name: Read the releases
  ansible.builtin.raw: cat 'DIRECTORY/node/{{ inventory_hostname }}'
  register: __read
- name: Set the facts
  ansible.builtin.set_fact:
    rollout_node:
      engine:
        applied: "{{ __read.stdout.split()[0] }}"
        running: {release: "{{ __read.stdout.split()[1] }}"}
        unit: {active: active}
"""
APPLY_RELEASE = """
- name: Apply the release
  ansible.builtin.raw: |
    cd 'DIRECTORY/node'; runs='{{ rollout_release }}'
    [ ! -e '{{ inventory_hostname }}.old' ] || runs="$(cut -d ' ' -f 2 '{{ inventory_hostname }}')"
    echo '{{ rollout_release }}' "$runs" > '{{ inventory_hostname }}'
"""


@pytest.fixture
def sequence(tmp_path: Path) -> Cluster:
    """A cluster whose nodes restart with the real sequence. Only what it does on the engines is a stub."""
    (tmp_path / "share").mkdir()
    cluster = Cluster(tmp_path, (*REAL, *LEASE, *SEQUENCE))
    location = {name: f"{{{{ {value} }}}}" for name, value in LOCATION.items()}
    change = {**location, "state": "opened", "operation": "rollout", "release": "b" * 32}
    task = {"name": "Open", "ivy.cluster.cluster_record": change, "register": "__rollout_record", "run_once": True}
    cluster.write(cluster.collection / "roles/rollout/tasks/open.yml", yaml.safe_dump([task]))
    cluster.write(cluster.collection / "roles/rollout/tasks/gather.yml", GATHER_RELEASES)
    path = cluster.collection / "roles/rollout/tasks/activate.yml"
    cluster.write(path, path.read_text(encoding="utf-8") + APPLY_RELEASE)
    for node in GROUPS["engine_nodes"]:
        cluster.write(tmp_path / "node" / node, f"{'a' * 32} {'a' * 32}\n")
    hold_record(cluster, desired_release="a" * 32)
    return cluster


def hold_record(cluster: Cluster, **values: t.Any) -> None:
    directory, uid, gid = str(cluster.directory / "share"), os.geteuid(), os.getegid()
    with record.locked(directory, uid, gid):
        record.write(directory, {**record.empty("test"), **values}, uid, gid)


def recorded(cluster: Cluster) -> record.Record:
    found = record.read(str(cluster.directory / "share"), os.geteuid(), os.getegid())
    assert found is not None
    return found


def restart(cluster: Cluster, *arguments: str, **variables: t.Any) -> Ended:
    settings = {"rollout_release": "b" * 32, "ivy_known_secrets": [], "ivy_engine_unit": "ivy.service", **variables}
    # There are no applications.
    settings.update(ivy_profile={"runtime_deployment": False}, __rollout_waiting_applications=[], __rollout_digests={})
    return cluster.run("rollout.yml", *arguments, **settings)


@long
def test_each_node_is_drained_before_its_stop_and_used_again_after_its_gate(sequence: Cluster) -> None:
    sequence.balancer("lb2", GROUPS["engine_nodes"], out={"engine3": "maint"})

    ended = restart(sequence)

    assert ended.code == 0, ended.output
    steps = {
        node: [line.rpartition(" ")[0] for line in ended.log if node in line.split() and not line.endswith("lb2")]
        for node in GROUPS["engine_nodes"]
    }
    of_engine1 = [step.removesuffix(" engine1") for step in steps["engine1"]]
    begin = of_engine1.index("balancer/drain without cookie")
    assert of_engine1[begin : begin + 8] == [
        "balancer/drain without cookie",
        "balancer/requests",
        "balancer/sessions",
        "rollout/stop",
        "rollout/activate",
        "rollout/start",
        "rollout/gate",
        "balancer/restored",
    ], ended.log
    # Users of the first node have to go to nodes that restart later. From the second on, they go to one that has.
    preferred = [line.split()[1] for line in ended.log if line.startswith("balancer/prefer ") and line.endswith(" lb1")]
    # At the end, no node is preferred any more.
    assert preferred == ["none", "engine1", "none", "none"]
    # An operator keeps engine3 out of lb2.
    assert not [line for line in ended.log if line.startswith("balancer/drain") and line.endswith("engine3 lb2")]
    # Every node has passed and runs it, so the rollout is closed.
    found = recorded(sequence)
    assert (found["desired_release"], found["operation"], found["allowed_releases"]) == ("b" * 32, None, [])
    assert (found["history"][-1]["operation"], found["drained"]) == ("rollout done", [])
    assert set(sequence.requested("lb1").values()) == {"ready"}
    assert sequence.requested("lb2")["engine3"] == "maint"
    # The table at the end: two users on each balancer.
    table = ended.last
    assert re.search(r"seconds drain stop start gate wait users moved WebSockets closed requests cut off", table), table
    assert re.search(r"engine1( \d+\.\d){5} 4 2 0\b", table), table


@long
def test_a_rollout_stays_open_if_an_engine_does_not_run_what_the_record_wants(sequence: Cluster) -> None:
    """Every node has passed the gate, and since then one runs another release: no run may say that it is done."""
    sequence.write(sequence.directory / "node/engine2.old", "")

    ended = restart(sequence)

    assert ended.code != 0
    assert ended.done("rollout/gate") == GROUPS["engine_nodes"], ended.output
    assert f"The rollout of {'b' * 32} cannot be closed: engine2 is at {'a' * 32}." in ended.last, ended.output
    found = recorded(sequence)
    assert (found["operation"] or {}).get("name") == "rollout"
    assert (found["desired_release"], found["allowed_releases"]) == ("b" * 32, ["a" * 32])
    assert set(found["passed"]) == set(GROUPS["engine_nodes"])
    assert "rollout done" not in [event["operation"] for event in found["history"]]


@long
def test_a_rollout_to_some_nodes_stays_open_for_the_others(sequence: Cluster) -> None:
    ended = restart(sequence, "--limit", "engine1,engine2")

    assert ended.code == 0, ended.output
    found = recorded(sequence)
    assert (found["operation"] or {}).get("name") == "rollout"
    assert found["passed"] == {"engine1": "b" * 32, "engine2": "b" * 32}


@long
def test_users_end_their_work_first_if_they_have_time(sequence: Cluster) -> None:
    # The first node is enough.
    ended = restart(sequence, engine_drain_users_timeout=60, lost="rollout/stop engine1")
    assert ended.done("rollout/stop") == ["engine1"], ended.output
    calls = [line.split(" engine1")[0] for line in ended.log if line.startswith("balancer/") and "engine1 lb1" in line]
    assert calls[:3] == ["balancer/drain", "balancer/users", "balancer/drain without cookie"], ended.log


def break_gate(cluster: Cluster, repaired: bool) -> None:
    """No engine passes the gate, unless the release that it had is back."""
    condition = f"grep -q 'rollout/set_configuration {{{{ inventory_hostname }}}}' '{cluster.directory}/log'"
    command = f"echo 'rollout/gate {{{{ inventory_hostname }}}}' >> '{cluster.directory}/log'\n"
    command += condition if repaired else "false"
    task = {"name": "Check that the engine runs the release", "ansible.builtin.raw": command}
    cluster.write(cluster.collection / "roles/rollout/tasks/gate.yml", yaml.safe_dump([task]))
    path = cluster.collection / "roles/rollout/tasks/report_failure.yml"
    journal = 'journalctl "$@"'
    text = path.read_text(encoding="utf-8")
    assert journal in text
    cluster.write(path, text.replace(journal, 'echo "$@"'))


def test_a_node_that_does_not_pass_the_gate_gets_its_release_and_its_users_back(sequence: Cluster) -> None:
    break_gate(sequence, repaired=True)

    ended = restart(sequence)

    assert ended.code != 0
    assert ended.done("rollout/stop") == ["engine1", "engine1"], ended.output
    assert ended.done("rollout/set_configuration") == ["engine1"]
    assert [line.split()[0] for line in ended.log if "engine1" in line.split() and line.startswith("rollout/")][
        -5:
    ] == [
        "rollout/stop",
        "rollout/set_configuration",
        "rollout/start",
        "rollout/gate",
        # Before the balancers use it.
        "rollout/require_allowed_release",
    ]
    assert f"It serves again with the release that it had, {'a' * 32}." in ended.last, ended.output
    assert "This failed: Check that the engine runs the release" in ended.last
    assert "the nodes after it were not touched" in ended.last
    for balancer in GROUPS["load_balancers"]:
        assert set(sequence.requested(balancer).values()) == {"ready"}
    assert recorded(sequence)["drained"] == []


@long
def test_a_node_that_its_own_files_broke_gets_them_and_its_users_back(sequence: Cluster) -> None:
    """The release stays the same."""
    break_gate(sequence, repaired=True)
    path = sequence.collection / "roles/rollout/tasks/activate.yml"
    fact = {"ansible.builtin.set_fact": {"__rollout_configuration": {"node_files_changed": True}}}
    sequence.write(path, path.read_text(encoding="utf-8") + yaml.safe_dump([fact]))

    ended = restart(sequence, rollout_release="a" * 32)

    assert ended.code != 0
    assert ended.done("rollout/stop") == ["engine1", "engine1"], ended.output
    assert "It serves again with the files that it had." in ended.last, ended.output
    assert recorded(sequence)["drained"] == []


def test_no_node_is_drained_on_a_balancer_that_has_no_other_one_up(sequence: Cluster) -> None:
    sequence.balancer("lb1", GROUPS["engine_nodes"], down=("engine2", "engine3"))

    ended = restart(sequence, engine_minimum_available=0, lost="rollout/stop engine1")

    assert ended.done("rollout/stop") == ["engine1"], ended.output
    assert [line for line in ended.log if line.startswith("balancer/drain") and line.endswith("engine1 lb1")] == []
    assert "balancer/drain without cookie engine1 lb2" in ended.log, ended.output


@long
def test_a_node_that_does_not_serve_with_its_release_either_stays_out(sequence: Cluster) -> None:
    break_gate(sequence, repaired=False)

    ended = restart(sequence)

    assert ended.code != 0
    assert "It could not be brought back to the release that it had." in ended.last, ended.output
    assert ended.done("rollout/stop") == ["engine1", "engine1"]
    for balancer in GROUPS["load_balancers"]:
        assert sequence.requested(balancer) == {"engine1": "drain", "engine2": "ready", "engine3": "ready"}
    # The next run finds it.
    assert recorded(sequence)["drained"] == ["engine1"]
    assert recorded(sequence)["drained_states"] == {
        "engine1": {"lb1/engine_nodes": "ready", "lb2/engine_nodes": "ready"}
    }


@long
def test_no_engine_is_stopped_if_a_balancer_is_lost_during_the_drain(sequence: Cluster) -> None:
    sequence.write(sequence.directory / "lose_lb2", "")
    break_gate(sequence, repaired=False)

    ended = restart(sequence)

    assert ended.code != 0
    assert ended.done("rollout/stop") == [], ended.output
    assert "engine1 was not stopped, because lb2 could not be reached while the node was drained" in ended.last
    assert sequence.requested("lb1")["engine1"] == "ready"
    assert recorded(sequence)["drained"] == ["engine1"]


@long
def test_a_node_that_an_interrupted_run_drained_is_as_before_after_the_next(sequence: Cluster) -> None:
    """Its drain is not an operator's."""
    closed = {"drained": ["engine1"], "drained_states": {"engine1": {"lb1/engine_nodes": "drain"}}}
    hold_record(sequence, desired_release="a" * 32, **closed)
    for balancer in GROUPS["load_balancers"]:
        sequence.balancer(balancer, GROUPS["engine_nodes"], out={"engine1": "drain"})
        path = sequence.directory / f"{balancer}.json"
        answer = json.loads(path.read_text(encoding="utf-8"))
        answer["servers"][0]["cookie_ignored"] = True
        path.write_text(json.dumps(answer), encoding="utf-8")

    ended = restart(sequence)

    assert ended.code == 0, ended.output
    assert sequence.requested("lb1") == {"engine1": "drain", "engine2": "ready", "engine3": "ready"}
    # On lb2 nothing was recorded, so an operator has closed it there.
    assert sequence.requested("lb2")["engine1"] == "drain"
    servers = json.loads((sequence.directory / "lb2.json").read_text(encoding="utf-8"))["servers"]
    assert servers[0]["cookie_ignored"] is True
