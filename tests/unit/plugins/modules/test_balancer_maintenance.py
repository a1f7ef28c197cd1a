# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the module balancer_maintenance returns and changes."""

from __future__ import annotations

import json
import socket
import threading
import typing as t
from pathlib import Path

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.ivy.cluster.plugins.modules import balancer_maintenance as sut

STREAM = (
    "0x5{id}: proto=tcpv4 src={source}:47052 fe=public be=engine_nodes srv=engine3 ts=00 "
    "rq[f=0h,i=0,an={request}h,rx=] rp[f=0h,i=0,an={response}h,rx=] exp=\n"
)
OFF = {"active": False, "retry_after": 0, "allowed_sources": []}
ON = {"active": True, "retry_after": 300, "allowed_sources": ["192.0.2.0/24", "2001:db8::1/128"]}


class Balancer:
    """Keeps the two lists like HAProxy, and logs the commands that change something."""

    def __init__(self, directory: Path) -> None:
        self.socket = str(directory / "admin.sock")
        self.files = {"map": str(directory / "maintenance"), "acl": str(directory / "sources")}
        self.lists: dict[str, list[str]] = {path: [] for path in self.files.values()}
        self.prepared: list[str] = []
        self.streams: dict[str, str] = {}
        self.changing: list[str] = []
        self.loaded = True
        self.obeys = True
        for path in self.files.values():
            Path(path).write_text("", encoding="ascii")
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.socket)
        self.listener.listen()
        threading.Thread(target=self.serve, daemon=True).start()

    def answer(self, command: str) -> str:
        words = command.split()
        if words[0] != "show":
            self.changing.append(command)
        if command in ("show map", "show acl"):
            return f"0 ({self.files[words[1]]}) pattern\n" if self.loaded else "\n"
        if command == "show sess":
            return "".join(self.streams.values()) + "\n"
        if words[0] == "show":
            return "".join(f"0x1 {line}\n" for line in self.lists[words[2]]) + "\n"
        if words[0] == "prepare":
            self.prepared = []
            return "New version created: 1\n"
        if words[0] == "add":
            self.prepared.append(" ".join(words[4:]))
        if words[0] == "commit" and self.obeys:
            self.lists[words[3]] = self.prepared
        if words[:2] == ["shutdown", "session"] and self.streams.pop(words[2], None) is None:
            return "No such session (use 'show sess').\n"
        return "\n"

    def serve(self) -> None:
        while True:
            try:
                connection, _peer = self.listener.accept()
            except OSError:
                return
            with connection:
                connection.sendall(self.answer(connection.makefile().readline().strip()).encode())

    def work(self, identifier: str, source: str, websocket: bool) -> None:
        request, response = ("00", "00") if websocket else ("8000", "1c00000")
        self.streams[f"0x5{identifier}"] = STREAM.format(
            id=identifier, source=source, request=request, response=response
        )

    def file(self, kind: str) -> list[str]:
        return Path(self.files[kind]).read_text(encoding="ascii").splitlines()


@pytest.fixture
def balancer(tmp_path: Path) -> t.Iterator[Balancer]:
    found = Balancer(tmp_path)
    yield found
    found.listener.shutdown(socket.SHUT_RDWR)
    found.listener.close()


def run(balancer: Balancer, capsys: pytest.CaptureFixture[str], state: str, **arguments: t.Any) -> dict[str, t.Any]:
    place = {"socket": balancer.socket, "file": balancer.files["map"], "sources_file": balancer.files["acl"]}
    with patch_module_args({"state": state, **place, **arguments}), pytest.raises(SystemExit):
        sut.main()
    result: dict[str, t.Any] = json.loads(capsys.readouterr().out)
    return result


