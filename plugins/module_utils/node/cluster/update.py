# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the cluster record and applies one change to it, under a lock."""

from __future__ import annotations

import json
import typing as t

from ..files import accounts
from ..files.errors import NodeError
from . import record


class Location(t.NamedTuple):
    """The directory of the record, its cluster, and the account that reads and writes it."""

    directory: str
    cluster: str
    user: str
    group: str


def read(location: Location) -> record.Record | None:
    """The record; None if there is none, also if the account does not exist yet and so has written none."""
    uid, gid = accounts.uid_of(location.user, False), accounts.gid_of(location.group, False)
    found = None if accounts.NOBODY_YET in (uid, gid) else record.read(location.directory, uid, gid)
    if found is not None and found["cluster"] not in ("", location.cluster):
        raise NodeError(
            f"The record in {location.directory} belongs to cluster {found['cluster']}, not to {location.cluster}. "
            "Two clusters must not share a directory."
        )
    return found


def predict(location: Location, change: record.Change) -> tuple[record.Record | None, record.Record | None]:
    """The record before and after a change, without writing it."""
    before = read(location)
    return before, _apply(location.cluster, before, change)


def write(location: Location, change: record.Change) -> tuple[record.Record | None, record.Record | None]:
    """Apply a change; returns the record before and after it."""
    uid, gid = accounts.uid_of(location.user), accounts.gid_of(location.group)
    read(location)
    with record.locked(location.directory, uid, gid):
        before = record.read(location.directory, uid, gid)
        after = _apply(location.cluster, before, change)
        if after is not None and after != before:
            record.write(location.directory, after, uid, gid)
    return before, after


def _apply(cluster: str, before: record.Record | None, change: record.Change) -> record.Record | None:
    empty = record.empty(cluster)
    after = record.apply(before if before is not None else empty, change)
    return None if before is None and after == empty else after


def difference(before: record.Record | None, after: record.Record | None) -> dict[str, str]:
    """Both records as texts for diff mode."""
    return {
        "before": _to_text(before),
        "after": _to_text(after),
        "before_header": "cluster record",
        "after_header": "cluster record",
    }


def _to_text(value: record.Record | None) -> str:
    return json.dumps(value, indent=2, sort_keys=True) + "\n" if value is not None else ""
