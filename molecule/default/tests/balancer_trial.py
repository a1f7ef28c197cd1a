# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs on a load balancer: starts a second HAProxy with other options and sends it requests from several addresses.

Its backend reports what reached it. Prints the outcome of each request as JSON. This tests options without changing
the serving balancer. Standard library only.
"""

from __future__ import annotations

import base64
import contextlib
import gzip
import hashlib
import http.client
import http.server
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

HTTPS, ENGINE = 9443, 9081
PATIENCE = 120.0
USER, TRUSTED, SPEAKS_PROXY, OTHER = "127.0.0.10", "127.0.0.2", "127.0.0.3", "127.0.0.11"
# Limits count the requests of each user.
ANOTHER_USER = "127.0.0.51"


# The header of a request with chunks has reached the engine.
CHUNKED_HEADER = threading.Event()


class Engine(http.server.BaseHTTPRequestHandler):
    """Reports the headers that reached it. The path selects the response."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path.startswith("/upgrade"):
            self.switch_protocols()
            return
        if self.path == "/broken":
            self.close_connection = True
            self.wfile.write(b"This is not HTTP.\r\n\r\n")
            return
        body = json.dumps({name.lower(): ", ".join(self.headers.get_all(name) or ()) for name in self.headers}).encode()
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            CHUNKED_HEADER.set()
        while "chunked" in self.headers.get("Transfer-Encoding", "") and (size := int(self.rfile.readline(), 16)):
            self.rfile.read(size + 2)
        self.send_response(401 if self.path.startswith("/secret") else 200)
        kind = (
            "text/event-stream" if self.path == "/events" else "image/png" if self.path == "/picture" else "text/html"
        )
        self.send_header("Content-Type", kind)
        if self.path == "/own":
            self.send_header("X-Frame-Options", "DENY")
            self.send_header("Strict-Transport-Security", "max-age=0")
        body += b" " * 4000
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def switch_protocols(self) -> None:
        """Accepts any protocol, also if the request names none, and returns what it then receives."""
        self.close_connection = True
        protocol = self.headers.get("Upgrade") or "h2c"
        # RFC 6455, 1.3. HAProxy compares it.
        key = self.headers.get("Sec-WebSocket-Key", "") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
        head = f"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: {protocol}\r\n"
        head += f"Sec-WebSocket-Accept: {accept}\r\n\r\n"
        with contextlib.suppress(OSError):
            self.connection.sendall(head.encode())
            while data := self.connection.recv(4096):
                self.connection.sendall(data)

    def version_string(self) -> str:
        return "Backend/1.0"

    def log_message(self, *_arguments: Any) -> None:
        pass


class Client:
    """Sends requests from any local address."""

    def __init__(self, host: str) -> None:
        self.host = host
        self.tls = ssl.create_default_context()
        self.tls.check_hostname = False
        self.tls.verify_mode = ssl.CERT_NONE

    def open(self, source: str, first: bytes = b"") -> socket.socket:
        plain = socket.create_connection(("127.0.0.1", HTTPS), timeout=PATIENCE, source_address=(source, 0))
        plain.sendall(first)
        return self.tls.wrap_socket(plain, server_hostname=self.host)

    def ask(
        self,
        source: str,
        path: str = "/x",
        method: str = "GET",
        body: bytes | Iterator[bytes] = b"",
        first: bytes = b"",
        headers: dict[str, str] | None = None,
    ) -> dict[str, Any]:
        try:
            with self.open(source, first) as stream:
                connection = http.client.HTTPConnection(self.host)
                connection.sock = stream
                named = {name.replace("_", "-"): value for name, value in (headers or {}).items()}
                connection.request(method, path, body or None, {"Host": self.host, **named})
                response = connection.getresponse()
                data = response.read()
        except (OSError, http.client.HTTPException) as exc:
            return {"status": 0, "why": repr(exc)}
        compressed = response.headers.get("Content-Encoding") == "gzip"
        text = gzip.decompress(data) if compressed else data
        names = {name.lower(): value for name, value in response.headers.items()}
        arrived = json.loads(text) if text.lstrip().startswith(b"{") else {}
        page = text[:2000].decode("latin-1") if response.status >= 400 else ""
        return {"status": response.status, "headers": names, "arrived": arrived, "size": len(data), "page": page}


