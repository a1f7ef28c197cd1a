# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the cluster record and applies one change to it, under a lock."""

from __future__ import annotations

import json
import os
import time
import typing as t

from ..files import accounts, bounded
from ..files.errors import NodeError, mount_advice
from . import lease, record

# Waiting for the lock, and a server that takes its time for each of some twenty accesses.
WRITE_SECONDS = record.LOCK_SECONDS + 30.0


class Location(t.NamedTuple):
    """The directory of the record, its cluster, and the account that reads and writes it."""

    directory: str
    cluster: str
    user: str
    group: str
    store: str = ""


def read(location: Location) -> record.Record | None:
    """The record; None if there is none, also if the account does not exist yet and so has written none."""
    uid, gid = _account(location)
    new = accounts.NOBODY_YET in (uid, gid) and not _was_set_up(location)
    found = None if new else record.read(location.directory, uid, gid)
    if found is not None and found["cluster"] not in ("", location.cluster):
        raise NodeError(
            f"The record in {location.directory} belongs to cluster {found['cluster']}, not to {location.cluster}. "
            "Two clusters must not share a directory."
        )
    return found


def _account(location: Location) -> tuple[int, int]:
    return accounts.uid_of(location.user, False), accounts.gid_of(location.group, False)


def _was_set_up(location: Location) -> bool:
    return bool(location.store) and os.path.exists(os.path.join(location.store, "applied.json"))


def is_new(location: Location) -> bool:
    """Whether nothing of the cluster is set up on this node yet, so that it cannot reach the record.

    Raises NodeError on a node that was set up: its file share is not mounted, and the record is there. Of such a node,
    the account may have been deleted.
    """
    was_set_up = _was_set_up(location)
    may_access = was_set_up or accounts.NOBODY_YET not in _account(location)
    if may_access and bounded.on_share(location.directory, lambda: os.path.isdir(location.directory)):
        return False
    if was_set_up:
        raise NodeError(
            f"The directory of the cluster record {location.directory} is missing, but a release was applied to this "
            f"node. {mount_advice(location.directory)}, and run again. Nothing was changed."
        )
    return True


def predict(location: Location, change: record.Change) -> tuple[record.Record | None, record.Record | None]:
    """The record before and after a change, without writing it.

    The run would have taken the lease before, also from a run that has ended: whether it may was decided then.
    """
    before = read(location)
    change = change._replace(now=time.time())
    there = before if before is not None else record.empty(location.cluster)
    if change.state not in ("taken", "released"):
        there = record.apply({**there, "lease": None}, change._replace(state="taken"))
    after = _apply(location.cluster, before, there, change)
    if after is not None:
        record.to_bytes(after, location.directory)
    return before, after


def write(location: Location, change: record.Change) -> tuple[record.Record | None, record.Record | None]:
    """Apply a change; returns the record before and after it.

    The whole change is made by one child with a time limit. When the child is killed, so is the lock; and since the
    record is replaced by a rename, it is the one before or the one after.
    """
    # Without the accounts, an error; but not on a node from which they were deleted.
    must_exist = not _was_set_up(location)
    uid, gid = accounts.uid_of(location.user, must_exist), accounts.gid_of(location.group, must_exist)
    read(location)
    answer = bounded.on_share(location.directory, lambda: _write(location, change, uid, gid), WRITE_SECONDS)
    if "refused" in answer:
        raise lease.LeaseError(answer["refused"], answer["lease"])
    return answer["before"], answer["after"]


def _write(location: Location, change: record.Change, uid: int, gid: int) -> dict[str, t.Any]:
    try:
        with record.locked(location.directory, uid, gid) as now:
            before = record.read(location.directory, uid, gid)
            there = before if before is not None else record.empty(location.cluster)
            after = _apply(location.cluster, before, there, change._replace(now=now))
            if after is not None and after != before:
                record.write(location.directory, after, uid, gid)
    except lease.LeaseError as exc:
        # Another process can raise only errors without more than a message.
        return {"refused": str(exc), "lease": exc.lease}
    return {"before": before, "after": after}


def check(location: Location, run_id: str) -> None:
    """Fail unless this run holds the lease. Writes nothing."""
    found = read(location)
    record.check(found if found is not None else record.empty(location.cluster), run_id)


def _apply(
    cluster: str, before: record.Record | None, there: record.Record, change: record.Change
) -> record.Record | None:
    after = record.apply(there, change)
    return None if before is None and after == record.empty(cluster) else after


def without_lease(value: record.Record | None) -> record.Record | None:
    """The record without what every run sets and removes again, since that does not change the cluster."""
    if value is None:
        return None
    rest = {**value, "lease": None}
    return None if rest == record.empty(value["cluster"]) else rest


def changed(before: record.Record | None, after: record.Record | None) -> bool:
    """Whether the change is more than the lease."""
    return without_lease(before) != without_lease(after)


def difference(before: record.Record | None, after: record.Record | None) -> dict[str, str]:
    """Both records as texts for diff mode."""
    return {
        "before": _to_text(without_lease(before)),
        "after": _to_text(without_lease(after)),
        "before_header": "cluster record",
        "after_header": "cluster record",
    }


def _to_text(value: record.Record | None) -> str:
    return json.dumps(value, indent=2, sort_keys=True) + "\n" if value is not None else ""