@pytest.mark.parametrize("check", [False, True])
def test_a_change_is_predicted_and_set_once(
    balancer: Balancer, capsys: pytest.CaptureFixture[str], check: bool
) -> None:
    wanted = {"allowed_sources": "2001:db8:0::1,192.0.2.7/24,192.0.2.0/24", "_ansible_diff": True}
    result = run(balancer, capsys, "on", _ansible_check_mode=check, **wanted)
    assert result["changed"] is True
    assert result["diff"] == {"before": {"process": OFF, "file": OFF}, "after": {"process": ON, "file": ON}}
    assert {**result["maintenance"], "since": ""} == {**ON, "since": ""}
    assert ("waited" in result) is not check
    since = result["maintenance"]["since"]
    assert balancer.file("map") == ([] if check else ["retry_after 300", f"since {since}"])
    assert balancer.file("acl") == ([] if check else ["192.0.2.0/24", "2001:db8::1/128"])
    assert (balancer.changing == []) is check
    if check:
        return
    # Who may pass is known before the others are kept out, and longer.
    commits = [command for command in balancer.changing if command.startswith("commit")]
    assert commits == [f"commit acl @1 {balancer.files['acl']}", f"commit map @1 {balancer.files['map']}"]

    balancer.changing = []
    again = run(balancer, capsys, "on", **wanted)
    assert (again["changed"], again["maintenance"]["since"], "diff" in again) == (False, since, False)
    assert balancer.changing == []

    # The time is that of the beginning.
    other = run(balancer, capsys, "on", retry_after=60)
    assert other["maintenance"] == {"active": True, "retry_after": 60, "allowed_sources": [], "since": since}

    balancer.changing = []
    off = run(balancer, capsys, "off", allowed_sources="192.0.2.1")
    assert (off["changed"], off["maintenance"]) == (True, {**OFF, "since": ""})
    assert balancer.file("map") == balancer.file("acl") == []
    assert balancer.changing[-1] == f"commit acl @1 {balancer.files['acl']}"
    assert run(balancer, capsys, "off")["changed"] is False


def test_a_file_that_would_end_the_maintenance_with_the_next_reload_is_repaired(
    balancer: Balancer, capsys: pytest.CaptureFixture[str]
) -> None:
    since = run(balancer, capsys, "on")["maintenance"]["since"]
    Path(balancer.files["map"]).write_text("# by hand\n", encoding="ascii")
    result = run(balancer, capsys, "on", _ansible_diff=True)
    assert (result["changed"], result["diff"]["before"]["file"]) == (True, OFF)
    assert balancer.file("map") == ["retry_after 300", f"since {since}"]
    Path(balancer.files["acl"]).unlink()
    assert run(balancer, capsys, "on", _ansible_check_mode=True)["changed"] is True


def test_what_users_have_under_way_is_closed_at_the_deadline(
    balancer: Balancer, capsys: pytest.CaptureFixture[str]
) -> None:
    balancer.work("a", "203.0.113.5", websocket=True)
    balancer.work("b", "203.0.113.6", websocket=False)
    balancer.work("c", "192.0.2.9", websocket=True)
    balancer.work("d", "::ffff:192.0.2.8", websocket=True)
    wanted = {"allowed_sources": ["192.0.2.0/24"], "wait": 0}
    left = run(balancer, capsys, "on", at_deadline="leave", **wanted)
    assert left["waited"]["done"] is False
    assert left["closed"] == {"requests": 0, "websockets": 0}
    result = run(balancer, capsys, "on", **wanted)
    # The end of sessions does not count as a change.
    assert result["changed"] is False
    assert result["closed"] == {"requests": 1, "websockets": 1}
    assert list(balancer.streams) == ["0x5c", "0x5d"]
    assert run(balancer, capsys, "on", **wanted)["waited"]["done"] is True


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"allowed_sources": ["nobody", "192.0.2.1"]}, "'nobody' is neither an IP address nor a network"),
        ({"allowed_sources": "0.0.0.0/0"}, "contains a large part of all addresses"),
        ({"allowed_sources": "::/0"}, "contains a large part of all addresses"),
        ({"retry_after": 0}, "0 is not between 1 and 604800"),
        ({"wait": -1}, "-1 is negative"),
        ({"socket": "/nowhere/admin.sock"}, "cannot be used"),
    ],
)
def test_bad_input_changes_nothing(
    balancer: Balancer, capsys: pytest.CaptureFixture[str], arguments: dict[str, t.Any], message: str
) -> None:
    assert message in run(balancer, capsys, "on", **arguments)["msg"]
    assert balancer.changing == []


def test_all_bad_options_are_reported_together(balancer: Balancer, capsys: pytest.CaptureFixture[str]) -> None:
    message = run(balancer, capsys, "on", retry_after=0, wait=-1, allowed_sources="x,y")["msg"]
    for part in ("'x'", "'y'", "retry_after", "wait"):
        assert part in message


def test_a_process_that_has_no_maintenance_page_is_an_error(
    balancer: Balancer, capsys: pytest.CaptureFixture[str]
) -> None:
    balancer.loaded = False
    for check in (True, False):
        result = run(balancer, capsys, "off", _ansible_check_mode=check)
        assert "has not loaded" in result["msg"]
        assert "playbook site" in result["msg"]


def test_a_state_that_did_not_take_effect_is_an_error(balancer: Balancer, capsys: pytest.CaptureFixture[str]) -> None:
    balancer.obeys = False
    assert "another state than the one that was set" in run(balancer, capsys, "on")["msg"]
