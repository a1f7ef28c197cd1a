# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever the engine's user makes on a node, a program of ours that reads it stays small and comes to its end."""

from __future__ import annotations

import json
import os
import typing as t
from pathlib import Path

import pytest

from ansible_collections.ivy.cluster.plugins.module_utils.node.engine import applications, licence
from ansible_collections.ivy.cluster.plugins.module_utils.node.files import atomic, scan
from ansible_collections.ivy.cluster.plugins.module_utils.node.files.errors import NodeError
from ansible_collections.ivy.cluster.plugins.module_utils.node.gate import log_tail
from ansible_collections.ivy.cluster.plugins.module_utils.node.store import store
from ansible_collections.ivy.cluster.tests.limits import limited

HUGE = 8 << 30
END = b"\nthe last line\n"


def sparse(path: Path, size: int = HUGE, end: bytes = b"") -> Path:
    """A file of any size, which costs whoever makes it nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as stream:
        stream.truncate(size)
        if end:
            stream.seek(0, os.SEEK_END)
            stream.write(end)
    return path


def test_the_limit_itself_is_kept(tmp_path: Path) -> None:
    """Or the other tests would prove nothing."""
    with pytest.raises(MemoryError):
        limited(lambda: len(bytes(300 << 20)))


def test_a_file_is_not_read_before_its_size_is_known(tmp_path: Path) -> None:
    sparse(tmp_path / "configuration/web.xml")

    def read() -> str:
        with atomic.Tree(str(tmp_path)) as tree, pytest.raises(NodeError, match=r"web\.xml is larger than"):
            tree.read("configuration/web.xml")
        return "done"

    assert limited(read) == "done"


def test_a_file_that_grows_while_it_is_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "grows").write_bytes(b"12345")
    real = os.fstat

    def too_early(fd: int) -> os.stat_result:
        info = real(fd)
        with (tmp_path / "grows").open("ab") as stream:
            stream.write(b"6789" * 100)
        return info

    monkeypatch.setattr(os, "fstat", too_early)
    with atomic.Tree(str(tmp_path)) as tree, pytest.raises(NodeError, match="larger than 10 bytes"):
        tree.read("grows", 10)


@pytest.mark.parametrize("size", [0, 1, 9, 10])
def test_up_to_the_limit_all_is_read(tmp_path: Path, size: int) -> None:
    (tmp_path / "file").write_bytes(b"x" * size)
    with atomic.Tree(str(tmp_path)) as tree:
        read = tree.read("file", 10)
        assert read is not None
        assert read[0] == b"x" * size


def test_a_json_file_of_any_size_counts_as_damaged(tmp_path: Path) -> None:
    path = sparse(tmp_path / "start.json")
    assert limited(lambda: store.read_json_file(str(path)) is None) is True


@pytest.mark.parametrize("text", ["[" * 200_000, '{"a":' * 100_000, "\x00", "[1]", '"text"'])
def test_a_json_file_with_any_content_counts_as_damaged(tmp_path: Path, text: str) -> None:
    path = tmp_path / "start.json"
    path.write_text(text)
    assert limited(lambda: store.read_json_file(str(path)) is None) is True


@pytest.mark.parametrize("name", ["applied.json", "intent.json", "accepted.json", "applications.json"])
def test_a_file_of_the_store_of_any_size_is_named(tmp_path: Path, name: str) -> None:
    directory = tmp_path / "store"
    directory.mkdir(mode=0o700)
    sparse(directory / name)

    def read() -> str:
        with store.Store(str(directory)) as opened:
            reader = {"applied.json": opened.applied, "intent.json": opened.intent, "accepted.json": opened.accepted}
            with pytest.raises(NodeError, match=f"The store is damaged.*{name}"):
                reader.get(name, opened.applications)()
        return "done"

    assert limited(read) == "done"


def test_a_licence_of_any_size_does_not_hide_the_other(tmp_path: Path) -> None:
    sparse(tmp_path / "configuration/a.lic")
    (tmp_path / "configuration/b.lic").write_text("licence.type=Enterprise\n")
    found = limited(lambda: licence.read_installed(str(tmp_path)) or {})
    assert found["type"] == "Enterprise"


def test_the_end_of_a_log_of_any_size_is_shown(node: t.Any) -> None:
    sparse(node.engine / "logs/ivy.log", end=END)
    settings = node.settings()
    assert limited(lambda: log_tail.log_tail(settings))[-1] == "the last line"


def test_the_end_of_a_deployment_log_of_any_size_is_shown(tmp_path: Path) -> None:
    sparse(tmp_path / "demo.zip.deploymentLog", end=END)
    artefact = applications.Artefact("/none", "demo.zip", str(tmp_path), None, os.geteuid(), os.getegid())

    def read() -> list[str]:
        with atomic.Tree(str(tmp_path)) as tree:
            return applications.log_of(tree, artefact)

    assert limited(read)[-1] == "the last line"


# --- the inspection


def test_a_file_that_is_too_large_to_be_read_is_a_finding(node: t.Any) -> None:
    key = "engine:configuration/web.xml"
    node.record_baseline()
    node.apply(node.build({key: node.File(b"<ours/>")}))
    sparse(node.path(key))
    sparse(node.engine / "dropins/huge.jar")
    sparse(node.engine / "configuration/applications/demo/huge.bin")
    found = limited(lambda: {one["path"]: one["detail"] for one in node.inspect()["drift"]})
    assert found["configuration/web.xml"] == "it is too large to be read"
    assert found["dropins/huge.jar"].endswith("it is too large to be read")


def test_files_that_nobody_expects_do_not_take_the_time_of_those_that_somebody_does(
    node: t.Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = "engine:dropins/ours.jar"
    node.record_baseline()
    node.apply(node.build({key: node.File(b"ours" * 100)}))
    monkeypatch.setattr(scan, "MOST_BYTES", 1000)
    for number in range(5):
        (node.engine / f"configuration/{number}.xml").write_bytes(b"x" * 300)
    (node.engine / "dropins/theirs.jar").write_bytes(b"x" * 300)
    found = {one["path"]: one["detail"] for one in node.inspect()["drift"]}
    assert "dropins/ours.jar" not in found
    read = [path for path, detail in found.items() if "too large" not in detail]
    assert len(read) == 3
    assert "dropins/theirs.jar" not in read


def test_names_without_end_are_refused_in_words(node: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan, "MOST_FILES", 50)
    node.record_baseline()
    many = node.engine / "configuration/applications/demo"
    many.mkdir()
    for number in range(100):
        (many / str(number)).touch()
    with pytest.raises(NodeError, match=r"more than 50 files .*configuration/applications/demo"):
        node.inspect()


def test_the_release_itself_may_have_any_number_of_files(node: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan, "MOST_FILES", 10)
    node.record_baseline()
    listed = {f"engine:configuration/applications/demo/{number}": node.File(b"x") for number in range(100)}
    node.apply(node.build(listed))
    assert node.inspect()["drift"] == []


def test_a_file_that_changes_gets_another_mark(tmp_path: Path) -> None:
    path = sparse(tmp_path / "huge")
    with atomic.Tree(str(tmp_path)) as tree:
        marks = [scan.inspect_name(tree.fd, "huge")]
        os.utime(path, (1, 1))
        marks.append(scan.inspect_name(tree.fd, "huge"))
    assert len({mark.sha256 for mark in marks if mark}) == 2
    assert json.dumps([mark.occupied for mark in marks if mark]) == "[0, 0]"
