# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guard between runs: exact, quiet, and careful with what it restores."""

from __future__ import annotations

import collections
import errno
import fcntl
import itertools
import json
import os
import shutil
import subprocess
import sys
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.ivy.cluster.plugins.module_utils.node.agent import guard, guard_report
from ansible_collections.ivy.cluster.plugins.module_utils.node.cluster import record
from ansible_collections.ivy.cluster.plugins.module_utils.node.config import activate, describe
from ansible_collections.ivy.cluster.plugins.module_utils.node.files import atomic
from ansible_collections.ivy.cluster.plugins.module_utils.node.store import store

if t.TYPE_CHECKING:
    from ..conftest import Node

IVY, ENV = "engine:configuration/ivy.yaml", "environment:shared.env"
HOT = "engine:configuration/log4j2.xml"
RECORD = {"format": 1, "cluster": "demo", "operation": None}


class Watch:
    """The guard of one node and its output."""

    def __init__(self, node: Node, output: pytest.CaptureFixture[str]) -> None:
        self.node = node
        self.output = output
        self.metrics_directory = node.base / "metrics"
        self.metrics_directory.mkdir()
        self.status_file = node.base / "guard" / "status.json"
        self.status_file.parent.mkdir()
        self.settings = node.environment / "node.json"
        self.place(record=False)

    def place(self, record: bool, **more: t.Any) -> None:
        self.node.environment.mkdir(exist_ok=True)
        if record:
            self.node.record.mkdir(exist_ok=True)
        values = {
            "store": str(self.node.store),
            "user": str(os.geteuid()),
            "group": str(os.getegid()),
            "node": "n1",
            "cluster": "demo",
            "record_directory": str(self.node.record) if record else "",
            **more,
        }
        self.settings.write_text(json.dumps(values), encoding="utf-8")

    def record(self, desired: str, **more: t.Any) -> None:
        self.place(record=True)
        value = {**RECORD, "desired_release": desired, **more}
        (self.node.record / "record.json").write_text(json.dumps(value), encoding="utf-8")

    def run(self, mode: str = guard.REPORT, status: int = 0) -> list[str]:
        """One run; returns the lines for the journal."""
        self.output.readouterr()
        options = guard.Options(mode, *self.places)
        assert guard.guard(options) == status
        return self.output.readouterr().out.splitlines()

    @property
    def places(self) -> tuple[str, str, str, str]:
        """As the options of the guard have them."""
        return str(self.settings), str(self.node.run), str(self.status_file.parent), str(self.metrics_directory)

    @property
    def status(self) -> dict[str, t.Any]:
        found: dict[str, t.Any] = json.loads(self.status_file.read_text(encoding="utf-8"))
        return found

    @property
    def findings(self) -> list[tuple[str, str]]:
        return sorted((item["path"], item["kind"]) for item in self.status["findings"])

    @property
    def metrics(self) -> dict[str, float]:
        text = (self.metrics_directory / "ivy_config_guard.prom").read_text(encoding="utf-8")
        assert text.endswith("\n")
        samples = [line for line in text.splitlines() if not line.startswith("#")]
        return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in samples)}

    def backups(self) -> list[Path]:
        return sorted((self.node.store / "backups").iterdir())


def files(node: Node, **more: t.Any) -> dict[str, t.Any]:
    return {
        IVY: node.File(b"EMail: a\n", kind="yaml", restart="keys"),
        HOT: node.File(b"<applied/>"),
        ENV: node.File(b"IVY_X=secret\n", secret=True, restart="always", mode="0600"),
        "secrets:ivy.Token": node.File(b"token", secret=True, mode="0440"),
        **more,
    }


