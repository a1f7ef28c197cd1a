# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting for a condition in tests, and a clock that a test moves. No test reads the real clock otherwise."""

from __future__ import annotations

import time
from collections.abc import Callable

# Ends a test that hangs. Nothing that works takes this long, even on a slow machine.
PATIENCE = 120.0


def wait_until(holds: Callable[[], object], what: str, pause: float = 0.02) -> None:
    """Wait until the condition holds, or fail with its description."""
    end = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > end:
            raise AssertionError(f"not within {PATIENCE:.0f} s: {what}")
        time.sleep(pause)


class Clock:
    """Replaces time.monotonic and time.sleep. Time passes only during a sleep."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.naps: list[float] = []
        # Called after each sleep, to simulate events during it.
        self.meanwhile: Callable[[], object] = lambda: None

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.now += seconds
        self.meanwhile()
