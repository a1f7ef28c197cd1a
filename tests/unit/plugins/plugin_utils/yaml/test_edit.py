# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Edits of YAML that people keep: the key changes, everything around it stays."""

from __future__ import annotations

import difflib
import re
import typing as t

import jinja2
import pytest
import yaml
from hypothesis import given, reject
from hypothesis import strategies as st

from ansible_collections.ivy.cluster.plugins.plugin_utils.adopt import template_mask
from ansible_collections.ivy.cluster.plugins.plugin_utils.yaml import (
    edit as adopt_yaml,
)
from ansible_collections.ivy.cluster.plugins.plugin_utils.yaml import (
    lines as yaml_lines,
)
from ansible_collections.ivy.cluster.plugins.plugin_utils.yaml import (
    nodes,
)
from ansible_collections.ivy.cluster.plugins.plugin_utils.yaml import (
    tree as yaml_tree,
)
from ansible_collections.ivy.cluster.plugins.plugin_utils.yaml.edit import Change, EditError
from ansible_collections.ivy.cluster.plugins.plugin_utils.yaml.tree import Value

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


def test_a_list_that_grew_is_rewritten() -> None:
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
        hidden = template_mask.Disguise(self.SOURCE)
        edited = hidden.restore(adopt_yaml.apply(hidden.text, [put("D", "3"), put("E", "4")]))
        assert changed(self.SOURCE, edited) == ["- D: 2  # keep", "+ D: 3  # keep", "+ E: 4"]

    def test_the_expression_of_a_value_is_known(self) -> None:
        hidden = template_mask.Disguise(self.SOURCE)
        tree = yaml_tree.parse(hidden.text).tree()
        assert hidden.expressions(tree["A"].text) == ["{{ shared.a }}"]
        assert hidden.expressions(tree["C"].text) == ["{{ secret.c }}"]
        assert hidden.expressions(tree["D"].text) == []

    def test_a_lost_statement_is_refused(self) -> None:
        hidden = template_mask.Disguise(self.SOURCE)
        with pytest.raises(template_mask.TemplateError):
            hidden.restore("D: 3\n")

    def test_a_text_is_a_template_of_itself(self) -> None:
        text = "a {{ b }} {% c %} {# d #} {{{ e"
        assert jinja2.Template(template_mask.literal(text)).render() == text


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


HEADER = "# yaml-language-server: $schema=https://json-schema.axonivy.com/ivy/11.3.0/ivy.json\n"


