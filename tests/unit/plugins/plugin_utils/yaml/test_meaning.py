# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ivy.cluster.plugins.plugin_utils.yaml.meaning import (
    HEADER_KEY,
    compare,
    is_rewriting,
    same_meaning,
)
from ansible_collections.ivy.cluster.plugins.plugin_utils.yaml.tree import YamlError

# Printable in YAML, with what is special in it, quotes, and letters beyond ASCII.
TEXTS = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cs", "Cc", "Cn", "Co"), exclude_characters="\ufeff"), max_size=12
)
NAMES = st.text("abcXYZ09-_ é", min_size=1, max_size=6).filter(lambda name: name.strip() == name)
SCALARS = st.one_of(TEXTS, st.integers(), st.booleans(), st.none())
TREES = st.dictionaries(
    NAMES,
    st.recursive(
        SCALARS,
        lambda inner: st.one_of(st.dictionaries(NAMES, inner, max_size=4), st.lists(inner, max_size=3)),
        max_leaves=8,
    ),
    min_size=1,
    max_size=5,
)


def dotted(tree: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The same configuration with every mapping spelled with dots."""
    result: dict[str, t.Any] = {}
    for key, value in tree.items():
        if isinstance(value, dict) and value:
            result.update({f"{key}.{name}": item for name, item in dotted(value).items()})
        else:
            result[key] = value
    return result


def turned(tree: t.Any) -> t.Any:
    """The same configuration in another order."""
    if isinstance(tree, dict):
        return {key: turned(tree[key]) for key in reversed(list(tree))}
    return [turned(item) for item in tree] if isinstance(tree, list) else tree


def texts_only(tree: t.Any) -> t.Any:
    """The same configuration with every value a text, as the engine takes it."""
    if isinstance(tree, dict):
        return {key: texts_only(item) for key, item in tree.items()}
    if isinstance(tree, list):
        return [texts_only(item) for item in tree]
    if isinstance(tree, bool):
        return str(tree).lower()
    return tree if tree is None else str(tree)


def spellings(tree: dict[str, t.Any]) -> list[str]:
    block = yaml.safe_dump(tree, allow_unicode=True, sort_keys=False, width=40)
    return [
        block,
        f"# a comment\n\n{block}\n# another",
        yaml.safe_dump(turned(tree), allow_unicode=False, sort_keys=False),
        yaml.safe_dump(tree, default_flow_style=True, allow_unicode=True),
        yaml.safe_dump(texts_only(tree), allow_unicode=True, indent=4),
        yaml.safe_dump(dotted(tree), allow_unicode=True, sort_keys=True, indent=6),
    ]


@given(TREES)
def test_formatting_makes_no_difference(tree: dict[str, t.Any]) -> None:
    first, *others = spellings(tree)
    for other in others:
        assert compare(first, other).differences == ()


@given(TREES, NAMES, TEXTS)
def test_an_added_key_is_reported_once(tree: dict[str, t.Any], name: str, value: str) -> None:
    key = f"new {name}"
    short, long = yaml.safe_dump(tree), yaml.safe_dump({**tree, key: value})
    (difference,) = compare(short, long).differences
    assert (difference.key, difference.change) == (key, "added")
    (difference,) = compare(long, short).differences
    assert (difference.key, difference.change) == (key, "removed")


@given(TREES, st.data())
def test_a_changed_value_is_reported_once(tree: dict[str, t.Any], data: st.DataObject) -> None:
    key = data.draw(st.sampled_from(sorted(tree)))
    before = {**tree, key: "old value"}
    (difference,) = compare(yaml.safe_dump(before), yaml.safe_dump({**before, key: "new value"})).differences
    assert (difference.key, difference.change, difference.before, difference.after) == (
        key, "changed", "old value", "new value",
    )  # fmt: skip


@given(TREES, st.text("abcdefghijk", min_size=8, max_size=12))
def test_no_secret_is_shown(tree: dict[str, t.Any], secret: str) -> None:
    after = {**tree, "Mail.Password": f"{secret}-2", "X": f"${{encrypt:{secret}}}", "Named": f"{secret}-3"}
    before = {**tree, "Mail.Password": f"{secret}-1", "X": f"${{decrypt:{secret}}}", "Named": f"{secret}-4"}
    shown = compare(yaml.safe_dump(before), yaml.safe_dump(after)).shown(secret_keys=["Named"])
    assert {entry["key"] for entry in shown} >= {"Mail.Password", "Named"}
    assert secret not in str(shown)


def test_the_header_counts() -> None:
    line = "# yaml-language-server: $schema=https://json-schema.axonivy.com/ivy/{}/ivy.json\n"
    old, new = line.format("11.3.0") + "a: 1\n", line.format("12.0.6") + "a: 1\n"
    (difference,) = compare(old, new).differences
    assert (difference.key, difference.change) == (HEADER_KEY, "changed")
    assert not same_meaning(old, "a: 1\n")
    assert same_meaning(old, f"{line.format('11.3.0')}# a note\na: '1'\n")


def test_a_key_that_is_there_twice_hides_nothing() -> None:
    assert not same_meaning("a: 1\n", "a: 2\na: 1\n")
    assert same_meaning("a: 2\na: 1\n", "a: 2\na: 1\n")


def test_null_and_empty_and_missing_are_three_things() -> None:
    assert [entry.change for entry in compare("a:\nb: ''\n", "b:\n").differences] == ["removed", "changed"]


@pytest.mark.parametrize("broken", ["a: [", b"a: \xff\n"])
def test_what_is_not_yaml_is_an_error(broken: str | bytes) -> None:
    with pytest.raises(YamlError):
        compare("a: 1\n", broken)


REWRITINGS = [
    ("Databases.d.Password", "${encrypt:clear}", "${decrypt:\u00e5\u0001x}", True),
    ("Databases.d.Password", "${encrypt:clear}", "${decrypt:ab+/cd==}", True),
    ("X.Url", "http://u:${encrypt:p}@h", "http://u:${decrypt:ab+/c===}@h", True),
    ("Databases.d.Password", "${encrypt:cl}ear}", "${decrypt:abc}", True),
    ("Databases.d.Password", "${encrypt:$HOME ${x} %h}", "${decrypt:abc}", True),
    ("Databases.d.Password", "${encrypt:$HOME ${x} %h ${y}}", "${decrypt:abc}", True),
    ("Databases.d.Password", "${encrypt:cl}ear ${x}}", "${decrypt:abc}", True),
    ("X.Url", "${encrypt:a}-${env:B}", "${decrypt:1}-${env:B}", True),
    ("X.Url", "${encrypt:a}-${env:B}", "${decrypt:1}-${env:C}", False),
    ("Databases.d.Password", "${encrypt:clear}", "clear", False),
    ("Databases.d.Password", "${encrypt:clear}", "${decrypt:}", False),
    ("Databases.d.Password", "${encrypt:clear}", "${encrypt:other}", False),
    ("Databases.d.Password", "${encrypt:clear}", "x${decrypt:abc}", False),
    ("X.Url", "http://u:${encrypt:p}@h", "http://u:${decrypt:abc}@h", True),
    ("X.Url", "http://u:${encrypt:p}@h", "http://u:${decrypt:abc}@other", False),
    ("X.Url", "${encrypt:a}-${encrypt:b}", "${decrypt:1}-${decrypt:2}", True),
    ("X.Url", "${encrypt:a}-${encrypt:b}", "${decrypt:1}", False),
    ("Administrators.admin.Password", "${hash:clear}", "$pbkdf2$c=1000$abcdefgh", True),
    ("Administrators.admin.Password", "${hash:clear}", "clear", False),
    ("Administrators.admin.Password", "${hash:a-long-clear-text}", "a-long-clear-text", False),
    ("Administrators.admin.Password", "${hash:clear}", "not a hash but words", False),
    ("Administrators.admin.Password", "${hash:clear}", "short", False),
    ("Administrators.admin.Password", "${hash:clear}", "${hash:another-one-here}", False),
    ("Other.Password", "${hash:clear}", "$pbkdf2$c=1000$abcdefgh", False),
    ("X", "plain", "${decrypt:abc}", False),
]


@pytest.mark.parametrize(("key", "before", "after", "expected"), REWRITINGS)
def test_rewriting(key: str, before: str, after: str, expected: bool) -> None:
    assert is_rewriting(key, before, after) is expected


def test_rewriting_is_distinguished_from_changes() -> None:
    before = 'A: 1\nB:\n  Password: "${encrypt:x}"\n'
    rewritten = 'A: 1\nB:\n  Password: "${decrypt:y}"\n'
    comparison = compare(before, rewritten)
    assert comparison.only_rewritten
    assert not comparison.same
    assert comparison.changes == ()
    changed = compare(before, rewritten.replace("A: 1", "A: 2"))
    assert not changed.only_rewritten
    assert [entry.key for entry in changed.changes] == ["A"]
    assert not compare(before, before).only_rewritten
