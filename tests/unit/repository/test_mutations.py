# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The listed mutations can still be applied, and tools/mutate.py reports which of them survive."""

from __future__ import annotations

import ast
from pathlib import Path

import jinja2
import mutate
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
CODE = '''\
"""Docs 1."""
LIMIT = 3


def judge(value: int = 5, name: str = "a") -> bool:
    """Docs 2."""
    if value > 10 and not name:
        raise ValueError(value)
    count: int = 0
    count += 1
    return value in (1, 2) or (name is not None)
'''


@pytest.mark.parametrize("mutation", mutate.listed(), ids=lambda mutation: mutation.name)
def test_a_listed_mutation_can_be_applied(mutation: mutate.Mutation) -> None:
    changed = mutation.applied((ROOT / mutation.file).read_text(encoding="utf-8"))
    if mutation.file.endswith(".py"):
        ast.parse(changed)
    elif mutation.file.endswith(".j2"):
        jinja2.Environment(extensions=["jinja2.ext.do"]).parse(changed)
    else:
        yaml.safe_load(changed)
    assert all((ROOT / path.partition("::")[0]).exists() for path in mutation.tests)


def test_mutations_are_generated_for_the_code_of_functions_only() -> None:
    made = mutate.generated("x.py", CODE, ["tests"])
    changed = {mutation.applied(CODE) for mutation in made}
    assert len(changed) == len(made)
    for text in changed:
        ast.parse(text)
        assert text.startswith('"""Docs 1."""\nLIMIT = 3\n')
        assert 'def judge(value: int = 5, name: str = "a") -> bool:\n    """Docs 2."""\n' in text
    lines = {line.strip() for text in changed for line in text.splitlines()} - {
        line.strip() for line in CODE.splitlines()
    }
    assert lines == {
        "if value >= 10 and not name:",
        "if value > 10 or not name:",
        "if value > 10 and name:",
        "if value > 11 and not name:",
        "pass",
        "count: int = 1",
        "count += 2",
        "return value not in (1, 2) or (name is not None)",
        "return value in (1, 2) and (name is not None)",
        "return value in (1, 2) or (name is None)",
        "return value in (2, 2) or (name is not None)",
        "return value in (1, 3) or (name is not None)",
        "return None",
    }


def test_what_survives_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    repository = tmp_path / "repository"
    repository.mkdir()
    (repository / "code.py").write_text("def double(value):\n    return value * 2 if value else 0\n", encoding="utf-8")
    test = "import code_under_test\n\ndef test_it():\n    assert code_under_test.double(2) == 4\n"
    (repository / "code.py").rename(repository / "code_under_test.py")
    (repository / "test_code.py").write_text(test, encoding="utf-8")
    monkeypatch.setattr(mutate, "ROOT", repository)

    def mutation(name: str, find: str, replace: str) -> mutate.Mutation:
        return mutate.Mutation(name, "code_under_test.py", find, replace, ("test_code.py",))

    found = mutation("found", "value * 2", "value * 3")
    survives = mutation("survives", "else 0", "else 1")
    gone = mutation("gone", "nowhere", "")
    for number, (mutations, status) in enumerate([([found], 0), ([found, survives], 1), ([found, survives, gone], 2)]):
        (tmp_path / str(number)).mkdir()
        assert mutate.run(mutations, tmp_path / str(number)) == status
    output = capsys.readouterr().out
    assert "1/1 found: found" in output
    assert "2/2 SURVIVED: survives" in output
    assert "3/3 cannot be applied: gone" in output
    assert "value * 2 if" in (repository / "code_under_test.py").read_text(encoding="utf-8")
