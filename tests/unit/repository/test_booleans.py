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


_LENGTHLESS = re.compile(r"(?:not )?[\w\[\]'\". |()]+\| *default\((?:\{\}|\[\])(?:, true)?\)")


def untested(text: str) -> list[str]:
    """Conditions that are a list or a dictionary, which Ansible rejects."""
    lines = re.findall(r"^ *(?:when:|-) +([^\n]+)$", text, re.MULTILINE)
    return [line for line in lines if _LENGTHLESS.fullmatch(line) and " in " not in line]


def test_conditions_without_a_comparison_are_found() -> None:
    wrong = ["  when: a['b'] | default({}, true)\n", "    - not a.b | default([])\n"]
    assert all(untested(text) for text in wrong)
    assert not untested("  when: a | default({}, true) | length > 0\n    - a in b | default([])\n")


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_a_condition_compares_a_list_or_a_dictionary(role: Path) -> None:
    found = {path.name: untested(path.read_text(encoding="utf-8")) for path in (role / "tasks").rglob("*.yml")}
    assert {name: lines for name, lines in found.items() if lines} == {}


def test_a_condition_of_a_playbook_compares_a_list_or_a_dictionary() -> None:
    found = {path.name: untested(path.read_text(encoding="utf-8")) for path in (ROOT / "playbooks").rglob("*.yml")}
    assert {name: lines for name, lines in found.items() if lines} == {}
