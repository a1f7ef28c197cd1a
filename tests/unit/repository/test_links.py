# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nothing changes the target of a link that the engine's user, or whoever can write to the share, may have created."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
ROLES = sorted(ROOT.glob("roles/*/tasks/**/*.yml")) + sorted(ROOT.glob("playbooks/**/*.yml"))
# Programs and modules for hosts.
CODE = sorted(
    [*ROOT.glob("plugins/module_utils/**/*.py"), *ROOT.glob("plugins/modules/*.py"), *ROOT.glob("roles/*/files/*.py")]
    + [
        path
        for path in ROOT.glob("roles/*/files/*")
        if path.is_file() and path.read_bytes().startswith(b"#!/usr/bin/python3")
    ]
)
# What follows links, and changes what it finds there.
MODULES = re.compile(
    r"(ansible\.builtin\.)?(assemble|blockinfile|copy|file|get_url|lineinfile|replace|template|unarchive)$|"
    r"ansible\.posix\.(acl|synchronize)$|community\.general\.(archive|xattr|ini_file)$"
)
COMMANDS = re.compile(r"(ansible\.builtin\.)?(command|shell|raw|script)$")
PROGRAMS = re.compile(
    r"(?<![\w./-])(chgrp|chmod|chown|cp|install|ln|mkdir|mv|rsync|setfacl|tar|tee|touch|truncate|unzip)(?![\w-])|>"
)
SAFE_PROGRAM = re.compile(r"'chown', '--recursive', '-P', '--no-dereference'|\bmv -T\b|'mv', '--no-target-directory'")
# Variables with directories that the engine's user can write to, and those on the share.
WRITABLE = {
    *("ivy_share_directory", "ivy_data_directory", "ivy_record_directory", "ivy_shared_applications_directory"),
    *("engine_dump_directory", "engine_writable_directories"),
}
BELOW_THE_ENGINE = re.compile(
    r"ivy_engine_directory\b[^/]*/(applications|configuration|data|deploy|logs|system|webapps|work)\b"
)
WORD = re.compile(r"[A-Za-z_]\w*")
_NESTED = ("tasks", "pre_tasks", "post_tasks", "handlers", "block", "rescue", "always")
# Only these arguments are paths; the others may well contain one, as a unit does.
PATHS = ("_raw_params", "argv", "chdir", "cmd", "dest", "name", "path", "target")


def tasks_in(items: Any) -> Iterator[dict[str, Any]]:
    for task in items or []:
        yield task
        for nested in _NESTED:
            yield from tasks_in(task.get(nested))


@functools.cache
def variables() -> dict[str, str]:
    found: dict[str, str] = {}
    for path in [*ROOT.glob("roles/*/defaults/**/*.yml"), *ROOT.glob("roles/*/vars/**/*.yml")]:
        for name, value in (yaml.safe_load(path.read_text(encoding="utf-8")) or {}).items():
            found[name] = f"{found.get(name, '')}\n{value}"
    return found


def is_writable(text: str, local: dict[str, Any]) -> bool:
    """Whether an expression contains a path that others can write to, also through other variables."""
    texts = [text]
    done: set[str] = set()
    while texts:
        current = texts.pop()
        if BELOW_THE_ENGINE.search(current):
            return True
        for word in set(WORD.findall(current)) - done:
            done.add(word)
            if word in WRITABLE:
                return True
            if word in local:
                texts.append(str(local[word]))
            elif word in variables() and ("director" in word or "path" in word or "file" in word):
                texts.append(variables()[word])
    return False


def follows_links(task: dict[str, Any], registered: dict[str, Any]) -> bool:
    """Whether a task changes what a link in such a directory leads to. Another user than root follows links as well."""
    if str(task.get("delegate_to", "")) == "localhost":
        return False
    local = {**registered, "item": task.get("loop", ""), **(task.get("vars") or {})}
    for name, value in task.items():
        arguments = value if isinstance(value, dict) else {"_raw_params": value}
        paths = str([part for key, part in arguments.items() if key in PATHS])
        if COMMANDS.match(name):
            programs = paths + "".join(str(text) for text in (task.get("vars") or {}).values())
            if PROGRAMS.search(programs) and not SAFE_PROGRAM.search(paths) and is_writable(paths, local):
                return True
        elif MODULES.match(name) and not _harmless(arguments) and is_writable(paths, local):
            return True
    return False


def violations(text: str) -> list[str]:
    found: list[str] = []
    registered: dict[str, Any] = {}
    for task in tasks_in(yaml.safe_load(text)):
        if follows_links(task, registered):
            found.append(str(task.get("name", task)))
        if "register" in task:
            # A result contains the items of its loop.
            registered[task["register"]] = task.get("loop", "")
    return found


def _harmless(arguments: dict[str, Any]) -> bool:
    """Nothing of an existing path is changed, or only in a directory of root that is being unpacked to."""
    if not str(arguments.get("path", "")).startswith("{{ ivy_engine_directory }}.partial/"):
        return False
    return arguments.get("follow") is False and arguments.get("recurse", False) is False


