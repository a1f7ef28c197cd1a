# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import contextlib

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

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
from ansible_collections.ivy.cluster.tests.limits import limited

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


CANARY = "Hunter2x"
QUOTED = (
    *("*{}", "!{}!y", "&a [&{} 1, &{} 2]", "!<{} x>", "%{}", "@{}", "`{}", "'a' {}", '"a" {}', '"\\{}"', "|{}", ">{}"),
    *("[{}", "{{{}", "*{} b: c", "!{}! !{}!", "a: {}: b", "'{}", '"{}', "- {}", "? {}", "]{}", "}}{}", "!a%{}", "&{}*"),
)
FIRST = ("%TAG !{}! a\n%TAG !{}! b\n--- x\n", "%{}\n--- x\n%{}\n", "%YAML {}\n---\nx\n")


@pytest.mark.parametrize("text", [*(f"a: 1\nPassword: {value}\n" for value in QUOTED), *FIRST])
def test_no_message_quotes_the_text(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text = text.replace("{}", CANARY).replace("{{", "{").replace("}}", "}")
    for read in (parse, compose, nodes.parse):
        for longest in (256 << 10, 0):
            monkeypatch.setattr(yaml_tree, "_SMALL", longest)
            message = ""
            try:
                read(text)
            except YamlError as error:
                message = str(error)
            assert CANARY not in message


def test_a_message_says_what_was_expected() -> None:
    with pytest.raises(YamlError, match="expected ',' or ']', but got '<stream end>'"):
        parse("a: [1\n")
    with pytest.raises(YamlError, match=r"line 2: found undefined alias \(not shown\)"):
        parse("a: 1\nPassword: *Hunter2x\n")


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


@pytest.mark.parametrize("place", [*TABS, *TABS_OF_A_VALUE])
def test_the_parser_of_long_texts_answers_the_same_about_tabs(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text = f"A: 1\n{TABS.get(place) or TABS_OF_A_VALUE[place]}\nZ: 2\n"
    answers = []
    for limit in (yaml_tree._SMALL, 0):
        monkeypatch.setattr(yaml_tree, "_SMALL", limit)
        try:
            answers.append(str(parse(text).tree()))
        except YamlError as error:
            answers.append(str(error))
    assert answers[0] == answers[1]


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


HOSTILE = {
    "a long key above a long list": "k" * 100_000 + ":\n" + "- x\n" * 50_000,
    "long keys one below the other": "".join(" " * depth + "k" * 3_000 + ":\n" for depth in range(400))
    + " " * 400
    + "x",
    "a long key with a flow list": "k" * 4_000 + ": [" + "x," * 40_000 + "]",
    "a long value with many aliases": "a: &a " + "x" * 1_000_000 + "\nb: [" + "*a," * 40_000 + "]",
    "a flow list without end": "a: [" + "x," * 2_000_000 + "]",
    "empty mappings": "a: [" + "{}," * 1_300_000 + "]",
    "items in items": "- - - - x\n" * 400_000,
    "short keys": "".join(f"k{number}: x\n" for number in range(400_000)),
    "questions": "? \n" * 1_000_000,
    "a long text": "a: " + "x" * (5 << 20),
    "no YAML at all": "a: [" + "x: y: z, " * 400_000,
    "quotes": "a: " + '"x\\n" ' * 500_000,
    "anchors": "".join(f"a{number}: &a{number} x\n" for number in range(250_000)),
    "documents": "--- x\n" * 500_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_no_text_takes_the_memory_or_the_time_of_whoever_reads_it(name: str) -> None:
    text = HOSTILE[name]

    def read() -> str:
        with pytest.raises(YamlError) as caught:
            parse(text)
        return str(caught.value)

    problem = limited(read)
    assert len(problem) < 300
    assert "kkk" not in problem


def test_real_files_are_far_from_the_limits() -> None:
    text = "".join(f"Section{one}:\n" + "".join(f"  Key{two}: value\n" for two in range(20)) for one in range(1000))
    assert len(parse(text).leaves) == 20_000
    certificate = "Key: |\n" + "  " + "\n  ".join(["a-b:c,d[e]{f}?" * 5] * 20_000)
    assert len(parse(certificate).leaves) == 1


@given(st.text("a:-?[]{},&*!|>'\"#%\n \t", max_size=60))
def test_the_bound_of_the_number_of_values_is_one(text: str) -> None:
    with contextlib.suppress(yaml.YAMLError):
        events = list(yaml.parse(text, Loader=yaml.SafeLoader))
        assert sum(isinstance(event, yaml.NodeEvent) for event in events) <= yaml_tree._most_possible(text)


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
