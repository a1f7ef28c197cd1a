# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules, action plugins and filters are wiring: logic belongs to module_utils and plugin_utils.

The rule: a file in plugins/modules, plugins/action or plugins/filter has at most 60 lines of logic. Lines of logic are
the lines of statements. Blank lines, comments, docstrings and imports do not count, nor do the assignments of
DOCUMENTATION, EXAMPLES, RETURN and ARGUMENT_SPEC.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PLUGINS = Path(__file__).resolve().parents[3] / "plugins"
LIMIT = 60
DECLARATIONS = {"DOCUMENTATION", "EXAMPLES", "RETURN", "ARGUMENT_SPEC"}
# Path below plugins, and the reason.
EXCEPTIONS = {
    "action/config_release.py": "resolves two variables for every node, for which it needs Ansible's variable manager",
    "action/validate_run.py": "reads hosts, groups and sources from Ansible's inventory manager",
    "modules/shared_config_call.py": "loads the code cache on the node, so it can import nothing before that",
}
FILES = sorted(path for folder in ("modules", "action", "filter") for path in (PLUGINS / folder).glob("*.py"))


def is_declaration(node: ast.AST) -> bool:
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return True
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return any(isinstance(target, ast.Name) and target.id in DECLARATIONS for target in targets)


def lines_of(node: ast.stmt) -> set[int]:
    return set(range(node.lineno, (node.end_lineno or node.lineno) + 1))


def lines_of_logic(text: str) -> int:
    logic: set[int] = set()
    declarations: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.stmt):
            (declarations if is_declaration(node) else logic).update(lines_of(node))
    lines = text.splitlines()
    written = {number for number in logic - declarations if lines[number - 1].strip()}
    return len({number for number in written if not lines[number - 1].lstrip().startswith("#")})


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_module_has_few_lines_of_logic(path: Path) -> None:
    name = f"{path.parent.name}/{path.name}"
    number = lines_of_logic(path.read_text(encoding="utf-8"))
    assert number <= LIMIT or name in EXCEPTIONS, f"{name} has {number} lines of logic. Move logic to a package."


def test_every_exception_is_needed() -> None:
    needed = {name for name in EXCEPTIONS if lines_of_logic((PLUGINS / name).read_text(encoding="utf-8")) > LIMIT}
    assert needed == set(EXCEPTIONS)


def test_only_statements_count() -> None:
    text = '''"""A docstring."""
import os
RETURN = r"""
text: more
"""
ARGUMENT_SPEC: dict = {
    "name": 1,
}


def main() -> None:
    """Another docstring."""
    from sys import argv

    # A comment.
    print(
        os.name,
    )
'''
    assert lines_of_logic(text) == 4
    assert lines_of_logic(text + "    print(1)\n" * 60) == 64
