# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Edits of YAML that people keep: the key changes, everything around it stays."""

from __future__ import annotations

import difflib
import typing as t

import jinja2
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ivy.cluster.plugins.plugin_utils import adopt_template, adopt_yaml, yaml_tree
from ansible_collections.ivy.cluster.plugins.plugin_utils.adopt_yaml import Change, EditError
from ansible_collections.ivy.cluster.plugins.plugin_utils.yaml_tree import Value

KEPT = """\
# yaml-language-server: $schema=https://json-schema.axonivy.com/ivy/11.3.0/ivy.json
# What this file is about.

EMail:            # mail goes out here
    Server:
        Host:   mail1   # the old one
        Port: 25

        # who we are
        MailAddress:   "ivy@example.com"

# Comes next.
Lists:
- a      # first
-   b
Dotted.Key.Name:  'quoted'
Flow: {x: 1,   y: [1,2]}

# The end.
"""


def changed(before: str, after: str) -> list[str]:
    return [line for line in difflib.ndiff(before.splitlines(), after.splitlines()) if line[0] in "+-"]


def put(key: str, text: str) -> Change:
    return Change(key, Value("text", text))


@pytest.mark.parametrize(
    ("change", "lines"),
    [
        (put("EMail.Server.Port", "587"), ["-         Port: 25", "+         Port: 587"]),
        (put("Dotted.Key.Name", "it's"), ["- Dotted.Key.Name:  'quoted'", "+ Dotted.Key.Name:  'it''s'"]),
        (Change("EMail.Server.Port", None), ["-         Port: 25"]),
        (Change("Dotted.Key.Name", None), ["- Dotted.Key.Name:  'quoted'"]),
        (put("EMail.Server.User", "ivy"), ["+         User: ivy"]),
        (put("EMail.Extra", "1"), ["+     Extra: 1"]),
        (put("Brand.New", "x: y"), ["+ Brand:", "+     New: 'x: y'"]),
    ],
)
def test_one_key_costs_its_lines_only(change: Change, lines: list[str]) -> None:
    assert changed(KEPT, adopt_yaml.apply(KEPT, [change])) == lines


def test_a_comment_at_the_end_of_a_changed_line_stays() -> None:
    after = adopt_yaml.apply(KEPT, [put("EMail.Server.Host", "mail2"), put("Lists[0]", "c")])
    assert "mail2" in after
    assert all(f"# {comment}" in after for comment in ("the old one", "who we are", "first", "Comes next.", "The end."))


def test_a_new_key_comes_before_the_comment_of_the_next_section() -> None:
    after = adopt_yaml.apply("A:\n  b: 1  # own\n\n# about C\nC: 1\n", [put("A.z", "2")])
    assert after == "A:\n  b: 1  # own\n  z: 2\n\n# about C\nC: 1\n"


def test_the_last_key_of_a_section_goes_and_the_next_comment_stays() -> None:
    after = adopt_yaml.apply("A:\n  b: 1\n  z: 2\n\n# about C\nC: 1\n", [Change("A.z", None)])
    assert after == "A:\n  b: 1\n\n# about C\nC: 1\n"


def test_a_section_without_keys_goes_with_its_last_one() -> None:
    assert adopt_yaml.apply("A:\n  b:\n    c: 1\nD: 1\n", [Change("A.b.c", None)]) == "D: 1\n"


def test_a_list_that_grew_is_written_anew() -> None:
    before, after = "A:\n  - x\n  - y\nB: 1\n", "A: [x, y, {n: 1, m: ~}]\nB: 1\n"
    edits = adopt_yaml.changes(before, after, {"A[2].n", "A[2].m"})
    assert yaml_tree.parse(adopt_yaml.apply(before, edits)).tree() == yaml_tree.parse(after).tree()


def test_only_the_named_keys_are_taken() -> None:
    edits = adopt_yaml.changes("A: 1\nB: 1\n", "A: 2\nB: 2\nC: 3\n", {"A"})
    assert adopt_yaml.apply("A: 1\nB: 1\n", edits) == "A: 2\nB: 1\n"


@pytest.mark.parametrize("text", ["a\r\nb: 1\r\n", "A: 1\nA: 2\n", "- 1\n", "A: 1\r\nB: 2\n"])
def test_what_cannot_be_edited_is_refused(text: str) -> None:
    with pytest.raises((EditError, yaml_tree.YamlError)):
        adopt_yaml.apply(text, [put("A.b", "x")])


def test_line_ends_and_byte_order_mark_stay() -> None:
    assert adopt_yaml.apply("\ufeffA: 1\r\nB: 1\r\n", [put("A", "2")]) == "\ufeffA: 2\r\nB: 1\r\n"


