# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups are complete or not there, are read again, and are restored without losing what was there before."""

from __future__ import annotations

import base64
import collections
import io
import json
import os
import shutil
import tarfile
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.ivy.cluster.plugins.module_utils.node import commands
from ansible_collections.ivy.cluster.plugins.module_utils.node.backup import (
    choice,
    database,
    directory,
    encryption,
    manifest,
    place,
    program,
    report,
    restore,
    retention,
    trees,
    verify,
)
from ansible_collections.ivy.cluster.plugins.module_utils.node.cluster import record, update
from ansible_collections.ivy.cluster.plugins.module_utils.node.files.errors import NodeError
from ansible_collections.ivy.cluster.plugins.module_utils.node.store.store import Store

USER, GROUP = str(os.geteuid()), str(os.getegid())
ACCOUNT = trees.Account(os.geteuid(), os.getegid())
RECIPIENT = "age1" + "q" * 58
TARGET = manifest.Target("demo", "11.3.0", 150008)

# The clients of PostgreSQL: a dump is a text, and "damaged" in it is what pg_restore cannot read.
PROGRAMS = {
    "psql": 'echo "150008|1000|1"',
    "pg_dump": (
        '[ "$PGPASSWORD" = "pass\\\\word" ] || { echo "wrong password" >&2; exit 1; }\necho "1; TABLE public task"'
    ),
    "pg_restore": (
        'for last; do :; done\ncase "$*" in *--use-list*) cat "$last" > "$FAKE_LOADED";; *) grep -q damaged "$last" && '
        '{ echo "input file is damaged" >&2; exit 1; }; echo "1; 1259 1 TABLE public task ivy"; cat "$last";; esac'
    ),
    # It turns the content around, so nothing is found in clear.
    "age": (
        'case "$*" in *--decrypt*) grep -q key "$3" || { echo "no identity matched" >&2; exit 1; }; tr a-z b-za ;; '
        "*) tr b-za a-z ;; esac"
    ),
}


