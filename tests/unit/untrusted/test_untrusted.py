# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever a node or the file share contains, whoever reads it gives a right answer or an error in words.

Each reader runs in a child with 256 MiB of memory. Only errors made for people are accepted: anything else is a crash.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import json
import os
import string
import subprocess
import tempfile
import time
import typing as t
import zlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.ivy.cluster.plugins.module_utils.node.agent import guard, guard_report
from ansible_collections.ivy.cluster.plugins.module_utils.node.cluster import fence, record
from ansible_collections.ivy.cluster.plugins.module_utils.node.config import collect, encryption
from ansible_collections.ivy.cluster.plugins.module_utils.node.engine import licence, run_state, start_state
from ansible_collections.ivy.cluster.plugins.module_utils.node.files import atomic, manifest, scan
from ansible_collections.ivy.cluster.plugins.module_utils.node.files.errors import NodeError
from ansible_collections.ivy.cluster.plugins.module_utils.node.store.store import Store
from ansible_collections.ivy.cluster.plugins.plugin_utils.common import answers
from ansible_collections.ivy.cluster.plugins.plugin_utils.node import result
from ansible_collections.ivy.cluster.plugins.plugin_utils.release import node_copy
from ansible_collections.ivy.cluster.plugins.plugin_utils.release.cache import CacheError
from ansible_collections.ivy.cluster.plugins.plugin_utils.yaml import tree
from ansible_collections.ivy.cluster.tests.limits import SECONDS, limited

A = "a" * 32
DIGEST = "0" * 64
MESSAGES = (NodeError, CacheError, tree.YamlError, licence.LicenceError)
KEY = b"k" * 32
# FUZZ_EXAMPLES=400 is the long run.
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "30"))

# --- good values of each kind, which are then damaged

ENTRY = {
    "root": "engine",
    "path": "configuration/ivy.yaml",
    "sha256": DIGEST,
    "size": 1,
    "mode": "0640",
    "secret": False,
    "kind": "yaml",
    "restart": {"kind": "keys", "digest": "x", "keys": {"A.B": "x"}},
    "secret_keys": ["A"],
}
MANIFEST = {"format": 1, "cluster": "demo", "engine_version": "11.3.0", "id": A, "entries": [ENTRY], "key": "x"}
OPERATION = {"name": "site", "owner": "admin", "since": "2026-01-01T00:00:00Z", "step": "", "node": "n1"}
RECORD = {
    **record.empty("demo"),
    "desired_release": A,
    "allowed_releases": [A],
    "operation": OPERATION,
    "history": [{"operation": "site", "time": "2026-01-01T00:00:00Z"}],
    "drained": ["n1"],
    "pin": {"release": A, "reason": "x"},
}
NODE_FILE = {"sha256": DIGEST, "mode": 416, "uid": 0, "gid": 0, "secret": False, "restart": "never"}
APPLIED = {
    "format": 1,
    "release": A,
    "previous": A,
    "engine_directory": "/opt/ivy",
    "node_files": {"/etc/x": NODE_FILE},
    "settings": {"roots": {"engine": "/opt/ivy"}, "owner": "ivy"},
}
ACCEPTED = {"format": 1, "files": {"engine:configuration/ivy.yaml": {DIGEST: [DIGEST]}}}
GUARD = {
    "format": 1,
    "node": "n1",
    "cluster": "demo",
    "reported": {"file x": "text"},
    "attempts": {"x": [1.0, 2.0]},
    "last_success": "2026-01-01T00:00:00Z",
    "restored_total": 3,
}
STARTED = {"format": 1, "release": A, "files": {"engine:x": DIGEST}, "modified": [], "invocation": "x", "boot": "y"}
START = {"format": 1, "state": "waiting", "reason": "x", "since": "y", "at": 1.0, "failures": 1, "restarts": 2}

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**30), 10**30),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["", "..", "/", "\0", "\ud800", A, DIGEST, "engine", "x" * 10_000, 1 << 70, -1]),
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
)


