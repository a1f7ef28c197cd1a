# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs commands that depend on one another, in parallel where possible. Each has a log; a summary is printed.

docs/adr/0016-a-step-runner-behind-the-makefile.md compares this with make, nox and `molecule test`.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO
from xml.etree import ElementTree

LINES_OF_A_FAILURE = 60
ANSI = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class Step:
    """One command. It starts when all steps in `needs` have passed; with `always`, when they have ended."""

    name: str
    command: list[str]
    needs: tuple[str, ...] = ()
    always: bool = False
    # Whether the summary counts it. Steps that only prepare a test do not count unless they fail.
    counts: bool = True
    # A JUnit report that the command writes. The summary counts its tests instead of the step.
    report: Path | None = None
    # How much of the processor it leaves to other steps: of 19 it takes only what no other one uses.
    niceness: int = 0
    environment: dict[str, str] = field(default_factory=dict)


@dataclass
class Tally:
    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def add(self, other: Tally) -> None:
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped

    def line(self) -> str:
        text = f"{self.passed} passed, {self.failed} failed"
        return f"{text}, {self.skipped} skipped" if self.skipped else text


def duration(seconds: float) -> str:
    minutes, rest = divmod(seconds, 60)
    return f"{int(minutes)} min {int(rest):02d} s" if minutes else f"{rest:.1f} s"


def count(step: Step, passed: bool) -> Tally:
    """The step's share of the summary."""
    if not step.counts:
        return Tally(failed=0 if passed else 1)
    if step.report is None or not step.report.exists():
        return Tally(passed=int(passed), failed=int(not passed))
    tally = Tally()
    for suite in ElementTree.parse(step.report).iter("testsuite"):
        failed = int(suite.get("failures", "0")) + int(suite.get("errors", "0"))
        skipped = int(suite.get("skipped", "0"))
        tally.add(Tally(int(suite.get("tests", "0")) - failed - skipped, failed, skipped))
    if not passed and not tally.failed:
        tally.failed = 1
    return tally


def yield_processor(session: int, niceness: int) -> None:
    """Where the kernel groups processes by session, niceness counts within a session only. This counts between them."""
    with contextlib.suppress(OSError):
        Path(f"/proc/{session}/autogroup").write_text(str(niceness), encoding="ascii")


