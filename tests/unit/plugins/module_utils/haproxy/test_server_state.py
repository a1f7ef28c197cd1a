# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is sent to HAProxy, predicted and waited for. tests/unit/roles/test_haproxy_drain.py does it with a real one."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import pytest

from ansible_collections.ivy.cluster.plugins.module_utils.haproxy import server_state as sut
from ansible_collections.ivy.cluster.plugins.module_utils.haproxy.runtime_socket import (
    RuntimeSocket,
    RuntimeSocketError,
)

REQUEST, TUNNEL = ("8000", "1c00000"), ("00", "00")


class HAProxy(RuntimeSocket):
    """Two backends with servers; 1 stands for maintenance, 8 for drain, 0 for ready."""

    def __init__(self, closed_file: str = "") -> None:
        super().__init__("/nowhere")
        self.states = {("engine_nodes", "engine1"): 0, ("engine_nodes", "engine2"): 0, ("api", "engine2"): 1}
        self.weights = dict.fromkeys(self.states, 100)
        self.status: dict[tuple[str, str], str] = {}
        self.streams: list[tuple[str, str, tuple[str, str]]] = []
        self.closed: list[str] = []
        self.closed_file = closed_file
        self.last = "-1"
        self.commands: list[str] = []

    def command(self, text: str) -> str:
        if text == "show stat":
            names = {1: "MAINT", 8: "DRAIN", 0: "UP"}
            rows = [
                f"{backend},{name},{self.status.get((backend, name), names[bits])},2,{self.last},"
                for (backend, name), bits in self.states.items()
            ]
            return "\n".join(["# pxname,svname,status,type,lastsess,", *rows, "engine_nodes,BACKEND,UP,1,,"])
        if text == "show servers state":
            rows = [
                f"{backend} {name} 192.0.2.1 8080 {bits} {self.weights[backend, name]}"
                for (backend, name), bits in self.states.items()
            ]
            return "\n".join(["1", "# be_name srv_name srv_addr srv_port srv_admin_state srv_uweight", *rows])
        if text == "show acl":
            return f"# id (file) description\n0 ({self.closed_file}) pattern loaded\n" if self.closed_file else "# id\n"
        if text == f"show acl {self.closed_file}":
            return "".join(f"0x1 {name}\n" for name in self.closed)
        if text == "show sess":
            return "".join(
                f"0x5: proto=tcpv4 fe=public be={backend} srv={name} ts=00 rq[f=1h,i=0,an={an[0]}h,rx=,wx=,ax=] "
                f"rp[f=1h,i=0,an={an[1]}h,rx=,wx=,ax=] exp=\n"
                for backend, name, an in self.streams
            )
        self.commands.append(text)
        if text.startswith("shutdown sessions server "):
            self.streams = []
        elif found := re.fullmatch(r"set server (\S+)/(\S+) state (ready|drain|maint)", text):
            self.states[found[1], found[2]] = {"ready": 0, "maint": 1, "drain": 8}[found[3]]
        elif found := re.fullmatch(r"set server (\S+)/(\S+) weight (\d+)", text):
            self.weights[found[1], found[2]] = int(found[3])
        elif found := re.fullmatch(r"(add|del) acl \S+ (\S+)", text):
            (self.closed.append if found[1] == "add" else self.closed.remove)(found[2])
        else:
            assert text == "clear table moved_users", text
        return "\n"


