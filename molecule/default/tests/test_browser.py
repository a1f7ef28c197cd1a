# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The user's view: valid TLS, all nodes without a cookie, one node with it, no failed requests after a node is lost."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Browser, Lab


def test_curl_trusts_the_clusters_ca(lab: Lab, browser: Browser, ca_file: Path) -> None:
    curl = shutil.which("curl")
    assert curl is not None, "curl is not installed; make test installs it on Debian"
    name, _colon, port = lab.public.partition(":")
    command = [curl, "--silent", "--show-error", "--fail", "--cacert", str(ca_file)]
    command += ["--connect-to", f"{lab.public if port else name + ':443'}:{browser.address}:443"]
    done = subprocess.run([*command, f"https://{lab.public}/demo/"], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "<html" in done.stdout.lower()


def test_without_the_ca_the_certificate_is_rejected(browser: Browser) -> None:
    untrusting = type(browser)(browser.address, browser.public, ssl.create_default_context())
    with pytest.raises(ssl.SSLCertVerificationError):
        untrusting.get("/demo/api/info")


def test_without_a_cookie_every_node_answers(lab: Lab, browser: Browser) -> None:
    assert {browser.node() for _time in range(4 * len(lab.nodes))} == set(lab.nodes)


def test_with_its_cookie_a_session_stays_on_one_node(browser: Browser) -> None:
    first = browser.get("/demo/api/info")
    responses = [browser.get("/demo/api/info", first.cookies) for _time in range(8)]
    assert {response.data["node"] for response in responses} == {first.data["node"]}
    # The engine's session is the same too. Without replication a change of nodes would start a new one.
    assert [response.data["counter"] for response in responses] == list(range(2, 10))


def test_the_system_pages_are_forbidden(browser: Browser) -> None:
    assert browser.get("/system/").status == 403


def test_a_killed_engine_is_detected_and_restarted(lab: Lab, browser: Browser) -> None:
    victim = lab.nodes[1]
    before = lab.host(victim).check_output("systemctl show -p MainPID --value axonivy-engine.service")
    lab.host(victim).check_output(f"kill -KILL {before}")

    # Requests may fail until the balancer has detected the loss, and none may fail after that.
    balancer = lab.host(lab.groups["load_balancers"][0])
    # The minimal image has no socat.
    reader = (
        "python3 -c \"import socket; s = socket.socket(socket.AF_UNIX); s.connect('/run/haproxy/admin.sock'); "
        "s.sendall(b'show stat\\n'); print(b''.join(iter(lambda: s.recv(65536), b'')).decode())\""
    )

    def detected() -> bool:
        rows = [line.split(",") for line in balancer.check_output(reader).splitlines() if f",{victim}," in line]
        return bool(rows) and not any(row[17].startswith("UP") for row in rows)

    lab.until(detected, 120, f"the balancer has detected that {victim} is down")
    seen = [browser.node() for _time in range(30)]
    assert victim not in seen
    assert set(seen) == set(lab.nodes) - {victim}

    lab.await_engine(victim)
    after = lab.host(victim).check_output("systemctl show -p MainPID --value axonivy-engine.service")
    assert after not in ("0", before)
    lab.until(lambda: victim in {browser.node() for _time in range(6)}, 120, f"{victim} is back in the balancer")
