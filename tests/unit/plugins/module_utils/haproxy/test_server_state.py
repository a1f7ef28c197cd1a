# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import re

import pytest

from ansible_collections.ivy.cluster.plugins.module_utils.haproxy import server_state as sut
from ansible_collections.ivy.cluster.plugins.module_utils.haproxy.runtime_socket import (
    RuntimeSocket,
    RuntimeSocketError,
)


class HAProxy(RuntimeSocket):
    """Two backends with servers; 1 stands for maintenance, 8 for drain, 0 for ready."""

    def __init__(self) -> None:
        super().__init__("/nowhere")
        self.states = {("engine_nodes", "engine1"): 0, ("engine_nodes", "engine2"): 0, ("api", "engine2"): 1}
        self.commands: list[str] = []

    def command(self, text: str) -> str:
        if text == "show stat":
            rows = [f"{backend},{name},{'MAINT' if bits else 'UP'},2," for (backend, name), bits in self.states.items()]
            return "\n".join(["# pxname,svname,status,type,", *rows])
        if text == "show servers state":
            rows = [f"{backend} {name} 192.0.2.1 8080 {bits}" for (backend, name), bits in self.states.items()]
            return "\n".join(["1", "# be_name srv_name srv_addr srv_port srv_admin_state", *rows])
        self.commands.append(text)
        found = re.fullmatch(r"set server (\S+)/(\S+) state (ready|drain|maint)", text)
        assert found is not None, text
        self.states[found[1], found[2]] = {"ready": 0, "maint": 1, "drain": 8}[found[3]]
        return "\n"


def test_a_server_is_taken_out_of_every_backend_and_used_again() -> None:
    haproxy = HAProxy()
    changed, servers = sut.set_state(haproxy, "engine2", "maint", check=False)
    assert changed
    assert haproxy.commands == ["set server engine_nodes/engine2 state maint"]
    assert [(server["backend"], server["up"]) for server in servers] == [("engine_nodes", False), ("api", False)]
    assert not sut.set_state(haproxy, "engine2", "maint", check=False)[0]
    assert sut.set_state(haproxy, "engine2", "ready", check=False)[0]
    assert set(haproxy.states.values()) == {0}


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
    predicted = sut.set_state(haproxy, "engine2", "restored", True, before)
    assert haproxy.commands == []
    changed, servers = sut.set_state(haproxy, "engine2", "restored", False, before)
    assert tuple(haproxy.states[one] for one in both) == then
    assert changed == predicted[0] == (now != then)
    assert [server["admin_state"] for server in predicted[1]] == [server["admin_state"] for server in servers]


def test_check_mode_predicts() -> None:
    haproxy = HAProxy()
    changed, servers = sut.set_state(haproxy, "engine1", "maint", check=True)
    assert (changed, servers[0]["up"], haproxy.commands) == (True, False, [])


def test_a_server_that_is_not_listed_changes_nothing() -> None:
    assert sut.set_state(HAProxy(), "engine9", "maint", check=False) == (False, [])


@pytest.mark.parametrize("name", ["", "a b", "a;b", "a/b", "a\nb"])
def test_an_invalid_name_is_rejected(name: str) -> None:
    with pytest.raises(RuntimeSocketError, match="not the name of a server"):
        sut.set_state(HAProxy(), name, "maint", check=False)
