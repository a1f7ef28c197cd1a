# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What may end a start for good, and what is waited for without end."""

from __future__ import annotations

import errno
import json
import os
import signal
import socket
import threading
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.ivy.cluster.plugins.module_utils.node.agent import start as record_start
from ansible_collections.ivy.cluster.plugins.module_utils.node.cluster import record
from ansible_collections.ivy.cluster.plugins.module_utils.node.engine import (
    database,
    firewall,
    mounts,
    start_state,
    unit,
)
from ansible_collections.ivy.cluster.plugins.module_utils.node.files import accounts, bounded
from ansible_collections.ivy.cluster.plugins.module_utils.node.files.errors import NodeError, PermanentError
from ansible_collections.ivy.cluster.plugins.module_utils.node.store.store import Store

# What hangs never answers, so the verdict is the same however slow the machine is.
NO_TIME = 0.2


class Enough(Exception):
    """A test has seen enough of a wait that has no end."""


class Clock:
    """Counts how long an attempt would have slept."""

    def __init__(self, limit: int) -> None:
        self.slept: list[float] = []
        self.limit = limit
        self.wakes: dict[int, t.Callable[[], t.Any]] = {}

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.wakes.get(len(self.slept), lambda: None)()
        if len(self.slept) >= self.limit:
            # Not an Exception, which the attempt would take for one more reason to wait.
            raise KeyboardInterrupt


class Starter:
    """A node whose release the cluster wants, and attempts to start it."""

    def __init__(self, node: t.Any) -> None:
        self.node = node
        self.release = node.build({"engine:configuration/ivy.yaml": node.File(b"A: 1\n", "yaml", "keys")})
        node.apply(self.release)
        node.record.mkdir()
        self.want(self.release.id)
        self.settings: dict[str, t.Any] = {
            "store": str(node.store),
            "user": str(os.geteuid()),
            "group": str(os.getegid()),
            "node": "n1",
            "cluster": "demo",
            "unit": "engine.service",
            "record_directory": str(node.record),
        }
        self.file = node.environment / "node.json"
        self.write()

    def want(self, release: str, cluster: str = "demo") -> None:
        value = {**record.empty(cluster), "desired_release": release}
        record.write(str(self.node.record), value, os.geteuid(), os.getegid())

    def write(self, **more: t.Any) -> None:
        self.settings.update(more)
        self.file.parent.mkdir(exist_ok=True)
        self.file.write_text(json.dumps(self.settings), encoding="utf-8")

    def attempt(self, clock: Clock) -> int | None:
        """The exit status; None where it still waits when the test has seen enough."""
        try:
            return record_start.Attempt(str(self.file), str(self.node.run), clock.sleep).run()
        except KeyboardInterrupt:
            return None

    @property
    def state(self) -> start_state.StartState:
        found = start_state.read(str(self.node.run))
        assert found is not None
        return found


@pytest.fixture
def starter(node: t.Any) -> Starter:
    return Starter(node)


def test_a_node_with_all_it_needs_starts_at_once(starter: Starter) -> None:
    clock = Clock(1)
    assert starter.attempt(clock) == 0
    assert clock.slept == []
    assert (starter.state.state, starter.state.reason) == ("started", "")
    assert (starter.node.run / "start.json").stat().st_mode & 0o777 == 0o644


# --- never

