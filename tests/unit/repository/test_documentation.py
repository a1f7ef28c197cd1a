# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documentation's files can be copied, its commands run, and its links lead to existing files and headings."""

from __future__ import annotations

import configparser
import os
import re
import shlex
import subprocess
import sys
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from ansible.cli import CLI
from ansible.cli.adhoc import AdHocCLI
from ansible.cli.doc import DocCLI
from ansible.cli.galaxy import GalaxyCLI
from ansible.cli.playbook import PlaybookCLI
from ansible.cli.vault import VaultCLI
from blocks import FENCE, Block, blocks

ROOT = Path(__file__).resolve().parents[3]
DOCUMENTS = [
    *(ROOT / f"{name}.md" for name in ("README", "CONTRIBUTING", "SECURITY")),
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "roles").glob("*/README.md")),
    *sorted((ROOT / "tests").glob("*/README.md")),
]
EACH_DOCUMENT = pytest.mark.parametrize("path", DOCUMENTS, ids=[str(path.relative_to(ROOT)) for path in DOCUMENTS])
TEXTS = {path: path.read_text(encoding="utf-8") for path in DOCUMENTS}
BLOCKS = [(path, block) for path, text in TEXTS.items() for block in blocks(text)]
LANGUAGES = {"yaml", "ini", "sh", "text"}
PLAYBOOKS = {path.stem for path in (ROOT / "playbooks").glob("*.yml")}
# The inventory that a user creates by following the README.
OWN_INVENTORY = "inventory/hosts.yml"
PROGRAMS: dict[str, type[CLI]] = {
    "ansible": AdHocCLI,
    "ansible-doc": DocCLI,
    "ansible-galaxy": GalaxyCLI,
    "ansible-playbook": PlaybookCLI,
    "ansible-vault": VaultCLI,
}
LINK = re.compile(
    r"!?\[(?:[^\]\[]|\[[^\]]*\])*\]\(<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\)|^\[[^\]]+\]:\s+(\S+)", re.MULTILINE
)


def block_id(path: Path, block: Block) -> str:
    return f"{path.relative_to(ROOT)}:{block.line}"


def of_language(*languages: str) -> pytest.MarkDecorator:
    chosen = [(path, block) for path, block in BLOCKS if block.language in languages]
    return pytest.mark.parametrize(("path", "block"), chosen, ids=[block_id(path, block) for path, block in chosen])


def outside_blocks(text: str) -> str:
    """The text without its fenced blocks."""
    lines, inside = [], False
    for line in text.splitlines():
        if FENCE.match(line):
            inside = not inside
        elif not inside:
            lines.append(line)
    return "\n".join(lines)


def commands_in(text: str) -> Iterator[str]:
    """The commands in blocks for a shell one by one, and those of make and Ansible within a line."""
    lines = [line for block in blocks(text) if block.language == "sh" for line in block.commands]
    within = [code.replace("\n", " ") for code in re.findall(r"`([^`]+)`", outside_blocks(text))]
    # "ansible -m ping" is only the name of a measurement.
    lines += [code for code in within if re.match(r"make |make$|ansible-playbook|ansible [^-]", code)]
    for line in lines:
        for part in re.split(r"&&|;|\|", line):
            yield re.sub(r"^(\w+=\S+ +)+", "", part.strip())


def ansible_commands(text: str) -> list[str]:
    """Those that call a program of Ansible; a placeholder such as <name> or an option alone is not a command."""
    found = [command for command in commands_in(text) if command.split(" ")[0] in PROGRAMS and " " in command]
    return [command for command in found if "<" not in command and "{{" not in command]


def make_targets(text: str) -> set[str]:
    """The targets in commands such as `make test` and `KEEP=1 make molecule`."""
    words = [command.split() for command in commands_in(text)]
    return {
        command[1] for command in words if command[:1] == ["make"] and re.fullmatch(r"[a-z-]+", "".join(command[1:2]))
    }


def headings(text: str) -> set[str]:
    """The anchors of a Markdown file, as GitHub derives them from the headings."""
    anchors: set[str] = set()
    for title in re.findall(r"^#{1,6} +(.+?)(?: +#+)?$", outside_blocks(text), re.MULTILINE):
        shown = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title)
        anchor = re.sub(r"[^\w\- ]", "", shown.lower()).replace(" ", "-")
        number = 0
        while (unique := f"{anchor}-{number}" if number else anchor) in anchors:
            number += 1
        anchors.add(unique)
    return anchors