WEBSOCKET = "Upgrade: websocket"
KEY = "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg=="
# Header lines of a request that asks for another protocol, and whether it may get it.
UPGRADES: dict[tuple[str, ...], bool] = {
    ("Connection: Upgrade", WEBSOCKET, KEY): True,
    ("Connection: keep-alive, Upgrade", "upgrade: WebSocket", KEY): True,
    (): False,
    ("Connection: Upgrade",): False,
    **dict.fromkeys(
        (
            (connection, *(f"{name}: {value}" for value in values))
            for connection in ("Connection: Upgrade", "Connection: Upgrade, HTTP2-Settings", "Connection: keep-alive")
            for name in ("Upgrade", "uPGRADE")
            for values in (
                ("h2c",),
                ("H2C",),
                ("h2",),
                ("TLS/1.0",),
                ("HTTP/2.0",),
                ("websocket/13",),
                ("websocket,h2c",),
                ("h2c, websocket",),
                ("websocket h2c",),
                ("x-websocket",),
                (",",),
                ("",),
                ("websocket", "h2c"),
                ("h2c", "websocket"),
                ("websocket", "websocket"),
                ("", "websocket"),
            )
        ),
        False,
    ),
}


def late_chunks() -> Iterator[bytes]:
    """A body that comes after the rules were applied. What comes with the header counts like an announced length."""
    CHUNKED_HEADER.wait(PATIENCE)
    yield from [b"x" * 1000] * 3


def changes_protocol(client: Client, lines: tuple[str, ...]) -> bool:
    """Whether what the client sends behind its request reaches the engine unchecked."""
    head = "\r\n".join(("GET /upgrade HTTP/1.1", f"Host: {client.host}", *lines, "", "")).encode()
    with client.open("127.0.0.30") as stream, contextlib.suppress(OSError):
        stream.sendall(head)
        answer = stream.recv(4096)
        if b" 101 " not in answer.partition(b"\r\n")[0]:
            return False
        stream.sendall(b"GET /system HTTP/1.1\r\n\r\n")
        while data := stream.recv(4096):
            answer += data
            if b"GET /system" in answer:
                return True
    return False


