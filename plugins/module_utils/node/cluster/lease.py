# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lease in the cluster record: which run may change the cluster now. Pure functions; times are given."""

from __future__ import annotations

import calendar
import time
import typing as t

from ..files.errors import NodeError
from ..store.store import timestamp

Lease = dict[str, t.Any]

# A holder renews it at each step. The longest step is the start of an engine.
SHORTEST, LONGEST = 60, 24 * 3600
_TEXTS = ("run_id", "owner", "operation", "started", "renewed", "step", "node")
_LONGEST_TEXT = 1000


class LeaseError(NodeError):
    """This run may not change the cluster. The lease of the other run, if there is one, is in ``lease``."""

    def __init__(self, message: str, lease: Lease | None = None) -> None:
        super().__init__(message)
        self.lease = lease


class Claim(t.NamedTuple):
    """What a run states when it takes or renews the lease. ``now`` is the time of the file share."""

    run_id: str
    owner: str
    operation: str
    step: str
    node: str
    now: float
    stale_after: int
    reason: str = ""
    ended_run: str = ""


class Taken(t.NamedTuple):
    """The lease after it was taken, and from whom and why if it was taken over."""

    lease: Lease
    from_owner: str = ""
    reason: str = ""


def seconds(text: str) -> int:
    """Seconds since 1970 of a time in the record. Raises ValueError."""
    return calendar.timegm(time.strptime(text, "%Y-%m-%dT%H:%M:%SZ"))


def is_short_text(value: t.Any) -> bool:
    return isinstance(value, str) and len(value) <= _LONGEST_TEXT


def problem(lease: t.Any) -> str:
    """What is wrong with a lease that was read; empty if nothing is."""
    if lease is None:
        return ""
    if not isinstance(lease, dict):
        return "lease is not of the right kind"
    for name in _TEXTS:
        if not is_short_text(lease.get(name)):
            return f"lease.{name} is not a short text"
    if not lease["run_id"]:
        return "lease.run_id is empty"
    limit = lease.get("stale_after")
    if not isinstance(limit, int) or isinstance(limit, bool) or not SHORTEST <= limit <= LONGEST:
        return "lease.stale_after is not a number of seconds"
    try:
        seconds(lease["renewed"])
    except (ValueError, OverflowError):
        return "lease.renewed is not a time"
    return ""


def run_of(record: t.Mapping[str, t.Any] | None) -> str:
    """The run that holds the lease of a record; empty if none does."""
    found = record["lease"] if record is not None else None
    return str(found["run_id"]) if found is not None else ""


def is_stale(lease: Lease, now: float) -> bool:
    """Whether it was not renewed in time. A time far in the future was written before the clock was set back."""
    return abs(now - seconds(lease["renewed"])) > lease["stale_after"]


def describe(lease: Lease) -> str:
    step = f", step: {lease['step']}" if lease["step"] else ""
    node = f" on {lease['node']}" if lease["node"] else ""
    return (
        f"{lease['operation'] or 'an operation'} of {lease['owner'] or 'an unknown user'}, since "
        f"{lease['started']}, last sign of life {lease['renewed']}{step}{node}"
    )


def take(lease: Lease | None, claim: Claim) -> Taken:
    """The lease of this run. Raises LeaseError if another run has it and may still be at work."""
    if not claim.run_id:
        raise NodeError("run_id is missing: every change of the cluster record belongs to a run.")
    if not SHORTEST <= claim.stale_after <= LONGEST:
        raise NodeError(f"stale_after is {claim.stale_after}: it must be {SHORTEST} to {LONGEST} seconds.")
    if lease is None:
        return Taken(_new(claim))
    if lease["run_id"] == claim.run_id:
        return Taken(renew(lease, claim))
    if claim.ended_run and lease["run_id"] == claim.ended_run:
        return Taken(_new(claim), lease["owner"], "its run has ended")
    if is_stale(lease, claim.now):
        return Taken(_new(claim), lease["owner"], f"no sign of life since {lease['renewed']}")
    if claim.reason.strip():
        return Taken(_new(claim), lease["owner"], claim.reason.strip())
    left = max(1, round((seconds(lease["renewed"]) + lease["stale_after"] - claim.now) / 60))
    raise LeaseError(
        f"Another run changes the cluster: {describe(lease)}. Wait until it is over. If it has ended, it can be taken "
        f"over in {left} min, or at once with the reason: -e \"ivy_take_over_reason='<why>'\"",
        lease,
    )


def renew(lease: Lease | None, claim: Claim) -> Lease:
    """The renewed lease of this run. Raises LeaseError if this run does not hold it (any more)."""
    if lease is not None and claim.run_id and lease["run_id"] == claim.run_id:
        # One that became stale without another run noticing is still this run's.
        return {
            **lease,
            "renewed": timestamp(claim.now),
            "stale_after": claim.stale_after or lease["stale_after"],
            "step": claim.step[:_LONGEST_TEXT] or lease["step"],
            "node": claim.node[:_LONGEST_TEXT] or lease["node"],
        }
    if lease is None:
        raise LeaseError("This run does not hold the lease of the cluster, so it changes nothing more. Run it again.")
    raise LeaseError(
        f"This run has lost the lease of the cluster, so it changes nothing more. Now at work: {describe(lease)}.",
        lease,
    )


def _new(claim: Claim) -> Lease:
    texts = ("run_id", "owner", "operation", "step", "node")
    return {
        **{name: getattr(claim, name)[:_LONGEST_TEXT] for name in texts},
        "started": timestamp(claim.now),
        "renewed": timestamp(claim.now),
        "stale_after": claim.stale_after,
    }
