# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The folders show the architecture: imports follow the layers, and packages form no cycle."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PLUGINS = Path(__file__).resolve().parents[3] / "plugins"
COLLECTION = "ansible_collections.ivy.cluster.plugins."
# A layer and the layers from which it may import.
LAYERS = {
    "modules": {"modules", "module_utils"},
    "module_utils": {"module_utils"},
    "plugin_utils": {"plugin_utils", "module_utils", "modules"},
    "action": {"plugin_utils", "module_utils", "modules"},
    "filter": {"plugin_utils"},
    "lookup": {"plugin_utils"},
    "doc_fragments": set(),
}
# The transport validates the options of a module on the controller before it sends anything.
SPECIFICATIONS = {"plugin_utils/node/transport.py"}


def sources() -> list[Path]:
    return sorted(path for path in PLUGINS.rglob("*.py") if "__pycache__" not in path.parts)


def imported(path: Path) -> Iterator[str]:
    """The modules of this collection that a file imports, as dotted names below plugins."""
    package = list(path.relative_to(PLUGINS).parent.parts)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.ImportFrom):
            continue
        if node.level:
            base = package[: len(package) - node.level + 1] + (node.module.split(".") if node.module else [])
        elif node.module and f"{node.module}.".startswith(COLLECTION):
            base = node.module.removeprefix(COLLECTION.rstrip(".")).strip(".").split(".")
        else:
            continue
        place = PLUGINS.joinpath(*base)
        for name in node.names:
            yield ".".join([*base, name.name] if place.is_dir() and (place / f"{name.name}.py").exists() else base)


def package_of(module: str) -> str:
    """The package of a module. A module outside any package counts as its own package."""
    path = PLUGINS.joinpath(*module.split("."))
    return module if path.is_dir() else module.rpartition(".")[0]


def graph() -> dict[str, set[str]]:
    """The packages from which each package imports."""
    arrows: dict[str, set[str]] = {}
    for path in sources():
        package = ".".join(path.relative_to(PLUGINS).parent.parts)
        arrows.setdefault(package, set()).update(package_of(module) for module in imported(path))
    return {package: others - {package} for package, others in arrows.items()}


def cycle(arrows: dict[str, set[str]]) -> list[str]:
    """A cycle of packages, or an empty list."""
    done: set[str] = set()

    def follow(package: str, trail: list[str]) -> list[str]:
        if package in trail:
            return [*trail[trail.index(package) :], package]
        if package in done:
            return []
        for other in sorted(arrows.get(package, ())):
            if found := follow(other, [*trail, package]):
                return found
        done.add(package)
        return []

    for package in sorted(arrows):
        if found := follow(package, []):
            return found
    return []


def test_packages_form_no_cycle() -> None:
    arrows = graph()
    assert len(arrows) > 20
    assert cycle(arrows) == []


def test_a_cycle_is_found() -> None:
    assert cycle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(PLUGINS)))
def test_imports_point_one_way(path: Path) -> None:
    name = str(path.relative_to(PLUGINS))
    layer = path.relative_to(PLUGINS).parts[0]
    wrong = {module for module in imported(path) if module.partition(".")[0] not in LAYERS[layer]}
    if layer == "plugin_utils" and name not in SPECIFICATIONS:
        wrong |= {module for module in imported(path) if module.startswith("modules")}
    assert wrong == set()


def test_each_package_has_a_docstring() -> None:
    packages = [
        path for area in ("plugin_utils", "module_utils") for path in (PLUGINS / area).rglob("*") if path.is_dir()
    ]
    for package in packages:
        if package.name == "__pycache__":
            continue
        text = (package / "__init__.py").read_text(encoding="utf-8")
        assert ast.get_docstring(ast.parse(text)), package


def test_controller_modules_are_in_packages() -> None:
    assert [path.name for path in (PLUGINS / "plugin_utils").glob("*.py")] == []


def test_code_of_hosts_imports_relatively() -> None:
    """What a host caches has another name there."""
    for path in (PLUGINS / "module_utils").rglob("*.py"):
        assert COLLECTION not in path.read_text(encoding="utf-8"), path
