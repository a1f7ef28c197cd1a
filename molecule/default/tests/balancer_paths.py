# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests that try to bypass the balancer's access rules, and ordinary ones that must pass. Runs on a load balancer.

Sends each request as bytes, since a client library would normalise it, by HTTP/1.1 and, where it can express the
request, by HTTP/2. Prints the status and the request target that reached the engine as JSON. The tests import the same
cases. Standard library only.
"""

from __future__ import annotations

import functools
import http.server
import itertools
import json
import random
import re
import socket
import ssl
import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from balancer_trial import HTTPS, Client, balancing, serving

EXEMPT, ADMINISTRATOR = "127.0.0.30", "127.0.0.31"
LOGIN_LIMIT = 5
REFUSED, CLOSED, PASSES = frozenset({400}), frozenset({400, 403}), frozenset({200})
FORBIDDEN = frozenset({403})
SYSTEM = ("/system", "/ivy/system")


@dataclass(frozen=True)
class Case:
    """A request and its acceptable statuses. Text represents bytes (Latin-1), HOST the public name."""

    target: str
    expected: frozenset[int]
    method: str = "GET"
    headers: tuple[str, ...] = ("Host: HOST",)
    # The target that reaches the engine, if it differs.
    arrives: str = ""
    http1: bool = True
    http2: bool = True
    # By HTTP/2 only.
    scheme: str = "https"
    authority: str = "HOST"
    # Asks for a tunnel (RFC 8441).
    protocol: str = ""

    @property
    def name(self) -> str:
        words = (self.method, repr(self.target[:100]), *self.headers, self.scheme, self.authority, self.protocol)
        return " ".join(filter(None, words))


# Requests of users.
OPEN = r"""
    / /app /app/ /app/100%25 /app/%25 /app/100%25%20off /app/50%25ab /app/5%25%C3%A4 /app/a+b /app/a%20b /app/a%2Bb
    /app/~user /app/@me /app/a:b /app/a,b=c&d!e$f'(g)*h /app/%C3%A4 /app/%E6%97%A5%E6%9C%AC /app/%F0%9F%98%80
    /app/%C3%A4%C3%B6%C3%BC/x /app/x;jsessionid=0123ABCD.engine1 /app;v=1/x;w=2 /app/x;name=M%C3%BCller /; /app/;
    /app//x /app/./x /app/...x /app/..x /app/x.. /app/a%2Fb /app/a%252Fb /app/a%2520b /app/What%3F /app/a%23b
    /app/a%3Bb /app/%5Bx%5D /app/x?a=/system /app/x?a=%zz /app/x?a=../..&b=%00 /app/x?%2e%2e=; /app/system
    /app/system/x /systems /system-info /system.css /systemx/y /ivy/systems /ivy /a%C4%B1b /app/%EF%BC%88x%EF%BC%89
    /app/a|b /app/rest/v1/items/123e4567-e89b-12d3-a456-426614174000:run /%EF%BD%93ystem
"""
# Paths with more than one interpretation.
AMBIGUOUS = r"""
    /% /app/% /app/%2 /app/%zz /app/%u0073 /app;%zz/x /app/x;%2 /system;%zz/engine-cockpit /app/%00
    /app/x%0d%0aHost:%20y /app/%09 /app/%7f /app/%2500 /app/%250a /app/%2509x /system%00 /system%00/x /app/..
    /app/../system /app/../../x /app/. /app/%2e%2e/system /app/%252e%252e/system /app/.%2e/system /app/..;/system
    /app/..;x=y/system /app/;/..;/system /app/%2e%2e;/system /app/..%3b/system /app/..%2fsystem /app/..%5csystem
    /app/..\system /app/%c0%af/x /app/%c0%ae%c0%ae/x /%c0%afsystem /app/%e0%80%af /app/%f0%80%80%af /app/%c1%9c
    /app/%E4 /app/%80 /app/%C3 /app/%C3%A4%A4 /app/%ED%A0%80 /app/%F4%90%80%80 /app/%FF /%80 /app/%25252e
    /%252573ystem /;%2fsystem/x /;%5csystem/x /;\system/x /;%252fsystem/x /app;%2f..;/system /;x=%2fsystem/x
