# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates that the inventory brings: whether browsers would take them. The role follows their chain."""

from __future__ import annotations

import dataclasses
import datetime
import ipaddress
import re
import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.common.findings import WARNING, Finding
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.text import listed
from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight.model.inventory import (
    BALANCERS,
    ENGINES,
    Host,
    Inventory,
)

try:
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization

    HAS_CRYPTOGRAPHY = True
except ImportError:
    HAS_CRYPTOGRAPHY = False

AREA = "Certificates"
SOON = datetime.timedelta(days=30)
# Each can be given as a file or as a text.
CERTIFICATE = ("certificates_certificate_file", "certificates_certificate")
KEY = ("certificates_key_file", "certificates_key")
CHAIN = ("certificates_chain_file", "certificates_chain")
AUTHORITY = ("certificates_ca_file", "certificates_ca_certificate")
# Those of the engine nodes are files.
NODE_CERTIFICATE = ("engine_certificate_file",)
NODE_KEY = ("engine_key_file",)
NODE_AUTHORITY = ("ivy_node_tls_ca_file",)

_BLOCK = re.compile(
    r"-----BEGIN ((?:TRUSTED |X509 )?CERTIFICATE)-----.*?-----END \1-----",
    re.DOTALL,
)


@dataclasses.dataclass(frozen=True)
class Content:
    """What a file of the controller holds. ``data`` is None where it cannot be read, ``reason`` says why."""

    data: bytes | None
    reason: str = ""


@dataclasses.dataclass(frozen=True)
class Kind:
    """What the certificates of the hosts of a group are given by, and which names they must cover."""

    certificate: tuple[str, ...]
    key: tuple[str, ...]
    chain: tuple[str, ...]
    authority: tuple[str, ...]
    names: t.Callable[[Host], list[str]]
    advice: str


@dataclasses.dataclass(frozen=True)
class Part:
    """One of the things that are given, and the option that gives it."""

    option: str
    data: bytes | None
    reason: str = ""

    @property
    def text(self) -> str:
        return (self.data or b"").decode("latin-1")


Read = t.Callable[[str], "Content | None"]


def check(inventory: Inventory, read: Read, now: datetime.datetime) -> list[Finding]:
    """``read`` returns the content of a file, None if it does not exist: the role's option checks report that."""
    findings: list[Finding] = []
    for group, kind in ((BALANCERS, _PUBLIC), (ENGINES, _NODE)):
        for host in inventory.of(group):
            for finding in _check_host(host, kind, read, now):
                if finding not in findings:
                    findings.append(finding)
    return findings


def _public_names(host: Host) -> list[str]:
    return [host.text("ivy_public_host"), *(str(name) for name in host.items("certificates_extra_names"))]


def _node_names(host: Host) -> list[str]:
    """The name that the load balancers verify, as the role topology composes it."""
    return [host.name.lower().replace("_", "-").replace(":", "-")]


_PUBLIC = Kind(CERTIFICATE, KEY, CHAIN, AUTHORITY, _public_names, "Get one for each name that users type.")
_NODE = Kind(
    NODE_CERTIFICATE,
    NODE_KEY,
    (),
    NODE_AUTHORITY,
    _node_names,
    "Get one for the name of the node in the inventory, which the load balancers verify.",
)


def _check_host(host: Host, kind: Kind, read: Read, now: datetime.datetime) -> list[Finding]:
    pairs = (kind.certificate, kind.key, kind.chain, kind.authority)
    certificate, key, chain, authority = (_part(host, pair, read) for pair in pairs)
    parts = [part for part in (certificate, key, chain, authority) if part]
    if parts and not HAS_CRYPTOGRAPHY:
        problem = "it was not validated: the Python package cryptography is not installed on the controller"
        advice = "Install it in the environment of Ansible."
        return [Finding("certificate-not-inspected", AREA, parts[0].option, problem, advice, WARNING)]
    findings = [_unreadable(part, f"it cannot be read ({part.reason})") for part in parts if part.data is None]
    leaf = None
    for part in (certificate, chain, authority):
        if part is None or part.data is None:
            continue
        certificates, problems = _certificates(part)
        findings += problems
        for x509_certificate in certificates:
            findings += _check_dates(part, x509_certificate, now)
        if part is certificate and certificates and not problems:
            leaf = certificates[0]
    if leaf is not None and certificate is not None:
        findings += _check_names(certificate, leaf, kind, host)
    if key is not None and key.data is not None:
        findings += _check_key(key, leaf)
    return findings


