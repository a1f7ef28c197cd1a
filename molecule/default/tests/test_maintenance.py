# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole service goes into maintenance and back: what users, monitoring and administrators get."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from collections.abc import Iterator
from email.message import Message
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Browser, Lab, Run

# Ends a test that hangs.
PATIENCE = 120.0
PAGE = "This application is being maintained"


def maintenance(lab: Lab, *options: str) -> Run:
    return lab.playbook("playbooks/maintenance.yml", *options)


def ask(browser: Browser, accept: str = "text/html", path: str = "/demo/api/info") -> tuple[Message, int, str]:
    """The headers, the status and the body of an answer."""
    with connect(browser) as stream:
        connection = http.client.HTTPConnection(browser.public)
        connection.sock = stream
        connection.request("GET", path, headers={"Host": browser.public, "Accept": accept})
        response = connection.getresponse()
        return response.headers, response.status, response.read().decode()


def connect(browser: Browser) -> ssl.SSLSocket:
    plain = socket.create_connection((browser.address, 443), timeout=PATIENCE)
    return browser.tls.wrap_socket(plain, server_hostname=browser.public.partition(":")[0])


def own_address(browser: Browser) -> str:
    with socket.create_connection((browser.address, 443), timeout=PATIENCE) as stream:
        return str(stream.getsockname()[0])


def websocket(browser: Browser) -> ssl.SSLSocket:
    stream = connect(browser)
    stream.sendall(
        f"GET /demo/ws HTTP/1.1\r\nHost: {browser.public}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n".encode()
    )
    assert b" 101 " in stream.recv(4096)
    return stream


@pytest.fixture
def ended(lab: Lab) -> Iterator[None]:
    yield
    maintenance(lab, "-e", "maintenance_state=off").succeeded()


@pytest.mark.usefixtures("ended")
def test_the_service_goes_into_maintenance_and_back(lab: Lab, browser: Browser) -> None:
    pids = lab.pids()
    foreseen = maintenance(lab, "-e", "maintenance_state=on", "--check", "--diff").succeeded()
    assert set(foreseen.changed()) == set(lab.groups["load_balancers"])
    assert ask(browser)[1] == 200

    slow: list[int] = []
    request = threading.Thread(target=lambda: slow.append(browser.get("/demo/api/slow?ms=10000").status))
    page = websocket(browser)
    request.start()
    begun = maintenance(lab, "-e", "maintenance_state=on", "-e", "maintenance_wait=15").succeeded()
    request.join(PATIENCE)
    # The request has ended by itself, and the WebSocket was closed at the deadline.
    assert slow == [200]
    assert "Closed because 15 seconds were over: 1 WebSocket." in begun.output
    page.settimeout(PATIENCE)
    while page.recv(4096):
        pass

    headers, status, body = ask(browser)
    assert (status, headers["X-Service-State"], headers["Retry-After"]) == (503, "maintenance", "300")
    assert PAGE in body
    assert ask(browser, "application/json")[0]["Content-Type"] == "application/problem+json"

    for balancer in lab.groups["load_balancers"]:
        lab.host(balancer).check_output("systemctl reload haproxy.service")
    lab.until(lambda: ask(browser)[0].get("X-Service-State") == "maintenance", PATIENCE, "the reload is over")
    status_run = lab.playbook("playbooks/status.yml").succeeded()
    assert "IN MAINTENANCE since " in status_run.output

    own = maintenance(lab, "-e", "maintenance_state=on", "-e", f"maintenance_allowed_sources={own_address(browser)}")
    assert set(own.succeeded().changed()) == set(lab.groups["load_balancers"])
    assert ask(browser)[1] == 200

    assert maintenance(lab, "-e", "maintenance_state=off").succeeded().changed()
    headers, status, _body = ask(browser)
    assert (status, headers.get("X-Service-State")) == (200, None)
    # HAProxy's worker changes with a reload; its main process and everything else stay.
    assert lab.pids() == pids


def test_bad_options_are_reported_together_and_change_nothing(lab: Lab, browser: Browser) -> None:
    run = maintenance(lab, "-e", "maintenance_state=maybe", "-e", "maintenance_allowed_sources=nobody")
    assert run.status != 0
    assert "maintenance_state (maybe) is neither on nor off" in run.output
    assert "maintenance_allowed_sources contains nobody" in run.output
    assert ask(browser)[1] == 200
