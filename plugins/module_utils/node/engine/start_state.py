# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The result of the last attempt to start the engine, in a small file that lasts until the host reboots.

systemd records no reason for a failed ExecStartPre, so this file does: for status, the gate and administrators.
"""

from __future__ import annotations

import json
import os
import typing as t

from ..files.atomic import write_file
from ..store.store import read_json_file, timestamp

FORMAT = 1
FILE_NAME = "start.json"
# The attempt waits for something, or was refused, or waits because the engine ended too often, or has started it.
WAITING, REFUSED, PAUSING, STARTED = "waiting", "refused", "pausing", "started"
STATES = (WAITING, REFUSED, PAUSING, STARTED)
# An engine that ran for longer has not ended because of its start.
EARLY_SECONDS = 300.0
# Seconds of pause, beside the unit's RestartSec, by the number of early ends in a row. The unit's TimeoutStartSec
# must leave enough time for the checks after the longest one.
_PAUSES = (0.0, 0.0, 5.0, 10.0, 20.0)
_LONGEST_PAUSE = 30.0
# Seconds between two checks of what an attempt waits for, by the number of checks.
_DELAYS = (1.0, 1.0, 2.0, 4.0)
_LONGEST_DELAY = 8.0
_LONGEST_REASON = 2000


class StartState(t.NamedTuple):
    """One attempt to start the engine."""

    state: str
    reason: str = ""
    # When this state with this reason began, as text and in seconds since 1970.
    since: str = ""
    at: float = 0.0
    # How often in a row the engine ended soon after its start.
    failures: int = 0
    # How often systemd had started the engine again by itself; -1 where nobody wrote that down.
    restarts: int = -1

    def to_dict(self) -> dict[str, t.Any]:
        return {"format": FORMAT, **self._asdict()}


def one_line(reason: str) -> str:
    """A reason for the journal and for terminals. It may hold what a database or whoever writes to the share says."""
    return "".join(one if one.isprintable() else "?" for one in reason[:_LONGEST_REASON])


def pause(failures: int) -> float:
    """Seconds to wait before the engine is started once more, on top of what systemd waits."""
    return _PAUSES[failures] if failures < len(_PAUSES) else _LONGEST_PAUSE


def delay(checks: int) -> float:
    """Seconds until the next check."""
    return _DELAYS[checks] if checks < len(_DELAYS) else _LONGEST_DELAY


def failures_before(previous: StartState | None, restarts: int, now: float) -> int:
    """Early ends of the engine in a row, seen at the begin of an attempt. A manual start resets the count.

    systemd resets its own count only for some manual starts: not if the engine was between two attempts.
    """
    if previous is None or restarts == 0 or restarts <= previous.restarts:
        return 0
    if previous.state != STARTED:
        return previous.failures
    return previous.failures + 1 if now - previous.at < EARLY_SECONDS else 0


def failures_now(state: StartState, now: float) -> int:
    """Early ends in a row that still matter: none if the engine has run for long since its last start."""
    return 0 if state.state == STARTED and now - state.at >= EARLY_SECONDS else state.failures


def following(previous: StartState | None, state: str, reason: str, failures: int, now: float) -> StartState:
    """The next state; what lasts keeps the time at which it began."""
    if previous is not None and (previous.state, previous.reason) == (state, reason) and state != STARTED:
        return previous._replace(failures=failures)
    return StartState(state, reason, timestamp(now), now, failures)


def from_dict(value: t.Mapping[str, t.Any] | None) -> StartState | None:
    """A state as it was written; None for anything else."""
    if not value or value.get("format") != FORMAT or value.get("state") not in STATES:
        return None
    try:
        return StartState(
            str(value["state"]),
            str(value.get("reason") or ""),
            str(value.get("since") or ""),
            float(value.get("at") or 0.0),
            int(value.get("failures") or 0),
            int(value.get("restarts", -1)),
        )
    except (TypeError, ValueError, OverflowError):
        return None


def read(directory: str) -> StartState | None:
    try:
        return from_dict(read_json_file(os.path.join(directory, FILE_NAME), limit=1 << 16))
    except Exception:
        return None


def write(state: StartState, directory: str) -> None:
    data = (json.dumps(state.to_dict(), sort_keys=True) + "\n").encode("ascii")
    write_file(directory, FILE_NAME, data, 0o644, create_directory=True)
