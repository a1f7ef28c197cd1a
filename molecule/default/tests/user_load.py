# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Users who work while an operation runs: sessions with cookies, reads, slow requests and WebSockets.

Bounded in rate and time. Each response is checked.
"""

from __future__ import annotations

import collections
import contextlib
import http.client
import json
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest import Browser

REQUESTS_PER_SECOND = 50
SLOW_MILLISECONDS = 5000
# The load ends by itself, whatever became of the test.
LONGEST_SECONDS = 1800
TIMEOUT = 120.0


def now() -> float:
    """The clock that paces the load."""
    return time.monotonic()


@dataclass
class User:
    """What one user did and noticed."""

    name: str
    nodes: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    counts: collections.Counter[str] = field(default_factory=collections.Counter)
    cookies: dict[str, str] = field(default_factory=dict)

    @property
    def moves(self) -> int:
        return sum(before != after for before, after in zip(self.nodes, self.nodes[1:]))

    def on(self, node: str) -> None:
        if self.nodes[-1:] != [node]:
            self.nodes.append(node)


class Connection:
    """A connection of a browser. One that was idle may have been closed; then a browser opens another for a GET."""

    def __init__(self, browser: Browser) -> None:
        self.browser = browser
        self.http: http.client.HTTPSConnection | None = None

    def get(self, user: User, path: str) -> tuple[int, bytes]:
        reused = self.http is not None
        try:
            return self._get(user, path)
        except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError, ssl.SSLEOFError):
            self.close()
            if not reused:
                raise
            user.counts["connected again"] += 1
            return self._get(user, path)

    def _get(self, user: User, path: str) -> tuple[int, bytes]:
        if self.http is None:
            name = self.browser.public.partition(":")[0]
            self.http = http.client.HTTPSConnection(name, context=self.browser.tls, timeout=TIMEOUT)
            plain = socket.create_connection((self.browser.address, 443), timeout=TIMEOUT)
            self.http.sock = self.browser.tls.wrap_socket(plain, server_hostname=name)
        headers = {"Host": self.browser.public}
        if user.cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in user.cookies.items())
        self.http.request("GET", path, headers=headers)
        response = self.http.getresponse()
        body = response.read()
        for cookie in response.headers.get_all("Set-Cookie") or []:
            name, _equals, value = cookie.partition(";")[0].partition("=")
            user.cookies[name.strip()] = value
        if response.will_close:
            self.close()
        return response.status, body

    def close(self) -> None:
        if self.http is not None:
            self.http.close()
            self.http = None


class Load:
    """Starts the users, and ends them with the context."""

    def __init__(self, browser: Browser, users: int = 24, slow: int = 3, websockets: int = 3) -> None:
        self.browser = browser
        self.users = [User(f"reader{number}") for number in range(users)]
        self.slow = [User(f"slow{number}") for number in range(slow)]
        self.connected = [User(f"connected{number}") for number in range(websockets)]
        self.ended = threading.Event()
        self.end = now() + LONGEST_SECONDS
        self.interval = users / REQUESTS_PER_SECOND
        self.threads: list[threading.Thread] = []
        self.seconds = 0.0

    @property
    def everybody(self) -> list[User]:
        return [*self.users, *self.slow, *self.connected]

    def __enter__(self) -> Load:
        self.begin = now()
        work: list[tuple[Callable[[User], None], list[User]]] = [
            (self._read, self.users),
            (self._read_slowly, self.slow),
            (self._stay_connected, self.connected),
        ]
        for target, users in work:
            for user in users:
                thread = threading.Thread(target=self._guarded, args=(target, user), daemon=True)
                self.threads.append(thread)
                thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.ended.set()
        for thread in self.threads:
            thread.join(TIMEOUT)
        self.seconds = now() - self.begin

    def report(self) -> str:
        """The figures, for the output of the test."""
        total: collections.Counter[str] = collections.Counter()
        for user in self.everybody:
            total.update(user.counts)
        moves = collections.Counter(user.moves for user in self.everybody)
        failures = sum(len(user.failures) for user in self.everybody)
        rate = total["requests"] / self.seconds if self.seconds else 0.0
        return f"{rate:.0f} requests a second, {dict(total)}, {failures} failed; users by moves: {dict(moves)}"

    def _guarded(self, target: Callable[[User], None], user: User) -> None:
        while not self.ended.is_set() and now() < self.end:
            begin = now()
            try:
                target(user)
            except (OSError, http.client.HTTPException, ValueError, KeyError) as error:
                user.failures.append(f"{time.strftime('%H:%M:%S')} {user.name} on {user.nodes[-1:]}: {error!r}")
            self.ended.wait(max(0.0, self.interval - (now() - begin)))

    def _read(self, user: User) -> None:
        connection = Connection(self.browser)
        try:
            while not self.ended.is_set() and now() < self.end:
                begin = now()
                self._ask(connection, user, "/demo/api/info")
                self.ended.wait(max(0.0, self.interval - (now() - begin)))
        finally:
            connection.close()

    def _ask(self, connection: Connection, user: User, path: str) -> None:
        status, body = connection.get(user, path)
        user.counts["requests"] += 1
        if status != 200:
            raise ValueError(f"{path}: status {status}")
        user.on(str(json.loads(body)["node"]))

    def _read_slowly(self, user: User) -> None:
        connection = Connection(self.browser)
        try:
            self._ask(connection, user, "/demo/api/info")
            status, _body = connection.get(user, f"/demo/api/slow?ms={SLOW_MILLISECONDS}")
            user.counts["slow requests"] += 1
            if status != 200:
                raise ValueError(f"slow: status {status}")
        finally:
            connection.close()

    def _stay_connected(self, user: User) -> None:
        """A page with a WebSocket: reads, connects, and connects again when the WebSocket is closed."""
        connection = Connection(self.browser)
        try:
            self._ask(connection, user, "/demo/api/info")
        finally:
            connection.close()
        name = self.browser.public.partition(":")[0]
        cookies = "; ".join(f"{key}={value}" for key, value in user.cookies.items())
        with socket.create_connection((self.browser.address, 443), timeout=TIMEOUT) as plain:
            stream = self.browser.tls.wrap_socket(plain, server_hostname=name)
            stream.sendall(
                f"GET /demo/ws HTTP/1.1\r\nHost: {self.browser.public}\r\nCookie: {cookies}\r\n"
                "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n".encode()
            )
            head = stream.recv(4096)
            if b" 101 " not in head.partition(b"\r\n")[0]:
                raise ValueError(f"WebSocket: {head[:60]!r}")
            user.counts["WebSockets"] += 1
            while not self.ended.is_set() and now() < self.end:
                if not select.select([stream], [], [], 0.5)[0]:
                    continue
                with contextlib.suppress(OSError):
                    if stream.recv(4096):
                        continue
                return
