# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ivy.cluster.plugins.plugin_utils.yaml import edit, render
from ansible_collections.ivy.cluster.plugins.plugin_utils.yaml.tree import Value, parse

NOTE = "# From the inventory, placed by ivy.cluster:"
HEADER = "# yaml-language-server: $schema=https://json-schema.axonivy.com/ivy/11.3.0/ivy.json\n"
ADDITIONS: dict[str, edit.Scalar] = {
    "SystemDb.Url": "jdbc:postgresql://db:5432/x?a=b&c=d",
    "SystemDb.MaxConnections": 50,
    "Elasticsearch.ExternalServer.Url": "http://search:9200",
    "BaseUrl": "https://ivy.example.com/",
    "Flag": True,
}


def check(text: str, additions: t.Mapping[str, edit.Scalar]) -> str:
    result = edit.add(text, additions, NOTE)
    added = {key: Value("text", edit.scalar_text(value)) for key, value in additions.items()}
    before = parse(text).tree()
    assert {key: value for key, value in parse(result).tree().items() if key not in added} == {
        key: value
        for key, value in before.items()
        if not (value.kind in ("null", "empty mapping") and any(name.startswith(f"{key}.") for name in added))
    }
    assert parse(result).tree().items() >= added.items()
    return result


def test_a_new_file() -> None:
    assert edit.add(HEADER, ADDITIONS, NOTE) == (
        HEADER + "# From the inventory, placed by ivy.cluster:\n"
        "SystemDb:\n"
        "  Url: jdbc:postgresql://db:5432/x?a=b&c=d\n"
        "  MaxConnections: 50\n"
        "Elasticsearch:\n"
        "  ExternalServer:\n"
        "    Url: http://search:9200\n"
        "BaseUrl: https://ivy.example.com/\n"
        "Flag: true\n"
    )


def test_every_line_that_was_there_stays_as_it_was() -> None:
    text = (
        HEADER + "# ours\n"
        "EMail: { Server: {Host: 'mail'} }   # a note\n"
        "SystemDb:   # the database\n"
        "    # the pool\n"
        '    Autoconvert: "false"\n'
        "Text: |\n"
        "  block\n"
        "\n"
        "Elasticsearch.ExternalServer:\n"
        "  BootTimeout: 60\n"
    )
    result = check(text, ADDITIONS)
    assert result.startswith(HEADER)
    assert [line for line in result.splitlines() if line in text.splitlines()] == text.splitlines()
    assert '    Autoconvert: "false"\n    Url: jdbc' in result
    assert "  BootTimeout: 60\n  Url: http" in result


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "# c",
        "---\n",
        "---\na: 1\n...\n",
        "a: 1",
        "a: |\n  text",
        "a: |+\n  text\n\n\n",
        "SystemDb:\n",
        "SystemDb:   # nothing yet",
        "SystemDb: {}\n",
        "SystemDb: {Autoconvert: false}\n",
        "{a: 1, SystemDb: {Autoconvert: false}}\n",
        "{}\n",
        "  a: 1\n  SystemDb:\n    Autoconvert: false\n",
        "common: &c\n  Autoconvert: false\nSystemDb: *c\n",
        "SystemDb:\n  &anchor\n  Autoconvert: false\nother: *anchor\n",
        "a: [1,\n 2]\n",
        "SystemDb:\r\n  Autoconvert: false\r\n",
        "Elasticsearch:\n- a\n",
    ],
)
def test_odd_shapes(text: str) -> None:
    check(text, {key: value for key, value in ADDITIONS.items() if key.startswith(("SystemDb", "BaseUrl"))})


def test_a_text_that_cannot_take_the_key_is_an_error() -> None:
    with pytest.raises(edit.EditError, match="SystemDb"):
        edit.add("- a\n- b\n", {"SystemDb.Url": "x"})


def test_twice_is_once() -> None:
    once = edit.add("SystemDb:\n  A: 1\n", {"SystemDb.Url": "x"})
    assert once == edit.add("SystemDb:\n  A: 1\n", {"SystemDb.Url": "x"})


NAMES = st.text("abcXYZ-é", min_size=1, max_size=4)
KEYS = st.lists(NAMES, min_size=1, max_size=3).map(".".join)
VALUES = st.one_of(
    st.integers(),
    st.booleans(),
    st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc", "Cn", "Co"), exclude_characters="\ufeff")),
)
TREES = st.dictionaries(
    NAMES,
    st.recursive(VALUES, lambda inner: st.dictionaries(NAMES, inner, max_size=3), max_leaves=6),
    max_size=4,
)


@given(TREES, st.dictionaries(KEYS, VALUES, max_size=4), st.sampled_from([None, True, False]), st.booleans())
def test_nothing_else_changes(
    tree: dict[str, t.Any], additions: dict[str, t.Any], flow: bool | None, newline: bool
) -> None:
    text = yaml.safe_dump(tree, default_flow_style=flow, allow_unicode=True, sort_keys=False)
    text = text if newline else text.rstrip("\n")
    taken = parse(text).tree()
    free = {
        key: value
        for key, value in additions.items()
        if not any(key == name or key.startswith(f"{name}.") or name.startswith(f"{key}.") for name in taken)
        and not any(other != key and other.startswith(f"{key}.") for other in additions)
    }
    check(text, free)


@given(VALUES)
def test_a_value_survives(value: edit.Scalar) -> None:
    expected = Value("text", edit.scalar_text(value))
    assert parse(f"k: {render.scalar(expected)}\n").tree() == {"k": expected}
