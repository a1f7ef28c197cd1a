# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The roles contain nothing without a use: no option, variable, task file, template or file."""

from __future__ import annotations

import ast
import functools
import re
import typing as t
from pathlib import Path

import jinja2
import jinja2.nodes
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
ROLES = sorted(path.parent.parent.name for path in ROOT.glob("roles/*/tasks/main.yml"))
# The values of these keys are expressions without braces.
EXPRESSIONS = ("when", "until", "changed_when", "failed_when", "that", "break_when")
INCLUDE_TASKS = ("ansible.builtin.include_tasks", "ansible.builtin.import_tasks")
INCLUDE_ROLE = ("ansible.builtin.include_role", "ansible.builtin.import_role")
WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# Regular expressions in templates.
pytestmark = pytest.mark.filterwarnings("ignore:invalid escape sequence:DeprecationWarning")
# Parsing needs neither Ansible's filters nor its tests.
PARSER = jinja2.Environment(extensions=["jinja2.ext.do", "jinja2.ext.loopcontrols"])


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@functools.cache
def load(path: Path) -> t.Any:
    return yaml.safe_load(text_of(path))


def names_in(template: str) -> set[str]:
    """The variables that a Jinja template reads. Words in its texts, such as messages, are not variables."""
    return {node.name for node in PARSER.parse(template).find_all(jinja2.nodes.Name) if node.ctx == "load"}


def reads(value: t.Any, expression: bool = False) -> t.Iterator[str]:
    """The variables that the values of a YAML file read. Its keys define variables or name parameters."""
    if isinstance(value, str):
        if expression:
            yield from names_in("{{ " + value.strip() + " }}")
        elif "{{" in value or "{%" in value:
            yield from names_in(value)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from reads(item, expression or key in EXPRESSIONS)
    elif isinstance(value, list):
        for item in value:
            yield from reads(item, expression)


def files(root: Path, role: str, *folders: str) -> list[Path]:
    paths = [path for folder in folders for path in (root / "roles" / role / folder).rglob("*")]
    return sorted(path for path in paths if path.is_file())


@functools.cache
def read_by_role(root: Path, role: str) -> set[str]:
    found: set[str] = set()
    for path in files(root, role, "tasks", "handlers", "vars", "defaults", "meta"):
        # A default in the argument specification is a copy.
        if path.name != "argument_specs.yml":
            found.update(reads(load(path)))
    for path in files(root, role, "templates"):
        found |= names_in(text_of(path))
    return found


@functools.cache
def read_by_playbooks(root: Path) -> set[str]:
    return {name for path in (root / "playbooks").rglob("*.yml") for name in reads(load(path))}


