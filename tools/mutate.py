# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Breaks the code on purpose, one change at a time, and reports the changes that no test notices.

    python tools/mutate.py                                  # every mutation listed in tests/mutations.yml
    python tools/mutate.py --only masking                   # those whose name or file contains a word
    python tools/mutate.py --generate FILE --tests PATH...  # all simple mutations of a file, or --sample of them

Works in a copy of the repository. Ends with status 1 if a mutation survives, and 2 if one cannot be applied or the
tests fail without any.
"""

from __future__ import annotations

import argparse
import ast
import dataclasses
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
LIST = ROOT / "tests/mutations.yml"
_LEFT_OUT = (".git", ".venv", ".cache", "__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".hypothesis")
# A mutation may make a loop endless.
_SECONDS = 900
_OPERATORS = {
    "==": "!=", "!=": "==", "<": "<=", "<=": "<", ">": ">=", ">=": ">",
    "in": "not in", "not in": "in", "is": "is not", "is not": "is",
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Mutation:
    """One change of one file, and the tests that have to notice it."""

    name: str
    file: str
    find: str
    replace: str
    tests: tuple[str, ...]
    # Where the text is; None where it occurs once.
    at: int | None = None

    def applied(self, text: str) -> str:
        """The changed text; raises ValueError if the text is not there exactly once."""
        if self.at is None:
            if text.count(self.find) != 1:
                raise ValueError(f"{self.file} contains the text to replace {text.count(self.find)} times, not once")
            return text.replace(self.find, self.replace)
        return text[: self.at] + self.replace + text[self.at + len(self.find) :]


def listed(path: Path = LIST) -> list[Mutation]:
    entries = yaml.safe_load(path.read_text(encoding="utf-8"))
    return [Mutation(**{**entry, "tests": tuple(entry["tests"])}) for entry in entries]


# --- generated mutations


def generated(file: str, text: str, tests: Iterable[str]) -> list[Mutation]:
    starts = [0]
    for line in text.encode("utf-8").splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    data = text.encode("utf-8")

    def index(line: int, column: int) -> int:
        return len(data[: starts[line - 1] + column].decode("utf-8"))

    def span(node: ast.expr | ast.stmt) -> tuple[int, int]:
        return index(node.lineno, node.col_offset), index(node.end_lineno or 0, node.end_col_offset or 0)

    found = []
    for start, end, replacement in _changes(ast.parse(text), text, span):
        number = text.count("\n", 0, start) + 1
        before = " ".join(text[start:end].split())
        name = f"{file}:{number}: {before[:60]!r} -> {replacement[:60]!r}"
        found.append(Mutation(name, file, text[start:end], replacement, tuple(tests), start))
    return found


def _changes(tree: ast.AST, text: str, span: object) -> Iterator[tuple[int, int, str]]:
    place = span
    assert callable(place)
    for node in _code(tree):
        if isinstance(node, ast.Compare):
            left: ast.expr = node.left
            for right in node.comparators:
                yield from _operator(text, place(left)[1], place(right)[0], _OPERATORS)
                left = right
        elif isinstance(node, ast.BoolOp):
            swap = {"and": "or", "or": "and"}
            for first, second in zip(node.values, node.values[1:]):
                yield from _operator(text, place(first)[1], place(second)[0], swap)
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            yield place(node)[0], place(node.operand)[0], ""
        elif isinstance(node, ast.Constant) and isinstance(node.value, (bool, int)):
            yield (*place(node), str(not node.value) if isinstance(node.value, bool) else str(node.value + 1))
        elif isinstance(node, ast.Return) and node.value is not None and not _is_none(node.value):
            yield (*place(node.value), "None")
        elif isinstance(node, (ast.Assign, ast.AugAssign, ast.Raise)) or (
            isinstance(node, ast.Expr) and isinstance(node.value, (ast.Call, ast.Yield, ast.YieldFrom))
        ):
            yield (*place(node), "pass")


def _code(tree: ast.AST) -> Iterator[ast.AST]:
    """The nodes of functions, without annotations, default values and docstrings."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            for statement in node.body:
                yield from _within(statement)
        else:
            yield from _code(node)


def _within(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.AnnAssign):
        if node.value is not None:
            yield from _within(node.value)
        return
    yield node
    for child in ast.iter_child_nodes(node):
        yield from _within(child)


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _operator(text: str, start: int, end: int, swap: dict[str, str]) -> Iterator[tuple[int, int, str]]:
    """The operator between two operands; brackets and line breaks may be around it."""
    between = text[start:end]
    word = between.strip(" \t\r\n()\\")
    if word in swap:
        at = start + between.index(word)
        yield at, at + len(word), swap[word]


# --- running the tests


class Copy:
    """A copy of the repository, so that a mutation never reaches the files of the user."""

    def __init__(self, directory: Path) -> None:
        self.root = directory / "cluster"
        shutil.copytree(ROOT, self.root, symlinks=True, ignore=shutil.ignore_patterns(*_LEFT_OUT))

    def fails(self, tests: Iterable[str]) -> bool:
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
        # Compiled code is found by the time and the size of its source. A mutation can have those of the original.
        environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
        try:
            done = subprocess.run(
                command, cwd=self.root, env=environment, capture_output=True, check=False, timeout=_SECONDS
            )
        except subprocess.TimeoutExpired:
            return True
        return done.returncode != 0

    def notices(self, mutation: Mutation) -> bool:
        path = self.root / mutation.file
        text = path.read_text(encoding="utf-8")
        path.write_text(mutation.applied(text), encoding="utf-8")
        try:
            return self.fails(mutation.tests)
        finally:
            path.write_text(text, encoding="utf-8")


def run(mutations: list[Mutation], directory: Path) -> int:
    copy = Copy(directory)
    for tests in dict.fromkeys(mutation.tests for mutation in mutations):
        if copy.fails(tests):
            print(f"The tests fail without a mutation: {' '.join(tests)}")
            return 2
    survived, wrong = [], []
    for number, mutation in enumerate(mutations, start=1):
        try:
            noticed = copy.notices(mutation)
        except ValueError as error:
            wrong.append(mutation.name)
            print(f"{number}/{len(mutations)} cannot be applied: {mutation.name} ({error})", flush=True)
            continue
        if not noticed:
            survived.append(mutation.name)
        print(f"{number}/{len(mutations)} {'found' if noticed else 'SURVIVED'}: {mutation.name}", flush=True)
    print(f"{len(mutations)} mutations, {len(survived)} survived, {len(wrong)} could not be applied")
    for name in survived:
        print(f"  survived: {name}")
    return 2 if wrong else int(bool(survived))


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Report changes of the code that no test notices.")
    parser.add_argument("--only", default="", help="a word in the name or the file of the listed mutations to run")
    parser.add_argument("--generate", metavar="FILE", help="mutate this file instead of the list")
    parser.add_argument("--tests", nargs="+", default=[], metavar="PATH", help="tests for the generated mutations")
    parser.add_argument("--sample", type=int, default=0, help="the number of generated mutations to run; 0 for all")
    parser.add_argument("--seed", type=int, default=1, help="chooses the sample")
    options = parser.parse_args(arguments)
    if options.generate:
        if not options.tests:
            parser.error("--generate needs --tests")
        mutations = generated(options.generate, (ROOT / options.generate).read_text(encoding="utf-8"), options.tests)
        if 0 < options.sample < len(mutations):
            mutations = random.Random(options.seed).sample(mutations, options.sample)
    else:
        mutations = [one for one in listed() if options.only in one.name or options.only in one.file]
    with tempfile.TemporaryDirectory() as directory:
        return run(mutations, Path(directory))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
