# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A certificate and the public half of its key."""

from __future__ import annotations

import contextlib
import os
import re
import typing as t

from . import files

try:
    from cryptography.hazmat.primitives import serialization
except ImportError:
    # The role installs it. Without it the key cannot be compared, which counts as a difference.
    serialization = None  # type: ignore[assignment]

_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----\n[A-Za-z0-9+/=\n]+-----END CERTIFICATE-----")


def _public_key(pem: str) -> str:
    if serialization is None:
        return ""
    try:
        key = serialization.load_pem_private_key(pem.encode("utf-8"), password=None)
        public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    except (ValueError, TypeError):
        return ""
    return public.decode("ascii")


def _blocks(text: str) -> tuple[list[str], bool]:
    """The certificates in a PEM text, and whether the text contains anything else, such as a key."""
    found = _CERTIFICATE.findall(text)
    return found, bool(_CERTIFICATE.sub("", text).strip())


def gather(params: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The certificate with its chain, and the public key of the key file. Private keys stay on the host."""
    certificates, other = _blocks(files.text(str(params["path"])))
    return {
        "certificates": certificates,
        "other": other,
        "public_key": _public_key(files.text(str(params["key"]))),
        "keystore_current": not params.get("keystore") or _is_current(str(params["keystore"]), str(params["path"])),
    }


def _is_current(keystore: str, certificate: str) -> bool:
    """Whether the keystore was written after the certificate that it contains. Only its user knows the password."""
    with contextlib.suppress(OSError):
        return os.stat(keystore).st_mtime_ns >= os.stat(certificate).st_mtime_ns
    return False
