# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every key that differs gets exactly one result, and formatting makes no difference."""

from __future__ import annotations

import typing as t

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ivy.cluster.plugins.plugin_utils.yaml.meaning import HEADER_KEY
from ansible_collections.ivy.cluster.plugins.plugin_utils.yaml.merge import Side, classify
from ansible_collections.ivy.cluster.plugins.plugin_utils.yaml.tree import YamlError

KEYS = st.sampled_from(["A", "B", "C.d", "C.e", "F.g.h", HEADER_KEY])
VALUES = st.sampled_from(["1", "2", "3", "", "ünï"])
FLAT = st.dictionaries(KEYS, VALUES, max_size=6)


def nested(flat: t.Mapping[str, str]) -> dict[str, t.Any]:
    tree: dict[str, t.Any] = {}
    for key, value in flat.items():
        *above, last = key.split(".")
        place = tree
        for part in above:
            place = place.setdefault(part, {})
        place[last] = value
    return tree


def header(flat: t.Mapping[str, str]) -> str:
    value = flat.get(HEADER_KEY)
    return f"# yaml-language-server: $schema=https://example.com/{value}/ivy.json\n" if value else ""


def spelled(flat: t.Mapping[str, str], way: int) -> str:
    """One of several ways to write the same keys."""
    keys = {key: value for key, value in flat.items() if key != HEADER_KEY}
    turned = dict(reversed(list(keys.items())))
    body = (
        yaml.safe_dump(nested(keys), allow_unicode=True),
        yaml.safe_dump(keys, default_flow_style=True) + "# the end\n",
        "# a note\n" + yaml.safe_dump(nested(turned), indent=6, sort_keys=False),
        yaml.safe_dump(turned, default_style='"', sort_keys=False),
    )[way]
    return header(flat) + body


def meant(flat: t.Mapping[str, str]) -> dict[str, str]:
    """What the header comes to: an empty one names nothing."""
    return {key: value for key, value in flat.items() if key != HEADER_KEY or value}


WAYS = st.integers(0, 3)


@given(FLAT, FLAT, FLAT, WAYS, WAYS, WAYS)
def test_the_answers_are_complete_and_exclusive(
    applied: dict[str, str], actual: dict[str, str], wanted: dict[str, str], one: int, two: int, three: int
) -> None:
    found = classify(spelled(applied, one), spelled(actual, two), spelled(wanted, three))
    answers = {key_change.key: key_change.side for key_change in found}
    assert len(answers) == len(found)
    old, here, new = meant(applied), meant(actual), meant(wanted)
    expected = {}
    for key in {*old, *here, *new}:
        node, release = here.get(key) != old.get(key), new.get(key) != old.get(key)
        if node and release:
            expected[key] = Side.AGREED if here.get(key) == new.get(key) else Side.CONFLICT
        elif node or release:
            expected[key] = Side.DRIFT if node else Side.PENDING
    assert answers == expected


@given(FLAT, WAYS, WAYS, WAYS)
def test_form_is_never_a_difference(flat: dict[str, str], one: int, two: int, three: int) -> None:
    assert classify(spelled(flat, one), spelled(flat, two), spelled(flat, three)) == ()


@given(FLAT.filter(lambda flat: flat.get(HEADER_KEY)), WAYS)
def test_the_header_is_one(flat: dict[str, str], way: int) -> None:
    (key_change,) = classify(spelled(flat, way), spelled({**flat, HEADER_KEY: "another"}, way))
    assert (key_change.key, key_change.side, key_change.change) == (HEADER_KEY, Side.DRIFT, "changed")


def test_without_a_wanted_text_the_applied_one_is_wanted() -> None:
    (key_change,) = classify("a: 1\n", "a: 2\n")
    assert (key_change.side, key_change.before, key_change.after, key_change.wanted) == (Side.DRIFT, "1", "2", "1")


APPLIED = 'Password: "${encrypt:x}"\nHost: a\n'
ACCEPTED = 'Password: "${decrypt:one}"\nHost: a\n'


def test_what_the_engine_made_of_a_macro_counts_as_applied() -> None:
    assert classify(APPLIED, ACCEPTED, accepted=ACCEPTED) == ()
    (key_change,) = classify(APPLIED, ACCEPTED)
    assert key_change.change == "rewritten"


def test_a_key_that_was_encrypted_again_by_hand_is_drift() -> None:
    (key_change,) = classify(APPLIED, ACCEPTED.replace("one", "two"), accepted=ACCEPTED)
    assert (key_change.key, key_change.side, key_change.change) == ("Password", Side.DRIFT, "changed")


def test_another_key_of_a_rewritten_file_is_drift_alone() -> None:
    (key_change,) = classify(APPLIED, ACCEPTED.replace("Host: a", "Host: b"), accepted=ACCEPTED)
    assert (key_change.key, key_change.change) == ("Host", "changed")


def test_a_new_clear_text_of_the_source_is_pending_beside_what_was_accepted() -> None:
    wanted = APPLIED.replace("encrypt:x", "encrypt:y")
    (key_change,) = classify(APPLIED, ACCEPTED, wanted, ACCEPTED)
    assert (key_change.key, key_change.side) == ("Password", Side.PENDING)
    (key_change,) = classify(APPLIED, ACCEPTED.replace("one", "two"), wanted, ACCEPTED)
    assert key_change.side is Side.CONFLICT


@pytest.mark.parametrize("place", range(3))
def test_invalid_yaml_is_an_error(place: int) -> None:
    texts = ["a: 1\n"] * 3
    texts[place] = "a: ["
    with pytest.raises(YamlError):
        classify(*texts)
