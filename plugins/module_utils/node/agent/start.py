# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs before the engine, as root, from the unit's ExecStartPre: ends an activation that was cut off, fences a stale
node, waits for what the engine needs, records what the engine reads.

Two kinds of obstacles: what only a person can remove ends the attempt, and the unit is not started again (exit status
1). Everything else can pass (a file share or a database that is away, an error of the disk, even an error of
this program), so it is waited for. systemd ends an attempt that takes too long and makes the next one, without end.
"""

from __future__ import annotations

import contextlib
import errno
import os
import random
import sys
import time
import typing as t

from ..cluster import fence, record
from ..config.view import View, settings_from
from ..engine import database, firewall, mounts, run_state, sockets, start_state
from ..engine.unit import show, systemctl
from ..files import accounts, bounded
from ..files.errors import NodeError, PermanentError
from ..masking.text import failure
from ..store.store import Store, read_json_file

SETTINGS = "/etc/ivy-cluster/node.json"
# Above the time that a whole check takes by itself, or its own message would never be seen.
_SHARE_SECONDS = 10.0
_DATABASE_SECONDS = 5.0
# The client of a file system has gone, or the server has forgotten the client: only a new mount ends that.
_DEAD_MOUNT = (errno.ENOTCONN, errno.ESTALE)
_ANY_ADDRESS = ("0.0.0.0", "::")
_RUN = "Run: ansible-playbook ivy.cluster.site"
_SYSTEMD_TRIES = "systemd mounts it again"


def log(text: str) -> None:
    sys.stderr.write(f"ivy-cluster: {text}\n")
    sys.stderr.flush()


@contextlib.contextmanager
def _proven() -> t.Iterator[None]:
    """What this package finds wrong with its own files lasts; an error of the operating system may pass."""
    try:
        yield
    except NodeError as exc:
        raise PermanentError(str(exc)) from exc


def _settings(path: str) -> dict[str, t.Any]:
    with _proven():
        node = read_json_file(path)
    if node is None:
        # Missing or damaged, or the disk does not let us read it just now.
        with contextlib.suppress(FileNotFoundError), open(path, "rb") as stream:
            stream.read()
        raise PermanentError(f"{path} is missing or damaged. {_RUN} --limit <this node>")
    return node


def _exists(path: str) -> bool:
    """An error other than that it is missing proves nothing, and is raised."""
    try:
        os.stat(path)
    except FileNotFoundError:
        return False
    return True


def check_files(paths: t.Iterable[t.Any], run: str) -> None:
    """The files without which the engine would start with other settings than the cluster's."""
    missing = [str(path) for path in paths if not _exists(str(path))]
    if missing:
        raise PermanentError(f"{', '.join(missing)} is missing, so the engine would lack its settings. {run}")


def check_share(directory: str, seconds: float = _SHARE_SECONDS) -> None:
    """Whether the file system of a directory is mounted and answers; where it is not, systemd is asked to mount it."""
    mount = mounts.holding(directory)
    if mount is not None and mount.active != "active":
        again = f"; {_SYSTEMD_TRIES}" if mounts.start(mount) else ""
        raise NodeError(f"The file share is not mounted at {directory} ({mount.unit} is {mount.active}){again}.")
    try:
        bounded.call(lambda: os.stat(directory).st_mode, seconds)
    except OSError as exc:
        if isinstance(exc, TimeoutError):
            raise NodeError(
                f"The file share at {directory} does not answer within {seconds:.0f} seconds. Check its server."
            ) from exc
        if exc.errno in _DEAD_MOUNT:
            again = f"; {_SYSTEMD_TRIES}" if mount is not None and mounts.start(mount, restart=True) else ""
            raise NodeError(f"The file share at {directory} does not answer ({exc.strerror}){again}.") from exc
        # Root may have no rights there. The engine's user reads next and reports errors.


def check_port(port: int, proc: str = "/proc") -> None:
    """Whether another process has the engine's port on all addresses, so that no engine could listen there."""
    for table in ("tcp", "tcp6"):
        with contextlib.suppress(FileNotFoundError), open(f"{proc}/net/{table}", encoding="ascii") as stream:
            for one in sockets.parse(stream.read()):
                if one.state == sockets.LISTEN and one.local_port == port and one.local_address in _ANY_ADDRESS:
                    others = ", ".join(sockets.holders(port, proc))
                    raise NodeError(
                        f"Another process listens on port {port}: {others}. Stop it, or change ivy_http_port."
                    )


