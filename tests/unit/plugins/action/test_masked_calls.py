# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a log contains is printed by no verbosity with a secret that only the controller knows."""

from __future__ import annotations

import ast
import types
import typing as t
from pathlib import Path

import pytest
from ansible.plugins.action import ActionBase

from ansible_collections.ivy.cluster.plugins.action import application, engine_info
from ansible_collections.ivy.cluster.plugins.plugin_utils.node.transport import Transport

PLUGINS = Path(__file__).resolve().parents[4] / "plugins"
SECRET = "zY9-only-in-a-template"
ANSWER: dict[str, t.Any] = {
    "failed": True,
    "msg": f"It failed: {SECRET}",
    "log_tail": ["started", f"value {SECRET}", "password=other-secret"],
    "log": [f"deploying with {SECRET}"],
    "problems": [f"no answer ({SECRET})"],
    "engine": {"unit": "engine.service", "applied": SECRET},
}


@pytest.mark.parametrize("plugin", [application, engine_info])
def test_logs_are_masked_before_anything_prints_them(plugin: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    context = types.SimpleNamespace(no_log=False)
    # Ansible gives the connection a copy of the action's context.
    connection = types.SimpleNamespace(_play_context=types.SimpleNamespace(no_log=False))
    printed: list[bool] = []

    def answer(*_arguments: t.Any, **_options: t.Any) -> dict[str, t.Any]:
        # At -vvv the connection prints whatever it receives, unless this says otherwise.
        printed.append(not (context.no_log and connection._play_context.no_log))
        return ANSWER

    task = types.SimpleNamespace(args={})
    templar = types.SimpleNamespace(template=lambda value: value)
    action = plugin.ActionModule(task, connection, context, None, templar, None)
    monkeypatch.setattr(ActionBase, "run", lambda *_arguments: {})
    monkeypatch.setattr(ActionBase, "_execute_module", answer)
    monkeypatch.setattr(Transport, "__init__", lambda *_arguments, **_options: None)
    monkeypatch.setattr(Transport, "call", answer)

    result = action.run(task_vars={"ivy_shared_secrets": {"api": SECRET}})

    assert printed == [False]
    assert context.no_log is False
    assert connection._play_context.no_log is False
    # What roles go on with is as the node sent it.
    assert result["engine"] == ANSWER["engine"]
    shown = str({name: value for name, value in result.items() if name != "engine"})
    assert SECRET not in shown
    assert "other-secret" not in shown
    assert result["log_tail"][0] == "started"


def test_the_context_is_as_before_after_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    context = types.SimpleNamespace(no_log=False)

    def fail(*_arguments: t.Any, **_options: t.Any) -> t.Any:
        raise OSError

    monkeypatch.setattr(ActionBase, "run", lambda *_arguments: {})
    monkeypatch.setattr(ActionBase, "_execute_module", fail)
    task, nothing = types.SimpleNamespace(args={}), t.cast(t.Any, None)
    action = application.ActionModule(t.cast(t.Any, task), nothing, t.cast(t.Any, context), *[nothing] * 3)
    with pytest.raises(OSError):  # noqa: PT011
        action.run(task_vars={})
    assert context.no_log is False


def test_every_module_that_returns_a_log_is_one_of_them() -> None:
    found = set()
    for path in (PLUGINS / "modules").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "RETURN":
                text = str(getattr(node.value, "value", ""))
                if any(line.startswith(("log:", "log_tail:")) for line in text.splitlines()):
                    found.add(path.stem)
    assert found == {"application", "engine_info"}
    for name in found:
        assert "masked_call.call" in (PLUGINS / "action" / f"{name}.py").read_text(encoding="utf-8")