class Cluster:
    """A cluster with one node, whose database is a text."""

    def __init__(self, node: t.Any) -> None:
        self.node = node
        self.data = node.base / "share-data"
        self.data.mkdir()
        (self.data / "files").mkdir()
        (self.data / "files/one.txt").write_text("first")
        node.record.mkdir()
        self.release = node.build({"engine:configuration/ivy.yaml": node.File(b"A: 1\n", "yaml", "keys")})
        node.apply(self.release)
        self.location = update.Location(str(node.record), "demo", USER, GROUP)
        self.change("taken", operation="site")
        self.change("opened", release=self.release.id, operation="site", engine_version="11.3.0")
        self.change("schema_created", engine_version="11.3.0", node="n1")
        self.change("passed", node="n1")
        self.change("closed", release=self.release.id, nodes={"n1": self.release.id}, operation="site")
        node.environment.mkdir(exist_ok=True)
        settings = {
            "cluster": "demo",
            "node": "n1",
            "store": str(node.store),
            "record_directory": str(node.record),
            "user": USER,
            "group": GROUP,
            "database": {"address": "db", "port": 5432, "name": "ivy", "user": "ivy"},
        }
        self.settings = node.environment / "node.json"
        self.settings.write_text(json.dumps(settings))
        (node.environment / "shared.env").write_text('# note\nIVY_SYSTEMDB_PASSWORD="pass\\\\word"\n')
        self.backups = node.base / "backups"
        self.backups.mkdir(mode=0o700)

    def change(self, state: str, **more: t.Any) -> record.Record:
        after = update.write(self.location, record.Change(state, "run1", **more))[1]
        assert after is not None
        return after

    def params(self, **more: t.Any) -> dict[str, t.Any]:
        return {
            "directory": str(self.backups),
            "settings": str(self.settings),
            "trees": {"data": str(self.data)},
            "recipients": [],
            "keep": 3,
            **more,
        }

    def back_up(self, level: str = "content", metrics: str = "", **more: t.Any) -> dict[str, t.Any]:
        return program.run(program.options_from(self.params(**more)), level, metrics)

    def restore(self, backup: str, state: str, **more: t.Any) -> dict[str, t.Any]:
        params = {"id": backup, "state": state, "database": "ivy_restore", "again": False, "identity": ""}
        return restore.restore({**self.params(), **params, **more})

    def inspect(self, backup: str, **more: t.Any) -> dict[str, t.Any]:
        params = {"directory": str(self.backups), "id": backup, "verify": "content", "identity": ""}
        return choice.inspect({**params, "target": TARGET._asdict(), **more})

    def names(self) -> list[str]:
        return sorted(name for name in os.listdir(self.backups) if not name.startswith((".lock", "status")))

    def files(self) -> dict[str, str]:
        return {
            str(path.relative_to(self.data)): path.read_text()
            for path in sorted(self.data.rglob("*"))
            if path.is_file()
        }


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each backup begins a minute after the one before."""
    times = iter(range(1_769_860_800, 1_769_870_000, 60))
    monkeypatch.setattr(time, "time", lambda: float(next(times)))


@pytest.fixture
def cluster(node: t.Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: None) -> Cluster:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, text in PROGRAMS.items():
        (programs / name).write_text(f"#!/bin/sh\n{text}\n")
        (programs / name).chmod(0o755)
    loaded = str(tmp_path / "loaded")
    original = commands.environment
    monkeypatch.setattr(commands, "environment", lambda **more: {**original(**more), "FAKE_LOADED": loaded})
    monkeypatch.setattr(commands, "client_program", lambda name: str(programs / name))
    monkeypatch.setattr(commands, "program", lambda name, _package: str(programs / name))
    return Cluster(node)


def set_program(cluster: Cluster, name: str, text: str) -> None:
    Path(commands.client_program(name)).write_text(f"#!/bin/sh\n{text}\n")


def test_a_backup_is_complete_and_private(cluster: Cluster) -> None:
    made = cluster.back_up()
    assert made["files"] == ["data.tar.gz", "database.dump", "record.json", "releases.tar.gz"]
    assert made["release"] == cluster.release.id
    found = directory.load(str(cluster.backups), made["id"])
    assert (found["cluster"], found["engine_version"], found["schema"]["engine_version"]) == (
        "demo",
        "11.3.0",
        "11.3.0",
    )
    assert found["database"] == {"name": "ivy", "server_version": 150008, "bytes": 1000, "tables": 1}
    assert found["trees"]["data"]["files"] == 1
    for path in (cluster.backups / made["id"]).iterdir():
        assert path.stat().st_mode & 0o777 == 0o600
    stored = json.loads((cluster.backups / made["id"] / "record.json").read_text())
    assert (stored["lease"], stored["desired_release"]) == (None, cluster.release.id)
    answer = cluster.inspect("latest")
    assert (answer["problems"], answer["id"], answer["record"]["cluster"]) == ([], made["id"], "demo")
    assert answer["last"]["problem"] == ""


@pytest.mark.parametrize(
    ("name", "text"), [("pg_dump", "echo half; echo broken >&2; exit 1"), ("pg_restore", "exit 1")]
)
def test_a_failure_leaves_the_earlier_backups(cluster: Cluster, tmp_path: Path, name: str, text: str) -> None:
    first = cluster.back_up(keep=1)["id"]
    set_program(cluster, name, text)
    with pytest.raises(NodeError):
        cluster.back_up(metrics=str(tmp_path), keep=1)
    assert cluster.names() == [first]
    last = report.last(str(cluster.backups))
    assert (last["newest"], last["complete"]) == (first, 1)
    assert name in last["problem"]
    metrics = (tmp_path / report.METRICS).read_text()
    assert "ivy_backup_success 0\n" in metrics
    assert f"ivy_backup_last_success_timestamp_seconds {retention.seconds_of(first):.0f}\n" in metrics


def test_a_full_disk_is_found_before_anything_is_written(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    first = cluster.back_up()["id"]
    space = collections.namedtuple("space", "f_bavail f_frsize")
    monkeypatch.setattr(os, "statvfs", lambda _path: space(1, 1))
    with pytest.raises(NodeError, match="MiB free, and a backup needs up to"):
        cluster.back_up()
    assert cluster.names() == [first]


def test_what_a_killed_run_has_left_is_removed(cluster: Cluster) -> None:
    (cluster.backups / ".incomplete-20200101T000000Z").mkdir()
    made = cluster.back_up()["id"]
    assert cluster.names() == [made]


def test_two_backups_at_once(cluster: Cluster) -> None:
    with directory.locked(str(cluster.backups)), pytest.raises(NodeError, match="Another process"):
        cluster.back_up()


def test_a_directory_that_others_may_enter_is_refused(cluster: Cluster) -> None:
    cluster.backups.chmod(0o755)
    with pytest.raises(NodeError, match="mode 0755"):
        cluster.back_up()


def test_no_backup_during_a_restore(cluster: Cluster) -> None:
    cluster.change("opened", release=cluster.release.id, operation="restore")
    with pytest.raises(NodeError, match="restore is not finished"):
        cluster.back_up()


def test_old_backups_are_removed(cluster: Cluster) -> None:
    made = [cluster.back_up(keep=2) for _number in range(3)]
    assert cluster.names() == [made[1]["id"], made[2]["id"]]
    assert made[2]["removed"] == [made[0]["id"]]


def test_the_backup_of_an_open_upgrade_stays(cluster: Cluster) -> None:
    first = cluster.back_up(keep=1)["id"]
    cluster.change("opened", release=cluster.release.id, operation="upgrade", keep_open=True, backup=first)
    second = cluster.back_up(keep=1)["id"]
    assert cluster.names() == [first, second]
    cluster.change("migration_begun", operation="upgrade", engine_version="12.0.9", node="engine1")
    third = cluster.back_up(keep=1)["id"]
    assert cluster.names() == [first, third]


def test_only_texts_of_the_record_name_backups_that_stay() -> None:
    forged = {"operation": {"backup": ["20260101T000000Z"]}, "schema": {"migrating": {"backup": {}}}}
    assert retention.needed(forged) == set()
    assert retention.needed({"operation": {"backup": "20260101T000000Z"}}) == {"20260101T000000Z"}


def test_retention_never_removes_the_newest() -> None:
    ids = ["20260101T000000Z", "20260102T000000Z", "20260103T000000Z"]
    now = retention.seconds_of("20300101T000000Z")
    assert retention.removable(ids, 10, 1, now) == ids[:2]
    assert retention.removable(ids, 0, 0, now) == ids[:2]
    assert retention.removable(ids, 10, 0, now) == []
    assert retention.removable(ids, 10, 3, retention.seconds_of(ids[2]) + 60) == []
    assert retention.removable([], 1, 1, now) == []


def test_an_encrypted_backup_is_read_with_the_identity_only(cluster: Cluster) -> None:
    pem = base64.b64encode(b"-----BEGIN PRIVATE KEY-----").decode()
    made = cluster.back_up(recipients=[RECIPIENT], certificates={"lb1/balancer.pem.key": pem})
    assert all(name.endswith(".age") for name in made["files"])
    assert b"public task" not in (cluster.backups / made["id"] / "database.dump.age").read_bytes()
    assert any("restore_identity_file" in problem for problem in cluster.inspect("latest")["problems"])
    assert any("no identity" in problem for problem in cluster.inspect("latest", identity="wrong")["problems"])
    answer = cluster.inspect("latest", identity="key")
    assert (answer["problems"], answer["record"]["cluster"]) == ([], "demo")
    (cluster.data / "files/one.txt").write_text("second")
    cluster.restore(made["id"], "unpacked", identity="key")
    cluster.restore(made["id"], "swapped")
    assert cluster.files() == {"files/one.txt": "first"}
    assert cluster.names() == [made["id"]]


def test_a_private_key_is_backed_up_encrypted_only(cluster: Cluster) -> None:
    files = {"lb1/ca.pem": b"-----BEGIN CERTIFICATE-----", "lb1/balancer.pem": b"-----BEGIN RSA PRIVATE KEY-----"}
    made = cluster.back_up(certificates={name: base64.b64encode(data).decode() for name, data in files.items()})
    with tarfile.open(cluster.backups / made["id"] / "certificates.tar.gz") as archive:
        assert archive.getnames() == ["lb1/ca.pem"]


@pytest.mark.parametrize("text", ["AGE-SECRET-KEY-1ABC", "age1short", "-i /etc/passwd", ""])
def test_what_is_not_a_public_key(text: str) -> None:
    assert encryption.recipient_problem(text)
    assert encryption.recipient_problem(RECIPIENT) == ""


def damage(cluster: Cluster, backup: str, how: str) -> None:
    path = cluster.backups / backup
    if how == "manifest gone":
        (path / "manifest.json").unlink()
    elif how == "manifest damaged":
        (path / "manifest.json").write_text("{")
    elif how == "file gone":
        (path / "data.tar.gz").unlink()
    elif how == "file cut":
        (path / "data.tar.gz").write_bytes((path / "data.tar.gz").read_bytes()[:-1])
    else:
        data = bytearray((path / "database.dump").read_bytes())
        data[0] ^= 1
        (path / "database.dump").write_bytes(bytes(data))


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("manifest gone", "is incomplete"),
        ("manifest damaged", "manifest.json is damaged"),
        ("file gone", "data.tar.gz cannot be read"),
        ("file cut", "bytes instead of"),
        ("file changed", "SHA-256 is not that of the manifest"),
    ],
)
def test_a_damaged_backup_is_refused(cluster: Cluster, how: str, message: str) -> None:
    backup = cluster.back_up()["id"]
    damage(cluster, backup, how)
    assert any(message in problem for problem in cluster.inspect(backup)["problems"])


def test_content_that_cannot_be_restored(cluster: Cluster) -> None:
    """The checksums are right, and the files are not."""
    set_program(cluster, "pg_dump", "echo damaged")
    backup = cluster.back_up(level="checksums")["id"]
    assert cluster.inspect(backup, verify="checksums")["problems"] == []
    assert any("database.dump cannot be restored" in problem for problem in cluster.inspect(backup)["problems"])


def test_all_problems_at_once(cluster: Cluster) -> None:
    backup = cluster.back_up()["id"]
    damage(cluster, backup, "file cut")
    damage(cluster, backup, "file changed")
    target = {"cluster": "other", "engine_version": "12.0.9", "server_version": 140001, "foreign": False}
    text = "\n".join(cluster.inspect(backup, target=target)["problems"])
    for part in ("backup of cluster demo", "older than the engine", "PostgreSQL 15", "bytes instead of", "SHA-256"):
        assert part in text


@pytest.mark.parametrize(
    ("version", "schema", "word"),
    [("11.2.0", "11.2.0", "older"), ("12.0.0", "12.0.0", "newer"), ("11.3.0", "10.0.0", "older")],
)
def test_another_version(cluster: Cluster, version: str, schema: str, word: str) -> None:
    found = directory.load(str(cluster.backups), cluster.back_up()["id"])
    other = {**found, "engine_version": version, "schema": {"engine_version": schema}}
    (problem,) = manifest.obstacles(other, TARGET)
    assert word in problem
    assert manifest.obstacles(found, TARGET._replace(cluster="other", foreign=True)) == []


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"format": True},
        {"files": {}},
        {"files": {"../x": {"size": 1, "sha256": "0" * 64}}},
        {"files": {"x": {"size": -1, "sha256": "0" * 64}}},
        {"files": {"x": {"size": 1, "sha256": "0"}}},
        {"id": "../../etc"},
        {"database": {}},
        {"schema": []},
        {"cluster": None},
    ],
)
def test_an_invalid_manifest(cluster: Cluster, change: dict[str, t.Any]) -> None:
    found = directory.load(str(cluster.backups), cluster.back_up()["id"])
    with pytest.raises(NodeError, match="is damaged"):
        manifest.parse(json.dumps({**found, **change}).encode(), "x")


@pytest.mark.parametrize("name", ["none", "latest", "20990101T000000Z", "../etc"])
def test_a_backup_that_does_not_exist(cluster: Cluster, name: str) -> None:
    (problem,) = cluster.inspect(name)["problems"]
    assert "There is no" in problem


# --- the restore


def test_restored_files_take_the_place_of_the_others(cluster: Cluster) -> None:
    backup = cluster.back_up()["id"]
    (cluster.data / "files/one.txt").write_text("second")
    (cluster.data / "new.txt").write_text("later")
    assert cluster.restore(backup, "unpacked")["files"] == 1
    assert cluster.files() == {"files/one.txt": "second", "new.txt": "later"}
    (before,) = cluster.restore(backup, "swapped")["before"]
    assert cluster.files() == {"files/one.txt": "first"}
    assert (Path(before) / "new.txt").read_text() == "later"


@pytest.mark.parametrize("calls", range(1, 6))
def test_an_interrupted_exchange_loses_nothing(cluster: Cluster, monkeypatch: pytest.MonkeyPatch, calls: int) -> None:
    """Wherever it is cut off: the next attempt ends with the restored files, and with the old ones kept."""
    backup = cluster.back_up()["id"]
    (cluster.data / "files/one.txt").write_text("second")
    (cluster.data / "new.txt").write_text("later")
    cluster.restore(backup, "unpacked")
    left = calls

    def rename(*arguments: t.Any, **options: t.Any) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise OSError(5, "cut off")
        original(*arguments, **options)

    original = os.rename
    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", rename)
        if calls < 4:
            with pytest.raises(NodeError, match="cut off"):
                cluster.restore(backup, "swapped")
        else:
            cluster.restore(backup, "swapped")
    cluster.restore(backup, "unpacked", again=True)
    (before,) = cluster.restore(backup, "swapped")["before"]
    assert cluster.files() == {"files/one.txt": "first"}
    assert (Path(before) / "new.txt").read_text() == "later"
    assert (Path(before) / "files/one.txt").read_text() == "second"


def test_the_old_files_of_an_earlier_restore_are_removed(cluster: Cluster) -> None:
    backup = cluster.back_up()["id"]
    for text in ("second", "third"):
        (cluster.data / "files/one.txt").write_text(text)
        cluster.restore(backup, "unpacked")
        (before,) = cluster.restore(backup, "swapped")["before"]
        assert (Path(before) / "files/one.txt").read_text() == text


def test_the_dump_is_loaded_without_what_only_an_administrator_may_create(cluster: Cluster, tmp_path: Path) -> None:
    backup = cluster.back_up()["id"]
    assert cluster.restore(backup, "loaded")["tables"] == 1
    assert "TABLE public task" in (tmp_path / "loaded").read_text()
    kept = ["; head", "4; 4 TABLE public t ivy"]
    administrators = ["1; 1 EXTENSION - pgstattuple ", "2; 2 COMMENT - EXTENSION x", "3; 3 SCHEMA - public ivy"]
    assert database.selected("\n".join([kept[0], *administrators, kept[1]])) == "\n".join([*kept, ""])


def test_missing_tables_are_found(cluster: Cluster) -> None:
    backup = cluster.back_up()["id"]
    set_program(cluster, "psql", 'echo "150008|1000|0"')
    with pytest.raises(NodeError, match="0 tables were loaded"):
        cluster.restore(backup, "loaded")


def test_a_release_that_the_node_has_lost_comes_back(cluster: Cluster) -> None:
    backup = cluster.back_up()["id"]
    assert cluster.restore(backup, "staged")["changed"] is False
    shutil.rmtree(cluster.node.store / "releases")
    shutil.rmtree(cluster.node.store / "blobs")
    assert cluster.restore(backup, "staged")["changed"] is True
    with Store(str(cluster.node.store)) as store:
        found = store.manifest(cluster.release.id)
        assert found is not None
        assert [store.blob(entry.sha256) for entry in found.entries] == [b"A: 1\n"]


def archive(*items: tuple[tarfile.TarInfo, bytes]) -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as packed:
        for item, content in items:
            item.size = len(content)
            packed.addfile(item, io.BytesIO(content))
    return data.getvalue()


@pytest.mark.parametrize("name", ["../out", "/out", "a/../../out"])
def test_nothing_is_written_outside(tmp_path: Path, name: str) -> None:
    file = tmp_path / "x.tar.gz"
    file.write_bytes(archive((tarfile.TarInfo(name), b"x")))
    with file.open("rb") as stream, pytest.raises(NodeError, match="plain relative path"):
        trees.unpack(stream.fileno(), str(tmp_path / "in"), ACCOUNT)
    assert not (tmp_path / "out").exists()


def test_a_link_is_kept_and_not_followed(tmp_path: Path) -> None:
    link = tarfile.TarInfo("link")
    link.type, link.linkname = tarfile.SYMTYPE, str(tmp_path)
    file = tmp_path / "x.tar.gz"
    file.write_bytes(archive((link, b""), (tarfile.TarInfo("link/planted"), b"x")))
    with file.open("rb") as stream, pytest.raises(NodeError):
        trees.unpack(stream.fileno(), str(tmp_path / "in"), ACCOUNT)
    assert not (tmp_path / "planted").exists()


def test_files_that_change_while_they_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "file").write_bytes(b"x" * 100)
    os.mkfifo(source / "fifo")
    real = os.fstat

    def longer(fd: int) -> os.stat_result:
        info = list(real(fd))
        info[6] += 50
        return os.stat_result(info)

    monkeypatch.setattr(os, "fstat", longer)
    out = tmp_path / "out.tar.gz"
    with out.open("wb") as stream:
        packed = trees.pack(str(source), ACCOUNT, stream.write)
    monkeypatch.undo()
    assert (packed["changed"], packed["left_out"]) == (["file"], ["fifo"])
    with tarfile.open(out) as opened:
        assert opened.getmember("file").size == 150


def test_what_the_engines_user_makes_of_a_directory_prevents_no_backup_of_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "good").write_bytes(b"x" * 5000)
    with (source / "holes").open("wb") as stream:
        stream.truncate(1 << 40)
    with (source / "some holes").open("wb") as stream:
        stream.truncate(1 << 20)
    deep = os.open(source, os.O_RDONLY)
    for _level in range(150):
        os.mkdir("d" * 20, dir_fd=deep)
        below = os.open("d" * 20, os.O_RDONLY, dir_fd=deep)
        os.close(deep)
        deep = below
    os.close(deep)
    (source / "closed").mkdir()
    (source / "closed directory").mkdir()
    real_open, real_scandir = os.open, os.scandir

    def closed(path: t.Any, *rest: t.Any, **more: t.Any) -> int:
        if str(path).endswith("closed/file"):
            raise PermissionError(13, "Permission denied")
        return real_open(path, *rest, **more)

    def closed_directory(path: t.Any) -> t.Any:
        if str(path).endswith("closed directory"):
            raise PermissionError(13, "Permission denied")
        return real_scandir(path)

    (source / "closed/file").write_bytes(b"x")
    # Root, who may run this test, may open everything.
    monkeypatch.setattr(os, "open", closed)
    monkeypatch.setattr(os, "scandir", closed_directory)
    out = tmp_path / "out.tar.gz"
    with out.open("wb") as stream:
        packed = trees.pack(str(source), ACCOUNT, stream.write)
    assert 5000 <= trees.size(str(source), ACCOUNT) < 1 << 20
    monkeypatch.undo()

    assert [name for name in packed["left_out"] if "d" * 20 not in name] == ["closed/file", "closed directory", "holes"]
    assert len([name for name in packed["left_out"] if "d" * 20 in name]) == 1
    with tarfile.open(out) as opened:
        names = opened.getnames()
        assert {"good", "some holes", "closed", "closed directory"} <= set(names)
        assert max(name.count("/") for name in names) == 100
    shutil.rmtree(source)


def test_a_share_that_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trees, "SECONDS", 0.2)
    monkeypatch.setattr(os, "scandir", lambda _path: time.sleep(60))
    with pytest.raises(NodeError, match="does not answer"):
        trees.pack(str(tmp_path), ACCOUNT, lambda _block: None)


def test_a_program_that_hangs_is_ended(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    with pytest.raises(NodeError, match="has written nothing"):
        commands.read_descriptor(reading, lambda _block: None, "pg_dump", 0.1)
    os.close(reading)
    os.close(writing)


def test_the_password_of_a_secret_file(tmp_path: Path) -> None:
    with pytest.raises(NodeError, match="Roll the release out first"):
        place.database_password(str(tmp_path))
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets/ivy.SystemDb.Password").write_text("secret")
    assert place.database_password(str(tmp_path)) == "secret"


def test_the_program_reports_why_no_backup_was_made(
    cluster: Cluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "backup.json"
    assert program.main(["--settings", str(file)]) == 1
    assert "missing or damaged" in capsys.readouterr().out
    file.write_text(json.dumps(cluster.params(verify="content", metrics="")))
    assert program.main(["--settings", str(file)]) == 0
    assert "is complete in" in capsys.readouterr().out
    assert (
        verify.checksums(str(cluster.backups / cluster.names()[0]), directory.newest(str(cluster.backups)) or {}) == []
    )
