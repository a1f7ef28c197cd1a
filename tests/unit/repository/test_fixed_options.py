# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Facts have precedence over options, so what the controller does for a host must not depend on an unprotected option.

The controller acts in delegated tasks, in tasks that run once for all hosts, in actions that need no connection, and
wherever it reads a file of its own.
"""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import jinja2
import jinja2.meta
import jinja2.nodes
import yaml

from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight.model import fixed_options

ROOT = Path(__file__).resolve().parents[3]
NESTED = ("tasks", "pre_tasks", "post_tasks", "handlers", "block", "rescue", "always")
INCLUDES = tuple(f"ansible.builtin.{name}" for name in ("include_tasks", "import_tasks", "include_role", "import_role"))
# They read a file of the controller.
READERS = tuple(f"ansible.builtin.{name}" for name in ("copy", "template", "unarchive", "script", "include_vars"))
# Their values are templates without braces.
EXPRESSIONS = ("when", "until", "changed_when", "failed_when", "that")
LOOKUPS = re.compile(r"\b(?:lookup|query|q)\(")
# Options that the controller uses and that are not fixed, and why a fact that replaces one does no harm.
HARMLESS = {
    "elasticsearch_java_package": "a package of the host's own distribution, in a file of that host",
    "engine_architecture": "the host's own answer in any case; passed where the files of a node are composed",
    "engine_shipped_jvm_options": "the host's own answer in any case; passed where the files of a node are composed",
    "rollout_desired_release": "passed by all that import or include the file",
    "rollout_lease_step": "a text for operators, of a node that writes the cluster record itself",
    "rollout_new_cluster": "whether a node creates the cluster record, which it can do itself",
    "rollout_operation": "a text for operators, of a node that writes the cluster record itself",
    "rollout_reason": "a text for operators, of a node that writes the cluster record itself",
    "rollout_release": "passed, or set by set_fact where the release is built",
}

# Fixed like every other option, until set_fact replaces the value. No fact can replace either of them.
REPLACED = {"rollout_leaving_nodes"}


class Loader(yaml.SafeLoader):
    pass


Loader.add_multi_constructor("!", lambda loader, _tag, node: loader.construct_scalar(node))


def load(path: Path) -> t.Any:
    return yaml.load(path.read_text(encoding="utf-8"), Loader) or []


def texts(value: t.Any, key: str = "") -> t.Iterator[str]:
    if isinstance(value, dict):
        for name, item in value.items():
            yield from texts(name)
            yield from texts(item, str(name))
    elif isinstance(value, list):
        for item in value:
            yield from texts(item, key)
    elif isinstance(value, str):
        yield "{{ " + value + " }}" if key in EXPRESSIONS else value


class Environment(jinja2.Environment):
    """Knows no filter and no test, and needs none: nothing is rendered."""

    def _generate(self, *_arguments: t.Any, **_more: t.Any) -> str:
        return ""


ENVIRONMENT = Environment(extensions=["jinja2.ext.do", "jinja2.ext.loopcontrols"])


def names_in(value: t.Any) -> set[str]:
    found: set[str] = set()
    for text in texts(value):
        if "{{" in text or "{%" in text:
            found |= names_in_text(text)
    return found


def names_in_text(text: str) -> set[str]:
    tree = ENVIRONMENT.parse(text)
    found = {node.name for node in tree.find_all(jinja2.nodes.Name) if node.ctx == "load"}
    # hostvars[host]['name'], map('extract', hostvars, 'name'), selectattr('name.key', 'defined')
    constants = (node.value for node in tree.find_all(jinja2.nodes.Const) if isinstance(node.value, str))
    if "hostvars" in found:
        found |= {value.split(".")[0] for value in constants}
    return found


def defaults() -> dict[str, t.Any]:
    return {key: value for path in ROOT.glob("roles/*/defaults/main.yml") for key, value in dict(load(path)).items()}


def role_variables() -> dict[str, t.Any]:
    paths = [*ROOT.glob("roles/*/vars/main.yml"), *ROOT.glob("roles/*/vars/main/*.yml")]
    return {key: value for path in paths for key, value in dict(load(path)).items()}


def options() -> set[str]:
    found: set[str] = set()
    for path in ROOT.glob("roles/*/meta/argument_specs.yml"):
        for entry in load(path)["argument_specs"].values():
            found |= set(entry.get("options") or {})
    return found


def template_variables() -> dict[str, set[str]]:
    """The variables in the templates of roles, by name of the file."""
    found: dict[str, set[str]] = {}
    for path in ROOT.glob("roles/*/templates/**/*.j2"):
        found.setdefault(path.name, set()).update(names_in_text(path.read_text(encoding="utf-8")))
    return found


OPTIONS, DEFAULTS, ROLE_VARIABLES, TEMPLATES = options(), defaults(), role_variables(), template_variables()


def expanded(names: t.Iterable[str], known: t.Mapping[str, t.Any]) -> set[str]:
    """The names and all that their values refer to, those of templates included."""
    found: set[str] = set()
    waiting = set(names)
    while waiting:
        name = waiting.pop()
        found.add(name)
        value = known.get(name)
        waiting |= (names_in(value) | in_templates(value)) - found
    return found


def in_templates(value: t.Any) -> set[str]:
    text = str(value)
    return set().union(*(names for file, names in TEMPLATES.items() if file in text), set())


class Task(t.NamedTuple):
    path: Path
    keys: dict[str, t.Any]
    # With the keywords of the blocks and the play around it.
    inherited: dict[str, t.Any]

    @property
    def place(self) -> str:
        return f"{self.path.relative_to(ROOT)}: {self.keys.get('name')}"

    @property
    def own(self) -> dict[str, t.Any]:
        """Without the tasks inside it."""
        return {key: value for key, value in self.keys.items() if key not in NESTED}


def tasks_in(path: Path, items: t.Any, around: dict[str, t.Any]) -> t.Iterator[Task]:
    for keys in items or []:
        own = {key: value for key, value in keys.items() if key not in (*NESTED, "name")}
        inherited = {**around, **own, "when": [*_list(around.get("when")), *_list(own.get("when"))]}
        yield Task(path, keys, inherited)
        for nested in NESTED:
            yield from tasks_in(path, keys.get(nested), inherited)


def _list(value: t.Any) -> list[t.Any]:
    return [] if value is None else value if isinstance(value, list) else [value]


def all_tasks() -> list[Task]:
    paths = [
        *ROOT.glob("roles/*/tasks/**/*.yml"),
        *ROOT.glob("roles/*/handlers/*.yml"),
        *ROOT.glob("playbooks/**/*.yml"),
    ]
    return [task for path in sorted(paths) for task in tasks_in(path, load(path), {})]


TASKS = all_tasks()


def local_actions() -> set[str]:
    """The collection's actions. All of them do work on the controller, some all of it."""
    return {f"ivy.cluster.{path.stem}" for path in ROOT.glob("plugins/action/[a-z]*.py")}


