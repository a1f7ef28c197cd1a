# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Between runs, a guard on each node reports or reverts local changes; with read-only files none survives a restart."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conftest import Lab

UNIT = "axonivy-engine.service"
CONFIGURATION = "/opt/ivy/versions/11.3.0/configuration"
APP = "configuration/applications/demo/app.yaml"
GUARD = "ivy-config-guard.service"
STATUS = "/run/ivy-config-guard/status.json"
# Where the node exporter of the distribution collects text files; the hosts of the scenario have none.
METRICS = "/var/lib/prometheus/node-exporter"
DROP_IN = f"/etc/systemd/system/{UNIT}.d"
ROLE = """---
- name: Set the guard up
  hosts: engine_nodes
  gather_facts: false
  become: true
  tasks:
    - name: Set the guard up
      ansible.builtin.include_role:
        name: ivy.cluster.config_guard
"""
READ_ONLY = json.dumps({"engine_read_only_configuration": True})


def greet(lab: Lab, name: str, text: str) -> None:
    """Changes a value on one node. Its engine reloads the file."""
    lab.cockpit(name).set_key("applications/demo/app.yaml", "Variables.Greeting", text)


class Guarded:
    """One node with its guard, which runs only when a test starts it."""

    def __init__(self, lab: Lab, name: str) -> None:
        self.lab = lab
        self.name = name
        self.host = lab.host(name)
        self.host.check_output("systemctl stop ivy-config-guard.timer")
        self.wait()

    def wait(self) -> None:
        """Waits until no run is active: one that began before the test's change would miss it."""
        state = f"systemctl show -p ActiveState --value {GUARD}"
        self.lab.until(lambda: self.host.check_output(state) in ("inactive", "failed"), 120, "the guard is done")

    def run(self, lines: int = 0) -> list[str]:
        """The messages of one run. Waits for the expected number of lines, since the journal may lag behind."""
        before = len(self.messages())
        self.host.check_output(f"systemctl start {GUARD}")
        return self.new_messages(before, lines)

    def new_messages(self, before: int, lines: int) -> list[str]:
        self.lab.until(lambda: len(self.messages()) >= before + lines, 120, f"the guard logs {lines} lines")
        return self.messages()[before:]

    def messages(self) -> list[str]:
        """All messages of the guard on this host."""
        output = self.host.check_output("journalctl --sync; journalctl -t ivy-config-guard -q -o cat --no-pager")
        return str(output).splitlines()

    @property
    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.host.check_output(f"cat {STATUS}"))
        return found

    @property
    def differing(self) -> list[str]:
        return sorted(item["path"] for item in self.status["findings"])

    def metric(self, name: str) -> str:
        lines = self.host.check_output(f"cat {METRICS}/ivy_config_guard.prom").splitlines()
        return next(line.rsplit(" ", 1)[1] for line in lines if line.startswith(f"{name} "))

    def greeting(self) -> str:
        info = self.lab.info(self.name)
        return str(info["greeting"]) if info else ""


@pytest.fixture
def role(tmp_path: Path) -> str:
    path = tmp_path / "guard.yml"
    path.write_text(ROLE, encoding="utf-8")
    return str(path)


@pytest.fixture
def guarded(lab: Lab) -> Iterator[Guarded]:
    node = Guarded(lab, lab.nodes[1])
    file = f"/opt/ivy/versions/11.3.0/{APP}"
    node.host.check_output(f"mkdir -p {METRICS}; cp -p {file} /root/app.yaml.as-applied")
    yield node
    # Remove the change of a failed test before the next one.
    node.host.check_output(f"cmp -s /root/app.yaml.as-applied {file} || cp -p /root/app.yaml.as-applied {file}")
    node.host.check_output("rm /root/app.yaml.as-applied")
    node.host.check_output(f"rm -rf {METRICS} {CONFIGURATION}/applications/by-hand")
    node.host.check_output(
        f"rm -f {DROP_IN}/by-hand.conf; rmdir --ignore-fail-on-non-empty {DROP_IN} 2>/dev/null; true"
    )
    node.host.check_output("systemctl daemon-reload; systemctl start ivy-config-guard.timer")


