# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules balancer_server and balancer_preference return."""

from __future__ import annotations

import json
import socket
import threading
import typing as t
from pathlib import Path

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.ivy.cluster.plugins.modules import balancer_preference, balancer_server

STATISTICS = "# pxname,svname,scur,status,type,\nengine_nodes,engine1,0,UP,2,\nengine_nodes,engine2,0,DOWN,2,\n"


class Balancer:
    """Answers like HAProxy and counts the commands that change something."""

    def __init__(self, directory: Path) -> None:
        self.socket = str(directory / "admin.sock")
        self.closed = str(directory / "closed")
        self.preferred = str(directory / "preferred")
        self.states = directory / "states"
        self.configuration = directory / "haproxy.cfg"
        servers = "".join(f"    server engine{number} 192.0.2.2{number}:8080\n" for number in (1, 2))
        self.configuration.write_text(f"backend engine_nodes\n{servers}", encoding="ascii")
        self.changing: list[str] = []
        self.bits = 0
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.socket)
        self.listener.listen()
        threading.Thread(target=self.serve, daemon=True).start()

    def answer(self, command: str) -> str:
        rows = f"engine_nodes engine1 192.0.2.21 8080 {self.bits} 100\nengine_nodes engine2 192.0.2.22 8080 0 100\n"
        answers = {
            "show stat": STATISTICS,
            "show servers state": f"1\n# be_name srv_name srv_addr srv_port srv_admin_state srv_uweight\n{rows}",
            "show acl": f"0 ({self.closed}) pattern\n",
            "show map": f"0 ({self.preferred}) pattern\n",
            "show sess": "\n",
            "show table moved_users data.server_id lt 0": "# table: moved_users, type: binary, size:102400, used:4\n",
        }
        if command in answers:
            return answers[command]
        if not command.startswith("show "):
            self.changing.append(command)
        if command.endswith("state drain"):
            self.bits = 8
        return "New version created: 1\n" if command.startswith("prepare") else "\n"

    def serve(self) -> None:
        while True:
            try:
                connection, _peer = self.listener.accept()
            except OSError:
                return
            with connection:
                connection.sendall(self.answer(connection.makefile().readline().strip()).encode())


@pytest.fixture
def balancer(tmp_path: Path) -> t.Iterator[Balancer]:
    found = Balancer(tmp_path)
    yield found
    found.listener.shutdown(socket.SHUT_RDWR)
    found.listener.close()


def run(module: t.Any, capsys: pytest.CaptureFixture[str], **arguments: t.Any) -> dict[str, t.Any]:
    with patch_module_args(arguments), pytest.raises(SystemExit):
        module.main()
    result: dict[str, t.Any] = json.loads(capsys.readouterr().out)
    return result


def server(balancer: Balancer, capsys: pytest.CaptureFixture[str], **arguments: t.Any) -> dict[str, t.Any]:
    more = {"name": "engine1", "socket": balancer.socket, "closed_nodes_file": balancer.closed}
    more.update(state_file=str(balancer.states), configuration=str(balancer.configuration))
    return run(balancer_server, capsys, **more, **arguments)


@pytest.mark.parametrize("check", [False, True])
def test_a_change_is_reported_with_its_difference(
    balancer: Balancer, capsys: pytest.CaptureFixture[str], check: bool
) -> None:
    result = server(balancer, capsys, state="drain", _ansible_check_mode=check, _ansible_diff=True)
    assert result["changed"] is True
    before = {"state": "ready", "weight": 100, "cookie_ignored": False}
    assert result["diff"] == {
        "before": {"engine_nodes/engine1": before},
        "after": {"engine_nodes/engine1": {**before, "state": "drain"}},
    }
    assert result["moved_users"] == 4
    assert balancer.changing == ([] if check else ["set server engine_nodes/engine1 state drain"])
    assert balancer.states.exists() is not check
    again = server(balancer, capsys, state="drain", _ansible_diff=True)
    assert "engine_nodes engine1 192.0.2.21 8080 8 100 -\n" in balancer.states.read_text(encoding="ascii")
    assert again["changed"] is check
    assert ("diff" in again) is check


def test_a_deadline_that_is_over_is_an_error_or_is_reported(
    balancer: Balancer, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments: dict[str, t.Any] = {"wait_for": "up", "wait": 0}
    name = {"name": "engine2", "socket": balancer.socket, "closed_nodes_file": balancer.closed}
    result = run(balancer_server, capsys, **name, **arguments)
    expected = "engine2: 0 seconds were over before it is up. Now: DOWN in engine_nodes (0 requests, 0 WebSockets)."
    assert result["msg"] == expected
    result = run(balancer_server, capsys, **name, **arguments, at_deadline="continue")
    assert (result["waited"]["done"], result["changed"]) == (False, False)
    assert "waited" not in run(balancer_server, capsys, **name, **arguments, _ansible_check_mode=True)


def test_what_is_closed_does_not_count_as_changed(balancer: Balancer, capsys: pytest.CaptureFixture[str]) -> None:
    result = server(balancer, capsys, wait_for="requests", at_deadline="close")
    assert result["closed"] == {"requests": 0, "websockets": 0}
    assert result["changed"] is False
    assert balancer.changing == ["shutdown sessions server engine_nodes/engine1"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"before": {"engine_nodes": "down"}}, "each state must be ready, drain, maint or closed"),
        ({"weight": 257}, "257 is not between 0 and 256"),
        ({"weight": -1}, "-1 is not between 0 and 256"),
        ({"wait_for": "up", "at_deadline": "close"}, "does not go with wait_for: up"),
        ({"backend": "nodes"}, "has no backend nodes"),
        ({"ignore_cookie": True}, "Drain it, too"),
    ],
)
def test_bad_input_changes_nothing(
    balancer: Balancer, capsys: pytest.CaptureFixture[str], arguments: dict[str, t.Any], message: str
) -> None:
    assert message in server(balancer, capsys, **arguments)["msg"]
    assert balancer.changing == []


def test_a_preference_is_set_once(balancer: Balancer, capsys: pytest.CaptureFixture[str]) -> None:
    place = {"socket": balancer.socket, "file": balancer.preferred}
    checked = run(balancer_preference, capsys, servers=["engine2"], _ansible_check_mode=True, **place)
    assert (checked["changed"], balancer.changing) == (True, [])
    result = run(balancer_preference, capsys, servers=["engine2"], _ansible_diff=True, **place)
    assert result["diff"] == {"before": {"preferred": []}, "after": {"preferred": ["engine2"]}}
    assert balancer.changing[-1] == f"commit map @1 {balancer.preferred}"
    assert not run(balancer_preference, capsys, servers=[], **place)["changed"]


def test_an_unknown_server_cannot_be_preferred(balancer: Balancer, capsys: pytest.CaptureFixture[str]) -> None:
    result = run(balancer_preference, capsys, servers=["engine9", "engine1"], socket=balancer.socket)
    assert "has no server engine9" in result["msg"]
    assert balancer.changing == []
