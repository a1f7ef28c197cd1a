# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host that cannot be probed has a reason in the result, and does not become unreachable."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest
from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.action import ActionBase

from ansible_collections.ivy.cluster.plugins.action.preflight_probe_host import ActionModule

Answer = Callable[..., dict[str, Any]]
SETUP = {"ansible_facts": {"ansible_python": {"version": {"major": 3, "minor": 11}}, "ansible_distribution": "Debian"}}
FACTS = {"uid": 0, "started": 1000.5, "ended": 1001.0, "invocation": {"module_args": {}}, "changed": False, "disks": []}


def probe(monkeypatch: pytest.MonkeyPatch, answer: Answer) -> dict[str, Any]:
    """Run the action with the results that the modules would return."""
    monkeypatch.setattr(ActionBase, "run", lambda _self, _tmp, _variables: {})
    arguments = {"groups": [], "gather_subset": ["!all"], "store": ""}
    monkeypatch.setattr(ActionModule, "validate_argument_spec", lambda _self, **_spec: (None, arguments))
    monkeypatch.setattr(ActionModule, "_execute_module", lambda _self, **call: answer(call["module_name"]))
    monkeypatch.setattr("time.time", mock.Mock(side_effect=[1000.0, 1002.0]))
    action = ActionModule(mock.Mock(), mock.Mock(), mock.Mock(), DataLoader(), mock.Mock(), mock.Mock())
    return action.run(task_vars={"inventory_hostname": "engine1", "ansible_facts": {}})


def answers(name: str) -> dict[str, Any]:
    return SETUP if name.endswith("setup") else dict(FACTS)


def test_facts_and_result(monkeypatch: pytest.MonkeyPatch) -> None:
    found = probe(monkeypatch, answers)
    assert (found["reason"], found["changed"]) == ("", False)
    assert found["ansible_facts"] == SETUP["ansible_facts"]
    assert found["seen"] == {"uid": 0, "started": 1000.5, "ended": 1001.0, "disks": []}
    # The module started at most half a second after the controller's time, and ended one second before it.
    assert found["clock"] == [-1.0, 0.5]
    assert found["plan"]["groups"] == ()


def failing(result: dict[str, Any]) -> Answer:
    return lambda _name: {"failed": True, **result}


def raising(error: Exception) -> Answer:
    def answer(_name: str) -> dict[str, Any]:
        raise error

    return answer


@pytest.mark.parametrize(
    ("answer", "reason", "detail"),
    [
        (raising(AnsibleConnectionFailure("No route to host")), "unreachable", "No route to host"),
        (lambda _name: {"unreachable": True, "msg": "Data could not be sent"}, "unreachable", "Data could not be sent"),
        (raising(AnsibleError("Missing sudo password")), "sudo-password-missing", "Missing sudo password"),
        (
            failing({"msg": "MODULE FAILURE", "module_stderr": "sudo: a password is required\n"}),
            "sudo-password-missing",
            "sudo: a password is required",
        ),
        (
            failing(
                {"msg": "The module interpreter '/usr/bin/no' was not found.", "module_stderr": "sh: 1: not found"}
            ),
            "no-python",
            "The module interpreter '/usr/bin/no' was not found",
        ),
        (
            failing({"msg": "MODULE FAILURE", "module_stderr": "/bin/sh: 1: /usr/bin/python3: not found"}),
            "no-python",
            "/bin/sh: 1: /usr/bin/python3: not found",
        ),
        (failing({"msg": "No space left on device."}), "remote-tmp", "No space left on device"),
        (failing({"msg": "Something else happened."}), "failed", "Something else happened"),
        (failing({"msg": "the file /x was not found"}), "failed", "the file /x was not found"),
    ],
)
def test_the_reason_is_reported(monkeypatch: pytest.MonkeyPatch, answer: Answer, reason: str, detail: str) -> None:
    found = probe(monkeypatch, answer)
    assert (found["reason"], found["detail"]) == (reason, detail)
    assert "failed" not in found
    assert "unreachable" not in found
    assert "seen" not in found


def test_an_old_python_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    facts = {"ansible_python": {"version": {"major": 3, "minor": 8}}, "ansible_python_version": "3.8.10"}
    found = probe(monkeypatch, lambda _name: {"ansible_facts": facts})
    assert (found["reason"], found["detail"]) == ("old-python", "3.8.10")


def test_a_user_other_than_root_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    found = probe(monkeypatch, lambda name: SETUP if name.endswith("setup") else {**FACTS, "uid": 1000})
    assert found["reason"] == "no-root"
    assert "1000" in found["detail"]