def addresses(host: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Client, and headers with which it names the URL."""
    for port in ("", ":1", ":81", ":443", ":8443", ":65535", ":99999"):
        yield ANOTHER_USER, {"Host": host + port}
        yield ANOTHER_USER, {"Host": host.upper() + port, "X_Forwarded_Host": "other.example.com" + port}
        yield TRUSTED, {"Host": host + port, "X_Forwarded_For": "198.51.100.30"}


def scenes(client: Client) -> dict[str, Any]:
    forged = {"X_Forwarded_For": "198.51.100.1", "X_Forwarded_Proto": "http", "X_Forwarded_Host": "evil.example.com"}
    forged.update({"X_Forwarded_Port": "81", "X_Forwarded_User": "admin", "X_Real_IP": "198.51.100.1"})
    forged.update({"Forwarded": "host=evil.example.com;proto=http", "X_Original_URL": "/system"})
    forged.update({"X_Forwarded_Prefix": "/evil", "X_Forwarded_Ssl": "off", "Front_End_Https": "off"})
    found: dict[str, Any] = {
        "from_user": client.ask(USER, headers=forged),
        "from_trusted": client.ask(TRUSTED, headers=forged),
        "from_trusted_bare": client.ask(TRUSTED),
        "foreign_name": client.ask("127.0.0.52", headers={"Host": "evil.example.com"}),
        "addresses": [client.ask(source, headers=headers) for source, headers in addresses(client.host)],
        "proxy_protocol": client.ask(
            SPEAKS_PROXY, first=b"PROXY TCP4 198.51.100.77 127.0.0.1 1234 443\r\n", headers=forged
        ),
        "proxy_protocol_missing": client.ask(SPEAKS_PROXY),
        "proxy_protocol_of_a_user": client.ask(USER, first=b"PROXY TCP4 198.51.100.77 127.0.0.1 1234 443\r\n"),
        "page": client.ask(USER),
        "page_compressed": client.ask(USER, headers={"Accept_Encoding": "gzip"}),
        "events": client.ask(USER, "/events", headers={"Accept_Encoding": "gzip"}),
        "picture": client.ask(USER, "/picture", headers={"Accept_Encoding": "gzip"}),
        "own": client.ask(USER, "/own"),
        "large_body": client.ask(USER, method="POST", body=b"x" * 2001),
        "body": client.ask(USER, method="POST", body=b"x" * 1999),
        "chunked_body": client.ask(USER, method="POST", body=late_chunks()),
        "large_head": client.ask(USER, headers={"X_Large": "x" * 6000}),
        "head": client.ask(USER, headers={"X_Large": "x" * 2000}),
        "errors": [client.ask(USER, path) for path in ("/%zz", "/system", "/broken")],
        "upgrades": [changes_protocol(client, lines) for lines in UPGRADES],
    }
    # Each burst uses another address, so that requests of other scenes do not count towards its limit.
    found["burst"] = [client.ask("127.0.0.20") for _number in range(26)]
    found["while_another_waits"] = client.ask(OTHER)
    behind = {"X_Forwarded_For": "198.51.100.20"}
    found["burst_behind_trusted"] = [client.ask(TRUSTED, headers=behind) for _number in range(26)]
    found["another_behind_trusted"] = client.ask(TRUSTED, headers={"X_Forwarded_For": "198.51.100.21"})
    found["burst_of_exempt"] = [client.ask("127.0.0.30") for _number in range(26)]
    found["logins"] = [client.ask("127.0.0.40", "/app/Login.xhtml", "POST") for _number in range(8)]
    found["page_after_logins"] = client.ask("127.0.0.40", "/app/Login.xhtml")
    basic = {"Authorization": "Basic Zm9vOmJhcg=="}
    found["failed"] = [client.ask("127.0.0.50", "/secret", headers=basic) for _number in range(6)]
    found["page_after_failures"] = client.ask("127.0.0.50")
    held = []
    for _number in range(8):
        try:
            held.append(client.open("127.0.0.60"))
        except OSError:  # noqa: PERF203  (the first rejected connection ends the loop)
            break
    found["held_connections"] = len(held)
    for stream in held:
        stream.close()
    return found


def lengthen_periods(file: str) -> None:
    """Makes a burst count as one even if its requests take longer than the periods of the limits."""
    with open(file, encoding="utf-8") as stream:
        text = stream.read()
    text, found = re.subn(r"_rate\(\d+[smh]\)", "_rate(1h)", text)
    if not found:
        sys.exit(f"{file} contains no rate limit.")
    with open(file, "w", encoding="utf-8") as stream:
        stream.write(text)


def await_server(client: Client) -> None:
    end = time.monotonic() + PATIENCE
    while (response := client.ask("127.0.0.30", "/app/x"))["status"] != 200:
        if time.monotonic() > end:
            sys.exit(f"The second HAProxy does not serve: {response}")
        time.sleep(0.1)


@contextlib.contextmanager
def responding(engine: type[http.server.BaseHTTPRequestHandler], certificate: str = "") -> Iterator[None]:
    """The engine, which runs within the context. With a certificate it speaks TLS."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", ENGINE), engine)
    if certificate:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(certificate, f"{certificate}.key")
        # In the thread of the connection, or one connection would delay the others.
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


@contextlib.contextmanager
def balancing(directory: str, host: str) -> Iterator[Client]:
    """A client for the second HAProxy, which runs within the context."""
    pid_file = f"{directory}/pid"
    lengthen_periods(f"{directory}/haproxy.cfg")
    subprocess.run(["/usr/sbin/haproxy", "-q", "-D", "-f", f"{directory}/haproxy.cfg", "-p", pid_file], check=True)
    try:
        client = Client(host)
        await_server(client)
        yield client
    finally:
        with open(pid_file, encoding="ascii") as stream:
            os.kill(int(stream.read()), signal.SIGTERM)


@contextlib.contextmanager
def serving(
    directory: str, host: str, engine: type[http.server.BaseHTTPRequestHandler], certificate: str = ""
) -> Iterator[Client]:
    """A client for the second HAProxy. HAProxy and the engine run within the context."""
    with responding(engine, certificate), balancing(directory, host) as client:
        yield client


def main(directory: str, host: str) -> None:
    with serving(directory, host, Engine) as client:
        print(json.dumps(scenes(client)))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
