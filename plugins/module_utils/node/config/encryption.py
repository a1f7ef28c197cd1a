# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Encrypts the confidential parts of a result for the controller.

With enough verbosity Ansible prints the complete result of a module, before any plugin can remove a part of it. So
contents of files, and digests from which a secret could be guessed, are encrypted with a key that the controller made
for one call and sent as a secret. The connection ensures authenticity.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import itertools
import json
import os
import re
import typing as t
import zlib

from ..files.errors import NodeError

_NONCE = 16
# Whatever a node sends, decrypting it takes a bounded amount of memory. Compressed data unfold to a thousand times
# their size, a text with one character beyond the basic plane takes four times its length, and an empty dictionary
# twenty times.
_LONGEST = 24 << 20
_LONGEST_SENT = 32 << 20
_MOST_VALUES = 500_000
_TOO_LARGE = "The node's result is too large to be read. Inspect the files that differ on the node."
_TOKEN = re.compile(rb'"[^"]*"?|[,\[{]')


def _mask(key: bytes, nonce: bytes, data: bytes) -> bytes:
    stream = hashlib.shake_256(b"ivy-cluster answer" + len(key).to_bytes(1, "big") + key + nonce).digest(len(data))
    size = len(data)
    return (int.from_bytes(data, "big") ^ int.from_bytes(stream, "big")).to_bytes(size, "big")


def encrypt(key: bytes, value: t.Any) -> str:
    nonce = os.urandom(_NONCE)
    data = zlib.compress(json.dumps(value, separators=(",", ":")).encode("ascii"))
    return base64.b64encode(nonce + _mask(key, nonce, data)).decode("ascii")


def has_too_many_values(data: bytes) -> bool:
    """Whether a JSON text has so many values that reading it would take too much memory."""
    if sum(data.count(one) for one in (b",", b"[", b"{")) <= _MOST_VALUES:
        return False
    # Those in strings do not count.
    data = data.replace(b"\\\\", b"").replace(b'\\"', b"")
    found = (match for match in _TOKEN.finditer(data) if data[match.start()] != 0x22)
    return next(itertools.islice(found, _MOST_VALUES, None), None) is not None


def decrypt(key: bytes, text: str) -> t.Any:
    if len(text) > _LONGEST_SENT:
        raise NodeError(_TOO_LARGE)
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
        inflate = zlib.decompressobj()
        plain = inflate.decompress(_mask(key, data[:_NONCE], data[_NONCE:]), _LONGEST)
        if inflate.unconsumed_tail or has_too_many_values(plain):
            raise NodeError(_TOO_LARGE)
        if not inflate.eof:
            raise ValueError("it has no end")
        # As bytes they could have any encoding. What encrypt() writes has this one.
        return json.loads(plain.decode("ascii"))
    except (binascii.Error, zlib.error, ValueError, RecursionError) as exc:
        raise NodeError(f"The node's result is damaged ({type(exc).__name__}). Run again.") from exc