class Runner:
    """Runs steps, at most `width` at a time, in their order as far as their needs allow."""

    def __init__(self, steps: list[Step], log_directory: Path, environment: dict[str, str], width: int) -> None:
        names = [step.name for step in steps]
        for step in steps:
            for need in step.needs:
                if need not in names:
                    raise ValueError(f"step '{step.name}' needs an unknown step '{need}'")
        self.steps = steps
        self.log_directory = log_directory
        self.environment = environment
        self.width = width
        self.state: dict[str, str] = {}
        self.tally = Tally()
        self.changed = threading.Condition()
        self.processes: dict[str, subprocess.Popen[str]] = {}
        self.interrupts = 0
        self.interrupted = False
        self.started = time.monotonic()

    def run(self) -> bool:
        """Runs the steps. An interrupt terminates running steps and then runs those marked `always`."""
        handlers = {number: signal.signal(number, self._on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            self._run()
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
        return not self.interrupted and self.tally.failed == 0

    def _on_signal(self, *_unused: object) -> None:
        # Only count it: the interrupted code may hold the lock.
        self.interrupts += 1

    def _run(self) -> None:
        self.log_directory.mkdir(parents=True, exist_ok=True)
        handled = 0
        threads: list[threading.Thread] = []
        while True:
            with self.changed:
                if self.interrupts > handled:
                    handled = self.interrupts
                    self._terminate_running()
                self._skip_blocked()
                step = self._next()
                if len(self.state) == len(self.steps) and "running" not in self.state.values():
                    break
                if step is None:
                    self.changed.wait(timeout=0.5)
                    continue
                self.state[step.name] = "running"
            thread = threading.Thread(target=self._execute, args=(step,), daemon=True)
            thread.start()
            threads.append(thread)
        for thread in threads:
            thread.join()

    def _terminate_running(self) -> None:
        self._print("interrupted; cleaning up")
        self.interrupted = True
        for process in self.processes.values():
            os.killpg(process.pid, signal.SIGTERM)

    def _next(self) -> Step | None:
        if list(self.state.values()).count("running") >= self.width:
            return None
        for step in self.steps:
            if step.name not in self.state and (step.always or not self.interrupted):
                needs = [self.state.get(need) for need in step.needs]
                if all(state == "passed" or (step.always and state in ("failed", "skipped")) for state in needs):
                    return step
        return None

    def _skip_blocked(self) -> None:
        for step in self.steps:
            if step.name in self.state or step.always:
                continue
            if self.interrupted or any(self.state.get(need) in ("failed", "skipped") for need in step.needs):
                self.state[step.name] = "skipped"
                self.tally.add(Tally(skipped=int(step.counts)))
                self._print(f"skipped  {step.name}")

    def _execute(self, step: Step) -> None:
        begin = time.monotonic()
        log = self.log_directory / f"{re.sub('[^a-z0-9]+', '-', step.name.lower()).strip('-')}.log"
        self._print(f"start    {step.name}")
        if step.report is not None:
            step.report.unlink(missing_ok=True)
        last = ""
        processor = 0.0
        with log.open("w", encoding="utf-8") as output:
            try:
                process = subprocess.Popen(
                    [*self._priority(step), *step.command],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                    errors="replace",
                    env={**self.environment, **step.environment},
                    # A new process group: a signal sent from here reaches all of its processes exactly once.
                    start_new_session=True,
                )
                if step.niceness:
                    yield_processor(process.pid, step.niceness)
                with self.changed:
                    self.processes[step.name] = process
                    if self.interrupted and not step.always:
                        os.killpg(process.pid, signal.SIGTERM)
                assert process.stdout is not None
                last = self._follow(step, process.stdout, output)
                _, status, usage = os.wait4(process.pid, 0)
                code = process.returncode = os.waitstatus_to_exitcode(status)
                processor = usage.ru_utime + usage.ru_stime
            except OSError as error:
                output.write(f"{error}\n")
                code = 127
        passed = code == 0
        elapsed = duration(time.monotonic() - begin)
        with self.changed:
            self.processes.pop(step.name, None)
            self.state[step.name] = "passed" if passed else "failed"
            self.tally.add(count(step, passed))
            cost = f"{elapsed}, CPU {duration(processor)}"
            self._print(f"{'ok' if passed else 'FAILED':8} {step.name}  ({cost}){self._closing(step, passed, last)}")
            if not passed:
                self._print_log(log)
            self.changed.notify_all()

    def _follow(self, step: Step, source: IO[str], output: IO[str]) -> str:
        """Copies the output to the log, prints the name of each play as it begins, and returns the last line."""
        last = ""
        for line in source:
            output.write(line)
            output.flush()
            plain = ANSI.sub("", line).strip()
            if plain:
                last = plain
            play = re.match(r"PLAY \[(.+?)\]( \*|$)", plain)
            if play:
                self._print(f"         {step.name}: {play.group(1)}")
        return last

    def _closing(self, step: Step, passed: bool, last: str) -> str:
        return f"  {last.strip('= ')}" if passed and step.report is not None else ""

    def _priority(self, step: Step) -> list[str]:
        return ["nice", "-n", str(step.niceness)] if step.niceness else []

    def _print_log(self, log: Path) -> None:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-LINES_OF_A_FAILURE:]
        sys.stdout.write("".join(f"    | {line}\n" for line in [*lines, f"Complete log: {log}"]))
        sys.stdout.flush()

    def _print(self, text: str) -> None:
        elapsed = int(time.monotonic() - self.started)
        # In one call, newline included, because several threads print.
        sys.stdout.write(f"{elapsed // 60:3d}:{elapsed % 60:02d}  {text}\n")
        sys.stdout.flush()

    def took(self) -> str:
        return duration(time.monotonic() - self.started)