LOCAL = local_actions()


def run_once_files() -> set[Path]:
    """Task files that a task with run_once includes, or a delegated one."""
    found: set[Path] = set()
    waiting = [task for task in TASKS if {"run_once", "delegate_to"} & set(task.inherited)]
    while waiting:
        for path in included(waiting.pop()) - found:
            found.add(path)
            waiting += [task for task in TASKS if task.path == path]
    return found


def included(task: Task) -> set[Path]:
    for action in INCLUDES:
        argument = task.keys.get(action)
        if isinstance(argument, dict) and "name" in argument:
            directory = ROOT / "roles" / str(argument["name"]).rpartition(".")[2] / "tasks"
            return {directory / f"{argument.get('tasks_from', 'main')}.yml"}
        if argument:
            file = argument if isinstance(argument, str) else argument["file"]
            return {(task.path.parent / file).resolve()}
    return set()


ONCE = run_once_files()


def on_controller(task: Task) -> bool:
    if {"run_once", "delegate_to"} & set(task.inherited) or task.path in ONCE:
        return True
    if any(name in LOCAL or name in READERS for name in task.keys):
        return True
    used = expanded(names_in(task.own), ROLE_VARIABLES)
    return any(LOOKUPS.search(str(value)) for value in (task.own, *(ROLE_VARIABLES.get(name) for name in used)))


def used_options() -> dict[str, list[str]]:
    """The options that the controller uses, with the tasks."""
    found: dict[str, list[str]] = {}
    for task in TASKS:
        if on_controller(task):
            for name in expanded(names_in({**task.own, "when": task.inherited["when"]}), ROLE_VARIABLES) & OPTIONS:
                found.setdefault(name, []).append(task.place)
    return found


def passed() -> set[str]:
    """Options that playbooks and roles set with less precedence than set_fact, or by set_fact or register."""
    found: set[str] = set()
    for task in TASKS:
        if not any(action in task.keys for action in ("ansible.builtin.include_role", "ansible.builtin.include_tasks")):
            found |= set(task.keys.get("vars") or {})
        found |= set(task.keys.get("ansible.builtin.set_fact") or {})
        found.add(str(task.keys.get("register")))
    return found & OPTIONS


def test_arguments_are_the_options_that_playbooks_and_roles_pass_to_what_they_import() -> None:
    assert passed() - REPLACED == fixed_options.ARGUMENTS


def test_the_rule_finds_the_tasks_that_read_files_of_the_controller() -> None:
    used = used_options()
    for name in ("engine_archive", "engine_archive_url", "engine_archive_checksum", "ivy_controller_cache"):
        assert name in used
    for name in (
        "elasticsearch_archive",
        "certificates_key_file",
        "certificates_directory",
        "haproxy_unavailable_page",
    ):
        assert name in used
    for name in ("ivy_shared_config_source", "ivy_licence_file", "engine_minimum_available", "ivy_take_over_reason"):
        assert name in used
    for name in ("verify_report_directory", "adopt_patch_file", "engine_applications"):
        assert name in used


def changes_later(name: str) -> bool:
    known = {**DEFAULTS, **ROLE_VARIABLES}
    return bool({"ansible_facts", "ansible_play_name"} & expanded(names_in(DEFAULTS.get(name)), known))


def test_the_controller_uses_no_option_that_facts_can_replace() -> None:
    used = used_options()
    unprotected = {name for name in used if name in fixed_options.ARGUMENTS or changes_later(name)}
    assert not unprotected - set(HARMLESS), {name: used[name] for name in unprotected - set(HARMLESS)}
    assert set(HARMLESS) == unprotected
