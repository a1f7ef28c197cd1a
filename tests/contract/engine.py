# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An unpacked engine that a test configures, starts, queries and stops, using only what every engine offers."""

from __future__ import annotations

import base64
import http.client
import json
import os
import pwd
import signal
import subprocess
import time
import typing as t
import urllib.parse
from dataclasses import dataclass, field
from pathlib import Path

READY = "Axon Ivy Engine is running and ready to serve."
USER = "ivy"
Files = dict[str, tuple[int, int]]


# Ends a test that hangs. Nothing that works takes this long, even on a slow machine.
PATIENCE = 120.0


def wait_for(condition: t.Callable[[], object], what: str, seconds: float = PATIENCE) -> float:
    """Wait until the condition holds and return the elapsed seconds, or fail with a description."""
    begin = time.monotonic()
    while not condition():
        if time.monotonic() > begin + seconds:
            raise AssertionError(f"not within {seconds:.0f} s: {what}")
        time.sleep(0.05)
    return time.monotonic() - begin


def seconds_of(work: t.Callable[[], object]) -> float:
    """The duration of something, for the report."""
    begin = time.monotonic()
    work()
    return time.monotonic() - begin


@dataclass
class Response:
    """An HTTP response; status 0 if there was none."""

    status: int
    text: str = ""
    cookies: tuple[str, ...] = ()
    location: str = ""


@dataclass
class Health:
    """The responses to the requests with which balancer and gate check an engine, and whether they accept them."""

    responses: list[tuple[str, Response]]
    accepted: bool

    @property
    def answered(self) -> bool:
        return all(response.status for _path, response in self.responses)

    @property
    def seen(self) -> str:
        return ", ".join(f"{path} answers {response.status or 'nothing'}" for path, response in self.responses)

    @property
    def cookies(self) -> set[str]:
        return {name for _path, response in self.responses for name in response.cookies}


@dataclass
class Known:
    """The collection's knowledge of this engine version, see prepare.yml."""

    version: str
    stand_in: bool
    public_host: str
    archive: Path
    profile: dict[str, t.Any]
    java_home: str
    engine_directory: Path
    writable_directories: list[str]
    start_timeout: int
    stop_timeout: int
    unit: str
    jvm_options: str
    node_environment: str

    @classmethod
    def read(cls, path: Path) -> Known:
        values = json.loads(path.read_text(encoding="utf-8"))
        values["archive"] = path.parent / "archives" / values["archive"]
        values["engine_directory"] = Path(values["engine_directory"])
        for name in ("start_timeout", "stop_timeout"):
            values[name] = int(values[name])
        return cls(**values)

    def place(self, setting: str) -> tuple[str, str]:
        """The file and the key in which this version reads a setting of the topology."""
        found = self.profile["settings"][setting]
        return found["file"], found["key"]

    @property
    def health_requests(self) -> list[dict[str, t.Any]]:
        found: list[dict[str, t.Any]] = self.profile["health"]["requests"]
        return found

    @property
    def mode_texts(self) -> list[str]:
        """The texts of demo and maintenance mode."""
        return [text for request in self.health_requests for text in request.get("reject", [])]

    @property
    def info_page(self) -> str:
        """The page whose text shows the mode."""
        return next(str(request["path"]) for request in self.health_requests if request.get("reject"))


def yaml(values: t.Mapping[str, object], header: str = "") -> str:
    """Dotted keys, one a line. The values are JSON, which is YAML with unambiguous quoting."""
    return (header + "\n" if header else "") + "".join(f"{key}: {json.dumps(value)}\n" for key, value in values.items())


def accepts(request: t.Mapping[str, t.Any], response: Response) -> bool:
    """Whether balancer and gate accept a response, as module_utils/node/engine/health.py decides it."""
    ranges = [part.partition("-") for part in str(request["status"]).split(",")]
    if not any(int(first) <= response.status <= int(last or first) for first, _dash, last in ranges):
        return False
    required, rejected = request.get("require", []), request.get("reject", [])
    if (required or rejected) and response.text == "":
        return False
    return all(text in response.text for text in required) and not any(text in response.text for text in rejected)


