# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import os
import typing as t
from pathlib import Path

import pytest

from ansible_collections.ivy.cluster.plugins.module_utils.node.cluster import record
from ansible_collections.ivy.cluster.plugins.module_utils.node.cluster import update as sut
from ansible_collections.ivy.cluster.plugins.module_utils.node.files.errors import NodeError

RELEASE = "a" * 32


def location(directory: Path, **changes: str) -> sut.Location:
    defaults = {"cluster": "demo", "user": str(os.geteuid()), "group": str(os.getegid())}
    return sut.Location(str(directory), **{**defaults, **changes})


def change(state: str, **fields: t.Any) -> record.Change:
    texts = dict.fromkeys(("engine_version", "owner", "step", "node", "take_over", "reason"), "")
    return record.Change(state, **{"release": RELEASE, "operation": "site", "drained": None, **texts, **fields})


def test_a_prediction_equals_the_write_and_writes_nothing(tmp_path: Path) -> None:
    before, predicted = sut.predict(location(tmp_path), change("pinned", reason="audit"))
    assert before is None
    assert list(tmp_path.iterdir()) == []
    _before, written = sut.write(location(tmp_path), change("pinned", reason="audit"))
    assert predicted is not None
    assert written is not None
    assert written["pin"]["reason"] == predicted["pin"]["reason"] == "audit"
    assert sut.read(location(tmp_path)) == written


def test_an_account_that_does_not_exist_can_read_nothing_and_not_write(tmp_path: Path) -> None:
    assert sut.read(location(tmp_path, user="no-such-user")) is None
    with pytest.raises(NodeError, match="The user no-such-user does not exist"):
        sut.write(location(tmp_path, user="no-such-user"), change("opened"))


def test_the_difference_of_a_new_record_begins_empty() -> None:
    difference = sut.difference(None, record.empty("demo"))
    assert difference["before"] == ""
    assert json.loads(difference["after"])["cluster"] == "demo"
