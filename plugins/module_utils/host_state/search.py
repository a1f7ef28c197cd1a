# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of a search server: its health, and whether its process has read the current files."""

from __future__ import annotations

import typing as t

from ..probes import search
from .start_record import is_current

_SECONDS = 10.0


def _health(url: str, user: str, password: str) -> str:
    found = search.get(url, user, password, _SECONDS).parsed()
    return str(found.get("status", ""))[:20] if isinstance(found, dict) else ""


def gather(params: t.Mapping[str, t.Any], password: str) -> dict[str, t.Any]:
    return {
        "health": _health(str(params["url"]), str(params["user"]), password),
        "current": is_current(str(params["started"]), str(params["describe"])),
    }
