# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import types
import typing as t
from pathlib import Path

import pytest
from ansible.plugins.action import ActionBase

from ansible_collections.ivy.cluster.plugins.action import node_probes
from ansible_collections.ivy.cluster.plugins.module_utils.node import calls

PROBES = [
    {"name": "first", "module": "connections_info", "options": {"local_ports": [9200]}},
    {"name": "second", "module": "deployments_info", "options": {"deploy_directory": "/no/such/deploy"}},
]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> t.Callable[..., tuple[dict[str, t.Any], list[str]]]:
    def call(answer: t.Any, probes: t.Any = None) -> tuple[dict[str, t.Any], list[str]]:
        sent: list[str] = []

        def execute(module_name: str, module_args: dict[str, t.Any], **_more: t.Any) -> dict[str, t.Any]:
            sent.append(module_name.rpartition(".")[2])
            return answer(module_args) if sent[-1] == "shared_config_call" else {"changed": False, "sent": module_args}

        params = {"probes": probes or PROBES, "store": str(tmp_path)}
        action = node_probes.ActionModule(t.cast(t.Any, types.SimpleNamespace(args={})), *[t.cast(t.Any, None)] * 5)
        monkeypatch.setattr(action, "_execute_module", execute)
        monkeypatch.setattr(ActionBase, "run", lambda *_arguments: {})
        monkeypatch.setattr(action, "validate_argument_spec", lambda **_arguments: (None, params), raising=False)
        return action.run(task_vars={}), sent

    return call


def test_all_probes_run_in_one_call(run: t.Callable[..., t.Any]) -> None:
    def node(call: dict[str, t.Any]) -> dict[str, t.Any]:
        return calls.call(call["module"], call["parameters"], False, False)

    result, sent = run(node)

    assert sent == ["shared_config_call"]
    assert list(result["answers"]) == ["first", "second"]
    assert result["answers"]["first"]["connections"] == []
    assert result["answers"]["second"]["artefacts"] == []


def test_without_the_cached_code_each_module_is_sent(run: t.Callable[..., t.Any]) -> None:
    result, sent = run(lambda _call: {"lacks_code": True})

    assert sent == ["shared_config_call", "connections_info", "deployments_info"]
    assert result["answers"]["first"]["sent"] == {"local_ports": [9200]}


def test_options_that_only_the_node_can_resolve_are_sent_with_the_module(run: t.Callable[..., t.Any]) -> None:
    probes = [{"name": "one", "module": "deployments_info", "options": {"deploy_directory": "~/deploy"}}]

    _result, sent = run(lambda _call: {}, probes)

    assert sent == ["deployments_info"]


def test_a_probe_that_fails_does_not_hide_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_arguments: t.Any) -> dict[str, t.Any]:
        return {"failed": True, "msg": "Permission denied"}

    monkeypatch.setitem(calls._MODULES, "share_probe", failing)
    probes = [
        {"name": "share", "module": "share_probe", "options": {}},
        {
            **PROBES[0],
            "options": {
                "unit": "",
                "local_ports": [9200],
                "remote_ports": [],
                "expect": [],
                "wait": 0,
            },
        },
    ]

    found = calls.call("node_probes", {"probes": probes}, False, False)

    assert found["answers"]["share"]["msg"] == "Permission denied"
    assert found["answers"]["first"]["connections"] == []
