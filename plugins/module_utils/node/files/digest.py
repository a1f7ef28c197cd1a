# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Digests and the one JSON form they are taken of."""

from __future__ import annotations

import hashlib
import json
import os
import typing as t

CHUNK = 1 << 20


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def sha256_of_fd(fd: int, size: int, limit: int) -> str:
    """Digest of an open file of about this size, in bounded memory; of the begin of one that outgrows the limit."""
    wanted = min(size + 1, CHUNK)
    first = os.read(fd, wanted)
    if len(first) < wanted:
        # A short read is the end of a regular file in all but pathological cases, so one more read settles it.
        rest = os.read(fd, 4096)
        if not rest:
            return hashlib.sha256(first).hexdigest()
        first += rest
    state = hashlib.sha256(first)
    left = limit + 1 - len(first)
    while left > 0:
        block = os.read(fd, min(CHUNK, left))
        if not block:
            break
        state.update(block)
        left -= len(block)
    return state.hexdigest()


def canonical(value: t.Any) -> bytes:
    """The JSON form of which ids and digests are taken: the same bytes on every machine."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode("utf-8")
