# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runner behind the Makefile: which steps it runs and skips, and what it counts."""

from __future__ import annotations

import os
import signal
import threading
from dataclasses import replace
from pathlib import Path

import pytest
import run as makefile
import yaml
from steps import Runner, Step, Tally, duration

from ansible_collections.ivy.cluster.tests.timing import PATIENCE, wait_until

ROOT = Path(__file__).resolve().parents[3]


def run(steps: list[Step], directory: Path, width: int = 2) -> Runner:
    runner = Runner(steps, directory / "log", dict(os.environ), width)
    runner.run()
    return runner


def step(name: str, script: str, *needs: str, always: bool = False, report: Path | None = None) -> Step:
    return Step(name, ["sh", "-c", script], needs, always=always, report=report)


def test_steps_after_a_failed_step_are_skipped_unless_marked_always(tmp_path: Path) -> None:
    steps = [
        step("create", "true"),
        step("converge", "echo broken; exit 3", "create"),
        step("verify", "true", "converge"),
        step("destroy", f"touch {tmp_path}/destroyed", "verify", always=True),
        step("lint", "true"),
    ]
    runner = run(steps, tmp_path)
    assert runner.state == {
        "create": "passed",
        "converge": "failed",
        "verify": "skipped",
        "destroy": "passed",
        "lint": "passed",
    }
    assert (tmp_path / "destroyed").exists()
    assert runner.tally == Tally(passed=3, failed=1, skipped=1)
    assert runner.tally.line() == "3 passed, 1 failed, 1 skipped"


def test_independent_steps_run_in_parallel(tmp_path: Path) -> None:
    """Each step opens a pipe that only the other opens too, so neither ends before the other has started."""
    for name in ("one", "two"):
        os.mkfifo(tmp_path / name)
    bound = f"timeout {PATIENCE:.0f} sh -c"
    one, two = f"{bound} ': > {tmp_path}/one; : < {tmp_path}/two'", f"{bound} ': < {tmp_path}/one; : > {tmp_path}/two'"
    assert run([step("a", one), step("b", two)], tmp_path).state == {"a": "passed", "b": "passed"}


def test_a_step_has_the_priority_that_it_is_declared_with(tmp_path: Path) -> None:
    usual = step("usual", f"nice > {tmp_path}/usual")
    nicer = replace(step("nicer", f"nice > {tmp_path}/nicer"), niceness=3)
    assert run([usual, nicer], tmp_path).tally == Tally(passed=2)
    first, second = (int((tmp_path / name).read_text(encoding="ascii")) for name in ("usual", "nicer"))
    assert second == min(first + 3, 19)


def test_the_longest_chain_of_make_test_starts_first_and_yields_to_none() -> None:
    steps = makefile.plan("test")
    chain = [one for one in steps if one.name in {part.name for part in makefile.scenario("default", keep=False)}]
    preparations = {name for one in chain for name in one.needs} | {one.name for one in chain}
    assert [one.name for one in steps if one.name in preparations and one.niceness] == []
    assert all(one.niceness for one in steps if one.counts and one not in chain)
    assert steps.index(chain[0]) < min(steps.index(one) for one in steps if one.niceness)


def test_steps_without_hosts_yield_to_those_with_hosts() -> None:
    steps = [one for one in makefile.plan("test") if one.niceness]
    with_hosts = [one for one in steps if one.name.startswith(("molecule", "Contract"))]
    without = [one for one in steps if one not in with_hosts]
    assert max(one.niceness for one in with_hosts) < min(one.niceness for one in without)


def test_the_tests_of_a_report_are_counted(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    content = '<testsuites><testsuite tests="7" failures="1" errors="1" skipped="2"/></testsuites>'
    runner = run([step("unit", f"echo '{content}' > {report}; exit 1", report=report)], tmp_path)
    assert runner.tally == Tally(passed=3, failed=2, skipped=2)


def test_the_report_of_an_earlier_run_is_ignored(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    report.write_text('<testsuite tests="7" failures="0" errors="0" skipped="0"/>', encoding="utf-8")
    assert run([step("unit", "exit 1", report=report)], tmp_path).tally == Tally(failed=1)


def test_a_missing_command_fails_its_step(tmp_path: Path) -> None:
    runner = run([Step("gone", ["/nonexistent/command"])], tmp_path)
    assert runner.state == {"gone": "failed"}


def test_an_unknown_dependency_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'a' needs an unknown step 'b'"):
        Runner([step("a", "true", "b")], tmp_path, {}, 1)


def test_an_interrupt_terminates_running_steps_and_cleans_up(tmp_path: Path) -> None:
    steps = [
        step("create", f"echo $$ > {tmp_path}/pid; mv {tmp_path}/pid {tmp_path}/started; exec sleep 120"),
        step("converge", "true", "create"),
        step("destroy", f"touch {tmp_path}/destroyed", "converge", always=True),
    ]

    def interrupt() -> None:
        wait_until((tmp_path / "started").exists, "the start of the first step")
        signal.raise_signal(signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    runner = run(steps, tmp_path)
    # The step was terminated, not awaited.
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "started").read_text(encoding="ascii")), 0)
    assert runner.interrupted
    assert runner.state == {"create": "failed", "converge": "skipped", "destroy": "passed"}
    assert (tmp_path / "destroyed").exists()


def test_durations_are_readable() -> None:
    assert [duration(3.21), duration(60), duration(605)] == ["3.2 s", "1 min 00 s", "10 min 05 s"]


@pytest.mark.parametrize("scenario", sorted(makefile.IMAGES))
def test_molecule_test_runs_the_same_actions_as_make(scenario: str) -> None:
    """`molecule test` destroys leftovers first, which tools/molecule.sh does as part of `create`."""
    content = yaml.safe_load((ROOT / "molecule" / scenario / "molecule.yml").read_text(encoding="utf-8"))
    first, *actions = content["scenario"]["test_sequence"]
    assert first == "destroy"
    steps = makefile.scenario(scenario, keep=False)
    assert [step.command[-1].replace("-", "_") for step in steps] == actions


@pytest.mark.parametrize("name", sorted(makefile.LONG))
def test_a_variable_of_the_long_tests_is_read_and_documented(name: str) -> None:
    assert f"`{name}`" in (ROOT / "docs/long-tests.md").read_text(encoding="utf-8")
    readers = [*ROOT.glob("tests/**/*.py"), *ROOT.glob("molecule/**/*.py"), *ROOT.glob("tools/*.sh")]
    forms = (f'environ.get("{name}"', f"${{{name}:-")
    assert any(form in path.read_text(encoding="utf-8") for path in readers for form in forms)
