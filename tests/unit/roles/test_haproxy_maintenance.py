# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real HAProxy with the role's configuration goes into maintenance and back; see test_haproxy_drain.py."""

from __future__ import annotations

import gzip
import http.client
import json
import socket
import threading
import typing as t

from ansible_collections.ivy.cluster.plugins.module_utils.haproxy import maintenance as sut
from ansible_collections.ivy.cluster.tests.timing import wait_until
from ansible_collections.ivy.cluster.tests.unit.roles import test_haproxy_drain as real

pytestmark = real.pytestmark
configured = real.configured
balancer = real.balancer
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
NOW = "2026-11-29T10:00:00Z"


def files(balancer: real.Balancer) -> sut.Files:
    return sut.Files(balancer.maintenance, balancer.sources)


def set_state(balancer: real.Balancer, *sources: str, active: bool = True) -> sut.Maintenance:
    before = sut.current(balancer.runtime, files(balancer))
    assert before is not None
    after = sut.predicted(before, sut.Maintenance(active, 120, sut.normalised(sources)), NOW)
    sut.set_state(balancer.runtime, after, files(balancer))
    return after


def ask(
    balancer: real.Balancer, accept: str = "*/*", method: str = "GET", address: str = "127.0.0.1"
) -> tuple[http.client.HTTPResponse, str]:
    """The answer to a user at an address."""
    plain = socket.create_connection(("127.0.0.1", balancer.port), timeout=real.PATIENCE, source_address=(address, 0))
    with balancer.tls.wrap_socket(plain, server_hostname=real.HOST) as stream:
        connection = http.client.HTTPConnection(real.HOST)
        connection.sock = stream
        body = b"a=1" if method == "POST" else None
        connection.request(method, "/page", body, {"Host": real.HOST, "Accept": accept, "Accept-Encoding": "gzip"})
        response = connection.getresponse()
        content = response.read()
    if response.headers.get("Content-Encoding") == "gzip":
        content = gzip.decompress(content)
    return response, content.decode()


def test_users_get_a_page_that_monitoring_recognises(balancer: real.Balancer) -> None:
    assert ask(balancer)[0].status == 200
    set_state(balancer)
    for accept, kind in (
        (BROWSER, "text/html; charset=utf-8"),
        ("application/json", "application/problem+json"),
        ("*/*", "text/plain; charset=utf-8"),
    ):
        for method in ("GET", "POST"):
            response, text = ask(balancer, accept, method)
            assert response.status == 503
            assert response.headers["Content-Type"] == kind
            assert response.headers["Retry-After"] == "120"
            assert response.headers["X-Service-State"] == "maintenance"
            assert response.headers["Cache-Control"] == "no-store"
            assert response.headers["Strict-Transport-Security"]
    assert "<h1>This application is being maintained</h1>" in ask(balancer, BROWSER)[1]
    assert json.loads(ask(balancer, "application/json")[1])["status"] == 503
    assert text == "The service is in maintenance. Please come back later."
    # The nodes are checked as before.
    assert balancer.answers()

    set_state(balancer, active=False)
    response, _text = ask(balancer)
    assert (response.status, response.headers.get("X-Service-State")) == (200, None)

    # A failure looks different.
    for name in real.NODES:
        balancer.set(name, state="maint")
    response, _text = ask(balancer, BROWSER)
    assert (response.status, response.headers.get("X-Service-State")) == (503, None)
    for name in real.NODES:
        balancer.set(name, state="ready")


def test_only_the_addresses_of_administrators_get_through(balancer: real.Balancer) -> None:
    set_state(balancer, "127.0.0.64/30", "127.0.0.9")
    assert ask(balancer, address="127.0.0.9")[0].status == 200
    assert ask(balancer, address="127.0.0.66")[0].status == 200
    assert ask(balancer, address="127.0.0.68")[0].status == 503
    # The time is that of the beginning, and the earlier list is replaced.
    after = set_state(balancer, "127.0.0.68")
    assert after.since == NOW
    assert ask(balancer, address="127.0.0.9")[0].status == 503
    assert ask(balancer, address="127.0.0.68")[0].status == 200


def test_a_restart_of_haproxy_keeps_the_state(balancer: real.Balancer) -> None:
    after = set_state(balancer, "127.0.0.9")
    assert sut.saved(files(balancer)) == after
    balancer.stop()
    balancer.start()
    assert sut.current(balancer.runtime, files(balancer)) == after
    assert ask(balancer)[0].status == 503
    assert ask(balancer, address="127.0.0.9")[0].status == 200
    set_state(balancer, active=False)
    balancer.stop()
    balancer.start()
    assert sut.current(balancer.runtime, files(balancer)) == sut.Maintenance()
    assert ask(balancer)[0].status == 200


def test_what_is_under_way_ends_by_itself_or_at_the_deadline(balancer: real.Balancer) -> None:
    answers: list[t.Any] = []
    slow = threading.Thread(target=lambda: answers.append(balancer.ask("engine2", "/slow")))
    slow.start()
    assert real.Engine.waiting.acquire(timeout=real.PATIENCE)
    stream = balancer.websocket("engine2")
    set_state(balancer)
    assert not sut.end_sessions(balancer.runtime, (), sut.Wait(0), close=False).done
    stream.sendall(b"hello")
    assert stream.recv(10) == b"hello"
    real.Engine.release.set()
    slow.join(real.PATIENCE)
    assert answers == [("engine2", "engine2")]
    wait_until(lambda: len(sut.under_way(balancer.runtime, ())) == 1, "the request has ended for HAProxy as well")

    # An administrator's WebSocket goes on.
    ended = sut.end_sessions(balancer.runtime, ("127.0.0.1/32",), sut.Wait(0), close=True)
    assert ended == sut.Ended(True, 0.0, {"requests": 0, "websockets": 0})
    ended = sut.end_sessions(balancer.runtime, ("127.0.0.9/32",), sut.Wait(0.3), close=True)
    assert (ended.done, ended.closed) == (False, {"requests": 0, "websockets": 1})
    assert stream.recv(10) == b""
    assert sut.end_sessions(balancer.runtime, (), sut.Wait(0), close=True).done
