# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Tomcat on this machine, the engine of a second HAProxy on a load balancer: see tests/tomcat/PathServer.java."""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import functools
import re
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from balancer_paths import PASSES, Answer, Case, corpus, exchange
from balancer_trial import ENGINE, PATIENCE

if TYPE_CHECKING:
    from conftest import Lab

ROOT = Path(__file__).resolve().parents[3]
SOURCE = ROOT / "tests/tomcat/PathServer.java"
# Tomcat 9.0 is the engine's. tools/archives.sh downloads it.
JARS = ("tomcat-embed-core-9.0.83.jar", "tomcat-annotations-api-9.0.83.jar")
# How the connectors treat an encoded slash, in the order of their ports.
CONNECTORS = ("reject", "decode", "passthrough")
# HAProxy uses the connector that accepts most.
BEHIND_BALANCER = "decode"
# Tomcat does not accept bytes beyond ASCII, which HAProxy passes.
REJECTED_BY_TOMCAT = {"/\xc3\xa4"}


@dataclasses.dataclass(frozen=True)
class Tomcat:
    """Its ports by connector, and the file in which it logs the requests that the balancer forwards."""

    ports: dict[str, int]
    log: Path

    def ask(self, connector: str, case: Case, host: str) -> Answer:
        """Sends the request without the balancer, as the balancer would forward it."""
        case = dataclasses.replace(case, target=case.arrives or case.target)
        with socket.create_connection(("127.0.0.1", self.ports[connector]), timeout=PATIENCE) as stream:
            return exchange(stream, case, host)

    def ask_corpus(self, host: str) -> dict[str, list[Answer]]:
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            return {name: list(pool.map(functools.partial(self.ask, name, host=host), corpus())) for name in self.ports}

    def administration_requests(self) -> list[str]:
        """What the balancer has forwarded to the administration."""
        lines = self.log.read_text(encoding="utf-8").splitlines()
        return [line.partition(" ")[2] for line in lines if line.startswith("system ")]


@contextlib.contextmanager
def running(directory: Path) -> Iterator[Tomcat]:
    """Tomcat, which runs within the context. Java compiles it at its start."""
    jars = [ROOT / ".cache/archives" / name for name in JARS]
    assert all(jar.exists() for jar in jars), "Tomcat is missing: run tools/archives.sh"
    classes = ":".join(str(jar) for jar in jars)
    command = ["java", "-XX:TieredStopAtLevel=1", "-cp", classes, str(SOURCE), str(directory)]
    # It ends with its input, too, if this process is killed.
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            lines = [process.stdout.readline().strip() for _connector in CONNECTORS]
            assert all(lines), "Tomcat has not started: see the output of Java"
            ports = dict(zip(CONNECTORS, map(int, lines), strict=True))
            yield Tomcat(ports, directory / "handled.log")
        finally:
            process.terminate()


@contextlib.contextmanager
def forwarded(lab: Lab, host: str, port: int) -> Iterator[None]:
    """On the host, the engine's port leads to a port of this machine. Both listen on the loopback interface only."""
    forward = f"127.0.0.1:{ENGINE}:127.0.0.1:{port}"
    options = ["-o", "ControlPath=none", "-o", "ExitOnForwardFailure=yes"]
    command = ["ssh", "-F", str(lab.directory / "ssh_config"), *options, "-N", "-R", forward, host]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.terminate()


def servlet_of(target: str) -> str:
    """The servlet for an ordinary request."""
    found = re.match(r"(?:https?://[^/]*)?/(app|ivy)(?![^/;?])", target)
    return found[1] if found else "root"


def servlet(answer: Answer) -> str:
    """The servlet that responded, empty if none did."""
    return answer[1].get("servlet", "")


def path(answer: Answer) -> str:
    """The path as Tomcat has decoded it."""
    return answer[1].get("path", "")


def attacks(direct: dict[str, list[Answer]]) -> list[bool]:
    """For each case, whether it reaches the administration without the balancer, with any of Tomcat's settings."""
    return ["system" in map(servlet, answers) for answers in zip(*direct.values(), strict=True)]


def faults(found: list[Answer | None], direct: dict[str, list[Answer]]) -> list[str]:
    """The cases that reach a servlet although they must not, or another one than without the balancer."""
    wrong = []
    for case, attack, answer, own in zip(corpus(), attacks(direct), found, direct[BEHIND_BALANCER], strict=True):
        if answer is None:
            continue
        expected = ""
        if 200 in case.expected and not attack:
            expected = servlet_of(case.target) if case.expected == PASSES else servlet(answer) and servlet(own)
        if case.target in REJECTED_BY_TOMCAT:
            expected = ""
        elif not expected and answer[0] == 200:
            wrong.append(f"{case.name}: status 200")
        if servlet(answer) != expected:
            wrong.append(f"{case.name}: reached {servlet(answer)!r} instead of {expected!r}, {path(answer)[:100]!r}")
        elif expected and path(answer) != path(own):
            wrong.append(f"{case.name}: {path(answer)[:100]!r} instead of {path(own)[:100]!r}")
    return wrong
