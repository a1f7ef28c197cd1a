# Copyright: the ivy.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates that HAProxy has loaded, certificates in files, and their expiry dates."""

from __future__ import annotations

import hashlib
import re
import ssl
import time
from typing import Any

from .runtime_socket import RuntimeSocket, parse_info

_PEM_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


def fingerprint(pem: str) -> str:
    """SHA-1 of the first certificate in a PEM text, in HAProxy's notation; empty if there is none."""
    match = _PEM_CERTIFICATE.search(pem)
    if not match:
        return ""
    return hashlib.sha1(ssl.PEM_cert_to_DER_cert(match.group(0)), usedforsecurity=False).hexdigest().upper()


def authority_expiry(path: str) -> dict[str, int]:
    """Expiry time of each certificate authority in a file, by common name; empty if the file cannot be read."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(path)
    except OSError:
        return {}
    found = {}
    for authority in context.get_ca_certs():
        names = dict(pair for part in authority.get("subject", ()) for pair in part)  # type: ignore[misc]
        found[str(names.get("commonName") or path)] = int(ssl.cert_time_to_seconds(str(authority["notAfter"])))
    return found


def loaded_certificates(runtime: RuntimeSocket) -> dict[str, dict[str, str]]:
    """The attributes of each certificate that the process has loaded, by its file."""
    listed = runtime.command("show ssl cert").splitlines()
    # A line with an asterisk is a transaction that is not committed.
    paths = [line.strip() for line in listed if line.strip() and not line.startswith(("#", "*"))]
    return {path: parse_info(runtime.command(f"show ssl cert {path}")) for path in paths}


def loaded_certificate_expiry(runtime: RuntimeSocket) -> dict[str, int]:
    """Expiry time of each certificate that the process has loaded, by its file."""
    return {
        path: int(ssl.cert_time_to_seconds(certificate["notAfter"]))
        for path, certificate in loaded_certificates(runtime).items()
        if "notAfter" in certificate
    }


def describe_certificates(runtime: RuntimeSocket, now: float) -> list[dict[str, Any]]:
    """Every certificate that the process has loaded, compared with its file."""
    return [_describe(path, loaded, now) for path, loaded in loaded_certificates(runtime).items()]


def _describe(path: str, loaded: dict[str, str], now: float) -> dict[str, Any]:
    expiry = ssl.cert_time_to_seconds(loaded["notAfter"])
    return {
        "file": path,
        "subject": loaded.get("Subject", ""),
        "not_after": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(expiry)),
        "days_left": int((expiry - now) // 86400),
        "fingerprint": loaded.get("SHA1 FingerPrint", ""),
        "current": fingerprint(_read_text(path)) == loaded.get("SHA1 FingerPrint", ""),
    }


def describe_authorities(path: str, now: float) -> list[dict[str, Any]]:
    """Every certificate authority in a file."""
    expiry = authority_expiry(path) if path else {}
    return [{"name": name, "days_left": int((end - now) // 86400)} for name, end in expiry.items()]


def _read_text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return stream.read()
    except OSError:
        return ""
