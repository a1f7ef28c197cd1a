# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rendering templates in a child process with limits: a template may count to a billion, or repeat a text as often."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import typing as t
from multiprocessing.connection import Connection, Pipe

from ansible_collections.ivy.cluster.plugins.plugin_utils.common.findings import Finding
from ansible_collections.ivy.cluster.plugins.plugin_utils.release.templates import Rendered, Renderer

SECONDS = 10.0
MEMORY = 256 << 20
LONGEST = 16 << 20
_MIB = 1 << 20
_ADVICE = "Check its loops and repetitions."

Answer = tuple[t.Optional[Rendered], list[Finding]]


class BoundedRenderer:
    """Renders as a Renderer does. A template that needs too much time or memory is a finding; the others go on."""

    def __init__(self, renderer: Renderer, seconds: float = SECONDS, memory: int = MEMORY) -> None:
        self._renderer = renderer
        self._seconds = seconds
        self._memory = memory
        self._child = 0
        self._connection: Connection | None = None

    def __enter__(self) -> BoundedRenderer:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def render(self, path: str, source: str) -> Answer:
        """Render one template; the result is None exactly when there are findings."""
        connection = self._connection or self._start()
        try:
            connection.send((path, source))
            if connection.poll(self._seconds):
                return t.cast("Answer", connection.recv())
            problem = f"the template takes more than {self._seconds:.0f} seconds"
        except (EOFError, OSError):
            problem = f"the template takes more than {self._memory // _MIB} MiB of memory, or makes Python crash"
        self.close()
        return None, [Finding.in_file(path, 0, problem, _ADVICE)]

    def close(self) -> None:
        if self._connection is None:
            return
        self._connection.close()
        self._connection = None
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._child, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self._child, 0)

    def _start(self) -> Connection:
        ours, theirs = Pipe()
        child = os.fork()
        if child == 0:
            try:
                ours.close()
                self._serve(theirs)
            finally:
                os._exit(1)
        theirs.close()
        self._child, self._connection = child, ours
        return ours

    def _serve(self, connection: Connection) -> None:
        with contextlib.suppress(OSError, ValueError):
            limit = _occupied() + self._memory
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        while True:
            path, source = connection.recv()
            try:
                answer = self._renderer.render(path, source)
                if answer[0] is not None and len(answer[0].text) > LONGEST:
                    problem = f"the template writes more than {LONGEST // _MIB} MiB"
                    answer = None, [Finding.in_file(path, 0, problem, _ADVICE)]
            except (MemoryError, RecursionError):
                # The caller takes the end of this process for that.
                return
            connection.send(answer)


def _occupied() -> int:
    """The address space of this process, which the controller's libraries take most of."""
    with open("/proc/self/statm", encoding="ascii") as stream:
        return int(stream.read().split()[0]) * resource.getpagesize()
