# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""molecule follows the README: no block is skipped by accident, and only what has to be is replaced."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import readme_way
import yaml
from blocks import blocks

ROOT = Path(__file__).resolve().parents[3]
README = blocks((ROOT / "README.md").read_text(encoding="utf-8"))
WORDS = readme_way.Secrets("a" * 64, "b" * 64, "c" * 64)


def test_every_block_of_the_readme_is_followed_or_skipped_for_a_reason() -> None:
    headings = {block.heading for block in README}
    assert headings == {readme_way.CHAPTER, *readme_way.NOT_FOLLOWED}


def test_the_chapter_begins_by_creating_the_directory_and_every_file_block_is_named() -> None:
    first, *others = readme_way.readme()
    assert first.commands[0] == f"mkdir {readme_way.WORK.name} && cd {readme_way.WORK.name}"
    assert [block.line for block in others if block.language != "sh" and block.file is None] == []
    assert readme_way.VAULT in [block.file for block in others]


def test_every_run_that_molecule_repeats_is_in_the_readme() -> None:
    assert len(readme_way.commands_of("site")) == 1
    assert len(readme_way.commands_of("site", check=True)) == 1
    assert len(readme_way.commands_of("verify")) == 1
    assert [command for command in readme_way.commands_of("preflight") if "preflight_scope=inventory" in command]


def test_the_playbooks_that_are_run_with_an_empty_configuration_exist() -> None:
    assert set(readme_way.OTHER_PLAYBOOKS) < {path.stem for path in (ROOT / "playbooks").glob("*.yml")}


def test_only_the_repository_and_the_inventories_are_replaced_in_commands() -> None:
    changed = {}
    for block in readme_way.readme():
        for command in block.commands if block.language == "sh" else []:
            new = readme_way.replaced(command)
            if new != command:
                changed[command.split()[0]] = new.replace(readme_way.INVENTORY, "").split()
                assert [word for word in command.split() if word not in new.split()] in ([], command.split()[:3])
    assert set(changed) == {"git", "ansible-playbook"}
    assert changed["git"] == ["ln", "-s", str(ROOT), "ivy.cluster"]


def test_the_passwords_are_all_that_is_replaced_in_the_vault() -> None:
    (vault,) = [block for block in readme_way.readme() if block.file == readme_way.VAULT]
    filled = yaml.safe_load(WORDS.fill_in(vault.content))
    assert filled["ivy_cluster_key"] == WORDS.cluster_key
    assert filled["ivy_database_password"] == WORDS.database_password
    assert filled["ivy_shared_secrets"] == {"engine_keys": {"Administrators.admin.Password": WORDS.admin_password}}
    assert set(filled) == set(yaml.safe_load(vault.content))
    with pytest.raises(ValueError, match="not filled in"):
        WORDS.fill_in('new_secret: "<a password>"\n')


def test_the_overlay_changes_only_what_hosts_in_containers_need() -> None:
    variables = {}
    for file in sorted((readme_way.SCENARIO / "lab").rglob("*.yml")):
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
        variables.update(content["all"]["vars"] if file.name == "hosts.yml" else content)
    assert set(variables) == {
        *("lab_directory", "ansible_user", "ansible_ssh_common_args"),
        *("file_share_mode", "engine_heap_min", "engine_heap_max"),
        *("elasticsearch_archive", "elasticsearch_heap", "elasticsearch_max_map_count"),
    }


def test_a_password_is_typed_at_its_prompt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readme_way, "LOG", tmp_path / "log")
    script = "import getpass; print('got ' + getpass.getpass('Vault password: ')); raise SystemExit(3)"
    status, output = readme_way.typed([sys.executable, "-c", script], tmp_path, {}, "it is me")
    assert (status, "got it is me" in output) == (3, True)


@pytest.mark.parametrize(
    ("recap", "fails"),
    [
        ("PLAY RECAP ***\nlb1    : ok=3    changed=0    unreachable=0\n", False),
        ("PLAY RECAP ***\nlb1    : ok=3    changed=0   \nengine1 : ok=3 changed=2 \n", True),
        ("nothing matched\n", True),
    ],
)
def test_a_run_that_changes_something_or_matches_no_host_is_rejected(
    recap: str, fails: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LOG", "VAULT_PASSWORD_FILE"):
        monkeypatch.setattr(readme_way, name, tmp_path / name)
    (tmp_path / "VAULT_PASSWORD_FILE").write_text("x", encoding="utf-8")
    (tmp_path / "output").write_text(recap, encoding="utf-8")
    shell = readme_way.Shell(tmp_path, {"PATH": "/usr/bin:/bin"})
    if fails:
        with pytest.raises(SystemExit):
            shell.run_without_a_change("cat output")
    else:
        shell.run_without_a_change("cat output")


def test_a_command_that_fails_ends_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOG", "VAULT_PASSWORD_FILE"):
        monkeypatch.setattr(readme_way, name, tmp_path / name)
    (tmp_path / "VAULT_PASSWORD_FILE").write_text("x", encoding="utf-8")
    with pytest.raises(SystemExit):
        readme_way.Shell(tmp_path, {"PATH": "/usr/bin:/bin"}).run("false\ntrue")


def test_the_users_environment_is_independent_of_the_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANSIBLE_CONFIG", str(ROOT / "ansible.cfg"))
    monkeypatch.setenv("PATH", f"{ROOT}/.venv/bin:/usr/bin")
    found = readme_way.environment()
    assert "ANSIBLE_CONFIG" not in found
    assert f"{ROOT}/.venv/bin" not in found["PATH"].split(":")
