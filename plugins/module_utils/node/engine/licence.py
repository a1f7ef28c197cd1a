# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The licence on the node: limits and expiry date, nothing secret."""

from __future__ import annotations

import contextlib
import datetime
import os
import re
import typing as t

from ..files.atomic import Tree
from ..files.errors import NodeError

_DATE = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})")
_GERMAN = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})")


def properties(text: str) -> dict[str, str]:
    """The properties of a licence: those before ``[End Licence]``, or all of a plain properties file."""
    out: dict[str, str] = {}
    pending = ""
    for raw in text.splitlines():
        line = pending + raw.strip() if pending else raw.lstrip()
        pending = ""
        if line.rstrip() == "[End Licence]":
            break
        if not line or line[0] in "#![":
            continue
        if line.endswith("\\") and not line.endswith("\\\\"):
            pending = line[:-1]
            continue
        match = re.match(r"((?:\\.|[^=:\s\\])*)\s*[=:\s]\s*(.*)\Z", line)
        if match:
            out[_plain(match[1])] = _plain(match[2])
    return out


def _plain(text: str) -> str:
    return re.sub(r"\\u([0-9a-fA-F]{4})|\\(.)", lambda m: chr(int(m[1], 16)) if m[1] else m[2], text).strip()


def day(text: str) -> datetime.date | None:
    for pattern, order in ((_DATE, (1, 2, 3)), (_GERMAN, (3, 2, 1))):
        match = pattern.search(text)
        if match:
            try:
                return datetime.date(*(int(match[index]) for index in order))
            except ValueError:
                return None
    return None


def describe(text: str, today: datetime.date) -> dict[str, t.Any]:
    """What status and gate show of a licence."""
    values = properties(text)
    end = day(values.get("licence.valid.until", ""))
    nodes = values.get("server.nodes.limit", "")
    return {
        "type": values.get("licence.type"),
        "nodes": int(nodes) if nodes.isdigit() else None,
        "valid_until": end.isoformat() if end else None,
        "days_left": (end - today).days if end else None,
    }


def found_in(engine: str) -> dict[str, t.Any] | None:
    """The first licence in the configuration of an engine's directory that can be read."""
    tree = Tree(engine)
    try:
        place = tree.open_parent("configuration/.names")
        if place is None:
            return None
        try:
            names = sorted(name for name in os.listdir(place[0]) if name.endswith(".lic"))
        finally:
            os.close(place[0])
        for name in names:
            with contextlib.suppress(NodeError, OSError):
                read = tree.read(f"configuration/{name}")
                if read is not None:
                    today = datetime.datetime.now(datetime.timezone.utc).date()
                    return describe(read[0].decode("utf-8", "replace"), today)
        return None
    finally:
        tree.close()