def broken_links(path: Path, text: str) -> list[str]:
    """Relative links that lead to no file of the repository or to no heading of it."""
    found = []
    for match in LINK.finditer(re.sub(r"`[^`\n]+`", "", outside_blocks(text))):
        target, _hash, anchor = (match[1] or match[2]).partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        file = (path.parent / target).resolve() if target else path
        if target and not (file.is_relative_to(ROOT) and file.exists()):
            found.append(f"{match[0]}: no such file")
        elif anchor and anchor not in headings(text if file == path else file.read_text(encoding="utf-8")):
            found.append(f"{match[0]}: no such heading")
    return found


def parsed(command: str) -> Namespace | None:
    """The arguments of an Ansible command as Ansible itself parses them, or None if it rejects them."""
    words = shlex.split(command)
    cli = PROGRAMS[words[0]](words)
    cli.init_parser()
    try:
        options: Namespace = cli.parser.parse_args(words[1:])
    except SystemExit:
        return None
    return options


def problem_of(command: str) -> str | None:
    """Why an Ansible command does not work as written, or None."""
    options = parsed(command)
    if options is None:
        return "is not accepted by the program's parser"
    if command.startswith("ansible "):
        # The names of the benchmark's measurements are not for the reader's cluster.
        return None if options.inventory or options.args == "all" else "names no inventory, so no host matches"
    if not command.startswith("ansible-playbook "):
        return None
    if len(options.args) != 1:
        return f"names {len(options.args)} playbooks"
    for inventory in options.inventory or []:
        if inventory != OWN_INVENTORY and not (ROOT / inventory).exists():
            return f"names an unknown inventory {inventory}"
    playbook = options.args[0]
    if not playbook.startswith("ivy.cluster."):
        return None if (ROOT / playbook).is_file() else f"names an unknown playbook {playbook}"
    if playbook.removeprefix("ivy.cluster.") not in PLAYBOOKS:
        return f"names an unknown playbook {playbook}"
    if not options.inventory or not options.inventory[-1].endswith("hosts.yml"):
        return "names no inventory file; Ansible reads every file of a directory as an inventory"
    return None


def playbooks_by_inventory() -> dict[str, set[str]]:
    """The playbooks of all documented commands that name an inventory or need none."""
    found: dict[str, set[str]] = {}
    for text in TEXTS.values():
        for command in ansible_commands(text):
            options = parsed(command) if command.startswith("ansible-playbook ") else None
            if options is not None:
                found.setdefault((options.inventory or [OWN_INVENTORY])[-1], set()).update(options.args)
    return found


def test_there_are_blocks() -> None:
    assert {"yaml", "ini", "sh"} <= {block.language for path, block in BLOCKS if path.name == "README.md"}
    assert len([block for path, block in BLOCKS if path == ROOT / "README.md" and block.file]) >= 7


@pytest.mark.parametrize(("path", "block"), BLOCKS, ids=[block_id(path, block) for path, block in BLOCKS])
def test_every_block_names_its_language(path: Path, block: Block) -> None:
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
    # The text before the block contains the name; in the block it would become part of the file.
    assert not re.search(r"^#\s*[\w./-]+\.(ya?ml|cfg|ini|j2|conf)$", block.content, re.MULTILINE)


def test_each_file_of_the_readme_is_named_once_and_before_its_block() -> None:
    files = [block for path, block in BLOCKS if path == ROOT / "README.md" and block.language in ("yaml", "ini")]
    assert [block.line for block in files if block.file is None] == []
    names = [str(block.file) for block in files]
    assert sorted(set(names)) == sorted(names)


def test_the_hosts_of_the_readme_have_an_interpreter() -> None:
    """With Ansible's default each host would print a warning about the discovered Python."""
    (hosts,) = [block for path, block in BLOCKS if path == ROOT / "README.md" and block.file == OWN_INVENTORY]
    assert yaml.safe_load(hosts.content)["all"]["vars"]["ansible_python_interpreter"] == "/usr/bin/python3"


@pytest.mark.parametrize(
    "sentence",
    [
        "Put `!unsafe` before a password that contains `{{`, `{%` or `{#`.",
        "Where it is mounted already: `file_share_mode: existing`, without a source.",
        "write it as text, JSON and HTML if a directory is given, for example `-e drift_report_directory=reports`.",
    ],
    ids=["!unsafe", "file_share_mode", "drift_report_directory"],
)
def test_the_readme_says_what_users_have_missed(sentence: str) -> None:
    assert sentence in " ".join(TEXTS[ROOT / "README.md"].split())


@EACH_DOCUMENT
def test_ansible_commands_work(path: Path) -> None:
    commands = ansible_commands(TEXTS[path])
    assert {command: problem for command in commands if (problem := problem_of(command))} == {}


