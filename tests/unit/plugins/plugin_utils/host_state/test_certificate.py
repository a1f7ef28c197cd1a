# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import datetime
import ipaddress
import typing as t

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ansible_collections.ivy.cluster.plugins.plugin_utils.host_state import certificate

Key = ec.EllipticCurvePrivateKey
AUTHORITY_KEY, OWN_KEY, OTHER_KEY = (ec.generate_private_key(ec.SECP256R1()) for _number in range(3))
NAMES = ("DNS:ivy.example.com", "DNS:lb1", "IP:192.0.2.10")
SERVER = (ExtendedKeyUsageOID.SERVER_AUTH,)


def named(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def pem(made: x509.Certificate) -> str:
    return made.public_bytes(Encoding.PEM).decode("ascii")


def public(key: Key) -> str:
    form = PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(Encoding.PEM, form).decode("ascii")


def issued(
    subject: str = "ivy.example.com",
    issuer: str = "cluster CA",
    key: Key = OWN_KEY,
    signer: Key = AUTHORITY_KEY,
    days: int = 365,
    names: t.Sequence[str] = NAMES,
    usage: t.Sequence[t.Any] = SERVER,
    signs: bool = False,
) -> str:
    now = datetime.datetime.now(datetime.timezone.utc)
    alternative = [
        x509.IPAddress(ipaddress.ip_address(name[3:])) if name.startswith("IP:") else x509.DNSName(name[4:])
        for name in names
    ]
    usages = x509.KeyUsage(True, False, False, False, False, signs, False, False, False)
    builder = (
        x509.CertificateBuilder(named(issuer), named(subject), key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=days, hours=1))
        .add_extension(x509.SubjectAlternativeName(alternative), critical=False)
        .add_extension(usages, critical=True)
        .add_extension(x509.ExtendedKeyUsage(usage), critical=False)
    )
    return pem(builder.sign(signer, hashes.SHA256()))


AUTHORITY = issued("cluster CA", key=AUTHORITY_KEY, days=3650)
EXPECT = {
    "authority": AUTHORITY,
    "common_name": "ivy.example.com",
    "names": NAMES,
    "lifetime_days": 365,
    "renew_days": 30,
    "authority_renew_days": 730,
}


def differences(found: t.Any = None, **changes: t.Any) -> list[str]:
    own = {"certificates": [issued()], "other": False, "public_key": public(OWN_KEY)}
    return list(certificate.differences({**EXPECT, **changes}, own if found is None else {**own, **found}, {}))


def test_the_certificate_that_the_authority_would_issue_has_no_difference() -> None:
    assert differences() == []


@pytest.mark.parametrize(
    ("found", "text"),
    [
        ({"certificates": []}, "missing, or not with the chain"),
        ({"certificates": None}, "missing, or not with the chain"),
        ({"certificates": [issued(), AUTHORITY]}, "missing, or not with the chain"),
        ({"other": True}, "missing, or not with the chain"),
        ({"certificates": ["-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"]}, "not readable"),
        ({"public_key": public(OTHER_KEY)}, "not of the key on the host"),
        ({"public_key": ""}, "not of the key on the host"),
        ({"certificates": [issued(signer=OTHER_KEY)]}, "not issued by the authority"),
        ({"certificates": [issued(issuer="other CA")]}, "not issued by the authority"),
        ({"certificates": [issued("other.example.com")]}, "another common name"),
        ({"certificates": [issued(names=NAMES[:2])]}, "other alternative names"),
        ({"certificates": [issued(usage=[*SERVER, ExtendedKeyUsageOID.CLIENT_AUTH])]}, "another key usage"),
        ({"certificates": [issued(signs=True)]}, "another key usage"),
        ({"certificates": [issued(days=29)]}, "to be renewed"),
        ({"certificates": [issued(days=0)]}, "to be renewed"),
    ],
)
def test_each_other_certificate_is_a_difference(found: dict[str, t.Any], text: str) -> None:
    assert [line for line in differences(found) if text in line], differences(found)


def test_an_authority_that_is_about_to_expire_is_a_difference() -> None:
    assert differences(authority_renew_days=3660) == ["certificate authority: to be renewed"]


def test_a_certificate_that_cannot_last_longer_is_not_renewed() -> None:
    """The authority expires before. Each run would issue the same certificate again."""
    short = issued("cluster CA", key=AUTHORITY_KEY, days=20)

    found = differences({"certificates": [issued(days=20)]}, authority=short, authority_renew_days=0)

    assert found == []


def test_intermediate_certificates_follow_the_certificate() -> None:
    root = issued("root", "root", key=OTHER_KEY, signer=OTHER_KEY)

    assert differences({"certificates": [issued(), AUTHORITY]}, authority=AUTHORITY + root) == []
    assert differences(authority=AUTHORITY + root) == ["certificate: missing, or not with the chain of the authority"]


def test_without_a_recent_library_nothing_is_equal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(certificate, "HAS_CRYPTOGRAPHY", False)

    assert "cryptography 40" in differences()[0]
