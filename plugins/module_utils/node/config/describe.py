# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Findings and actions as dictionaries for results and reports."""

from __future__ import annotations

import time
import typing as t

from ..files import accounts
from ..files.scan import Drift, Found, printable
from .activate import Action


def timestamp_text(seconds: float) -> str:
    try:
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
    except (ValueError, OverflowError, OSError):
        # The owner of a file can set any modification time.
        return "unknown"


def found_to_dict(found: Found | None) -> dict[str, t.Any]:
    """Size, mode, owner and modification time of a file on disk."""
    if found is None:
        return {}
    return {
        "size": found.size,
        "mode": f"{found.mode:04o}",
        "owner": accounts.user_name(found.uid),
        "modified": timestamp_text(found.mtime),
    }


def drift_to_dict(drift: Drift) -> dict[str, t.Any]:
    """A finding for reports. It never contains a digest, because a secret could be guessed from one."""
    return {
        "root": drift.root,
        "path": printable(drift.path),
        "kind": drift.kind,
        "detail": drift.detail,
        "secret": drift.secret,
        **found_to_dict(drift.found),
    }


def action_to_dict(action: Action) -> dict[str, t.Any]:
    item: dict[str, t.Any] = {"action": action.action, "root": action.root, "path": printable(action.path)}
    if action.detail:
        item["detail"] = action.detail
    return item
