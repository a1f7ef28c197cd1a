# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What preflight does on a host: it looks, holds ports and a file for some seconds, and leaves nothing behind."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.ivy.cluster.plugins.module_utils.node.engine import unit as units
from ansible_collections.ivy.cluster.plugins.module_utils.preflight import (
    disk,
    network,
    packages,
    port_listener,
    ports,
    share,
    system,
)
from ansible_collections.ivy.cluster.plugins.modules import preflight_facts
from ansible_collections.ivy.cluster.tests.timing import PATIENCE, Clock, wait_until

TOKEN = "t0k3n"
# Longer than any test takes: what is held is let go when it is told to, and not before.
HELD = 1000.0
UID, GID = os.geteuid(), os.getegid()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as one:
        return int(one.getsockname()[1])


@pytest.fixture(autouse=True)
def marks(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    directory = tmp_path_factory.mktemp("marks")
    monkeypatch.setattr(port_listener, "MARKS", str(directory))
    return directory


@pytest.fixture
def nothing_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(units, "show", units.nothing)


@pytest.fixture
def kept() -> Iterator[list[dict[str, Any]]]:
    """Ends what a test leaves running when it fails."""
    processes: list[dict[str, Any]] = []
    yield processes
    for one in processes:
        port_listener.end(one["pid"], one["start"], PATIENCE)


# --- the process that holds ports and a file


def test_it_answers_with_its_token_until_it_is_told(tmp_path: Path, kept: list[dict[str, Any]]) -> None:
    file, listener = tmp_path / "probe", port_listener.listener(0)
    port = int(listener.getsockname()[1])
    file.write_text("x", encoding="ascii")
    process = port_listener.start([listener], TOKEN, (str(file), UID, GID), HELD)
    kept.append(process)

    assert network.connect("127.0.0.1", port, TOKEN, PATIENCE) == ""
    assert network.connect("127.0.0.1", port, "other", PATIENCE) == "somebody else answers there"
    assert file.exists()
    assert port_listener.end(process["pid"], process["start"], PATIENCE)
    assert not file.exists()
    assert network.connect("127.0.0.1", port, TOKEN, PATIENCE) == "Connection refused"
    # Nothing waits in the kernel either: the service can listen at once, without SO_REUSEADDR.
    with socket.socket() as service:
        service.bind(("127.0.0.1", port))


def test_it_lets_go_by_itself(tmp_path: Path, kept: list[dict[str, Any]]) -> None:
    file, listener = tmp_path / "probe", port_listener.listener(0)
    port = int(listener.getsockname()[1])
    file.write_text("x", encoding="ascii")
    process = port_listener.start([listener], TOKEN, (str(file), UID, GID), 0.3)
    kept.append(process)
    wait_until(lambda: port_listener.start_time(process["pid"]) != process["start"], "the end of the process")
    assert not file.exists()
    assert network.connect("127.0.0.1", port, "", PATIENCE) == "Connection refused"


def test_no_descriptor_of_the_run_stays_open() -> None:
    code = (
        f"import json, sys; sys.path[:0] = {[one for one in sys.path if one]!r}\n"
        "from ansible_collections.ivy.cluster.plugins.module_utils.preflight import port_listener\n"
        "print(json.dumps(port_listener.start([], 'x', None, 1000)))"
    )
    # It would wait for the end of the output of a process that keeps it open.
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=PATIENCE)
    process = json.loads(done.stdout)
    assert port_listener.end(process["pid"], process["start"], PATIENCE)