"""
# Spellings of an administration path.
ADMINISTRATION_PATHS = r"""
    /system /system/ /system;%25 /system/%25 /system/engine-cockpit /system/engine-cockpit/%25
    /system/engine-cockpit;%25 /system/engine-cockpit;%25/x /SYSTEM/x /sYsTeM /%73ystem /%73%79%73%74%65%6d
    /%2573ystem /%25%37%33ystem /%2573ystem/100%25 /system%2fengine-cockpit /system%2Fengine-cockpit
    /system%252fengine-cockpit /%2fsystem/x /%5csystem/x //system/x ///system /./system/x /.//./system /\system
    /system\engine-cockpit /system%5cengine-cockpit /system%255cx /;/system/x /;x/;y/system /;%25/system /system;/x
    /system;x=y/x /system;a;b;c /system%3bx/y /system%253bx/y /%3b/system/x /system%3f /system%3fx/y /system?x
    /ivy/system /ivy//system /ivy;x/system /ivy%2fsystem/x /%C5%BFystem/x /sy%C5%BFtem /%53YSTEM/%c3%a4
    /%C4%B0vy/system /%C4%B1vy/system /system/..x /ivy/./system;jsessionid=1
"""


def named() -> list[Case]:
    """Known attacks on servers, and requests of users."""
    cases = [Case(path, PASSES) for path in OPEN.split()]
    cases += [Case(path, REFUSED) for path in AMBIGUOUS.split()]
    cases += [Case(path, FORBIDDEN) for path in ADMINISTRATION_PATHS.split()]
    cases += [
        Case(path, CLOSED)
        for path in ("/system/../app", "/app/../app/%zz/system", "/system/%E4", "/system/%00", "/system/x%")
    ]
    # Depending on version and protocol, HAProxy rejects these itself or passes them to the rules.
    cases += [
        Case(path, CLOSED)
        for path in (
            "/system#x",
            "/app#/../system",
            "/app\tx",
            "/\x00system",
            "/sys\x7ftem",
            "/%C5\xbfystem",
            "/system\xe4",
            "/system x",
        )
    ]
    cases += [
        Case(path, REFUSED, http2=False)
        for path in (
            "*",
            ";",
            "system",
            "HOST/system/x",
            "HOST",
            "HOST:443/system",
            "\\system",
            "?x",
            ".evil",
            "foo:/system",
            "foo://HOST/x",
        )
    ]
    cases += [
        # By HTTP/2, HAProxy 3.0 turns it into an ordinary path.
        Case("*", REFUSED | PASSES, "OPTIONS", arrives="/"),
        Case("/system", FORBIDDEN, "OPTIONS"),
        Case("/system", FORBIDDEN, "HEAD"),
        Case("/system", FORBIDDEN, "POST"),
        Case("/system", FORBIDDEN, "get"),
        Case("HOST:443", frozenset({405}), "CONNECT", ("Host: HOST:443",), http2=False),
        Case("/system", frozenset({400, 403, 405}), "CONNECT", http2=False),
        Case("https://HOST/system/x", FORBIDDEN, http2=False),
        Case("HTTPS://HOST/system;%25", FORBIDDEN, http2=False),
        Case("http://HOST/%2573ystem", FORBIDDEN, http2=False),
        Case("https://x@HOST/system", CLOSED, http2=False),
        Case("https://HOST/app/x?y=/z", PASSES, arrives="/app/x?y=/z", http2=False),
        Case("http://HOST/app;v=1/%C3%A4", PASSES, arrives="/app;v=1/%C3%A4", http2=False),
        Case("https://HOST", frozenset({200, 400}), arrives="/", http2=False),
        Case("https://HOST?/system", REFUSED, http2=False),
        Case("https://evil.example/x", REFUSED, http2=False),
    ]
    # A redirect to the public name, or status 421.
    elsewhere = frozenset({302, 400, 421})
    cases += [
        Case("/system", elsewhere, http1=False, authority=authority)
        for authority in ("HOST/app", "HOST/app?", "x@HOST", "HOST,HOST", "evil.example,HOST", "")
    ]
    cases += [
        Case("/system", CLOSED, http1=False, scheme=scheme)
        for scheme in ("http", "ftp", "https://HOST/app?", "https://x/app#", "/app?", "")
    ]
    cases += [
        Case("/app", CLOSED | {405}, "CONNECT", http1=False, protocol=protocol)
        for protocol in ("h2c", "websocket,h2c", "WebSocket/13", "")
    ]
    cases.append(Case("/system", CLOSED, "CONNECT", http1=False, protocol="websocket"))
    cases += [
        Case(path, REFUSED, http1=False) for path in ("https://HOST/system", "system", "", "/app HTTP/1.1\r\nX: y")
    ]
    cases += [Case("/\xc3\xa4", PASSES, http1=False), Case("/sy\xc5\xbftem", FORBIDDEN, http1=False)]
    cases += [
        Case("/app", elsewhere, method, headers, http2=False)
        for method in ("GET", "POST")
        for headers in (
            ("Host: evil.example,HOST",),
            ("Host: evil.example, HOST",),
            ("Host: HOST,evil.example",),
            ("Host: evil.example", "Host: HOST"),
            ("Host: HOST", "Host: evil.example"),
            ("Host: x@HOST",),
            ("Host: HOST/x",),
            ("Host: HOST.",),
            ("Host:",),
            ("X-No-Host: HOST",),
        )
    ]
    return cases


def long_paths(room: int) -> list[Case]:
    """Paths as long as the header limit allows, with what a rule matches at their beginning or end."""

    def filled(begin: str, part: str, end: str = "") -> str:
        return begin + part * ((room - len(begin) - len(end)) // len(part)) + end

    parts = ("/.", "/", ";", ";/", "/;x", "%2f", "%252f", "\\", "/%2e", "%3b", "%5c", "/;%25")
    cases = [
        Case(filled("", part, "/system/x") if part[0] in "/" else filled("/", part, "/system/x"), CLOSED)
        for part in parts
    ]
    cases += [Case(filled("/system/", part), CLOSED) for part in (*parts, "a", "a/", "%25", "%41", "%2541", "%C3%A4")]
    cases += [
        Case(filled("/app/", part), PASSES)
        for part in ("a", "a/", "%25", "%41", "%C3%A4", "a;b/", "a;", "%2520", "/./a")
    ]
    return cases


def spelled() -> list[Case]:
    """Every spelling of an administration path that a pair of transformations produces. None may pass."""

    def each(text: str, pattern: str) -> str:
        return re.sub("[a-z]", lambda found: pattern.format(ord(found[0])), text)

    def slashes(text: str, slash: str) -> str:
        return text[0] + text[1:].replace("/", slash)

    rules: tuple[Callable[[str], str], ...] = (
        lambda text: text,
        str.upper,
        lambda text: each(text, "%{:02x}"),
        lambda text: each(text, "%25{:02X}"),
        lambda text: text.replace("s", "%25%37%33"),
        lambda text: text.replace("s", "%73"),
        lambda text: text.replace("s", "%2573"),
        lambda text: text.replace("s", "%c5%bf"),
        lambda text: text.replace("/", "//"),
        lambda text: text.replace("/", "/./"),
        lambda text: text.replace("/", "/;/"),
        lambda text: text.replace("/", "/;a=b/"),
        lambda text: text.replace("/", "/%2e/"),
        lambda text: text.replace("/", ";%25/")[4:],
        lambda text: text.replace("m", "m;%25"),
        lambda text: text.replace("m", "m;%zz"),
        lambda text: text.replace("m", "m%3bx"),
        lambda text: text.replace("m", "m%253bx"),
        lambda text: slashes(text, "\\"),
        lambda text: slashes(text, "%2f"),
        lambda text: slashes(text, "%5C"),
        lambda text: slashes(text, "%252F"),
        lambda text: "/x/.." + text,
        lambda text: "/x/..;a" + text,
        lambda text: "/x/%2e%2e" + text,
        lambda text: "/x%2f.." + text,
        lambda text: text + "%00",
        lambda text: text + "%25",
        lambda text: text + "/%",
    )
    targets = {rule("/ivy/system") for rule in rules}
    targets.update(second(first("/system/x")) for first, second in itertools.combinations(rules, 2))
    return [Case(target, CLOSED) for target in sorted(targets) if target.startswith("/") and readings(target)]


PIECES = (
    *(
        "/",
        "/",
        "/",
        "system",
        "ivy",
        "app",
        "x",
        ";",
        ";a=b",
        "%25",
        "%2f",
        "%5c",
        "\\",
        "%3b",
        "%252f",
        "%253b",
        "%255c",
        "%2e",
        ".",
    ),
    *(
        "..",
        "%252e",
        "//",
        "/./",
        "%73ystem",
        "%2573ystem",
        "%25",
        "73",
        "2f",
        "%zz",
        "%",
        "%C3%A4",
        "%E4",
        "SYSTEM",
        "sy",
        "stem",
    ),
)


def random_paths(number: int) -> list[str]:
    """The same paths in each run."""
    chance = random.Random(1)
    return ["/" + "".join(chance.choices(PIECES, k=chance.randint(2, 7))) for _number in range(number)]


def readings(target: str) -> set[str]:
    """The administration paths that a server may read: parameters removed and escapes decoded in any order, twice."""

    def decode(text: str) -> str:
        return re.sub("%([0-9A-Fa-f]{2})", lambda found: chr(int(found[1], 16)), text)

    def strip(text: str) -> str:
        return re.sub(";[^/]*", "", text)

    def slash(text: str) -> str:
        return text.replace("\\", "/")

    def resolve(text: str) -> str:
        parts: list[str] = []
        for part in re.split("[/\0]", text):
            if part == "..":
                del parts[-1:]
            elif part not in ("", "."):
                parts.append(part)
        whole = ("/" + "/".join(parts)).encode("latin-1").decode("utf-8", "replace")
        return whole.replace("\u017f", "s").replace("\u212a", "k").replace("\u0130", "i").replace("\u0131", "i").lower()

    found = set()
    seen = {target.partition("?")[0]}
    for _step in range(6):
        seen |= {step(text) for text in seen for step in (strip, slash)}
        found |= {resolve(text) for text in seen}
        if _step < 2:
            seen |= {decode(text) for text in seen}
    return {path for path in SYSTEM for read in found if re.match(re.escape(path) + "(/|[?]|$)", read)}


def corpus() -> list[Case]:
    """All cases. Random paths may pass unless they can be read as an administration path."""
    return [
        *named(),
        *long_paths(14000),
        *spelled(),
        *(Case(target, CLOSED if readings(target) else CLOSED | PASSES) for target in random_paths(300)),
    ]


# With an allow-list: whether a path reaches the engine. All paths of the corpus that pass otherwise must be below it.
ALLOWED = ("/app", "/")
ALLOW_LIST = {
    **dict.fromkeys(
        ("/", "/app", "/app/", "/APP/x", "/%61pp/x", "/app;v=1/x", "/app/x?a=/other", "/./app", "//app"), True
    ),
    **dict.fromkeys(
        ("/apps", "/other", "/other/app", "/app%3fx", "/%61pps", "/;/other", "/;x/app2", "/other;/app", "/other%2fapp"),
        False,
    ),
}


# Several requests with each spelling from one address: at most LOGIN_LIMIT may reach the engine.
LOGINS = (
    *(
        "/app/login",
        "/app/Login.xhtml",
        "/app/login;%25",
        "/app/login;%zz",
        "/app/login;",
        "/app/login;x=%2f",
        "/app/%6cogin",
    ),
    *(
        "/app/%256cogin",
        "/app/l%25%36%66gin",
        "/app/login/",
        "/app/login//",
        "/app/login/.",
        "/app/login%2f",
        "/app/log%C4%B1n",
    ),
    *(
        "/app/login;x/",
        "/app%2flogin",
        "/app\\login",
        "/app/x;/login",
        "/app/100%25/login",
        "/app/login%3bx",
        "/app/login%253bx",
    ),
    *(
        "/app/j_security_check",
        "/app/j_security_check;%25",
        "/app/J_%53ecurity_check/;x",
        "https://HOST/app/login",
        "HOST/app/login",
    ),
    *("/app/" + "x" * 13000 + "/login", "/app/" + "x" * 13000 + "login", "/app" + "/;" * 6500 + "/login"),
)
# The same for headers with which a trusted proxy names the user's address.
FORWARDED = (
    *(
        "",
        "X-Forwarded-For:",
        "X-Forwarded-For: unknown",
        "X-Forwarded-For: 198.51.100.1,",
        "X-Forwarded-For: 198.51.100",
    ),
    *("X-Forwarded-For: 198.51.100.2, x", "X-Forwarded-For: 198.51.100.3x", "X-Forwarded-For: fe80::1%eth0"),
    *(
        "X-Forwarded-For: 198.51.100.4:1234",
        "X-Forwarded-For: [2001:db8:1::4]:1234",
        "X-Forwarded-For: [2001:db8:2::5]",
    ),
    *(
        "X-Forwarded-For: 2001:db8:3::6",
        "X-Forwarded-For: 198.51.100.7",
        "X-Forwarded-For: 198.51.100.8\r\nX-Forwarded-For: x",
    ),
    *("X-Forwarded-For: 198.51.100.9, 127.0.2.251", "X-Forwarded-For: 198.51.100.10, 127.0.2.252, 127.0.2.253"),
    *("X-Forwarded-For: x, 127.0.2.254", "X-Forwarded-For: 127.0.2.250"),
)


# Source address and header of the user's address: status of the administration.
ADMINISTRATION = {
    ("127.0.2.101", "X-Forwarded-For: 198.51.100.101"): 200,
    ("127.0.2.102", "X-Forwarded-For: 203.0.113.1, 198.51.100.102:1234"): 200,
    ("127.0.2.103", "X-Forwarded-For: 198.51.100.103, 127.0.2.201"): 200,
    ("127.0.2.104", "X-Forwarded-For: 198.51.100.104, 127.0.2.201, 127.0.2.202"): 200,
    ("127.0.2.105", "X-Forwarded-For: 198.51.100.105, 203.0.113.1"): 403,
    ("127.0.2.106", "X-Forwarded-For: 198.51.100.106, 203.0.113.1, 127.0.2.201"): 403,
    ("127.0.2.107", "X-Forwarded-For: 198.51.100.107, x"): 403,
    ("127.0.2.108", "X-Forwarded-For: 198.51.100.108, x, 127.0.2.201"): 403,
    ("127.0.2.109", "X-Forwarded-For: 198.51.100.109,"): 403,
    ("127.0.2.110", "X-Forwarded-For: 198.51.100.110, 127.0.2.201, 127.0.2.202, 127.0.2.203"): 403,
    ("127.0.2.111", "X-Forwarded-For: 198.51.100.111\r\nX-Forwarded-For: x"): 403,
    ("127.0.2.112", "X-Forwarded-For: 127.0.2.201"): 403,
    ("127.0.2.113", "X-Forwarded-For:"): 403,
    ("127.0.2.114", ""): 403,
    ("127.0.3.101", "X-Forwarded-For: 198.51.100.115"): 403,
}


class Engine(http.server.BaseHTTPRequestHandler):
    """Reports the request target that reached it."""

    protocol_version = "HTTP/1.1"
    # Send the response in one piece: the kernel would delay a second one until the first is acknowledged.
    wbufsize = -1

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = json.dumps({"target": self.requestline.split(" ")[1]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_POST = do_OPTIONS = do_HEAD = do_GET

    def log_message(self, *_arguments: Any) -> None:
        pass


@functools.cache
def tls(protocol: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols([protocol])
    return context


def open_tls(client: Client, source: str, protocol: str) -> socket.socket:
    plain = socket.create_connection(("127.0.0.1", HTTPS), timeout=60, source_address=(source, 0))
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return tls(protocol).wrap_socket(plain, server_hostname=client.host)


def read_all(stream: socket.socket) -> bytes:
    data = b""
    try:
        while more := stream.recv(65536):
            data += more
    except ConnectionError:
        pass
    return data


# The status (0 for a closed connection), and what the engine reports about the request that reached it.
Answer = tuple[int, dict[str, str]]


def report(body: bytes) -> dict[str, str]:
    """What the engine reports, empty if the response is not the engine's."""
    found: dict[str, str] = json.loads(body) if body.startswith(b'{"target"') else {}
    return found


