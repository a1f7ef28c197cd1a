# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Records what each task of a playbook cost: its executions, skips and duration."""

from __future__ import annotations

DOCUMENTATION = """
name: run_profile
type: aggregate
short_description: Counts and times the tasks of a playbook
description:
  - At the end of the run, writes one line of JSON for each task to the file in the environment variable C(RUN_PROFILE).
  - A duration is the time from the start of a task to the start of the next one, so that all add up to the run.
requirements: []
"""

import json
import os
import time
from typing import Any

from ansible.plugins.callback import CallbackBase


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "run_profile"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self.play = ""
        self.tasks: dict[str, dict[str, Any]] = {}
        self.current: dict[str, Any] | None = None
        self.begin("start of Ansible", "start", "")

    def begin(self, key: str, name: str, action: str) -> None:
        now = time.perf_counter()
        if self.current is not None:
            self.current["seconds"] += now - self.current.pop("since")
        entry = {
            "play": self.play,
            "name": name,
            "action": action,
            "seconds": 0.0,
            "ran": 0,
            "skipped": 0,
            "changed": 0,
        }
        self.current = self.tasks.setdefault(key, entry)
        self.current["since"] = now

    def v2_playbook_on_play_start(self, play: Any) -> None:
        self.play = play.get_name().strip()
        self.begin(f"play {play._uuid}", "start of the play", "")

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        self.begin(f"{self.play} {task._uuid}", task.get_name(), task.action)

    def _entry(self, result: Any) -> dict[str, Any] | None:
        return self.tasks.get(f"{self.play} {result._task._uuid}")

    def v2_runner_on_ok(self, result: Any) -> None:
        entry = self._entry(result)
        if entry is not None:
            entry["ran"] += 1
            entry["changed"] += bool(result._result.get("changed"))

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        entry = self._entry(result)
        if entry is not None:
            entry["ran"] += 1

    def v2_runner_on_skipped(self, result: Any) -> None:
        entry = self._entry(result)
        if entry is not None:
            entry["skipped"] += 1

    def v2_playbook_on_include(self, included_file: Any) -> None:
        """An include is one execution for each host."""
        entry = self.tasks.get(f"{self.play} {included_file._task._uuid}")
        if entry is not None:
            entry["ran"] += len(included_file._hosts)

    def v2_playbook_on_stats(self, stats: Any) -> None:
        self.begin("end", "end", "")
        with open(os.environ["RUN_PROFILE"], "w", encoding="utf-8") as stream:
            for entry in self.tasks.values():
                entry.pop("since", None)
                stream.write(f"{json.dumps(entry)}\n")
