# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the verifier that PostgreSQL stores belongs to a password."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re

# The format of pg_authid.rolpassword: https://www.postgresql.org/docs/current/catalog-pg-authid.html
_SCRAM = re.compile(r"SCRAM-SHA-256\$([0-9]{1,7}):([A-Za-z0-9+/=]+)\$([A-Za-z0-9+/=]+):([A-Za-z0-9+/=]+)\Z")


def has_password(verifier: str, password: str) -> bool:
    """Whether a SCRAM verifier belongs to a password (RFC 5802). Only ASCII is compared as PostgreSQL does."""
    found = _SCRAM.match(verifier)
    if not found:
        return False
    try:
        salt, stored, server = (base64.b64decode(found[number], validate=True) for number in (2, 3, 4))
    except binascii.Error:
        return False
    salted = hashlib.pbkdf2_hmac("sha256", password.encode("utf-8"), salt, int(found[1]))
    client = hmac.new(salted, b"Client Key", hashlib.sha256).digest()
    same = hmac.compare_digest(hashlib.sha256(client).digest(), stored)
    return same and hmac.compare_digest(hmac.new(salted, b"Server Key", hashlib.sha256).digest(), server)
