# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Users who work while an operation runs: reads, writes, uploads, searches, slow requests and WebSockets with sessions.

Bounded in rate and time. Each response is checked, and each write that was acknowledged is read again at the end.
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
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest import Browser

REQUESTS_PER_SECOND = 50
SLOW_MILLISECONDS = 5000
UPLOADED_BYTES = 200_000
# A writer replaces its documents in turn.
DOCUMENTS = 5
# The load ends by itself, whatever became of the test.
LONGEST_SECONDS = 1800
TIMEOUT = 120.0
COUNTED = ("requests", "slow requests", "WebSockets", "writes", "uploads", "searches")
# The rows of docs/load.md, by the runs of this checkout.
RESULTS = Path(__file__).resolve().parents[3] / ".cache/log/load.md"


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
    # What the service has acknowledged: the content of each path.
    written: dict[str, bytes] = field(default_factory=dict)

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
            return self.send(user, "GET", path)
        except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError, ssl.SSLEOFError):
            self.close()
            if not reused:
                raise
            user.counts["connected again"] += 1
            return self.send(user, "GET", path)

    def send(self, user: User, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        """Send a request once. What writes may not be sent twice, so a writer asks for a page just before."""
        if self.http is None:
            name = self.browser.public.partition(":")[0]
            self.http = http.client.HTTPSConnection(name, context=self.browser.tls, timeout=TIMEOUT)
            plain = socket.create_connection((self.browser.address, 443), timeout=TIMEOUT)
            self.http.sock = self.browser.tls.wrap_socket(plain, server_hostname=name)
        headers = {"Host": self.browser.public}
        if user.cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in user.cookies.items())
        if body is not None:
            headers["Content-Type"] = "application/json" if method == "POST" else "application/octet-stream"
        self.http.request(method, path, body, headers)
        response = self.http.getresponse()
        answer = response.read()
        for cookie in response.headers.get_all("Set-Cookie") or []:
            name, _equals, value = cookie.partition(";")[0].partition("=")
            user.cookies[name.strip()] = value
        if response.will_close:
            self.close()
        return response.status, answer

    def close(self) -> None:
        if self.http is not None:
            self.http.close()
            self.http = None


class Load:
    """Starts the users, and ends them with the context."""

    def __init__(self, browser: Browser, users: int = 24, slow: int = 3, websockets: int = 3, writers: int = 3) -> None:
        self.browser = browser
        self.users = [User(f"reader{number}") for number in range(users)]
        self.slow = [User(f"slow{number}") for number in range(slow)]
        self.connected = [User(f"connected{number}") for number in range(websockets)]
        self.writers = [User(f"writer{number}") for number in range(writers)]
        # Texts and documents of this load only.
        self.mark = uuid.uuid4().hex
        self.ended = threading.Event()
        self.end = now() + LONGEST_SECONDS
        self.interval = users / REQUESTS_PER_SECOND
        self.threads: list[threading.Thread] = []
        self.seconds = 0.0
        self._lost: list[str] | None = None

    @property
    def everybody(self) -> list[User]:
        return [*self.users, *self.slow, *self.connected, *self.writers]

    def __enter__(self) -> Load:
        self.begin = now()
        work: list[tuple[Callable[[User], None], list[User]]] = [
            (self._read, self.users),
            (self._read_slowly, self.slow),
            (self._stay_connected, self.connected),
            (self._write, self.writers),
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

    def lost(self) -> list[str]:
        """The acknowledged writes that cannot be read any more. Read once, through the balancer, after the load."""
        if self._lost is None:
            self._lost = self._read_again()
        return self._lost

    def _read_again(self) -> list[str]:
        reader, connection, lost = User("reader"), Connection(self.browser), []
        try:
            for path, content in [item for user in self.writers for item in user.written.items()]:
                status, body = connection.get(reader, path)
                found = str(json.loads(body)["text"]).encode() if status == 200 and "/notes/" in path else body
                if status != 200 or found != content:
                    lost.append(f"{path}: status {status}, {found[:60]!r} for {content[:60]!r}")
        finally:
            connection.close()
        return lost

    def report(self, operation: str) -> str:
        """The figures of an operation, for the output of the test. Also a row of the table in RESULTS."""
        total: collections.Counter[str] = collections.Counter()
        for user in self.everybody:
            total.update(user.counts)
        moves = collections.Counter(min(user.moves, 2) for user in self.everybody)
        row = {
            "operation": operation,
            "seconds": f"{self.seconds:.0f}",
            "requests a second": f"{total['requests'] / self.seconds if self.seconds else 0.0:.0f}",
            **{what: str(total[what]) for what in COUNTED},
            "failed": str(sum(len(user.failures) for user in self.everybody)),
            "lost writes": str(len(self.lost())),
            "users": str(len(self.everybody)),
            "moved once": str(moves[1]),
            "moved more often": str(moves[2]),
        }
        if not RESULTS.exists():
            RESULTS.parent.mkdir(parents=True, exist_ok=True)
            RESULTS.write_text(f"| {' | '.join(row)} |\n|---|{'--:|' * (len(row) - 1)}\n", encoding="utf-8")
        with RESULTS.open("a", encoding="utf-8") as stream:
            stream.write(f"| {' | '.join(row.values())} |\n")
        return ", ".join(f"{name}: {value}" for name, value in row.items())

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

    def _write(self, user: User) -> None:
        """A page with a form: reads it, writes a note, uploads a document, and searches."""
        connection = Connection(self.browser)
        number = user.counts["writes"]
        text = f"{self.mark} {user.name} {number}"
        document = f"/demo/api/documents/{user.name}-{self.mark[:8]}-{number % DOCUMENTS}"
        content = f"{text}\n".encode() * (UPLOADED_BYTES // len(text))
        try:
            self._ask(connection, user, "/demo/api/info")
            status, body = connection.send(user, "POST", "/demo/api/notes", json.dumps({"text": text}).encode())
            if status != 201:
                raise ValueError(f"note: status {status}")
            note = json.loads(body)
            if note["indexed"] is not True:
                raise ValueError(f"note {note['id']} is not in the index")
            user.written[f"/demo/api/notes/{note['id']}"] = text.encode()
            user.counts["writes"] += 1
            self._ask(connection, user, "/demo/api/info")
            status, _body = connection.send(user, "PUT", document, content)
            if status != 201:
                raise ValueError(f"document: status {status}")
            user.written[document] = content
            user.counts["uploads"] += 1
            status, _body = connection.get(user, f"/demo/api/search?q={self.mark}")
            if status != 200:
                raise ValueError(f"search: status {status}")
            user.counts["searches"] += 1
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
