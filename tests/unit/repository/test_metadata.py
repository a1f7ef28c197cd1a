# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Facts that are stated in several files agree."""

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
    return {canonicalize_name(requirement.name): str(requirement.specifier) for requirement in parsed}


def test_galaxy_and_awx_require_the_same_collections() -> None:
    listed = {entry["name"]: entry["version"] for entry in load("collections/requirements.yml")["collections"]}
    assert listed == load("galaxy.yml")["dependencies"]


@pytest.mark.parametrize("name", ["requirements", "requirements-newest"])
def test_requirements_are_pinned_and_contain_every_input(name: str) -> None:
    pinned = requirements(f"{name}.txt")
    assert [package for package, version in pinned.items() if not re.fullmatch(r"==[^,*]+", version)] == []
    for package, version in requirements(f"{name}.in").items():
        assert pinned[package] == (version or pinned[package])


def test_every_used_collection_is_required() -> None:
    own = f"{load('galaxy.yml')['namespace']}.{load('galaxy.yml')['name']}"
    allowed = {"ansible.builtin", own, *load("galaxy.yml")["dependencies"]}
    used: dict[str, str] = {}
    for pattern in ("roles/*/tasks/*.yml", "roles/*/handlers/*.yml", "playbooks/*.yml"):
        for path in sorted(ROOT.glob(pattern)):
            for found in re.findall(r"^[\s-]*((?:\w+\.){2})\w+:", path.read_text(encoding="utf-8"), re.MULTILINE):
                used[found.rstrip(".")] = str(path.relative_to(ROOT))
    assert {name: path for name, path in used.items() if name not in allowed} == {}


def readme_installation() -> list[str]:
    """The README's commands that install the collection."""
    found = blocks((ROOT / "README.md").read_text(encoding="utf-8"))
    return next(block.commands for block in found if block.heading == "Your own hosts" and block.language == "sh")


def test_the_readme_clones_the_repository_that_galaxy_names() -> None:
    galaxy = load("galaxy.yml")
    assert f"git clone {galaxy['repository']}" in readme_installation()
    assert str(galaxy["documentation"]).startswith(galaxy["repository"])
    assert galaxy["issues"] == f"{galaxy['repository']}/issues"


def test_the_readme_installs_the_tested_version_of_ansible() -> None:
    package = f'"ansible{requirements("requirements.in")["ansible"]}"'
    assert [line.split()[2] for line in readme_installation() if line.startswith("pip install ")] == [package]


def test_the_readme_names_the_tested_versions_of_ansible() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for name in ("requirements", "requirements-newest"):
        package, core = (requirements(f"{name}.txt")[key].removeprefix("==") for key in ("ansible", "ansible-core"))
        short = ".".join(core.split(".")[:2])
        assert re.search(rf"{re.escape(short)}\s+\(`ansible` {re.escape(package)}", text), (
            f"{short} (`ansible` {package}"
        )
    assert load("meta/runtime.yml")["requires_ansible"].startswith(">=2.19")


def test_galaxy_accepts_the_collections_of_the_installed_ansible() -> None:
    for name, specifier in load("galaxy.yml")["dependencies"].items():
        manifest = PACKAGES / "ansible_collections" / name.replace(".", "/") / "MANIFEST.json"
        version = json.loads(manifest.read_text(encoding="utf-8"))["collection_info"]["version"]
        assert Requirement(f"collection{specifier}").specifier.contains(version), f"{name} {version}"
