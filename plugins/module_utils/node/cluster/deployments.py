# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A deployment for which engines were stopped, in the cluster record, until every node has the applications.

No start of an engine depends on it, so a part that is invalid is dropped when the record is read.
"""

from __future__ import annotations

import typing as t

from . import lease as leases

_MOST = 1000


def begun(applications: t.Mapping[str, str], owner: str, since: str) -> dict[str, t.Any]:
    return {"since": since, "owner": owner, "applications": dict(sorted(applications.items()))}


def readable(value: t.Any) -> dict[str, t.Any] | None:
    """What was read, if it is valid."""
    if not isinstance(value, dict) or not leases.is_short_text(value.get("owner")):
        return None
    found = value.get("applications")
    if not isinstance(found, dict) or not 0 < len(found) <= _MOST:
        return None
    if not all(leases.is_short_text(part) for pair in found.items() for part in pair):
        return None
    try:
        leases.seconds(value["since"])
    except (KeyError, ValueError, TypeError, AttributeError, OverflowError):
        return None
    return {"since": value["since"], "owner": value["owner"], "applications": dict(found)}