def ask_http1(client: Client, case: Case, source: str = EXEMPT) -> Answer:
    with open_tls(client, source, "http/1.1") as stream:
        return exchange(stream, case, client.host)


def exchange(stream: socket.socket, case: Case, host: str) -> Answer:
    """Sends the request by HTTP/1.1."""
    lines = [f"{case.method} {case.target} HTTP/1.1", *case.headers, "Content-Length: 0", "Connection: close", "", ""]
    stream.sendall("\r\n".join(lines).replace("HOST", host).encode("latin-1"))
    head, _empty, body = read_all(stream).partition(b"\r\n\r\n")
    return int(head.split(b" ")[1]) if head.startswith(b"HTTP/1.1 ") else 0, report(body)


def literal(name: bytes, value: bytes) -> bytes:
    """A header field without table reference and without Huffman coding."""

    def text(data: bytes) -> bytes:
        if len(data) < 127:
            return bytes([len(data)]) + data
        length, number = b"\x7f", len(data) - 127
        while number > 127:
            length += bytes([number % 128 + 128])
            number //= 128
        return length + bytes([number]) + data

    return b"\x10" + text(name) + text(value)


def ask_http2(client: Client, case: Case) -> Answer:
    """The same by HTTP/2. A reset stream or connection counts as status 0."""

    def frame(kind: int, flags: int, stream_id: int, data: bytes) -> bytes:
        return struct.pack(">I", len(data))[1:] + bytes([kind, flags]) + struct.pack(">I", stream_id) + data

    target = case.target.replace("HOST", client.host).encode("latin-1")
    head = literal(b":method", case.method.encode()) + literal(b":path", target)
    head += literal(b":scheme", case.scheme.replace("HOST", client.host).encode())
    head += literal(b":authority", case.authority.replace("HOST", client.host).encode())
    if case.protocol:
        head += literal(b":protocol", case.protocol.encode())
    status, body = 0, b""
    with open_tls(client, EXEMPT, "h2") as stream:
        stream.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, b"") + frame(1, 5, 1, head))
        data = b""
        while True:
            while len(data) < 9 or len(data) < 9 + int.from_bytes(data[:3], "big"):
                try:
                    more = stream.recv(65536)
                except ConnectionError:
                    more = b""
                if not more:
                    return status, report(body)
                data += more
            size, kind, flags, number = (
                int.from_bytes(data[:3], "big"),
                data[3],
                data[4],
                int.from_bytes(data[5:9], "big"),
            )
            content, data = data[9 : 9 + size], data[9 + size :]
            if kind == 1 and number == 1:
                # The status is the first field: an entry of the static table, or a literal with an indexed name.
                known = {8: 200, 9: 204, 10: 206, 11: 304, 12: 400, 13: 404, 14: 500}
                status = known[content[0] - 128] if content[0] > 128 else int(content[2:5])
            if kind == 0 and number == 1:
                body += content
            if (kind in (0, 1) and number == 1 and flags & 1) or kind in (3, 7):
                return status, report(body)


