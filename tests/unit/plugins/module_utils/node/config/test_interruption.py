# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An activation killed at every single write to the disk: the next run must end in one complete release."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import itertools
import json
import os
import pickle
import random
import runpy
import shutil
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest

from ansible_collections.ivy.cluster.plugins.module_utils.node.agent import start as record_start
from ansible_collections.ivy.cluster.plugins.module_utils.node.cluster import record
from ansible_collections.ivy.cluster.plugins.module_utils.node.config import activate, decision
from ansible_collections.ivy.cluster.plugins.module_utils.node.engine import run_state
from ansible_collections.ivy.cluster.plugins.module_utils.node.files import atomic
from ansible_collections.ivy.cluster.plugins.module_utils.node.files.errors import NodeError, PermanentError
from ansible_collections.ivy.cluster.tests.timing import wait_until

IVY = "engine:configuration/ivy.yaml"
WEB = "engine:configuration/web.xml"
APP = "engine:configuration/applications/demo/app.yaml"
NEW = "engine:configuration/applications/new/app.yaml"
ENV = "environment:shared.env"
CALLS = (
    "write", "pwrite", "fsync", "rename", "unlink", "rmdir", "mkdir", "fchmod", "fchown", "ftruncate", "utime",
)  # fmt: skip
EDIT = b"<edited by hand/>"


class Killed(BaseException):
    """Not an Exception, so that nothing handles it as an error."""


