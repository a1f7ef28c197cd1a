# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The reference of all options matches the roles."""

from __future__ import annotations

import re
from pathlib import Path

import options
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]


def test_the_reference_is_up_to_date() -> None:
    assert (ROOT / options.PAGE).read_text(encoding="utf-8") == options.page(ROOT), "run `make docs` and commit it"


def test_every_option_is_in_the_reference() -> None:
    text = (ROOT / options.PAGE).read_text(encoding="utf-8")
    for file in ROOT.glob("roles/*/meta/argument_specs.yml"):
        for entry in yaml.safe_load(file.read_text(encoding="utf-8"))["argument_specs"].values():
            for name in entry.get("options") or {}:
                assert f"| `{name}` |" in text, f"{file}: {name}"


def test_the_reference_contains_no_markup_and_no_broken_row() -> None:
    for line in (ROOT / options.PAGE).read_text(encoding="utf-8").splitlines():
        assert not re.search(r"\b[OVCPM]\([^)]*\)", line), line
        if line.startswith("| "):
            assert len(re.findall(r"(?<!\\)\|", line)) == 5, line


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Set O(ivy_user) to V(root), as in C(id -u).", "Set `ivy_user` to `root`, as in `id -u`."),
        ("C(pgrep (x)) and C(a|b)", "`pgrep (x)` and `a\\|b`"),
        ("P(ivy.cluster.profile#filter)", "`ivy.cluster.profile`"),
        ("I(so) B(it) is, U(https://example.com/)", "*so* **it** is, <https://example.com/>"),
        ("L(here, https://example.com/)", "[here](https://example.com/)"),
        ("a <name> and C(<name>)", "a &lt;name> and `<name>`"),
        ("HTTP(S) is not markup", "HTTP(S) is not markup"),
    ],
)
def test_semantic_markup_becomes_markdown(text: str, expected: str) -> None:
    assert options.markdown(text) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [("", '`""`'), ([], "`[]`"), (None, "`null`"), (True, "`true`"), (0, "`0`"), ("a | b\n c", "`a \\| b c`")],
)
def test_defaults_are_shown_as_written(value: object, expected: str) -> None:
    assert options.shown(value) == expected