def mismatches(found: list[Any], protocol: str, host: str) -> list[str]:
    """The cases with an unexpected status or an unexpected target at the engine."""
    wrong = []
    for case, response in zip(corpus(), found, strict=True):
        if response is None:
            continue
        status, arrived = response[0], response[1].get("target", "")
        # HAProxy resets a stream whose header it does not accept.
        expected = case.expected | ({0} if protocol == "http2" and 400 in case.expected else set())
        target = (case.arrives or case.target).replace("HOST", host)
        if status not in expected or (status == 200 and case.method != "HEAD" and arrived != target):
            wrong.append(f"{case.name}: status {status} instead of {sorted(expected)}, {arrived[:100]!r} at the engine")
    return wrong


def unlimited(spellings: tuple[str, ...], found: list[list[int]]) -> list[str]:
    """The spellings that were not limited. HAProxy may count a few less at the border of two minutes."""
    wrong = []
    for spelling, statuses in zip(spellings, found, strict=True):
        passed = statuses.count(200)
        limited = [200] * passed + [429] * (len(statuses) - passed)
        ordinary = statuses == limited and LOGIN_LIMIT <= passed < len(statuses)
        if not ordinary and statuses != [400] * len(statuses):
            wrong.append(f"{spelling[:100]!r}: {statuses}")
    return wrong


