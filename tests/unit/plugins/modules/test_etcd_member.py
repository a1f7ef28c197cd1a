# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The entries of a lost member are replaced, and no other one is."""

from __future__ import annotations

import http.server
import json
import threading
import typing as t

import pytest

from ansible_collections.ivy.cluster.plugins.module_utils.host_state import etcd as state
from ansible_collections.ivy.cluster.plugins.module_utils.probes.etcd import Client, EtcdError
from ansible_collections.ivy.cluster.plugins.modules import etcd_member

OWN = "https://192.0.2.1:2380"
OTHERS = {"db2": "https://192.0.2.2:2380", "db3": "https://192.0.2.3:2380"}


class Cluster:
    """What the members would answer."""

    def __init__(self, members: dict[str, tuple[str, str]], healthy: bool = True) -> None:
        # By id: name and peer URL.
        self.members = members
        self.healthy = healthy
        self.calls: list[str] = []

    def answer(self, path: str, body: dict[str, t.Any]) -> tuple[int, dict[str, t.Any]]:
        if path == "/health":
            return (200, {"health": "true"}) if self.healthy else (503, {"health": "false"})
        self.calls.append(path.rpartition("/")[2])
        if path.endswith("remove"):
            del self.members[body["ID"]]
        if path.endswith("add"):
            self.members["9"] = ("", body["peerURLs"][0])
        if path.endswith("status"):
            return 200, {"version": "3.5.16", "dbSize": "20480", "leader": "2", "header": {"member_id": "2"}}
        listed = [{"ID": key, "name": name, "peerURLs": [url]} for key, (name, url) in self.members.items()]
        return 200, {"members": listed}


@pytest.fixture
def serve() -> t.Iterator[t.Callable[[Cluster], str]]:
    servers = []

    def start(cluster: Cluster) -> str:
        class Handler(http.server.BaseHTTPRequestHandler):
            def reply(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                status, answer = cluster.answer(self.path, json.loads(self.rfile.read(length) or b"{}"))
                content = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = reply

            def log_message(self, *_arguments: t.Any) -> None:
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_address[1]}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def params(url: str, wanted: str = "added") -> dict[str, t.Any]:
    return {"name": "db1", "peer_url": OWN, "others": ["http://127.0.0.1:1", url], "state": wanted}


def of_others() -> dict[str, tuple[str, str]]:
    return {str(number): entry for number, entry in enumerate(OTHERS.items(), 2)}


@pytest.mark.parametrize(
    ("entry", "calls"),
    [
        ({}, ["list", "add"]),
        ({"1": ("db1", OWN)}, ["list", "remove", "add"]),
        ({"1": ("db1", "https://192.0.2.99:2380")}, ["list", "remove", "add"]),
        ({"1": ("of-before", OWN)}, ["list", "remove", "add"]),
        # Added by a run that was interrupted.
        ({"1": ("", OWN)}, ["list"]),
    ],
)
def test_a_member_without_data_joins(
    serve: t.Callable[[Cluster], str], entry: dict[str, tuple[str, str]], calls: list[str]
) -> None:
    cluster = Cluster({**of_others(), **entry})
    changed, members = etcd_member.change(Client(), params(serve(cluster)), False)
    assert cluster.calls == calls
    assert changed is (len(calls) > 1)
    assert members == {**OTHERS, "db1": OWN}


def test_check_mode_changes_no_member(serve: t.Callable[[Cluster], str]) -> None:
    cluster = Cluster({**of_others(), "1": ("db1", OWN)})
    assert etcd_member.change(Client(), params(serve(cluster)), True)[0] is True
    assert cluster.calls == ["list"]


def test_a_member_is_removed(serve: t.Callable[[Cluster], str]) -> None:
    cluster = Cluster({**of_others(), "1": ("db1", OWN)})
    assert etcd_member.change(Client(), params(serve(cluster), "removed"), False) == (True, OTHERS)
    assert etcd_member.change(Client(), params(serve(cluster), "removed"), False) == (False, OTHERS)


def test_without_an_answer_nothing_is_changed() -> None:
    with pytest.raises(EtcdError, match="No other member of etcd answers"):
        etcd_member.change(Client(), params("http://127.0.0.1:2"), False)


def inspected(url: str, others: list[str]) -> dict[str, t.Any]:
    arguments = {"url": url, "others": others, "data_directory": "/nowhere", "describe": "/nowhere", "started": "/none"}
    return state.gather({**params(url), **arguments, "certificate": "", "key": "", "authority": ""})


def test_the_state_of_a_member(serve: t.Callable[[Cluster], str]) -> None:
    url, sick = serve(Cluster(of_others())), serve(Cluster({}, healthy=False))
    found = inspected(url, [sick, "http://127.0.0.1:1"])
    assert found["healthy"] is True
    assert found["members"] == OTHERS
    assert found["status"] == {"version": "3.5.16", "bytes": 20480, "leads": True, "errors": []}
    assert (found["answering"], found["healthy_others"]) == ([sick], [])
    assert (found["has_data"], found["current"]) == (False, False)