def test_1_a_local_change_is_reported_and_in_restore_mode_reverted(lab: Lab, guarded: Guarded, role: str) -> None:
    host, name = guarded.host, guarded.name
    greeting, pids = guarded.greeting(), lab.pids(name)
    original = host.check_output(f"sha256sum {CONFIGURATION}/applications/demo/app.yaml")
    guarded.run()
    assert guarded.differing == []
    # While a rollout is open, the guard would attribute the change to the engine.
    assert guarded.status["operation"] == ""

    # Report mode: the file is named once, and files that the engine creates are not reported.
    host.check_output(f"install -d -o ivy -g ivy {CONFIGURATION}/applications/by-hand")
    host.check_output(f"echo 'a: 1' > {CONFIGURATION}/applications/by-hand/app.yaml")
    greet(lab, name, "Changed by hand")
    lab.until(lambda: guarded.greeting() == "Changed by hand", 120, "the engine has reloaded the file")
    (line,) = guarded.run(1)
    assert line == f"Differs: {APP}: modified (the content differs)"
    assert guarded.run() == []
    assert guarded.differing == [APP]
    assert guarded.status["findings"][0]["owner"] == "ivy"
    assert guarded.metric('ivy_config_drift_files{kind="modified"}') == "1"
    assert guarded.metric('ivy_config_drift_files{kind="extra"}') == "0"
    assert guarded.metric("ivy_config_engine_owned_files") == "1"
    assert host.file(STATUS).mode == 0o644
    screen = lab.playbook("playbooks/status.yml", "--limit", name).succeeded().output
    assert f"1 file differs: {APP} (modified)" in screen
    assert guarded.greeting() == "Changed by hand"

    # Restore mode: the file is restored and reloaded, nothing was restarted, and the change is backed up.
    host.check_output(f"install -d {DROP_IN}; printf '[Service]\\nLimitNOFILE=9\\n' > {DROP_IN}/by-hand.conf")
    before = len(guarded.messages())
    lab.playbook(role, "--limit", name, "-e", "config_guard_mode=restore").succeeded()
    guarded.wait()
    messages = guarded.new_messages(before, 2)
    assert any(line.startswith(f"Restored: {APP}") for line in messages)
    assert any(line.startswith(f"Removed: {DROP_IN}/by-hand.conf") for line in messages)
    assert guarded.differing == []
    assert host.check_output(f"sha256sum {CONFIGURATION}/applications/demo/app.yaml") == original
    lab.until(lambda: guarded.greeting() == greeting, 120, "the engine has reloaded the file")
    assert not host.file(f"{DROP_IN}/by-hand.conf").exists
    assert host.check_output(f"systemctl show -p NeedDaemonReload --value {UNIT}") == "no"
    assert lab.pids(name) == pids
    assert host.file(f"{CONFIGURATION}/applications/by-hand/app.yaml").exists
    backup = guarded.status["restored"][0]["backup"]
    assert "Changed by hand" in host.check_output(f"cat {backup}/0*")
    assert "LimitNOFILE=9" in host.check_output(f"cat {backup}/0*")


def test_2_the_guard_can_be_removed_and_added_again(lab: Lab, role: str) -> None:
    name = lab.nodes[1]
    host = lab.host(name)
    # YAML reads a bare off as false.
    off = json.dumps({"config_guard_mode": False})
    assert lab.playbook(role, "--limit", name, "-e", off, "--check").succeeded().changed() == [name]
    assert host.service("ivy-config-guard.timer").is_running
    lab.playbook(role, "--limit", name, "-e", off).succeeded()
    assert not host.file(STATUS).exists
    assert host.run(f"systemctl cat {GUARD}").rc != 0
    assert lab.playbook(role, "--limit", name).succeeded().changed() == [name]
    assert host.service("ivy-config-guard.timer").is_running
    assert host.service("ivy-config-guard.timer").is_enabled
    assert json.loads(host.check_output(f"cat {STATUS}"))["mode"] == "report"
    assert lab.playbook(role).succeeded().changed() == []


def test_3_invalid_options_are_rejected_before_any_change(lab: Lab, role: str) -> None:
    both = json.dumps({"config_guard_mode": "restore", "engine_on_drift": "keep"})
    run = lab.playbook(role, "--limit", lab.nodes[1], "-e", both)
    assert run.status != 0
    assert "would revert the changes that engine_on_drift: keep preserves" in run.output
    run = lab.playbook("site.yml", "-e", READ_ONLY, "-e", "ivy_engine_version=11.2.0")
    assert run.status != 0
    assert "engine 11.2.0 knows no read-only configuration" in run.output
    assert run.changed() == []


def test_4_a_change_in_an_engine_with_read_only_files_is_lost_at_its_restart(lab: Lab, tmp_path: Path) -> None:
    name = lab.nodes[1]
    pids = lab.pids(*lab.nodes)
    lab.roll_out("-e", READ_ONLY).succeeded()
    try:
        assert all(pids[key] != pid for key, pid in lab.pids(*lab.nodes).items()), (
            "every engine was restarted to use a copy"
        )
        assert all(lab.state(node)["readOnlyConfiguration"] for node in lab.nodes)
        file = lab.host(name).file(f"{CONFIGURATION}/applications/demo/app.yaml")
        assert (file.user, file.group, file.mode) == ("root", "ivy", 0o440)
        original, greeting = file.sha256sum, lab.info(name)
        assert greeting is not None
        guarded = Guarded(lab, name)
        guarded.run()
        assert guarded.differing == []

        greet(lab, name, "Until the restart")
        lab.until(lambda: guarded.greeting() == "Until the restart", 120, "the engine uses the change")
        assert file.sha256sum == original
        (line,) = guarded.run(1)
        assert line.startswith(f"Differs: copy: {APP}: modified")
        assert "vanishes at the next restart" in line
        run = lab.playbook("playbooks/drift.yml", "-e", READ_ONLY, "-e", f"drift_report_directory={tmp_path}")
        assert run.status != 0
        report = json.loads((tmp_path / "drift.json").read_text(encoding="utf-8"))
        (change,) = report["changes"]
        assert (change["root"], change["path"]) == ("copy", APP)
        assert [place["node"] for place in change["nodes"]] == [name]
        (key,) = change["keys"]
        assert (key["key"], key["after"]) == ("Variables.Greeting", "Until the restart")

        lab.restart(name)
        assert guarded.greeting() == greeting["greeting"]
        assert any(line == f"No longer differs: {APP}" for line in guarded.run(1))
    finally:
        lab.roll_out().succeeded()
        lab.host(name).check_output("systemctl start ivy-config-guard.timer")
    assert not any(lab.state(node)["readOnlyConfiguration"] for node in lab.nodes)
    file = lab.host(name).file(f"{CONFIGURATION}/applications/demo/app.yaml")
    assert (file.user, file.mode) == ("ivy", 0o640)
    assert lab.roll_out().succeeded().changed() == []
