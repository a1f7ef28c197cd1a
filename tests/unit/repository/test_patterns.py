# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One language of patterns: only one module of the plugins translates and matches them.

The rule: no other module uses fnmatch, a function of glob that matches names, or the match of a path. A module may find
files on disk by a pattern that is a literal of its own. Where such a pattern is put together, EXCEPTIONS says why.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PLUGINS = Path(__file__).resolve().parents[3] / "plugins"
LANGUAGE = "module_utils/node/files/patterns.py"
# Path below plugins, and the reason.
EXCEPTIONS = {
    "module_utils/node/commands.py": "a directory of PostgreSQL with the name of a program that the collection calls",
    "module_utils/preflight/disk.py": "directories of the roles, escaped, where a version or a digest is not known",
    "module_utils/preflight/firewall.py": "a constant of the module, which tests replace",
    "module_utils/preflight/port_listener.py": "a directory of the collection, escaped, with constant names",
}
SOURCES = sorted(path for path in PLUGINS.rglob("*.py") if "__pycache__" not in path.parts)
# They find files on disk, or protect the characters of a pattern, which each language of patterns understands.
HARMLESS = {"escape", "has_magic"}
FINDERS = {"glob", "iglob", "rglob"}
PATHS = {"Path", "PosixPath", "PurePath", "PurePosixPath"}


def uses(text: str) -> Iterator[str]:
    """What a module uses of other languages of patterns; a pattern that is put together as "finds"."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name == "fnmatch")
            # By another name its functions would not be found.
            yield from (f"glob as {alias.asname}" for alias in node.names if alias.name == "glob" and alias.asname)
        elif isinstance(node, ast.ImportFrom) and node.module in ("fnmatch", "glob") and not node.level:
            yield from (f"{node.module}.{alias.name}" for alias in node.names if alias.name not in HARMLESS)
        elif isinstance(node, ast.Attribute):
            owner = node.value
            if isinstance(owner, ast.Name) and owner.id == "glob" and node.attr not in HARMLESS | FINDERS:
                yield f"glob.{node.attr}"
            if node.attr == "full_match":
                yield node.attr
            if isinstance(owner, ast.Call) and isinstance(owner.func, (ast.Name, ast.Attribute)):
                name = owner.func.id if isinstance(owner.func, ast.Name) else owner.func.attr
                if name in PATHS and node.attr == "match":
                    yield f"{name}.match"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in FINDERS:
            literal = isinstance(node.args[0], ast.Constant) if node.args else False
            if not literal:
                yield "finds"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PLUGINS)))
def test_only_one_module_has_a_language_of_patterns(path: Path) -> None:
    name = str(path.relative_to(PLUGINS))
    found = set(uses(path.read_text(encoding="utf-8")))
    if name == LANGUAGE:
        assert found == {"fnmatch"}
    else:
        assert found == ({"finds"} if name in EXCEPTIONS else set())


def test_each_exception_has_a_file_and_a_reason() -> None:
    assert set(EXCEPTIONS) <= {str(path.relative_to(PLUGINS)) for path in SOURCES}
    assert all(EXCEPTIONS.values())


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("import fnmatch", ["fnmatch"]),
        ("from fnmatch import fnmatchcase", ["fnmatch.fnmatchcase"]),
        ("import glob as g", ["glob as g"]),
        ("from glob import translate", ["glob.translate"]),
        ("import glob\nglob.translate(pattern)", ["glob.translate"]),
        ("import pathlib\npathlib.PurePath(path).match(pattern)", ["PurePath.match"]),
        ("path.full_match(pattern)", ["full_match"]),
        ("import glob\nglob.glob(pattern)", ["finds"]),
        ("path.rglob(pattern)", ["finds"]),
        ("import glob\nglob.glob('/var/*.log')\npath.rglob('*.py')\nglob.escape(path)", []),
        ("import re\nre.compile(pattern).match(path)", []),
    ],
)
def test_other_languages_are_found(text: str, found: list[str]) -> None:
    assert list(uses(text)) == found
