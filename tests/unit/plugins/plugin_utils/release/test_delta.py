# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import hashlib
import shutil
import stat
import typing as t
from pathlib import Path

import pytest

from ansible_collections.ivy.cluster.plugins.module_utils.node.files.delta import assembled
from ansible_collections.ivy.cluster.plugins.plugin_utils.release import cache, delta

OLD, NEW = "a" * 32, "b" * 32


def manifest_of(release: str, contents: t.Iterable[bytes]) -> dict[str, t.Any]:
    common = {"root": "engine", "mode": "0640", "secret": False, "kind": "text", "restart": {"kind": "never"}}
    entries = [
        {**common, "path": f"configuration/{number}", "sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
        for number, data in enumerate(contents)
    ]
    return {"format": 1, "id": release, "entries": entries}


@pytest.fixture
def two(tmp_path: Path) -> Path:
    for release, contents in ((OLD, [b"same", b"before", b"gone"]), (NEW, [b"same", b"after"])):
        cache.write_release(tmp_path, manifest_of(release, contents), contents)
    return tmp_path


def test_a_delta_has_the_new_contents_only(two: Path) -> None:
    found = delta.between(str(two), OLD, NEW, contents=True)
    assert list(found.blobs.values()) == [b"after"]
    made = assembled(cache.raw_manifest(two, OLD), found.header["delta"]["parts"])
    assert made == cache.raw_manifest(two, NEW)
    assert found.header["delta"]["base"] == OLD
    assert delta.between(str(two), OLD, NEW, contents=False).blobs == {}


def test_there_is_none_where_a_release_or_a_content_is_missing(two: Path) -> None:
    assert delta.between(str(two), "c" * 32, NEW, contents=True) == delta.NONE
    (two / "blobs" / hashlib.sha256(b"after").hexdigest()).write_bytes(b"damaged")
    assert delta.between(str(two), OLD, NEW, contents=True) == delta.NONE
    shutil.rmtree(two / "blobs")
    assert delta.between(str(two), OLD, NEW, contents=True) == delta.NONE


def test_a_record_is_of_one_node_and_one_store(two: Path) -> None:
    record = delta.NodeRecord(str(two), "node/1", "/var/lib/ivy-cluster")
    assert record.read() == ""
    record.write(OLD)
    assert record.read() == OLD
    assert delta.NodeRecord(str(two), "node/2", "/var/lib/ivy-cluster").read() == ""
    assert delta.NodeRecord(str(two), "node/1", "/srv/store").read() == ""
    assert [stat.S_IMODE(path.stat().st_mode) for path in (two / "nodes", *(two / "nodes").iterdir())] == [0o700, 0o600]


@pytest.mark.parametrize("junk", [b"", b"../../etc", b"\xff", b"a" * 31])
def test_a_damaged_record_counts_as_missing(two: Path, junk: bytes) -> None:
    record = delta.NodeRecord(str(two), "node", "")
    record.write(OLD)
    next((two / "nodes").iterdir()).write_bytes(junk)
    assert record.read() == ""


def test_a_record_that_cannot_be_written_is_left_out(two: Path) -> None:
    (two / "nodes").write_bytes(b"")
    delta.NodeRecord(str(two), "node", "").write(OLD)
    assert delta.NodeRecord(str(two), "node", "").read() == ""


def test_pruning_forgets_records_of_releases_that_are_gone(two: Path) -> None:
    kept, gone = (delta.NodeRecord(str(two), host, "") for host in ("kept", "gone"))
    kept.write(NEW)
    gone.write(OLD)
    shutil.rmtree(two / "releases" / OLD)
    cache.prune(two, keep=NEW)
    assert (kept.read(), gone.read()) == (NEW, "")
