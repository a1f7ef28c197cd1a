# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The outside tests run in a fixed order, so a module without a place in it would stop all of them."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

SCENARIOS = Path(__file__).resolve().parents[3] / "molecule"


def order(name: str = "ORDER") -> list[str]:
    """A list of the configuration, read without importing the tests: they need the hosts of a scenario."""
    tree = ast.parse((SCENARIOS / "default/tests/conftest.py").read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == name:
            return list(ast.literal_eval(node.value))
    raise AssertionError(f"conftest.py defines no {name}")


def test_every_outside_test_has_a_place_in_the_order() -> None:
    modules = {path.stem for path in SCENARIOS.glob("*/tests/test_*.py")}

    assert len(modules) > 15
    assert sorted(modules) == sorted(order())


def test_what_make_test_leaves_out_exists() -> None:
    for part in order("LEFT_OUT"):
        # Without the case of a parametrized test.
        path, _colons, function = part.partition("[")[0].partition("::")
        (module,) = SCENARIOS.glob(f"*/tests/{path}") if "/" not in path else [SCENARIOS.parent / path]
        assert f"def {function}(" in module.read_text(encoding="utf-8") if function else module.is_file(), part


def test_no_outside_test_imports_the_configuration_of_pytest() -> None:
    """Run from the top of the repository, pytest may find another conftest.py. For types it does not matter."""
    found = [
        path.name
        for path in SCENARIOS.glob("*/tests/*.py")
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ImportFrom) and node.module == "conftest"
    ]
    assert found == []


def test_what_site_reports_of_a_change_by_hand_is_the_name_of_a_task_or_of_a_file() -> None:
    files = [path for part in ("roles", "playbooks", "plugins") for path in (SCENARIOS.parent / part).rglob("*.*")]
    known = "\n".join(path.read_text(encoding="utf-8") for path in files if path.suffix in (".yml", ".j2", ".py"))
    rounds = importlib.import_module("changes_by_hand").ROUNDS
    changes = [change for round_ in rounds.values() for change in round_]
    texts = {text for change in changes for text in (change.reported, change.predicted) if text and text[0].isupper()}

    assert len(texts) > 20
    # What follows the name is of the result.
    assert [text for text in sorted(texts) if text.split(".*")[0] not in known] == []
