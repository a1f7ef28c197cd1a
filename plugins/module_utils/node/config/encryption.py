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
import json
import os
import typing as t
import zlib

from ..files.errors import NodeError

_NONCE = 16
# Whatever a node sends, decrypting it takes a bounded amount of memory. Compressed data unfold to a thousand times
# their size, and a list without elements takes twenty times the memory of its text.
_LONGEST = 128 << 20
_MOST_VALUES = 2_000_000


def _mask(key: bytes, nonce: bytes, data: bytes) -> bytes:
    stream = hashlib.shake_256(b"ivy-cluster answer" + len(key).to_bytes(1, "big") + key + nonce).digest(len(data))
    size = len(data)
    return (int.from_bytes(data, "big") ^ int.from_bytes(stream, "big")).to_bytes(size, "big")


def encrypt(key: bytes, value: t.Any) -> str:
    nonce = os.urandom(_NONCE)
    data = zlib.compress(json.dumps(value, separators=(",", ":")).encode("ascii"))
    return base64.b64encode(nonce + _mask(key, nonce, data)).decode("ascii")


def decrypt(key: bytes, text: str) -> t.Any:
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
        inflate = zlib.decompressobj()
        plain = inflate.decompress(_mask(key, data[:_NONCE], data[_NONCE:]), _LONGEST)
        if inflate.unconsumed_tail or sum(plain.count(one) for one in (b",", b"[", b"{")) > _MOST_VALUES:
            raise NodeError("The node's result is too large to be read. Inspect the files that differ on the node.")
        if not inflate.eof:
            raise ValueError("it has no end")
        return json.loads(plain)
    except (binascii.Error, zlib.error, ValueError, RecursionError) as exc:
        raise NodeError(f"The node's result is damaged ({type(exc).__name__}). Run again.") from exc