def post(client: Client, path: str, source: str, header: str = "") -> int:
    return ask_http1(client, Case(path, PASSES, "POST", ("Host: HOST", *filter(None, [header]))), source)[0]


def ask_corpus(client: Client) -> dict[str, list[Answer | None]]:
    cases = corpus()
    return {
        "http1": [ask_http1(client, case) if case.http1 else None for case in cases],
        "http2": [ask_http2(client, case) if case.http2 else None for case in cases],
    }


def ask_limits(client: Client) -> dict[str, Any]:
    return {
        "logins": [
            [post(client, path, f"127.0.3.{number}") for _number in range(LOGIN_LIMIT + 4)]
            for number, path in enumerate(LOGINS, 1)
        ],
        "forwarded": [
            [post(client, "/app/login", f"127.0.2.{number}", header) for _number in range(LOGIN_LIMIT + 4)]
            for number, header in enumerate(FORWARDED, 1)
        ],
        "administration": [post(client, "/system", source, header) for source, header in ADMINISTRATION],
    }


def ask_allowed(client: Client) -> dict[str, Any]:
    asked = [Case(path, PASSES) for path in ALLOW_LIST]
    return {
        "http1": [ask_http1(client, case) if case.http1 else None for case in corpus()],
        "allowed1": [ask_http1(client, case)[0] for case in asked],
        "allowed2": [ask_http2(client, case)[0] for case in asked],
    }


def main(directory: str, host: str, way: str = "") -> None:
    """With "tomcat", the engine is not started here: another program listens at its port."""
    if way == "tomcat":
        with balancing(directory, host) as client:
            administrator = ask_http1(client, Case(SYSTEM[0], PASSES), ADMINISTRATOR)
            print(json.dumps({**ask_corpus(client), "administrator": administrator}))
        return
    with serving(directory, host, Engine) as client:
        print(json.dumps(ask_allowed(client) if way == "allow-list" else {**ask_corpus(client), **ask_limits(client)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
