# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`-e option=false` passes the text "false", which is truthy: roles convert boolean options before they test them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
ROLES = sorted(path for path in (ROOT / "roles").iterdir() if path.is_dir())
# A bare variable is passed to a module or another role, whose specification converts it.
_PASSED_ON = re.compile(r"\{\{ *\w+ *\}\}")
_EXPRESSION = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
_CONDITION = re.compile(r"^ *(?:when|failed_when|changed_when|until): *([^\n|>][^\n]*)$", re.MULTILINE)
_TEXT = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"")


def boolean_options() -> set[str]:
    found = set()
    for role in ROLES:
        specification = yaml.safe_load((role / "meta/argument_specs.yml").read_text(encoding="utf-8"))
        for entry in specification["argument_specs"].values():
            found |= {name for name, option in (entry.get("options") or {}).items() if option["type"] == "bool"}
    return found


def unconverted(text: str, options: set[str]) -> set[str]:
    """Options that an expression tests without conversion to a boolean."""
    found = set()
    expressions = [expression for expression in _EXPRESSION.findall(text) if not _PASSED_ON.fullmatch(expression)]
    for expression in [*expressions, *_CONDITION.findall(text)]:
        bare = _TEXT.sub("''", expression)
        found |= {name for name in options if re.search(rf"\b{name}\b(?! *\| *(ansible\.builtin\.)?bool\b)", bare)}
    return found


def test_unconverted_options_are_found() -> None:
    options = {"a_flag"}
    for text in ("{{ 1 if a_flag else 2 }}", "{% if not a_flag %}", "  when: a_flag\n", "{{ a_flag or b | bool }}"):
        assert unconverted(text, options) == options, text
    for text in (
        "{{ a_flag }}",
        "{{ 1 if a_flag | bool else 2 }}",
        "  when: a_flag | bool\n",
        "{{ 'set a_flag' if b }}",
    ):
        assert unconverted(text, options) == set(), text


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_boolean_options_are_converted_before_they_are_tested(role: Path) -> None:
    options = boolean_options()
    files = [path for part in ("tasks", "vars", "templates") for path in (role / part).rglob("*") if path.is_file()]
    wrong = {
        str(path.relative_to(ROOT)): names
        for path in files
        if (names := unconverted(path.read_text(encoding="utf-8"), options))
    }
    assert wrong == {}
