# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The public key of a PEM certificate."""

from __future__ import annotations

import hashlib
import re

try:
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    HAS_CRYPTOGRAPHY = True
except ImportError:
    # The checks of certificates report it.
    HAS_CRYPTOGRAPHY = False

_BLOCK = re.compile(r"-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----(.*?)-----END", re.DOTALL)


def key_fingerprint(text: str) -> str:
    """SHA-256 of the public key of the first certificate in a text; empty if there is none, or none that can be read.

    Of the key, because a certificate that was renewed with the same key still belongs to the same authority.
    """
    block = _BLOCK.search(text)
    if block is None or not HAS_CRYPTOGRAPHY:
        return ""
    pem = f"-----BEGIN CERTIFICATE-----{block[1]}-----END CERTIFICATE-----\n"
    try:
        certificate = x509.load_pem_x509_certificate(pem.encode("utf-8", "replace"))
        key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion):
        return ""
    return hashlib.sha256(key).hexdigest()
