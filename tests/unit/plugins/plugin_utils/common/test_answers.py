# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever a node answers is checked before the controller works with it."""

from __future__ import annotations

import ast
import base64
import typing as t
from pathlib import Path

import pytest

from ansible_collections.ivy.cluster.plugins.module_utils.node.files.digest import canonical
from ansible_collections.ivy.cluster.plugins.plugin_utils.adopt import run
from ansible_collections.ivy.cluster.plugins.plugin_utils.common import answers
from ansible_collections.ivy.cluster.plugins.plugin_utils.release import node_copy
from ansible_collections.ivy.cluster.plugins.plugin_utils.release.cache import CacheError

ROOT = Path(__file__).resolve().parents[5]
CONTROLLER = sorted(
    path for place in ("plugin_utils", "action", "filter") for path in (ROOT / "plugins" / place).rglob("*.py")
)
READERS = {"json.loads", "json.load", "base64.b64decode", "b64decode", "zlib.decompress", "pickle.loads"}
# They read what the controller or the administrator wrote.
OWN = {
    *("preflight/checks/archives.py", "release/cache.py", "release/file_checks.py"),
    # It reads what it has written itself.
    "support/archive.py",
}
RELEASE = "a" * 32
ENTRY: dict[str, t.Any] = {
    "root": "engine",
    "path": "configuration/ivy.yaml",
    "sha256": "b" * 64,
    "size": 1,
    "mode": "0640",
    "secret": False,
    "kind": "yaml",
    "restart": {},
    "secret_keys": ["A.Password"],
}
MANIFEST: dict[str, t.Any] = {"format": 1, "id": RELEASE, "entries": [ENTRY]}
ITEM: dict[str, t.Any] = {"root": "engine", "path": "configuration/ivy.yaml", "kind": "modified", "before": None}
ANSWER: dict[str, t.Any] = {"applied": RELEASE, "engine_owned": [], "findings": [ITEM]}


def sent(manifest: t.Any) -> str:
    return base64.b64encode(canonical(manifest)).decode("ascii")


def test_only_one_place_reads_what_a_node_sends() -> None:
    found = []
    for path in CONTROLLER:
        calls = {ast.unparse(node.func) for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)}
        name = str(path.relative_to(ROOT / "plugins")).removeprefix("plugin_utils/")
        if calls & READERS and name != "common/answers.py" and name not in OWN:
            found.append(name)
    assert found == []


def test_on_a_node_a_nested_text_is_as_wrong_as_one_that_is_not_json() -> None:
    """json.loads raises RecursionError for a text with many brackets."""
    found = []
    for path in sorted((ROOT / "plugins" / "module_utils").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Try) or "json.loads(" not in "".join(map(ast.unparse, node.body)):
                continue
            caught = "".join(ast.unparse(one.type) for one in node.handlers if one.type is not None)
            if "ValueError" in caught and "RecursionError" not in caught and "Exception" not in caught.split("Error"):
                found.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert found == []


def test_a_manifest_is_read() -> None:
    assert node_copy.manifest_of(sent(MANIFEST), RELEASE) == MANIFEST
    run.check_answer({**ANSWER, "manifest": sent(MANIFEST)})


@pytest.mark.parametrize(
    "manifest",
    [
        [],
        {},
        {**MANIFEST, "id": "c" * 32},
        {**MANIFEST, "entries": {}},
        {**MANIFEST, "entries": [1]},
        *(
            {**MANIFEST, "entries": [{**ENTRY, **wrong}]}
            for wrong in (
                {"path": "../x"},
                {"path": 1},
                {"path": ".git/config"},
                {"sha256": "b"},
                {"size": "1"},
                {"size": -1},
                {"secret_keys": "A"},
                {"secret_keys": [1]},
                {"secret_keys": {"A": 1}},
            )
        ),
    ],
)
def test_a_manifest_that_is_wrong_is_refused(manifest: t.Any) -> None:
    with pytest.raises(CacheError):
        node_copy.manifest_of(sent(manifest), RELEASE)


@pytest.mark.parametrize(
    "text", [None, 1, "%", sent("x")[:-2], base64.b64encode(b"[" * 100_000).decode(), "A" * (24 << 20)]
)
def test_another_text_is_refused(text: t.Any) -> None:
    with pytest.raises(CacheError):
        node_copy.manifest_of(text, RELEASE)


@pytest.mark.parametrize(
    "wrong",
    [
        {"applied": 1},
        {"engine_owned": "x"},
        {"engine_owned": [1]},
        {"findings": {}},
        {"findings": [1]},
        *({"findings": [{**ITEM, **part}]} for part in ({"path": 1}, {"root": None}, {"before": 1}, {"secret": "no"})),
        *(
            {"findings": [{name: value for name, value in ITEM.items() if name != missing}]}
            for missing in ("root", "path")
        ),
    ],
)
def test_an_answer_for_adopt_that_is_wrong_is_refused(wrong: dict[str, t.Any]) -> None:
    with pytest.raises(ValueError, match="The node's answer cannot be used"):
        run.check_answer({**ANSWER, **wrong})


def test_shapes() -> None:
    answers.check({"a": [{"b": True}], "more": 1}, {"a": [{"b": bool}], "c?": str})
    answers.check({"x": {"a": "1"}, "y": {}}, {"*": {"a?": str}})
    for value, shape in (
        ({"x": 1}, {"*": str}),
        (True, int),
        ("x", [str]),
        ({"a": None}, {"a": str}),
        ({}, {"a": str}),
    ):
        with pytest.raises(answers.AnswerError):
            answers.check(value, shape)
