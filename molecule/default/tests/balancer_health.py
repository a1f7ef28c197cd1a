# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which responses of an engine count as healthy for the balancer and for the gate. Runs on a load balancer.

Each server of a second HAProxy is an address of this host, at which the engine answers in another way. Prints the
verdicts of HAProxy and of the gate's own function as JSON. Standard library only.
"""

from __future__ import annotations

import contextlib
import csv
import http.server
import itertools
import json
import socket
import subprocess
import sys
import threading
import time
from typing import Any, ClassVar

from balancer_trial import ENGINE, PATIENCE
from engine_probe.health import check

STATUSES = (200, 201, 204, 301, 302, 303, 304, 307, 308, 400, 401, 404, 500, 503)
BODIES = (
    "",
    "Axon Ivy Engine to the demo-portal",
    "Maintenance Mode of Axon Ivy Engine",
    "Demo Mode",
    "demo portal of Axon Ivy Engine",
    "Welcome to nginx!",
    "axon ivy engine",
)
ANSWERS = [(200, body) for body in BODIES] + list(
    itertools.product(STATUSES, ("Axon Ivy Engine", "Axon Ivy Engine in Demo Mode"))
)
# The answers to the request for the first path, and to all others.
CELLS = [*((answer, (200, "Axon Ivy Engine")) for answer in ANSWERS), *(((200, ""), answer) for answer in ANSWERS)]
ADDRESSES = {f"cell{number}": f"127.0.{1 + number // 200}.{1 + number % 200}" for number in range(len(CELLS))}


class Engine(http.server.BaseHTTPRequestHandler):
    """Answers as the address requires. Remembers the headers of the requests."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1
    first = ""
    headers_of: ClassVar[dict[str, set[str]]] = {}

    def do_GET(self) -> None:
        cell = list(ADDRESSES.values()).index(self.connection.getsockname()[0])
        status, body = CELLS[cell][self.path != self.first]
        fields = sorted(f"{key.lower()}: {value}" for key, value in self.headers.items())
        self.headers_of.setdefault(self.path, set()).add("\n".join(fields))
        self.send_response(status)
        if status in (301, 302, 303, 307, 308):
            self.send_header("Location", "/system/elsewhere")
        data = b"" if status in (204, 304) else body.encode()
        if status not in (204, 304):
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_arguments: Any) -> None:
        pass


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 1024


def verdicts(path: str) -> dict[str, bool]:
    """Whether HAProxy has each server up, once every check has run often enough."""
    end = time.monotonic() + PATIENCE
    while True:
        with socket.socket(socket.AF_UNIX) as stream, contextlib.suppress(OSError):
            stream.connect(path)
            stream.sendall(b"show stat\n")
            text = b"".join(iter(lambda: stream.recv(65536), b"")).decode()
            lines = list(csv.DictReader(text.lstrip("# ").splitlines()))
            rows = {row["svname"]: row for row in lines if row["svname"] in ADDRESSES}
            # A new server is up until its checks have failed; "UP 2/3" and "DOWN 1/2" are on their way.
            decided = [row["status"] in ("UP", "DOWN") and row["check_status"].startswith("L") for row in rows.values()]
            if decided and all(decided):
                return {name: row["status"] == "UP" for name, row in rows.items()}
        if time.monotonic() > end:
            sys.exit("HAProxy has not finished its checks.")
        time.sleep(0.2)


def main(directory: str, _name: str, path: str, definition: str, host: str) -> None:
    health = json.loads(definition)
    Engine.first = health["requests"][0]["path"]
    server = Server(("0.0.0.0", ENGINE), Engine)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    program = subprocess.Popen(["/usr/sbin/haproxy", "-q", "-db", "-f", f"{directory}/haproxy.cfg"])
    try:
        by_balancer = verdicts(path)
        asked = {name: sorted(headers) for name, headers in Engine.headers_of.items()}
        Engine.headers_of.clear()
        by_gate = {name: check(ENGINE, host, health, address=address).ok for name, address in ADDRESSES.items()}
        by_gate_asked = {name: sorted(headers) for name, headers in Engine.headers_of.items()}
        print(json.dumps({"balancer": by_balancer, "gate": by_gate, "asked": asked, "asked_by_gate": by_gate_asked}))
    finally:
        program.terminate()
        program.wait()
        server.shutdown()


if __name__ == "__main__":
    main(*sys.argv[1:])
