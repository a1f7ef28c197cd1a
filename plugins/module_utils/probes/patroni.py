# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests to Patroni, and what its answers say about the members of the database."""

from __future__ import annotations

import http.client
import typing as t

from .json_client import JsonClient, NoAnswerError

LEADERS = ("leader", "standby_leader", "master")
SYNCHRONOUS = ("sync_standby", "quorum_standby")
RUNNING = ("running", "streaming")


class PatroniError(RuntimeError):
    """Patroni does not answer, or rejects a request."""


class Member(t.NamedTuple):
    """One member as the cluster lists it."""

    name: str
    role: str
    state: str
    lag: int | None
    pending_restart: bool

    @property
    def leads(self) -> bool:
        return self.role in LEADERS

    @property
    def synchronous(self) -> bool:
        return self.role in SYNCHRONOUS

    @property
    def runs(self) -> bool:
        return self.state in RUNNING

    @property
    def kind(self) -> str:
        """What the member is, in words. Patroni's role depends on its version and mode."""
        return "primary" if self.leads else "synchronous standby" if self.synchronous else "replica"

    def to_dict(self) -> dict[str, t.Any]:
        derived = {name: getattr(self, name) for name in ("leads", "synchronous", "runs", "kind")}
        return {**self._asdict(), **derived}


class Client:
    """Sends requests to the members, with the certificate that Patroni requires for changes."""

    def __init__(self, certificate: str, key: str, authority: str) -> None:
        self._client = JsonClient(certificate, key, authority)

    def members(self, url: str) -> list[Member]:
        return members(self._get(url, "/cluster"))

    def configuration(self, url: str) -> dict[str, t.Any]:
        return self._get(url, "/config")

    def own(self, url: str) -> dict[str, t.Any]:
        """The state of the member itself. It answers with 503 while PostgreSQL does not run."""
        return self._call(url, "GET", "/patroni", None, (http.client.OK, http.client.SERVICE_UNAVAILABLE))[0]

    def leads(self, url: str) -> bool:
        """Whether the member is the primary and accepts changes. A member that does not answer is not."""
        try:
            return self._client.request(url, "GET", "/primary", None, 2)[0] == http.client.OK
        except NoAnswerError:
            return False

    def configure(self, url: str, changes: t.Mapping[str, t.Any]) -> None:
        self._call(url, "PATCH", "/config", changes)

    def switch_over(self, url: str, leader: str, candidate: str = "") -> str:
        body = {"leader": leader, **({"candidate": candidate} if candidate else {})}
        return self._call(url, "POST", "/switchover", body, seconds=120)[1]

    def restart(self, url: str) -> str:
        return self._call(url, "POST", "/restart", {}, seconds=300)[1]

    def reinitialize(self, url: str) -> str:
        return self._call(url, "POST", "/reinitialize", {"force": True}, seconds=60)[1]

    def _get(self, url: str, path: str) -> dict[str, t.Any]:
        return self._call(url, "GET", path, None)[0]

    def _call(
        self,
        url: str,
        method: str,
        path: str,
        body: t.Mapping[str, t.Any] | None,
        accepted: t.Collection[int] = (http.client.OK, http.client.ACCEPTED),
        seconds: float = 0,
    ) -> tuple[dict[str, t.Any], str]:
        try:
            status, answer, text = self._client.request(url, method, path, body, seconds)
        except NoAnswerError as exc:
            raise PatroniError(str(exc)) from exc
        if status not in accepted:
            raise PatroniError(f"Patroni at {url} answers {method} {path} with {status}: {text.strip()[:200]}")
        return answer, text


def members(answer: t.Mapping[str, t.Any]) -> list[Member]:
    listed = answer.get("members")
    found = []
    for entry in listed if isinstance(listed, list) else []:
        lag = entry.get("lag")
        found.append(
            Member(
                str(entry.get("name", "")),
                str(entry.get("role", "")),
                str(entry.get("state", "")),
                lag if isinstance(lag, int) and not isinstance(lag, bool) else None,
                bool(entry.get("pending_restart")),
            )
        )
    return found


def differences(wanted: t.Mapping[str, t.Any], actual: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """What has to be sent so that the configuration has the wanted values. None removes a key."""
    found: dict[str, t.Any] = {}
    for key, value in wanted.items():
        old = actual.get(key)
        if isinstance(value, dict):
            inner = differences(value, old if isinstance(old, dict) else {})
            found.update({key: inner} if inner else {})
        elif value is None:
            found.update({key: None} if key in actual else {})
        elif str(old).lower() != str(value).lower():
            found[key] = value
    return found


def problem(found: t.Sequence[Member], names: t.Collection[str], synchronous: int) -> str:
    """Why another member must not be stopped now; empty if one may be."""
    by_name = {member.name: member for member in found}
    missing = [name for name in names if name not in by_name]
    if missing:
        return f"not members of the database cluster: {', '.join(sorted(missing))}"
    stopped = [f"{member.name} ({member.state})" for member in found if member.name in names and not member.runs]
    if stopped:
        return f"not running: {', '.join(stopped)}"
    if not any(member.leads for member in found):
        return "there is no primary"
    standbys = sum(1 for member in found if member.synchronous)
    wanted = min(synchronous, len(found) - 1)
    return f"{standbys} of {wanted} standbys are synchronous" if standbys < wanted else ""