def test_a_client_that_says_nothing_blocks_nobody_for_long(
    kept: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(port_listener, "_CLIENT_SECONDS", 0.1)
    listener = port_listener.listener(0)
    port = int(listener.getsockname()[1])
    kept.append(port_listener.start([listener], TOKEN, None, HELD))
    with socket.create_connection(("127.0.0.1", port)):
        assert network.connect("127.0.0.1", port, TOKEN, PATIENCE) == ""


def test_another_process_with_the_same_number_is_left_alone() -> None:
    with subprocess.Popen(["sleep", "1000"]) as other:
        assert port_listener.end(other.pid, "1", PATIENCE)
        assert other.poll() is None
        other.kill()
    assert port_listener.end(0, "", PATIENCE)


def test_a_process_that_holds_ports_is_known_by_its_mark(marks: Path, kept: list[dict[str, Any]]) -> None:
    assert port_listener.others() == []
    process = port_listener.start([port_listener.listener(0)], TOKEN, None, HELD)
    kept.append(process)
    assert [one.name for one in marks.iterdir()] == [f"ivy-preflight-{process['pid']}-{process['start']}"]
    assert port_listener.wait_for_others(0) == [process["pid"]]
    assert port_listener.end(process["pid"], process["start"], PATIENCE)
    assert list(marks.iterdir()) == []
    # One that holds a file only is in nobody's way.
    kept.append(port_listener.start([], TOKEN, None, HELD))
    assert list(marks.iterdir()) == []


def test_the_mark_of_a_process_that_was_killed_deceives_nobody(marks: Path, kept: list[dict[str, Any]]) -> None:
    process = port_listener.start([port_listener.listener(0)], TOKEN, None, HELD)
    kept.append(process)
    os.kill(process["pid"], signal.SIGKILL)
    wait_until(lambda: port_listener.start_time(process["pid"]) != process["start"], "the end of the process")
    (marks / f"ivy-preflight-{os.getpid()}-1").touch()
    (marks / "ivy-preflight-of-somebody").touch()
    assert port_listener.others() == []
    assert [one.name for one in marks.iterdir()] == ["ivy-preflight-of-somebody"]


def test_a_process_that_lets_go_soon_is_awaited(kept: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    process = port_listener.start([port_listener.listener(0)], TOKEN, None, HELD)
    kept.append(process)
    assert port_listener.others() == [process["pid"]]
    naps: list[float] = []

    def nap(seconds: float) -> None:
        naps.append(seconds)
        os.kill(process["pid"], signal.SIGTERM)
        wait_until(lambda: port_listener.start_time(process["pid"]) != process["start"], "the end of the process")

    monkeypatch.setattr(port_listener, "time", types.SimpleNamespace(monotonic=time.monotonic, sleep=nap))
    assert port_listener.wait_for_others(PATIENCE) == []
    assert len(naps) == 1


def test_a_process_that_does_not_let_go_is_not_awaited_for_ever(kept: list[dict[str, Any]], clock: Clock) -> None:
    process = port_listener.start([port_listener.listener(0)], TOKEN, None, HELD)
    kept.append(process)
    assert port_listener.wait_for_others(60) == [process["pid"]]
    assert sum(clock.naps) == pytest.approx(60, abs=1)


GIVEN: dict[str, Any] = {
    "names": [],
    "paths": [],
    "installed": {},
    "packages": [],
    "share": None,
    "trust_file": "",
    "time_zone": "",
    "locale": "C.UTF-8",
    "token": TOKEN,
    "seconds": 60,
}


def test_another_preflight_is_no_foreign_program(
    nothing_runs: None, kept: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preflight_facts, "_OTHERS_SECONDS", 0)
    listener = port_listener.listener(0)
    wanted = {"port": int(listener.getsockname()[1]), "addresses": ["*"], "unit": "", "listen": True}
    process = port_listener.start([listener], TOKEN, None, HELD)
    kept.append(process)
    with socket.create_server(("127.0.0.1", 0)) as foreign:
        other = {**wanted, "port": int(foreign.getsockname()[1])}
        seen = preflight_facts.look({**GIVEN, "ports": [wanted, other, {**wanted, "port": free_port()}]})
        assert seen["under_way"] == [process["pid"]]
        assert [[one["pid"] for one in state["holders"]] for state in seen["ports"]] == [[], [os.getpid()], []]
        assert (seen["listening"], "listener" in seen) == ([], False)
    assert port_listener.end(process["pid"], process["start"], PATIENCE)
    seen = preflight_facts.look({**GIVEN, "ports": [wanted]})
    kept.append(seen["listener"])
    assert (seen["under_way"], seen["listening"]) == ([], [wanted["port"]])


def test_what_the_kernel_hides_of_another_preflight_is_left_out_too() -> None:
    root, ivy = {"pid": 0, "user": "root"}, {"pid": 0, "user": "ivy"}
    seen = [{"holders": [root, ivy, {"pid": 7, "user": "root"}, {"pid": 8, "user": "root"}]}]
    ports.without(seen, [7])
    assert seen == [{"holders": [ivy, {"pid": 8, "user": "root"}]}]


# --- ports


def test_who_holds_a_port(nothing_runs: None) -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = int(held.getsockname()[1])
        (seen,) = ports.look([{"port": port, "addresses": ["*"], "unit": "axonivy-engine.service"}])
        (holder,) = seen["holders"]
        assert holder["pid"] == os.getpid()
        assert holder["program"]
        # Another address is no conflict.
        (seen,) = ports.look([{"port": port, "addresses": ["192.0.2.1"], "unit": ""}])
        assert seen["holders"] == []
    (seen,) = ports.look([{"port": port, "addresses": ["*"], "unit": "axonivy-engine.service"}])
    assert seen == {"port": port, "holders": [], "quiet": True, "local_only": False}


@pytest.mark.parametrize(("address", "local"), [("127.0.0.1", True), ("127.0.1.1", True), ("0.0.0.0", False)])
def test_whether_only_this_host_reaches_a_service(nothing_runs: None, address: str, local: bool) -> None:
    with socket.create_server((address, 0)) as held:
        port = int(held.getsockname()[1])
        (seen,) = ports.look([{"port": port, "addresses": ["*"], "unit": ""}])
    assert (len(seen["holders"]), seen["local_only"]) == (1, local)


@pytest.mark.parametrize(
    ("held", "wanted", "conflict"),
    [
        ("0.0.0.0", {"192.0.2.1"}, True),
        ("::", {"192.0.2.1"}, True),
        ("127.0.0.1", {"*"}, True),
        ("192.0.2.1", {"127.0.0.1", "192.0.2.1"}, True),
        ("127.0.0.1", {"192.0.2.1"}, False),
    ],
)
def test_when_two_listeners_are_in_each_others_way(held: str, wanted: set[str], conflict: bool) -> None:
    assert ports.conflicts(held, wanted) is conflict


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("0::/system.slice/haproxy.service\n", "haproxy.service"),
        ("0::/system.slice/system-postgresql.slice/postgresql@15-main.service", "postgresql@15-main.service"),
        ("12:cpu:/docker/ab\n1:name=systemd:/docker/ab\n0::/docker/ab/system.slice/nginx.service\n", "nginx.service"),
        ("0::/system.slice/docker-ab.scope/system.slice/nginx.service", "nginx.service"),
        ("0::/user.slice/user-1000.slice/session-3.scope\n", "session-3.scope"),
        ("0::/\n", ""),
        ("", ""),
    ],
)
def test_the_unit_of_a_process(text: str, unit: str) -> None:
    assert ports.unit_of(text) == unit


