# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the documentation shows can be copied as it stands: files into files, commands to a shell."""

from __future__ import annotations

import configparser
import re
import shlex
from pathlib import Path

import pytest
import yaml
from blocks import Block, blocks

ROOT = Path(__file__).resolve().parents[3]
DOCUMENTS = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "roles").glob("*/README.md")),
    *sorted((ROOT / "tests").glob("*/README.md")),
]
BLOCKS = [(path, block) for path in DOCUMENTS for block in blocks(path.read_text(encoding="utf-8"))]
LANGUAGES = {"yaml", "ini", "sh", "text"}
PLAYBOOKS = {path.stem for path in (ROOT / "playbooks").glob("*.yml")}


def name(path: Path, block: Block) -> str:
    return f"{path.relative_to(ROOT)}:{block.line}"


def of_language(*languages: str) -> pytest.MarkDecorator:
    chosen = [(path, block) for path, block in BLOCKS if block.language in languages]
    return pytest.mark.parametrize(("path", "block"), chosen, ids=[name(*one) for one in chosen])


def problem_of(command: str) -> str | None:
    """What keeps this ansible-playbook command from working as it stands."""
    words = shlex.split(command)
    playbooks, inventory = [], None
    position = 1
    while position < len(words):
        if words[position] in ("-i", "-e", "--limit"):
            inventory = words[position + 1] if words[position] == "-i" else inventory
            position += 1
        elif not words[position].startswith("-"):
            playbooks.append(words[position])
        position += 1
    if len(playbooks) != 1:
        return f"names {len(playbooks)} playbooks"
    playbook = playbooks[0]
    if not playbook.startswith("ivy.cluster."):
        return None if (ROOT / playbook).is_file() else f"there is no {playbook}"
    if playbook.removeprefix("ivy.cluster.") not in PLAYBOOKS:
        return f"the collection has no playbook {playbook}"
    if inventory is None or not inventory.endswith("hosts.yml"):
        return "names no file as its inventory; of a directory, Ansible takes everything for inventories"
    return None


def test_there_is_something_to_examine() -> None:
    assert {"yaml", "ini", "sh"} <= {block.language for path, block in BLOCKS if path.name == "README.md"}
    assert len([block for path, block in BLOCKS if path == ROOT / "README.md" and block.file]) >= 7


@pytest.mark.parametrize(("path", "block"), BLOCKS, ids=[name(*one) for one in BLOCKS])
def test_every_block_says_what_it_is(path: Path, block: Block) -> None:
    assert block.language in LANGUAGES


@of_language("yaml", "ini")
def test_a_block_parses_and_is_one_file(path: Path, block: Block) -> None:
    if block.language == "ini":
        parser = configparser.ConfigParser()
        parser.read_string(block.content)
        assert parser.sections()
    else:
        # compose, since a tag such as !vault means nothing to a parser.
        assert len(list(yaml.compose_all(block.content, Loader=yaml.SafeLoader))) == 1
    # The name stands in the text before: in the block it would become part of the file.
    assert not re.search(r"^#\s*[\w./-]+\.(ya?ml|cfg|ini|j2|conf)$", block.content, re.MULTILINE)


def test_each_file_of_the_readme_is_named_once_and_before_its_block() -> None:
    files = [block for path, block in BLOCKS if path == ROOT / "README.md" and block.language in ("yaml", "ini")]
    assert [block.line for block in files if block.file is None] == []
    names = [str(block.file) for block in files]
    assert sorted(set(names)) == sorted(names)


@of_language("sh")
def test_a_command_names_a_playbook_that_is_there(path: Path, block: Block) -> None:
    for command in block.commands:
        for part in re.split(r"&&|;|\|", command):
            if "ansible-playbook" in part.split():
                assert problem_of(part.strip()) is None, part


@pytest.mark.parametrize("path", DOCUMENTS, ids=[str(path.relative_to(ROOT)) for path in DOCUMENTS])
def test_a_command_within_a_line_is_complete_or_names_the_playbook_alone(path: Path) -> None:
    for command in re.findall(r"`(ansible-playbook [^`]+)`", path.read_text(encoding="utf-8")):
        if "ivy.cluster.<name>" not in command and "{{" not in command:
            assert problem_of(command) is None, command


@pytest.mark.parametrize("path", DOCUMENTS, ids=[str(path.relative_to(ROOT)) for path in DOCUMENTS])
def test_every_playbook_that_is_named_is_there(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    modules = {one.stem for one in (ROOT / "plugins").glob("*/*.py")}
    roles = {one.name for one in (ROOT / "roles").iterdir()}
    assert set(re.findall(r"`ivy\.cluster\.(\w+)", text)) - PLAYBOOKS - modules - roles == set()


@pytest.mark.parametrize(
    "command",
    [
        "ansible-playbook -i inventory ivy.cluster.site",
        "ansible-playbook ivy.cluster.site --limit engine2",
        "ansible-playbook -i inventory/hosts.yml ivy.cluster.sight",
        "ansible-playbook -i inventory/hosts.yml playbooks/sight.yml",
        "ansible-playbook -i inventory/hosts.yml",
    ],
)
def test_commands_that_do_not_work_are_recognized(command: str) -> None:
    assert problem_of(command) is not None


def test_blocks_are_found_with_the_file_that_the_text_names() -> None:
    text = (
        "# One\n\n```text\nx\n```\n\n1. Say it in `a/b.yml`\n   and once more, in `c/d.yml`:\n\n"
        "   ```yaml\n   k:\n     v: 1\n   ```\n\n   Then:\n\n   ```sh\n   # not this\n   run it  # now\n   ```\n"
    )
    plain, file, shell = blocks(text)
    assert (plain.language, plain.file, plain.heading, plain.line) == ("text", None, "One", 3)
    assert (file.file, file.content) == ("c/d.yml", "k:\n  v: 1\n")
    assert (shell.file, shell.commands) == (None, ["run it"])
    with pytest.raises(ValueError, match="line 1 does not end"):
        blocks("```sh\ntrue\n")
