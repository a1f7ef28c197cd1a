# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the certificate of a balancer is the one that the cluster's authority would issue now.

Keys of ``expect``: ``authority``, the PEM text with the authority's certificate first; ``common_name`` and ``names``,
such as "DNS:ivy.example.com"; ``usages``, serverAuth alone if it is left out; ``renew_days`` and ``lifetime_days`` of
the certificate; ``authority_renew_days`` of the authority.
"""

from __future__ import annotations

import datetime
import typing as t

try:
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
    from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID

    HAS_CRYPTOGRAPHY = hasattr(x509.Certificate, "verify_directly_issued_by")
except ImportError:
    HAS_CRYPTOGRAPHY = False

Expected = t.Mapping[str, t.Any]
Found = t.Mapping[str, t.Any]

_UTC = datetime.timezone.utc
_BEGIN = "-----BEGIN CERTIFICATE-----"
_NEEDED = "the controller needs the Python package cryptography 40 or later to compare it"


def differences(expect: Expected, found: Found, _observed: Found) -> t.Iterator[str]:
    if not HAS_CRYPTOGRAPHY:
        yield f"certificate: {_NEEDED}"
        return
    certificates = found.get("certificates")
    chain = [str(text).strip() for text in certificates] if isinstance(certificates, list) else []
    authority = [_BEGIN + part.rstrip() for part in str(expect["authority"]).split(_BEGIN)[1:]]
    if not chain or not authority or chain[1:] != [text.strip() for text in authority[:-1]] or found.get("other"):
        yield "certificate: missing, or not with the chain of the authority"
        return
    if not found.get("keystore_current", True):
        yield "certificate: not in the keystore yet"
    try:
        certificate = x509.load_pem_x509_certificate(chain[0].encode("utf-8"))
        issuer = x509.load_pem_x509_certificate(authority[0].encode("utf-8"))
        yield from _compare(expect, certificate, issuer, str(found.get("public_key")))
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion, x509.ExtensionNotFound):
        yield "certificate: not readable"


def _compare(
    expect: Expected, certificate: x509.Certificate, issuer: x509.Certificate, public_key: str
) -> t.Iterator[str]:
    own = certificate.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode("ascii")
    if own != public_key:
        yield "certificate: not of the key on the host"
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, ValueError, TypeError):
        yield "certificate: not issued by the authority"
    if [str(name.value) for name in certificate.subject] != [expect["common_name"]]:
        yield "certificate: another common name"
    if sorted(_names(certificate)) != sorted(expect["names"]):
        yield "certificate: other alternative names"
    if not _has_usages(certificate, expect.get("usages", ["serverAuth"])):
        yield "certificate: another key usage"
    left, longest = _days_left(certificate), min(int(expect["lifetime_days"]), _days_left(issuer))
    if left < int(expect["renew_days"]) and left + 1 < longest:
        yield "certificate: to be renewed"
    if _days_left(issuer) < int(expect["authority_renew_days"]):
        yield "certificate authority: to be renewed"


def _days_left(certificate: x509.Certificate) -> int:
    # Older versions have only the time without its zone, newer ones warn about it.
    end = getattr(certificate, "not_valid_after_utc", None) or certificate.not_valid_after.replace(tzinfo=_UTC)
    return (end - datetime.datetime.now(_UTC)).days


def _names(certificate: x509.Certificate) -> list[str]:
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return [f"{'IP' if isinstance(name, x509.IPAddress) else 'DNS'}:{str(name.value).lower()}" for name in names]


def _has_usages(certificate: x509.Certificate, usages: t.Iterable[str]) -> bool:
    """Key usage digitalSignature, critical, and only the extensions that the role requests or its module adds."""
    expected = {
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.EXTENDED_KEY_USAGE,
        ExtensionOID.SUBJECT_KEY_IDENTIFIER,
        ExtensionOID.AUTHORITY_KEY_IDENTIFIER,
    }
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage)
    extended = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    known = {"serverAuth": ExtendedKeyUsageOID.SERVER_AUTH, "clientAuth": ExtendedKeyUsageOID.CLIENT_AUTH}
    signs_only = x509.KeyUsage(True, *[False] * 8)
    return (
        {extension.oid for extension in certificate.extensions} <= expected
        and usage.critical
        and usage.value == signs_only
        and list(extended) == [known[usage] for usage in usages]
    )
