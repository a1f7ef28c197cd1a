# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTPS requests to a load balancer, as browsers send them."""

from __future__ import annotations

import http.client
import os
import socket
import ssl
import time
import typing as t
from collections import Counter
from http.cookies import CookieError, SimpleCookie

from ..node.engine.deadline import Deadline

# Requests with the cookie that the first user received.
_RETURNS = 5
_TIMEOUT = 10.0
_MAX_BODY_READ = 1 << 20


class ProbeError(Exception):
    """The probe cannot run. The text is a message for users."""


class Target(t.NamedTuple):
    """The balancer's address, and the public name that requests use."""

    address: str
    port: int
    host: str
    cookie: str
    path: str = "/"

    @property
    def server_name(self) -> str:
        """The public name without its port."""
        if self.host.startswith("["):
            return self.host[1:].partition("]")[0]
        return self.host.partition(":")[0]

    @property
    def endpoint(self) -> str:
        return f"{self.address}:{self.port}"


class Answer(t.NamedTuple):
    """Status of a response, and the balancer's cookie if the response sets it."""

    status: int
    cookie: dict[str, t.Any] | None


class _Connection(http.client.HTTPSConnection):
    """A connection to the balancer's address under the public name."""

    def __init__(self, target: Target, context: ssl.SSLContext, deadline: Deadline) -> None:
        super().__init__(target.server_name, target.port, context=context)
        self._target = target
        self._deadline = deadline
        self._tls = context

    def connect(self) -> None:
        stream = socket.create_connection((self._target.address, self._target.port), self._deadline.left())
        try:
            stream.settimeout(self._deadline.left())
            self.sock = self._tls.wrap_socket(stream, server_hostname=self._target.server_name)
        except BaseException:
            stream.close()
            raise


def tls_context(ca_file: str, required: bool = True) -> ssl.SSLContext:
    """Trust the authorities in a file; without a file, those that the host trusts."""
    if not required and not os.path.isfile(ca_file):
        ca_file = ""
    if ca_file and not os.path.isfile(ca_file):
        raise ProbeError(f"ca_file {ca_file} is not a file on this host.")
    try:
        return ssl.create_default_context(cafile=ca_file or None)
    except (ssl.SSLError, OSError) as error:
        raise ProbeError(f"ca_file {ca_file} contains no readable certificate: {error}.") from error


def describe_tls(connection: ssl.SSLSocket) -> dict[str, t.Any]:
    """Protocol and certificate of a connection."""
    certificate: dict[str, t.Any] = connection.getpeercert() or {}
    expiry = ssl.cert_time_to_seconds(certificate["notAfter"])
    cipher = connection.cipher()
    return {
        "ok": True,
        "version": connection.version() or "",
        "cipher": cipher[0] if cipher else "",
        "subject": common_name(certificate.get("subject", ())),
        "issuer": common_name(certificate.get("issuer", ())),
        "not_after": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(expiry)),
        "days_left": int((expiry - time.time()) // 86400),
    }


def common_name(name: t.Any) -> str:
    """The common name in a distinguished name of Python's ssl module."""
    return next((value for part in name for key, value in part if key == "commonName"), "")


def find_cookie(headers: t.Iterable[str], name: str) -> dict[str, t.Any] | None:
    """The balancer's cookie among the headers Set-Cookie."""
    for header in headers:
        try:
            morsel = SimpleCookie(header).get(name)
        except CookieError:
            continue
        if morsel is not None:
            return {
                "name": name,
                "value": morsel.value,
                "secure": bool(morsel["secure"]),
                "http_only": bool(morsel["httponly"]),
                "same_site": morsel["samesite"],
            }
    return None


class Probe:
    """Sends requests and collects what they show."""

    def __init__(self, target: Target, context: ssl.SSLContext, statuses: t.Collection[int]) -> None:
        self.target = target
        self.context = context
        self.statuses = statuses
        self.problems: list[str] = []
        self.tls: dict[str, t.Any] = {"ok": False}

    def request(self, cookie: str = "") -> Answer:
        """Send one request over a new connection, as a new browser does."""
        headers = {"Host": self.target.host, "User-Agent": "ivy-cluster-probe", "Connection": "close"}
        if cookie:
            headers["Cookie"] = f"{self.target.cookie}={cookie}"
        deadline = Deadline(_TIMEOUT)
        connection = _Connection(self.target, self.context, deadline)
        try:
            stream = deadline.connect(connection)
            connection.request("GET", self.target.path, headers=headers)
            if not self.tls["ok"] and isinstance(stream, ssl.SSLSocket):
                self.tls = describe_tls(stream)
            response = connection.getresponse()
            response.read(_MAX_BODY_READ)
            return Answer(response.status, find_cookie(response.headers.get_all("Set-Cookie", []), self.target.cookie))
        finally:
            connection.close()

    def requests(self, number: int, cookie: str = "") -> list[Answer]:
        """Send several requests. Stops at the first without an answer, since the others would time out too."""
        answers: list[Answer] = []
        endpoint = self.target.endpoint
        try:
            answers.extend(self.request(cookie) for _index in range(number))
        except ssl.SSLCertVerificationError as error:
            self.problems.append(f"The certificate of {endpoint} is invalid: {error.verify_message.rstrip('.')}.")
        except ssl.SSLError as error:
            self.problems.append(f"The TLS connection to {endpoint} failed: {error}.")
        except (OSError, http.client.HTTPException) as error:
            self.problems.append(f"{endpoint} does not answer: {str(error) or type(error).__name__}.")
        return answers

    def summarise(self, answers: t.Sequence[Answer], nodes: t.Sequence[str]) -> dict[str, t.Any]:
        """Count nodes and statuses. An unexpected status is a problem."""
        expected = [node for answer, node in zip(answers, nodes) if answer.status in self.statuses]
        for status, number in sorted(Counter(answer.status for answer in answers).items()):
            if status not in self.statuses:
                self.problems.append(f"{number} of {len(answers)} requests got status {status}.")
        return {
            "requests": len(expected),
            "nodes": dict(sorted(Counter(node for node in expected if node).items())),
            "statuses": dict(sorted(Counter(str(answer.status) for answer in answers).items())),
        }


def run(target: Target, context: ssl.SSLContext, statuses: t.Collection[int], new_users: int) -> dict[str, t.Any]:
    """Send requests of new users, then requests of one user who returns."""
    probe = Probe(target, context, statuses)
    first = probe.requests(new_users)
    new = probe.summarise(first, [(answer.cookie or {}).get("value", "") for answer in first])
    cookie = next((answer.cookie for answer in first if answer.cookie and answer.status in statuses), None)
    if first and cookie is None:
        probe.problems.append(f"No answer sets the cookie {target.cookie}, so users do not stay on their node.")

    value = cookie["value"] if cookie else ""
    again = probe.requests(_RETURNS, value) if value else []
    # A new cookie means that the balancer sent the user to another node.
    nodes = [answer.cookie["value"] if answer.cookie else value for answer in again]
    returned = probe.summarise(again, nodes)
    returned["stayed"] = bool(again) and not any(answer.cookie for answer in again)
    if again and not returned["stayed"]:
        probe.problems.append(f"A user with the cookie {target.cookie}={value} was sent to another node.")

    return {
        "ok": not probe.problems,
        "problems": probe.problems,
        "tls": probe.tls,
        "cookie": cookie or {},
        "new_users": new,
        "returns": returned,
    }
