# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever the engine's user makes on a node, a program of ours that reads it stays small and comes to its end."""

from __future__ import annotations

import json
import os
import subprocess
import typing as t
from pathlib import Path

import pytest

from ansible_collections.ivy.cluster.plugins.module_utils.node.engine import applications, licence
from ansible_collections.ivy.cluster.plugins.module_utils.node.files import atomic, digest, scan
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


# --- what an interrupted run may have left

LEFTOVER = ".ivy-cluster-0000000000000000.tmp"


def nest(path: Path, levels: int) -> None:
    """Directories in directories. A path of so many could not be opened at once."""
    path.mkdir()
    fd = os.open(path, os.O_RDONLY)
    for _level in range(levels):
        os.mkdir("d", dir_fd=fd)
        below = os.open("d", os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = below
    os.close(os.open("end", os.O_CREAT | os.O_WRONLY, 0o600, dir_fd=fd))
    os.close(fd)


@pytest.fixture(autouse=True)
def without_remains(tmp_path: Path) -> t.Iterator[None]:
    """What is nested too deep cannot be removed by pytest."""
    yield
    subprocess.run(["rm", "-rf", str(tmp_path)], check=True)


@pytest.fixture
def applied(node: t.Any) -> t.Any:
    node.record_baseline()
    node.apply(node.build({"engine:configuration/web.xml": node.File(b"<ours/>")}))
    return node


def newer(node: t.Any) -> t.Any:
    return node.build({"engine:configuration/web.xml": node.File(b"<newer/>")})


@pytest.mark.parametrize("levels", [scan.DEEPEST + 5, 1500])
@pytest.mark.parametrize("where", ["configuration", "configuration/applications", "dropins"])
def test_a_leftover_of_any_depth_is_refused_before_anything_is_done(applied: t.Any, where: str, levels: int) -> None:
    leftover = applied.engine / where / LEFTOVER
    nest(leftover, levels)
    for attempt in range(2):
        with pytest.raises(
            NodeError, match=r"ivy-cluster-0000000000000000.* is nested more than .* Remove it and run"
        ) as caught:
            applied.apply(newer(applied))
        assert not applied.opened().intent(), attempt
    assert "nested more than" in applied.start()
    command = str(caught.value).partition("run again: ")[2]
    assert command == f"rm -rf {leftover}"
    subprocess.run(["sh", "-c", command], check=True)
    assert applied.start() == ""
    applied.apply(newer(applied))
    assert (applied.engine / "configuration/web.xml").read_bytes() == b"<newer/>"


@pytest.mark.parametrize("levels", [0, 1, 1500])
def test_a_directory_of_any_depth_is_removed(tmp_path: Path, levels: int) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/file").touch()
    top = tmp_path / "top"
    nest(top, levels)
    for number in range(1, 4):
        # The names that it gives to what it moves may be there already.
        taken = top / f".ivy-cluster-moved-{number}.tmp"
        nest(taken, 3)
        (taken / "link").symlink_to(tmp_path / "outside")
    (top / ".ivy-cluster-moved-4.tmp").touch()
    (top / "link").symlink_to(tmp_path / "outside")
    with atomic.Tree(str(tmp_path)) as tree:
        before = len(os.listdir("/proc/self/fd"))
        atomic.remove_tree_at(tree.fd, "top")
        assert len(os.listdir("/proc/self/fd")) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["outside"]
    assert (tmp_path / "outside/file").exists()


def test_names_in_a_leftover_count(applied: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan, "MOST_FILES", 50)
    many = applied.engine / "configuration" / LEFTOVER / "many"
    many.mkdir(parents=True)
    for number in range(100):
        (many / str(number)).touch()
    with pytest.raises(NodeError, match="more than 50 files"):
        applied.inspect()


def test_leftovers_without_end_are_refused_in_words(applied: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan, "MOST_LEFTOVERS", 10)
    for number in range(50):
        (applied.engine / f"configuration/.ivy-cluster-{number:016x}.tmp").touch()
    with pytest.raises(
        NodeError, match=r"more than 10 temporary files that no run left.* Remove them and run again"
    ) as caught:
        applied.apply(newer(applied))
    # The message has the command, which removes nothing else.
    kept = sorted(path for path in applied.engine.rglob("*") if not path.name.startswith(".ivy-cluster-"))
    subprocess.run(["sh", "-c", str(caught.value).partition("run again: ")[2]], check=True)
    assert sorted(applied.engine.rglob("*")) == kept
    applied.apply(newer(applied))
    assert not applied.opened().intent()


def test_a_large_release_may_leave_more(node: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan, "MOST_LEFTOVERS", 0)
    node.record_baseline()
    node.apply(node.build({f"engine:configuration/{number}.xml": node.File(b"x") for number in range(20)}))
    for number in range(20):
        name = f"{number}.xml"
        for leftover in (atomic.temporary_name(name), atomic.partial_name(name)):
            (node.engine / "configuration" / leftover).touch()
    node.apply(newer(node))
    assert not list((node.engine / "configuration").glob(".ivy-cluster-*"))


def test_the_lists_of_the_backups_are_read_once_for_all_leftovers(
    applied: t.Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(20):
        (applied.engine / f"configuration/.ivy-cluster-{number:016x}.tmp").write_text(str(number))
    reads: list[str] = []
    real = store.Store.backups

    def backups(self: store.Store) -> t.Any:
        reads.append(self.path)
        return real(self)

    monkeypatch.setattr(store.Store, "backups", backups)
    applied.apply(newer(applied))
    # For the digests, for the backup of the leftovers, and when old ones are removed; never for each leftover.
    assert len(reads) < 6


# --- expected files that somebody made longer


def test_expected_files_that_became_huge_are_not_read(node: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    real = digest.sha256_of_fd

    def counted(fd: int, size: int, limit: int) -> str:
        read.append(size)
        return "other" if size > 100_000 else real(fd, size, limit)

    node.record_baseline()
    listed = {f"engine:configuration/{number}.xml": node.File(b"x") for number in range(100)}
    node.apply(node.build(listed))
    node.start()
    monkeypatch.setattr(atomic, "sha256_of_fd", counted)
    for number in range(50):
        sparse(node.engine / f"configuration/{number}.xml", 1 << 30)
    for number in range(50, 100):
        sparse(node.engine / f"configuration/{number}.xml", atomic.GREATEST)
    details = {one["detail"] for one in node.inspect()["drift"]}
    assert details == {"the content differs", "it is too large to be read"}
    assert max(read) <= atomic.GREATEST
    assert sum(read) <= scan.MOST_BEYOND + (1 << 20)
    read.clear()
    node.apply(node.build(listed))
    # The inspection, the same files again once they are replaced, and as much of those that were not read at first.
    assert sum(read) <= 3 * scan.MOST_BEYOND + (1 << 20)
    assert node.holds(listed)


def test_files_that_became_huge_do_not_hide_an_expected_one(node: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    node.record_baseline()
    listed = {f"engine:configuration/{number}.xml": node.File(b"x" * 100) for number in range(20)}
    node.apply(node.build(listed))
    monkeypatch.setattr(scan, "MOST_BEYOND", 250)
    for number in range(10):
        (node.engine / f"configuration/{number}.xml").write_bytes(b"y" * 200)
    found = {one["path"]: one["detail"] for one in node.inspect()["drift"]}
    assert sorted(found) == sorted(f"configuration/{number}.xml" for number in range(10))
    assert list(found.values()).count("the content differs") == 2