@pytest.fixture
def watch(node: Node, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Watch:
    monkeypatch.setattr(guard, "show", node.unit)
    node.record_baseline()
    node.apply(node.build(files(node)))
    return Watch(node, capsys)


def test_a_node_as_applied_is_silent(watch: Watch) -> None:
    assert watch.run() == []
    assert watch.run() == []
    assert watch.findings == []
    assert watch.status["error"] == ""
    assert watch.metrics["ivy_config_guard_success"] == 1
    assert watch.metrics['ivy_config_drift_files{kind="modified"}'] == 0
    assert watch.metrics["ivy_config_files"] >= 4


def test_a_look_writes_nothing_but_its_own_files(watch: Watch) -> None:
    watch.node.path(IVY).write_bytes(b"EMail: local\n")
    watch.run()
    own = (str(watch.status_file.parent), str(watch.metrics_directory))
    before = {name: item for name, item in watch.node.snapshot().items() if not name.startswith(own)}
    watch.run()
    assert {name: item for name, item in watch.node.snapshot().items() if not name.startswith(own)} == before


@pytest.mark.parametrize(
    ("damage", "path", "kind"),
    [
        (lambda node: node.path(IVY).write_bytes(b"EMail: b\n"), "configuration/ivy.yaml", "modified"),
        # What means the same has other bytes, and bytes are all that the guard knows.
        (lambda node: node.path(IVY).write_bytes(b"EMail:  a\n"), "configuration/ivy.yaml", "modified"),
        (lambda node: node.path(HOT).unlink(), "configuration/log4j2.xml", "missing"),
        (lambda node: node.vendor("dropins/new.jar", b"x"), "dropins/new.jar", "extra"),
        (lambda node: node.vendor("configuration/web.xml", b"<other/>"), "configuration/web.xml", "modified"),
        (lambda node: node.path(IVY).chmod(0o666), "configuration/ivy.yaml", "attributes"),
        (lambda node: os.chown(node.path(IVY), 12345, -1), "configuration/ivy.yaml", "attributes"),
        (lambda node: node.path("secrets:ivy.Token").write_bytes(b"other"), "ivy.Token", "modified"),
        (lambda node: (node.secrets / "ivy.New").write_bytes(b"x"), "ivy.New", "extra"),
    ],
)
def test_each_kind_of_difference_is_reported_once_and_again_when_it_is_over(
    watch: Watch, damage: t.Callable[[Node], object], path: str, kind: str
) -> None:
    place = (watch.node.engine if "/" in path else watch.node.secrets) / path
    kept = place.read_bytes() if place.exists() else None
    info = place.stat() if place.exists() else None
    damage(watch.node)
    lines = watch.run()
    assert len(lines) == 1
    assert lines[0].startswith("<4>Differs: ")
    assert path in lines[0]
    assert kind in lines[0]
    assert watch.findings == [(path, kind)]
    assert watch.metrics[f'ivy_config_drift_files{{kind="{kind}"}}'] == 1
    assert watch.run() == []
    if kept is None or info is None:
        place.unlink()
    else:
        place.write_bytes(kept)
        place.chmod(info.st_mode & 0o777)
        os.chown(place, info.st_uid, info.st_gid)
    assert watch.run() == [f"<5>No longer differs: {path}"]
    assert watch.findings == []
    assert watch.run() == []


def test_engine_owned_files_are_not_differences(watch: Watch) -> None:
    watch.node.vendor("configuration/applications/local/app.yaml", b"a: 1\n")
    assert watch.run() == []
    assert watch.run(guard.RESTORE) == []
    assert watch.findings == []
    assert watch.metrics["ivy_config_engine_owned_files"] == 1
    assert (watch.node.engine / "configuration/applications/local/app.yaml").exists()


def test_an_accepted_rewriting_is_as_applied(watch: Watch) -> None:
    release = watch.node.build(files(watch.node, **{IVY: watch.node.File(b'P: "${encrypt:x}"\n', kind="yaml")}))
    watch.node.apply(release)
    watch.node.path(IVY).write_bytes(b'P: "${decrypt:1}"\n')
    assert watch.run() != []
    with watch.node.opened() as store:
        store.accept(IVY, release_digest(release, IVY), b'P: "${decrypt:1}"\n')
    assert watch.run() == ["<5>No longer differs: configuration/ivy.yaml"]
    # The accepted content is restored: the engine would rewrite the release's own bytes and differ again.
    watch.node.path(IVY).write_bytes(b'P: "mine"\n')
    watch.run(guard.RESTORE)
    assert watch.node.path(IVY).read_bytes() == b'P: "${decrypt:1}"\n'
    assert watch.findings == []


def release_digest(release: t.Any, key: str) -> str:
    entries = json.loads(release.manifest)["entries"]
    return next(str(one["sha256"]) for one in entries if f"{one['root']}:{one['path']}" == key)


def test_restoring_puts_every_file_back_and_keeps_what_was_there(watch: Watch) -> None:
    watch.node.path(IVY).write_bytes(b"EMail: local\n")
    watch.node.path(HOT).unlink()
    watch.node.path(ENV).chmod(0o644)
    watch.node.vendor("dropins/new.jar", b"jar")
    watch.node.vendor("configuration/web.xml", b"<other/>")
    lines = watch.run(guard.RESTORE)
    assert watch.node.holds(files(watch.node))
    assert (watch.node.engine / "configuration/web.xml").read_bytes() == b"<vendor/>"
    assert not (watch.node.engine / "dropins/new.jar").exists()
    assert watch.node.path(ENV).stat().st_mode & 0o777 == 0o600
    assert watch.findings == []
    assert len(lines) == 5
    backup = watch.backups()[-1]
    assert all(str(backup) in line for line in lines)
    assert any("Removed: dropins/new.jar" in line for line in lines)
    saved = json.loads((backup / "list.json").read_text(encoding="utf-8"))["items"]
    content = {item["path"]: (backup / item["file"]).read_bytes() for item in saved}
    assert content == {
        "configuration/ivy.yaml": b"EMail: local\n",
        "configuration/web.xml": b"<other/>",
        "dropins/new.jar": b"jar",
    }
    assert watch.metrics["ivy_config_guard_restored_files_total"] == 5
    assert watch.status["restored"][0]["backup"] == str(backup)
    assert watch.run(guard.RESTORE) == []
    # A run finds nothing left to do.
    assert watch.node.inspect()["drift"] == []


def test_a_restored_file_that_the_engine_did_not_start_with_is_reported(watch: Watch) -> None:
    watch.node.path(IVY).write_bytes(b"EMail: local\n")
    watch.node.start()
    watch.place(record=False)
    lines = watch.run(guard.RESTORE)
    text = "The running configuration differs from the files on disk"
    assert any(text in line and "configuration/ivy.yaml" in line for line in lines)
    assert watch.metrics["ivy_config_restart_required"] == 1
    assert watch.node.active
    assert watch.run(guard.RESTORE) == []
    watch.node.start()
    watch.place(record=False)
    assert watch.run() == ["<5>The running configuration is that of the files on disk again."]


def test_a_file_that_is_written_again_and_again_is_reported_and_no_longer_restored(watch: Watch) -> None:
    for _time in range(guard.ATTEMPTS):
        watch.node.path(IVY).write_bytes(b"EMail: stubborn\n")
        watch.run(guard.RESTORE)
        assert watch.node.path(IVY).read_bytes() == b"EMail: a\n"
    kept = len(watch.backups())
    watch.node.path(IVY).write_bytes(b"EMail: stubborn\n")
    watch.node.path(HOT).unlink()
    lines = watch.run(guard.RESTORE)
    assert watch.node.path(IVY).read_bytes() == b"EMail: stubborn\n"
    assert watch.node.path(HOT).exists(), "other files are still restored"
    assert any("configuration/ivy.yaml" in line and "find out what writes it" in line for line in lines)
    assert watch.run(guard.RESTORE) == []
    assert len(watch.backups()) == kept


def test_what_cannot_be_put_back_is_given_up_and_does_not_fill_the_backups(
    watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch.node.path(IVY).write_bytes(b"EMail: local\n")
    exchange = atomic.exchange_at

    def refuse(directory: int, name: str) -> bool:
        # What an immutable file answers, for instance.
        if name == "ivy.yaml":
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM), name)
        return exchange(directory, name)

    monkeypatch.setattr(activate, "exchange_at", refuse)
    for _time in range(guard.ATTEMPTS):
        watch.run(guard.RESTORE, status=1)
    kept = len(watch.backups())
    watch.node.path(HOT).unlink()
    lines = watch.run(guard.RESTORE)
    assert any("configuration/ivy.yaml" in line and "find out what writes it" in line for line in lines)
    assert watch.node.path(HOT).exists(), "other files are restored again"
    for _time in range(guard.ATTEMPTS):
        assert watch.run(guard.RESTORE) == []
    assert len(watch.backups()) == kept


