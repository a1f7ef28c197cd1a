# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of systemd, with a program of the test in its place."""

from __future__ import annotations

import os
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.ivy.cluster.plugins.module_utils.node.engine import unit

ANSWER = "LoadState=loaded\nActiveState=active\nSubState=running\nMainPID=42\nDropInPaths=/a/b.conf /c.conf\n"


@pytest.fixture
def systemctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> t.Callable[[str], Path]:
    def install(text: str) -> Path:
        program = tmp_path / "systemctl"
        program.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/calls\n{text}\n')
        program.chmod(0o755)
        monkeypatch.setattr(unit, "_PROGRAMS", (str(tmp_path / "none"), str(program)))
        return tmp_path / "calls"

    return install


def test_one_call_returns_everything(systemctl: t.Callable[[str], Path]) -> None:
    calls = systemctl(f"cat <<'END'\n{ANSWER}END")
    found = unit.show("engine")
    assert (found.name, found.known, found.active, found.main_pid) == ("engine.service", True, "active", 42)
    assert found.drop_ins == ("/a/b.conf", "/c.conf")
    (line,) = calls.read_text().splitlines()
    assert line.startswith("show --timestamp=utc -p LoadState,")
    assert line.endswith("-- engine.service")


def test_the_program_gets_no_environment_and_no_input_of_ours(
    systemctl: t.Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "canary")
    systemctl('echo "ActiveState=$SECRET$LC_ALL$(cat)"; echo noise >&2')
    assert unit.show("engine").active == "C"


def test_an_older_systemd_is_asked_without_the_option(systemctl: t.Callable[[str], Path]) -> None:
    calls = systemctl(f"case \"$*\" in *timestamp*) exit 1 ;; esac\ncat <<'END'\n{ANSWER}END")
    assert unit.show("engine").main_pid == 42
    assert len(calls.read_text().splitlines()) == 2


def test_much_output_is_read_to_its_end(systemctl: t.Callable[[str], Path]) -> None:
    systemctl('for i in 1 2 3; do head -c 100000 /dev/zero | tr "\\0" x; echo; done; echo MainPID=7')
    assert unit.show("engine").main_pid == 7


@pytest.mark.parametrize("text", ["exit 1", "kill -9 $$"])
def test_a_systemctl_that_fails_makes_an_inactive_unit(systemctl: t.Callable[[str], Path], text: str) -> None:
    systemctl(text)
    assert unit.show("engine") == unit.nothing("engine.service")


def test_a_host_without_systemd(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unit, "_PROGRAMS", ("/nowhere/systemctl",))
    assert unit.show("engine") == unit.nothing("engine.service")


def test_a_systemctl_that_hangs_is_ended(systemctl: t.Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    calls = systemctl("echo LoadState=loaded; exec sleep 120")
    # The limit is set, the first line is waited for and read, and then the time is over.
    moments = iter([0.0, 0.0, 1000.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(moments))
    assert unit.show("engine") == unit.nothing("engine.service")
    assert list(moments) == []
    assert len(calls.read_text().splitlines()) == 1
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)
