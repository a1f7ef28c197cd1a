# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which backups are to be removed."""

from __future__ import annotations

import calendar
import time
import typing as t


def seconds_of(backup: str) -> float:
    """The time of a backup, from its id."""
    return float(calendar.timegm(time.strptime(backup, "%Y%m%dT%H%M%SZ")))


def needed(record: t.Mapping[str, t.Any]) -> set[str]:
    """The backups that the operation under way may have to go back to: while it is open, it is the only way back."""
    migrating = (record.get("schema") or {}).get("migrating") or {}
    named = ((part or {}).get("backup") for part in (record.get("operation"), migrating))
    # The record is data of the engine's user, and this part of it is not validated when it is read.
    return {backup for backup in named if isinstance(backup, str) and backup}


def removable(complete: t.Iterable[str], count: int, days: int, now: float, keep: t.Collection[str] = ()) -> list[str]:
    """Of the complete backups, those beyond the newest ``count``, and those older than ``days``, 0 for no limit.

    The newest one always stays, however old it is, and so do those in ``keep``.
    """
    newest_first = sorted(complete, reverse=True)
    kept = max(count, 1)
    return sorted(
        backup
        for place, backup in enumerate(newest_first)
        if place > 0
        and backup not in keep
        and (place >= kept or (days > 0 and now - seconds_of(backup) > days * 86400))
    )