def test_the_space_for_backups_is_limited(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "MOST_BACKUP_BYTES", 1 << 20)
    for number in range(1, 4):
        # A different content each time, as a program writes it that wants to fill the disk.
        watch.node.path(HOT).write_bytes(bytes([number]) * (400 << 10))
        lines = watch.run(guard.RESTORE)
    assert any("No file is restored for now: the backups in" in line and "oldest directories" in line for line in lines)
    assert watch.node.path(HOT).read_bytes() == bytes([3]) * (400 << 10)
    with watch.node.opened() as opened:
        assert 800 << 10 <= opened.backup_bytes() <= 1 << 20
    assert watch.run(guard.RESTORE) == []
    # What a run activates is backed up whatever that needs: somebody has started it.
    [*_others, warning] = watch.node.apply(watch.node.build(files(watch.node)))["warnings"]
    assert warning.startswith("A config guard restores nothing for now: the backups in")
    shutil.rmtree(watch.backups()[0])
    watch.node.path(HOT).write_bytes(b"<local/>")
    watch.run(guard.RESTORE)
    assert watch.node.path(HOT).read_bytes() == b"<applied/>"


def test_backups_that_are_old_enough_do_not_count(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "MOST_BACKUP_BYTES", 1 << 20)
    pruned = []
    monkeypatch.setattr(store.Store, "prune", lambda *_arguments, **options: pruned.append(options))
    monkeypatch.setattr(store.Store, "backup_bytes", lambda _store: 1 if pruned else 1 << 20)
    watch.node.path(HOT).write_bytes(b"<local/>")
    watch.run(guard.RESTORE)
    assert watch.node.path(HOT).read_bytes() == b"<applied/>"
    assert pruned[0] == {"keep_releases": 1 << 30, "keep_backups": 20}