def check_firewall(table: str, chains: t.Sequence[str] = ()) -> None:
    """Whether the engine's ports are closed to other hosts; where they are not, systemd is asked to close them."""
    problem = firewall.problem(table, chains)
    if problem:
        again = "; systemd loads it again" if firewall.start(table) else ""
        raise NodeError(
            f"The rules of the firewall's table {table} are not in force, so any host could reach ports of the engine "
            f"({problem}){again}. For the reason run: journalctl -u {firewall.unit_name(table)}"
        )


def check_database(place: t.Mapping[str, t.Any], seconds: float = _DATABASE_SECONDS) -> None:
    address, port = str(place["address"]), int(place["port"])
    user, name = str(place.get("user") or ""), str(place.get("name") or "")
    try:
        # A name server that is away holds a lookup for longer than any time limit of a socket.
        problem = bounded.call(lambda: database.problem(address, port, user, name, seconds), 2 * seconds)
    except OSError as exc:
        problem = exc.strerror
    if problem:
        raise NodeError(f"The database {address}:{port} does not take connections: {problem}.")


def _desired(node: t.Mapping[str, t.Any]) -> dict[str, t.Any] | None:
    """The cluster record; None if there is none."""
    uid = accounts.uid_of(str(node.get("user") or "ivy"))
    gid = accounts.gid_of(str(node.get("group") or "ivy"))
    directory = str(node["record_directory"])
    check_share(directory)
    return record.read(directory, uid, gid)


def _refusal(node: t.Mapping[str, t.Any], release: str | None, desired: t.Mapping[str, t.Any] | None) -> str:
    name = str(node.get("node", ""))
    if not node.get("record_directory"):
        return "" if release else fence.refusal(None, None, "", name)
    reason = fence.refusal(release, desired, str(node.get("cluster", "")), name)
    if release and desired is None:
        # Nothing proves that there is none: a directory is empty, too, while its file system is not mounted.
        raise NodeError(reason)
    return reason


def _check_release(node: t.Mapping[str, t.Any], release: str | None) -> None:
    reason = _refusal(node, release, _desired(node) if node.get("record_directory") else None)
    if reason:
        raise PermanentError(reason)


def _end_activation(node: t.Mapping[str, t.Any], store: Store, run_directory: str, run: str) -> bool:
    """Finish or revert an activation that was cut off, as the cluster record allows. False if there is none."""
    with _proven():
        applied, intent = store.applied(), store.intent()
    if not intent:
        return False
    # Read again once nobody holds the lock: that run may have come to its end meanwhile.
    with _proven():
        under_way = store.busy() or store.intent() != intent
    if under_way:
        raise NodeError("A run is activating a release on this node.")
    # Only then, which saves time at each start.
    from ..config import recovery

    interrupted = "An activation was interrupted on this node, so its files are not those of one release"
    possible = recovery.candidates(applied, intent)
    desired = _desired(node) if node.get("record_directory") else None
    refusals = {one.release: _refusal(node, one.release, desired) for one in possible}
    wanted = [one for one in possible if not refusals[one.release]]
    if not wanted:
        reasons = " ".join(dict.fromkeys(refusals.values())) or "The store does not say how it was to be changed."
        raise PermanentError(f"{interrupted}. {reasons} {run}")
    try:
        done = recovery.recover(store, intent, wanted, run_directory)
    except PermanentError as exc:
        raise PermanentError(f"{interrupted}. {exc} {run}") from exc
    except NodeError as exc:
        raise NodeError(f"{interrupted}, and this cannot be completed yet: {exc}") from exc
    if done.daemon_reload:
        # The rest of this start uses the new unit. At the start of the host, systemd read it before this.
        systemctl("daemon-reload")
    how = "It is completed" if done.candidate.forward else "The files before it are restored"
    log(f"An activation was interrupted on this node. {how}: release {done.candidate.release}.")
    return True