def paths_of(value: t.Any, path: tuple[t.Any, ...] = ()) -> t.Iterator[tuple[t.Any, ...]]:
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, item in items:
        yield from paths_of(item, (*path, name))


def replaced(value: t.Any, path: tuple[t.Any, ...], new: t.Any) -> t.Any:
    if not path:
        return new
    if isinstance(value, dict):
        return {**value, path[0]: replaced(value[path[0]], path[1:], new)}
    return [replaced(item, path[1:], new) if index == path[0] else item for index, item in enumerate(value)]


@st.composite
def damaged(draw: st.DrawFn, good: t.Any) -> bytes:
    """A good value in which some parts are replaced by anything, as text that is then cut, doubled or distorted."""
    value = good
    for _time in range(draw(st.integers(0, 2))):
        path = draw(st.sampled_from(sorted(paths_of(value), key=repr)))
        value = replaced(value, path, draw(VALUES))
    data = json.dumps(value).encode("utf-8", "surrogatepass")
    how = draw(st.sampled_from(["as it is", "as it is", "as it is", "cut", "twice", "bytes", "deep", "wide"]))
    if how == "cut":
        return data[: draw(st.integers(0, len(data)))]
    if how == "twice":
        return data + data
    if how == "bytes":
        position = draw(st.integers(0, max(len(data) - 1, 0)))
        return data[:position] + draw(st.binary(min_size=1, max_size=4)) + data[position + 1 :]
    if how == "deep":
        return draw(st.sampled_from([b"[", b'{"a":', b'{"format":1,"files":'])) * draw(st.sampled_from([900, 100_000]))
    if how == "wide":
        return b'{"format": 1, "x": [' + b"[]," * draw(st.sampled_from([10, 300_000])) + b"[]]}"
    return data