def test_a_restore_that_fails_forgets_old_backups_too(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: t.Any) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM), "ivy.yaml")

    monkeypatch.setattr(activate, "exchange_at", refuse)
    options = guard.Options(guard.RESTORE, *watch.places, keep_backups=1)
    for text in (b"EMail: one\n", b"EMail: two\n"):
        watch.node.path(IVY).write_bytes(text)
        assert guard.guard(options) == 1
    [backup] = watch.backups()
    assert b"EMail: two\n" in [path.read_bytes() for path in backup.iterdir()]


def test_an_activation_cut_off_after_the_first_look_is_left_to_the_next_run(
    watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch.node.path(HOT).unlink()
    read_record = guard._read_record

    def meanwhile(*arguments: t.Any) -> None:
        read_record(*arguments)
        with watch.node.opened() as store:
            store.put_intent({"release": store.applied()["release"], "node_files": {}, "time": ""})

    monkeypatch.setattr(guard, "_read_record", meanwhile)
    lines = watch.run(guard.RESTORE)
    assert any("No file is restored for now: an activation was interrupted" in line for line in lines)
    assert not watch.node.path(HOT).exists()


def test_a_time_that_no_calendar_knows_hides_nothing(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    watch.record(watch.node.opened().applied()["release"], operation={"name": "site"})
    watch.node.path(IVY).write_bytes(b"EMail: local\n")
    # Not every file system can hold such a time.
    monkeypatch.setattr(describe, "timestamp_text", lambda _seconds: "unknown")
    assert any("configuration/ivy.yaml" in line for line in watch.run())


def test_nothing_is_put_back_while_a_rollout_is_open(watch: Watch) -> None:
    applied = watch.node.opened().applied()["release"]
    watch.node.path(HOT).write_bytes(b"<local/>")
    watch.record("f" * 32, operation={"name": "site"}, previous_release=applied)
    lines = watch.run(guard.RESTORE)
    assert any("operation site is open" in line for line in lines)
    assert watch.node.path(HOT).read_bytes() == b"<local/>"
    assert watch.findings == [("configuration/log4j2.xml", "modified")]
    watch.record(applied)
    assert any(line.startswith("<5>Restored: configuration/log4j2.xml") for line in watch.run(guard.RESTORE))
    assert watch.node.path(HOT).read_bytes() == b"<applied/>"


def test_the_engines_rewriting_during_a_rollout_is_not_reported_before_the_gate_accepts_it(watch: Watch) -> None:
    applied = watch.node.opened().applied()["release"]
    watch.record(applied, operation={"name": "site"})
    watch.node.path(IVY).write_bytes(b"EMail: rewritten\n")
    assert watch.run() == []
    assert watch.status["operation"] == "site"
    old = time.time() - 600
    os.utime(watch.node.path(IVY), (old, old))
    assert any("configuration/ivy.yaml" in line for line in watch.run())


@pytest.mark.parametrize("away", ["release", "record"])
def test_a_node_that_must_not_start_is_reported_and_not_changed(watch: Watch, away: str) -> None:
    watch.record("f" * 32)
    if away == "record":
        (watch.node.record / "record.json").write_text("{", encoding="utf-8")
    watch.node.path(HOT).write_bytes(b"<local/>")
    lines = watch.run(guard.RESTORE)
    assert watch.node.path(HOT).read_bytes() == b"<local/>"
    metrics = watch.metrics
    if away == "release":
        assert any("the cluster wants ffff" in line for line in lines)
        assert (metrics["ivy_config_stale"], metrics["ivy_config_record_readable"]) == (1, 1)
    else:
        assert any("The cluster record is damaged" in line for line in lines)
        assert (metrics["ivy_config_stale"], metrics["ivy_config_record_readable"]) == (0, 0)
    assert watch.run(guard.RESTORE) == []


def test_an_interrupted_activation_is_reported_and_left_to_the_next_run(watch: Watch) -> None:
    with watch.node.opened() as store:
        store.put_intent({"release": store.applied()["release"], "node_files": {}, "time": ""})
    watch.node.path(HOT).unlink()
    lines = watch.run(guard.RESTORE)
    assert any("An activation was interrupted" in line for line in lines)
    assert not watch.node.path(HOT).exists()
    assert watch.metrics["ivy_config_activation_interrupted"] == 1


def test_the_guard_does_nothing_while_a_run_changes_the_node(watch: Watch) -> None:
    watch.run()
    before = watch.status_file.read_bytes()
    watch.node.path(IVY).write_bytes(b"half done\n")
    with watch.node.opened() as store, store.lock():
        assert watch.run() == []
        assert watch.run(guard.RESTORE) == []
    assert watch.status_file.read_bytes() == before
    assert watch.node.path(IVY).read_bytes() == b"half done\n"


def test_two_that_look_do_not_hinder_each_other(watch: Watch) -> None:
    watch.node.path(HOT).unlink()
    fd = os.open(watch.node.store / "lock", os.O_RDONLY)
    try:
        fcntl.flock(fd, fcntl.LOCK_SH)
        assert any("log4j2.xml" in line for line in watch.run())
        # But nothing is written under the eyes of somebody else.
        lines = watch.run(guard.RESTORE)
        assert lines == ["<4>No file is restored for now: a run is at work on this node"]
        assert not watch.node.path(HOT).exists()
    finally:
        os.close(fd)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda store: (store / "applied.json").write_text("{"), "applied.json cannot be read"),
        (
            lambda store: (store / "applied.json").write_text('{"release": "00", "node_files": 5}'),
            "The store is damaged",
        ),
        (lambda store: (store / "format.json").write_text('{"format": 99}'), "newer version"),
        (lambda store: store.chmod(0o755), "mode 0755"),
        (lambda store: store.rename(store.with_name("away")), "is gone"),
    ],
)
def test_a_guard_that_cannot_look_says_so_once_and_fails(
    watch: Watch, damage: t.Callable[[Path], object], message: str
) -> None:
    watch.node.path(HOT).unlink()
    watch.run()
    damage(watch.node.store)
    lines = watch.run(status=1)
    assert len(lines) == 1
    assert lines[0].startswith("<3>")
    assert message in lines[0]
    assert watch.status["error"] in lines[0]
    assert watch.metrics["ivy_config_guard_success"] == 0
    assert 'ivy_config_drift_files{kind="missing"}' not in watch.metrics
    assert watch.run(status=1) == []
    assert watch.findings == [("configuration/log4j2.xml", "missing")], "what was known stays known"


