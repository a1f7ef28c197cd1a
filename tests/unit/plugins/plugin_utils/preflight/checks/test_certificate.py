# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A damaged certificate is a finding, whichever of its bytes is wrong."""

from __future__ import annotations

import base64
import datetime

import pytest

from ansible_collections.ivy.cluster.plugins.plugin_utils.common.findings import Finding
from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight.checks import certificate
from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight.model.inventory import (
    BALANCERS,
    ENGINES,
    Host,
    Inventory,
)
from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight.model.pem import key_fingerprint
from ansible_collections.ivy.cluster.tests.unit.plugins.action import preflight_site as site


def check(pem: str, key: str) -> list[Finding]:
    values = {"certificates_certificate": pem, "certificates_key": key, "ivy_public_host": "ivy.acme.ch"}
    hosts = (Host("lb1", frozenset([BALANCERS]), values),)
    return certificate.check(Inventory(hosts), lambda _path: None, datetime.datetime.now(datetime.timezone.utc))


def to_pem(data: bytes) -> str:
    return f"-----BEGIN CERTIFICATE-----\n{base64.encodebytes(data).decode()}-----END CERTIFICATE-----\n"


@pytest.fixture(scope="module")
def made() -> tuple[bytes, str]:
    pem, key = site.certificate()
    return base64.b64decode("".join(pem.split("-----")[2].split())), key


def test_a_valid_certificate_has_no_finding(made: tuple[bytes, str]) -> None:
    assert check(to_pem(made[0]), made[1]) == []


@pytest.mark.parametrize("change", [1, 9, 60, 127, 129])
def test_no_damaged_byte_raises(made: tuple[bytes, str], change: int) -> None:
    data, key = made
    for index in range(len(data)):
        damaged = to_pem(data[:index] + bytes([(data[index] + change) % 256]) + data[index + 1 :])
        assert {finding.area for finding in check(damaged, key)} <= {certificate.AREA}
        key_fingerprint(damaged)


def test_an_unknown_version_is_unreadable(made: tuple[bytes, str]) -> None:
    data, key = made
    # The version: a tag, the length, and an integer whose value 2 means version 3.
    damaged = to_pem(data.replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x5a", 1))
    assert key_fingerprint(damaged) == ""
    assert [finding.code for finding in check(damaged, key)] == ["certificate-unreadable"]


@pytest.mark.parametrize(
    ("first", "last", "names", "of_key", "codes"),
    [
        (-1, 100, ("engine-1",), True, []),
        (-1, 100, ("engine_1", "engine2"), True, ["certificate-names"]),
        (-9, -1, ("engine-1",), True, ["certificate-expired"]),
        (-1, 100, ("engine-1",), False, ["certificate-key"]),
        (-1, 100, ("engine2",), False, ["certificate-names", "certificate-key"]),
    ],
)
def test_the_certificate_of_a_node_is_for_its_name_and_of_its_key(
    first: int, last: int, names: tuple[str, ...], of_key: bool, codes: list[str]
) -> None:
    pem, key = site.certificate(first, last, names)
    files = {"node.pem": pem, "node.key": key if of_key else site.certificate()[1], "ca.pem": site.certificate()[0]}
    values = {
        "engine_certificate_file": "node.pem",
        "engine_key_file": "node.key",
        "ivy_node_tls_ca_file": "ca.pem",
        "ivy_public_host": "ivy.acme.ch",
    }
    found = certificate.check(
        Inventory((Host("Engine_1", frozenset([ENGINES]), values),)),
        lambda path: certificate.Content(files[path].encode()),
        datetime.datetime.now(datetime.timezone.utc),
    )
    assert [finding.code for finding in found] == codes