@pytest.mark.parametrize(
    ("before", "keys", "after"),
    [
        # The first key of a section, and one before a key with a comment.
        ("A:\n  # about x\n  x: 1\n  # about y\n  y: 2\n", ["A.x"], "A:\n  # about y\n  y: 2\n"),
        ("A:\n  x: 1  # x\n  # about y\n  y: 2  # y\n", ["A.x"], "A:\n  # about y\n  y: 2  # y\n"),
        ("A:\n  # about y\n  y: 2\n  # about x\n  x: 1\n", ["A.x"], "A:\n  # about y\n  y: 2\n"),
        ("# about x\nx: 1\n# about y\ny: 2\n", ["x"], "# about y\ny: 2\n"),
        ("# about x\nx: 1\n# about y\ny: 2\n", ["y"], "# about x\nx: 1\n"),
        # The only key of a section takes the section with it.
        ("B: 1\n# about A\nA:  # a\n  # about x\n  x: 1\n# about C\nC: 1\n", ["A.x"], "B: 1\n# about C\nC: 1\n"),
        ("A:\n  b:\n    # about c\n    c: 1\n  # about d\n  d: 1\n", ["A.b.c"], "A:\n  # about d\n  d: 1\n"),
        # What a file begins with may be about the file, so a section that nobody named leaves it.
        ("# about us\nA:\n  x: 1\nB: 1\n", ["A.x"], "# about us\nB: 1\n"),
        # Comments that belong to the file, to what was before, or to nothing.
        (f"{HEADER}A: 1\nB: 1\n", ["A"], f"{HEADER}B: 1\n"),
        (f"{HEADER}# about A\nA: 1\n# about B\nB: 1\n", ["A"], f"{HEADER}# about B\nB: 1\n"),
        ("# file\n\n# about A\nA: 1\nB: 1\n", ["A"], "# file\n\nB: 1\n"),
        ("---\n# about A\nA: 1\nB: 1\n...\n# end\n", ["A"], "---\nB: 1\n...\n# end\n"),
        ("A:\n  x: 1\n  # z: 3\nB: 1\nC: 1\n", ["B"], "A:\n  x: 1\n  # z: 3\nC: 1\n"),
        ("A:\n  x: 1\n  y: 1\n\n# about B\nB: 1\n", ["A.y"], "A:\n  x: 1\n\n# about B\nB: 1\n"),
        ("A: 1\n\nB: 1\n\nC: 1\n", ["B"], "A: 1\n\n\nC: 1\n"),
        # Number signs that begin no comment.
        ("A: |\n  # text\n  x\n# about B\nB: '# no'\n", ["A"], "# about B\nB: '# no'\n"),
        ('A: >-  # about A\n  # text\n\n  x\n\nB: "a # b"  # B\n', ["A"], '\nB: "a # b"  # B\n'),
        ("A: |+\n  x\n\n# about B\nB: a#b\n", ["A"], "# about B\nB: a#b\n"),
        # Line ends.
        ("A: 1  # a\r\n# b\r\nB: 1\r\n", ["A"], "# b\r\nB: 1\r\n"),
        ("A: 1  # a\nB: 1", ["B"], "A: 1  # a\n"),
        ("A: 1  # a\n# b\nB: 1", ["A"], "# b\nB: 1"),
        # Aliases, braces, items.
        ("A: &a 1\n# b\nB: *a\n# c\nC: 1\n", ["B"], "A: &a 1\n# c\nC: 1\n"),
        (
            "a: &a\n  x: 1\nb:\n  <<: *a\n  y: 1  # y\n  z: 1  # z\n",
            ["b.y"],
            "a: &a\n  x: 1\nb:\n  <<: *a\n  z: 1  # z\n",
        ),
        ("A: {x: 1,  y: 2, z: 3}  # a\n", ["A.x"], "A: {y: 2, z: 3}  # a\n"),
        ("A: {x: 1,  y: 2, z: 3}  # a\n", ["A.y", "A.z"], "A: {x: 1}  # a\n"),
        ("B: 1\n# about A\nA: {x: 1}  # a\nC: 1\n", ["A.x"], "B: 1\nC: 1\n"),
        ("A:\n- x: 1  # x\n  y: 2  # y\n", ["A[0].x"], "A:\n- y: 2  # y\n"),
        ("# a\nA: 1\n", ["A"], ""),
    ],
)
def test_with_a_key_go_its_lines_and_its_own_comment_only(before: str, keys: list[str], after: str) -> None:
    assert adopt_yaml.apply(before, [Change(key, None) for key in keys]) == after


@pytest.mark.parametrize(
    ("before", "edits", "after"),
    [
        ("A:  # a\n  # x\n  x: 1\n# b\nB: 1\n", [Change("A.x", None), put("A", "1")], "A: 1  # a\n# b\nB: 1\n"),
        ("A: 1  # a\n# b\nB: 1\n", [Change("A", None), put("A.x", "1")], "A:  # a\n  x: 1\n# b\nB: 1\n"),
        ("A:\n  # x\n  x: 1\n", [Change("A.x", None), put("A.y", "2")], "A:\n  y: 2\n"),
        ("A: |  # a\n  # text\n# b\nB: 1\n", [put("A", "x")], "A: x  # a\n# b\nB: 1\n"),
        ("A: |-  # a\n  x\n# b\nB: 1\n", [put("A", "y\nz\n")], "A: |  # a\n  y\n  z\n# b\nB: 1\n"),
        ("A: 1  # a\nB: 1\n", [put("A", "y\nz")], "A: |- # a\n  y\n  z\nB: 1\n"),
        ("A: 10   # a\nB: 100   # b\n", [put("A", "100"), put("B", "1")], "A: 100  # a\nB: 1     # b\n"),
        ("A:\n# b\nB: ~  # B\n", [put("A", "1"), put("B", "2")], "A: 1\n# b\nB: 2  # B\n"),
        ("A: {x: 1,  # x\n  y: 2}\n", [put("A.x", "5")], "A: {x: 5,  # x\n  y: 2}\n"),
        ("A: [1,  # one\n  2  # two\n  ]\n", [put("A[0]", "5")], "A: [5,  # one\n  2  # two\n  ]\n"),
        ("A: &a 1\nB: *a  # b\n", [put("B", "2")], "A: &a 1\nB: 2   # b\n"),
        ("A:\n  x: 1\n  # old\n", [put("B", "y\nz")], 'A:\n  x: 1\nB: "y\\nz"\n  # old\n'),
        ("A: 1", [put("B", "2")], "A: 1\nB: 2"),
        (
            "A:\n  - x: 1  # x\n    y: 2  # y\n  - 3\n",
            [put("A[0].y", "4")],
            "A:\n  - x: 1  # x\n    y: 4  # y\n  - 3\n",
        ),
    ],
)
def test_a_changed_value_keeps_the_comments(before: str, edits: list[Change], after: str) -> None:
    assert adopt_yaml.apply(before, edits) == after