def test_there_are_ansible_commands() -> None:
    assert len(ansible_commands(TEXTS[ROOT / "README.md"])) >= 6
    assert {"ivy.cluster.site", "ivy.cluster.preflight"} <= playbooks_by_inventory()[OWN_INVENTORY]


@pytest.mark.parametrize("inventory", sorted(playbooks_by_inventory()))
def test_playbooks_of_commands_pass_the_syntax_check(inventory: str, tmp_path: Path) -> None:
    """All playbooks of an inventory in one call. The README's inventory is created from the README's blocks."""
    source = str(ROOT / inventory)
    if inventory == OWN_INVENTORY:
        for block in blocks(TEXTS[ROOT / "README.md"]):
            if block.file is not None and block.language in ("yaml", "ini"):
                file = tmp_path / block.file
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(block.content, encoding="utf-8")
        source = str(tmp_path / inventory)
    playbooks = [
        name if name.startswith("ivy.cluster.") else str(ROOT / name)
        for name in sorted(playbooks_by_inventory()[inventory])
    ]
    program = str(Path(sys.executable).parent / "ansible-playbook")
    environment = {
        **os.environ,
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_NOCOLOR": "1",
        "LC_ALL": "C.UTF-8",
    }
    done = subprocess.run(
        [program, "--syntax-check", "-i", source, *playbooks],
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environment,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("playbook: ") == len(playbooks)


@EACH_DOCUMENT
def test_make_targets_exist(path: Path) -> None:
    for target in sorted(make_targets(TEXTS[path])):
        done = subprocess.run(["make", "-n", target], check=False, capture_output=True, text=True, cwd=ROOT)
        assert done.returncode == 0, f"make {target}: {done.stderr}"


def test_there_are_make_targets() -> None:
    assert {"demo", "test"} <= make_targets(TEXTS[ROOT / "README.md"])
    assert {"tools", "molecule"} <= make_targets(TEXTS[ROOT / "CONTRIBUTING.md"])


@EACH_DOCUMENT
def test_relative_links_lead_to_files_and_headings(path: Path) -> None:
    assert broken_links(path, TEXTS[path]) == []


def test_there_are_relative_links() -> None:
    targets = [match[1] or match[2] for text in TEXTS.values() for match in LINK.finditer(text)]
    assert len([target for target in targets if not target.startswith("http")]) > 50
    assert any("#" in target for target in targets)


@pytest.mark.parametrize(
    ("link", "works"),
    [
        ("[a](README.md)", True),
        ("[a](docs/adr/README.md#decisions)", True),
        ("![a](docs/images)", True),
        ("[a](#here-and-there)", True),
        ("[a](#here-and-there-1)", True),
        ("[a](https://example.com/nothing#at-all)", True),
        ("`[a](nothing.md)`", True),
        ("[a](nothing.md)", False),
        ("[a](docs/adr/README.md#nothing)", False),
        ("[a](#nothing)", False),
        ("[a](../outside.md)", False),
        ("[`a[0]`](nothing.md)", False),
        ("[a]: nothing.md", False),
    ],
)
def test_broken_links_are_found(link: str, works: bool) -> None:
    text = f"# Here and `there`!\n\n{link}\n\n## Here, and [there](README.md)\n"
    assert (broken_links(ROOT / "sample.md", text) == []) == works


@EACH_DOCUMENT
def test_every_playbook_that_is_named_exists(path: Path) -> None:
    modules = {file.stem for file in (ROOT / "plugins").glob("*/*.py")}
    roles = {directory.name for directory in (ROOT / "roles").iterdir()}
    assert set(re.findall(r"`ivy\.cluster\.(\w+)", TEXTS[path])) - PLAYBOOKS - modules - roles == set()


@pytest.mark.parametrize(
    "command",
    [
        "ansible-playbook -i inventory ivy.cluster.site",
        "ansible-playbook ivy.cluster.site --limit engine2",
        "ansible-playbook -i inventory/hosts.yml ivy.cluster.sight",
        "ansible-playbook -i inventory/hosts.yml playbooks/sight.yml",
        "ansible-playbook -i inventory/hosts.yml",
        "ansible-playbook -i inventory/hosts.yml ivy.cluster.site --limits lb1",
        "ansible-playbook -i inventories/none/hosts.yml ivy.cluster.site",
        "ansible-vault creates file.yml",
        "ansible load_balancers --become -m ivy.cluster.balancer_server -a 'name=engine2 state=ready'",
    ],
)
def test_commands_that_do_not_work_are_found(command: str) -> None:
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
