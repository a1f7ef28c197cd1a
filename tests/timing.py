# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting for a condition in tests, a clock that a test moves, and comparing times. No test reads a clock otherwise."""

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


# Times that are measured beside other work, and are many times apart if the longer text takes time out of proportion.
_LONGER = 16
_TOLERANCE = 4
_ATTEMPTS = 3


def in_proportion(function: Callable[[str], object], unit: str, length: int) -> bool:
    """Whether a function takes for a unit that is repeated the time in proportion to the length of the text.

    The time of one text is compared with that of a shorter one, so the speed of the machine does not matter.
    """
    long = unit * max(_LONGER, length // len(unit))
    short = long[: len(long) // _LONGER]
    function(short[:99])
    return any(
        _processor_time(function, long) < _LONGER * _TOLERANCE * _processor_time(function, short)
        for _attempt in range(_ATTEMPTS)
    )


def _processor_time(function: Callable[[str], object], text: str) -> float:
    begin = time.process_time()
    function(text)
    return time.process_time() - begin