@pytest.mark.parametrize("path", ROLES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_task_follows_links_of_others(path: Path) -> None:
    """Use ivy.cluster.directories for a directory, and ivy.cluster.shared_config for a file."""
    assert violations(path.read_text(encoding="utf-8")) == []


BAD = """
- ansible.builtin.file: {path: "{{ ivy_data_directory }}", state: directory}
- file: {path: "{{ item }}", owner: ivy}
  loop: "{{ __file_share_directories }}"
- ansible.builtin.file: {path: "{{ item['path'] }}", state: directory}
  loop: "{{ __engine_directories }}"
- ansible.builtin.copy: {content: x, dest: "{{ ivy_share_directory }}/x"}
- ansible.builtin.template: {src: x, dest: "{{ ivy_engine_directory }}/configuration/x"}
- ansible.builtin.unarchive: {src: x, dest: "{{ where }}"}
  vars: {where: "{{ ivy_engine_directory ~ '/work' }}"}
- ansible.builtin.command: {argv: [chown, -R, ivy, "{{ engine_dump_directory }}"]}
- ansible.builtin.command: "mkdir -p {{ ivy_record_directory }}/x"
- ansible.builtin.shell: echo x > {{ ivy_data_directory }}/x
- ansible.builtin.file: {path: "{{ ivy_engine_directory }}.partial/{{ item }}", recurse: true, follow: false}
  loop: "{{ engine_writable_directories }}"
- ansible.builtin.command: {argv: "{{ ['sh', '-c', script, item] }}"}
  vars: {script: echo x > "$0"}
  loop: "{{ __file_share_directories }}"
  register: found
- ansible.builtin.file: {path: "{{ item[0]['item'] }}", owner: ivy}
  loop: "{{ found.results | zip(other.results) }}"
"""
GOOD = """
- ansible.builtin.file: {path: "{{ ivy_engine_home }}", state: directory}
- ansible.builtin.copy: {content: "{{ ivy_data_directory }}", dest: /etc/x}
- ansible.builtin.command: {argv: [stat, "{{ ivy_data_directory }}"]}
- ivy.cluster.directories: {directories: "{{ __engine_directories_by_number }}"}
"""


def test_tasks_that_follow_links_are_found() -> None:
    assert len(violations(BAD)) == len(yaml.safe_load(BAD))
    assert violations(GOOD) == []


_CHANGING = ("chmod", "chown", "makedirs", "removexattr", "setxattr", "truncate", "utime")


def _name(node: ast.expr) -> str:
    return ast.unparse(node)


def _unsafe(call: ast.Call) -> bool:
    name = _name(call.func)
    text = ast.unparse(call)
    keywords = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
    first = ast.unparse(call.args[0]) if call.args else ""
    if name in ("open", "io.open") or (name.endswith(".open") and name != "os.open"):
        modes = [ast.unparse(argument) for argument in call.args[(0 if name.endswith("path.open") else 1) :]]
        mode = keywords.get("mode", modes[0] if modes else "'r'")
        # A descriptor is opened already.
        return re.match(r"['\"][rbtU]*[wax+]", mode) is not None and not first.startswith("os.open(")
    if name == "os.open" and "O_CREAT" in text:
        return "O_NOFOLLOW" not in text
    if name.startswith("os.") and name[3:] in _CHANGING:
        descriptor = (len(call.args) == 1 and name == "os.utime") or re.search(r"(^|_)fd$", first) is not None
        return not descriptor and keywords.get("follow_symlinks") != "False"
    return (name.startswith("shutil.") and name != "shutil.which") or name.endswith((".write_text", ".write_bytes"))


def unsafe_calls(text: str) -> list[str]:
    tree = ast.parse(text)
    constants = {
        target.id: ast.unparse(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _name(node.func) == "os.open" and len(node.args) > 1:
            flags = ast.unparse(node.args[1])
            flags = constants.get(flags, flags)
            if "O_CREAT" in flags and "O_NOFOLLOW" not in flags:
                found.append(ast.unparse(node))
        elif isinstance(node, ast.Call) and _unsafe(node):
            found.append(ast.unparse(node))
    return found


@pytest.mark.parametrize("path", CODE, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_code_for_hosts_writes_through_a_link(path: Path) -> None:
    """Use files.atomic, or open with O_NOFOLLOW and change the descriptor."""
    assert unsafe_calls(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("text", "unsafe"),
    [
        ("open(path, 'w')", True),
        ("open(path, mode='ab')", True),
        ("open(path, 'rb')", False),
        ("open(path)", False),
        ("with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 'w') as stream:\n    pass", True),
        ("open(os.open(path, os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW), 'w')", False),
        ("flags = os.O_RDWR | os.O_CREAT\nos.open(path, flags)", True),
        ("os.chown(path, 1, 1)", True),
        ("os.chown(path, 1, 1, follow_symlinks=False)", False),
        ("os.fchown(fd, 1, 1)", False),
        ("os.chmod(path, 0o700)", True),
        ("os.makedirs(path)", True),
        ("shutil.copy(a, b)", True),
        ("pathlib.Path(a).write_text('x')", True),
    ],
)
def test_code_that_writes_through_a_link_is_found(text: str, unsafe: bool) -> None:
    assert bool(unsafe_calls(text)) is unsafe
