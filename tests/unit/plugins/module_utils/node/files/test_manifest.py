# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ansible_collections.ivy.cluster.plugins.module_utils.node.files import manifest
from ansible_collections.ivy.cluster.plugins.module_utils.node.files.digest import canonical
from ansible_collections.ivy.cluster.plugins.module_utils.node.files.errors import NodeError

SOUND: dict[str, t.Any] = {
    "root": "engine",
    "path": "configuration/ivy.yaml",
    "sha256": "a" * 64,
    "size": 5,
    "mode": "0640",
    "secret": False,
    "kind": "yaml",
    "restart": {"kind": "always", "digest": "x"},
    "secret_keys": ["A.B"],
}
ID = "b" * 32

JUNK = st.one_of(st.none(), st.booleans(), st.integers(-2, 10**6), st.text(max_size=8), st.just([]), st.just({}))
PATHS = st.lists(st.sampled_from(["a", ".", "..", "", "...", ".a", "a..", "\n", "\0", "ä b"]), min_size=1, max_size=4)


def outcome(read: t.Callable[[t.Any], t.Any], value: t.Any) -> t.Any:
    try:
        return read(value)
    except (ValueError, NodeError):
        return None


@given(st.sampled_from(sorted(SOUND)), JUNK)
@example("sha256", "a" * 64 + "\n")
@example("mode", "0640\n")
@example("size", True)
@example("restart", {"kind": "keys", "digest": "x", "keys": {"A": "b"}})
@settings(max_examples=300, deadline=None)
def test_the_quick_way_to_read_an_entry_accepts_nothing_else(name: str, value: t.Any) -> None:
    changed = {**SOUND, name: value}
    quick = manifest._sound_entry(changed)
    assert quick is None or quick == outcome(manifest._entry, changed)


@given(PATHS)
@settings(max_examples=300, deadline=None)
def test_the_quick_way_accepts_the_same_paths(parts: list[str]) -> None:
    changed = {**SOUND, "path": "/".join(parts)}
    assert manifest._sound_entry(changed) == outcome(manifest._entry, changed)


def test_a_sound_entry_is_read_in_the_quick_way() -> None:
    assert manifest._sound_entry(SOUND) is not None
    assert manifest._sound_entry({**SOUND, "path": "configuration/.ivy-cluster-0.tmp"}) is None


def test_contents_are_those_of_the_entries() -> None:
    value = {"format": 1, "id": ID, "entries": [SOUND, {**SOUND, "path": "b", "sha256": "c" * 64}]}
    assert manifest.contents(canonical(value)) == {"a" * 64, "c" * 64}
    manifest.parse(canonical(value), "here")
    assert manifest.contents(canonical(value)) == {"a" * 64, "c" * 64}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"\xff",
        b"[" * 100000,
        canonical({"format": 2, "id": ID, "entries": []}),
        canonical({"format": 1, "id": "x", "entries": []}),
        canonical({"format": 1, "id": ID, "entries": [1]}),
        canonical({"format": 1, "id": ID, "entries": [{**SOUND, "sha256": "../x"}]}),
        canonical({"format": 1, "id": ID, "entries": [{**SOUND, "sha256": None}]}),
    ],
)
def test_a_damaged_manifest_has_no_known_contents(data: bytes) -> None:
    assert manifest.contents(data) is None
