# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The old database is kept until the next restore, also when one is interrupted and continued."""

from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.ivy.cluster.plugins.module_utils.database import restored
from ansible_collections.ivy.cluster.plugins.module_utils.node.files.errors import NodeError

SERVER = restored.Server("/run/postgresql", 5432, "ivy", "ivy")


class Databases:
    """The databases of a server, each with its content. Understands the statements of the package."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **content: str) -> None:
        self.content = content
        self.engines: list[str] = []
        monkeypatch.setattr(restored, "run", self.run)
        monkeypatch.setattr(restored, "_PAUSE", 0.0)

    def run(self, server: restored.Server, sql: str, database: str = "postgres", **variables: str) -> str:
        names = {"name": server.name, "new": server.new, "before": server.before, **variables}
        if sql == restored._STATE:
            state = {"databases": list(self.content), "collate": "C", "ctype": "C", "engines": self.engines}
            return json.dumps({**state, "server_version": 150008, "data_directory": "/"})
        if sql == restored._EXTENSIONS:
            return '["pgstattuple"]'
        for line in sql.replace(";", ";\n").splitlines():
            words = [names.get(word.strip(':";'), word) for word in line.split()]
            if words[:2] == ["CREATE", "DATABASE"]:
                assert words[2] not in self.content
                self.content[words[2]] = ""
            elif words[:2] == ["DROP", "DATABASE"]:
                self.content.pop(words[4], None)
            elif words[:2] == ["ALTER", "DATABASE"]:
                assert words[5] not in self.content
                self.content[words[5]] = self.content.pop(words[2])
        return ""

    def restore(self, again: bool, text: str = "restored") -> None:
        restored.prepare(SERVER, [], "C", again)
        self.content["ivy_restore"] = text
        restored.swap(SERVER)


def test_the_old_database_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Databases(monkeypatch, ivy="old")
    found.restore(False)
    assert found.content == {"ivy": "restored", "ivy_before": "old"}


def test_a_second_restore_drops_what_the_first_one_has_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Databases(monkeypatch, ivy="first", ivy_before="older", ivy_restore="rest")
    found.restore(False)
    assert found.content == {"ivy": "restored", "ivy_before": "first"}


@pytest.mark.parametrize(
    "left",
    [
        {"ivy": "old"},
        {"ivy": "old", "ivy_restore": "part"},
        {"ivy": "restored", "ivy_before": "old"},
        {"ivy_before": "old", "ivy_restore": "restored"},
    ],
)
def test_a_continued_restore_keeps_the_first_database(monkeypatch: pytest.MonkeyPatch, left: dict[str, str]) -> None:
    found = Databases(monkeypatch, **left)
    found.restore(True, "again")
    assert found.content == {"ivy": "again", "ivy_before": "old"}


def test_an_engine_that_is_connected_keeps_its_database(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Databases(monkeypatch, ivy="old", ivy_restore="new")
    found.engines = ["10.0.0.21"]
    with pytest.raises(NodeError, match=r"from 10\.0\.0\.21"):
        restored.swap(SERVER)
    assert found.content == {"ivy": "old", "ivy_restore": "new"}


def test_a_database_that_engines_use_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Databases(monkeypatch, ivy="now")
    params = {"socket_directory": "/", "port": 1, "name": "ivy", "owner": "ivy", "state": "unused"}
    assert restored.call(params, False) == {"changed": False}
    found.engines = ["10.0.0.21", "10.0.0.22"]
    with pytest.raises(NodeError, match=r"from 10\.0\.0\.21, 10\.0\.0\.22\. .*The database was not changed"):
        restored.call(params, False)
    assert found.content == {"ivy": "now"}


def test_without_a_new_database_nothing_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Databases(monkeypatch, ivy="old")
    with pytest.raises(NodeError, match="Run the restore again"):
        restored.swap(SERVER)
    assert found.content == {"ivy": "old"}


def test_a_test_leaves_what_an_earlier_restore_has_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Databases(monkeypatch, ivy="now", ivy_before="old")
    restored.prepare(SERVER, [], "C", True)
    assert restored.drop(SERVER) is True
    assert found.content == {"ivy": "now", "ivy_before": "old"}


def test_problems_of_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    Databases(monkeypatch, ivy="old")
    found = restored.state(SERVER)
    assert restored.problems(SERVER, found, 1) == []
    assert "MiB free" in restored.problems(SERVER, found, 1 << 60)[0]
    assert "too long" in restored.problems(SERVER._replace(name="x" * 60), found, 1)[0]


@pytest.mark.parametrize("state", ["prepared", "swapped", "dropped"])
def test_check_mode_changes_nothing(monkeypatch: pytest.MonkeyPatch, state: str) -> None:
    found = Databases(monkeypatch, ivy="old", ivy_restore="new")
    params: dict[str, t.Any] = {"socket_directory": "/", "port": 1, "name": "ivy", "owner": "ivy", "state": state}
    assert restored.call({**params, "extensions": [], "locale": "C", "again": False}, True) == {"changed": True}
    assert found.content == {"ivy": "old", "ivy_restore": "new"}
