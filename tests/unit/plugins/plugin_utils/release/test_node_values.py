# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ivy.cluster.plugins.plugin_utils.release.node_values import compare_nodes

VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text("abc", min_size=1), inner, max_size=3)
    ),
    max_leaves=6,
)
DICTIONARIES = st.dictionaries(st.text("abc", min_size=1), VALUES, max_size=4)


def compare(by_node: dict[str, t.Any], secret: bool = False) -> list[str]:
    _value, findings = compare_nodes("ivy_shared_values", by_node, secret=secret)
    return [finding.message for finding in findings]


@given(DICTIONARIES)
def test_equal_values_are_equal(value: dict[str, t.Any]) -> None:
    common, findings = compare_nodes("v", {"a": value, "b": dict(reversed(value.items()))}, secret=False)
    assert findings == []
    assert common == value


@given(DICTIONARIES, DICTIONARIES)
def test_any_difference_is_found(one: dict[str, t.Any], other: dict[str, t.Any]) -> None:
    different = repr(sorted(one.items(), key=str)) != repr(sorted(other.items(), key=str))
    found = bool(compare({"a": one, "b": other}))
    # {} and an absent dictionary of nothing are the one case where both say the same.
    assert found == different or one == other


def test_an_override_names_key_nodes_and_values() -> None:
    base = {"mail": {"host": "a", "ports": [25, 465]}}
    (problem,) = compare({"engine1": base, "engine2": {"mail": {"host": "b", "ports": [25, 465]}}, "engine3": base})
    assert problem == (
        'ivy_shared_values.mail.host is not the same on every node (engine1, engine3: "a"; engine2: "b")'
    )


def test_all_differences_are_named() -> None:
    problems = compare({"a": {"x": 1, "y": [1], "z": {}}, "b": {"x": "1", "y": [1, 2], "z": {"k": 1}}})
    assert [problem.split(" is")[0] for problem in problems] == [
        "ivy_shared_values.x",
        "ivy_shared_values.y[1]",
        "ivy_shared_values.z.k",
    ]
    assert '(a: 1; b: "1")' in problems[0]
    assert "a: (absent)" in problems[1]


def test_secrets_are_masked() -> None:
    nodes = {"a": {"x": "canary-1", "password": "canary-2"}, "b": {"x": "canary-3", "password": "canary-4"}}
    assert "canary" not in " ".join(compare(nodes, secret=True))
    assert "canary-2" not in " ".join(compare(nodes))
    assert "canary-1" in " ".join(compare(nodes))


def test_other_types_are_reported() -> None:
    (problem,) = compare({"a": {}, "b": ["x"], "c": "y"})
    assert problem == "ivy_shared_values is not a dictionary on b, c"
