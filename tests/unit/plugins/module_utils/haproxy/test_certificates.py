# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates in PEM files."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.ivy.cluster.plugins.module_utils.haproxy import certificates as sut


def test_fingerprint_of_the_first_certificate() -> None:
    pem = "key first\n-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    assert sut.fingerprint(pem) == "29E2DCFBB16F63BB0254DF7585A15BB6FB5E927D"
    assert sut.fingerprint("no certificate") == ""


def test_a_missing_file_has_no_authorities(tmp_path: Path) -> None:
    assert sut.authority_expiry(str(tmp_path / "ca.pem")) == {}
