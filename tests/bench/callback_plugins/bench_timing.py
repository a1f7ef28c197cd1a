# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Records the duration of each measured task over all its hosts, and the network traffic of the first host."""

from __future__ import annotations

DOCUMENTATION = """
name: bench_timing
type: aggregate
short_description: Times the tasks of the benchmark
description:
  - One line of JSON for each task whose name starts with C(measure).
  - The duration is from the moment when the strategy starts the task until the last host's result arrives.
requirements: []
"""

import json
import os
import time
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase


def counters() -> tuple[int, int]:
    """Bytes that the first host has received and sent since its start."""
    text = Path(f"/proc/{os.environ['BENCH_PROCESS']}/net/dev").read_text(encoding="ascii")
    values = next(line for line in text.splitlines() if line.strip().startswith("eth0:")).split(":")[1].split()
    return int(values[0]), int(values[8])


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "bench_timing"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self.record: dict[str, Any] | None = None
        self.before = (0, 0)
        self.start = 0.0
        self.end = 0.0

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        self.finish()
        name = task.get_name()
        if name.startswith("measure "):
            self.record = {
                "name": name.split(" ", 1)[1],
                "hosts": 0,
                "changed": 0,
                "failed": 0,
                "load": os.getloadavg()[0],
            }
            self.before = counters()
            self.start = self.end = time.perf_counter()

    def _count(self, result: Any, failed: bool) -> None:
        if self.record is not None:
            self.end = time.perf_counter()
            self.record["hosts"] += 1
            self.record["failed"] += failed
            self.record["changed"] += bool(result._result.get("changed"))
            self.record["output"] = result._result.get("stdout", "")

    def v2_runner_on_ok(self, result: Any) -> None:
        self._count(result, failed=False)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        self._count(result, failed=True)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        self._count(result, failed=True)

    def v2_runner_on_skipped(self, result: Any) -> None:
        self._count(result, failed=True)

    def finish(self) -> None:
        if self.record is None:
            return
        after = counters()
        self.record["seconds"] = self.end - self.start
        self.record["received"], self.record["sent"] = (now - then for now, then in zip(after, self.before))
        with open(os.environ["BENCH_RECORD"], "a", encoding="utf-8") as stream:
            stream.write(json.dumps(self.record) + "\n")
        self.record = None

    def v2_playbook_on_stats(self, stats: Any) -> None:
        self.finish()