@functools.cache
def read_by_plugins(root: Path) -> set[str]:
    """The names in the texts of the plugins, which read variables by name. Documentation does not count."""
    found: set[str] = set()
    for path in (root / "plugins").rglob("*.py"):
        tree = ast.parse(text_of(path))
        documentation = {
            id(node.value)
            for node in ast.walk(tree)
            if isinstance(node, ast.Expr)
            or (isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") in ("DOCUMENTATION", "EXAMPLES"))
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
                # Only a name alone: a message that mentions a variable does not read it.
                found.update([node.value] if WORD.fullmatch(node.value) else [])
    return found


def roles_of(root: Path) -> list[str]:
    return sorted(path.name for path in (root / "roles").iterdir())


def options(root: Path, role: str) -> set[str]:
    entries = load(root / "roles" / role / "meta/argument_specs.yml")["argument_specs"].values()
    return {name for entry in entries for name in entry.get("options") or {}}


def unused_options(root: Path, role: str) -> set[str]:
    """Options that nothing reads. Those of topology are for all, and some of rollout for the playbooks."""
    users = roles_of(root) if role == "topology" else [role]
    used = {name for user in users for name in read_by_role(root, user)}
    if role in ("topology", "rollout"):
        used |= read_by_playbooks(root)
    if role == "topology":
        used |= read_by_plugins(root)
    return options(root, role) - used


def unused_variables(root: Path, role: str) -> set[str]:
    """Variables in vars/ that nothing reads. Others read only those without the two underscores."""
    defined = {name for path in files(root, role, "vars") for name in load(path) or {}}
    private = {name for name in defined if name.startswith("__")}
    others = {name for user in roles_of(root) for name in read_by_role(root, user)}
    others |= read_by_playbooks(root)
    # The module host_state reads them by the name of the role.
    others |= {name for name in defined if re.fullmatch(rf"{role}(_[a-z]+)?_state", name)}
    return (private - read_by_role(root, role)) | (defined - private - others)


def tasks_in(value: t.Any) -> t.Iterator[dict[str, t.Any]]:
    if isinstance(value, dict):
        yield value
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else []:
        yield from tasks_in(item)


@functools.cache
def included_entry_points(root: Path) -> set[tuple[str, str]]:
    """The role and the entry point of each include."""
    found = set()
    for path in (*root.glob("roles/*/tasks/**/*.yml"), *root.glob("playbooks/**/*.yml")):
        for task in tasks_in(load(path)):
            for include in (task.get(key) for key in INCLUDE_ROLE):
                if isinstance(include, dict) and "name" in include:
                    found.add((include["name"].rpartition(".")[2], include.get("tasks_from", "main")))
    return found


def unused_task_files(root: Path, role: str) -> set[str]:
    """Task files that no run reaches from an entry point."""
    folder = root / "roles" / role / "tasks"
    entries = {entry for name, entry in included_entry_points(root) if name == role}
    reached: set[str] = set()
    waiting = {"main.yml", *(f"{entry}.yml" for entry in entries)}
    while waiting:
        name = waiting.pop()
        reached.add(name)
        for task in tasks_in(load(folder / name)):
            for include in (task.get(key) for key in INCLUDE_TASKS):
                target = include.get("file") if isinstance(include, dict) else include
                # A template chooses one of the files in the variables of the task.
                named = list(strings(task.get("vars"))) if "{{" in (target or "") else [target]
                waiting |= {name for name in named if name and name.endswith(".yml")} - reached
    return {str(path.relative_to(folder)) for path in folder.rglob("*.yml")} - reached


def strings(value: t.Any) -> t.Iterator[str]:
    if isinstance(value, str):
        yield value
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else []:
        yield from strings(item)


def unused_files(root: Path, role: str) -> set[str]:
    """Files and templates whose name is in no task, variable or template of the role."""
    texts = [text for path in files(root, role, "tasks", "vars") for text in strings(load(path))]
    texts += [text_of(path) for path in files(root, role, "templates")]
    found = set()
    for path in files(root, role, "templates", "files"):
        name = re.compile(rf"(?<![\w.-]){re.escape(path.name)}(?![\w.-])")
        if not any(map(name.search, texts)):
            found.add(f"{path.parent.name}/{path.name}")
    return found


@pytest.mark.parametrize("role", ROLES)
def test_every_option_is_read(role: str) -> None:
    assert unused_options(ROOT, role) == set()


@pytest.mark.parametrize("role", ROLES)
def test_every_variable_is_read(role: str) -> None:
    assert unused_variables(ROOT, role) == set()


@pytest.mark.parametrize("role", ROLES)
def test_every_task_file_is_reached(role: str) -> None:
    assert unused_task_files(ROOT, role) == set()


@pytest.mark.parametrize("role", ROLES)
def test_every_template_and_file_is_used(role: str) -> None:
    assert unused_files(ROOT, role) == set()


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """A collection that breaks each rule once."""
    written = {
        "roles/a/meta/argument_specs.yml": (
            "argument_specs: {main: {options: {a_used: {}, a_unused: {}, a_named: {}}}}\n"
        ),
        "roles/a/defaults/main.yml": "a_used: 1\na_unused: 1\na_named: 1\n",
        "roles/a/vars/main.yml": "__a_own: '{{ a_used }}'\n__a_foreign: 1\na_public: 1\na_left: 1\n",
        "roles/a/tasks/main.yml": (
            "- include_role: {name: x.y.packages}\n  vars: {a_unused: 2}\n"
            "- block:\n    - ansible.builtin.import_tasks: used.yml\n      when: __a_own == 'a_left'\n"
            "- ansible.builtin.fail: {msg: \"{{ 'set a_named: ' ~ a_used }}\"}\n"
        ),
        "roles/a/tasks/used.yml": "- ansible.builtin.template: {src: used.j2, dest: /tmp}\n",
        "roles/a/tasks/entry.yml": "- ansible.builtin.include_tasks: {file: nested.yml}\n",
        "roles/a/tasks/nested.yml": "",
        "roles/a/tasks/unused.yml": "- ansible.builtin.include_tasks: also_unused.yml\n",
        "roles/a/tasks/also_unused.yml": "",
        "roles/a/templates/used.j2": "{% if a_used %}{# a_unused #}{% endif %}",
        "roles/a/templates/not_used.j2": "",
        "roles/a/files/program": "",
        "roles/b/meta/argument_specs.yml": "argument_specs: {main: {}}\n",
        "roles/b/tasks/main.yml": (
            "- ansible.builtin.debug: {msg: '{{ a_public }} {{ __a_foreign }} {{ a_named.x }}'}\n"
        ),
        "roles/topology/meta/argument_specs.yml": (
            "argument_specs: {main: {options: {ivy_a: {}, ivy_b: {}, ivy_c: {}}}}\n"
        ),
        "roles/topology/tasks/main.yml": "",
        "plugins/action/a.py": "DOCUMENTATION = 'ivy_c'\nNAME = 'ivy_a'\nMESSAGE = 'set ivy_c'\n",
        "playbooks/p.yml": (
            "- hosts: all\n  tasks:\n    - ansible.builtin.include_role: {name: x.y.a, tasks_from: entry}\n"
            "      when: ivy_b\n"
        ),
    }
    for name, text in written.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def test_what_has_no_use_is_found(broken: Path) -> None:
    assert unused_options(broken, "a") == {"a_unused", "a_named"}
    assert unused_options(broken, "topology") == {"ivy_c"}
    assert unused_variables(broken, "a") == {"__a_foreign", "a_left"}
    assert unused_task_files(broken, "a") == {"unused.yml", "also_unused.yml"}
    assert unused_files(broken, "a") == {"templates/not_used.j2", "files/program"}