NEVER: dict[str, tuple[t.Callable[[Starter], t.Any], str]] = {
    "another release is wanted": (lambda one: one.want("b" * 32), "the cluster wants"),
    "the record of another cluster": (lambda one: one.want(one.release.id, "other"), "belongs to cluster other"),
    "a damaged record": (lambda one: (one.node.record / "record.json").write_text("{"), "record is damaged"),
    "a record of another kind": (lambda one: (one.node.record / "record.json").write_text("[]"), "record is damaged"),
    "a newer record": (lambda one: (one.node.record / "record.json").write_text('{"format": 99}'), "newer version"),
    "no settings": (lambda one: one.file.unlink(), "is missing or damaged"),
    "damaged settings": (lambda one: one.file.write_text("{"), "is missing or damaged"),
    "no environment": (lambda one: one.write(required_files=["/none/shared.env"]), "/none/shared.env is missing"),
    "an activation cut off": (
        lambda one: (one.node.store / "intent.json").write_text('{"release": "%s"}' % ("b" * 32)),
        "was interrupted",
    ),
    "nothing applied": (lambda one: (one.node.store / "applied.json").unlink(), "No release was ever applied"),
    "a damaged store": (lambda one: (one.node.store / "applied.json").write_text("{"), "The store is damaged"),
}


