# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host gets the certificate of its inventory, and no other one."""

from __future__ import annotations

import ipaddress
import typing as t

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ansible_collections.ivy.cluster.plugins.plugin_utils.certificates.request import problem

NAMES = ["DNS:Ivy.example.com", "DNS:lb1", "IP:10.0.0.1", "IP:2001:db8:0:0::1"]
USAGES = (
    *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"),
    *("key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
)


def request(
    common_name: str = "ivy.example.com",
    more_subject: t.Sequence[x509.NameAttribute[str]] = (),
    names: t.Sequence[x509.GeneralName] | None = None,
    usages: t.Collection[str] = ("digital_signature",),
    extended: t.Sequence[x509.ObjectIdentifier] = (ExtendedKeyUsageOID.SERVER_AUTH,),
    more: t.Sequence[x509.ExtensionType] = (),
    curve: ec.EllipticCurve | None = None,
) -> str:
    if names is None:
        addresses = [x509.IPAddress(ipaddress.ip_address(address)) for address in ("2001:db8::1", "10.0.0.1")]
        names = [x509.DNSName("lb1"), x509.DNSName("ivy.example.com"), *addresses]
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name), *more_subject])
    builder = x509.CertificateSigningRequestBuilder(subject)
    builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    builder = builder.add_extension(x509.KeyUsage(**{usage: usage in usages for usage in USAGES}), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage(extended), critical=False)
    for extension in more:
        builder = builder.add_extension(extension, critical=True)
    signed = builder.sign(ec.generate_private_key(curve or ec.SECP256R1()), hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM).decode("ascii")


def test_the_request_of_the_role_is_signed() -> None:
    assert problem(request(), "ivy.example.com", NAMES) == ""


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (request(common_name="www.example.com"), "another subject"),
        (request(more_subject=[x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Bank")]), "another subject"),
        (request(names=[x509.DNSName("ivy.example.com")]), "other names"),
        (request(names=[x509.DNSName("www.example.com")]), "other names"),
        (request(names=[x509.RFC822Name("a@example.com")]), "other names"),
        (request(usages=("digital_signature", "key_cert_sign", "crl_sign")), "other usages"),
        (request(usages=()), "other usages"),
        (request(extended=[ExtendedKeyUsageOID.CLIENT_AUTH]), "other usages"),
        (request(extended=[ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CODE_SIGNING]), "other usages"),
        (request(more=[x509.BasicConstraints(ca=True, path_length=None)]), "other extensions (2.5.29.19)"),
        (request(curve=ec.SECP192R1()), "another kind"),
        ("", "cannot be read"),
        ("-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n", "cannot be read"),
        ("x" * 100_000, "too long"),
    ],
)
def test_nothing_else_is_signed(text: str, reason: str) -> None:
    assert reason in problem(text, "ivy.example.com", NAMES)


def test_a_request_that_was_changed_is_not_signed() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    own = x509.load_pem_x509_csr(request().encode("ascii"))
    data = bytearray(own.public_bytes(serialization.Encoding.DER))
    other = key.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    mine = own.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    changed = x509.load_der_x509_csr(bytes(data).replace(mine, other))
    text = changed.public_bytes(serialization.Encoding.PEM).decode("ascii")
    assert "signature" in problem(text, "ivy.example.com", NAMES)