@pytest.mark.parametrize(
    ("text", "edit", "line"),
    [
        ("B: 1\nA: {x: 1,  # x\n  y: 2}\n", Change("A.x", None), 2),
        ("A: [1,  # one\n  2]\n", Change("A", None, (Value("text", "2"),)), 1),
        ("A: {x: 1,  # x\n  y: 2}\n", put("A", "1"), 1),
        ("A: &a 1\nB: *a\n", put("A", "2"), 1),
        ("A:\n- x: 1\n  # about y\n  y: 2\n", Change("A[0].x", None), 2),
        # It would become a part of the text above it.
        ("A: |\n  x\nB:\n  y: 1\n  # old\n", Change("B.y", None), 5),
    ],
)
def test_what_would_lose_a_comment_or_an_anchor_is_refused_with_its_line(text: str, edit: Change, line: int) -> None:
    with pytest.raises(EditError, match=f"line {line} "):
        adopt_yaml.apply(text, [edit])


def test_the_comments_are_verified_whatever_the_editor_does(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "A: 1\n# about B\nB: 1\n"
    monkeypatch.setattr(yaml_lines.Editor, "result", lambda _self: "B: 1\n")
    with pytest.raises(EditError, match="line 2 cannot be edited without losing comments"):
        adopt_yaml.apply(text, [Change("A", None)])
    monkeypatch.setattr(yaml_lines.Editor, "result", lambda _self: "# about B\nB:  1\n")
    with pytest.raises(EditError, match="other lines"):
        adopt_yaml.apply(text, [Change("A", None)])


# --- any text, any edit

Path = tuple[t.Union[str, int], ...]


class Written:
    """A text that people could have written: which line belongs to which key is known, each comment is another one."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.lines: list[tuple[str, Path | None]] = [(HEADER.rstrip("\n"), None)]
        self.number = 0
        self.tree = self.section((), 0)

    @property
    def text(self) -> str:
        return "".join(f"{line}\n" for line, _owner in self.lines)

    def count(self) -> int:
        self.number += 1
        return self.number

    def chance(self) -> bool:
        return self.draw(st.booleans())

    def before_entry(self, path: Path, indent: int) -> None:
        """A blank line, a comment that belongs to nothing, and one that belongs to the entry."""
        if self.chance():
            if self.chance():
                self.lines.append((f"{' ' * indent}# free {self.count()}", None))
            self.lines.append(("", None))
        for _line in range(self.draw(st.integers(0, 2))):
            self.lines.append((f"{' ' * indent}# own {self.count()}", path))

    def eol(self) -> str:
        return f"  # end {self.count()}" if self.chance() else ""

    def section(self, path: Path, indent: int) -> dict[str, t.Any]:
        tree: dict[str, t.Any] = {}
        for number in range(self.draw(st.integers(1, 4))):
            name = f"k{number}"
            below = (*path, name)
            self.before_entry(below, indent)
            kind = self.draw(st.sampled_from(["leaf", "leaf", "section", "list", "text"] if indent < 6 else ["leaf"]))
            start = f"{' ' * indent}{name}:"
            if kind == "leaf":
                written = self.draw(st.sampled_from(["v{}", "'v # {}'", '"v{} # no"', "v{}#no"])).format(self.count())
                self.lines.append((f"{start} {written}{self.eol()}", below))
                tree[name] = yaml.safe_load(written)
            elif kind == "text":
                self.lines.append((f"{start} |{self.eol()}", below))
                content = [f"# text {self.count()}", "", f"text {self.count()}"]
                self.lines += [(f"{' ' * (indent + 2)}{line}" if line else "", below) for line in content]
                tree[name] = "\n".join(content) + "\n"
            else:
                self.lines.append((f"{start}{self.eol()}", below))
                tree[name] = self.section(below, indent + 2) if kind == "section" else self.items(below, indent + 2)
                if tree[name] and self.chance():
                    self.lines.append((f"{' ' * (indent + 2)}# tail {self.count()}", None))
        return tree

    def items(self, path: Path, indent: int) -> list[str]:
        found = []
        for index in range(self.draw(st.integers(2, 4))):
            self.before_entry((*path, index), indent)
            found.append(f"i{self.count()}")
            self.lines.append((f"{' ' * indent}- {found[-1]}{self.eol()}", (*path, index)))
        return found

    def without(self, removed: t.Iterable[Path]) -> list[str]:
        """The lines that stay: with a section goes all from its own comment to its last key."""
        gone: set[int] = set()
        for path in removed:
            mine = [index for index, (_line, owner) in enumerate(self.lines) if owner and owner[: len(path)] == path]
            gone.update(range(mine[0], mine[-1] + 1))
        return [line for index, (line, _owner) in enumerate(self.lines) if index not in gone]


def edited(written: Written, node: t.Any, path: Path, only_removals: bool, removed: list[Path]) -> t.Any:
    """Another tree: keys and items go, change and come; what goes is noted."""
    if not isinstance(node, (dict, list)):
        return f"n{written.count()}" if not only_removals and written.draw(st.integers(0, 3)) == 0 else node
    if isinstance(node, list):
        gone = written.draw(st.none() | st.integers(0, len(node) - 1))
        if gone is not None:
            removed.append((*path, gone))
            return node[:gone] + node[gone + 1 :]
        return [*node, f"n{written.count()}"] if not only_removals and written.chance() else node
    made: dict[str, t.Any] = {}
    for name, value in node.items():
        if written.draw(st.integers(0, 3)) == 0:
            removed.append((*path, name))
        else:
            inner = edited(written, value, (*path, name), only_removals, removed)
            if inner == {}:
                removed.append((*path, name))
            else:
                made[name] = inner
    if not only_removals and written.draw(st.integers(0, 3)) == 0:
        made["new"] = written.draw(st.sampled_from(["n", {"a": "1", "b": ["2"]}, ["x", {"y": "z"}], "two\nlines\n"]))
    return made


@st.composite
def _edits(draw: st.DrawFn, only_removals: bool) -> tuple[Written, str, list[Path]]:
    written = Written(draw)
    removed: list[Path] = []
    tree = edited(written, written.tree, (), only_removals, removed)
    return written, HEADER + yaml.safe_dump(tree, sort_keys=False), removed


def _applied(written: Written, after: str) -> str:
    before = written.text
    edits = adopt_yaml.changes(
        before, after, yaml_tree.parse(before).tree().keys() | yaml_tree.parse(after).tree().keys()
    )
    result = refusal = ""
    try:
        result = adopt_yaml.apply(before, edits)
    except EditError as error:
        refusal = str(error)
    if refusal:
        # The rest of a section may then be below a block text and become part of it.
        assert "losing comments" in refusal
        assert "# tail" in before
        assert "# text" in before
        reject()
    assert yaml_tree.parse(result).tree() == yaml_tree.parse(after).tree()
    # Line ends of the other kind stay, too.
    windows = adopt_yaml.apply(before.replace("\n", "\r\n"), edits)
    assert windows == result.replace("\n", "\r\n")
    return result


@given(_edits(only_removals=True))
def test_any_removal_leaves_all_other_lines(case: tuple[Written, str, list[Path]]) -> None:
    written, after, removed = case
    assert _applied(written, after).splitlines() == written.without(removed)


@given(_edits(only_removals=False))
def test_any_edit_keeps_every_comment_of_what_stays(case: tuple[Written, str, list[Path]]) -> None:
    written, after, removed = case
    comment = re.compile(r"# (?:yaml-lang|free|own|end|tail) ?\w+")
    kept = [found for line in written.without(removed) for found in comment.findall(line)]
    assert comment.findall(_applied(written, after)) == kept


@given(
    st.text(alphabet="ab:#-[]{},|>&*'\"?!% \n", max_size=40), st.sampled_from(["a", "b", "a.b", "a[0]"]), st.booleans()
)
def test_texts_that_nobody_would_write(text: str, key: str, removal: bool) -> None:
    change = Change(key, None) if removal else put(key, "x")
    try:
        before = nodes.comments(text)
        result = adopt_yaml.apply(text, [change])
    except (ValueError, yaml.YAMLError):
        return
    left = [one.text for one in nodes.comments(result)]
    assert left == [one.text for one in before] if not removal else set(left) <= {one.text for one in before}
    assert yaml_tree.parse(result).tree() == adopt_yaml.tree_after(yaml_tree.parse(text).tree(), [change])
