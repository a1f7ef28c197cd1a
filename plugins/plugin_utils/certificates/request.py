# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a host requests the certificate that the inventory gives it, and nothing more.

The authority copies the names and the usages from the request, and a host writes it. Without a comparison, a host that
somebody else controls would get a certificate for any name.
"""

from __future__ import annotations

import ipaddress
import typing as t

try:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    HAS_CRYPTOGRAPHY = True
except ImportError:
    HAS_CRYPTOGRAPHY = False

# Far more than a request for as many names as a certificate can have.
_MOST_CHARACTERS = 65536


def problem(text: str, common_name: str, names: t.Iterable[str], usages: t.Collection[str] = ("serverAuth",)) -> str:
    """Why a request must not be signed, or an empty text. ``names`` begin with ``DNS:`` or ``IP:``."""
    if not HAS_CRYPTOGRAPHY:
        return "the Python package cryptography is not installed on the controller"
    if len(text) > _MOST_CHARACTERS:
        return "it is too long"
    try:
        request = x509.load_pem_x509_csr(text.encode("utf-8"))
        if not request.is_signature_valid:
            return "its signature is not valid"
        return _difference(request, common_name, {_canonical(name) for name in names}, usages)
    # Each version of the library has errors of its own for what it cannot read.
    except Exception as error:
        return f"it cannot be read ({type(error).__name__})"


def _difference(
    request: x509.CertificateSigningRequest, common_name: str, names: set[str], usages: t.Collection[str]
) -> str:
    if [(part.oid, part.value) for part in request.subject] != [(NameOID.COMMON_NAME, common_name)]:
        return "it has another subject"
    expected = {x509.SubjectAlternativeName.oid, x509.KeyUsage.oid, x509.ExtendedKeyUsage.oid}
    other = {extension.oid for extension in request.extensions} ^ expected
    if other:
        return f"it has other extensions ({', '.join(sorted(oid.dotted_string for oid in other))})"
    requested = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    if {_written(name) for name in requested} != names:
        return "it is for other names"
    usage = request.extensions.get_extension_for_class(x509.KeyUsage).value
    further = (usage.content_commitment, usage.key_encipherment, usage.data_encipherment, usage.key_agreement)
    if not usage.digital_signature or any((*further, usage.key_cert_sign, usage.crl_sign)):
        return "the key would have other usages"
    extended = request.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    known = {"serverAuth": ExtendedKeyUsageOID.SERVER_AUTH, "clientAuth": ExtendedKeyUsageOID.CLIENT_AUTH}
    if list(extended) != [known[usage] for usage in usages]:
        return "the certificate would have other usages"
    key = request.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        return "its key is of another kind"
    return ""


def _written(name: x509.GeneralName) -> str:
    if isinstance(name, x509.DNSName):
        return _canonical(f"DNS:{name.value}")
    if isinstance(name, x509.IPAddress):
        return f"IP:{name.value}"
    return f"{type(name).__name__}:"


def _canonical(name: str) -> str:
    kind, _colon, value = name.partition(":")
    return f"IP:{ipaddress.ip_address(value)}" if kind == "IP" else f"DNS:{value.lower()}"
