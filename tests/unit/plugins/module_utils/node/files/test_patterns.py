# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pattern language of options, rules and profiles."""

from __future__ import annotations

import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ivy.cluster.plugins.module_utils.node.config import request
from ansible_collections.ivy.cluster.plugins.module_utils.node.files import patterns
from ansible_collections.ivy.cluster.plugins.module_utils.node.files.errors import NodeError


@pytest.mark.parametrize(
    ("glob", "path", "fits"),
    [
        ("*.bak", "a/b/x.bak", True),
        ("*.bak", "x.bak.txt", False),
        ("a/*", "a/b", True),
        ("a/*", "a/b/c", False),
        ("a/**", "a/b/c", True),
        ("**/app.yaml", "app.yaml", True),
        ("**/app.yaml", "x/y/app.yaml", True),
        ("a/[xy]?", "a/x1", True),
        ("a/[!xy]", "a/z", True),
        ("a/[xy]", "a/z", False),
        ("a.b", "axb", False),
        ("/etc/systemd/**", "/etc/systemd/system/u.d/x.conf", True),
        ("a[", "a[", True),
        ("a[!x]b", "a/b", False),
        ("a/[]x]", "a/]", True),
        ("A/*", "a/b", False),
        ("a/*", "a/.b", True),
        ("a/**/b", "a/b", True),
        ("a/**/b", "a/x/y/b", True),
        ("a[\\Z]", "a\\", True),
        ("**", "a/b", True),
        ("a/[*]", "a/*", True),
        ("a/[*]", "a/b", False),
    ],
)
def test_patterns(glob: t.Any, path: t.Any, fits: t.Any) -> None:
    assert patterns.Patterns([glob]).match(path) is fits


@given(st.text(max_size=12))
def test_any_text_is_a_pattern(glob: t.Any) -> None:
    patterns.Patterns([glob]).match("configuration/ivy.yaml")


@pytest.mark.parametrize(
    ("pattern", "name", "fits"),
    [
        ("Databases.*.Url", "Databases.a/b.Url", True),
        ("Databases.?", "Databases./", True),
        ("*.example.com", "a.b.example.com", True),
        ("Databases", "Other.Databases", False),
        ("Databases.*", "Databases", False),
    ],
)
def test_names_have_no_components(pattern: str, name: str, fits: bool) -> None:
    assert patterns.matches_name(pattern, name) is fits


@pytest.mark.parametrize(
    ("pattern", "problem"),
    [
        (" ", "is blank"),
        ("logs/", "append '**'"),
        ("a/../b", "empty component"),
        ("./a", "empty component"),
        ("a//b", "empty component"),
        ("a[b", "write '[[]'"),
    ],
)
def test_an_invalid_pattern_is_rejected_before_anything_is_read(pattern: str, problem: str) -> None:
    with pytest.raises(NodeError) as caught:
        request.settings({"ignore": ["a/**", pattern, "b[c"]})
    text = str(caught.value)
    assert text.startswith(f"ignore: invalid pattern: {pattern!r} ")
    assert problem in text
    assert "'b[c'" in text


def test_valid_patterns_are_accepted() -> None:
    patterns.check_patterns("ignore", ["*.bak", "/etc/systemd/**", "a/[!x]?", "[[]x", "**"])
