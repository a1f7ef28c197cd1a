# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A service that sends a byte now and then does not hold a request longer than its time limit."""

from __future__ import annotations

import socket
import ssl
import threading
import typing as t

import pytest

from ansible_collections.ivy.cluster.plugins.module_utils.node.engine import health
from ansible_collections.ivy.cluster.plugins.module_utils.node.probes import http
from ansible_collections.ivy.cluster.plugins.module_utils.probes import balancer
from ansible_collections.ivy.cluster.tests.timing import PATIENCE, Clock

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"
REQUEST = {"name": "a", "path": "/", "method": "GET", "body": "", "content_type": "", "contains": ""}


@pytest.fixture(params=[HEAD + b"x" * 99, HEAD[:-2] + b"A: " + b"x" * 99], ids=["body", "header"])
def port(request: pytest.FixtureRequest, clock: Clock) -> t.Iterator[int]:
    """The port of a server that needs half of the time limit for each byte after the first line."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        stream, _address = listener.accept()
        with stream:
            stream.recv(65536)
            stream.sendall(request.param[:40])
            for byte in request.param[40:]:
                clock.now += PATIENCE / 2
                try:
                    stream.sendall(bytes([byte]))
                except OSError:
                    return

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield listener.getsockname()[1]
    thread.join()
    listener.close()


def test_health(port: int) -> None:
    found = health.check(port, "h", {"requests": [{"path": "/", "status": "200"}]}, PATIENCE)
    assert (found.ok, found.reason) == (False, f"no answer on port {port}: timed out")


def test_a_request_to_a_service(port: int) -> None:
    assert http.send(port, "h", REQUEST, PATIENCE)["problem"] == "no answer (timed out)"


def test_a_request_to_a_balancer(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    class NoTls:
        def wrap_socket(self, stream: socket.socket, **_options: t.Any) -> socket.socket:
            return stream

    monkeypatch.setattr(balancer, "_TIMEOUT", PATIENCE)
    probe = balancer.Probe(balancer.Target("127.0.0.1", port, "h", "C"), ssl.create_default_context(), [200])
    kind = balancer._Connection

    def connection(target: balancer.Target, deadline: t.Any) -> t.Any:
        made = kind(target, probe.context, deadline)
        made._tls = t.cast("ssl.SSLContext", NoTls())
        return made

    monkeypatch.setattr(balancer, "_Connection", lambda target, _context, deadline: connection(target, deadline))
    probe.requests(1)
    assert probe.problems == [f"127.0.0.1:{port} does not answer: timed out."]