def prepare(settings_path: str = SETTINGS, run_directory: str = run_state.RUN_DIRECTORY) -> None:
    """Record the start. PermanentError: the node must not start. Any other error: it cannot start now."""
    node = _settings(settings_path)
    name = str(node.get("node", ""))
    run = f"{_RUN} --limit {name or '<this node>'}"
    with contextlib.ExitStack() as stack:
        with _proven():
            store = stack.enter_context(Store(str(node.get("store") or "/var/lib/ivy-cluster")))
        if store.is_prepared and _end_activation(node, store, run_directory, run):
            # They may have been replaced.
            node = _settings(settings_path)
        check_files(node.get("required_files") or (), run)
        if not store.is_prepared:
            # Perhaps it is on a file system that is mounted later.
            raise NodeError(
                f"The store {store.path} is missing or empty, so it is unknown which release this node has. Mount its "
                f"file system. If it is lost, {run[:1].lower()}{run[1:]}"
            )
        with _proven():
            applied = store.applied()
        _check_release(node, applied.get("release"))
        if node.get("firewall_table"):
            check_firewall(str(node["firewall_table"]), [str(name) for name in node.get("firewall_chains") or ()])
        if node.get("http_port"):
            check_port(int(node["http_port"]))
        if node.get("database"):
            check_database(node["database"])
        settings = settings_from(applied.get("settings") or {})
        unit = show(settings.unit or str(node.get("unit") or ""))
        with View(settings, store) as view:
            manifest = view.applied_manifest(applied)
            baseline = store.baseline(view.engine_directory, manifest.engine_version if manifest else "")
            nodes = dict(applied.get("node_files") or {})
            matches = applied.get("engine_directory") == view.engine_directory
            expected = view.expected(manifest, store.accepted(), baseline, nodes, matches)
            scene = view.survey((expected,), unit)
            now = view.present(scene.files, expected, manifest, view.java_home(node))
            modified = [
                want.path
                for key, want in expected.items()
                if want.origin != "baseline" and now.files.get(key) not in want.digests
            ]
            run_state.write(run_state.record(now, modified, unit, os.environ.get("INVOCATION_ID", "")), run_directory)


class Attempt:
    """One attempt to start the engine. It reports what it waits for in the journal and in the status file."""

    def __init__(self, settings_path: str, run_directory: str, sleep: t.Callable[[float], None] = time.sleep) -> None:
        self.settings_path = settings_path
        self.run_directory = run_directory
        self.sleep = sleep
        self.before = start_state.read(run_directory)
        self.unit = "the engine's unit"
        self.failures = 0
        self.restarts = 0

    def _note(self, state: str, reason: str = "") -> None:
        now = start_state.following(self.before, state, reason, self.failures, time.time())
        self.before = now = now._replace(restarts=self.restarts)
        # A reason that cannot be written must not keep the engine from starting.
        with contextlib.suppress(Exception):
            start_state.write(now, self.run_directory)

    def _pause(self) -> None:
        """Wait before the start if the engine ended several times in a row."""
        with contextlib.suppress(Exception):
            self.unit = str((read_json_file(self.settings_path) or {}).get("unit") or self.unit)
        self.restarts = show(self.unit).restarts if "." in self.unit else 0
        self.failures = start_state.failures_before(self.before, self.restarts, time.time())
        seconds = start_state.pause(self.failures)
        if seconds:
            reason = (
                f"The engine ended {self.failures} times in a row soon after its start. "
                f"For the reason run: journalctl -u {self.unit}"
            )
            self._note(start_state.PAUSING, reason)
            log(f"{reason} The next start is in {seconds:.0f} seconds.")
            self.sleep(seconds)

    def run(self) -> int:
        """0 if the engine may start, 1 if it must not before an administrator acts. Waits until systemd ends it."""
        self._pause()
        logged, attempts = "", 0
        while True:
            try:
                prepare(self.settings_path, self.run_directory)
            except PermanentError as exc:
                reason = start_state.one_line(str(exc))
                self._note(start_state.REFUSED, reason)
                log(f"the engine is not started. {reason}")
                return 1
            except (NodeError, OSError) as exc:
                reason = start_state.one_line(str(exc))
            except Exception as exc:  # an error of this program must not keep a node from starting for good
                reason = start_state.one_line(failure(exc))
            else:
                self._note(start_state.STARTED)
                return 0
            self._note(start_state.WAITING, reason)
            if reason != logged:
                log(f"the engine is not started yet. {reason}")
                logged = reason
            # Nodes that wait for the same must not all start at the same moment.
            self.sleep(start_state.delay(attempts) * random.uniform(0.8, 1.2))
            attempts += 1


def main() -> int:
    return Attempt(SETTINGS, run_state.RUN_DIRECTORY).run()