def test_where_the_kernel_hides_who_holds_a_port() -> None:
    ours, other = {"unit": "haproxy.service", "pid": 5}, {"unit": "nginx.service", "pid": 6}
    assert ports.likely([other, ours], "haproxy.service", 0) == ours
    assert ports.likely([other], "haproxy.service", 0) == other
    assert ports.likely([other, dict(other, pid=9)], "haproxy.service", 0)["pid"] == 0
    # What root opened, it may have handed on.
    hidden = {102: [5], 1200: [6]}
    assert ports.may_hold(hidden, 0) == [5, 6]
    assert ports.may_hold(hidden, 1200) == [6]


def test_nobody_takes_the_port_of_a_service_that_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    starting = units.nothing("axonivy-engine.service")._replace(known=True, active="activating")
    monkeypatch.setattr(units, "show", lambda _name: starting)
    wanted = [{"port": free_port(), "addresses": ["*"], "unit": "axonivy-engine.service", "listen": True}]
    seen = ports.look(wanted)
    assert seen[0]["quiet"] is False
    assert preflight_facts.listeners(wanted, seen) == []


def test_only_free_ports_that_others_try_are_listened_on(nothing_runs: None) -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        wanted = [
            {"port": int(held.getsockname()[1]), "addresses": ["*"], "unit": "", "listen": True},
            {"port": free_port(), "addresses": ["*"], "unit": "", "listen": False},
            {"port": free_port(), "addresses": ["*"], "unit": "", "listen": True},
        ]
        opened = preflight_facts.listeners(wanted, ports.look(wanted))
        assert [port for port, _socket in opened] == [wanted[2]["port"]]
        for _port, one in opened:
            one.close()


