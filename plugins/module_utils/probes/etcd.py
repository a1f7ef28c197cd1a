# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests to members of etcd, by their HTTP interface."""

from __future__ import annotations

import http.client
import typing as t

from .json_client import JsonClient, NoAnswerError


class EtcdError(RuntimeError):
    """A member does not answer, or rejects a request."""


class Member(t.NamedTuple):
    """One member as the cluster lists it. One that was added and not started yet has no name."""

    id: str
    name: str
    peer_url: str


class Client:
    """Sends requests with the certificate of the host."""

    def __init__(self, certificate: str = "", key: str = "", authority: str = "") -> None:
        self._client = JsonClient(certificate, key, authority)

    def healthy(self, url: str) -> bool:
        """Whether the member answers and the cluster accepts changes. It fails if the member does not answer."""
        status, answer = self._request(url, "GET", "/health", None)
        return status == http.client.OK and answer.get("health") in ("true", True)

    def members(self, url: str) -> list[Member]:
        return _members(self._call(url, "/v3/cluster/member/list", {}))

    def remove(self, url: str, member: Member) -> None:
        self._call(url, "/v3/cluster/member/remove", {"ID": member.id})

    def add(self, url: str, peer_url: str) -> list[Member]:
        return _members(self._call(url, "/v3/cluster/member/add", {"peerURLs": [peer_url]}))

    def status(self, url: str) -> dict[str, t.Any]:
        """The version, the size of the database, the leader and the alarms."""
        return self._call(url, "/v3/maintenance/status", {})

    def _call(self, url: str, path: str, body: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        status, answer = self._request(url, "POST", path, body)
        if status != http.client.OK:
            raise EtcdError(f"{url}: {str(answer.get('message') or answer.get('error') or status)[:200]}")
        return answer

    def _request(
        self, url: str, method: str, path: str, body: t.Mapping[str, t.Any] | None
    ) -> tuple[int, dict[str, t.Any]]:
        try:
            status, answer, _text = self._client.request(url, method, path, body)
        except NoAnswerError as exc:
            raise EtcdError(str(exc)) from exc
        return status, answer


def _members(answer: t.Mapping[str, t.Any]) -> list[Member]:
    listed = answer.get("members")
    found = []
    for entry in listed if isinstance(listed, list) else []:
        urls = entry.get("peerURLs") or [""]
        found.append(Member(str(entry.get("ID", "")), str(entry.get("name", "")), str(urls[0])))
    return found


def peer_urls(members: t.Iterable[Member], name: str, peer_url: str) -> dict[str, str]:
    """The peer URL of each member by its name. One without a name is the one that joins if it has its URL."""
    return {member.name or (name if member.peer_url == peer_url else ""): member.peer_url for member in members}


def outdated(members: t.Iterable[Member], name: str, peer_url: str) -> list[Member]:
    """The entries of a member that was lost with its data. An entry that no member has started with can be used."""
    return [member for member in members if member.name == name or (member.name and member.peer_url == peer_url)]