def test_a_guard_that_can_look_again_says_so(watch: Watch) -> None:
    text = watch.settings.read_text(encoding="utf-8")
    watch.settings.unlink()
    assert "node.json is missing or damaged" in watch.run(status=1)[0]
    watch.settings.write_text(text, encoding="utf-8")
    assert watch.run() == ["<5>The guard can inspect this node again."]


def test_a_damaged_content_in_the_store_stops_a_restore_before_it_writes(watch: Watch) -> None:
    watch.node.path(HOT).unlink()
    watch.node.path(IVY).write_bytes(b"EMail: local\n")
    blobs = {path.name: path for path in (watch.node.store / "blobs").iterdir()}
    applied = watch.node.opened().applied()["release"]
    manifest = json.loads((watch.node.store / "releases" / applied / "manifest.json").read_bytes())
    digest = next(one["sha256"] for one in manifest["entries"] if one["path"] == "configuration/log4j2.xml")
    blobs[digest].write_bytes(b"damaged")
    lines = watch.run(guard.RESTORE, status=1)
    assert any("has other content than its name says" in line for line in lines)
    assert watch.node.path(IVY).read_bytes() == b"EMail: local\n"


def test_a_name_cannot_forge_a_line(watch: Watch) -> None:
    watch.node.vendor("dropins/x\n<0>forged\x1b[2J.jar", b"x")
    lines = watch.run()
    assert len(lines) == 1
    assert "\\n<0>forged\\x1b" in lines[0]


