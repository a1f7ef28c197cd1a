# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Roles interact through documented arguments and facts. A variable that begins with two underscores is private."""

from __future__ import annotations

import ast
import re
import typing as t
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
PRIVATE = re.compile(r"(?<![A-Za-z0-9_])__[a-z][a-z0-9_]*(?<!__)\b")
# A name that is composed from the name of a role.
COMPOSED = re.compile(r"(?<![A-Za-z0-9_])__$")
INCLUDES = ("ansible.builtin.include_role", "ansible.builtin.import_role")
NESTED = ("tasks", "pre_tasks", "post_tasks", "handlers", "block", "rescue", "always")
# An include inside a text of a test.
INCLUDE_IN_TEXT = re.compile(r"name: ivy\.cluster\.(\w+),?\s+tasks_from: (\w+)")


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


def names_of(root: Path, *patterns: str) -> dict[str, set[str]]:
    """The private names in each file."""
    files = {path for pattern in patterns for path in root.glob(pattern) if path.is_file()}
    return {str(path.relative_to(root)): set(PRIVATE.findall(text_of(path))) for path in sorted(files)}


def names_by_role(root: Path) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for path, names in names_of(root, "roles/*/**/*.yml", "roles/*/**/*.j2").items():
        found.setdefault(path.split("/")[1], set()).update(names)
    return found


def python_texts(tree: ast.AST) -> t.Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def shared_by_roles(root: Path) -> dict[str, list[str]]:
    """Private names that are in the files of more than one role."""
    users: dict[str, list[str]] = {}
    for role, names in names_by_role(root).items():
        for name in names:
            users.setdefault(name, []).append(role)
    return {name: roles for name, roles in users.items() if len(roles) > 1}


def read_outside_roles(root: Path) -> dict[str, set[str]]:
    """Private names of roles that other files read."""
    private = set().union(*names_by_role(root).values())
    others = names_of(root, "playbooks/**/*.yml", "molecule/**/*.yml", "molecule/**/*.py")
    for path in root.glob("plugins/**/*.py"):
        texts = python_texts(ast.parse(text_of(path)))
        others[str(path.relative_to(root))] = {name for text in texts for name in PRIVATE.findall(text)}
    found = {path: names & private for path, names in others.items()}
    return {path: names for path, names in found.items() if names}


def composed_in_python(root: Path) -> set[str]:
    """Python files that put a private name together."""
    found = set()
    for path in root.glob("plugins/**/*.py"):
        for node in ast.walk(ast.parse(text_of(path))):
            if isinstance(node, ast.JoinedStr) and any(map(COMPOSED.search, python_texts(node))):
                found.add(str(path.relative_to(root)))
    return found


def tasks_in(items: t.Any) -> t.Iterator[dict[str, t.Any]]:
    for item in items if isinstance(items, list) else []:
        if isinstance(item, dict):
            yield item
            for nested in NESTED:
                yield from tasks_in(item.get(nested))


def entry_points(root: Path) -> set[tuple[str, str, str]]:
    """The file, the role and the entry point of each include from outside the role."""
    found = set()
    for path in (*root.glob("roles/*/*/**/*.yml"), *root.glob("playbooks/**/*.yml"), *root.glob("molecule/**/*.yml")):
        name = str(path.relative_to(root))
        for task in tasks_in(yaml.safe_load(text_of(path))):
            for include in (task.get(key) or {} for key in INCLUDES):
                if "name" in include:
                    found.add((name, include["name"].rpartition(".")[2], include.get("tasks_from", "main")))
    for path in root.glob("molecule/**/*.py"):
        found |= {(str(path.relative_to(root)), *match) for match in INCLUDE_IN_TEXT.findall(text_of(path))}
    return found


def specs(root: Path, role: str) -> dict[str, t.Any]:
    loaded = yaml.safe_load(text_of(root / "roles" / role / "meta/argument_specs.yml"))
    found: dict[str, t.Any] = loaded["argument_specs"]
    return found


def test_no_private_variable_is_in_two_roles() -> None:
    assert shared_by_roles(ROOT) == {}


def test_no_private_variable_is_read_outside_its_role() -> None:
    assert {path: names for path, names in read_outside_roles(ROOT).items() if names} == {}
    assert composed_in_python(ROOT) == set()


def test_playbooks_have_no_private_variables() -> None:
    """Their variables and facts cross from one file to another."""
    found = names_of(ROOT, "playbooks/**/*.yml")
    assert found
    assert {path: names for path, names in found.items() if names} == {}


def test_every_entry_point_that_others_use_is_specified() -> None:
    used = entry_points(ROOT)
    assert len({(role, entry) for _path, role, entry in used}) > 20
    missing = {(role, entry) for _path, role, entry in used if entry not in specs(ROOT, role)}
    # One that does nothing only loads the variables of its role.
    tasks = {
        (role, entry): yaml.safe_load(text_of(ROOT / f"roles/{role}/tasks/{entry}.yml")) for role, entry in missing
    }
    assert {name for name, content in tasks.items() if content} == set()


ENTRIES = sorted(
    (path.parts[-3], entry)
    for path in ROOT.glob("roles/*/meta/argument_specs.yml")
    for entry in specs(ROOT, path.parts[-3])
)


@pytest.mark.parametrize(("role", "entry"), ENTRIES)
def test_a_specified_entry_point_exists_and_states_the_type_of_each_option(role: str, entry: str) -> None:
    assert (ROOT / f"roles/{role}/tasks/{entry}.yml").is_file()
    spec = specs(ROOT, role)[entry]
    assert spec.get("short_description")
    for name, option in (spec.get("options") or {}).items():
        assert {"type", "description"} <= set(option), name
        assert "default" in option or option.get("required"), name


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """A collection that breaks each rule once."""
    files = {
        "roles/a/tasks/main.yml": "- set_fact: {__a_one: 1}\n- set_fact: {__a_two: 2}\n- set_fact: {__a_three: 3}\n",
        "roles/a/meta/argument_specs.yml": "argument_specs: {main: {}}\n",
        "roles/b/templates/b.j2": "{{ __a_one }} {{ __b_own }}\n",
        "playbooks/p.yml": "- hosts: all\n  tasks:\n    - ansible.builtin.include_role: {name: x.y.a, tasks_from: b}\n",
        "molecule/m.yml": "- debug: {msg: '{{ __a_two }} {{ __own }}'}\n",
        "plugins/filter/f.py": "NAME = 'before __a_three'\nOTHER = f'__{NAME}_checks'\nLAST = __name__\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def test_what_breaks_a_rule_is_found(broken: Path) -> None:
    assert shared_by_roles(broken) == {"__a_one": ["a", "b"]}
    assert read_outside_roles(broken) == {"molecule/m.yml": {"__a_two"}, "plugins/filter/f.py": {"__a_three"}}
    assert composed_in_python(broken) == {"plugins/filter/f.py"}
    assert entry_points(broken) == {("playbooks/p.yml", "a", "b")}
    assert set(specs(broken, "a")) == {"main"}
