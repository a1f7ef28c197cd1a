# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parses licences of the engine: a Java properties file, usually between [Begin Licence] and [End Licence].

The signature is not checked. The engine does that.
"""

from __future__ import annotations

import contextlib
import datetime
import heapq
import os
import re
import typing as t

from ..files.atomic import Tree
from ..files.errors import NodeError

_END = "[End Licence]"
_BLANK = " \t\f"
_LINE_END = re.compile(r"\r\n|\r|\n")
_PROPERTY = re.compile(r"((?:\\.|[^=:\s\\])*)\s*[=:\s]\s*(.*)\Z", re.DOTALL)
_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})|\\(.)")
_CONTROL = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}
_DATE = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})", re.ASCII)
_GERMAN_DATE = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})", re.ASCII)
_NUMBER = re.compile(r"\d{1,9}", re.ASCII)
# The engine's user may put anything into the directory.
_LONGEST = 1 << 20
_FILES = 100


class LicenceError(ValueError):
    """The text is not a licence. The message names the problem."""


class Licence(t.NamedTuple):
    """The content of a licence; limits are 0 and dates empty if it has none.

    Licences of engine 13 and later have no ``valid_from``.
    """

    type: str
    nodes: int
    users: int
    sessions: int
    valid_from: str
    valid_until: str
    public_urls: tuple[str, ...]
    key_version: str

    def to_dict(self) -> dict[str, t.Any]:
        return {**self._asdict(), "public_urls": list(self.public_urls)}


def _logical_lines(text: str) -> t.Iterator[str]:
    """The lines of the licence, without comments, section marks and the signature; continued lines are joined."""
    pending = ""
    for raw in _LINE_END.split(text):
        line = raw.lstrip(_BLANK)
        if not pending:
            if line.rstrip() == _END:
                return
            if not line or line[0] in "#![":
                continue
        line = pending + line
        pending = ""
        if (len(line) - len(line.rstrip("\\"))) % 2:
            pending = line[:-1]
            continue
        yield line
    if pending:
        yield pending


def properties(text: str) -> dict[str, str]:
    """The keys and values of a licence."""
    out: dict[str, str] = {}
    for line in _logical_lines(text):
        match = _PROPERTY.match(line)
        if match:
            out[_unescape(match[1])] = _unescape(match[2])
    return out


def _unescape(text: str) -> str:
    return _ESCAPE.sub(lambda m: chr(int(m[1], 16)) if m[1] else _CONTROL.get(m[2], m[2]), text).strip()


def day(text: str) -> datetime.date | None:
    """A date such as 2030-12-31 or 31.12.2030, with or without a time; None if there is none."""
    for pattern, order in ((_DATE, (1, 2, 3)), (_GERMAN_DATE, (3, 2, 1))):
        match = pattern.match(text)
        if match:
            try:
                return datetime.date(*(int(match[index]) for index in order))
            except ValueError:
                return None
    return None


def parse_licence(text: str) -> Licence:
    """Parse the text of a licence file."""
    values = properties(text)
    if "licence.type" not in values:
        raise LicenceError("it has no line 'licence.type=...', so it is not a licence of the engine")
    return Licence(
        type=values["licence.type"],
        nodes=_limit(values, "server.nodes.limit"),
        users=_limit(values, "server.users.limit"),
        sessions=_limit(values, "server.sessions.limit"),
        valid_from=_date(values, "licence.valid.from"),
        valid_until=_date(values, "licence.valid.until"),
        public_urls=tuple(url.strip() for url in values.get("public.urls", "").split(",") if url.strip()),
        key_version=values.get("licence.keyversion", ""),
    )


def _limit(values: t.Mapping[str, str], key: str) -> int:
    """A limit; 0 if the licence has none."""
    value = values.get(key, "")
    if value in ("", "-1"):
        return 0
    if not _NUMBER.fullmatch(value):
        raise LicenceError(f"'{key}={value}' is not a number")
    return int(value)


def _date(values: t.Mapping[str, str], key: str) -> str:
    value = values.get(key, "")
    if not value:
        return ""
    found = day(value)
    if found is None:
        raise LicenceError(f"'{key}={value}' is not a date such as 2030-12-31")
    return found.isoformat()


def describe(text: str, today: datetime.date) -> dict[str, t.Any]:
    """The facts of an installed licence. A value that cannot be parsed is None, so that it does not hide the others."""
    values = properties(text)
    begin, end = (day(values.get(f"licence.valid.{name}", "")) for name in ("from", "until"))
    nodes, sessions = (values.get(f"server.{name}.limit", "") for name in ("nodes", "sessions"))
    return {
        "type": values.get("licence.type"),
        "nodes": int(nodes) if _NUMBER.fullmatch(nodes) else None,
        "sessions": int(sessions) if _NUMBER.fullmatch(sessions) else None,
        "valid_from": begin.isoformat() if begin else None,
        "valid_in_days": max((begin - today).days, 0) if begin else 0,
        "valid_until": end.isoformat() if end else None,
        "days_left": (end - today).days if end else None,
    }


def read_installed(engine: str) -> dict[str, t.Any] | None:
    """The facts of the first readable licence in the configuration directory of an engine."""
    with Tree(engine) as tree:
        place = tree.open_parent("configuration/.names")
        if place is None:
            return None
        try:
            with os.scandir(place[0]) as entries:
                names = heapq.nsmallest(_FILES, (entry.name for entry in entries if entry.name.endswith(".lic")))
        finally:
            os.close(place[0])
        for name in names:
            with contextlib.suppress(NodeError, OSError):
                read = tree.read(f"configuration/{name}", _LONGEST)
                if read is not None:
                    today = datetime.datetime.now(datetime.timezone.utc).date()
                    # The encoding of Java properties files.
                    return describe(read[0].decode("latin-1"), today)
        return None
