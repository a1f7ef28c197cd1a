# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTPS between the load balancers and the engine nodes: who is refused, what is verified, what users notice."""

from __future__ import annotations

import base64
import csv
import http.client
import socket
import ssl
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from user_load import Load

from ansible_collections.ivy.cluster.tests.unit.plugins.action import preflight_site

if TYPE_CHECKING:
    from conftest import Browser, Lab

AUTHORITY = "/etc/ivy-cluster-pki/cluster-ca.pem"
KEYSTORE = "/etc/ivy-cluster-pki/engine.p12"
CONNECT = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 60); print('connected')"

STATISTICS = (
    "import socket; s = socket.socket(socket.AF_UNIX); s.connect('/run/haproxy/admin.sock'); "
    "s.sendall(b'show stat\\n'); print(b''.join(iter(lambda: s.recv(65536), b'')).decode())"
)


@pytest.fixture
def balancer(lab: Lab) -> str:
    return lab.groups["load_balancers"][0]


@pytest.fixture
def authority(lab: Lab, balancer: str, tmp_path: Path) -> Path:
    file = tmp_path / "ca.pem"
    file.write_text(lab.host(balancer).file(AUTHORITY).content_string, encoding="utf-8")
    return file


def certificate(lab: Lab, node: str, authority: Path, name: str) -> bytes:
    """The certificate with which the engine of a node proves a name. The engine has to answer a request, too."""
    tls = ssl.create_default_context(cafile=str(authority))
    connection = http.client.HTTPSConnection(name, 8443, timeout=60, context=tls)
    with ssl_socket(lab, node, tls, name) as made:
        connection.sock = made
        connection.request("GET", "/system/health", headers={"Host": lab.public})
        assert connection.getresponse().status == 200
        found = made.getpeercert(binary_form=True)
    assert found
    return found


def ssl_socket(lab: Lab, node: str, tls: ssl.SSLContext, name: str) -> ssl.SSLSocket:
    plain = socket.create_connection((lab.addresses[node], 8443), timeout=60)
    return tls.wrap_socket(plain, server_hostname=name)


def servers(lab: Lab, balancer: str) -> dict[str, dict[str, str]]:
    """The nodes as a load balancer has them."""
    text = lab.host(balancer).check_output(f'python3 -c "{STATISTICS}"').lstrip("# ")
    rows = csv.DictReader(text.splitlines())
    return {row["svname"]: row for row in rows if row["pxname"] == "engine_nodes" and row["svname"] in lab.nodes}


def all_up(lab: Lab, balancer: str) -> bool:
    return {one["status"] for one in servers(lab, balancer).values()} == {"UP"}


def test_1_plain_http_is_refused(lab: Lab, balancer: str) -> None:
    host = lab.host(balancer)
    for node in lab.nodes:
        refused = host.run(f'python3 -c "{CONNECT}" {lab.addresses[node]} 8080')
        assert "ConnectionRefusedError" in refused.stderr, refused
        assert host.check_output(f'python3 -c "{CONNECT}" {lab.addresses[node]} 8443') == "connected"
        # The gate, status and verify ask the node itself.
        assert lab.host(node).check_output(f'python3 -c "{CONNECT}" 127.0.0.1 8080') == "connected"


def test_2_each_node_proves_its_own_name_only(lab: Lab, authority: Path) -> None:
    found = {node: certificate(lab, node, authority, node) for node in lab.nodes}
    assert len(set(found.values())) == len(lab.nodes)
    with pytest.raises(ssl.SSLCertVerificationError, match="ostname"):
        certificate(lab, lab.nodes[0], authority, lab.nodes[1])
    for node in lab.nodes:
        host = lab.host(node)
        assert host.check_output(f"stat -c '%U %a' {KEYSTORE}") == "ivy 400"
        assert host.check_output("stat -c '%U %a' /etc/ivy-cluster-pki/engine.env") == "root 600"


def test_3_users_keep_their_sessions(browser: Browser) -> None:
    first = browser.get("/demo/api/info")
    assert {browser.node(first.cookies) for _ in range(20)} == {first.data["node"]}


def test_4_with_another_authority_no_balancer_uses_a_node(lab: Lab, balancer: str) -> None:
    host = lab.host(balancer)
    wrong = base64.b64encode(preflight_site.certificate()[0].encode()).decode()
    host.check_output(f"cp -p {AUTHORITY} {AUTHORITY}.kept")
    try:
        host.check_output(f"echo {wrong} | base64 -d > {AUTHORITY} && systemctl reload haproxy")
        lab.until(
            lambda: {one["status"] for one in servers(lab, balancer).values()} == {"DOWN"}, 60, "the nodes are down"
        )
        assert {one["check_status"] for one in servers(lab, balancer).values()} == {"L6RSP"}
    finally:
        host.check_output(f"mv {AUTHORITY}.kept {AUTHORITY} && systemctl reload haproxy")
    lab.until(lambda: all_up(lab, balancer), 60, "the nodes are up")


def test_5_certificates_are_renewed_without_a_failed_request(lab: Lab, browser: Browser, authority: Path) -> None:
    before = {node: certificate(lab, node, authority, node) for node in lab.nodes}
    pids = lab.pids(*lab.nodes)
    with Load(browser) as load:
        lab.until(lambda: all(user.nodes for user in load.everybody), 120, "every user has a node")
        lab.playbook("playbooks/rotate_certificates.yml").succeeded()
    print(load.report("renewal of the certificates"))
    after = {node: certificate(lab, node, authority, node) for node in lab.nodes}
    assert not set(before.values()) & set(after.values())
    assert not set(pids.values()) & set(lab.pids(*lab.nodes).values())
    assert [failure for user in load.everybody for failure in user.failures] == []
    assert load.lost() == []