@pytest.mark.parametrize(
    "value", ["yes", "010", "1.10", "", "null", "~", "a #b", "- x", "0x1F", "2001-01-01", "a\nb\n", " x "]
)
def test_every_text_is_that_text_again(value: str) -> None:
    for before in ("A: 1\nB: 1\n", 'A: "1"\nB: 1\n', "B: 1\n"):
        after = adopt_yaml.apply(before, [put("A", value)])
        assert yaml_tree.parse(after).tree()["A"] == Value("text", value)


_NAMES = st.sampled_from(["A", "b", "C c", "8080", "d"])
_SCALARS = st.sampled_from(["1", "x", "true", "", "a: b", "ü", "null"])
_TREES: t.Any = st.recursive(
    _SCALARS, lambda inner: st.dictionaries(_NAMES, inner, max_size=3) | st.lists(inner, max_size=3), max_leaves=12
)
_DOCUMENTS = st.dictionaries(_NAMES, _TREES, min_size=1, max_size=4)


@given(_DOCUMENTS, _DOCUMENTS)
def test_all_keys_adopted_give_the_other_tree(before: t.Any, after: t.Any) -> None:
    old, new = (yaml.safe_dump(tree, sort_keys=False, allow_unicode=True) for tree in (before, after))
    old_tree, new_tree = (yaml_tree.parse(text).tree() for text in (old, new))
    edits = adopt_yaml.changes(old, new, old_tree.keys() | new_tree.keys())
    try:
        result = adopt_yaml.apply(old, edits)
    except EditError:
        return
    # Whatever is written is right; what cannot be written is refused.
    assert yaml_tree.parse(result).tree() == new_tree


class TestTemplates:
    SOURCE = (
        "# {# note #}\nA: {{ shared.a }}\n{% if shared.b %}\nB: 1\n{% endif %}\n"
        'C: "${encrypt:{{ secret.c }}}"\nD: 2  # keep\n'
    )

    def test_a_key_without_jinja_is_edited_and_the_rest_stays(self) -> None:
        hidden = adopt_template.Disguise(self.SOURCE)
        edited = hidden.restore(adopt_yaml.apply(hidden.text, [put("D", "3"), put("E", "4")]))
        assert changed(self.SOURCE, edited) == ["- D: 2  # keep", "+ D: 3  # keep", "+ E: 4"]

    def test_the_expression_of_a_value_is_known(self) -> None:
        hidden = adopt_template.Disguise(self.SOURCE)
        tree = yaml_tree.parse(hidden.text).tree()
        assert hidden.expressions(tree["A"].text) == ["{{ shared.a }}"]
        assert hidden.expressions(tree["C"].text) == ["{{ secret.c }}"]
        assert hidden.expressions(tree["D"].text) == []

    def test_a_lost_statement_is_refused(self) -> None:
        hidden = adopt_template.Disguise(self.SOURCE)
        with pytest.raises(adopt_template.TemplateError):
            hidden.restore("D: 3\n")

    def test_a_text_is_a_template_of_itself(self) -> None:
        text = "a {{ b }} {% c %} {# d #} {{{ e"
        assert jinja2.Template(adopt_template.literal(text)).render() == text


NUMBERED = "A:\n  - 1   # one\n  - 2  # two\n  - 3\n# about B\nB: 1\n"


@pytest.mark.parametrize(
    ("items", "lines"),
    [
        ("1234", ["+   - 4"]),
        ("0123", ["+   - 0"]),
        ("13", ["-   - 2  # two"]),
        ("12", ["-   - 3"]),
        ("1923", ["+   - 9"]),
    ],
)
def test_a_list_keeps_the_lines_of_the_items_that_stay(items: str, lines: list[str]) -> None:
    after = adopt_yaml.apply(NUMBERED, [Change("A", None, tuple(Value("text", item) for item in items))])
    assert changed(NUMBERED, after) == lines


def test_items_that_are_sections_keep_their_lines() -> None:
    text = "A:\n- B: 1 # b\n  C: 2\n- B: 3\n\n# about D\nD: 1\n"
    one, two, three = (
        {"B": Value("text", "1"), "C": Value("text", "2")},
        {"B": Value("text", "3")},
        {"B": Value("text", "4")},
    )
    assert changed(text, adopt_yaml.apply(text, [Change("A", None, (one, two, three))])) == ["+ - B: 4"]
    assert changed(text, adopt_yaml.apply(text, [Change("A", None, (two,))])) == ["- - B: 1 # b", "-   C: 2"]


@pytest.mark.parametrize("change", [put("A", "x"), Change("A", None, ()), Change("A", Value("empty list"))])
def test_what_follows_a_list_keeps_its_comment(change: Change) -> None:
    assert "# about B\nB: 1\n" in adopt_yaml.apply(NUMBERED, [change])
