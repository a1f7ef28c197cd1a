# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A file of the source that stays on disk while a release is built, so that its size costs no memory."""

from __future__ import annotations

import codecs
import dataclasses
import hashlib
import typing as t
from pathlib import Path

# Smaller files are read as a whole, which every check can work with.
THRESHOLD = 8 << 20
BLOCK = 1 << 20


@dataclasses.dataclass(frozen=True)
class LargeFile:
    """Where the content is, and what of it a release records."""

    path: Path
    sha256: str
    size: int
    is_text: bool

    @classmethod
    def read(cls, path: Path) -> LargeFile:
        """Read a file once, block by block."""
        digest, size, text = hashlib.sha256(), 0, _TextCheck()
        for block in blocks(path):
            digest.update(block)
            size += len(block)
            text.add(block)
        return cls(path, digest.hexdigest(), size, text.passed())

    def blocks(self) -> t.Iterator[bytes]:
        return blocks(self.path)


def blocks(path: Path) -> t.Iterator[bytes]:
    with path.open("rb", buffering=0) as stream:
        while block := stream.read(BLOCK):
            yield block


class _TextCheck:
    """Whether blocks are UTF-8 without null bytes."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._possible = True

    def add(self, block: bytes) -> None:
        if self._possible:
            self._possible = b"\0" not in block and self._decodes(block)

    def passed(self) -> bool:
        return self._possible and self._decodes(b"", final=True)

    def _decodes(self, block: bytes, final: bool = False) -> bool:
        try:
            self._decoder.decode(block, final)
        except UnicodeDecodeError:
            return False
        return True
