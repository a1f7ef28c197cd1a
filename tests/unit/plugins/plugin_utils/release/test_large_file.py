# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime
import hashlib
import typing as t
from pathlib import Path

import pytest

from ansible_collections.ivy.cluster.plugins.plugin_utils.release import cache, large_file
from ansible_collections.ivy.cluster.plugins.plugin_utils.release.build import BuiltRelease, ReleaseInput, build_release
from ansible_collections.ivy.cluster.plugins.plugin_utils.release.cache import CacheError
from ansible_collections.ivy.cluster.plugins.plugin_utils.release.large_file import LargeFile
from ansible_collections.ivy.cluster.plugins.plugin_utils.release.source import read_source

NAMES = ("dropins/a.jar", "configuration/text.properties", "configuration/log4j2.xml", "configuration/t.txt.j2")


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large_file, "THRESHOLD", 10)
    monkeypatch.setattr(large_file, "BLOCK", 3)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    contents = (b"\x00\x01" * 20, "größer ".encode() * 10, b"<log4j></log4j>", b"{{ 1 + 1 }} is not large")
    for name, content in zip(NAMES, contents):
        path = tmp_path / "source" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return tmp_path / "source"


def built(tree: Path, large_on_disk: bool, rules: t.Sequence[t.Mapping[str, t.Any]] = ()) -> BuiltRelease:
    return build_release(
        ReleaseInput(
            source=read_source(tree, large_on_disk=large_on_disk),
            topology={},
            shared={},
            secret={},
            nodes=("n1",),
            cluster="demo",
            engine_version="11.3.0",
            profile={"restart_rules": rules},
            cluster_key="0123456789abcdef0123456789abcdef",
            today=datetime.date(2027, 1, 1),
        )
    )


def test_only_files_that_nothing_reads_stay_on_disk(tree: Path) -> None:
    on_disk = {file.path for file in read_source(tree, large_on_disk=True).files if file.large is not None}
    assert on_disk == {"dropins/a.jar", "configuration/text.properties"}
    assert not [file for file in read_source(tree).files if file.large is not None]


@pytest.mark.parametrize(
    "rules", [(), ({"pattern": "configuration/*", "restart": "always", "ignore": ["größer"]},)], ids=["no", "ignore"]
)
def test_the_release_is_the_same(tree: Path, rules: t.Sequence[t.Mapping[str, t.Any]], tmp_path: Path) -> None:
    on_disk, whole = built(tree, True, rules), built(tree, False, rules)
    assert on_disk.manifest == whole.manifest
    assert (len(on_disk.large_files), len(whole.large_files)) == (2, 0)
    for name, release in (("a", on_disk), ("b", whole)):
        cache.write_release(tmp_path / name, release.manifest, release.blobs, release.large_files)
    blobs = [{path.name: path.read_bytes() for path in (tmp_path / name / "blobs").iterdir()} for name in "ab"]
    assert blobs[0] == blobs[1]


def test_an_encrypted_file_is_read_as_a_whole(tree: Path) -> None:
    (tree / "dropins/a.jar").write_bytes(b"$ANSIBLE_VAULT;1.1;AES256\n" + b"0" * 100)
    read = read_source(tree, lambda _data: b"clear", large_on_disk=True)
    (file,) = [file for file in read.files if file.path == "dropins/a.jar"]
    assert (file.data, file.was_encrypted, file.large) == (b"clear", True, None)


def test_a_file_that_changed_since_it_was_read_is_not_taken(tree: Path, tmp_path: Path) -> None:
    release = built(tree, True)
    (tree / "dropins/a.jar").write_bytes(b"another content")
    with pytest.raises(CacheError, match=r"a\.jar was changed while the release was built"):
        cache.write_release(tmp_path / "cache", release.manifest, release.blobs, release.large_files)
    assert not (tmp_path / "cache" / "releases" / release.id / "manifest.json").exists()
    digests = {hashlib.sha256(path.read_bytes()).hexdigest() for path in (tmp_path / "cache/blobs").iterdir()}
    assert digests == {path.name for path in (tmp_path / "cache/blobs").iterdir()}


def test_a_damaged_copy_in_the_cache_is_replaced(tree: Path, tmp_path: Path) -> None:
    release = built(tree, True)
    cache.write_release(tmp_path, release.manifest, release.blobs, release.large_files)
    large = release.large_files[0]
    (tmp_path / "blobs" / large.sha256).write_bytes(b"damaged")
    cache.write_release(tmp_path, release.manifest, release.blobs, release.large_files)
    assert cache.read_blob(tmp_path, large.sha256) == large.path.read_bytes()


@pytest.mark.parametrize(
    ("content", "is_text"),
    [(b"", True), ("ä€😀".encode() * 5, True), ("ä€😀".encode()[:-1], False), (b"a\0b", False), (b"abcd\xffef", False)],
)
def test_text_is_recognized_across_blocks(tmp_path: Path, content: bytes, is_text: bool) -> None:
    (tmp_path / "file").write_bytes(content)
    read = LargeFile.read(tmp_path / "file")
    assert (read.is_text, read.size, read.sha256) == (is_text, len(content), hashlib.sha256(content).hexdigest())