# --- the share


def test_each_node_sees_what_another_wrote(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    wrote = share.write(str(tmp_path), str(tmp_path / "data"), TOKEN, "engine1", UID, GID)
    assert (wrote["error"], wrote["made"]) == ("", True)
    file = {"name": "engine1", "token": TOKEN, **{key: wrote[key] for key in ("path", "uid", "gid")}}
    assert share.see_all([file], 0) == {"engine1": {"found": True, "error": "", "uid": UID, "gid": GID}}
    assert share.see_all([{**file, "token": "other"}], 0)["engine1"]["found"] is False
    assert share.remove(wrote["path"], UID, GID) == ""
    assert share.see_all([file], 0) == {"engine1": {"found": False, "error": ""}}
    assert share.remove(wrote["path"], UID, GID) == ""


def test_a_share_without_the_directory_is_tried_where_it_is_mounted(tmp_path: Path) -> None:
    wrote = share.write(str(tmp_path), str(tmp_path / "data"), TOKEN, "engine1", UID, GID)
    assert (wrote["directory"], wrote["made"], wrote["error"]) == (str(tmp_path), False, "")
    wrote = share.write(str(tmp_path / "none"), str(tmp_path / "none/data"), TOKEN, "engine1", UID, GID)
    assert (wrote["path"], wrote["error"]) == ("", "it does not exist")


def test_a_directory_that_lets_nobody_write(tmp_path: Path) -> None:
    if UID == 0:
        directory, uid = tmp_path, 65534
        os.chmod(tmp_path, 0o755)
    else:
        directory, uid = tmp_path / "data", UID
        directory.mkdir(mode=0o500)
    wrote = share.write(str(tmp_path), str(directory), TOKEN, "engine1", uid, uid)
    assert wrote["error"] == "Permission denied"
    assert list(directory.iterdir()) == []


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(TOKEN, encoding="ascii")
    (tmp_path / "link").symlink_to("secret")
    assert share.see(str(tmp_path / "link"), TOKEN, UID, GID) == {"found": False, "error": "it is no file"}


def test_a_file_that_comes_late_is_awaited(tmp_path: Path, clock: Clock) -> None:
    file = tmp_path / "late"
    wanted = [{"name": "engine1", "path": str(file), "token": TOKEN, "uid": UID, "gid": GID}]
    assert not share.see_all(wanted, 60)["engine1"]["found"]
    assert sum(clock.naps) == pytest.approx(60, abs=1)
    clock.naps.clear()
    clock.meanwhile = lambda: file.write_text(TOKEN, encoding="ascii")
    assert share.see_all(wanted, 60)["engine1"]["found"]
    assert len(clock.naps) == 1


MOUNTS = r"""
22 1 0:20 / / rw - ext4 /dev/sda1 rw
23 22 0:21 / /srv rw - ext4 /dev/sdb1 rw
24 23 0:22 / /srv/ivy rw,noexec shared:5 - nfs4 nas:/ivy rw
25 22 0:23 / /srv/with\040blank rw - tmpfs none rw
26 24 0:24 / /srv/ivy rw - tmpfs over rw
"""


@pytest.mark.parametrize(
    ("path", "target", "source"),
    [
        ("/srv/ivy", "/srv/ivy", "over"),
        ("/srv/ivy/data", "/srv/ivy", "over"),
        ("/srv/ivycluster", "/srv", "/dev/sdb1"),
        ("/srv/with blank/x", "/srv/with blank", "none"),
        ("/opt", "/", "/dev/sda1"),
    ],
)
def test_the_mount_of_a_path(path: str, target: str, source: str) -> None:
    found = share.mount_of(path, MOUNTS)
    assert (found["target"], found["source"]) == (target, source)


# --- whom the host reaches, and by which name


def test_all_targets_are_tried(nothing_runs: None) -> None:
    with socket.create_server(("127.0.0.1", 0)) as open_port:
        target = {"address": "127.0.0.1", "token": "", "linked_is_enough": False}
        closed = {**target, "port": free_port()}
        tried = [{**target, "port": int(open_port.getsockname()[1])}, closed, {**closed, "address": "no-such.invalid"}]
        reached = network.reach(tried, PATIENCE)
    assert reached[:2] == ["", "Connection refused"]
    assert reached[2] != ""


def test_a_connection_that_is_there_is_enough_where_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "connect", lambda *_args: "tried")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = int(server.getsockname()[1])
        target = {"address": "127.0.0.1", "port": port, "token": ""}
        assert network.reach([{**target, "linked_is_enough": True}], PATIENCE) == ["tried"]
        with socket.create_connection(("127.0.0.1", port)):
            assert network.reach([{**target, "linked_is_enough": True}], PATIENCE) == [""]
            assert network.reach([{**target, "linked_is_enough": False}], PATIENCE) == ["tried"]


