# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting in tests for what happens by itself, and a clock that a test moves. No other test reads the real one."""

from __future__ import annotations

import time
from collections.abc import Callable

# Ends what hangs. However slow the machine is, nothing that works takes as long.
PATIENCE = 120.0


def wait_until(holds: Callable[[], object], what: str, pause: float = 0.02) -> None:
    """Wait until it holds, or fail with what was waited for."""
    end = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > end:
            raise AssertionError(f"not within {PATIENCE:.0f} s: {what}")
        time.sleep(pause)


class Clock:
    """Time that passes only while somebody sleeps; in place of time.monotonic and time.sleep."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.naps: list[float] = []
        # What happens meanwhile: called after each sleep.
        self.meanwhile: Callable[[], object] = lambda: None

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.now += seconds
        self.meanwhile()
