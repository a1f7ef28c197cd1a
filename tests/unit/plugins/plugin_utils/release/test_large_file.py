# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime
import hashlib
import typing as t
from pathlib import Path

import pytest

from ansible_collections.ivy.cluster.plugins.plugin_utils.common.findings import FindingsError
from ansible_collections.ivy.cluster.plugins.plugin_utils.release import cache, large_file, secret_checks
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


# Not in this file as one text, since tools look for such texts.
KEY = "-----BEGIN " + "PRIVATE KEY-----\nMIIabc\n-----END " + "PRIVATE KEY-----\n"
FILLER = "some.text = about the weather, and a table\n"


def searched(text: str | bytes, block: int, name: str = "configuration/a.properties") -> tuple[list[str], list[str]]:
    data = text if isinstance(text, bytes) else text.encode()
    warnings: list[str] = []
    blocks = (data[start : start + block] for start in range(0, len(data), block))
    found = secret_checks.check_large(name, name, blocks, warnings)
    return [f"{finding.line}: {finding.message}" for finding in found], warnings


@pytest.fixture
def small_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secret_checks, "_WINDOW", 2000)
    monkeypatch.setattr(secret_checks, "_OVERLAP", 300)


@pytest.mark.usefixtures("small_windows")
@pytest.mark.parametrize("block", [1, 7, 500, 1 << 20])
@pytest.mark.parametrize("before", [0, 1, 30, 44, 45, 46, 47, 48, 49, 90, 300])
def test_a_secret_anywhere_in_a_large_file_is_found_once_with_its_line(before: int, block: int) -> None:
    text = FILLER * before + "db.Password = Xk29vQ\n" + FILLER * 60 + KEY + FILLER
    assert searched(text, block)[0] == [
        f"{before + 1}: it holds a secret (db.Password) in clear text",
        f"{before + 62}: it holds a private key in clear text",
    ]


@pytest.mark.usefixtures("small_windows")
@pytest.mark.parametrize(
    "text",
    [
        "url = https://u:Xk29vQ@host/\n",
        "<value name='bindPw' value='Xk29vQ'/>\n",
        "apiKey: Xk29vQ\n",
        "client_secret=Xk29vQ\n",
        "jdbc:oracle:thin:u/Xk29vQ@host\n",
        "<keyPass>Xk29vQ</keyPass>\n", "x=https://h/a?sig=Xk29vQ\n", "BindPw=Xk29vQ\n",
    ],
)  # fmt: skip
def test_the_search_in_a_large_file_finds_what_that_in_a_small_one_finds(text: str) -> None:
    text = FILLER * 100 + text + FILLER * 100
    small = [f"{finding.line}: {finding.message}" for finding in secret_checks.check_text("a.properties", text)]
    assert searched(text, 700)[0] == small != []


def test_a_value_in_a_large_file_may_be_marked_or_harmless() -> None:
    text = f"{FILLER}# not a secret\npassword = test-only\npassword = ${{X}}\n# password = old\n{FILLER}"
    assert searched(text, 1000) == ([], [])


def test_a_key_store_is_recognized_by_its_beginning_and_other_binaries_are_not_searched() -> None:
    assert searched(b"\xfe\xed\xfe\xed\0\0\0" + b"x" * 100, 3)[0] == ["0: it is a key store or a private key"]
    assert searched(b"x" * 100 + b"\0" + KEY.encode(), 1000) == ([], [])
    assert searched(KEY.encode("utf-16"), 33)[0] == ["1: it holds a private key in clear text"]
    assert searched("größer\n".encode("latin-1") + KEY.encode(), 33)[0] == ["2: it holds a private key in clear text"]


def test_the_search_is_bounded_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secret_checks, "_MOST_SEARCHED", 500)
    found, warnings = searched("password = Xk29vQ\n" + FILLER + "the token is explained here\n" * 2000, 1 << 20)
    assert found == []
    assert len(warnings) == 1
    assert "only its beginning was searched" in warnings[0]


def test_a_release_with_a_private_key_in_a_large_file_is_refused(tree: Path) -> None:
    (tree / "configuration/text.properties").write_text(FILLER * 10 + KEY, encoding="utf-8")
    with pytest.raises(FindingsError) as caught:
        built(tree, True)
    assert "text.properties:11: it holds a private key in clear text" in str(caught.value)
