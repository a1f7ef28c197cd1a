# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts that need no node: tables of the kernel, licences, health, payloads, manifests, unit properties."""

from __future__ import annotations

import contextlib
import datetime
import http.server
import json
import os
import socket
import threading
import typing as t
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ivy.cluster.plugins.module_utils.node.config import encryption, payload
from ansible_collections.ivy.cluster.plugins.module_utils.node.engine import health, licence, sockets, unit
from ansible_collections.ivy.cluster.plugins.module_utils.node.files import manifest
from ansible_collections.ivy.cluster.plugins.module_utils.node.files.errors import NodeError

TABLE = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1200        0 100 1 0 100 0 0 10 0
   1: 153A1EAC:1E78 163A1EAC:C001 01 00000000:00000000 00:00000000 00000000  1200        0 101 1 0 20 4 30 10 -1
   2: 153A1EAC:C002 1E3A1EAC:1538 01 00000000:00000000 02:00000000 00000000  1200        0 102 1 0 20 4 30 10 -1
   3: 153A1EAC:C003 1E3A1EAC:1538 06 00000000:00000000 03:00000000 00000000     0        0 0 3 0
 broken line
"""
TAIL = "01 00000000:00000000 00:00000000 00000000  1200        0 {0} 1 0 20 4 30 10 -1"
TABLE6 = "\n".join(
    [
        "  sl  local_address                         remote_address                        st ...",
        "   0: 0000000000000000FFFF0000153A1EAC:C004 0000000000000000FFFF0000283A1EAC:23F0 " + TAIL.format(103),
        "   1: B80D01200000000000000000010000AA:C005 B80D01200000000000000000020000BB:1538 " + TAIL.format(104),
    ]
)


def test_the_kernels_tables() -> None:
    found = sockets.parse(TABLE, "little")
    assert [one.state for one in found] == [sockets.LISTEN, sockets.ESTABLISHED, sockets.ESTABLISHED, 6]
    assert found[0][:2] == ("0.0.0.0", 8080)
    assert found[1][:4] == ("172.30.58.21", 7800, "172.30.58.22", 49153)
    assert (found[1].uid, found[1].inode) == (1200, 101)


def test_ipv6_and_ipv4_in_ipv6() -> None:
    found = sockets.parse(TABLE6, "little")
    assert found[0][:4] == ("172.30.58.21", 49156, "172.30.58.40", 9200)
    assert found[1].remote_address == "2001:db8::bb00:2"


def test_big_endian_machines() -> None:
    assert sockets.address_from("AC1E3A15", "big") == "172.30.58.21"


def test_connections_are_counted_by_address_and_port() -> None:
    found = sockets.parse(TABLE, "little")
    assert sockets.established(found, "172.30.58.30", 5432) == 1
    assert sockets.established(found, "172.30.58.31", 5432) == 0


def test_peers_in_both_directions_and_those_that_are_down() -> None:
    found = sockets.parse(TABLE, "little")
    up = {"172.30.58.22", "172.30.58.23"}
    seen = sockets.peers(found, ["172.30.58.22", "172.30.58.23", "172.30.58.24"], 7800, False, lambda a, _p: a in up)
    assert seen == (["172.30.58.22"], ["172.30.58.22", "172.30.58.23"], ["172.30.58.23"])
    assert sockets.peers(found, ["172.30.58.22", "172.30.58.23"], 7800, True, lambda _a, _p: True).missing == []
    assert sockets.peers([], ["172.30.58.22"], 7800, True, lambda _a, _p: True).missing == ["172.30.58.22"]


def test_only_the_sockets_of_the_process_count() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            mine = sockets.of_process(os.getpid())
            assert sockets.established(mine, "127.0.0.1", port) == 1
            assert any(one.state == sockets.LISTEN and one.local_port == port for one in mine)
    assert sockets.of_process(0) == []


def test_processes_that_may_not_be_inspected_count_by_their_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "stat").write_text("7 (a ) b) S 1 7")
    (tmp_path / "7" / "net").mkdir()
    (tmp_path / "7" / "net" / "tcp").write_text(TABLE)

    def refused(path: t.Any) -> t.Any:
        if path.endswith("/fd"):
            raise PermissionError
        return real(path)

    real = os.listdir
    monkeypatch.setattr(os, "listdir", refused)
    inodes, users = sockets.inodes_of([7], str(tmp_path))
    assert (inodes, users) == (set(), {os.geteuid()})
    assert sockets.descendants(7, str(tmp_path)) == {7}


@given(st.text())
def test_no_table_breaks_the_parser(text: t.Any) -> None:
    sockets.parse("header\n" + text)


LICENCE = """\
# a licence
licence.type=Enterprise Edition
server.nodes.limit = 5
licence.valid.until: 2027-11-03 00:00
public.urls=ivy.example.com,\\
   *.example.org