@pytest.fixture(autouse=True)
def saved(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands that HAProxy had got when the states were saved."""
    found: list[list[str]] = []

    def save(runtime: RuntimeSocket, _configuration: str, _target: str) -> None:
        assert isinstance(runtime, HAProxy)
        found.append(list(runtime.commands))

    monkeypatch.setattr(sut, "save_changed_states", save)
    return found


def set_state(haproxy: HAProxy, name: str, check: bool = False, **more: t.Any) -> tuple[bool, list[sut.Server]]:
    request = sut.Request(name, closed_file=haproxy.closed_file or "/var/lib/haproxy/closed-nodes", **more)
    before, after = sut.apply(haproxy, request, check)
    return sut.changes(before, after), after


def test_a_server_is_taken_out_of_every_backend_and_used_again() -> None:
    haproxy = HAProxy()
    changed, servers = set_state(haproxy, "engine2", state="maint")
    assert changed
    assert haproxy.commands == ["set server engine_nodes/engine2 state maint"]
    assert [(server["backend"], server["up"]) for server in servers] == [("engine_nodes", False), ("api", False)]
    assert not set_state(haproxy, "engine2", state="maint")[0]
    assert set_state(haproxy, "engine2", state="ready")[0]
    assert set(haproxy.states.values()) == {0}


def test_what_was_set_is_saved(saved: list[list[str]]) -> None:
    haproxy = HAProxy()
    set_state(haproxy, "engine2", check=True, state="maint")
    set_state(haproxy, "engine2")
    set_state(haproxy, "engine9", state="maint", must_exist=False)
    assert saved == []
    set_state(haproxy, "engine2", state="maint")
    # An earlier run may have ended before it saved the states.
    set_state(haproxy, "engine2", state="maint")
    assert saved == [["set server engine_nodes/engine2 state maint"]] * 2


def test_a_reload_that_forgets_what_was_set_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    haproxy = HAProxy()
    monkeypatch.setattr(sut, "save_changed_states", lambda *_files: haproxy.states.update({("api", "engine2"): 0}))
    with pytest.raises(RuntimeSocketError, match="uses engine2, which was taken out"):
        set_state(haproxy, "engine2", state="drain")
    assert set_state(haproxy, "engine2", state="ready")[0]


def test_a_backend_is_changed_alone() -> None:
    haproxy = HAProxy()
    _changed, servers = set_state(haproxy, "engine2", state="drain", weight=5, backend="api")
    assert haproxy.commands == ["set server api/engine2 weight 5", "set server api/engine2 state drain"]
    assert [server["backend"] for server in servers] == ["api"]


@pytest.mark.parametrize(
    ("now", "before", "then"),
    [
        # What a run has set ends as it was before.
        ((1, 1), {}, (0, 0)),
        ((1, 1), {"engine_nodes": "drain"}, (8, 0)),
        ((1, 1), {"engine_nodes": "ready", "api": "maint"}, (0, 1)),
        # What somebody has set since stays.
        ((8, 1), {"engine_nodes": "ready", "api": "ready"}, (8, 0)),
        ((0, 0), {"engine_nodes": "drain", "api": "maint"}, (0, 0)),
    ],
)
def test_only_the_maintenance_of_a_run_ends(
    now: tuple[int, int], before: dict[str, str], then: tuple[int, int]
) -> None:
    haproxy = HAProxy()
    both = ("engine_nodes", "engine2"), ("api", "engine2")
    haproxy.states.update(zip(both, now))
    predicted = set_state(haproxy, "engine2", check=True, state="restored", before=before)
    assert haproxy.commands == []
    changed, servers = set_state(haproxy, "engine2", state="restored", before=before)
    assert tuple(haproxy.states[one] for one in both) == then
    assert changed == predicted[0] == (now != then)
    assert [server["admin_state"] for server in predicted[1]] == [server["admin_state"] for server in servers]


def test_the_cookie_of_a_server_is_ignored_while_it_is_not_ready(tmp_path: Path) -> None:
    """Between two commands, too: its users would move at each request."""
    haproxy = HAProxy(str(tmp_path / "closed"))
    set_state(haproxy, "engine1", state="drain", ignore_cookie=True)
    assert haproxy.commands == [
        "set server engine_nodes/engine1 state drain",
        "clear table moved_users",
        f"add acl {haproxy.closed_file} engine1",
    ]
    assert Path(haproxy.closed_file).read_text(encoding="ascii") == "engine1\n"
    haproxy.commands = []
    assert set_state(haproxy, "engine1", check=True, state="restored")[0]
    assert haproxy.commands == []
    assert set_state(haproxy, "engine1", state="restored", before={"engine_nodes": "drain"})[0]
    assert haproxy.commands == [f"del acl {haproxy.closed_file} engine1"]
    assert Path(haproxy.closed_file).read_text(encoding="ascii") == ""
    haproxy.commands = []
    set_state(haproxy, "engine1", state="drain", ignore_cookie=True)
    haproxy.commands = []
    assert set_state(haproxy, "engine1", state="ready")[0]
    assert haproxy.commands == [f"del acl {haproxy.closed_file} engine1", "set server engine_nodes/engine1 state ready"]


def test_a_server_that_an_operator_has_closed_is_closed_again(tmp_path: Path) -> None:
    haproxy = HAProxy(str(tmp_path / "closed"))
    set_state(haproxy, "engine1", state="drain", ignore_cookie=True)
    before = {"engine_nodes": "closed"}
    assert not set_state(haproxy, "engine1", state="restored", before=before)[0]
    # A run has left it out since, and so it is in maintenance.
    set_state(haproxy, "engine1", state="maint", ignore_cookie=False)
    assert set_state(haproxy, "engine1", state="restored", before=before)[0]
    assert (haproxy.states["engine_nodes", "engine1"], haproxy.closed) == (8, ["engine1"])


def test_a_process_without_the_list_cannot_ignore_a_cookie() -> None:
    haproxy = HAProxy()
    with pytest.raises(RuntimeSocketError, match="The playbook site sets it up"):
        set_state(haproxy, "engine1", state="drain", ignore_cookie=True)
    assert set_state(haproxy, "engine1", state="ready")[0]


def test_check_mode_predicts() -> None:
    haproxy = HAProxy()
    changed, servers = set_state(haproxy, "engine1", check=True, state="maint", weight=7)
    assert (changed, servers[0]["up"], servers[0]["requested_weight"], haproxy.commands) == (True, False, 7, [])


def test_a_server_that_is_not_listed_is_an_error_unless_it_may_be_missing() -> None:
    with pytest.raises(RuntimeSocketError, match=r"no server engine9 in any backend\. Its servers: engine1, engine2\."):
        set_state(HAProxy(), "engine9", state="maint")
    assert set_state(HAProxy(), "engine9", state="maint", must_exist=False) == (False, [])


def test_a_backend_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(RuntimeSocketError, match="has no backend nodes"):
        set_state(HAProxy(), "engine1", state="maint", backend="nodes", must_exist=False)


@pytest.mark.parametrize("name", ["", "a b", "a;b", "a/b", "a\nb"])
def test_an_invalid_name_is_rejected(name: str) -> None:
    with pytest.raises(RuntimeSocketError, match="not the name of a server"):
        set_state(HAProxy(), name, state="maint")
    with pytest.raises(RuntimeSocketError, match="not the name of a backend"):
        set_state(HAProxy(), "engine1", state="maint", backend=name)


class Clock:
    """Time passes only while the module sleeps. What happens at a time is stated beforehand."""

    def __init__(self, haproxy: HAProxy, **events: t.Callable[[], object]) -> None:
        self.haproxy = haproxy
        self.now = 0.0
        self.events = {int(name[2:]): event for name, event in events.items()}

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        for at in [at for at in self.events if at <= self.now]:
            self.events.pop(at)()

    def wait(self, condition: str, longest: float, quiet: float = 0.0) -> sut.Waited:
        wait = sut.Wait(condition, longest, quiet, self.sleep, lambda: self.now)
        return sut.wait_for(self.haproxy, sut.Request("engine1"), wait)


def test_a_wait_ends_when_the_requests_have_ended() -> None:
    haproxy = HAProxy()
    haproxy.streams = [("engine_nodes", "engine1", REQUEST), ("engine_nodes", "engine1", TUNNEL)]
    clock = Clock(haproxy, at3=lambda: haproxy.streams.pop(0))
    waited = clock.wait("requests", 60)
    assert (waited.done, waited.servers[0]["websockets"]) == (True, 1)
    assert waited.seconds == pytest.approx(3, abs=0.5)
    assert not clock.wait("sessions", 5).done
    haproxy.streams = []
    assert clock.wait("sessions", 0) == (True, 0.0, sut.find_servers(haproxy, sut.Request("engine1")))


def test_a_wait_ends_at_its_deadline() -> None:
    haproxy = HAProxy()
    haproxy.streams = [("engine_nodes", "engine1", REQUEST)]
    clock = Clock(haproxy)
    assert clock.wait("requests", 7)[:2] == (False, 7.0)
    assert clock.now == pytest.approx(7)


def test_a_dead_server_drains_at_once() -> None:
    haproxy = HAProxy()
    haproxy.streams = [("engine_nodes", "engine1", REQUEST)]
    haproxy.status["engine_nodes", "engine1"] = "DOWN"
    assert Clock(haproxy).wait("sessions", 60)[:2] == (True, 0.0)


def test_a_server_that_is_about_to_go_down_is_not_up() -> None:
    haproxy = HAProxy()
    haproxy.status["engine_nodes", "engine1"] = "UP 1/3"
    clock = Clock(haproxy, at2=haproxy.status.clear)
    assert not clock.wait("up", 1).done
    assert clock.wait("up", 60).done


def test_users_are_gone_after_a_quiet_time() -> None:
    haproxy = HAProxy()
    assert Clock(haproxy).wait("users", 0, quiet=60).done
    haproxy.last = "59"
    assert not Clock(haproxy).wait("users", 0, quiet=60).done
    haproxy.last = "60"
    assert Clock(haproxy).wait("users", 0, quiet=60).done
    haproxy.streams = [("engine_nodes", "engine1", REQUEST)]
    assert not Clock(haproxy).wait("users", 0, quiet=60).done


def test_what_is_under_way_is_closed_and_counted() -> None:
    haproxy = HAProxy()
    haproxy.streams = [("engine_nodes", "engine1", REQUEST), *[("engine_nodes", "engine1", TUNNEL)] * 2]
    clock = Clock(haproxy)
    waited = clock.wait("requests", 0)
    wait = sut.Wait("requests", 0, 0, clock.sleep, lambda: clock.now)
    assert sut.close_sessions(haproxy, waited.servers, wait) == {"requests": 1, "websockets": 2}
    assert haproxy.commands == ["shutdown sessions server engine_nodes/engine1"]
    assert sut.describe(waited.servers) == "UP in engine_nodes (1 requests, 2 WebSockets)"


def test_counts_do_not_change_anything() -> None:
    haproxy = HAProxy()
    before = sut.find_servers(haproxy, sut.Request("engine1"))
    haproxy.streams = [("engine_nodes", "engine1", REQUEST)]
    haproxy.last = "3"
    assert not sut.changes(before, sut.find_servers(haproxy, sut.Request("engine1")))