class Reaper:
    """Lets so many calls pass, then the process is as good as dead: no later call does anything."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, after: int, error: t.Callable[[], BaseException] | None = None
    ) -> None:
        self.after = after
        self.error = error
        self.count = 0
        for name in CALLS:
            monkeypatch.setattr(os, name, self._wrapped(name, getattr(os, name)))
        monkeypatch.setattr(atomic, "sync_filesystem", self._wrapped("sync", atomic.sync_filesystem))
        monkeypatch.setattr(atomic, "rename_at", self._wrapped("rename", atomic.rename_at))

    def _wrapped(self, name: t.Any, real: t.Any) -> t.Any:
        def call(*args: t.Any, **kwargs: t.Any) -> t.Any:
            self.count += 1
            if self.count > self.after:
                if self.count == self.after + 1 and name == "write":
                    # The worst moment: half of the bytes are there.
                    real(args[0], bytes(args[1])[: len(args[1]) // 2])
                if self.error is None:
                    raise Killed
                if self.count == self.after + 1:
                    raise self.error()
            return real(*args, **kwargs)

        return call


def old(node: t.Any) -> t.Any:
    return {
        IVY: node.File(b"SystemDb.Url: a\n", "yaml", "keys"),
        WEB: node.File(b"<ours/>" * 50, "text", "always"),
        APP: node.File(b"Variables: 1\n", "yaml", "never"),
        ENV: node.File(b'IVY_A="1"\n', "text", "always", secret=True, mode="0600"),
    }


def new(node: t.Any) -> t.Any:
    return {
        IVY: node.File(b"SystemDb.Url: b\n", "yaml", "keys"),
        WEB: node.File(b"<newer/>" * 60, "text", "always"),
        NEW: node.File(b"Variables: 1\n", "yaml", "never"),
        ENV: node.File(b'IVY_A="2"\n', "text", "always", secret=True, mode="0600"),
    }


def node_files(node: t.Any, text: t.Any) -> t.Any:
    owner = {"owner": str(os.geteuid()), "group": str(os.getegid())}
    return [{"path": str(node.base / "made/node.env"), "content": text, "mode": "0600", **owner}]


def prepared(node: t.Any) -> t.Any:
    node.record_baseline()
    node.apply(node.build(old(node)), node_files=node_files(node, "LANG=C\n"))
    node.path(WEB).write_bytes(EDIT)


def points(node: t.Any, monkeypatch: pytest.MonkeyPatch) -> t.Any:
    prepared(node)
    with monkeypatch.context() as patch:
        reaper = Reaper(patch, 10**9)
        node.apply(node.build(new(node)), node_files=node_files(node, "LANG=D\n"))
    return reaper.count


def edit_is_safe(node: t.Any) -> t.Any:
    kept = [path.read_bytes() for path in (node.store / "backups").rglob("*") if path.is_file()]
    return node.path(WEB).read_bytes() == EDIT or EDIT in kept


def whole(node: t.Any) -> t.Any:
    """Only whole files are ever seen under their real names."""
    allowed = {EDIT, b"<vendor/>", b"<log4j/>"}
    allowed.update(file.content for files in (old(node), new(node)) for file in files.values())
    seen = [path for path in (node.engine / "configuration").rglob("*") if path.is_file()]
    seen += [path for path in node.environment.rglob("*.env") if path.is_file()]
    return all(path.read_bytes() in allowed for path in seen if not path.name.endswith(".tmp"))


@pytest.mark.parametrize("batch", [0, 16], ids=["together", "one by one"])
@pytest.mark.parametrize("then", ["forward", "back"])
def test_killed_at_every_point_the_next_run_ends_in_one_complete_release(
    node: t.Any, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, then: str, batch: int
) -> None:
    monkeypatch.setattr(activate, "BATCH", batch)
    kind = type(node)
    total = points(node, monkeypatch)
    assert total > 50
    cut = 0
    for after in range(total):
        base = tmp_path_factory.mktemp("killed")
        one = kind(base)
        prepared(one)
        with monkeypatch.context() as patch:
            Reaper(patch, after)
            with pytest.raises(Killed):
                one.apply(one.build(new(one)), node_files=node_files(one, "LANG=D\n"))
        assert whole(one)
        assert edit_is_safe(one)
        if one.opened().intent():
            cut += 1
        listed, text = (new(one), "LANG=D\n") if then == "forward" else (old(one), "LANG=C\n")
        looked = one.inspect()
        assert {item["path"] for item in looked["drift"]} <= {"configuration/web.xml"}
        release = one.build(listed)
        predicted = one.apply(release, node_files=node_files(one, text), check=True)
        result = one.apply(release, node_files=node_files(one, text))
        assert result["actions"] == predicted["actions"]
        assert {item["path"] for item in result["drift"]} <= {"configuration/web.xml"}
        assert one.holds(listed)
        assert (one.base / "made/node.env").read_text() == text
        gone = APP if then == "forward" else NEW
        assert not one.path(gone).exists()
        assert edit_is_safe(one)
        assert one.opened().applied()["release"] == release.id
        assert not one.opened().intent()
        assert not list(one.base.rglob(".ivy-cluster-*"))
        again = one.apply(release, node_files=node_files(one, text))
        assert not again["changed"]
        assert again["drift"] == []
        assert one.start() == ""
    assert cut > 10


def cut_off(node: t.Any, base: Path, monkeypatch: pytest.MonkeyPatch, after: int) -> t.Any:
    """A node whose power failed after so many writes of an activation."""
    one = type(node)(base)
    prepared(one)
    with monkeypatch.context() as patch:
        Reaper(patch, after)
        with pytest.raises(Killed):
            one.apply(one.build(new(one)), node_files=node_files(one, "LANG=D\n"))
    return one


def is_one_release(one: t.Any, listed: t.Any, text: str, release: str) -> None:
    assert one.holds(listed)
    assert (one.base / "made/node.env").read_text() == text
    assert one.path(NEW).exists() is (NEW in listed)
    assert one.path(APP).exists() is (APP in listed)
    # One in the store itself is overwritten when that file is written the next time.
    assert not [path for path in one.base.rglob(".ivy-cluster-*") if path.parent != one.store]
    with one.opened() as store:
        assert store.applied()["release"] == release
        assert not store.intent()
    assert edit_is_safe(one)


def want(one: t.Any, release: str, *others: str) -> None:
    """A cluster record with an open rollout, or without one if there are no other releases."""
    one.record.mkdir(exist_ok=True)
    value = {**record.empty("demo"), "desired_release": release}
    if others:
        value.update(operation={"name": "rollout"}, allowed_releases=list(others))
    record.write(str(one.record), value, os.geteuid(), os.getegid())


def test_killed_at_every_point_the_next_start_ends_in_one_complete_release(
    node: t.Any, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(activate, "BATCH", 16)
    before, after_it = node.build(old(node)).id, node.build(new(node)).id
    recovered = 0
    for after in range(points(node, monkeypatch)):
        one = cut_off(node, tmp_path_factory.mktemp("power"), monkeypatch, after)
        with one.opened() as store:
            intent, applied = store.intent(), store.applied()["release"]
        # Every second time, the cluster does not want the new release.
        back = bool(intent) and after % 2 == 0 and applied == before
        want(one, before if back else after_it, *([] if back else [before]))
        assert one.start(fence=True) == ""
        if intent:
            recovered += 1
            # A last moment's edit is in the backup that was made before the first file was replaced.
            is_one_release(one, *((old(one), "LANG=C\n", before) if back else (new(one), "LANG=D\n", after_it)))
        else:
            assert one.opened().applied()["release"] == applied
            assert edit_is_safe(one)
        # Nothing is left for the next run, and it reports the backup of the run that was cut off.
        result = one.apply(one.build(new(one)), node_files=node_files(one, "LANG=D\n"))
        assert one.holds(new(one))
        assert edit_is_safe(one)
        assert not result["interrupted"]
    assert recovered > 10


@pytest.mark.parametrize("back", [False, True], ids=["forward", "back"])
def test_killed_at_every_point_of_the_recovery_the_start_after_it_completes_it(
    node: t.Any, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, back: bool
) -> None:
    before, after_it = node.build(old(node)).id, node.build(new(node)).id
    total = points(node, monkeypatch)

    def make() -> t.Any:
        # In the middle of the exchange.
        for after in range(total - 1, 0, -1):
            one = cut_off(node, tmp_path_factory.mktemp("again"), monkeypatch, after)
            if one.path(IVY).read_bytes() == new(one)[IVY].content and one.path(WEB).read_bytes() == EDIT:
                want(one, before if back else after_it, *([] if back else [before]))
                return one
        raise AssertionError("there is no such point")

    kept = make()
    state = kept.snapshot()
    # The record is read in another process, which would be killed instead.
    desired = json.loads((kept.record / "record.json").read_text())
    monkeypatch.setattr(record_start, "_desired", lambda _node: desired)

    def again() -> t.Any:
        base = tmp_path_factory.mktemp("recover")
        copy = base / "node"
        shutil.copytree(kept.base, copy, symlinks=True)
        one = object.__new__(type(kept))
        one.__dict__.update(kept.__dict__)
        for name in ("engine", "environment", "secrets", "store", "run", "record"):
            setattr(one, name, copy / getattr(kept, name).relative_to(kept.base))
        one.base = copy
        for path in (one.store / "intent.json", one.store / "applied.json"):
            path.write_text(path.read_text().replace(str(kept.base), str(copy)))
        return one

    def start(one: t.Any) -> None:
        assert one.start(fence=True) == ""

    cuts_seen = 0
    for one in cuts(again, start, monkeypatch):
        cuts_seen += 1
        assert whole(one)
        assert edit_is_safe(one)
        start(one)
        is_one_release(one, *((old(one), "LANG=C\n", before) if back else (new(one), "LANG=D\n", after_it)))
    assert cuts_seen > 10
    assert kept.snapshot() == state


def mixed(node: t.Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> t.Any:
    """A node in the middle of an exchange."""
    for after in itertools.count(1):
        base = tmp_path / f"mixed-{after}"
        base.mkdir()
        one = cut_off(node, base, monkeypatch, after)
        if one.path(ENV).read_bytes() == new(one)[ENV].content and one.path(WEB).read_bytes() == EDIT:
            return one
    raise AssertionError


def test_what_the_next_start_cannot_complete(node: t.Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = mixed(node, tmp_path, monkeypatch)
    before, after_it = one.build(old(one)).id, one.build(new(one)).id
    mixture = {key: one.path(key).read_bytes() for key in (IVY, WEB, ENV)}

    def untouched() -> bool:
        return {key: one.path(key).read_bytes() for key in (IVY, WEB, ENV)} == mixture and bool(one.opened().intent())

    # A third release.
    want(one, "b" * 32)
    with pytest.raises(PermanentError, match=r"was interrupted.*the cluster wants b"):
        one.prepare()
    assert untouched()
    # Nobody says which one.
    (one.record / "record.json").unlink()
    with pytest.raises(NodeError, match="no cluster record") as caught:
        one.prepare()
    assert not isinstance(caught.value, PermanentError)
    assert untouched()
    want(one, after_it, before)
    # A run is at work.
    with one.opened() as store, store.lock():
        with pytest.raises(NodeError, match="A run is activating a release") as caught:
            one.prepare()
        assert not isinstance(caught.value, PermanentError)
    # The disk is full.
    with monkeypatch.context() as patch:
        patch.setattr(activate, "_RESERVE", 1 << 60)
        with pytest.raises(NodeError, match="cannot be completed yet: There is not enough space") as caught:
            one.prepare()
        assert not isinstance(caught.value, PermanentError)
    # The engine's file system is not mounted.
    one.engine.rename(one.base / "away")
    with pytest.raises(NodeError, match="Mount its file system") as caught:
        one.prepare()
    assert not isinstance(caught.value, PermanentError)
    (one.base / "away").rename(one.engine)
    assert untouched()
    # The store lost a content of the new release: the one before is as good, as long as the cluster allows it.
    digest = hashlib.sha256(new(one)[WEB].content).hexdigest()
    blob = one.store / "blobs" / digest
    blob.write_bytes(b"damaged")
    want(one, after_it)
    with pytest.raises(PermanentError, match=f"was interrupted.*{digest}"):
        one.prepare()
    assert untouched()
    want(one, after_it, before)
    one.prepare()
    is_one_release(one, old(one), "LANG=C\n", before)


def test_a_unit_that_the_recovery_replaces_is_loaded_again(
    node: t.Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    one = mixed(node, tmp_path, monkeypatch)
    calls: list[tuple[str, ...]] = []
    monkeypatch.setattr(record_start, "systemctl", lambda *arguments: calls.append(arguments))
    monkeypatch.setattr(decision, "needs_daemon_reload", lambda *_arguments: True)
    assert one.start() == ""
    assert calls == [("daemon-reload",)]
    assert "was interrupted on this node. It is completed: release" in capsys.readouterr().err
    assert one.start() == ""
    assert len(calls) == 1


def test_the_program_of_two_versions_is_completed_before_it_is_used(node: t.Any, tmp_path: Path) -> None:
    library = tmp_path / "library"
    program = runpy.run_path(str(Path(__file__).resolve().parents[6] / "roles/engine/files/record-start"), run_name="x")
    contents = {"ivy_node/a.py": b"A = 2\n", "ivy_node/sub/b.py": b"B = 2\n", "record-start": b"new"}
    with node.opened() as store, store.lock():
        records = {}
        for path, content in contents.items():
            digest = hashlib.sha256(content).hexdigest()
            store.put_blob(digest, content)
            records[str(library / path)] = {"sha256": digest, "mode": 0o644}
        outside = tmp_path / "outside"
        records[str(outside)] = records[str(library / "ivy_node/a.py")]
        records[f"{library}/ivy_node/../../outside"] = records[str(outside)]
        damaged = hashlib.sha256(b"C = 2\n").hexdigest()
        (node.store / "blobs" / damaged).write_bytes(b"C = 3\n")
        records[str(library / "ivy_node/c.py")] = {"sha256": damaged, "mode": 0o644}
        store.put_intent({"release": "b" * 32, "node_files": records})
        (library / "ivy_node").mkdir(parents=True)
        (library / "ivy_node/a.py").write_bytes(b"A = 1\n")
        with pytest.raises(BlockingIOError):
            program["complete_library"](str(library), str(node.store))
        assert (library / "ivy_node/a.py").read_bytes() == b"A = 1\n"
    program["complete_library"](str(library), str(node.store))
    found = {str(path.relative_to(tmp_path)): path.read_bytes() for path in tmp_path.rglob("*.py")}
    assert found == {"library/ivy_node/a.py": b"A = 2\n", "library/ivy_node/sub/b.py": b"B = 2\n"}
    assert not outside.exists()
    assert not list(library.rglob(".ivy-cluster-*"))
    assert (library / "ivy_node/a.py").stat().st_mode & 0o777 == 0o644


def test_killed_while_staging_the_release_does_not_count_as_staged(
    node: t.Any, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = type(node)
    release = node.build(new(node))
    prepared(node)
    with monkeypatch.context() as patch:
        reaper = Reaper(patch, 10**9)
        node.stage(release)
    for after in range(reaper.count - 6):
        one = kind(tmp_path_factory.mktemp("staging"))
        prepared(one)
        with monkeypatch.context() as patch:
            Reaper(patch, after)
            with pytest.raises(Killed):
                one.stage(release)
        with one.opened() as store:
            staged = store.manifest(release.id)
            if staged is not None:
                assert {entry.sha256 for entry in staged.entries} <= store.blob_names()
        one.apply(release)
        assert one.holds(new(one))


def test_an_error_at_every_point_leaves_nothing_behind_and_the_next_run_goes_on(
    node: t.Any, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(activate, "BATCH", 0)
    kind = type(node)
    for after in range(0, points(node, monkeypatch), 2):
        one = kind(tmp_path_factory.mktemp("full"))
        prepared(one)
        with monkeypatch.context() as patch:
            Reaper(patch, after, lambda: OSError(errno.ENOSPC, "No space left on device"))
            with contextlib.suppress(OSError, NodeError):
                one.apply(one.build(new(one)), node_files=node_files(one, "LANG=D\n"))
        assert whole(one)
        assert edit_is_safe(one)
        one.apply(one.build(new(one)), node_files=node_files(one, "LANG=D\n"))
        assert one.holds(new(one))
        assert not list(one.engine.rglob(".ivy-cluster-*"))


def cuts(
    make: t.Callable[[], t.Any], work: t.Callable[[t.Any], t.Any], monkeypatch: pytest.MonkeyPatch
) -> t.Iterator[t.Any]:
    """The thing that some work is done on, cut off at each of its points in turn."""
    with monkeypatch.context() as patch:
        probe = make()
        reaper = Reaper(patch, 10**9)
        work(probe)
        total = reaper.count
    assert total > 4
    for after in range(total):
        one = make()
        with monkeypatch.context() as patch:
            Reaper(patch, after)
            with pytest.raises(Killed):
                work(one)
        yield one


def test_killed_while_the_engines_rewriting_is_accepted(
    node: t.Any, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    rewritten = b"SystemDb.Url: ${enc:1}\n"
    key = hashlib.sha256(rewritten).hexdigest()

    def make() -> t.Any:
        one = type(node)(tmp_path_factory.mktemp("accept"))
        prepared(one)
        one.path(IVY).write_bytes(rewritten)
        return one

    def accept(one: t.Any) -> t.Any:
        return one.accept(one.build(old(one)), verdicts={IVY: {"digest": key, "verdict": "rewriting"}})

    for one in cuts(make, accept, monkeypatch):
        assert one.path(IVY).read_bytes() == rewritten
        accept(one)
        assert {item["path"] for item in one.inspect()["drift"]} == {"configuration/web.xml"}
        with one.opened() as store:
            assert store.blob(key) == rewritten
        assert edit_is_safe(one)


def test_killed_while_old_releases_and_backups_go(
    node: t.Any, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    def make() -> t.Any:
        one = type(node)(tmp_path_factory.mktemp("prune"))
        prepared(one)
        for number in range(3):
            one.apply(one.build({**old(one), WEB: node.File(f"<{number}/>".encode(), "text", "always")}))
            one.path(WEB).write_bytes(b"edit %d" % number)
        one.apply(one.build(new(one)))
        return one

    def prune(one: t.Any) -> None:
        with one.opened() as store, store.lock():
            store.prune(1, 2)

    for one in cuts(make, prune, monkeypatch):
        with one.opened() as store:
            for release in store.releases():
                # A release that still counts as staged is complete.
                staged = store.manifest(release)
                assert staged is not None
                assert all(store.blob(entry.sha256) for entry in staged.entries)
        assert one.holds(new(one))
        assert not one.apply(one.build(new(one)))["changed"]
        prune(one)
        kept = {path.read_bytes() for path in (one.store / "backups").rglob("0*") if path.is_file()}
        assert kept == {b"edit 1", b"edit 2"}
        assert one.apply(one.build(old(one)))["changed"]
        assert one.holds(old(one))


def test_killed_while_the_vendors_files_are_remembered(
    node: t.Any, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    for one in cuts(
        lambda: type(node)(tmp_path_factory.mktemp("baseline")), lambda one: one.record_baseline(), monkeypatch
    ):
        one.record_baseline()
        one.apply(one.build(old(one)))
        assert one.inspect()["drift"] == []
        one.apply(one.build({}))
        assert one.path(WEB).read_bytes() == b"<vendor/>"


def test_killed_while_the_cluster_record_is_written(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    uid, gid = os.geteuid(), os.getegid()
    before = record.empty("demo")
    after = {**before, "desired_release": "a" * 32, "history": [{"owner": "ä"}] * 50}

    def make() -> str:
        directory = str(tmp_path_factory.mktemp("record"))
        record.write(directory, before, uid, gid)
        return directory

    def write(directory: str) -> None:
        with record.locked(directory, uid, gid):
            record.write(directory, after, uid, gid)

    for directory in cuts(make, write, monkeypatch):
        assert record.read(directory, uid, gid) in (before, after)
        write(directory)
        assert record.read(directory, uid, gid) == after
        assert sorted(os.listdir(directory)) == ["record.json", "record.lock"]


def test_killed_while_the_start_is_recorded_a_restart_is_due(
    node: t.Any, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    def make() -> t.Any:
        one = type(node)(tmp_path_factory.mktemp("start"))
        prepared(one)
        one.apply(one.build(old(one)))
        one.start()
        return one

    monkeypatch.setattr(record_start, "show", lambda _name: node.unit())
    for one in cuts(make, lambda one: one.start(), monkeypatch):
        started = run_state.read(str(one.run))
        assert started is not None
        assert started["release"] == one.build(old(one)).id
        assert one.start() == ""


WORKER = """
import pickle, sys
sys.path.insert(0, sys.argv[1])
from node.config import converge, request, view
from node.engine import unit
converge.show = unit.nothing
with open(sys.argv[2], "rb") as stream:
    requests = [request.Request(*head, view.Settings(*settings), *tail) for head, settings, tail in pickle.load(stream)]