def test_many_differences_are_few_lines(watch: Watch) -> None:
    for number in range(200):
        watch.node.vendor(f"dropins/{number}.jar", b"x")
    lines = watch.run()
    assert len(lines) == 31
    assert "170 more" in lines[-1]
    assert len(watch.findings) == 200


def test_of_too_many_differences_the_first_are_listed_and_all_are_counted(
    watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard_report, "MOST_FILES", 5)
    for number in range(8):
        watch.node.vendor(f"dropins/{number}.jar", b"x")
    lines = watch.run()
    assert [line for line in lines if "8 files differ" in line]
    assert len(watch.findings) == 5
    assert watch.metrics['ivy_config_drift_files{kind="extra"}'] == 8
    assert watch.run() == [], "each is reported once"
    for number in range(1, 8):
        watch.node.path(f"engine:dropins/{number}.jar").unlink()
    assert "<5>All files that differ are listed again." in watch.run()


def test_nothing_is_restored_whose_attempts_could_not_be_counted(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file with the attempts is read with a limit. What is not in it would be restored without end."""
    monkeypatch.setattr(guard_report, "_MOST_ATTEMPTS_BYTES", 200)
    watch.node.path(IVY).write_bytes(b"EMail: changed\n")
    watch.run(guard.RESTORE)
    assert watch.node.path(IVY).read_bytes() == b"EMail: a\n"
    for number in range(20):
        watch.node.vendor(f"dropins/{number}.jar", b"x")
    lines = watch.run(guard.RESTORE)
    assert [line for line in lines if "No file is restored for now: the list of the files" in line]
    assert len(watch.findings) == 20
    assert set(watch.status["attempts"]) == {IVY}


def test_the_end_of_the_licence_is_a_metric(node: Node, watch: Watch) -> None:
    name = "ivy_config_licence_expiry_timestamp_seconds"
    watch.run()
    assert name not in watch.metrics
    (node.engine / "configuration/demo.lic").write_text("licence.valid.until=2027-11-03\n", encoding="utf-8")
    watch.run()
    assert watch.metrics[name] == 1825200000


def test_metrics_are_written_only_where_somebody_collects_them(watch: Watch) -> None:
    watch.run()
    (watch.metrics_directory / "ivy_config_guard.prom").unlink()
    watch.metrics_directory.rmdir()
    assert watch.run() == []
    assert not watch.metrics_directory.exists()


def test_metrics_that_cannot_be_written_are_reported_once(watch: Watch) -> None:
    place = watch.metrics_directory / "ivy_config_guard.prom"
    place.mkdir()
    (line,) = watch.run(status=1)
    assert line.startswith(f"<4>The metrics cannot be written to {watch.metrics_directory}: ")
    assert watch.run(status=1) == []
    place.rmdir()
    assert watch.run() == ["<5>The metrics can be written again."]


def test_what_is_written_can_be_read_by_others_and_holds_no_digest(watch: Watch) -> None:
    watch.node.path(ENV).write_bytes(b"IVY_X=local-secret\n")
    watch.run()
    for path in (watch.status_file, watch.metrics_directory / "ivy_config_guard.prom"):
        assert path.stat().st_mode & 0o777 == 0o644
        text = path.read_text(encoding="utf-8")
        assert "local-secret" not in text
        assert "sha256" not in text
    assert list(watch.metrics_directory.iterdir()) == [watch.metrics_directory / "ivy_config_guard.prom"]


def test_a_node_without_an_applied_release_is_not_an_error(node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    node.record_baseline()
    watch = Watch(node, capsys)
    assert watch.run() == []
    assert watch.run(guard.RESTORE) == []
    assert watch.findings == []
    watch.record("f" * 32)
    assert any("No release was ever applied" in line for line in watch.run())
    assert watch.metrics["ivy_config_stale"] == 1


class Work:
    """Counts what a look does, by the calls through which every file is reached."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: collections.Counter[str] = collections.Counter()
        self.opened: collections.Counter[str] = collections.Counter()
        self.bytes = 0
        for name in ("open", "stat", "lstat", "fstat", "readlink", "listdir", "scandir", "posix_spawn", "fsync"):
            monkeypatch.setattr(os, name, self._counted(name, getattr(os, name)))
        monkeypatch.setattr(os, "read", self._reading(os.read))
        monkeypatch.setattr(subprocess, "Popen", self._counted("Popen", subprocess.Popen))
        monkeypatch.setattr(time, "sleep", self._counted("sleep", time.sleep))

    def _counted(self, name: str, real: t.Callable[..., t.Any]) -> t.Callable[..., t.Any]:
        def call(*args: t.Any, **kwargs: t.Any) -> t.Any:
            self.calls[name] += 1
            if name == "open":
                self.opened[os.path.basename(os.fsdecode(args[0]))] += 1
            return real(*args, **kwargs)

        return call

    def _reading(self, real: t.Callable[[int, int], bytes]) -> t.Callable[[int, int], bytes]:
        def read(fd: int, size: int) -> bytes:
            data = real(fd, size)
            self.calls["read"] += 1
            self.bytes += len(data)
            return data

        return read


def work_of_a_look(watch: Watch, files: int) -> Work:
    """What one look does with so many files of 8 KiB in the release."""
    many = {f"engine:configuration/many/{number:03d}.txt": watch.node.File(b"x" * 8192) for number in range(files)}
    watch.node.apply(watch.node.build(many))
    watch.place(record=False)
    with pytest.MonkeyPatch.context() as patch:
        work = Work(patch)
        assert watch.run() == []
    assert watch.status["files"] >= files
    assert watch.findings == []
    return work


def test_a_look_reads_each_file_once_and_costs_the_same_for_each(watch: Watch) -> None:
    """The guard runs each minute, so reading a file twice or a nested loop over all files would add up."""
    none, some, more = (work_of_a_look(watch, files) for files in (0, 250, 500))
    assert {more.opened[f"{number:03d}.txt"] for number in range(500)} == {1}
    for name in {*none.calls, *some.calls, *more.calls}:
        # The directory of the files is there from the first file on.
        first, second = some.calls[name] - none.calls[name], more.calls[name] - some.calls[name]
        assert second <= first <= second + 4, name
        assert second <= 2 * 250, name
    # The bytes of the files, and their entries in the manifest.
    assert more.bytes - some.bytes <= 250 * (8192 + 1024)
    # systemctl is asked elsewhere; nothing else is started, waited for or written to the disk for good.
    assert {name: more.calls[name] for name in ("posix_spawn", "Popen", "sleep")} == dict.fromkeys(
        ("posix_spawn", "Popen", "sleep"), 0
    )
    assert more.calls["fsync"] == none.calls["fsync"]


def test_the_guard_reports_the_time_of_all_its_processes(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "times", lambda: os.times_result((1.0, 2.0, 4.0, 8.0, 99.0)))
    moments = itertools.count(100.0, 0.25)
    monkeypatch.setattr(time, "monotonic", lambda: next(moments))
    assert watch.run() == []
    assert watch.status["cpu"] == 15.0
    assert watch.status["duration"] == 0.25


def test_the_program_of_the_guard_loads_little(tmp_path: Path) -> None:
    """Each minute an interpreter starts and loads it, and most of what a look costs is that."""
    package = tmp_path / "library"
    package.mkdir()
    (package / "ivy_node").symlink_to(Path(guard.__file__).parents[1])
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); from ivy_node.agent import guard; print(*sorted(sys.modules))"
    )
    command = [sys.executable, "-I", "-B", "-X", f"pycache_prefix={tmp_path}/none", "-c", program, str(package)]
    loaded = set(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split())
    assert "ivy_node.agent.guard" in loaded
    heavy = {"asyncio", "concurrent.futures", "email", "http.client", "logging", "multiprocessing", "ssl", "tempfile"}
    assert not loaded & (heavy | {"unittest", "urllib.request", "xml", "yaml", "ansible"})


