# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A search server decides neither how long a run takes, nor how much it reads, nor who gets the login."""

from __future__ import annotations

import base64
import itertools
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from ansible_collections.ivy.cluster.plugins.module_utils.host_state import search as host_state
from ansible_collections.ivy.cluster.plugins.module_utils.host_state import start_record
from ansible_collections.ivy.cluster.plugins.module_utils.probes import search as sut


@contextmanager
def server(*pieces: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """Answers one request with these pieces. Yields its URL, and what it was asked."""
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            stream, _address = listener.accept()
            with stream:
                asked.append(stream.recv(65536))
                try:
                    for piece in pieces:
                        stream.sendall(piece)
                except OSError:
                    # The client has read enough.
                    pass

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", asked
        thread.join()


OK = b"HTTP/1.1 200 OK\r\n\r\n"


def test_an_answer() -> None:
    with server(OK, b'{"status": "green"}') as (url, asked):
        answer = sut.get(f"{url}/_cluster/health?a=b", "user", "pässword", 60)
    assert (answer.status, answer.parsed(), answer.problem) == (200, {"status": "green"}, "")
    login = base64.b64encode("user:pässword".encode())
    assert asked[0].startswith(b"GET /_cluster/health?a=b HTTP/1.1\r\n")
    assert b"\r\nAuthorization: Basic " + login + b"\r\n" in asked[0]


def test_no_login_without_a_user() -> None:
    with server(OK) as (url, asked):
        assert sut.get(url, "", "password", 60).status == 200
    assert asked[0].startswith(b"GET / HTTP/1.1\r\n")
    assert b"Authorization" not in asked[0]


def test_a_redirect_is_not_followed() -> None:
    with (
        server(OK) as (other, elsewhere),
        server(b"HTTP/1.1 302 Found\r\nLocation: " + other.encode() + b"\r\n\r\n") as (url, _asked),
    ):
        assert sut.get(url, "user", "password", 60).status == 302
        assert elsewhere == []
        assert sut.get(other, "", "", 60).status == 200


def test_no_proxy_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with server(OK) as (url, _asked):
        assert sut.get(url, "user", "password", 60).status == 200


def test_no_more_is_read_than_the_limit() -> None:
    with server(OK, *[b" " * 65536] * 64) as (url, _asked):
        answer = sut.get(url, "", "", 60)
    assert len(answer.content) == sut.LONGEST + 1
    assert answer.parsed() is None


def test_a_byte_now_and_then_does_not_prolong_it(monkeypatch: pytest.MonkeyPatch) -> None:
    # Ten seconds pass whenever the clock is read.
    clock = itertools.count(0.0, 10.0)
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    with server(OK, *[b"x"] * 100000) as (url, _asked):
        assert sut.get(url, "", "", 60).problem == "no answer (timed out)"


@pytest.mark.parametrize(
    ("content", "parsed"), [(b"{", None), (b"", None), (b"\xff", None), (b"[" * 100000, None), (b"[1]", [1])]
)
def test_anything_else_than_json(content: bytes, parsed: object) -> None:
    assert sut.Answer(200, content, "").parsed() == parsed


@pytest.mark.parametrize(
    "url", ["", "search", "ftp://search/", "http://", "http://search:x/", "http://[::1/", "http://127.0.0.1:99999/"]
)
def test_a_url_that_cannot_be_used(url: str) -> None:
    answer = sut.get(url, "", "", 60)
    assert (answer.status, answer.content) == (0, b"")
    assert answer.problem != ""


@pytest.mark.parametrize(
    ("answer", "health"),
    [
        (lambda *_: sut.Answer(200, b'{"status": "yellow"}', ""), "yellow"),
        (lambda *_: sut.Answer(200, b'{"status": "' + b"x" * 5000 + b'"}', ""), "x" * 20),
        (lambda *_: sut.Answer(200, b"[]", ""), ""),
        (lambda *_: sut.Answer(0, b"", "no answer"), ""),
    ],
)
def test_the_health_in_the_state_of_a_host(
    monkeypatch: pytest.MonkeyPatch, answer: Callable[..., sut.Answer], health: str
) -> None:
    monkeypatch.setattr(sut, "get", answer)
    monkeypatch.setattr(start_record, "output", lambda *_command: None)
    found = host_state.gather({"describe": "", "started": "", "url": "http://search", "user": ""}, "")
    assert found == {"health": health, "current": False}
