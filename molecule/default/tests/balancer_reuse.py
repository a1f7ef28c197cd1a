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
import time
from typing import Any

from balancer_trial import PATIENCE, Client, serving

# Exempt from the limits.
SOURCE = "127.0.0.30"
USERS, REQUESTS, BURST = 8, 400, 24
# About as long as a user takes until the next request, so that the engine closes many connections just then.
PAUSES = (0.0, 0.0, 0.0002, 0.0005, 0.001, 0.002, 0.004)
KINDS = (("GET", "/page"), ("GET", "/page"), ("GET", "/page"), ("HEAD", "/page"), ("POST", "/page"), ("GET", "/s.ivp"))


class Engine(http.server.BaseHTTPRequestHandler):
    """Counts executed requests by their id."""

    protocol_version = "HTTP/1.1"
    # Send the response in one piece.
    wbufsize = -1
    hostile = False
    lock = threading.Lock()
    executed: collections.Counter[str] = collections.Counter()
    reused: collections.Counter[str] = collections.Counter()
    closed_by_engine = 0
    open_connections = 0
    # Seconds for which a connection was idle when HAProxy closed it.
    idle: list[float] = []  # noqa: RUF012  (shared by the connections)

    def setup(self) -> None:
        super().setup()
        self.number, self.since = 0, time.monotonic()
        with self.lock:
            Engine.open_connections += 1

    def finish(self) -> None:
        super().finish()
        with self.lock:
            Engine.open_connections -= 1

    def handle_one_request(self) -> None:
        if self.hostile and self.number and not select.select([self.connection], [], [], random.choice(PAUSES))[0]:
            with self.lock:
                Engine.closed_by_engine += 1
            self.close_connection = True
            return
        self.raw_requestline = b""
        # HAProxy resets idle connections.
        with contextlib.suppress(ConnectionError):
            super().handle_one_request()
        if not self.raw_requestline:
            self.close_connection = True
        if not self.raw_requestline and self.number:
            with self.lock:
                self.idle.append(time.monotonic() - self.since)
        self.number, self.since = self.number + 1, time.monotonic()

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path, _mark, name = self.path.partition("?id=")
        with self.lock:
            if name:
                self.executed[name] += 1
                self.reused[self.command + path] += self.number > 0
        if path.startswith("/drop"):
            self.close_connection = True
            return
        if path == "/slow":
            time.sleep(1)
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
            time.sleep(chance.choice(PAUSES))
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


def idle_seconds(client: Client) -> list[float]:
    """For how long connections were idle before HAProxy closed them, after many requests at the same time."""

    def use(_index: int) -> None:
        user = User(client)
        for _number in range(2):
            user.ask("GET", "/slow")
        user.close()

    Engine.idle.clear()
    at_once(BURST, use)
    end = time.monotonic() + PATIENCE
    # The health check opens connections, too.
    while len(Engine.idle) < BURST // 2 or Engine.open_connections > 1:
        if time.monotonic() > end:
            break
        time.sleep(0.1)
    return sorted(Engine.idle)


def main(directory: str, host: str) -> None:
    with serving(directory, host, Engine) as client:
        results = {"closing": closing_engine(client), "without_response": without_response(client)}
        print(json.dumps({**results, "idle": idle_seconds(client)}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
