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


def removable(complete: t.Iterable[str], count: int, days: int, now: float) -> list[str]:
    """Of the complete backups, those beyond the newest ``count``, and those older than ``days``, 0 for no limit.

    The newest one always stays, however old it is.
    """
    newest_first = sorted(complete, reverse=True)
    kept = max(count, 1)
    return sorted(
        backup
        for place, backup in enumerate(newest_first)
        if place > 0 and (place >= kept or (days > 0 and now - seconds_of(backup) > days * 86400))
    )
