# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What has to be said in more than one file is the same in each."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import ansible
import pytest
import yaml
from blocks import blocks
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[3]
# The Python package `ansible` puts its collections beside ansible-core.
PACKAGES = Path(ansible.__file__).resolve().parents[1]


def load(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))
    return found


def requirements(name: str) -> dict[str, str]:
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    parsed = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(one.name): str(one.specifier) for one in parsed}


def test_the_collections_needed_are_the_same_for_galaxy_and_for_awx() -> None:
    listed = {entry["name"]: entry["version"] for entry in load("collections/requirements.yml")["collections"]}
    assert listed == load("galaxy.yml")["dependencies"]


@pytest.mark.parametrize("name", ["requirements", "requirements-newest"])
def test_requirements_are_pinned_and_contain_what_was_asked_for(name: str) -> None:
    pinned = requirements(f"{name}.txt")
    assert [one for one, version in pinned.items() if not re.fullmatch(r"==[^,*]+", version)] == []
    for one, version in requirements(f"{name}.in").items():
        assert pinned[one] == (version or pinned[one])


def test_no_collection_is_used_that_is_not_required() -> None:
    own = f"{load('galaxy.yml')['namespace']}.{load('galaxy.yml')['name']}"
    allowed = {"ansible.builtin", own, *load("galaxy.yml")["dependencies"]}
    used: dict[str, str] = {}
    for pattern in ("roles/*/tasks/*.yml", "roles/*/handlers/*.yml", "playbooks/*.yml"):
        for path in sorted(ROOT.glob(pattern)):
            for found in re.findall(r"^[\s-]*((?:\w+\.){2})\w+:", path.read_text(encoding="utf-8"), re.MULTILINE):
                used[found.rstrip(".")] = str(path.relative_to(ROOT))
    assert {name: path for name, path in used.items() if name not in allowed} == {}


def readme_installation() -> list[str]:
    """The commands with which the README installs the collection."""
    found = blocks((ROOT / "README.md").read_text(encoding="utf-8"))
    return next(block.commands for block in found if block.heading == "Your own hosts" and block.language == "sh")


def test_the_readme_gets_the_collection_from_where_galaxy_says_it_is() -> None:
    galaxy = load("galaxy.yml")
    assert f"git clone {galaxy['repository']}" in readme_installation()
    assert str(galaxy["documentation"]).startswith(galaxy["repository"])
    assert galaxy["issues"] == f"{galaxy['repository']}/issues"


def test_the_readme_installs_the_ansible_that_the_tests_run_with() -> None:
    package = f'"ansible{requirements("requirements.in")["ansible"]}"'
    assert [line.split()[2] for line in readme_installation() if line.startswith("pip install ")] == [package]


def test_the_readme_names_the_versions_of_ansible_that_the_tests_run_with() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for name in ("requirements", "requirements-newest"):
        package, core = (requirements(f"{name}.txt")[one].removeprefix("==") for one in ("ansible", "ansible-core"))
        short = ".".join(core.split(".")[:2])
        assert re.search(rf"{re.escape(short)}\s+\(`ansible` {re.escape(package)}", text), (
            f"{short} (`ansible` {package}"
        )
    assert load("meta/runtime.yml")["requires_ansible"].startswith(">=2.19")


def test_galaxy_accepts_the_collections_of_the_ansible_that_is_installed() -> None:
    for name, wanted in load("galaxy.yml")["dependencies"].items():
        manifest = PACKAGES / "ansible_collections" / name.replace(".", "/") / "MANIFEST.json"
        version = json.loads(manifest.read_text(encoding="utf-8"))["collection_info"]["version"]
        assert Requirement(f"collection{wanted}").specifier.contains(version), f"{name} {version}"
