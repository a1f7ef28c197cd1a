# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``ansible-playbook`` that runs the tasks within its own process, for tests of plays and roles.

ansible-playbook starts a process for each task and host. In tests with small tasks these take half of the processor's
time. This program runs the same code without them, one host after the other. ``make test-all`` runs the same tests with
the usual processes (docs/long-tests.md).
"""

from __future__ import annotations

import os
import sys
import typing as t
from pathlib import Path

# The beginning of a command line; arguments of ansible-playbook follow.
PLAYBOOK = (
    [str(Path(sys.executable).with_name("ansible-playbook"))]
    if os.environ.get("IVY_PLAYBOOK_PROCESSES") == "1"
    else [sys.executable, str(Path(__file__).resolve())]
)


def run_within() -> None:
    """Replace the start of a worker's process. See WorkerProcess of ansible-core 2.19 for what it would do there."""
    from ansible._internal import _task
    from ansible.executor.process import worker
    from ansible.executor.task_executor import TaskExecutor

    ended = "_ivy_ended"

    def start(self: t.Any) -> None:
        # A task's values replace its templates while it runs, which would be seen by the next host.
        task = self._task.copy(exclude_parent=True, exclude_tasks=True)
        task._parent = self._task._parent
        before = worker.current_worker
        worker.current_worker = self
        try:
            with _task.TaskContext(task):
                executor = TaskExecutor(
                    self._host,
                    task,
                    self._task_vars,
                    self._play_context,
                    self._loader,
                    self._shared_loader_obj,
                    self._final_q,
                    self._variable_manager,
                )
                result = executor.run()
                fields = task.dump_attrs()
        finally:
            worker.current_worker = before
            setattr(self, ended, True)
        raw = worker._RawTaskResult(host=self._host, task=task, return_data=result, task_fields=fields)
        self._final_q.send_task_result(raw)

    worker.WorkerProcess.start = start
    worker.WorkerProcess.is_alive = lambda self: not hasattr(self, ended)
    worker.WorkerProcess.exitcode = property(lambda self: 0 if hasattr(self, ended) else None)
    worker.WorkerProcess.terminate = lambda self: None


if __name__ == "__main__":
    from ansible.cli.playbook import main

    run_within()
    main()
