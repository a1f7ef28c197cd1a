# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The public key of a PEM certificate, read without a library."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re

_BLOCK = re.compile(r"-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----(.*?)-----END", re.DOTALL)
_CONTEXT_0 = 0xA0


def _element(data: bytes, start: int) -> tuple[int, int, int]:
    """Tag, start of the content and end of the DER element that begins at `start`."""
    tag, length, at = data[start], data[start + 1], start + 2
    if length & 0x80:
        size = length & 0x7F
        length = int.from_bytes(data[at : at + size], "big")
        at += size
    if at + length > len(data):
        raise IndexError("the element is cut off")
    return tag, at, at + length


def key_fingerprint(text: str) -> str:
    """SHA-256 of the public key of the first certificate in a text; empty where there is none.

    The key, since a certificate that was renewed with it is still the same authority.
    """
    found = _BLOCK.search(text)
    if found is None:
        return ""
    try:
        data = base64.b64decode("".join(found[1].split()), validate=True)
        _tag, at, _end = _element(data, 0)
        _tag, at, _end = _element(data, at)
        if data[at] == _CONTEXT_0:
            at = _element(data, at)[2]
        # serial number, signature, issuer, validity, subject
        for _field in range(5):
            at = _element(data, at)[2]
        end = _element(data, at)[2]
    except (binascii.Error, IndexError):
        return ""
    return hashlib.sha256(data[at:end]).hexdigest()
