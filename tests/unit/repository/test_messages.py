# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands in messages come from one helper, and every playbook begins with the validation of its call."""

from __future__ import annotations

import ast
import re
import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight.model.options import PUBLISHED

ROOT = Path(__file__).resolve().parents[3]
PLAYBOOKS = sorted((ROOT / "playbooks").glob("*.yml"))
# An installed collection has no such file, and a command needs the run's inventory and vault options.
FILE = re.compile(rf"\b(?:{'|'.join(re.escape(path.name) for path in PLAYBOOKS)})\b")
COMMAND = re.compile(r"ansible-playbook (?!ivy\.cluster\.)|ansible-playbook \S+(?: -i)")
# A call of one module; the filter ad_hoc_command builds it.
AD_HOC = re.compile(r"\bansible [\w-]+ (?:-|\S+ -)")
INCLUDES = ("import_playbook", "import_tasks", "include_tasks")
ON_NODES = ROOT / "plugins/module_utils"
HELPER = ROOT / "plugins/plugin_utils/common/commands.py"


def texts(value: t.Any) -> t.Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            # Skip names of tasks, and files that a playbook or a role includes.
            if key not in ("name", *(f"ansible.builtin.{call}" for call in INCLUDES)):
                yield from texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from texts(item)


def python_texts(path: Path) -> t.Iterator[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    documentation = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr)
        or (
            isinstance(node, ast.Assign)
            and getattr(node.targets[0], "id", "") in ("DOCUMENTATION", "EXAMPLES", "RETURN")
        )
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
            yield node.value


def messages() -> dict[str, list[str]]:
    """All texts that may be shown to a user, by file."""
    found: dict[str, list[str]] = {}
    for folder in ("tasks", "defaults", "vars", "handlers"):
        for path in (ROOT / "roles").glob(f"*/{folder}/**/*.yml"):
            found[str(path.relative_to(ROOT))] = list(texts(yaml.safe_load(path.read_text(encoding="utf-8"))))
    for path in (ROOT / "playbooks").rglob("*.yml"):
        found[str(path.relative_to(ROOT))] = list(texts(yaml.safe_load(path.read_text(encoding="utf-8"))))
    for path in (ROOT / "plugins").rglob("*.py"):
        if path != HELPER:
            found[str(path.relative_to(ROOT))] = list(python_texts(path))
    return found


def test_no_message_names_a_playbook_by_its_file() -> None:
    found = messages()
    assert sum(map(len, found.values())) > 5000
    wrong = {(path, text) for path, strings in found.items() for text in strings if FILE.search(text)}
    assert not wrong


def test_no_message_has_a_command_of_its_own() -> None:
    """A node does not know how Ansible is called. Everywhere else the filter playbook_command builds the command."""
    wrong = {
        (path, text)
        for path, strings in messages().items()
        for text in strings
        if (COMMAND if (ROOT / path).is_relative_to(ON_NODES) else re.compile(r"ansible-playbook \S")).search(text)
        or AD_HOC.search(text)
    }
    assert not wrong


def test_calls_of_modules_in_messages_are_found() -> None:
    assert AD_HOC.search("Run: ansible load_balancers --become -m ivy.cluster.balancer_server -a 'state=ready'")
    assert not AD_HOC.search("with an ansible that is older - see above")


@pytest.mark.parametrize("text", ["Run site.yml.", "ansible-playbook site.yml --limit engine1", "see status.yml"])
def test_playbook_files_in_messages_are_found(text: str) -> None:
    assert FILE.search(text)


def first_play(path: Path) -> str:
    """The file of a playbook's first play."""
    play = yaml.safe_load(path.read_text(encoding="utf-8"))[0]
    imported = play.get("ansible.builtin.import_playbook")
    return first_play(path.parent / imported) if imported else str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", [*PLAYBOOKS, ROOT / "site.yml"], ids=lambda path: path.name)
def test_every_playbook_begins_with_the_validation_of_its_call(path: Path) -> None:
    first = ROOT / first_play(path)
    play = yaml.safe_load(first.read_text(encoding="utf-8"))[0]
    assert play["gather_facts"] is False
    assert "ivy.cluster.validate_run" in play["tasks"][0]
    assert "when" not in play["tasks"][0]


def test_statistics_for_workflows_are_known_options() -> None:
    """AWX passes the statistics of a job to the next one as extra variables."""

    def published(value: t.Any) -> t.Iterator[str]:
        if isinstance(value, dict):
            yield from (value.get("ansible.builtin.set_stats") or {}).get("data", {})
            for item in value.values():
                yield from published(item)
        elif isinstance(value, list):
            for item in value:
                yield from published(item)

    names: set[str] = set()
    for path in (*(ROOT / "roles").glob("*/tasks/**/*.yml"), *(ROOT / "playbooks").rglob("*.yml")):
        names.update(published(yaml.safe_load(path.read_text(encoding="utf-8"))))
    assert names == PUBLISHED
