# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of a member of etcd, as it and the other members report it."""

from __future__ import annotations

import os
import typing as t

from ..probes.etcd import Client, EtcdError, peer_urls
from .start_record import is_current


def client(params: t.Mapping[str, t.Any]) -> Client:
    return Client(str(params["certificate"]), str(params["key"]), str(params["authority"]))


def _others(asking: Client, urls: t.Iterable[str]) -> tuple[list[str], list[str]]:
    """The URLs of the members that answer, and of those that are healthy."""
    answering, healthy = [], []
    for url in urls:
        try:
            is_healthy = asking.healthy(url)
        except EtcdError:
            continue
        answering.append(url)
        healthy += [url] if is_healthy else []
    return answering, healthy


def gather(params: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The state of the member on this host. ``others`` are the client URLs of the other members."""
    asking, url = client(params), str(params["url"])
    found: dict[str, t.Any] = {"healthy": False, "members": {}, "status": {}}
    found["answering"], found["healthy_others"] = _others(asking, [str(one) for one in params.get("others") or []])
    try:
        found["healthy"] = asking.healthy(url)
        found["members"] = peer_urls(asking.members(url), str(params["name"]), str(params["peer_url"]))
        found["status"] = _status(asking.status(url))
    except EtcdError:
        pass
    return {
        **found,
        "has_data": os.path.isdir(os.path.join(str(params["data_directory"]), "member")),
        "current": is_current(str(params["started"]), str(params["describe"])),
    }


def _status(answer: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    header = answer.get("header")
    own = header.get("member_id") if isinstance(header, dict) else None
    return {
        "version": str(answer.get("version", ""))[:20],
        "bytes": int(str(answer.get("dbSize") or 0)[:18]),
        "leads": own is not None and own == answer.get("leader"),
        "errors": [str(text)[:200] for text in answer.get("errors") or []][:10],
    }
