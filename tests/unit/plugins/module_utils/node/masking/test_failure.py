# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors of any kind as they are shown, and the programs that show them."""

from __future__ import annotations

import ast
import typing as t
from pathlib import Path

import pytest

from ansible_collections.ivy.cluster.plugins.module_utils.node import calls
from ansible_collections.ivy.cluster.plugins.module_utils.node.masking.text import failure

ROOT = Path(__file__).resolve().parents[6]
# What runs on hosts and reads what others may write there.
PROGRAMS = (
    *(f"plugins/modules/{name}.py" for name in ("application", "config_adopt", "directories", "node_releases")),
    "plugins/module_utils/node/agent/guard.py",
    "roles/haproxy/files/haproxy-server-state",
    "roles/haproxy/files/haproxy-certificate-metrics",
)
HOSTILE = "password: hunter22\n\x1b[2J\udcff https://admin:hunter22@db.example.com/"


def raised(exc: Exception) -> Exception:
    try:
        raise exc
    except Exception as caught:
        return caught


@pytest.mark.parametrize("kind", [ValueError, KeyError, RecursionError, MemoryError, ZeroDivisionError, OSError])
def test_an_error_is_one_line_without_secrets(kind: type[Exception]) -> None:
    text = failure(raised(kind(HOSTILE)))
    assert text.startswith(f"{kind.__name__}: ")
    assert "hunter22" not in text
    assert text.isprintable()
    assert text.endswith(")")
    assert " (test_failure.py, line " in text


def test_an_error_is_short() -> None:
    assert len(failure(ValueError("word " * 10_000))) < 2100
    assert len(failure(ValueError("x" * (1 << 20)))) < 200
    assert failure(MemoryError()) == "MemoryError"


def test_a_call_that_fails_in_any_way_has_a_result(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: t.Any) -> t.NoReturn:
        raise ValueError(HOSTILE)

    monkeypatch.setitem(calls._MODULES, "http_probe", fail)
    probe = {"name": "it", "module": "http_probe", "options": {}}
    answers = calls.call("node_probes", {"probes": [probe]}, check=False, diff=False)["answers"]
    assert answers["it"]["failed"] is True
    assert answers["it"]["msg"].startswith("http_probe cannot be completed on this host. ValueError: ")
    assert "hunter22" not in answers["it"]["msg"]


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_on_a_host_catches_every_error(program: str) -> None:
    tree = ast.parse((ROOT / program).read_text(encoding="utf-8"))
    [main] = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "main"]
    [attempt] = [node for node in main.body if isinstance(node, ast.Try)]
    assert [ast.unparse(handler.type) for handler in attempt.handlers if handler.type][-1] == "Exception"
