# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import typing as t

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.ivy.cluster.plugins.module_utils.node.files.delta import assembled, difference
from ansible_collections.ivy.cluster.plugins.module_utils.node.files.digest import canonical


def manifest(release: str, entries: t.Mapping[str, str]) -> bytes:
    return canonical({"id": release, "entries": [{"path": path, "sha256": entries[path]} for path in sorted(entries)]})


@given(
    st.dictionaries(st.text(max_size=8), st.text('{},"ab', max_size=4), max_size=12),
    st.dictionaries(st.text(max_size=8), st.text('{},"ab', max_size=4), max_size=12),
)
@settings(max_examples=200, deadline=None)
def test_the_parts_build_the_new_text(old: dict[str, str], new: dict[str, str]) -> None:
    base, wanted = manifest("1", old), manifest("2", {**old, **new})
    assert assembled(base, json.loads(json.dumps(difference(base, wanted)))) == wanted


def test_one_changed_entry_is_small() -> None:
    entries = {f"{number:04d}": "a" * 64 for number in range(1000)}
    parts = difference(manifest("1", entries), manifest("2", {**entries, "0500": "b" * 64}))
    assert len(json.dumps(parts)) < 500


@pytest.mark.parametrize("part", [[0, 4], [-1, 1], [0, 0], [1], None, {"a": 1}, ["a", "b"], [0, 1, 2]])
def test_parts_that_do_not_fit_build_nothing(part: t.Any) -> None:
    assert assembled(manifest("1", {"a": "1", "b": "2", "c": "3"}), [part]) is None