while True:
    for request in requests:
        converge.converge(request)
"""


def test_killed_for_real_while_somebody_reads(node: t.Any, tmp_path: Path) -> None:
    """SIGKILL at any moment: a reader sees whole files only, and the next run ends in a whole release."""
    library = Path(atomic.__file__).parents[2]
    script = tmp_path / "worker.py"
    script.write_text(WORKER)
    node.record_baseline()
    content = {text: (text * 40000).encode() for text in ("a", "b")}
    listed = {
        text: {
            f"engine:configuration/f{number}.xml": node.File(data + str(number).encode(), "text", "always")
            for number in range(20)
        }
        for text, data in content.items()
    }
    releases = {text: node.build(files) for text, files in listed.items()}
    for release in releases.values():
        node.stage(release)
    requests = tmp_path / "requests"
    plain = [tuple(node.request(release)) for release in releases.values()]
    requests.write_bytes(pickle.dumps([(values[:3], tuple(values[3]), values[4:]) for values in plain]))
    good = {file.content for files in listed.values() for file in files.values()}
    chance = random.Random(7)
    journal = node.store / "journal.jsonl"

    def begun() -> int:
        return journal.read_text().count('"begin"')

    def begins(worker: subprocess.Popen[bytes], before: int) -> None:
        wait_until(lambda: begun() > before or worker.poll() is not None, "the worker activates a release")

    for _round in range(6):
        before = begun()
        worker = subprocess.Popen([sys.executable, "-B", str(script), str(library), str(requests)])
        try:
            begins(worker, before)
            # Killed after so many rounds of reading, wherever its activations are by then.
            for _reading in range(chance.randrange(100)):
                for key in listed["a"]:
                    with contextlib.suppress(FileNotFoundError):
                        assert node.path(key).read_bytes() in good
            assert worker.poll() is None
        finally:
            worker.kill()
            worker.wait()
    node.apply(releases["a"])
    assert node.holds(listed["a"])
    assert not list(node.engine.rglob(".ivy-cluster-*"))


def test_two_controllers_at_once_end_in_one_complete_release(node: t.Any, tmp_path: Path) -> None:
    """Two runs that want different releases take turns; a reader of the end sees one of them, and no edit is lost."""
    script = tmp_path / "worker.py"
    script.write_text(WORKER)
    node.record_baseline()
    listed = {
        text: {f"engine:configuration/f{number}.xml": node.File(text.encode() * 5000) for number in range(20)}
        for text in ("a", "b")
    }
    releases = {text: node.build(files) for text, files in listed.items()}
    for release in releases.values():
        node.stage(release)
    node.apply(releases["a"])
    workers = []
    for text, release in releases.items():
        plain = tuple(node.request(release))
        (tmp_path / text).write_bytes(pickle.dumps([(plain[:3], tuple(plain[3]), plain[4:])]))
        library = str(Path(atomic.__file__).parents[2])
        command = [sys.executable, "-B", str(script), library, str(tmp_path / text)]
        workers.append(subprocess.Popen(command, stderr=subprocess.PIPE))
    journal = node.store / "journal.jsonl"

    def begun() -> list[str]:
        events = [json.loads(line) for line in journal.read_text().splitlines() if line.endswith("}")]
        return [event["release"] for event in events if event["event"] == "begin"]

    def enough() -> bool:
        ended = any(worker.poll() is not None for worker in workers)
        return ended or (len(begun()) >= 12 and set(begun()) == {release.id for release in releases.values()})

    try:
        wait_until(enough, "both workers take turns")
        assert all(worker.poll() is None for worker in workers)
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
    events = [json.loads(line) for line in journal.read_text().splitlines() if line.endswith("}")]
    assert set(begun()) == {release.id for release in releases.values()}
    # One was never begun within the other, whichever came first.
    order = [(event["event"], event["release"]) for event in events if event["event"] in ("begin", "applied")]
    for (first, release), (then, other) in itertools.pairwise(order[1:] if order[0][0] == "applied" else order):
        assert first == "applied" or (then, other) == ("applied", release)
    node.apply(releases["b"])
    assert node.holds(listed["b"])


DEEP = "engine:configuration/applications/demo/bulk/deep/one.txt"


def test_going_back_after_an_activation_that_was_cut_off_leaves_no_empty_directory(
    node: t.Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever it was cut off: a directory may be there already, and nothing in it yet."""
    node.record_baseline()
    before, after = node.build(old(node)), node.build({**old(node), DEEP: node.File(b"1", "text", "never")})
    node.apply(before)
    made = node.path(DEEP).parent
    left_empty = False
    for point in itertools.count():
        with monkeypatch.context() as patch:
            reaper = Reaper(patch, point)
            with contextlib.suppress(Killed):
                node.apply(after)
        left_empty = left_empty or (made.parent.is_dir() and not list(made.parent.rglob("*.txt")))
        finished = reaper.count <= point
        node.apply(before)
        assert not made.parent.exists(), f"cut off after {point} calls"
        assert node.path(APP).is_file()
        if finished:
            break
    assert left_empty, "no directory was ever left empty, so nothing is proved"