@pytest.fixture(autouse=True)
def fast_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody needs these files after a crash."""
    monkeypatch.setattr(os, "fsync", lambda _fd: None)


@contextlib.contextmanager
def in_words() -> t.Iterator[None]:
    """Accepts an error that is made for people."""
    try:
        yield
    except MESSAGES as exc:
        check(str(exc))


def check(message: str) -> None:
    assert message
    assert len(message) < 100_000


UNCHECKED = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much)


def fuzzed(strategy: st.SearchStrategy[bytes], read: t.Callable[[Path, bytes], t.Any], seconds: int = 120) -> None:
    """Read many damaged files in one child; each may take some seconds at most."""

    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=UNCHECKED)
    @given(strategy)
    def test(data: bytes) -> None:
        begin = time.process_time()
        with tempfile.TemporaryDirectory() as directory, in_words():
            read(Path(directory), data)
        assert time.process_time() - begin < SECONDS

    limited(test, seconds=seconds)


def ids() -> tuple[int, int]:
    return os.geteuid(), os.getegid()


# --- the share


def read_record(directory: Path, data: bytes) -> None:
    (directory / record.FILE_NAME).write_bytes(data)
    found = record.read(str(directory), *ids())
    assert isinstance(fence.refusal(A, found, "demo", "n1"), str)


def test_the_cluster_record() -> None:
    fuzzed(damaged(RECORD), read_record)


# --- the store of a node


def read_store(name: str) -> t.Callable[[Path, bytes], None]:
    def read(directory: Path, data: bytes) -> None:
        place = directory / "store"
        with Store(str(place)) as store:
            store.prepare()
            for path in (f"baseline/{A}.json", name):
                (place / path).write_bytes(data)
            (place / f"releases/{A}").mkdir()
            (place / f"releases/{A}/manifest.json").write_bytes(data)
            for reader in (store.applied, store.intent, store.accepted, store.applications, store.baselines):
                with in_words():
                    reader()
            with in_words():
                store.manifest(A)
            store.backups()
            store.prune(1, 1)

    return read


@pytest.mark.parametrize(
    ("name", "good"),
    [
        ("applied.json", APPLIED),
        ("intent.json", APPLIED),
        ("accepted.json", ACCEPTED),
        ("applications.json", {"format": 1, "artefacts": {"/x": {"sha256": DIGEST}}}),
    ],
)
def test_the_store(name: str, good: t.Any) -> None:
    fuzzed(damaged(good), read_store(name))


def test_the_list_of_a_backup() -> None:
    item = {"root": "engine", "path": "x", "kind": "file", "sha256": DIGEST, "file": "0000", "size": 1, "uid": 0}

    def read(directory: Path, data: bytes) -> None:
        with Store(str(directory / "store")) as store:
            store.prepare()
            backup = directory / "store/backups/20260101T000000Z"
            backup.mkdir()
            (backup / "list.json").write_bytes(data)
            fd = os.open(directory, os.O_RDONLY)
            store.backup(lambda collector: collector.add(fd, "store/format.json", "engine", "x"))
            os.close(fd)
            store.unreported()
            store.prune(1, 1)

    fuzzed(damaged({"format": 1, "time": "2026-01-01T00:00:00Z", "items": [item]}), read)


def test_a_manifest() -> None:
    fuzzed(damaged(MANIFEST), lambda _directory, data: (manifest.contents(data), manifest.parse(data, "here")))


# --- what a node says about itself


def test_the_state_of_the_guard() -> None:
    def read(directory: Path, data: bytes) -> None:
        (directory / guard_report.STATUS).write_bytes(data)
        state = guard_report.GuardState(str(directory))
        outcome = guard_report.Outcome("n1", "demo", time="2026-01-01T00:00:00Z")
        state.messages(outcome)
        state.attempts.count("x", 0.0)
        state.count(outcome)
        state.write(outcome, "report")

    fuzzed(damaged(GUARD), read)


def fill(directory: Path, name: str, levels: int, files: int) -> None:
    """Files whose paths together are far longer than what is on the disk."""
    fd = os.open(directory, os.O_RDONLY)
    for _level in range(levels):
        os.mkdir(name, dir_fd=fd)
        below = os.open(name, os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = below
    for number in range(files):
        os.close(os.open(str(number), os.O_CREAT | os.O_WRONLY, 0o600, dir_fd=fd))
    os.close(fd)


@pytest.mark.parametrize(("levels", "files"), [(98, 4_000), (7, 20_000)])
def test_a_scan_of_long_paths(tmp_path: Path, levels: int, files: int) -> None:
    (tmp_path / "configuration").mkdir()
    fill(tmp_path / "configuration", "d" * 250, levels, files)

    def scanned() -> None:
        with atomic.Tree(str(tmp_path)) as tree:
            scan.survey({"engine": tree}, {}, {})

    with pytest.raises(NodeError, match=r"hold .*path.* Remove what nobody declared and run again"):
        limited(scanned)
    subprocess.run(["rm", "-rf", str(tmp_path / "configuration")], check=True)


def test_the_settings_of_the_guard() -> None:
    def read(directory: Path, data: bytes) -> None:
        (directory / "node.json").write_bytes(data)
        options = guard.Options("report", str(directory / "node.json"), str(directory), str(directory / "status"))
        assert guard.guard(options) in (0, 1)

    values = {"node": "n1", "cluster": "demo", "store": "/none", "user": "root", "group": "root", "unit": "x.service"}
    fuzzed(damaged(values), read)


def test_the_record_of_the_last_start() -> None:
    def read(directory: Path, data: bytes) -> None:
        (directory / "started.json").write_bytes(data)
        (directory / start_state.FILE_NAME).write_bytes(data)
        run_state.read(str(directory))
        before = start_state.read(str(directory))
        failures = start_state.failures_before(before, 3, 1e9)
        after = start_state.following(before, start_state.WAITING, "x", failures, 1e9)
        start_state.write(after, str(directory))

    fuzzed(damaged(STARTED) | damaged(START), read)


LICENCE = string.printable.encode() + "äöü".encode("latin-1")


@st.composite
def licences(draw: st.DrawFn) -> bytes:
    lines = draw(
        st.lists(
            st.one_of(
                st.sampled_from(["[Begin Licence]", "[End Licence]", "licence.type=Enterprise", "#", "\\", "x" * 1000]),
                st.builds("{}={}".format, st.sampled_from(["licence.valid.until", "server.nodes.limit"]), st.text()),
                st.text(max_size=50),
            ),
            max_size=20,
        )
    )
    text = draw(st.sampled_from(["\n", "\r\n", "\r", "\\\n"])).join(lines)
    return text.encode("utf-8", "surrogatepass") * draw(st.sampled_from([1, 1, 1, 1000]))


def test_a_licence() -> None:
    def read(directory: Path, data: bytes) -> None:
        (directory / "configuration").mkdir()
        (directory / "configuration/x.lic").write_bytes(data)
        licence.read_installed(str(directory))
        with in_words():
            licence.parse_licence(data.decode("latin-1"))

    fuzzed(licences(), read)


# --- what a node answers to the controller


def encrypted(data: bytes) -> str:
    nonce = bytes(16)
    return base64.b64encode(nonce + encryption._mask(KEY, nonce, data)).decode("ascii")


# Made where they are used: as parameters they would be kept to the end, and each fork would copy their page tables.
UNFOLDING: dict[str, t.Callable[[], bytes]] = {
    "digits": lambda: b"0" * (200 << 20),
    "lists": lambda: b"[" + b"[]," * (50 << 20) + b"[]]",
    "fewer lists": lambda: b"[" + b"[]," * (4 << 20) + b"[]]",
    "brackets": lambda: b"[" * (1 << 20),
    "a text": lambda: b'"' + b"x" * (200 << 20) + b'"',
    "a long text": lambda: b'"' + b"x" * (128 << 20) + b'\\ud83d\\ude00"',
    "another encoding": lambda: b'"' + b"x" * (23 << 20) + "\U0001f600".encode() + b'"',
    "dictionaries": lambda: b'{"a":[' + b"{}," * 600_000 + b"{}]}",
}


@pytest.mark.parametrize("name", UNFOLDING)
def test_an_answer_that_unfolds(name: str) -> None:
    text = encrypted(zlib.compress(UNFOLDING[name](), 1))
    with pytest.raises(NodeError, match="The node's result is"):
        limited(lambda: encryption.decrypt(KEY, text))


@pytest.mark.parametrize("begin", [b'"', b'"\\ud83d\\ude00'], ids=["end", "begin"])
def test_the_longest_text_of_an_answer(begin: bytes) -> None:
    plain = begin + b"x" * (encryption._LONGEST - 50) + b'\\ud83d\\ude00"'
    text = encrypted(zlib.compress(plain, 1))
    assert limited(lambda: len(encryption.decrypt(KEY, text))) > encryption._LONGEST - 50


def test_an_encrypted_answer_that_is_too_long() -> None:
    text = "A" * (100 << 20)
    with pytest.raises(NodeError, match="too large"):
        limited(lambda: encryption.decrypt(KEY, text))
    text = encrypted(os.urandom(24 << 20))[: 32 << 20]
    with pytest.raises(NodeError, match="is damaged"):
        limited(lambda: encryption.decrypt(KEY, text))


@pytest.mark.parametrize("value", [b"{},", b'{"a":1},', b'["\xf0\x9f\x98\x80"],', b"0,"])
@pytest.mark.parametrize("length", [4 << 20, 16 << 20])
def test_a_long_list(value: bytes, length: int) -> None:
    text = b'{"a":[' + value * (length // len(value) - 10) + value[:-1] + b"]}"
    with pytest.raises(answers.AnswerError, match="too long"):
        limited(lambda: answers.parsed(text))
    fewer = b'{"a":[' + value * 160_000 + value[:-1] + b"]}"
    assert limited(lambda: len(answers.parsed(fewer)["a"])) == 160_001


def test_there_is_room_for_what_nodes_have() -> None:
    assert collect.GREATEST_ANSWER * 4 // 3 + (2 << 20) < encryption._LONGEST < encryption._LONGEST_SENT * 3 // 4 + 1
    # A release of 2,000 files; and 40 files of 256 KiB that differ, with many commas and quotation marks.
    entry = {"root": "engine", "path": "configuration/" + "x" * 150, "sha256": DIGEST, "size": 1, "mode": "0640"}
    entry |= {"secret": False, "kind": "yaml", "restart": {"A": ["b"]}, "secret_keys": ["A.Password"] * 20}
    manifest = json.dumps({"format": 1, "id": A, "entries": [entry] * 2000}).encode()
    assert len(limited(lambda: answers.parsed(manifest))["entries"]) == 2000
    side = '{"a": [1, "\\"]},\n'
    side *= (256 << 10) // len(side)
    content = base64.b64encode(os.urandom(96 << 10)).decode()
    findings = [{"path": f"{number}", "before": side, "after": content} for number in range(40)]
    value = {"findings": findings, "manifest": base64.b64encode(manifest).decode()}
    text = encryption.encrypt(KEY, value)
    assert limited(lambda: encryption.decrypt(KEY, text) == value)


def test_an_answer() -> None:
    def read(_directory: Path, data: bytes) -> None:
        packed = zlib.compress(data)
        for text in (encrypted(packed), encrypted(packed[: len(packed) // 2]), encrypted(data), data.decode("latin-1")):
            with in_words():
                encryption.decrypt(KEY, text)

    fuzzed(damaged({"findings": [], "texts": {"x": "y"}}), read)


def given_answer(answer: t.Any, _digests: t.Any) -> t.Any:
    return answer


@pytest.mark.parametrize("value", [None, 1, [], "%%%", "A", "A" * 100, "é", "too long"])
def test_a_release_from_a_node(tmp_path: Path, value: t.Any) -> None:
    value = "A" * (100 << 20) if value == "too long" else value
    for answer in ({"manifest": value}, {"manifest": base64.b64encode(b"[" * 100_000).decode()}, {}):
        with pytest.raises(CacheError):
            node_copy.copy(str(tmp_path), A, "a key", functools.partial(given_answer, answer))


# --- YAML

WORDS = st.sampled_from(
    ["a", "b.c", ":", ": ", "- ", "? ", "[", "]", "{", "}", ",", "&x ", "*x", "!t ", "|\n", ">\n", "'", '"', "#", "\n",
     "\n  ", "\t", "---\n", "...", "%YAML 9", "~", "\u2028", "\x00", "\ufeff", "<<: ", "x" * 5000]
)  # fmt: skip


@st.composite
def yaml_texts(draw: st.DrawFn) -> bytes:
    text = "".join(draw(st.lists(WORDS, max_size=30)))
    times = draw(st.sampled_from([1, 1, 1, 10, 100_000]))
    longest = 5 << 20
    return (text * min(times, longest // max(len(text), 1) + 1))[:longest].encode("utf-8")


def test_yaml() -> None:
    def read(_directory: Path, data: bytes) -> None:
        question = {
            "key": "engine:configuration/ivy.yaml",
            "applied": base64.b64encode(b"A: 1\n").decode(),
            "actual": base64.b64encode(data).decode(),
            "secret": False,
            "secret_keys": [],
        }
        verdict, changes = result.judge(question)
        assert verdict in ("same", "different", "rewriting")
        assert len(changes) <= tree.MAX_LEAVES + 10

    fuzzed(yaml_texts(), read, seconds=300)
