# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import hashlib
import os
import stat
import threading
import typing as t
from pathlib import Path

import pytest

from ansible_collections.ivy.cluster.plugins.module_utils.node.files.digest import canonical
from ansible_collections.ivy.cluster.plugins.plugin_utils.release import cache
from ansible_collections.ivy.cluster.plugins.plugin_utils.release.cache import CacheError

ID = "0123456789abcdef0123456789abcdef"


def manifest_of(blobs: list[bytes], release_id: str = ID) -> dict[str, t.Any]:
    return {
        "format": 1,
        "id": release_id,
        "cluster": "demo",
        "engine_version": "11.3.0",
        "entries": [
            {
                "root": "engine",
                "path": f"configuration/{number}",
                "sha256": hashlib.sha256(data).hexdigest(),
                "size": len(data),
                "mode": "0640",
                "secret": False,
                "kind": "text",
                "restart": {"kind": "never", "digest": ""},
            }
            for number, data in enumerate(blobs)
        ],
    }


def test_what_is_written_is_read(tmp_path: Path) -> None:
    blobs = [b"one", b"\x00two", b""]
    path = cache.write_release(tmp_path / "cache", manifest_of(blobs), blobs)
    assert path == tmp_path / "cache/releases" / ID / "manifest.json"
    assert path.read_bytes() == canonical(manifest_of(blobs))
    loaded = cache.load_manifest(tmp_path / "cache", ID)
    assert [cache.read_blob(tmp_path / "cache", entry["sha256"]) for entry in loaded["entries"]] == blobs


def test_only_the_owner_can_look_inside(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        cache.write_release(tmp_path / "cache", manifest_of([b"x"]), [b"x"])
    finally:
        os.umask(old)
    for path in [tmp_path / "cache", *(tmp_path / "cache").rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_a_wide_directory_is_narrowed(tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir(mode=0o755)
    cache.write_release(tmp_path / "cache", manifest_of([]), [])
    assert stat.S_IMODE((tmp_path / "cache").stat().st_mode) == 0o700


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "cache").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(CacheError, match="not a directory"):
        cache.write_release(tmp_path / "cache", manifest_of([]), [])
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_the_directory_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cache").mkdir()
    owner = os.geteuid()
    monkeypatch.setattr("os.geteuid", lambda: owner + 1)
    with pytest.raises(CacheError, match="belongs to another user"):
        cache.write_release(tmp_path / "cache", manifest_of([]), [])


def test_a_release_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CacheError, match=f"{ID} is not in the cache.*config_release"):
        cache.load_manifest(tmp_path, ID)


@pytest.mark.parametrize("name", ["", "../../etc", "ABC", ID + "0", ID.upper() + "\n"])
def test_an_invalid_id_is_rejected_before_it_becomes_a_path(tmp_path: Path, name: str) -> None:
    with pytest.raises(CacheError, match="is not the id"):
        cache.load_manifest(tmp_path, name)
    with pytest.raises(CacheError, match="not a SHA-256"):
        cache.read_blob(tmp_path, "../" + "a" * 61)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda raw: raw[:-5], "is damaged"),
        (lambda raw: b"[]", "is not an object"),
        (lambda raw: raw.replace(b'"format":1', b'"format":2'), "format is 2"),
        (lambda raw: raw.replace(ID.encode(), b"f" * 32), "names another id"),
        (lambda raw: raw.replace(b'"entries":[', b'"entries": ['), "not those that were written"),
        (lambda raw: raw.replace(b'"mode":"0640",', b""), "not complete"),
        (lambda raw: raw.replace(b'"sha256":"', b'"sha256":"x'), "not a SHA-256"),
    ],
)
def test_a_damaged_manifest(tmp_path: Path, damage: t.Callable[[bytes], bytes], message: str) -> None:
    path = cache.write_release(tmp_path, manifest_of([b"x"]), [b"x"])
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(CacheError, match=message):
        cache.load_manifest(tmp_path, ID)


def test_a_damaged_blob_is_found_and_written_again(tmp_path: Path) -> None:
    cache.write_release(tmp_path, manifest_of([b"content"]), [b"content"])
    digest = hashlib.sha256(b"content").hexdigest()
    cache.blob_path(tmp_path, digest).write_bytes(b"other")
    with pytest.raises(CacheError, match="is damaged"):
        cache.read_blob(tmp_path, digest)
    cache.write_release(tmp_path, manifest_of([b"content"]), [b"content"])
    assert cache.read_blob(tmp_path, digest) == b"content"


def test_a_missing_blob(tmp_path: Path) -> None:
    with pytest.raises(CacheError, match="lacks a file"):
        cache.read_blob(tmp_path, "0" * 64)


def test_the_manifest_comes_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: t.Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache, "_write_blob", fail)
    with pytest.raises(CacheError, match="No space left"):
        cache.write_release(tmp_path, manifest_of([b"x"]), [b"x"])
    assert list(tmp_path.rglob("*.json")) == []


def test_an_interrupted_write_leaves_no_half_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(CacheError, match="Input/output"):
        cache.write_release(tmp_path, manifest_of([b"x"]), [b"x"])
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [hashlib.sha256(b"x").hexdigest()]


def test_many_at_once(tmp_path: Path) -> None:
    blobs = [bytes([number]) * 1000 for number in range(20)]
    errors: list[BaseException] = []

    def write() -> None:
        try:
            cache.write_release(tmp_path, manifest_of(blobs), blobs)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=write) for _number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    for entry in cache.load_manifest(tmp_path, ID)["entries"]:
        cache.read_blob(tmp_path, entry["sha256"])
    assert not list(tmp_path.rglob(".new-*"))


def test_pruning_keeps_what_is_young_or_wanted(tmp_path: Path) -> None:
    ids = [f"{number:032x}" for number in range(5)]
    for number, release_id in enumerate(ids):
        blobs = [b"common", str(number).encode()]
        path = cache.write_release(tmp_path, manifest_of(blobs, release_id), blobs)
        os.utime(path.parent, (number, number))
    for blob in (tmp_path / "blobs").iterdir():
        os.utime(blob, (1, 1))
    cache.prune(tmp_path, keep=ids[0], kept_releases=2)
    assert {path.name for path in (tmp_path / "releases").iterdir()} == {ids[0], ids[3], ids[4]}
    kept = {cache.read_blob(tmp_path, path.name) for path in (tmp_path / "blobs").iterdir()}
    assert kept == {b"common", b"0", b"3", b"4"}


def test_pruning_spares_blobs_whose_manifest_may_be_under_way(tmp_path: Path) -> None:
    cache.write_release(tmp_path, manifest_of([b"x"]), [b"x", b"not yet in a manifest"])
    cache.prune(tmp_path, keep=ID)
    assert len(list((tmp_path / "blobs").iterdir())) == 2
