# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The last log lines of an engine, as evidence for a failed start."""

from __future__ import annotations

import collections
import contextlib
import subprocess

from ..config.view import Settings
from ..files.atomic import Tree
from ..files.errors import NodeError

_LINES = 25


def log_tail(settings: Settings) -> list[str]:
    """The last lines of the unit's journal and of the engine's own logs."""
    lines: list[str] = []
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        done = subprocess.run(
            ["journalctl", "--no-pager", "-q", "-o", "cat", "-n", str(_LINES), "-u", settings.unit],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
            check=False,
            timeout=20,
        )
        lines.extend(done.stdout.decode("utf-8", "replace").splitlines())
    tree = Tree(settings.roots["engine"])
    try:
        for name in ("logs/console.log", "logs/ivy.log"):
            with contextlib.suppress(OSError, NodeError):
                end = tree.read_end(name, 65536)
                if end is not None:
                    last = collections.deque(end.decode("utf-8", "replace").splitlines(), maxlen=_LINES)
                    if last and list(last) != lines[-len(last) :]:
                        lines.append(f"--- {name}")
                        lines.extend(last)
    finally:
        tree.close()
    return [line[:500] for line in lines]