@pytest.mark.parametrize("name", NEVER)
def test_what_only_a_person_can_remove_ends_the_start(
    starter: Starter, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    cause, words = NEVER[name]
    cause(starter)
    clock = Clock(1)
    assert starter.attempt(clock) == 1
    assert clock.slept == []
    assert starter.state.state == "refused"
    assert words in starter.state.reason
    assert words in capsys.readouterr().err


# --- not now


def lacks_record(one: Starter, _monkeypatch: pytest.MonkeyPatch) -> None:
    (one.node.record / "record.json").unlink()


def lacks_directory(one: Starter, _monkeypatch: pytest.MonkeyPatch) -> None:
    one.write(record_directory=str(one.node.base / "away"))


def lacks_user(one: Starter, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(_name: str) -> int:
        raise NodeError("The user ivy does not exist on this host.")

    monkeypatch.setattr(accounts, "uid_of", unknown)


def is_activating(one: Starter, monkeypatch: pytest.MonkeyPatch) -> None:
    (one.node.store / "intent.json").write_text('{"release": "%s"}' % ("b" * 32))
    monkeypatch.setattr(Store, "busy", lambda _store: True)


def has_a_bug(one: Starter, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_arguments: t.Any) -> t.Any:
        raise KeyError("nothing")

    monkeypatch.setattr(record_start, "settings_from", broken)


def no_database(one: Starter, _monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    one.write(database={"address": "127.0.0.1", "port": port, "name": "d", "user": "u"})


def no_name_service(one: Starter, _monkeypatch: pytest.MonkeyPatch) -> None:
    one.write(database={"address": "no.such.host.invalid", "port": 5432, "name": "d", "user": "u"})


def lacks_store(one: Starter, _monkeypatch: pytest.MonkeyPatch) -> None:
    one.node.store.rename(one.node.base / "away")


def lacks_contents_of_store(one: Starter, monkeypatch: pytest.MonkeyPatch) -> None:
    lacks_store(one, monkeypatch)
    one.node.store.mkdir(mode=0o700)


def lacks_firewall(one: Starter, monkeypatch: pytest.MonkeyPatch) -> None:
    nft = one.node.base / "nft"
    nft.write_text("#!/bin/sh\necho 'Error: No such file or directory' >&2\nexit 1\n")
    nft.chmod(0o755)
    monkeypatch.setattr(firewall, "_NFT", str(nft))
    one.write(firewall_table="ivy_engine")


def lacks_a_chain(one: Starter, monkeypatch: pytest.MonkeyPatch) -> None:
    nft = one.node.base / "nft"
    nft.write_text(
        "#!/bin/sh\necho 'table inet x { chain input { tcp dport { 7800 } jump cluster comment \"http\" } }'\n"
    )
    nft.chmod(0o755)
    monkeypatch.setattr(firewall, "_NFT", str(nft))
    one.write(firewall_table="ivy_engine", firewall_chains=["cluster", "http"])


def lacks_nftables(one: Starter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(firewall, "_NFT", str(one.node.base / "nft"))
    one.write(firewall_table="ivy_engine")


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        (lacks_store, "is missing or empty"),
        (lacks_contents_of_store, "is missing or empty"),
        (lacks_firewall, "The rules of the firewall's table ivy_engine are not in force"),
        (lacks_nftables, "The rules of the firewall's table ivy_engine are not in force"),
        (lacks_a_chain, "any host could reach ports of the engine (it does not use the chain http)"),
        (lacks_record, "There is no cluster record"),
        (lacks_directory, "There is no cluster record"),
        (lacks_user, "does not exist"),
        (is_activating, "A run is activating a release"),
        (has_a_bug, "KeyError"),
        (no_database, "does not take connections: Connection refused"),
        (no_name_service, "does not take connections: "),
    ],
)
def test_what_may_pass_is_waited_for_without_end(
    starter: Starter,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    cause: t.Callable[[Starter, pytest.MonkeyPatch], None],
    words: str,
) -> None:
    cause(starter, monkeypatch)
    clock = Clock(12)
    assert starter.attempt(clock) is None
    assert (starter.state.state, words in starter.state.reason) == ("waiting", True), starter.state
    # Once in an attempt, however often it is seen.
    assert capsys.readouterr().err.count("is not started yet") == 1
    assert clock.slept[-1] > 4 * clock.slept[0]
    assert max(clock.slept) < 10


PERMANENT = {errno.ELOOP, errno.ENOENT, errno.ENOTDIR}


@pytest.mark.parametrize("number", sorted(set(errno.errorcode) - PERMANENT))
def test_no_error_of_the_operating_system_ends_the_start(
    starter: Starter, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """By rule and not by a list: whatever number the share answers a reader with, the node waits."""

    def fail(*_arguments: t.Any) -> t.Any:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(record, "read_at", fail)
    assert starter.attempt(Clock(1)) is None
    assert starter.state.state == "waiting"
    assert os.strerror(number) in starter.state.reason


def test_the_engine_starts_once_its_firewall_does(starter: Starter, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, ...]] = []

    def systemctl(*arguments: str, **_named: t.Any) -> str:
        asked.append(arguments)
        return ""

    monkeypatch.setattr(firewall, "systemctl", systemctl)
    lacks_firewall(starter, monkeypatch)
    clock = Clock(10)
    clock.wakes[3] = lambda: (starter.node.base / "nft").write_text("#!/bin/sh\nexit 0\n")
    assert starter.attempt(clock) == 0
    assert len(clock.slept) == 3
    assert asked == [("restart", "--no-block", "--", "ivy-engine-firewall.service")] * 3


def test_nft_that_hangs_is_not_waited_for(starter: Starter, monkeypatch: pytest.MonkeyPatch) -> None:
    lacks_firewall(starter, monkeypatch)
    (starter.node.base / "nft").write_text("#!/bin/sh\nexec sleep 60\n")
    monkeypatch.setattr(firewall, "_SECONDS", NO_TIME)
    assert starter.attempt(Clock(1)) is None
    assert "does not answer" in starter.state.reason


def test_the_record_appears_while_it_is_waited_for(starter: Starter) -> None:
    (starter.node.record / "record.json").unlink()
    clock = Clock(10)
    clock.wakes[3] = lambda: starter.want(starter.release.id)
    assert starter.attempt(clock) == 0
    assert len(clock.slept) == 3
    assert starter.state.state == "started"


def test_an_activation_that_ends_during_a_look_was_not_cut_off(
    starter: Starter, monkeypatch: pytest.MonkeyPatch
) -> None:
    intent = starter.node.store / "intent.json"
    intent.write_text('{"release": "%s"}' % ("b" * 32))

    def busy(_store: Store) -> bool:
        intent.unlink()
        return False

    monkeypatch.setattr(Store, "busy", busy)
    clock = Clock(2)
    assert starter.attempt(clock) == 0
    assert len(clock.slept) == 1


@pytest.mark.parametrize("length", [1, 1 << 17])
def test_what_others_wrote_stays_on_one_line_of_bounded_length(
    starter: Starter, capsys: pytest.CaptureFixture[str], length: int
) -> None:
    starter.want(starter.release.id, "\n\x1b[2J" + "x" * length)
    assert starter.attempt(Clock(1)) == 1
    assert "belongs to cluster ??[2Jx" in starter.state.reason
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1
    assert len(printed) < 4000


def test_an_unreadable_disk_is_not_a_missing_setting(starter: Starter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record_start, "read_json_file", lambda _path: None)
    starter.file.unlink()
    starter.file.mkdir()
    assert starter.attempt(Clock(1)) is None
    assert starter.state.state == "waiting"


def test_since_when_it_waits_outlasts_an_attempt(starter: Starter, monkeypatch: pytest.MonkeyPatch) -> None:
    (starter.node.record / "record.json").unlink()
    monkeypatch.setattr(time, "time", lambda: 1000.0)
    starter.attempt(Clock(1))
    monkeypatch.setattr(time, "time", lambda: 2000.0)
    starter.attempt(Clock(1))
    assert starter.state.since == "1970-01-01T00:16:40Z"


def test_a_reason_that_cannot_be_written_keeps_nobody_from_starting(
    starter: Starter, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_arguments: t.Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(start_state, "write", full)
    assert starter.attempt(Clock(1)) == 0


# --- an engine that ends again and again


def test_an_engine_that_ends_early_is_started_less_and_less_often(
    starter: Starter, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses = []
    for restarts in range(9):
        monkeypatch.setattr(
            record_start, "show", lambda _name, restarts=restarts: starter.node.unit()._replace(restarts=restarts)
        )
        clock = Clock(2)
        assert starter.attempt(clock) == 0
        pauses.append(sum(clock.slept))
        assert starter.state.failures == restarts
    assert pauses[:2] == [0, 0]
    assert sorted(pauses) == pauses
    assert pauses[-1] == pauses[-2] == 30
    # A start by hand waits for nothing.
    monkeypatch.setattr(record_start, "show", starter.node.unit)
    clock = Clock(1)
    assert starter.attempt(clock) == 0
    assert starter.state.failures == 0


def test_a_wait_does_not_count_as_an_end_and_a_long_run_resets_the_count() -> None:
    started = start_state.StartState("started", "", "", 1000.0, 3)
    assert start_state.failures_before(started, 9, 1010.0) == 4
    assert start_state.failures_before(started, 9, 5000.0) == 0
    assert start_state.failures_before(started, 0, 1010.0) == 0
    assert start_state.failures_before(started._replace(state="waiting"), 9, 1010.0) == 3
    assert start_state.failures_before(None, 9, 1010.0) == 0


def test_early_ends_matter_until_the_engine_has_run_for_long() -> None:
    started = start_state.StartState("started", "", "", 1000.0, 3)
    assert start_state.failures_now(started, 1010.0) == 3
    assert start_state.failures_now(started, 1000.0 + start_state.EARLY_SECONDS) == 0
    assert start_state.failures_now(started._replace(state="pausing"), 5000.0) == 3


def test_a_manual_start_between_two_attempts_resets_the_count(
    starter: Starter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then systemd keeps its count. The gate would see too many early ends of an engine that is on its way."""
    monkeypatch.setattr(record_start, "show", lambda _name: starter.node.unit()._replace(restarts=7))
    start_state.write(start_state.StartState("started", "", "", time.time() - 5, 6), str(starter.node.run))
    assert starter.attempt(Clock(2)) == 0
    assert starter.state.failures == 7

    clock = Clock(1)
    assert starter.attempt(clock) == 0
    assert (clock.slept, starter.state.failures) == ([], 0)


@pytest.mark.parametrize("content", ["", "[]", "{", '{"format": 1}', '{"format": 1, "state": "odd"}'])
def test_a_damaged_state_is_ignored(tmp_path: Path, content: str) -> None:
    (tmp_path / "start.json").write_text(content)
    assert start_state.read(str(tmp_path)) is None
    assert start_state.read(str(tmp_path / "none")) is None


# --- calls that hang


def test_a_call_that_hangs_ends_in_time_and_leaves_no_process() -> None:
    with pytest.raises(TimeoutError, match="no answer within 0 seconds"):
        bounded.call(signal.pause, NO_TIME)
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


@pytest.mark.parametrize("error", [PermanentError("for good"), NodeError("not now")])
def test_an_error_of_a_bounded_call_keeps_its_kind(error: NodeError) -> None:
    def fail() -> None:
        raise error

    with pytest.raises(NodeError) as caught:
        bounded.call(fail, 60)
    assert (type(caught.value), str(caught.value)) == (type(error), str(error))


def test_other_errors_of_a_bounded_call_are_errors_of_the_system() -> None:
    def stale() -> None:
        raise OSError(errno.ESTALE, "Stale file handle")

    with pytest.raises(OSError, match="Stale file handle") as caught:
        bounded.call(stale, 60)
    assert caught.value.errno == errno.ESTALE
    with pytest.raises(OSError, match="ZeroDivisionError"):
        bounded.call(lambda: 1 // 0, 60)
    with pytest.raises(OSError, match="without an answer"):
        bounded.call(lambda: os._exit(3), 60)
    assert bounded.call(lambda: "x" * 200000, 60) == "x" * 200000


def test_a_share_that_hangs_is_named(starter: Starter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "stat", lambda _path: signal.pause())
    with pytest.raises(NodeError, match="does not answer within 0 seconds"):
        record_start.check_share("/srv/ivy", NO_TIME)


# --- mounts

SHOWN = (
    "Id=srv-ivy.mount\nLoadState={load}\nActiveState={active}\nFragmentPath=/run/systemd/generator/srv-ivy.mount\n"
    "SourcePath=/etc/fstab\n\nId=srv.mount\nLoadState=not-found\nActiveState=inactive\nFragmentPath=\nSourcePath=\n"
)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/srv/ivy", "srv-ivy.mount"),
        ("/srv/my-share/", "srv-my\\x2dshare.mount"),
        ("/srv//ä b", "srv-\\xc3\\xa4\\x20b.mount"),
        ("/.snap/.x", "\\x2esnap-.x.mount"),
        ("/", "-.mount"),
    ],
)
def test_the_name_of_a_mount_unit(path: str, name: str) -> None:
    assert mounts.unit_name(path) == name


@pytest.fixture
def systemd(monkeypatch: pytest.MonkeyPatch) -> dict[str, t.Any]:
    reported: dict[str, t.Any] = {"load": "loaded", "active": "active", "calls": []}

    def systemctl(*arguments: str) -> str:
        reported["calls"].append(arguments)
        return SHOWN.format(**reported)

    monkeypatch.setattr(mounts, "systemctl", systemctl)
    return reported


@pytest.mark.parametrize(("active", "asked"), [("failed", True), ("inactive", True), ("activating", False)])
def test_a_share_that_is_not_mounted_is_mounted_again(systemd: dict[str, t.Any], active: str, asked: bool) -> None:
    systemd["active"] = active
    with pytest.raises(NodeError, match=rf"not mounted at /srv/ivy/cluster \(srv-ivy.mount is {active}\)"):
        record_start.check_share("/srv/ivy/cluster")
    assert (("start", "--no-block", "--", "srv-ivy.mount") in systemd["calls"]) is asked


@pytest.mark.parametrize("number", [errno.ENOTCONN, errno.ESTALE])
def test_a_dead_mount_is_remounted(systemd: dict[str, t.Any], monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def dead(_path: str) -> t.Any:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "stat", dead)
    with pytest.raises(NodeError, match=os.strerror(number)):
        record_start.check_share("/srv/ivy/cluster")
    assert systemd["calls"][-1] == ("restart", "--no-block", "--", "srv-ivy.mount")


def test_a_directory_that_systemd_knows_no_mount_of_is_left_to_its_reader(
    systemd: dict[str, t.Any], tmp_path: Path
) -> None:
    systemd["load"] = "not-found"
    record_start.check_share(str(tmp_path))
    record_start.check_share("/srv/ivy/none")
    assert [call[0] for call in systemd["calls"]] == ["show", "show"]


def test_a_mount_that_no_file_defines_is_not_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mounts, "systemctl", lambda *_arguments: pytest.fail("systemd was asked"))
    assert not mounts.start(mounts.Mount("srv-ivy.mount", "inactive", False))


# --- the port and the database


@pytest.mark.parametrize(("address", "taken"), [("0.0.0.0", True), ("127.0.0.1", False)])
def test_a_port_that_is_taken_on_all_addresses_is_waited_for(address: str, taken: bool) -> None:
    with socket.socket() as listener:
        listener.bind((address, 0))
        listener.listen()
        port = listener.getsockname()[1]
        if taken:
            with pytest.raises(NodeError, match=f"Another process listens on port {port}"):
                record_start.check_port(port)
            with pytest.raises(NodeError, match=rf"\(pid {os.getpid()}[,)]"):
                record_start.check_port(port)
        else:
            record_start.check_port(port)
    record_start.check_port(port)


def error(code: str, text: str) -> bytes:
    fields = b"SFATAL\0VFATAL\0C" + code.encode() + b"\0M" + text.encode() + b"\0\0"
    return b"E" + (len(fields) + 4).to_bytes(4, "big") + fields


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (b"R\0\0\0\x08\0\0\0\x0a", ""),
        (error("57P03", "the database system is starting up"), "the database system is starting up"),
        (error("53300", "too many clients already"), "too many clients already"),
        (error("08006", "no connection"), "no connection"),
        # It works, and what it has against the account is for the engine's log.
        (error("28000", "no pg_hba.conf entry"), ""),
        (error("08P01", "SSL required"), ""),
        (error("3D000", "no such database"), ""),
        (b"", "it closes the connection without an answer"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "it does not answer as PostgreSQL does"),
        (b"E\0\0\0\x05\0", "it does not answer as PostgreSQL does"),
    ],
)
def test_what_a_database_answers(answer: bytes, problem: str) -> None:
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with listener.accept()[0] as connection:
                asked.append(connection.recv(4096))
                connection.sendall(answer)

        server = threading.Thread(target=serve)
        server.start()
        found = database.problem("127.0.0.1", listener.getsockname()[1], "ivy", "ivydb", 120)
        server.join()
    assert found == problem
    assert asked[0][4:8] == b"\0\x03\0\0"
    assert b"user\0ivy\0database\0ivydb\0" in asked[0]
    assert len(asked[0]) == int.from_bytes(asked[0][:4], "big")


def test_a_database_that_accepts_and_says_nothing_is_not_waited_for_in_one_check() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        place = {"address": "127.0.0.1", "port": listener.getsockname()[1], "name": "d", "user": "u"}
        with pytest.raises(NodeError, match="does not take connections: "):
            record_start.check_database(place, NO_TIME)


def test_the_program_that_the_unit_starts_waits_where_its_package_cannot_be_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    source = Path(__file__).resolve().parents[6] / "roles/engine/files/record-start"

    def enough(_seconds: float) -> None:
        raise Enough

    monkeypatch.setattr(time, "sleep", enough)
    code = compile(source.read_text(encoding="utf-8"), "record-start", "exec")
    with pytest.raises(Enough):
        exec(code, {"__name__": "__main__", "__file__": str(tmp_path / "record-start")})
    assert "the engine is not started yet. ModuleNotFoundError" in capsys.readouterr().err


def test_the_unit_says_how_its_process_ended() -> None:
    assert unit.parse("e.service", "ExecMainStatus=3\n").exit_status == 3
