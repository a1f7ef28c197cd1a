# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests to an engine that closes idle connections as often as it can. Runs on a load balancer.

The engine counts how often it has executed each request. Prints the counts, and how each request ended, as JSON.
Standard library only.
"""

from __future__ import annotations

import collections
import contextlib
import http.client
import http.server
import json
import random
import select
import sys
import threading
from typing import Any, ClassVar

from balancer_trial import PATIENCE, Client, serving

# Exempt from the limits.
SOURCE = "127.0.0.30"
USERS, REQUESTS, BURST = 8, 400, 24
# About as long as a user takes until the next request, so that the engine closes many connections just then.
PAUSES = (0.0, 0.0, 0.0002, 0.0005, 0.001, 0.002, 0.004)
# Seconds, as in the default of haproxy_engine_keep_alive.
KEEP_ALIVE = 20
TOGETHER = threading.Barrier(BURST)
KINDS = (("GET", "/page"), ("GET", "/page"), ("GET", "/page"), ("HEAD", "/page"), ("POST", "/page"), ("GET", "/s.ivp"))


class Engine(http.server.BaseHTTPRequestHandler):
    """Counts executed requests by their id."""

    protocol_version = "HTTP/1.1"
    # Send the response in one piece.
    wbufsize = -1
    hostile = False
    changed = threading.Condition()
    executed: ClassVar[collections.Counter[str]] = collections.Counter()
    reused: ClassVar[collections.Counter[str]] = collections.Counter()
    closed_by_engine = 0
    # Connections that were idle, and those of them that are open.
    idle = idle_open = 0

    def setup(self) -> None:
        super().setup()
        self.number, self.counted = 0, False

    def finish(self) -> None:
        super().finish()
        with self.changed:
            Engine.idle_open -= self.counted
            self.changed.notify_all()

    def handle_one_request(self) -> None:
        limit = random.choice(PAUSES) if self.hostile else KEEP_ALIVE
        if self.number and not select.select([self.connection], [], [], limit)[0]:
            with self.changed:
                Engine.closed_by_engine += 1
            self.close_connection = True
            return
        self.raw_requestline = b""
        # HAProxy resets idle connections.
        with contextlib.suppress(ConnectionError):
            super().handle_one_request()
        self.close_connection = self.close_connection or not self.raw_requestline
        self.number += 1

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path, _mark, name = self.path.partition("?id=")
        with self.changed:
            if name:
                self.executed[name] += 1
                self.reused[self.command + path] += self.number > 0
        if path.startswith("/drop"):
            self.close_connection = True
            return
        if path == "/together":
            TOGETHER.wait(PATIENCE)
            with self.changed:
                Engine.idle += not self.counted
                Engine.idle_open += not self.counted
                self.counted = True
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(b"ok")

    do_POST = do_PUT = do_HEAD = do_GET

    def log_message(self, *_arguments: Any) -> None:
        pass


class User:
    """Keeps its connection, as a browser does: HAProxy reuses idle connections only after the first request."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.connection: http.client.HTTPConnection | None = None

    def ask(self, method: str, target: str) -> str:
        """The status, or what happened instead."""
        try:
            if self.connection is None:
                self.connection = http.client.HTTPConnection(self.client.host)
                self.connection.sock = self.client.open(SOURCE)
            body = b"a=1" if method == "POST" else None
            self.connection.request(method, target, body, {"Host": self.client.host})
            response = self.connection.getresponse()
            response.read()
        except (OSError, http.client.HTTPException) as exc:
            self.close()
            return repr(exc)
        if response.will_close:
            self.close()
        return str(response.status)

    def close(self) -> None:
        if self.connection is not None:
            self.connection.close()
        self.connection = None


def at_once(number: int, work: Any) -> None:
    threads = [threading.Thread(target=work, args=(index,)) for index in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def closing_engine(client: Client) -> dict[str, Any]:
    """Users send requests while the engine closes connections."""
    sent: dict[str, str] = {}

    def use(index: int) -> None:
        chance, user = random.Random(index), User(client)
        for number in range(REQUESTS):
            method, path = chance.choice(KINDS)
            name = f"{index}-{number}"
            sent[name] = user.ask(method, f"{path}?id={name}")
            select.select([], [], [], chance.choice(PAUSES))
        user.close()

    Engine.hostile = True
    at_once(USERS, use)
    Engine.hostile = False
    return {
        "sent": len(sent),
        "failed": {name: outcome for name, outcome in sent.items() if outcome != "200"},
        "not_once": {name: Engine.executed[name] for name in sent if Engine.executed[name] != 1},
        "reused": dict(Engine.reused),
        "closed_by_engine": Engine.closed_by_engine,
    }


def without_response(client: Client) -> dict[str, list[Any]]:
    """The engine executes a request and closes the connection. The user's first request, and one that follows."""
    found = {}
    for method, path in (("POST", "/drop"), ("GET", "/drop.ivp"), ("GET", "/drop.IV%50;x"), ("PUT", "/drop")):
        user = User(client)
        for name in (f"{method}{path}-first", f"{method}{path}-next"):
            if name.endswith("next"):
                user.ask("GET", "/page")
            found[name] = [user.ask(method, f"{path}?id={name}"), Engine.executed[name]]
        user.close()
    return found


def idle_connections(client: Client) -> dict[str, int]:
    """Who closes idle connections after many requests at the same time, of an engine that keeps them as usual."""

    def use(_index: int) -> None:
        user = User(client)
        for _number in range(2):
            user.ask("GET", "/together")
        user.close()

    before = Engine.closed_by_engine
    at_once(BURST, use)
    with Engine.changed:
        Engine.changed.wait_for(lambda: Engine.idle_open == 0, PATIENCE)
    return {"idle": Engine.idle, "closed_by_engine": Engine.closed_by_engine - before, "open": Engine.idle_open}


def main(directory: str, host: str, certificate: str = "") -> None:
    with serving(directory, host, Engine, certificate) as client:
        results = {"closing": closing_engine(client), "without_response": without_response(client)}
        print(json.dumps({**results, "idle": idle_connections(client)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
