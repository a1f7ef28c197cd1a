# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No template takes the time or the memory of whoever builds a release."""

from __future__ import annotations

import ast
import os
import typing as t
from pathlib import Path

import pytest

from ansible_collections.ivy.cluster.plugins.plugin_utils.release import bounded_templates
from ansible_collections.ivy.cluster.plugins.plugin_utils.release.bounded_templates import BoundedRenderer
from ansible_collections.ivy.cluster.plugins.plugin_utils.release.templates import Renderer

PLUGINS = Path(__file__).resolve().parents[5] / "plugins"
SHARED: dict[str, t.Any] = {"host": "mail.example.com", "list": [1, 2]}
SECRET: dict[str, t.Any] = {"password": "s3cret-canary"}
LOOP = "{% for a in range(99999) %}" * 3 + "{% endfor %}" * 3


@pytest.fixture
def renderer() -> t.Iterator[BoundedRenderer]:
    with BoundedRenderer(Renderer(SHARED, SECRET), seconds=60) as made:
        yield made


def _name(call: ast.Call) -> str:
    return ast.unparse(call.func).rpartition(".")[2]


def problem(renderer: BoundedRenderer, source: str) -> str:
    rendered, (finding,) = renderer.render("x.j2", source)
    assert rendered is None
    assert "s3cret" not in str(finding)
    assert "x.j2" in str(finding)
    return finding.message


def test_the_result_is_that_of_the_renderer(renderer: BoundedRenderer) -> None:
    for source in (
        "{{ shared.host }} {{ secret.password }}",
        "{{ shared.none }}",
        "{% if %}",
        "{{ 1 // 0 }}",
        "plain\n",
    ):
        assert renderer.render("x.j2", source) == Renderer(SHARED, SECRET).render("x.j2", source)


@pytest.mark.parametrize("source", [LOOP, "{{ 9 ** (9 ** 9) }}"], ids=["loops", "a power"])
def test_a_template_without_end_is_a_finding_and_the_next_is_rendered(source: str) -> None:
    with BoundedRenderer(Renderer(SHARED, SECRET), seconds=1) as renderer:
        assert "takes more than 1 seconds" in problem(renderer, source)
        rendered, findings = renderer.render("y.j2", "{{ shared.host }}")
        assert findings == []
        assert rendered is not None
        assert rendered.text == "mail.example.com"


@pytest.mark.parametrize(
    "source",
    [
        "{{ 'x' * 10 ** 10 }}",
        "{{ '%10000000000d' % 1 }}",
        "{{ 'x' | center(10 ** 10) }}",
        "{% for a in range(9999) %}{{ 'x' * 10 ** 6 }}{% endfor %}",
        "{{ [0] * 10 ** 9 }}",
        "{% set ns = namespace(x='x') %}{% for a in range(99) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}{{ ns.x }}",
    ],
)
def test_memory_has_a_limit(renderer: BoundedRenderer, source: str) -> None:
    assert "memory" in problem(renderer, source)
    assert renderer.render("y.j2", "{{ shared.host }}")[1] == []


def test_a_template_that_calls_itself_is_a_finding(renderer: BoundedRenderer) -> None:
    assert "RecursionError" in problem(renderer, "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}")
    assert renderer.render("y.j2", "{{ shared.host }}")[1] == []


def test_the_length_of_a_text_has_a_limit(renderer: BoundedRenderer) -> None:
    assert "writes more than 16 MiB" in problem(renderer, "{{ 'x' * (17 * 1024 * 1024) }}")


def test_a_child_that_crashes_is_a_finding(renderer: BoundedRenderer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(renderer._renderer, "render", lambda *_arguments: os._exit(3))
    assert "crash" in problem(renderer, "x")


def test_no_child_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    with BoundedRenderer(Renderer(SHARED, SECRET)) as renderer:
        renderer.render("x.j2", "x")
        child = renderer._child
        os.kill(child, 0)
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


def test_templates_are_rendered_with_limits_only() -> None:
    makers = {"Renderer", "BoundedRenderer", "Environment", "from_code", "from_string", "trust_as_template"}
    found = set()
    for path in PLUGINS.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
        bounded = {call.args[0] for call in calls if _name(call) == "BoundedRenderer"}
        names = {_name(call) for call in calls if call not in bounded and _name(call) in makers}
        found |= {(path.relative_to(PLUGINS).as_posix(), name) for name in names}
    assert found == {
        ("plugin_utils/adopt/run.py", "BoundedRenderer"),
        ("plugin_utils/release/build.py", "BoundedRenderer"),
        ("plugin_utils/release/sso.py", "BoundedRenderer"),
        # The renderer itself.
        ("plugin_utils/release/templates.py", "from_code"),
        # Only the lexer.
        ("plugin_utils/release/rendered_secrets.py", "Environment"),
        # Templates and expressions of this collection.
        ("plugin_utils/report/html.py", "Environment"),
        ("plugin_utils/preflight/model/role_options.py", "trust_as_template"),
    }
    assert bounded_templates.SECONDS <= 10
    assert bounded_templates.MEMORY <= 256 << 20
