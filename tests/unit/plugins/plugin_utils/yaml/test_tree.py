# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.ivy.cluster.plugins.plugin_utils.yaml import edit, nodes
from ansible_collections.ivy.cluster.plugins.plugin_utils.yaml import tree as yaml_tree
from ansible_collections.ivy.cluster.plugins.plugin_utils.yaml.tree import (
    SeveralDocumentsError,
    Value,
    YamlError,
    compose,
    has_prefix,
    parse,
    read_header,
)

HEADER = "# yaml-language-server: $schema=https://json-schema.axonivy.com/ivy/11.3.0/ivy.json"


def test_flattens_with_lines() -> None:
    document = parse("A:\n  B: 1\n  C:\n    - x\n    - D: y\nE.F: |\n  two\n  lines\n")
    assert [(leaf.key, leaf.value.text, leaf.line) for leaf in document.leaves] == [
        ("A.B", "1", 2),
        ("A.C[0]", "x", 4),
        ("A.C[1].D", "y", 5),
        ("E.F", "two\nlines\n", 6),
    ]


def test_types_are_not_resolved() -> None:
    plain, quoted = parse("a: 8080\nb: True\nc: 1.50\nd: 0x10\n"), parse('a: "8080"\nb: "true"\nc: "1.50"\nd: "0x10"\n')
    assert plain.tree() == quoted.tree()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a:", Value("null")),
        ("a: ~", Value("null")),
        ("a: null", Value("null")),
        ("a: 'null'", Value("text", "null")),
        ("a: ''", Value("text", "")),
        ("a: {}", Value("empty mapping")),
        ("a: []", Value("empty list")),
        ("a: '{}'", Value("text", "{}")),
    ],
)
def test_other_kinds_are_distinguished_from_text(text: str, value: Value) -> None:
    assert parse(text).tree() == {"a": value}


@pytest.mark.parametrize("text", ["", "\n", "# only a comment\n", "---\n", "---\n...\n"])
def test_an_empty_document(text: str) -> None:
    document = parse(text)
    assert document.leaves == ()
    assert document.is_mapping


ODD = [
    "a: 'x'\nb: \"y\\n\"\nc: |\n  z\nd: >-\n  w\n  v\ne: ~\nf:\ng: {h: [1, 2]}\n",
    "\ufeffa: 1\n",
    "a: é漢🔑\r\nb: 2\r\n",
    "? a\n: 1\n",
    "a: &x {b: 1}\nc: *x\n<<: *x\n",
    "%YAML 1.1\n---\na: !!str 1\nb: !own 2\n",
    "a: 1\na: 2\n",
    "- 1\n- b: 2\n",
    "a: yes\nb: 0o7\nc: 2030-01-01\nd: 1e3\n",
]


@pytest.mark.parametrize("text", ODD)
def test_both_parsers_of_yaml_give_the_same(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fast = parse(text)
    monkeypatch.setattr(yaml_tree, "_compose_fast", yaml_tree.compose)
    assert parse(text) == fast


def test_the_parser_in_c_is_not_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("yaml.CSafeLoader")
    assert parse("a: 1\n").tree() == {"a": Value("text", "1")}


def test_duplicates_in_one_mapping() -> None:
    (duplicate,) = parse("A:\n  B: 1\n  C: 2\n  B: 3\n").duplicates
    assert (duplicate.key, duplicate.first_line, duplicate.line) == ("A.B", 2, 4)
    assert parse("A: {B: 1}\nA.C: 2\n").duplicates == ()


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: 1\nb: [1\nc: 2\n", 3),
        ("a: 1\n\tb: 2\n", 2),
        ('a: "x\n', 2),
        ("a: 1\nb: \x01\n", 2),
        ("a: *nowhere\n", 1),
        ("a: &x\n  b: *x\n", 1),
        ("a:\n  ? [1]\n  : 2\n", 2),
    ],
)
def test_errors_have_a_line(text: str, line: int) -> None:
    with pytest.raises(YamlError) as caught:
        parse(text)
    assert caught.value.line == line


