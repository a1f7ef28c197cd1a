# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs commands that depend on one another: side by side where possible, each with a log, with a short report."""

from __future__ import annotations

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
    """One command. It starts when the steps it needs have passed, or, with `always`, when they have ended."""

    name: str
    command: list[str]
    needs: tuple[str, ...] = ()
    always: bool = False
    # Counted in the summary; what only prepares a test is not.
    counts: bool = True
    # A JUnit report that the command writes: its tests are counted instead of the step.
    report: Path | None = None
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
    """What the step adds to the summary."""
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


class Runner:
    """Runs steps, at most `width` at a time, in the order in which they are given as far as their needs allow."""

    def __init__(self, steps: list[Step], log_directory: Path, environment: dict[str, str], width: int) -> None:
        names = [step.name for step in steps]
        for step in steps:
            for need in step.needs:
                if need not in names:
                    raise ValueError(f"step '{step.name}' needs '{need}', which is no step")
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
        """Runs the steps. An interrupt ends those that run and goes on with those that are always done."""
        handlers = {number: signal.signal(number, self._on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            self._run()
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
        return not self.interrupted and self.tally.failed == 0

    def _on_signal(self, *_unused: object) -> None:
        # No more than this: the lock may be held by the very code that was interrupted.
        self.interrupts += 1

    def _run(self) -> None:
        self.log_directory.mkdir(parents=True, exist_ok=True)
        seen = 0
        threads: list[threading.Thread] = []
        while True:
            with self.changed:
                if self.interrupts > seen:
                    seen = self.interrupts
                    self._stop_what_runs()
                self._skip_what_cannot_run()
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

    def _stop_what_runs(self) -> None:
        self._say("stopping; what was made for this run is removed first")
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

    def _skip_what_cannot_run(self) -> None:
        for step in self.steps:
            if step.name in self.state or step.always:
                continue
            if self.interrupted or any(self.state.get(need) in ("failed", "skipped") for need in step.needs):
                self.state[step.name] = "skipped"
                self.tally.add(Tally(skipped=int(step.counts)))
                self._say(f"skipped  {step.name}")

    def _execute(self, step: Step) -> None:
        begin = time.monotonic()
        log = self.log_directory / f"{re.sub('[^a-z0-9]+', '-', step.name.lower()).strip('-')}.log"
        self._say(f"start    {step.name}")
        if step.report is not None:
            step.report.unlink(missing_ok=True)
        last = ""
        with log.open("w", encoding="utf-8") as output:
            try:
                process = subprocess.Popen(
                    step.command,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                    errors="replace",
                    env={**self.environment, **step.environment},
                    # A group of its own, so that an interrupt reaches all of it, once, from here.
                    start_new_session=True,
                )
                with self.changed:
                    self.processes[step.name] = process
                    if self.interrupted and not step.always:
                        os.killpg(process.pid, signal.SIGTERM)
                assert process.stdout is not None
                last = self._follow(step, process.stdout, output)
                code = process.wait()
            except OSError as error:
                output.write(f"{error}\n")
                code = 127
        passed = code == 0
        took = duration(time.monotonic() - begin)
        with self.changed:
            self.processes.pop(step.name, None)
            self.state[step.name] = "passed" if passed else "failed"
            self.tally.add(count(step, passed))
            self._say(f"{'ok' if passed else 'FAILED':8} {step.name}  ({took}){self._closing(step, passed, last)}")
            if not passed:
                self._show(log)
            self.changed.notify_all()

    def _follow(self, step: Step, source: IO[str], output: IO[str]) -> str:
        """Copies the output to the log, tells the plays of a playbook as they begin, and returns the last line."""
        last = ""
        for line in source:
            output.write(line)
            output.flush()
            plain = ANSI.sub("", line).strip()
            if plain:
                last = plain
            play = re.match(r"PLAY \[(.+?)\]( \*|$)", plain)
            if play:
                self._say(f"         {step.name}: {play.group(1)}")
        return last

    def _closing(self, step: Step, passed: bool, last: str) -> str:
        return f"  {last.strip('= ')}" if passed and step.report is not None else ""

    def _show(self, log: Path) -> None:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-LINES_OF_A_FAILURE:]
        sys.stdout.write("".join(f"    | {line}\n" for line in [*lines, f"The whole log: {log}"]))
        sys.stdout.flush()

    def _say(self, text: str) -> None:
        elapsed = int(time.monotonic() - self.started)
        # In one call, newline included: several steps speak at the same time.
        sys.stdout.write(f"{elapsed // 60:3d}:{elapsed % 60:02d}  {text}\n")
        sys.stdout.flush()

    def took(self) -> str:
        return duration(time.monotonic() - self.started)
