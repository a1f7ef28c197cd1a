# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A manifest as its difference from an earlier one, so that a node which has that one needs no list of all files."""

from __future__ import annotations

import typing as t

# Between two entries in the canonical form. A delta is right wherever this text stands; it only decides its size.
_BETWEEN = b"},{"

# A run of pieces of the earlier text (index of the first, number), or new text.
Part = t.Union[list[int], str]


def difference(base: bytes, new: bytes) -> list[Part]:
    """The parts from which assembled() builds the new text."""
    known = {piece: index for index, piece in enumerate(base.split(_BETWEEN))}
    parts: list[Part] = []
    for piece in new.split(_BETWEEN):
        index = known.get(piece)
        last = parts[-1] if parts else None
        if index is None:
            parts.append(piece.decode("utf-8"))
        elif isinstance(last, list) and last[0] + last[1] == index:
            last[1] += 1
        else:
            parts.append([index, 1])
    return parts


def assembled(base: bytes, parts: t.Iterable[Part]) -> bytes | None:
    """The new text; None if the parts do not fit the base. The caller compares its digest."""
    pieces = base.split(_BETWEEN)
    out: list[bytes] = []
    try:
        for part in parts:
            if isinstance(part, str):
                out.append(part.encode("utf-8"))
                continue
            first, number = part
            if first < 0 or number < 1 or first + number > len(pieces):
                return None
            out.extend(pieces[first : first + number])
    except (TypeError, ValueError):
        return None
    return _BETWEEN.join(out)
