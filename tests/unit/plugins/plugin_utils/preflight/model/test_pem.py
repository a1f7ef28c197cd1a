# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fingerprint of a certificate's key; hostile text has none and raises nothing."""

from __future__ import annotations

import base64
import datetime
import hashlib

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight.checks.host import authority
from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight.model import pem
from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight.model.host_facts import Look
from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight.model.host_requirements import Plan
from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight.model.pem import key_fingerprint


def certificate(key: ec.EllipticCurvePrivateKey, years: int = 1) -> str:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Demo CA")])
    start = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(years).not_valid_before(start)
    made = builder.not_valid_after(start + datetime.timedelta(days=365 * years)).sign(key, hashes.SHA256())
    return made.public_bytes(Encoding.PEM).decode()


@pytest.fixture(scope="module")
def key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def test_it_is_the_digest_of_the_public_key(key: ec.EllipticCurvePrivateKey) -> None:
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert key_fingerprint("text before\n" + certificate(key)) == hashlib.sha256(public).hexdigest()


@pytest.mark.parametrize(
    "text",
    ["", "no certificate", "-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----"],
)
def test_what_is_not_a_certificate_has_no_key(text: str) -> None:
    assert key_fingerprint(text) == ""


def test_a_certificate_that_is_cut_off_has_no_key(key: ec.EllipticCurvePrivateKey) -> None:
    data = base64.b64decode("".join(certificate(key).splitlines()[1:-1]))
    for end in (1, 5, 60, 150):
        text = base64.b64encode(data[:end]).decode()
        assert key_fingerprint(f"-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----") == ""


@given(st.text(), st.binary(max_size=400))
def test_hostile_text_raises_nothing(text: str, data: bytes) -> None:
    for inner in (text, base64.b64encode(data).decode(), f"MIIB{base64.b64encode(data).decode()}"):
        assert key_fingerprint(f"-----BEGIN CERTIFICATE-----\n{inner}\n-----END CERTIFICATE-----") == ""


def test_without_the_library_no_certificate_has_a_key(
    key: ec.EllipticCurvePrivateKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pem, "HAS_CRYPTOGRAPHY", False)
    assert key_fingerprint(certificate(key)) == ""


def look(trusted: str, brought: str = "", **more: bool) -> Look:
    plan = {
        "replace": False,
        "given": False,
        "directory": "/inventory/.pki",
        "brought": key_fingerprint(brought),
        **more,
    }
    return Look(
        "lb1", Plan(("load_balancers",), "", authority=plan, trust_file="/etc/x/ca.pem"), seen={"trusted": trusted}
    )


def test_the_authority_that_a_host_trusts_may_be_renewed(key: ec.EllipticCurvePrivateKey) -> None:
    assert list(authority(look(certificate(key), certificate(key, 10)))) == []


def test_a_host_without_one_trusts_what_comes(key: ec.EllipticCurvePrivateKey) -> None:
    assert list(authority(look("", certificate(key)))) == []
    assert list(authority(look(""))) == []


@pytest.mark.parametrize(("given", "words"), [(False, "would make another one"), (True, "brings none")])
def test_a_second_authority(key: ec.EllipticCurvePrivateKey, given: bool, words: str) -> None:
    (found,) = authority(look(certificate(key), given=given))
    assert found.code == "second-authority"
    assert words in found.message
    other = certificate(ec.generate_private_key(ec.SECP256R1()))
    (found,) = authority(look(certificate(key), other, given=given))
    assert "brings another one" in found.message


def test_it_may_be_replaced_on_purpose(key: ec.EllipticCurvePrivateKey) -> None:
    assert list(authority(look(certificate(key), replace=True))) == []