@dataclass
class Engine:
    """One directory with an engine and its address."""

    known: Known
    directory: Path
    port: int
    address: str = "127.0.0.1"
    environment: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    # The files before the first start.
    before: Files = field(default_factory=dict)
    # ivy.yaml as it was written.
    original: str = ""
    console: Path = field(init=False)

    def __post_init__(self) -> None:
        self.console = self.directory.parent / f"{self.directory.name}.console"

    # --- files

    def file(self, name: str) -> Path:
        return self.directory / name

    def read(self, name: str) -> str:
        path = self.file(name)
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    def write(self, name: str, text: str) -> None:
        """Write in place, as an editor does. A new file belongs to the engine's user."""
        path = self.file(name)
        new = not path.exists()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        if new:
            own(path)

    def replace(self, name: str, text: str) -> None:
        """Replace by rename, as the collection does."""
        path = self.file(name)
        temporary = path.with_name(f".{path.name}.new")
        temporary.write_text(text, encoding="utf-8")
        own(temporary)
        temporary.replace(path)

    def configure(
        self, settings: t.Mapping[str, object], keys: t.Mapping[str, object] | None = None, more: str = ""
    ) -> None:
        """Write the settings of the topology where this version reads them, and other keys into ivy.yaml."""
        files: dict[str, dict[str, object]] = {"configuration/ivy.yaml": dict(keys or {})}
        for setting, value in settings.items():
            name, key = self.known.place(setting)
            # Settings in the unit's environment are secrets on a cluster. Here they may be in the file.
            files.setdefault("configuration/ivy.yaml" if name == "environment" else name, {})[key] = value
        header = self.known.profile["schema_header"]["ivy"]
        for name, values in files.items():
            top = f"# yaml-language-server: $schema={header}" if header and name.endswith("/ivy.yaml") else ""
            self.write(name, yaml(values, top) + (more if name.endswith("/ivy.yaml") else ""))

    def snapshot(self) -> Files:
        """Every file and directory of the engine, with the attributes that a write changes."""
        found: Files = {}
        for top, directories, names in os.walk(self.directory):
            for name in [*names, *directories]:
                path = Path(top, name)
                status = path.lstat()
                kind = 0 if name in directories else status.st_mtime_ns
                found[str(path.relative_to(self.directory))] = (kind, status.st_size if kind else 0)
        return found

    # --- processes

    def variables(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "JAVA_HOME": self.known.java_home,
            "IVY_JAVA_HOME": self.known.java_home,
            **self.environment,
        }

    def launch(self) -> subprocess.Popen[bytes]:
        """Start in the foreground as the engine's user, with a closed input and without a sandbox."""
        self.console.unlink(missing_ok=True)
        with self.console.open("wb") as output:
            self.process = subprocess.Popen(
                [str(self.file("bin/AxonIvyEngine")), "-start"],
                cwd=self.directory,
                env=self.variables(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                user=USER,
                group=USER,
                extra_groups=[],
                umask=0o027,
                start_new_session=True,
            )
        return self.process

    def log(self) -> str:
        """All of the engine's log output."""
        console = self.console.read_text(encoding="utf-8", errors="replace") if self.console.exists() else ""
        return self.read("logs/ivy.log") + self.read("logs/console.log") + console

    def await_ready(self) -> float:
        process = self.process
        assert process is not None
        seconds = wait_for(
            lambda: READY in self.log() or process.poll() is not None, "the ready line", self.known.start_timeout
        )
        assert process.poll() is None, f"ended with {process.returncode}: {self.log()[-1500:]}"
        return seconds

    def run(self, program: str, *arguments: str) -> subprocess.Popen[str]:
        """Run a program of bin/ as the engine's user."""
        return subprocess.Popen(
            [str(self.file(f"bin/{program}")), *arguments],
            cwd=self.directory,
            env=self.variables(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            user=USER,
            group=USER,
            extra_groups=[],
        )

    def control(self, command: str) -> tuple[int, str]:
        """Exit code and output of `bin/AxonIvyEngine COMMAND`."""
        process = self.run("AxonIvyEngine", command)
        output, _none = process.communicate(timeout=self.known.stop_timeout)
        return process.returncode, output.strip()

    def ended(self) -> int | None:
        return self.process.poll() if self.process else None

    def kill(self) -> None:
        """Kill a process that a test left behind."""
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    # --- HTTP

    def ask(
        self,
        path: str,
        host: str = "",
        account: str = "",
        method: str = "GET",
        headers: t.Mapping[str, str] | None = None,
        port: int | None = None,
    ) -> Response:
        """One request, as a balancer would send it; redirects are not followed."""
        fields = {"Host": host or self.known.public_host, "X-Forwarded-Proto": "https", **(headers or {})}
        if account:
            fields["Authorization"] = "Basic " + base64.b64encode(account.encode()).decode()
        connection = http.client.HTTPConnection(self.address, port or self.port, timeout=PATIENCE)
        try:
            connection.request(method, path, headers=fields)
            response = connection.getresponse()
            text = response.read().decode("utf-8", errors="replace")
            cookies = [value.split("=", maxsplit=1)[0] for value in response.headers.get_all("Set-Cookie") or []]
            return Response(response.status, text, tuple(cookies), response.headers.get("Location") or "")
        except (OSError, http.client.HTTPException):
            return Response(0)
        finally:
            connection.close()

    def follow(self, path: str, host: str = "") -> Response:
        """The response after up to three redirects within this engine, as the vendor's probes request a page."""
        response = self.ask(path, host)
        for _redirect in range(3):
            if response.status not in (301, 302, 303, 307, 308):
                break
            target = urllib.parse.urlsplit(response.location)
            response = self.ask(urllib.parse.urlunsplit(("", "", target.path or "/", target.query, "")), host)
        return response

    def health(self, host: str = "") -> Health:
        """Up to the first response that balancer and gate do not accept."""
        responses = []
        for request in self.known.health_requests:
            path = str(request["path"])
            responses.append((path, self.ask(path, host)))
            if not accepts(request, responses[-1][1]):
                return Health(responses, False)
        return Health(responses, True)

    def serves(self) -> bool:
        return self.health().accepted

    def accepts_administrator(self, account: str) -> bool:
        """Whether the account is an administrator's: the deployment service responds to others with 401."""
        headers = {"X-Requested-By": "contract", "Content-Length": "0"}
        response = self.ask("/system/api/apps/contract", account=account, method="POST", headers=headers)
        assert response.status, "no response"
        return response.status not in (401, 403)


def own(path: Path) -> None:
    """Give a path to the engine's user."""
    entry = pwd.getpwnam(USER)
    os.chown(path, entry.pw_uid, entry.pw_gid)


def own_all(directory: Path) -> None:
    subprocess.run(["chown", "--recursive", f"{USER}:{USER}", str(directory)], check=True)
