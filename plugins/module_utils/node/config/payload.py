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
    try:
        plain = zlib.decompress(data)
    except zlib.error as exc:
        raise NodeError(_DAMAGED.format(exc)) from exc
    if plain[:4] != _MAGIC or len(plain) < 12:
        raise NodeError(_DAMAGED.format("unknown form"))
    end = 12 + int.from_bytes(plain[4:12], "big")
    try:
        header = json.loads(plain[12:end].decode("utf-8"))
        listed = header.pop("blobs")
        blobs = {}
        for name, size in listed:
            content = plain[end : end + size]
            end += size
            if sha256(content) != name:
                raise NodeError(_DAMAGED.format(f"digest of {name[:8]} differs"))
            blobs[name] = content
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise NodeError(_DAMAGED.format(exc)) from exc
    if end != len(plain):
        raise NodeError(_DAMAGED.format("unexpected length"))
    return header, blobs


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