organisation=M\\u00fcller
"""


def test_a_licence() -> None:
    assert licence.describe(LICENCE, datetime.date(2027, 10, 3)) == {
        "type": "Enterprise Edition",
        "nodes": 5,
        "sessions": None,
        "valid_from": None,
        "valid_in_days": 0,
        "valid_until": "2027-11-03",
        "days_left": 31,
    }
    values = licence.properties(LICENCE)
    assert values["public.urls"] == "ivy.example.com,*.example.org"
    assert values["organisation"] == "Müller"


def test_a_licence_that_says_little() -> None:
    assert licence.describe("", datetime.date(2027, 10, 3)) == {
        "type": None,
        "nodes": None,
        "sessions": None,
        "valid_from": None,
        "valid_in_days": 0,
        "valid_until": None,
        "days_left": None,
    }
    assert licence.day("31.12.2027") == datetime.date(2027, 12, 31)
    assert licence.day("2027-13-45") is None


@given(st.text())
def test_no_licence_breaks_the_parser(text: t.Any) -> None:
    licence.describe(text, datetime.date(2027, 1, 1))


@contextlib.contextmanager
def server(status: t.Any, body: t.Any, seen: t.Any) -> t.Any:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> t.Any:
            seen.append((self.path, self.headers["Host"]))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: t.Any) -> t.Any:
            pass

    made = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=made.serve_forever, daemon=True)
    thread.start()
    yield made.server_address[1]
    made.shutdown()
    made.server_close()


def definition(*requests: tuple[str, str], reject: t.Sequence[str] = ("demo-portal",)) -> dict[str, t.Any]:
    return {
        "requests": [{"path": path, "status": status, "reject": list(reject)} for path, status in requests],
        "headers": {"X-Forwarded-Proto": "https"},
    }


@pytest.mark.parametrize(
    ("accepted", "status", "body", "ok", "reason"),
    [
        ("200", 200, b"welcome", True, ""),
        ("200", 200, b"the demo-portal", False, "demo"),
        ("200", 503, b"", False, "no licence"),
        ("200", 404, b"", False, "404"),
        # The balancer would not accept it, so the gate must not either.
        ("200", 302, b"", False, "302"),
        ("200,301-303,307-308", 302, b"moved", True, ""),
        # HAProxy does not accept it if it has to search for a text.
        ("200,301-303,307-308", 302, b"", False, "without a text"),
        ("200,301-303,307-308", 302, b"see the demo-portal", False, "demo"),
        ("200,301-303,307-308", 304, b"", False, "304"),
        ("200,301-303,307-308", 308, b"moved", True, ""),
        ("200", 200, b"\xff\xfe", True, ""),
    ],
)
def test_health(accepted: str, status: t.Any, body: t.Any, ok: t.Any, reason: t.Any) -> None:
    seen: list[t.Any] = []
    with server(status, body, seen) as port:
        answer = health.check(port, "ivy.example.com", definition(("/system/health", accepted)))
    assert (answer.status, answer.ok) == (status, ok)
    assert reason in answer.reason
    assert seen == [("/system/health", "ivy.example.com")]


@pytest.mark.parametrize(
    ("body", "ok"),
    [
        (b"<title>Axon Ivy Engine 12.0.9</title>", True),
        (b"Welcome to nginx!", False),
        (b"axon ivy engine", False),
        (b"", False),
    ],
)
def test_a_page_without_the_name_of_the_engine_is_of_another_program(body: bytes, ok: bool) -> None:
    asked = {"requests": [{"path": "/info", "status": "200", "require": ["Axon Ivy Engine"]}]}
    with server(200, body, []) as port:
        answer = health.check(port, "h", asked)
    assert answer.ok is ok
    assert ok or not body or "another program may answer" in answer.reason


def test_each_request_of_the_definition_must_be_answered_as_expected() -> None:
    seen: list[t.Any] = []
    with server(302, b"", seen) as port:
        answer = health.check(port, "h", definition(("/", "200,302"), ("/info", "200"), ("/more", "302"), reject=[]))
    assert not answer.ok
    assert "GET /info answered 302" in answer.reason
    assert [path for path, _host in seen] == ["/", "/info"]
    assert not health.check(1, "h", definition()).ok


@given(st.integers(100, 599), st.lists(st.tuples(st.integers(100, 599), st.integers(0, 20)), min_size=1, max_size=4))
def test_statuses_are_read_as_haproxy_reads_them(status: int, ranges: list[tuple[int, int]]) -> None:
    text = ",".join(f"{first}-{first + more}" if more else str(first) for first, more in ranges)
    assert health.accepts(text, status) == any(first <= status <= first + more for first, more in ranges)


def test_health_of_nobody() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    answer = health.check(port, "h", definition(("/", "200")))
    assert (answer.status, answer.ok) == (0, False)
    assert str(port) in answer.reason


@given(
    st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3), st.lists(st.binary(max_size=50), max_size=4)
)
def test_what_is_packed_is_unpacked(header: t.Any, contents: t.Any) -> None:
    from ansible_collections.ivy.cluster.plugins.module_utils.node.files.digest import sha256

    header = {name: value for name, value in header.items() if name != "blobs"}
    blobs = {sha256(content): content for content in contents}
    assert payload.unpack(payload.from_text(payload.to_text(payload.pack(header, blobs)))) == (header, blobs)


@given(st.binary(max_size=60), st.integers(0, 200))
def test_a_damaged_payload_is_refused(junk: t.Any, position: t.Any) -> None:
    good = payload.pack({"a": 1}, {})
    bad = good[:position] + junk + good[position + 1 :]
    if bad != good:
        with contextlib.suppress(NodeError):
            header, blobs = payload.unpack(bad)
            # Bytes after the end of the compressed data are ignored.
            assert (header, blobs) == ({"a": 1}, {})


@given(st.dictionaries(st.text(max_size=5), st.text(max_size=30), max_size=4), st.binary(min_size=32, max_size=32))
def test_an_encrypted_result_needs_its_key(value: t.Any, key: bytes) -> None:
    text = encryption.encrypt(key, value)
    assert encryption.decrypt(key, text) == value
    with pytest.raises(NodeError, match="damaged"):
        encryption.decrypt(bytes(32) if key != bytes(32) else b"1" * 32, text)


def test_equal_results_are_encrypted_differently() -> None:
    assert encryption.encrypt(b"k" * 32, {"a": 1}) != encryption.encrypt(b"k" * 32, {"a": 1})


def test_lists_of_digests() -> None:
    digests = ["ab" * 32, "cd" * 32]
    have = payload.digest_prefixes(payload.digest_list(digests[:1]))
    assert payload.without(digests, have) == digests[1:]
    assert payload.digest_prefixes("") == set()


def entry(**more: t.Any) -> t.Any:
    return {
        "root": "engine",
        "path": "configuration/a",
        "sha256": "a" * 64,
        "size": 1,
        "mode": "0640",
        "secret": False,
        "kind": "text",
        "restart": {"kind": "never", "digest": "x"},
        **more,
    }


def parsed(*entries: t.Any, **more: t.Any) -> t.Any:
    value = {"format": 1, "id": "a" * 32, "cluster": "c", "engine_version": "1", "entries": list(entries), **more}
    return manifest.parse(json.dumps(value).encode(), "here")


def test_a_manifest() -> None:
    assert parsed(entry()).by_key()["engine:configuration/a"].mode == 0o640


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "a/../b", "a//b", "", ".", "a/./b", "a\0b"])
def test_paths_that_leave_their_root_are_refused(path: t.Any) -> None:
    with pytest.raises(NodeError, match="plain relative path"):
        parsed(entry(path=path))


def test_all_findings_in_one_message() -> None:
    with pytest.raises(NodeError) as caught:
        parsed(
            entry(root="other"), entry(mode="rw"), entry(size=-1), entry(), entry(), entry(path="configuration/a/b"), 5
        )
    for text in ("unknown root", "0640", "number of bytes", "listed twice", "needs a directory", "not a mapping"):
        assert text in str(caught.value)


def test_a_newer_manifest_is_refused() -> None:
    with pytest.raises(NodeError, match="format 2"):
        parsed(entry(), format=2)


def test_what_systemd_says() -> None:
    shown = unit.parse(
        "e.service",
        "LoadState=loaded\nActiveState=active\nSubState=running\nMainPID=7\nNeedDaemonReload=yes\n"
        "FragmentPath=/etc/systemd/system/e.service\nDropInPaths=/etc/a.conf /etc/b.conf\nNRestarts=2\n"
        "InvocationID=abc\n",
    )
    assert (shown.known, shown.running, shown.main_pid, shown.need_reload, shown.restarts) == (True, True, 7, True, 2)
    assert shown.files == ("/etc/systemd/system/e.service", "/etc/a.conf", "/etc/b.conf")
    assert not unit.parse("e.service", "LoadState=not-found\nActiveState=inactive\n").known


@pytest.mark.parametrize(
    ("path", "belongs"),
    [
        ("/etc/systemd/system/e.service", True),
        ("/etc/systemd/system/e.service.d/x.conf", True),
        ("/usr/lib/systemd/system/e.service", True),
        ("/etc/systemd/system/other.service", False),
        ("/etc/systemd/system/e.service.d/x.txt", False),
        ("/etc/ivy-cluster/node.env", False),
    ],
)
def test_files_of_a_unit(path: t.Any, belongs: t.Any) -> None:
    assert unit.belongs(path, "e") is belongs
