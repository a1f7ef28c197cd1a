# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The payload of the controller: a header and contents of files, compressed and verified on arrival."""

from __future__ import annotations

import base64
import binascii
import json
import typing as t
import zlib

from ..files.digest import sha256
from ..files.errors import NodeError

_MAGIC = b"IVY1"
_BLOCK = 1 << 20
_DAMAGED = "What the controller sent is damaged ({0}). Nothing was changed; run again."


def pack(header: dict[str, t.Any], blobs: t.Mapping[str, bytes], level: int = 6) -> bytes:
    """One compressed bundle. The blobs follow the header in the order in which it lists them."""
    sizes = {name: len(content) for name, content in blobs.items()}
    return b"".join(pack_stream(header, sizes, lambda name: (blobs[name],), level))


def pack_stream(
    header: dict[str, t.Any],
    sizes: t.Mapping[str, int],
    blocks: t.Callable[[str], t.Iterable[bytes]],
    level: int,
) -> t.Iterator[bytes]:
    """The same bundle piece by piece. The function returns the content of one blob, also piece by piece."""
    names = sorted(sizes)
    full = dict(header, blobs=[[name, sizes[name]] for name in names])
    head = json.dumps(full, separators=(",", ":"), sort_keys=True).encode("utf-8")
    compressor = zlib.compressobj(level)
    yield compressor.compress(_MAGIC + len(head).to_bytes(8, "big") + head)
    for name in names:
        for block in blocks(name):
            yield compressor.compress(block)
    yield compressor.flush()


def unpack(data: bytes) -> tuple[dict[str, t.Any], dict[str, bytes]]:
    return unpack_stream((data,))


def unpack_stream(pieces: t.Iterable[bytes]) -> tuple[dict[str, t.Any], dict[str, bytes]]:
    """The header and the blobs of a bundle, which need not be in memory in packed form."""
    source = _Inflated(pieces)
    try:
        start = source.read(12)
        if start[:4] != _MAGIC or len(start) < 12:
            raise NodeError(_DAMAGED.format("unknown form"))
        header = json.loads(source.read(int.from_bytes(start[4:], "big")).decode("utf-8"))
        listed = header.pop("blobs")
        blobs = {}
        for name, size in listed:
            content = source.read(size)
            if sha256(content) != name:
                raise NodeError(_DAMAGED.format(f"digest of {name[:8]} differs"))
            blobs[name] = content
        complete = source.is_complete()
    except zlib.error as exc:
        raise NodeError(_DAMAGED.format(exc)) from exc
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as exc:
        raise NodeError(_DAMAGED.format(exc)) from exc
    if not complete:
        raise NodeError(_DAMAGED.format("unexpected length"))
    return header, blobs


class _Inflated:
    """Reads compressed pieces as one stream of plain bytes."""

    def __init__(self, pieces: t.Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._inflate = zlib.decompressobj()
        self._buffer = b""
        self._position = 0

    def read(self, size: int) -> bytes:
        """The next bytes; fewer at the end."""
        parts: list[bytes] = []
        while size > 0 and (self._position < len(self._buffer) or self._fill()):
            part = self._buffer[self._position : self._position + size]
            self._position += len(part)
            size -= len(part)
            parts.append(part)
        return b"".join(parts)

    def is_complete(self) -> bool:
        """Whether nothing is left and the compressed data ended as they must."""
        rest = self.read(1) or self._inflate.unused_data or next(self._pieces, b"")
        return self._inflate.eof and not rest

    def _fill(self) -> bool:
        while not self._inflate.eof:
            data = self._inflate.unconsumed_tail or next(self._pieces, b"")
            if not data:
                return False
            self._buffer, self._position = self._inflate.decompress(data, _BLOCK), 0
            if self._buffer:
                return True
        return False


def to_text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def from_text(text: str) -> bytes:
    try:
        return base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError) as exc:
        raise NodeError(_DAMAGED.format(exc)) from exc


_PREFIX = 8


def digest_list(digests: t.Iterable[str]) -> str:
    """A compact list of digests, long enough to tell blobs apart; content is checked in full anyway."""
    return to_text(b"".join(bytes.fromhex(digest)[:_PREFIX] for digest in sorted(digests)))


def digest_prefixes(text: str) -> set[str]:
    data = from_text(text)
    return {data[index : index + _PREFIX].hex() for index in range(0, len(data), _PREFIX)}


def without(digests: t.Iterable[str], have: t.Container[str]) -> list[str]:
    return sorted({digest for digest in digests if digest[: 2 * _PREFIX] not in have})
