# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runbooks are complete, and their commands, options and messages are those of the code."""

from __future__ import annotations

import functools
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight.model.options import PUBLISHED
from ansible_collections.ivy.cluster.tests.unit.repository import test_documentation as documents
from ansible_collections.ivy.cluster.tests.unit.repository import test_messages, test_roles

ROOT = Path(__file__).resolve().parents[3]
README = ROOT / "README.md"
RUNBOOKS = sorted((ROOT / "docs/runbooks").glob("*.md"))
EACH_RUNBOOK = pytest.mark.parametrize("path", RUNBOOKS, ids=lambda path: path.stem)
EACH_TEXT = pytest.mark.parametrize("path", [README, *RUNBOOKS], ids=lambda path: path.stem)
HEADINGS = ["Before", "Steps", "What users notice", "How long it takes", "If it fails", "Abort", "Undo"]
CODE = re.compile(r"`([^`]+)`")
# Names in a text that look like an option of one of these.
PREFIXES = {*test_roles.ROLES, "ivy", "engine", "drain", "undrain", "restart", "status"}
OTHERS = {
    *PUBLISHED,
    *(path.stem for path in (ROOT / "playbooks").glob("*.yml")),
    *(path.stem for path in (ROOT / "plugins").glob("*/*.py")),
    # Two groups, a part of an option, and a role of the database in an example.
    *("engine_nodes", "etcd_members", "engine_keys", "ivy_2027"),
}


@functools.cache
def options() -> frozenset[str]:
    return frozenset(name for role in test_roles.ROLES for name in test_roles.options(role))


@functools.cache
def corpus() -> str:
    """All texts that may be shown to a user. What a run fills in is a line break."""
    found = []
    for texts in test_messages.messages().values():
        # Messages that are chosen by an expression are in it.
        plain = [" ".join(text.split()) for text in texts]
        found += [*plain, *(re.sub(r" ?(?:\{\{.*?\}\}|\{%.*?%\}) ?", "\n", text) for text in plain)]
    return "\n".join(found)


def section(text: str, heading: str) -> str:
    return re.split(r"^## ", text.partition(f"\n## {heading}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]


def set_options(text: str) -> Iterator[str]:
    """The names of the variables that the commands of a text set."""
    for command in [*documents.commands_in(text), *CODE.findall(documents.outside_blocks(text).replace("\n", " "))]:
        if not re.match(r"ansible-playbook |-e ", command.strip()):
            continue
        words = shlex.split(command)
        for option, value in zip(words, words[1:]):
            if option == "-e" and value.startswith("{"):
                yield from json.loads(value)
            elif option == "-e" and not value.startswith("@"):
                yield value.partition("=")[0]


def quoted_messages(text: str) -> Iterator[str]:
    """The parts of messages in the first column of tables; ... stands for what a run fills in."""
    for line in section(text, "If it fails").splitlines():
        if line.startswith("|"):
            for quoted in CODE.findall(line.split("|")[1]):
                # One word is a name, not a message.
                if " " in quoted:
                    yield from filter(None, (part.strip() for part in quoted.split("...")))


def unknown_names(text: str) -> set[str]:
    names = {
        name for name in CODE.findall(documents.outside_blocks(text)) if re.fullmatch(r"[a-z]+(?:_[a-z0-9]+)+", name)
    }
    return {name for name in names if name.partition("_")[0] in PREFIXES} - options() - OTHERS


@EACH_RUNBOOK
def test_a_runbook_has_the_same_headings_as_the_others(path: Path) -> None:
    text = documents.outside_blocks(path.read_text(encoding="utf-8"))
    found = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert [heading for heading in found if heading in HEADINGS] == HEADINGS
    assert all(section(text, heading).strip() for heading in HEADINGS)


def test_every_playbook_has_a_runbook_and_the_readme_names_each_of_them() -> None:
    described: set[str] = set()
    for path in RUNBOOKS:
        for command in documents.commands_in(path.read_text(encoding="utf-8")):
            if command.startswith("ansible-playbook"):
                described.update(re.findall(r"\bivy\.cluster\.(\w+)", command))
    assert described == documents.PLAYBOOKS
    text = README.read_text(encoding="utf-8")
    assert [path.name for path in RUNBOOKS if f"(docs/runbooks/{path.name})" not in text] == []
    for playbook in sorted(documents.PLAYBOOKS):
        (row,) = [line for line in text.splitlines() if re.match(rf"\|[^|]*`ivy\.cluster\.{playbook}`", line)]
        assert "](docs/runbooks/" in row, playbook


@EACH_TEXT
def test_the_options_that_commands_set_exist(path: Path) -> None:
    assert set(set_options(path.read_text(encoding="utf-8"))) - options() == set()


@EACH_TEXT
def test_the_options_that_are_named_exist(path: Path) -> None:
    assert unknown_names(path.read_text(encoding="utf-8")) == set()


@EACH_RUNBOOK
def test_the_messages_that_are_quoted_exist(path: Path) -> None:
    quoted = list(quoted_messages(path.read_text(encoding="utf-8")))
    assert [part for part in quoted if part not in corpus()] == []


def test_commands_options_and_messages_are_found() -> None:
    text = (
        "Set `ivy_no_such`, and run `ansible-playbook ivy.cluster.site -e a=1 -e '{\"b\": [1]}'` "
        "with `-e \"c='<why>'\"`.\n\n"
        "```sh\nansible-playbook ivy.cluster.site -e @file -e d=2\n```\n\n## If it fails\n\n"
        "| message | what to do |\n|---|---|\n| `The cluster is ... locked`, `site` | wait |\n\n"
        "## Abort\n\n| `Not this one` | |\n"
    )
    assert set(set_options(text)) == {"a", "b", "c", "d"}
    assert list(quoted_messages(text)) == ["The cluster is", "locked"]
    assert unknown_names(text) == {"ivy_no_such"}
    assert "The cluster is locked" not in corpus()
    assert len(options()) > 100
    assert sum(len(list(quoted_messages(path.read_text(encoding="utf-8")))) for path in RUNBOOKS) > 30
