# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which hosts come from files that are not inventory, and what to exclude."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import pytest

from ansible_collections.ivy.cluster.plugins.plugin_utils.common.findings import Finding
from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight.model.inventory_sources import (
    HostEntry,
    Sources,
    check,
    shown,
)

IGNORED = re.compile(r"^\.|^host_vars$|^group_vars$|\.cfg$")


@pytest.fixture
def inventory(tmp_path: Path) -> Path:
    for name in ("hosts.yml", "files/prod.lic", "files/notes", "shared_config/web.yaml", ".pki/ca.pem", "prod/own.lic"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("SecuritySystems: {}\n", encoding="utf-8")
    return tmp_path


def entry(file: Path, name: str = "engine1", **options: bool) -> HostEntry:
    return HostEntry(name, str(file), **{"has_address": True, "in_cluster": True, **options})


def found(
    inventory: Path,
    hosts: t.Sequence[HostEntry] = (),
    groups: t.Collection[str] = (),
    sources: t.Sequence[str] = (),
    **named: str,
) -> list[Finding]:
    paths = tuple(str(inventory / source) for source in sources or [""])
    good = entry(inventory / "hosts.yml")
    options = {option: [str(inventory / path)] for option, path in named.items()}
    return check(
        Sources(paths, lambda name: bool(IGNORED.search(name))), [good, *hosts], groups, options, str(inventory)
    )


def test_a_file_that_an_option_names_is_not_a_inventory(inventory: Path) -> None:
    (one,) = found(
        inventory, groups=["SecuritySystems", "web"], ivy_licence_file="files/prod.lic", source="shared_config"
    )
    assert one.subject == "files, shared_config"
    assert "the group SecuritySystems" in one.message
    assert "-i hosts.yml" in one.fix
    assert "^(files|shared_config)$" in one.fix


def test_files_beside_it_are_not_inventories_either(inventory: Path) -> None:
    stray = entry(inventory / "files/notes", "hello", has_address=False, in_cluster=False)
    (one,) = found(inventory, [stray], ivy_licence_file="files/prod.lic")
    assert "the host hello from files/notes" in one.message


def test_what_is_ignored_or_outside_or_not_there_is_no_matter(inventory: Path) -> None:
    assert found(inventory, authority=".pki/ca.pem") == []
    assert found(inventory, licence="../elsewhere.lic", archive="files/nowhere.zip") == []
    assert found(inventory, sources=["hosts.yml"], licence="files/prod.lic") == []
    assert (
        found(inventory, sources=["hosts.yml", "lb1,lb2"], licence="files/prod.lic", groups=["SecuritySystems"]) == []
    )


def test_a_directory_that_holds_hosts_is_not_excluded_as_a_whole(inventory: Path) -> None:
    (one,) = found(inventory, [entry(inventory / "prod/hosts.yml", "engine2")], licence="prod/own.lic")
    assert one.subject == "prod/own.lic"
    assert r"^(own\.lic)$" in one.fix


@pytest.mark.parametrize("name", ["PK\x03\x04", "a\x1b[31mb", "\x00", "x\u202ey"])
def test_a_name_with_control_characters_is_rejected_from_any_source(inventory: Path, name: str) -> None:
    (one,) = found(inventory, [HostEntry(name, "")])
    assert str(one).isprintable()
    assert name not in str(one)


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("hosts.ini", "licence.type=Enterprise"),
        ("hosts.ini", "<html>"),
        ("hosts.ini", "EMail:"),
        ("hosts", "{{shared.host}}"),
        ("hosts", "two words"),
        ("a.zip", "fine"),
        ("b.lic", "fine"),
        ("c.yaml.j2", "fine"),
    ],
)
def test_a_line_of_some_text_is_not_a_host(inventory: Path, file: str, name: str) -> None:
    (inventory / file).touch()
    (one,) = found(inventory, [HostEntry(name, str(inventory / file))])
    assert file in str(one)


@pytest.mark.parametrize(
    ("file", "name", "address"),
    [
        ("hosts.ini", "engine1.example.com", False),
        ("hosts.ini", "10.0.0.21", False),
        ("hosts.ini", "fe80::1", False),
        ("hosts.ini", "größe_1", False),
        ("hosts.ini", "the web server", True),
        ("aws.yml", "i-123 (old machine)", False),
        ("more.yaml", "the old server", False),
        ("", "added=by a plugin", False),
    ],
)
def test_other_hosts_are_not_matter(inventory: Path, file: str, name: str, address: bool) -> None:
    if file:
        (inventory / file).touch()
    assert found(inventory, [HostEntry(name, str(inventory / file) if file else "", address)]) == []


def test_a_long_name_is_shortened() -> None:
    assert len(shown("x" * 5000)) < 50
    assert shown("\udcff") == "?"
