# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests to a local balancer over TLS."""

from __future__ import annotations

import datetime
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ansible_collections.ivy.cluster.plugins.module_utils.probes import balancer as requests
from ansible_collections.ivy.cluster.plugins.modules import balancer_probe as sut
from ansible_collections.ivy.cluster.tests.timing import PATIENCE


def make_certificate(directory: Path, name: str) -> tuple[Path, Path]:
    """A self-signed certificate and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=20, hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, key_file = directory / f"{name}.pem", directory / f"{name}.key"
    pem.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return pem, key_file


class Balancer(ThreadingHTTPServer):
    """Sends each new user to the next node and returning users to theirs. Tests break this by its attributes."""

    daemon_threads = True
    nodes = ("engine1", "engine2", "engine3")
    sticky = True
    sets_cookie = True
    break_after = 1000

    def __init__(self, certificate: tuple[Path, Path]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.hosts: list[str] = []
        self.statuses: list[int] = []

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore clients that reject the certificate."""


class Handler(BaseHTTPRequestHandler):
    server: Balancer

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing."""

    def do_GET(self) -> None:
        balancer = self.server
        number = len(balancer.hosts)
        balancer.hosts.append(self.headers["Host"])
        if number >= balancer.break_after:
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        morsel = SimpleCookie(self.headers.get("Cookie", "")).get("IVYNODE")
        known = morsel.value if morsel is not None and balancer.sticky else ""
        node = known or balancer.nodes[number % len(balancer.nodes)]
        page = b"<p>an application</p>"
        self.send_response(balancer.statuses[number] if number < len(balancer.statuses) else 200)
        self.send_header("Content-Length", str(len(page)))
        self.send_header("Set-Cookie", "JSESSIONID=x; Path=/")
        if balancer.sets_cookie and not known:
            self.send_header("Set-Cookie", f"IVYNODE={node}; path=/; HttpOnly; Secure; SameSite=Lax")
        self.end_headers()
        self.wfile.write(page)


@pytest.fixture(name="certificate")
def fixture_certificate(tmp_path: Path) -> tuple[Path, Path]:
    return make_certificate(tmp_path, "ivy.example.com")


@pytest.fixture(name="balancer")
def fixture_balancer(certificate: tuple[Path, Path]) -> Iterator[Balancer]:
    balancer = Balancer(certificate)
    threading.Thread(target=balancer.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield balancer
    balancer.shutdown()
    balancer.server_close()


@pytest.fixture(name="probe")
def fixture_probe(
    balancer: Balancer,
    certificate: tuple[Path, Path],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Any:
    monkeypatch.setattr(requests, "_TIMEOUT", PATIENCE)

    def run(**options: Any) -> dict[str, Any]:
        defaults = {
            "address": "127.0.0.1",
            "port": balancer.server_address[1],
            "host": "ivy.example.com:8443",
            "ca_file": str(certificate[0]),
        }
        with patch_module_args({**defaults, **options}), pytest.raises(SystemExit):
            sut.main()
        result: dict[str, Any] = json.loads(capsys.readouterr().out)
        return result

    return run


def test_a_working_balancer(probe: Any, balancer: Balancer) -> None:
    result = probe()
    assert (result["changed"], result["ok"], result["problems"]) == (False, True, [])
    assert result["new_users"] == {
        "requests": 9,
        "nodes": {"engine1": 3, "engine2": 3, "engine3": 3},
        "statuses": {"200": 9},
    }
    assert result["returns"] == {"requests": 5, "nodes": {"engine1": 5}, "statuses": {"200": 5}, "stayed": True}
    assert result["cookie"] == {
        "name": "IVYNODE",
        "value": "engine1",
        "secure": True,
        "http_only": True,
        "same_site": "Lax",
    }
    assert result["tls"]["ok"]
    assert (result["tls"]["subject"], result["tls"]["days_left"]) == ("ivy.example.com", 20)
    # The public port is part of the header, not of the TLS handshake.
    assert set(balancer.hosts) == {"ivy.example.com:8443"}


def test_a_returning_user_is_sent_to_another_node(probe: Any, balancer: Balancer) -> None:
    balancer.sticky = False
    result = probe()
    assert not result["returns"]["stayed"]
    assert result["problems"] == ["A user with the cookie IVYNODE=engine1 was sent to another node."]


def test_the_balancer_sets_no_cookie(probe: Any, balancer: Balancer) -> None:
    balancer.sets_cookie = False
    result = probe()
    assert result["problems"] == ["No answer sets the cookie IVYNODE, so users do not stay on their node."]
    assert (result["cookie"], result["returns"]["requests"]) == ({}, 0)


def test_unexpected_statuses_are_counted(probe: Any, balancer: Balancer) -> None:
    balancer.statuses = [503, 200, 503]
    result = probe(new_users=3)
    assert result["problems"] == ["2 of 3 requests got status 503."]
    assert result["new_users"]["statuses"] == {"200": 1, "503": 2}
    assert result["cookie"]["value"] == "engine2"


def test_expected_statuses_can_be_set(probe: Any, balancer: Balancer) -> None:
    balancer.statuses = [302] * 14
    assert probe(status=[200, 302])["ok"]


def test_answers_before_a_lost_connection_are_counted(probe: Any, balancer: Balancer) -> None:
    balancer.break_after = 2
    result = probe(new_users=5)
    assert result["new_users"]["requests"] == 2
    assert len(result["problems"]) == 2
    assert all("does not answer" in problem for problem in result["problems"])


def test_the_certificate_has_another_name(probe: Any) -> None:
    result = probe(host="other.example.com")
    assert not result["tls"]["ok"]
    assert len(result["problems"]) == 1
    assert "is invalid: Hostname mismatch" in result["problems"][0]


def test_the_authority_is_not_trusted(probe: Any, tmp_path: Path) -> None:
    other, _key = make_certificate(tmp_path, "other.example.com")
    result = probe(ca_file=str(other))
    assert len(result["problems"]) == 1
    assert "is invalid: self" in result["problems"][0]


def test_a_missing_file_of_authorities_can_be_optional(probe: Any) -> None:
    result = probe(ca_file="/nowhere/ca.pem", ca_file_required=False)
    assert not result["tls"]["ok"], "the host does not trust the test's own certificate"
    assert "is invalid: self" in result["problems"][0]


def test_a_closed_port(probe: Any) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        result = probe(port=unused.getsockname()[1])
    assert len(result["problems"]) == 1
    assert "does not answer" in result["problems"][0]
    assert not result["ok"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ca_file": "/nowhere/ca.pem"}, "is not a file on this host"),
        ({"ca_file": __file__}, "contains no readable certificate"),
        ({"port": "https"}, "cannot be converted to an int"),
        ({"new_users": "many"}, "cannot be converted to an int"),
        ({"paths": "/demo/"}, "Unsupported parameters"),
    ],
)
def test_invalid_options_are_rejected(probe: Any, options: dict[str, Any], message: str) -> None:
    result = probe(**options)
    assert result["failed"]
    assert message in result["msg"]
