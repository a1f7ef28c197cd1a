# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Edits of a source as one patch that git takes, binary files too; ``patch -p1`` takes all but those."""

from __future__ import annotations

import base64
import dataclasses
import difflib
import hashlib
import typing as t
import zlib

_ABSENT = "0" * 40
_MODE = "100644"


@dataclasses.dataclass(frozen=True)
class FileEdit:
    """One file of the source before and after; None where it does not exist."""

    path: str
    before: bytes | None
    after: bytes | None


def render(edits: t.Iterable[FileEdit]) -> str:
    return "".join(_plan_file(edit) for edit in edits if edit.before != edit.after)


def is_text(data: bytes | None) -> bool:
    if data is None:
        return True
    try:
        return "\0" not in data.decode("utf-8")
    except UnicodeDecodeError:
        return False


def hunks(edit: FileEdit) -> list[str]:
    """The changed lines with three lines around them. Lines end at a line feed and nowhere else, as git sees them."""
    old, new = (_lines(side) for side in (edit.before, edit.after))
    found = list(difflib.unified_diff(old, new, "a", "b", lineterm="\n"))[2:]
    return [line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in found]


def _plan_file(edit: FileEdit) -> str:
    left, right = _quoted(f"a/{edit.path}"), _quoted(f"b/{edit.path}")
    head = [f"diff --git {left} {right}\n"]
    if edit.before is None:
        head.append(f"new file mode {_MODE}\n")
    elif edit.after is None:
        head.append(f"deleted file mode {_MODE}\n")
    head.append(f"index {_blob(edit.before)}..{_blob(edit.after)}{_same_mode(edit)}\n")
    if not is_text(edit.before) or not is_text(edit.after):
        return "".join(head) + "GIT binary patch\n" + _binary(edit.after) + _binary(edit.before)
    body = hunks(edit)
    if body:
        # A tab ends a name that holds a space.
        tab = "\t" if " " in edit.path else ""
        head.append(f"--- {left if edit.before is not None else '/dev/null'}{tab}\n")
        head.append(f"+++ {right if edit.after is not None else '/dev/null'}{tab}\n")
    return "".join(head + body)


def _same_mode(edit: FileEdit) -> str:
    return f" {_MODE}" if edit.before is not None and edit.after is not None else ""


def _lines(data: bytes | None) -> list[str]:
    *whole, last = (data or b"").decode("utf-8").split("\n")
    return [f"{line}\n" for line in whole] + ([last] if last else [])


def _blob(data: bytes | None) -> str:
    if data is None:
        return _ABSENT
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def _binary(data: bytes | None) -> str:
    packed = zlib.compress(data or b"")
    lines = [f"literal {len(data or b'')}\n"]
    for start in range(0, len(packed), 52):
        piece = packed[start : start + 52]
        size = chr(ord("A") + len(piece) - 1) if len(piece) <= 26 else chr(ord("a") + len(piece) - 27)
        lines.append(size + base64.b85encode(piece, pad=True).decode("ascii") + "\n")
    return "".join(lines) + "\n"


def _quoted(name: str) -> str:
    if '"' not in name:
        return name
    escaped = name.replace('"', '\\"')
    return f'"{escaped}"'
