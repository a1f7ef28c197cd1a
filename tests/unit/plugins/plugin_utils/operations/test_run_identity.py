# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import platform
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from ansible_collections.ivy.cluster.plugins.plugin_utils.operations import run_identity as sut


def identity(pid: int) -> sut.RunIdentity:
    return sut.RunIdentity(sut._controller("/proc"), pid, sut._started(pid, "/proc"))


def test_every_task_of_a_run_has_the_same_id() -> None:
    """A task runs in a child of ansible-playbook."""
    found = []
    for _task in range(2):
        reading, writing = os.pipe()
        if os.fork() == 0:
            os.write(writing, sut.current().run_id.encode())
            os._exit(0)
        os.wait()
        found.append(os.read(reading, 1000).decode())
        os.close(reading)
        os.close(writing)
    assert found == [identity(os.getpid()).run_id] * 2


def test_a_run_has_ended_when_its_process_has() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        run_id = identity(process.pid).run_id
        assert not sut.has_ended(run_id)
        process.communicate(b"\n")
    assert sut.has_ended(run_id)


def test_another_process_with_the_same_number_is_not_the_run() -> None:
    own = identity(os.getpid())
    assert not sut.has_ended(own.run_id)
    assert sut.has_ended(own._replace(started="1").run_id)


@pytest.mark.parametrize("run_id", ["", "x", "a-1-2", "{0}-1", "{0}-x-1", "{0}-1-2-3", "{0}-1-0", "{0}-²-1"])
def test_of_any_other_run_nothing_is_known(run_id: str) -> None:
    assert not sut.has_ended(run_id.format(sut._controller("/proc")))


def test_another_pid_namespace_is_another_controller(tmp_path: os.PathLike[str]) -> None:
    base = os.fspath(tmp_path)
    os.makedirs(f"{base}/self/ns")
    os.symlink("pid:[1]", f"{base}/self/ns/pid")
    assert sut._controller(base) != sut._controller("/proc")


def test_a_network_card_or_a_host_name_that_changes_does_not_change_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a card, each process draws its own number at random."""
    before = sut.current()
    monkeypatch.setattr(uuid, "getnode", lambda: 1)
    monkeypatch.setattr(platform, "node", lambda: "renamed")
    assert sut.current() == before
    assert not sut.has_ended(before.run_id)


def test_machines_differ_with_or_without_a_machine_id(tmp_path: Path) -> None:
    boot = tmp_path / "sys/kernel/random/boot_id"
    boot.parent.mkdir(parents=True)
    found = set()
    for boot_id, machine_id in (("1", None), ("2", None), ("2", "a"), ("2", "b")):
        boot.write_text(boot_id)
        if machine_id:
            (tmp_path / "machine-id").write_text(machine_id)
        found.add(sut._controller(str(tmp_path), str(tmp_path)))
    assert len(found) == 4


def test_without_linux_machines_differ_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = set()
    for name in ("one", "two"):
        monkeypatch.setattr(platform, "node", lambda name=name: name)
        found.add(sut._controller(str(tmp_path), str(tmp_path)))
    assert len(found) == 2
