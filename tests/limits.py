# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a function of ours as a program on a node would be run, with little memory and little time."""

from __future__ import annotations

import os
import pickle
import resource
import signal
import typing as t

MEMORY = 256 << 20
SECONDS = 10

Value = t.TypeVar("Value")


def _occupied() -> int:
    """The address space of this process, which holds the tests and all that they imported."""
    with open("/proc/self/statm", encoding="ascii") as stream:
        return int(stream.read().split()[0]) * resource.getpagesize()


def limited(function: t.Callable[[], Value], memory: int = MEMORY, seconds: int = SECONDS) -> Value:
    """What a function returns or raises in a child that has this much memory and processor time for it."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            os.close(reading)
            limit = _occupied() + memory
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
            resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
            signal.alarm(6 * seconds)
            try:
                answer: tuple[bool, t.Any] = (True, function())
            except BaseException as exc:  # the test has to see it, whatever it is
                answer = (False, exc)
            with os.fdopen(writing, "wb") as stream:
                pickle.dump(answer, stream)
            status = 0
        finally:
            os._exit(status)
    os.close(writing)
    with os.fdopen(reading, "rb") as stream:
        data = stream.read()
    ended = os.waitpid(pid, 0)[1]
    if ended or not data:
        raise AssertionError(f"It took more than {seconds} seconds, or it crashed (status {ended}).")
    good, value = pickle.loads(data)
    if not good:
        raise value
    return t.cast("Value", value)
