# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificate expiry metrics."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.ivy.cluster.plugins.module_utils.haproxy import metrics as sut
from ansible_collections.ivy.cluster.plugins.module_utils.haproxy.runtime_socket import RuntimeSocket


def test_metrics_of_certificate_expiry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {
        "show ssl cert": "# filename\n/etc/pki/balancer.pem\n",
        "show ssl cert /etc/pki/balancer.pem": "Filename: x\nnotAfter: Nov  3 00:00:00 2027 GMT\n",
    }
    monkeypatch.setattr(RuntimeSocket, "command", lambda _self, text: answers[text])
    monkeypatch.setattr(sut, "authority_expiry", lambda _path: {'The "CA"': 2000000000})
    sut.write_certificate_metrics("/run/socket", "/etc/pki/ca.pem", str(tmp_path / "none"))
    assert list(tmp_path.iterdir()) == []
    sut.write_certificate_metrics("/run/socket", "/etc/pki/ca.pem", str(tmp_path))
    assert (tmp_path / "ivy_certificates.prom").read_text(encoding="utf-8").splitlines()[2:] == [
        'ivy_certificate_expiry_timestamp_seconds{kind="authority",name="The \\"CA\\""} 2000000000',
        'ivy_certificate_expiry_timestamp_seconds{kind="balancer",name="/etc/pki/balancer.pem"} 1825200000',
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["ivy_certificates.prom"]