def test_an_older_status_file_is_accepted(watch: Watch) -> None:
    watch.status_file.write_text('{"format": 1, "reported": [], "attempts": 5, "restored_total": "x"}')
    assert watch.run() == []
    assert guard_report.GuardState(str(watch.status_file.parent)).restored_total == 0


@pytest.mark.parametrize("step", ["state", "write", "record", "metrics"])
def test_an_error_of_any_kind_leaves_no_traceback(watch: Watch, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    def fail(*_arguments: t.Any) -> t.NoReturn:
        raise ValueError("password: hunter22 \udcff")

    place = {
        "state": (guard_report, "GuardState"),
        "write": (guard_report.GuardState, "write"),
        "record": (record, "read"),
        "metrics": (guard_report, "write_metrics"),
    }[step]
    watch.node.apply(watch.node.build(files(watch.node)))
    watch.place(record=True)
    monkeypatch.setattr(*place, fail)
    run_once = guard.guard
    monkeypatch.setattr(guard, "guard", lambda _options: run_once(guard.Options(guard.REPORT, *watch.places)))
    watch.output.readouterr()
    assert guard.main([]) == (0 if step == "record" else 1)
    output = watch.output.readouterr().out
    assert "ValueError: password: ********" in output
    assert "hunter22" not in output
    if step in ("record", "metrics"):
        assert watch.status["files"] > 0


@pytest.mark.parametrize("error", [RecursionError("deep"), MemoryError(), IndexError("x"), ZeroDivisionError("y")])
@pytest.mark.parametrize("mode", [guard.REPORT, guard.RESTORE])
def test_an_error_of_any_kind_is_reported(
    watch: Watch, monkeypatch: pytest.MonkeyPatch, mode: str, error: Exception
) -> None:
    def fail(*_arguments: t.Any) -> t.NoReturn:
        raise error

    monkeypatch.setattr(guard, "find_drift", fail)
    watch.node.apply(watch.node.build(files(watch.node)))
    lines = watch.run(mode, status=1)
    assert any(f"The guard cannot inspect this node. {type(error).__name__}" in line for line in lines)
    assert watch.status["error"]