def _part(host: Host, options: tuple[str, ...], read: Read) -> Part | None:
    """What a pair of options gives. Both at once, the role refuses."""
    given = [(option, host.text(option)) for option in options if host.text(option)]
    if len(given) != 1:
        return None
    option, value = given[0]
    if option != options[0]:
        return Part(option, value.encode("utf-8", "replace"))
    content = read(value)
    return None if content is None else Part(option, content.data, content.reason)


def _unreadable(part: Part, problem: str) -> Finding:
    what = "the key as PEM, without a passphrase" if part.option in KEY + NODE_KEY else "certificates as PEM"
    return Finding("certificate-unreadable", AREA, part.option, problem, f"Give {what}.")


def _certificates(part: Part) -> tuple[list[x509.Certificate], list[Finding]]:
    blocks = [found[0] for found in _BLOCK.finditer(part.text)]
    if not blocks:
        return [], [_unreadable(part, "there is no certificate in it (no PEM block CERTIFICATE)")]
    found, problems = [], []
    for number, block in enumerate(blocks, 1):
        try:
            certificate = x509.load_pem_x509_certificate(block.encode("latin-1"))
            _names(certificate)
            _public(certificate.public_key())
            # The library parses them on access.
            _subject(certificate)
            for name in ("not_valid_before", "not_valid_after"):
                _moment(certificate, name)
        except (
            ValueError,
            TypeError,
            OverflowError,
            UnsupportedAlgorithm,
            x509.DuplicateExtension,
            x509.InvalidVersion,
            x509.UnsupportedGeneralNameType,
        ):
            problems.append(_unreadable(part, f"its block {number} cannot be read as a certificate"))
            continue
        found.append(certificate)
    return found, problems


def _check_dates(part: Part, certificate: x509.Certificate, now: datetime.datetime) -> list[Finding]:
    subject = _subject(certificate)
    start, end = _moment(certificate, "not_valid_before"), _moment(certificate, "not_valid_after")
    if end <= now:
        problem = f"{subject} expired on {end:%Y-%m-%d}"
        return [Finding("certificate-expired", AREA, part.option, problem, "Get a new one.")]
    if start > now:
        problem = f"{subject} is valid only from {start:%Y-%m-%d %H:%M} UTC on"
        advice = "Use one that is valid already, or correct the controller's clock."
        return [Finding("certificate-not-yet-valid", AREA, part.option, problem, advice)]
    if end - now < SOON:
        problem = f"{subject} ends on {end:%Y-%m-%d}"
        return [Finding("certificate-ends-soon", AREA, part.option, problem, "Get a new one in time.", WARNING)]
    return []


def _subject(certificate: x509.Certificate) -> str:
    return certificate.subject.rfc4514_string() or "the certificate without a subject"


def _moment(certificate: x509.Certificate, name: str) -> datetime.datetime:
    """Older releases of the library know the moment without its time zone only."""
    aware = getattr(certificate, f"{name}_utc", None)
    moment: datetime.datetime = aware or getattr(certificate, name).replace(tzinfo=datetime.timezone.utc)
    return moment


def _check_names(part: Part, leaf: x509.Certificate, kind: Kind, host: Host) -> list[Finding]:
    wanted = kind.names(host)
    covered = _names(leaf)
    missing = [name for name in dict.fromkeys(wanted) if name and not _covers(covered, name)]
    if not missing:
        return []
    shown = listed(covered) or "no name at all (no subject alternative name)"
    problem = f"it does not cover {listed(missing)}; it covers {shown}"
    return [Finding("certificate-names", AREA, part.option, problem, kind.advice)]


def _names(certificate: x509.Certificate) -> list[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    addresses = [str(address) for address in names.get_values_for_type(x509.IPAddress)]
    return [*(name.lower() for name in names.get_values_for_type(x509.DNSName)), *addresses]


def _covers(covered: t.Collection[str], name: str) -> bool:
    """A wildcard stands for exactly one label, and for no address."""
    try:
        return str(ipaddress.ip_address(name.strip("[]"))) in covered
    except ValueError:
        plain = name.lower().rstrip(".")
    return plain in covered or re.sub(r"^[^.]+", "*", plain) in covered


def _check_key(part: Part, leaf: x509.Certificate | None) -> list[Finding]:
    # The message of the library may quote the key, so it is not reported.
    try:
        key = serialization.load_pem_private_key(part.data or b"", None)
        public = _public(key.public_key())
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return [_unreadable(part, "it cannot be read as a PEM private key without a passphrase")]
    if leaf is None or public == _public(leaf.public_key()):
        return []
    problem = "the key does not belong to the certificate"
    advice = "Give the key with which it was asked for; the certificate for the server has to come first in its file."
    return [Finding("certificate-key", AREA, part.option, problem, advice)]


def _public(key: t.Any) -> bytes:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    data: bytes = key.public_bytes(serialization.Encoding.DER, form)
    return data