def test_a_name_that_nobody_knows_has_no_address() -> None:
    assert network.resolve_all(["127.0.0.1", "no-such.invalid"]) == {"127.0.0.1": ["127.0.0.1"], "no-such.invalid": []}


# --- the host itself


def test_the_distribution() -> None:
    text = 'PRETTY_NAME="Debian"\nID=debian\nVERSION_ID="12"\n# a comment\n'
    assert system.release(text) == {"id": "debian", "version": "12"}
    assert system.release("") == {"id": "", "version": ""}


def test_memory_and_time_zone() -> None:
    assert system.memory_mb("MemFree: 1 kB\nMemTotal:       8048576 kB\n") == 7859
    assert system.memory_mb("") == 0
    assert system.time_zone("/usr/share/zoneinfo/Europe/Zurich", "") == "Europe/Zurich"
    assert system.time_zone("../usr/share/zoneinfo/Etc/UTC", "") == "Etc/UTC"
    assert system.time_zone("", "Asia/Tokyo\n") == "Asia/Tokyo"


def test_locales() -> None:
    assert system.has_locale("C")
    assert not system.has_locale("xx_NOWHERE.UTF-8")


def test_accounts() -> None:
    found = system.accounts("root", "no-such-group", 0, 4294967)
    assert found == {"uid": 0, "gid": None, "name_of_uid": "root", "name_of_gid": ""}


def test_what_is_unpacked_is_found_by_its_pattern(tmp_path: Path) -> None:
    (tmp_path / "7.17.28-abc").mkdir()
    patterns = {"here": f"{tmp_path}/7.17.28-*", "another": f"{tmp_path}/7.17.2-*", "exact": f"{tmp_path}/7.17.28-abd"}
    assert disk.there(patterns) == {"here": True, "another": False, "exact": False}


def test_room_is_that_of_the_directory_that_will_hold_it(tmp_path: Path) -> None:
    later = disk.look(str(tmp_path / "a/b/c"))
    now = disk.look(str(tmp_path))
    assert later["path"] == str(tmp_path / "a/b/c")
    assert {key: later[key] for key in ("device", "size_mb", "read_only")} == {
        key: now[key] for key in ("device", "size_mb", "read_only")
    }
    assert not (tmp_path / "a").exists()


# --- packages


def test_states_of_packages() -> None:
    text = "haproxy\tinstall ok installed\nunzip\thold ok installed\nold\tdeinstall ok config-files\nbroken line\n"
    assert packages.states(text) == {"haproxy": "installed", "unzip": "held", "old": "config-files"}


def test_candidates() -> None:
    text = (
        "haproxy:\n  Installed: (none)\n  Candidate: 2.6.12-1\n  Version table:\n     2.6.12-1 500\n"
        "virtual:\n  Installed: (none)\n  Candidate: (none)\n"
    )
    assert packages.candidates(text) == {"haproxy": "2.6.12-1", "virtual": ""}


def test_automatic_upgrades() -> None:
    text = 'APT::Periodic::Unattended-Upgrade "1";\nUnattended-Upgrade::Package-Blacklist:: "haproxy";\nA::B "c";\n'
    assert packages.upgrades(text) == {"enabled": True, "blacklist": ["haproxy"]}
    assert packages.upgrades('APT::Periodic::Unattended-Upgrade "0";')["enabled"] is False
    assert packages.upgrades("") == {"enabled": False, "blacklist": []}


def test_a_host_without_apt_has_nothing_to_install() -> None:
    with contextlib.ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setattr(packages, "_output", lambda *_arguments: None)
        found = packages.look(["haproxy"])
    assert found["missing"] == ["haproxy"]
    assert found["upgrades"]["enabled"] is False
