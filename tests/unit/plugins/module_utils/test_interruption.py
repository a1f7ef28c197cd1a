# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An activation killed at every single write to the disk: the next run must end in one whole release."""

from __future__ import annotations

import contextlib
import errno
import os
import pickle
import random
import subprocess
import sys
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.ivy.cluster.plugins.module_utils.node import activate, atomic
from ansible_collections.ivy.cluster.plugins.module_utils.node.errors import NodeError

IVY = "engine:configuration/ivy.yaml"
WEB = "engine:configuration/web.xml"
APP = "engine:configuration/applications/demo/app.yaml"
NEW = "engine:configuration/applications/new/app.yaml"
ENV = "environment:shared.env"
CALLS = ("write", "fsync", "rename", "unlink", "mkdir", "fchmod", "fchown", "ftruncate")
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
def test_killed_at_every_point_the_next_run_ends_in_one_whole_release(
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
            # A node whose files may be a mixture does not start.
            assert "cut off" in one.start()
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


WORKER = """
import pickle, sys
sys.path.insert(0, sys.argv[1])
from node import converge, run, unit, view
converge.show = unit.nothing
with open(sys.argv[2], "rb") as stream:
    requests = [run.Request(*head, view.Settings(*settings), *tail) for head, settings, tail in pickle.load(stream)]
while True:
    for request in requests:
        converge.converge(request)
"""


def test_killed_for_real_while_somebody_reads(node: t.Any, tmp_path: Path) -> None:
    """SIGKILL at any moment: a reader sees whole files only, and the next run ends in a whole release."""
    library = Path(atomic.__file__).parent.parent
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

    for _round in range(6):
        before = begun()
        worker = subprocess.Popen([sys.executable, "-B", str(script), str(library), str(requests)])
        try:
            # The time counts from the first activation on, however slowly the machine starts a process.
            limit = time.monotonic() + 60
            while begun() == before and worker.poll() is None and time.monotonic() < limit:
                time.sleep(0.01)
            assert begun() > before
            end = time.monotonic() + chance.random() * 0.4
            while time.monotonic() < end and worker.poll() is None:
                for key in listed["a"]:
                    with contextlib.suppress(FileNotFoundError):
                        assert node.path(key).read_bytes() in good
        finally:
            worker.kill()
            worker.wait()
    node.apply(releases["a"])
    assert node.holds(listed["a"])
    assert not list(node.engine.rglob(".ivy-cluster-*"))
