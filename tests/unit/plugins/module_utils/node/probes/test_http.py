# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP requests to a service of this host."""

from __future__ import annotations

import http.server
import threading
import typing as t

import pytest

from ansible_collections.ivy.cluster.plugins.module_utils.node.probes import http as sut
from ansible_collections.ivy.cluster.tests.timing import PATIENCE, Clock


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers with the Host header of the request. /503 answers with an error."""

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length).decode()
        self.send_response(503 if self.path == "/503" else 200)
        self.end_headers()
        self.wfile.write(f'{{"host": "{self.headers["Host"]}", "body": "{body}"}}'.encode())

    do_GET = do_POST = _answer

    def log_message(self, *_arguments: t.Any) -> None:
        return


@pytest.fixture
def port() -> t.Iterator[int]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield server.server_port
    server.shutdown()
    server.server_close()


def make_request(**changes: t.Any) -> dict[str, t.Any]:
    defaults = {"name": "read", "path": "/", "method": "GET", "body": "", "content_type": "text/plain", "contains": ""}
    return {**defaults, **changes}


def test_the_public_name_is_sent_and_json_is_parsed(port: int) -> None:
    answer = sut.send(port, "ivy.example.com", make_request(), PATIENCE)
    assert (answer["ok"], answer["status"], answer["json"]["host"]) == (True, 200, "ivy.example.com")


@pytest.mark.parametrize("text", ['["a"]', '"a"', "1", "null", "<a/>", "[" * 9000])
def test_json_other_than_an_object_is_not_returned(text: str) -> None:
    assert sut._object(text) is None


def test_a_long_object_is_searched_and_not_returned(port: int) -> None:
    answer = sut.send(port, "h", make_request(method="POST", body="x" * 20000 + "q7x1", contains="q7x1"), PATIENCE)
    assert (answer["ok"], answer["json"], len(answer["body"])) == (True, None, 4096)


def test_a_body_is_posted(port: int) -> None:
    answer = sut.send(port, "h", make_request(method="POST", body="q7x1", contains="q7x1"), PATIENCE)
    assert answer["ok"]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"path": "/503"}, "status 503"),
        ({"contains": "q7x1"}, "the answer does not contain the expected text"),
    ],
)
def test_the_problem_is_reported(port: int, changes: dict[str, str], problem: str) -> None:
    answer = sut.send(port, "h", make_request(**changes), PATIENCE)
    assert not answer["ok"]
    assert answer["problem"] == problem


def test_a_closed_port_is_a_problem_without_an_exception() -> None:
    answer = sut.send(1, "h", make_request(), PATIENCE)
    assert answer["problem"].startswith("no answer")


@pytest.mark.parametrize("path", ["/notes/é", "/a b", "/a\r\nX: y"])
def test_a_path_that_cannot_be_sent_is_a_problem_without_an_exception(port: int, path: str) -> None:
    answer = sut.send(port, "h", make_request(path=path), PATIENCE)
    assert not answer["ok"]
    assert answer["problem"].startswith("no answer (")


def test_only_a_safe_request_is_repeated(clock: Clock) -> None:
    sent: list[str] = []

    def send(request: t.Mapping[str, t.Any], _timeout: float) -> dict[str, t.Any]:
        sent.append(request["method"])
        return {"name": request["name"], "ok": sent.count("GET") == 3}

    answers = sut.send_all([make_request(method="POST"), make_request()], 60, send)
    assert sent == ["POST", "GET", "GET", "GET"]
    assert [answer["ok"] for answer in answers] == [False, True]
    assert len(clock.naps) == 2


def test_repetition_ends_after_the_wait(clock: Clock) -> None:
    answers = sut.send_all([make_request()], 60, lambda request, _timeout: {"name": request["name"], "ok": False})
    assert answers == [{"name": "read", "ok": False}]
    assert sum(clock.naps) == pytest.approx(60, abs=1)
