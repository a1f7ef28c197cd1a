# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An unpacked engine that a test starts, queries and stops."""

from __future__ import annotations

import base64
import os
import socket
import subprocess
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.ivy.cluster.tests.timing import PATIENCE, wait_until

READY = "Axon Ivy Engine is running and ready to serve."


def free_port() -> int:
    """Return an unused port of the loopback interface."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@dataclass
class Response:
    """An HTTP response of the engine."""

    status: int
    text: str
    headers: dict[str, str]


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_arguments: object) -> None:
        """A redirect is an error, which the caller turns into its response."""


@dataclass
class StandIn:
    """One engine directory with a free port."""

    directory: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    def file(self, name: str) -> Path:
        """Return a path below the engine's directory."""
        return self.directory / name

    def read(self, name: str) -> str:
        """Return the text of a file, empty if there is none."""
        path = self.file(name)
        return path.read_text(encoding="utf-8") if path.exists() else ""

    def write(self, name: str, text: str) -> None:
        """Write a file in place."""
        self.file(name).parent.mkdir(parents=True, exist_ok=True)
        self.file(name).write_text(text, encoding="utf-8")

    def replace(self, name: str, text: str) -> None:
        """Replace a file by rename, as configuration management does."""
        temporary = self.file(name).with_name(f".{self.file(name).name}.new")
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(self.file(name))

    def launch(
        self,
        *options: str,
        environment: dict[str, str] | None = None,
        stdin: int = subprocess.DEVNULL,
        user: int | None = None,
    ) -> subprocess.Popen[bytes]:
        """Start the engine in the foreground, with system properties for the Java virtual machine."""
        with self.file("configuration/jvm.options").open("a", encoding="utf-8") as file:
            file.writelines(f"{option}\n" for option in options)
        variables = {**os.environ, "IVY_CONNECTOR_HTTP_PORT": str(self.port), "IVY_CONNECTOR_HTTP_ADDRESS": "127.0.0.1"}
        self.process = subprocess.Popen(
            [str(self.file("bin/AxonIvyEngine"))],
            env={**variables, **(environment or {})},
            stdin=stdin,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
            user=user,
        )
        return self.process

    def start(
        self,
        *options: str,
        environment: dict[str, str] | None = None,
        stdin: int = subprocess.DEVNULL,
        user: int | None = None,
    ) -> subprocess.Popen[bytes]:
        """Start the engine and wait until it is ready."""
        process = self.launch(*options, environment=environment, stdin=stdin, user=user)
        wait_until(lambda: READY in self.read("logs/ivy.log") or process.poll() is not None, "ready")
        assert process.poll() is None, self.read("logs/ivy.log")
        return process

    def control(self, command: str) -> str:
        """Run a command of bin/AxonIvyEngine and return what it prints."""
        done = subprocess.run(
            [str(self.file("bin/AxonIvyEngine")), command], check=True, capture_output=True, text=True, timeout=PATIENCE
        )
        return done.stdout.strip()

    def stop(self) -> None:
        """Terminate the process that this object started, if it is still running."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout=PATIENCE)
            finally:
                self.process.kill()

    def ask(
        self,
        path: str,
        body: bytes | None = None,
        method: str | None = None,
        headers: dict[str, str] | None = None,
        account: str = "",
        follow: bool = True,
    ) -> Response:
        """Send a request. Redirects are followed unless that is disabled."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}", data=body, method=method, headers=headers or {}
        )
        if account:
            request.add_header("Authorization", "Basic " + base64.b64encode(account.encode()).decode())
        try:
            opener = urllib.request.build_opener(*(() if follow else (_NoRedirects,)))
            with opener.open(request, timeout=PATIENCE) as response:
                return Response(response.status, response.read().decode(), dict(response.headers))
        except urllib.error.HTTPError as error:
            with error:
                return Response(error.code, error.read().decode(), dict(error.headers))