TABS = {
    "after a colon": "B:\tb",
    "before a comment": "B: b\t# note",
    "before a comment, with spaces": "B: b \t # note",
    "at a line's end": "B: b\t",
    "after a key without value": "B:\t",
    "in a flow mapping": "B: {C:\tb}",
    "in a flow list": "B: [b,\tc]",
    "after a dash": "B:\n-\tb",
    "as indentation": "B:\n\tC: b",
    "in a plain value": "B: b\tc",
    "after an anchor": "B: &x\tb",
    "after a tag": "B: !!str\tb",
    "behind the sign of a block text": "B: |\t\n  b",
    "alone on a line": "B: b\n\t",
    "before a comment on a line of its own": "B: b\n\t# note",
    "before a comment after quotes": "B: 'b'\t# note",
}
TABS_OF_A_VALUE = {
    "in double quotes": 'B: "b\tc"',
    "in single quotes": "B: 'b\tc'",
    "in a block text": "B: |\n  b\tc\n  \td",
    "in a comment": "B: b # a\tnote",
    "in a quoted value of two lines": "B: 'b\n\tc'",
}


@pytest.mark.parametrize("place", TABS)
def test_a_tab_between_values_is_refused_by_every_reader_in_the_same_words(place: str) -> None:
    text = f"A: 1\n{TABS[place]}\nZ: 2\n"
    line = next(number for number, one in enumerate(text.splitlines(), 1) if "\t" in one)
    for read in (parse, compose, nodes.parse):
        with pytest.raises(YamlError) as caught:
            read(text)
        assert str(caught.value) == f"line {line}: a tab; use spaces"


@pytest.mark.parametrize("place", TABS_OF_A_VALUE)
def test_a_tab_of_a_value_is_taken_by_every_reader(place: str) -> None:
    text = f"A: 1\n{TABS_OF_A_VALUE[place]}\nZ: 2\n"
    assert parse(text).tree()["Z"] == Value("text", "2")
    assert nodes.parse(text) is not None
    assert parse(edit.add(text, {"Y": 1})).tree() == {**parse(text).tree(), "Y": Value("text", "1")}


def test_an_error_never_quotes_the_text() -> None:
    with pytest.raises(YamlError) as caught:
        parse('Password: "s3cret-canary\nUserName: x: y\n')
    assert "s3cret" not in str(caught.value)


def test_two_documents_are_an_error_of_their_own() -> None:
    with pytest.raises(SeveralDocumentsError) as caught:
        parse("a: 1\n---\nb: 2\n")
    assert caught.value.line == 2


def test_aliases_that_explode_are_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    with pytest.raises(YamlError, match="aliases unfold"):
        parse("\n".join(lines))


@pytest.mark.parametrize(
    "text",
    [
        "[" * 200_000 + "]" * 200_000,
        "- " * 200_000 + "x",
        "? " * 200_000 + "x",
        "{a: " * 200_000,
        "\n".join(" " * depth + "a:" for depth in range(2000)),
    ],
    ids=["lists", "items", "keys", "mappings", "lines"],
)
def test_too_deep_is_refused_and_takes_nothing_down(text: str) -> None:
    with pytest.raises(YamlError, match="nested too deeply"):
        parse(text)


def test_tags_are_kept() -> None:
    (leaf,) = parse("a: !vault x\n").leaves
    assert leaf.tag == "!vault"
    assert parse("a: !!str 1\n").leaves[0].tag == ""


@pytest.mark.parametrize(
    ("text", "header"),
    [
        (f"{HEADER}\na: 1\n", ("https://json-schema.axonivy.com/ivy/11.3.0/ivy.json", 1)),
        (f"# ours\n\n{HEADER}  \na: 1\n", ("https://json-schema.axonivy.com/ivy/11.3.0/ivy.json", 3)),
        (f"a: 1\n{HEADER}\n", ("", 0)),
        (f"\ufeff{HEADER}\n", ("https://json-schema.axonivy.com/ivy/11.3.0/ivy.json", 1)),
        ("a: 1\n", ("", 0)),
    ],
)
def test_header(text: str, header: tuple[str, int]) -> None:
    assert read_header(text) == header
    parse(text)


def test_prefix_is_a_whole_part() -> None:
    assert has_prefix("EMail", "EMail")
    assert has_prefix("EMail.Server", "EMail")
    assert has_prefix("EMail[0]", "EMail")
    assert not has_prefix("EMailServer", "EMail")
