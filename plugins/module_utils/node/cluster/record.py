# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster record: the state that all nodes share, on the file share.

The share may deny root access, so the record is read and written as the engine's user, see ``access``. Root validates
all of it, because it is data of a user with fewer rights.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import stat
import time
import typing as t

from ..files import bounded
from ..files.atomic import Tree, open_directory, read_at, write_at
from ..files.errors import NodeError, PermanentError, mount_advice
from ..files.manifest import check_id
from ..store.store import timestamp
from . import database_restore, deployments, drained_nodes, memory
from . import lease as leases
from .access import Access, access_for, acting_as

FORMAT = 2
# Nodes with the helper of an earlier version read it; see docs/adr/0018-a-lease-before-every-change.md.
OLD_FORMAT = 1
FILE_NAME = "record.json"
LOCK_NAME = "record.lock"
HISTORY = 100
# A drained server whose cookie is ignored.
CLOSED = "closed"
SERVER_STATES = ("ready", "drain", "maint", CLOSED)
ROLLBACK = "rollback"
ADD_NODE = "add_node"
# The first step of a start by a run that has the lease; see roles/rollout/tasks/restart.yml.
START_STEP = "start"
RESTART = "restart"
RESTORE = "restore"
# To a point in time: only the database changes.
RESTORE_DATABASE = database_restore.OPERATION
UPGRADE = "upgrade"
# What may follow when the files of the database are half restored.
_AFTER_HALF_RESTORED = (RESTORE, RESTORE_DATABASE)
# They bring the same release to the nodes, so each of them completes what the other one left open. A rollback reverts
# them. The lease keeps it from doing that while they are at work.
_ROLL_OUT = ("site", "rollout")
# What a restore takes from the record in the backup. The open operation, the lease and the drained nodes are of today.
_RESTORED = ("schema", "applications", "pin", "sources")
_LIMIT = 1 << 20
_LONGEST_RELEASE = 128
# Characters of a text that people enter. The whole history has to fit into the limit.
_LONGEST_TEXT = 300
# A year. A time after the year 9999 could not be read.
_LONGEST_HOURS = 365 * 24
# A hard mount of an unavailable server blocks a reader forever.
READ_SECONDS = bounded.SHARE_SECONDS
LOCK_SECONDS = 30.0
_ACCESS = {FILE_NAME: os.R_OK, LOCK_NAME: os.R_OK | os.W_OK}

Record = dict[str, t.Any]


def empty(cluster: str) -> Record:
    return {
        "format": FORMAT,
        "cluster": cluster,
        "desired_release": None,
        "previous_release": None,
        "allowed_releases": [],
        "passed": {},
        "old_releases_until": None,
        "engine_version": None,
        "pin": None,
        "operation": None,
        "lease": None,
        "drained": [],
        "drained_states": {},
        "removed": {},
        "schema": None,
        "applications": {},
        "history": [],
        "sources": {},
        "durations": [],
        "drained_nodes": {},
        "restarts": None,
        "deploying": None,
        "isolated": None,
    }


def parse(data: bytes, where: str) -> Record:
    """Parse and validate a record."""
    advice = (
        f"Inspect {where}. If it cannot be repaired, move it away: the next run writes a new one, and until then "
        "no node starts."
    )
    try:
        value = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as exc:
        raise PermanentError(f"The cluster record is damaged ({exc}). {advice}") from exc
    if not isinstance(value, dict):
        raise PermanentError(f"The cluster record is damaged (not a mapping). {advice}")
    version = value.get("format")
    if not isinstance(version, int) or isinstance(version, bool) or not OLD_FORMAT <= version <= FORMAT:
        raise PermanentError(
            f"The cluster record {where} was written by a newer version of the collection (format "
            f"{version!r}, this one "
            f"knows {FORMAT}). Use that version or a newer one."
        )
    record = {**empty(str(value.get("cluster", ""))), **value}
    for name, kinds in (
        ("desired_release", (str, type(None))),
        ("previous_release", (str, type(None))),
        ("allowed_releases", (list,)),
        ("operation", (dict, type(None))),
        ("drained", (list,)),
        ("history", (list,)),
        ("applications", (dict,)),
        ("schema", (dict, type(None))),
        ("pin", (dict, type(None))),
        ("passed", (dict,)),
        ("old_releases_until", (str, type(None))),
        ("drained_states", (dict,)),
        ("removed", (dict,)),
        ("isolated", (dict, type(None))),
    ):
        if not isinstance(record[name], kinds):
            raise PermanentError(f"The cluster record is damaged ({name} is not of the right kind). {advice}")
    for name, kind in (("allowed_releases", str), ("drained", str), ("history", dict)):
        if not all(isinstance(one, kind) for one in record[name]):
            raise PermanentError(f"The cluster record is damaged ({name} contains an invalid value). {advice}")
    wrong = _wrong(record)
    if wrong:
        raise PermanentError(f"The cluster record is damaged ({wrong}). {advice}")
    return {
        **record,
        **memory.readable(record),
        **drained_nodes.readable(record),
        "deploying": deployments.readable(record["deploying"]),
    }


def _is_release(value: t.Any) -> bool:
    return isinstance(value, str) and len(value) <= _LONGEST_RELEASE and value.isprintable()


def _wrong(record: Record) -> str:
    if not all(isinstance(release, str) for release in record["passed"].values()):
        return "passed contains an invalid value"
    # They are labels of a metric and words of messages, and the engine's account can write the record.
    named = [record["desired_release"], record["previous_release"], *record["allowed_releases"]]
    for release in (*named, *record["passed"].values(), (record["pin"] or {}).get("release")):
        if release is not None and not _is_release(release):
            return f"a release is not a text of at most {_LONGEST_RELEASE} printable characters"
    if not all(isinstance(time_of, str) for time_of in record["removed"].values()):
        return "removed contains an invalid value"
    migrating = (record["schema"] or {}).get("migrating")
    if migrating is not None and not isinstance(migrating, dict):
        return "migrating is not a mapping"
    for states in record["drained_states"].values():
        if not isinstance(states, dict) or not all(state in SERVER_STATES for state in states.values()):
            return "drained_states contains an invalid value"
    if record["old_releases_until"] is not None:
        try:
            leases.seconds(record["old_releases_until"])
        except (ValueError, OverflowError):
            return "old_releases_until is not a time"
    return database_restore.problem(record["operation"]) or leases.problem(record["lease"])


def _content(directory: str, uid: int, gid: int) -> dict[str, t.Any] | None:
    """Text and size of the record's file; None where there is none."""
    where = os.path.join(directory, FILE_NAME)
    access = access_for(directory, uid, gid, FILE_NAME, _ACCESS)
    with acting_as(access.uid, access.gid):
        try:
            fd = open_directory(directory)
        except FileNotFoundError:
            return None
        except OSError as exc:
            raise NodeError(
                f"The directory of the cluster record {directory} cannot be opened ({exc.strerror}). "
                f"{mount_advice(directory)}"
            ) from exc
        try:
            # The writer of the file can make it arbitrarily large.
            content, info = read_at(fd, FILE_NAME, _LIMIT + 1)
        except FileNotFoundError:
            return None
        except OSError as exc:
            raise NodeError(f"The cluster record {where} cannot be read ({exc.strerror}).") from exc
        finally:
            os.close(fd)
    return {"text": content.decode("utf-8", "surrogateescape"), "size": info.st_size}


def read(directory: str, uid: int, gid: int) -> Record | None:
    """The record; None where none was ever written. A file share that hangs is an error within some seconds."""
    where = os.path.join(directory, FILE_NAME)
    try:
        found = bounded.call(lambda: _content(directory, uid, gid), READ_SECONDS)
    except OSError as exc:
        raise NodeError(
            f"The cluster record {where} cannot be read ({exc.strerror}). Check the file share and its server."
        ) from exc
    if found is None:
        return None
    if found["size"] > _LIMIT:
        raise PermanentError(
            f"The cluster record {where} is larger than any record could be ({found['size']} bytes). Inspect "
            "it before you run again."
        )
    return parse(found["text"].encode("utf-8", "surrogateescape"), where)


def to_bytes(record: Record, where: str) -> bytes:
    """The file of the record. Raises NodeError if nobody could read it afterwards."""
    try:
        data = (json.dumps(record, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode("utf-8")
        parse(data, where)
    except (ValueError, NodeError) as exc:
        raise NodeError(
            f"The change of the cluster record {where} was refused, because nobody could read the result: {exc}"
        ) from exc
    if len(data) > _LIMIT:
        raise NodeError(
            f"The change of the cluster record {where} was refused: it would have {len(data)} bytes, and more than "
            f"{_LIMIT} are not read. Shorten the names and reasons."
        )
    return data


def write(directory: str, record: Record, uid: int, gid: int) -> None:
    """Replace the record, under the lock. Call it in a child with a time limit, as for ``locked``."""
    data = to_bytes(record, os.path.join(directory, FILE_NAME))
    access = access_for(directory, uid, gid, FILE_NAME, _ACCESS)
    with acting_as(access.uid, access.gid), Tree(directory) as tree:
        if not tree.exists:
            raise NodeError(f"{directory} does not exist, so the cluster record cannot be written there.")
        write_at(tree.fd, FILE_NAME, data, 0o640, access.owner_uid, access.owner_gid, True)


@contextlib.contextmanager
def locked(directory: str, uid: int, gid: int, seconds: float = LOCK_SECONDS) -> t.Iterator[float]:
    """One writer at a time, on all nodes. Yields the time of the file share.

    Opening and locking may hang; so does the end of it. See ``files.bounded``.
    """
    access = access_for(directory, uid, gid, FILE_NAME, _ACCESS)
    with acting_as(access.uid, access.gid):
        try:
            directory_fd = open_directory(directory)
        except OSError as exc:
            raise NodeError(
                f"The directory of the cluster record {directory} cannot be opened ({exc.strerror}). "
                f"{mount_advice(directory)}. The engine's user must own the directory."
            ) from exc
        try:
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            try:
                fd = os.open(LOCK_NAME, flags, 0o640, dir_fd=directory_fd)
            except OSError as exc:
                raise NodeError(f"{directory}/record.lock cannot be opened ({exc.strerror}).") from exc
        finally:
            os.close(directory_fd)
    try:
        _give(fd, access)
        limit = time.monotonic() + seconds
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError as exc:
                if exc.errno not in (errno.EAGAIN, errno.EACCES):
                    raise NodeError(f"The file share does not support locks ({directory}: {exc.strerror}).") from exc
                if time.monotonic() >= limit:
                    raise NodeError(
                        f"{directory}/record.lock is held by another run for more than {seconds:.0f} seconds."
                    ) from exc
                time.sleep(0.1)
        yield _time_of_share(fd, access.uid, access.gid)
    finally:
        os.close(fd)


def _give(fd: int, access: Access) -> None:
    """The lock to its owner, who could not open it next time.

    Nothing but a lock: whoever owns the directory could have moved or linked a file of root there.
    """
    info = os.fstat(fd)
    is_lock = stat.S_ISREG(info.st_mode) and info.st_nlink == 1 and info.st_size == 0
    if os.geteuid() == 0 == access.uid and info.st_uid != access.owner_uid and is_lock:
        os.fchown(fd, access.owner_uid, access.owner_gid)


def _time_of_share(fd: int, uid: int, gid: int) -> float:
    """The clock that all writers have in common: a server sets this time itself."""
    with acting_as(uid, gid):
        os.utime(fd)
    return os.fstat(fd).st_mtime


class Change(t.NamedTuple):
    """A requested change of the record. ``now`` is the time of the file share; the writer sets it."""

    state: str
    run_id: str
    release: str = ""
    engine_version: str = ""
    operation: str = ""
    owner: str = ""
    step: str = ""
    node: str = ""
    take_over: str = ""
    ended_run: str = ""
    reason: str = ""
    drained: list[str] | None = None
    applications: dict[str, str] | None = None
    nodes: dict[str, t.Any] | None = None
    pin: bool = False
    stale_after: int = 900
    old_release_hours: int = 24
    now: float = 0.0
    drained_states: dict[str, dict[str, str]] | None = None
    source: dict[str, t.Any] | None = None
    engine_stopped: bool = False
    restart: list[str] | None = None
    restored: dict[str, t.Any] | None = None
    isolated: bool = False
    backup: str = ""
    keep_open: bool = False
    database: dict[str, t.Any] | None = None
    repeat: str = ""

    def shortened(self) -> Change:
        """With texts that fit into the record."""
        return self._replace(
            owner=_shortened(self.owner),
            step=_shortened(self.step),
            take_over=_shortened(self.take_over),
            reason=_shortened(self.reason),
            backup=_shortened(self.backup),
        )

    def claim(self) -> leases.Claim:
        return leases.Claim(
            run_id=self.run_id,
            owner=self.owner,
            operation=self.operation,
            step=self.step,
            node=self.node,
            now=self.now,
            stale_after=self.stale_after,
            reason=self.take_over,
            ended_run=self.ended_run,
        )


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST_TEXT else f"{text[: _LONGEST_TEXT - 4]} ..."


def _remember(record: Record, operation: str, change: Change, **more: t.Any) -> None:
    entry = {
        "time": timestamp(change.now),
        "operation": operation,
        "release": record["desired_release"],
        "owner": change.owner,
        **more,
    }
    short = {k: _shortened(v) if isinstance(v, str) else v for k, v in entry.items() if v not in (None, "")}
    record["history"] = [*record["history"], short][-HISTORY:]


def _held_by(operation: t.Mapping[str, t.Any]) -> str:
    return (
        f"operation {operation.get('name')} of {operation.get('owner')}, since {operation.get('since')}, "
        f"step: {operation.get('step') or 'none'}"
    )


def _same_kind(operation: t.Mapping[str, t.Any], change: Change) -> bool:
    """Whether the change belongs to the open operation, or completes it."""
    name = operation.get("name")
    return name == change.operation or (name in _ROLL_OUT and change.operation in _ROLL_OUT)


def _pin(record: Record, release: str, change: Change) -> bool:
    """Whether the pin is a new one, or has a further reason."""
    pin = record["pin"]
    if pin and pin.get("release") == release:
        before = str(pin.get("reason") or "")
        if not change.reason or f"; {change.reason}; " in f"; {before}; ":
            return False
        # The first reasons are why it is pinned; the history has the others.
        record["pin"] = {**pin, "reason": _shortened("; ".join(filter(None, (before, change.reason))))}
        return bool(record["pin"] != pin)
    record["pin"] = {"release": release, "reason": change.reason, "owner": change.owner, "time": timestamp(change.now)}
    return True


def _open(record: Record, change: Change) -> None:
    """Open or continue an operation. An unchanged release opens none."""
    operation = record["operation"]
    pin = record["pin"]
    if change.release:
        check_id(change.release)
    returns = change.operation in (ROLLBACK, RESTORE)
    if pin and change.release and change.release != pin.get("release") and not returns:
        raise NodeError(
            f"The cluster is pinned to release {pin.get('release')} since {pin.get('time')} "
            f"({pin.get('reason') or 'no reason given'}). "
            "Lift the pin first, or roll out that release."
        )
    if operation is not None and operation.get("name") != change.operation and _same_kind(operation, change):
        record["operation"] = operation = {**operation, "name": change.operation, "owner": change.owner}
        if record["desired_release"] == change.release or not change.release:
            _remember(record, change.operation, change, node=change.node, reason="completes the open rollout")
    if operation is not None and operation.get("name") != change.operation:
        take_over = change.take_over
        # A restore replaces everything that another operation would have changed.
        if change.operation == RESTORE or (change.operation == ROLLBACK and operation.get("name") in _ROLL_OUT):
            take_over = take_over or change.reason or ("restored" if change.operation == RESTORE else "rolled back")
        if not take_over:
            again = (
                f"run ivy.cluster.{operation['name']} again, which brings it to its end"
                if operation.get("name") in (ROLLBACK, RESTORE, RESTORE_DATABASE, UPGRADE)
                else ""
            )
            raise NodeError(
                f"Another operation is under way: {_held_by(operation)}. Wait until it is over; if nobody works on it "
                f"any more, {again or 'take it over by naming a reason'}."
            )
        files = database_restore.half_restored(operation)
        if files and change.operation not in _AFTER_HALF_RESTORED:
            raise NodeError(
                f"The database in {files} is half restored, so nothing but {RESTORE_DATABASE} or {RESTORE} may follow: "
                f"{_held_by(operation)}. Nothing was changed. See docs/runbooks/restore_database.md."
            )
        _remember(record, "take over", change, reason=take_over, from_owner=operation.get("owner"))
        record["operation"] = operation = {
            # Files that are half restored stay that until one of the two has ended.
            **{part: value for part, value in operation.items() if part != "database" or files},
            "name": change.operation,
            "owner": change.owner,
            "step": change.step,
            "since": timestamp(change.now),
        }
    _require_engine_of_database(record, change)
    new_release = bool(change.release) and record["desired_release"] != change.release
    # A restore stops and starts every engine, also with the same release. A rollout of other files of the nodes may
    # have to wait after the first one.
    same = not change.release or change.operation in (RESTORE, RESTORE_DATABASE) or change.keep_open
    if operation is None and (new_release or same):
        record["operation"] = operation = {
            "name": change.operation,
            "owner": change.owner,
            "since": timestamp(change.now),
            "step": change.step,
        }
        if change.operation == RESTORE_DATABASE:
            # The end of an operation has no reason, and no other entry would say to which time the database went back.
            _remember(record, change.operation, change, node=change.node, reason=change.reason)
    elif operation is not None and change.step and operation.get("step") != change.step:
        record["operation"] = operation = {**operation, "step": change.step}
    if new_release:
        before = record["desired_release"]
        if before:
            # A rollout that failed half way may have left nodes on any of these; all may start until it is closed.
            record["allowed_releases"] = sorted({*record["allowed_releases"], before})
            if record["previous_release"] is None:
                record["previous_release"] = before
        record["desired_release"] = change.release
        _remember(record, change.operation, change, node=change.node, reason=change.reason)
    if change.release:
        memory.remember_source(record, change.release, change.source)
        memory.forget_sources(record)
    if change.pin and change.release and _pin(record, change.release, change) and not new_release:
        _remember(record, "pin", change, reason=change.reason)
    if operation is not None and (new_release or not record["old_releases_until"]):
        _prolong(record, change)
    if change.engine_version and record["engine_version"] != change.engine_version:
        record["engine_version"] = change.engine_version
    if change.backup and record["operation"] is not None and record["operation"].get("backup") != change.backup:
        record["operation"] = {**record["operation"], "backup": change.backup}
    if change.database is not None and change.operation == RESTORE_DATABASE:
        _begin_database_restore(record, change, change.database)


def _begin_database_restore(record: Record, change: Change, given: t.Mapping[str, t.Any]) -> None:
    operation = record["operation"] or {}
    known = operation.get("database")
    part = database_restore.begun(known, given, change.repeat)
    if known == part:
        return
    record["operation"] = {**operation, "database": part}
    # All engines stop.
    record["passed"] = {}
    if known:
        _remember(record, change.operation, change, node=change.node, reason=change.reason)


def _known_database(operation: t.Mapping[str, t.Any]) -> t.Any:
    return database_restore.of(operation) if operation.get("name") == RESTORE_DATABASE else None


def _replace_database(record: Record, change: Change) -> None:
    operation = record["operation"] or {}
    known = _known_database(operation)
    record["operation"] = {**operation, "database": database_restore.replacing(known, change.database or {})}


def _keep_database(record: Record) -> None:
    operation = record["operation"] or {}
    record["operation"] = {**operation, "database": database_restore.kept(_known_database(operation))}


def _end_database_restore(record: Record, change: Change) -> None:
    operation = record["operation"] or {}
    known = _known_database(operation)
    if known and known["restored"]:
        return
    part = database_restore.ended(known, change.database or {}, timestamp(change.now))
    begun = part.pop("begun")
    record["operation"] = {**operation, "database": part}
    numbers = {name: part[name] for name in ("target", "timeline", "left")}
    numbers["system"] = part.get("system", "")
    # The entry of the beginning may be missing: the operation was taken over, or the history is full.
    since = operation.get("since")
    _remember(record, database_restore.RESTORED, change, node=change.node, since=since, **numbers, begun=begun)


def _require_engine_of_database(record: Record, change: Change) -> None:
    """Only an upgrade brings another version of the engine to the database, and a restore another database."""
    schema = record["schema"] or {}
    known, migrating = schema.get("engine_version"), schema.get("migrating")
    if change.operation in (UPGRADE, RESTORE) or not known or not change.engine_version:
        return
    if migrating:
        raise NodeError(
            f"The migration of the system database from engine {known} to {migrating.get('to')} was begun at "
            f"{migrating.get('since')} and has not ended. Nothing was changed. Run ivy.cluster.upgrade again, or "
            f"restore backup {migrating.get('backup') or 'of before'}."
        )
    if known != change.engine_version:
        raise NodeError(
            f"The system database is that of engine {known}, and ivy_engine_version is {change.engine_version}. "
            f"Nothing was changed. To upgrade, run ivy.cluster.upgrade; otherwise set ivy_engine_version: {known}."
        )


def _begin_migration(record: Record, change: Change) -> None:
    """From now on, the database may not be that of the earlier engine any more, so no earlier release may start."""
    schema = record["schema"]
    if schema is None:
        raise NodeError("The tables of the system database were not created yet, so there is nothing to migrate.")
    if schema.get("migrating") or schema.get("engine_version") == change.engine_version:
        return
    record["schema"] = {
        **schema,
        "migrating": {
            "to": change.engine_version,
            "since": timestamp(change.now),
            "node": change.node,
            "backup": (record["operation"] or {}).get("backup", ""),
        },
    }
    record["previous_release"] = None
    record["allowed_releases"] = []
    _remember(record, "migration begun", change, node=change.node, engine_version=change.engine_version)


def _end_migration(record: Record, change: Change) -> None:
    schema = dict(record["schema"] or {})
    begun = schema.pop("migrating", None)
    if begun is None:
        return
    record["schema"] = {
        **schema,
        "engine_version": change.engine_version,
        "migrated_from": schema.get("engine_version", ""),
        "migrated_at": timestamp(change.now),
        "backup": begun.get("backup", ""),
    }
    if change.applications is not None:
        record["applications"] = dict(sorted(change.applications.items()))
    _remember(record, "migrated", change, node=change.node, engine_version=change.engine_version)


def _prolong(record: Record, change: Change) -> None:
    """The replaced releases may start for some time after the last progress of the rollout."""
    record["old_releases_until"] = timestamp(change.now + min(change.old_release_hours, _LONGEST_HOURS) * 3600)


def _pass(record: Record, change: Change) -> None:
    """The node has passed the gate with the desired release."""
    if not change.node or not record["desired_release"]:
        return
    if record["operation"] is None:
        _repaired(record, change)
        return
    if record["passed"].get(change.node) != record["desired_release"]:
        record["passed"] = {**record["passed"], change.node: record["desired_release"]}
        _prolong(record, change)


def _repaired(record: Record, change: Change) -> None:
    """The run changed or restarted the node without a new release. One entry for each run and node."""
    reason = "added" if change.operation == ADD_NODE else change.reason or "repaired"
    entry = {"operation": change.operation, "node": change.node, "reason": reason}
    since = (record["lease"] or {}).get("started", "")
    for known in reversed(record["history"]):
        if str(known.get("time", "")) < since:
            break
        if {**known, **entry} == known:
            return
    _remember(record, **entry, change=change)


def _close(record: Record, change: Change) -> None:
    operation = record["operation"]
    if change.release and record["desired_release"] not in (None, change.release):
        raise NodeError(
            f"The rollout of {change.release} cannot be closed: the cluster record wants "
            f"{record['desired_release']} by now. Run again."
        )
    others = {node: at for node, at in sorted((change.nodes or {}).items()) if at != record["desired_release"]}
    if others:
        found = ", ".join(f"{node} is at {at or 'none'}" for node, at in others.items())
        raise NodeError(
            f"The rollout of {record['desired_release']} cannot be closed: {found}. The rollout stays open. Run again."
        )
    if operation is not None:
        waiting = [
            node for node in sorted(change.nodes or {}) if record["passed"].get(node) != record["desired_release"]
        ]
        if waiting:
            raise NodeError(
                f"The rollout of {record['desired_release']} cannot be closed: {', '.join(waiting)} did not pass the "
                "gate with it. The rollout stays open. Run again."
            )
        if change.operation and not _same_kind(operation, change) and not change.take_over:
            raise NodeError(f"Another operation is under way: {_held_by(operation)}.")
        record["operation"] = None
        _remember(record, f"{operation.get('name')} done", change, seconds=_seconds_of_run(record, change))
    record["previous_release"] = None
    record["allowed_releases"] = []
    record["passed"] = {}
    record["old_releases_until"] = None
    if change.operation != ROLLBACK and change.nodes:
        # Every node has the helper of this version now.
        record["format"] = FORMAT


def _seconds_of_run(record: Record, change: Change) -> int | None:
    """Since this run took the lease, so without the time in which an interrupted rollout was open."""
    try:
        return max(0, round(change.now) - leases.seconds(record["lease"]["started"]))
    except (ValueError, OverflowError):
        return None


def _drain(record: Record, nodes: list[str], found: t.Mapping[str, t.Mapping[str, str]]) -> None:
    """Remember the states that the balancers had before. They are restored when the node is used again."""
    states = dict(record["drained_states"])
    for node in nodes:
        known = states.get(node) or {}
        now = found.get(node) or {}
        if not set(now.values()) <= set(SERVER_STATES):
            raise NodeError(f"drained_states: a state of {node} is not one of {', '.join(SERVER_STATES)}.")
        # Of a node that a run has already taken out, these states are what that run has set.
        ours = node in record["drained"]
        merged = {
            where: known.get(where, state) if ours and state in ("maint", CLOSED) else state
            for where, state in now.items()
            # Without a known state, an operator has undrained the node, and it is to be used again.
            if not ours or state not in ("maint", CLOSED) or known
        }
        if known or merged:
            states[node] = {**known, **merged}
    record["drained"] = sorted({*record["drained"], *nodes})
    record["drained_states"] = states


def _remove(record: Record, change: Change) -> None:
    """The node does not belong to the cluster any more. What remains keeps its engine from starting again."""
    node = change.node
    record["drained"] = [name for name in record["drained"] if name != node]
    for part in ("passed", "drained_states", "drained_nodes"):
        record[part] = {name: value for name, value in record[part].items() if name != node}
    record["durations"] = [entry for entry in record["durations"] if entry["node"] != node]
    drained_nodes.restarted(record, node)
    if node not in record["removed"]:
        record["removed"] = dict([*record["removed"].items(), (node, timestamp(change.now))][-HISTORY:])
        _remember(record, change.operation, change, node=node, reason=change.reason)


def _take(record: Record, change: Change) -> None:
    files = database_restore.half_restored(record["operation"])
    if files and change.take_over.strip() and change.operation not in _AFTER_HALF_RESTORED:
        # This run could only give the lease up again, and the one that restores the database would have lost it.
        try:
            taken = leases.take(record["lease"], change._replace(take_over="").claim())
        except leases.LeaseError as exc:
            raise leases.LeaseError(
                f"The database in {files} is half restored, so no reason takes the lease from the run that may be at "
                f"work on it: {leases.describe(record['lease'])}. Wait until that is over, or until it has given no "
                "sign of life for its time.",
                exc.lease,
            ) from None
    else:
        taken = leases.take(record["lease"], change.claim())
    record["lease"] = taken.lease
    if taken.reason:
        _remember(
            record, "take over", change, node=change.node, reason=taken.reason, from_owner=taken.from_owner or "unknown"
        )


def _restore(record: Record, change: Change) -> None:
    """What the record of the backup contains about the restored data."""
    found = parse(json.dumps(change.restored).encode("ascii"), "in the backup")
    for name in _RESTORED:
        record[name] = found[name]
    record["deploying"] = None
    if record["operation"]:
        # The database is exchanged.
        record["operation"] = {part: value for part, value in record["operation"].items() if part != "database"}
    known = {json.dumps(entry, sort_keys=True) for entry in record["history"]}
    older = [entry for entry in found["history"] if json.dumps(entry, sort_keys=True) not in known]
    record["history"] = sorted([*older, *record["history"]], key=lambda entry: str(entry.get("time", "")))[-HISTORY:]
    record["isolated"] = _isolation(record, change) if change.isolated else None
    _remember(record, "restored", change, reason=change.reason)


def _isolation(record: Record, change: Change) -> dict[str, t.Any]:
    return record["isolated"] or {"since": timestamp(change.now), "owner": change.owner, "reason": change.reason}


def check(record: Record, run_id: str) -> None:
    """Raise LeaseError unless this run holds the lease."""
    leases.renew(record["lease"], leases.Claim(run_id, "", "", "", "", 0.0, 0))


def apply(record: Record, change: Change) -> Record:
    """A copy of the record after the change. Only the run that holds the lease may change it.

    Applying the same change again has no effect, apart from the times.
    """
    change = change.shortened()
    new: Record = json.loads(json.dumps(record))
    if change.state == "taken":
        _take(new, change)
        return new
    if change.state == "released":
        if new["lease"] is not None and new["lease"]["run_id"] == change.run_id:
            new["lease"] = None
        return new
    new["lease"] = leases.renew(new["lease"], change.claim())
    if change.state == "renewed":
        memory.begin(new["lease"], change.node, change.step, change.now)
        if change.step == START_STEP:
            # The operator has it in the inventory again.
            new["removed"] = {node: since for node, since in new["removed"].items() if node != change.node}
    elif change.state == "opened":
        _open(new, change)
    elif change.state == "passed":
        memory.end(new, change.node, change.now)
        _pass(new, change)
        if change.operation == RESTART:
            drained_nodes.restarted(new, change.node)
    elif change.state == "closed":
        _close(new, change)
    elif change.state == "schema_created":
        if new["schema"] is None or (
            change.engine_version and new["schema"].get("engine_version") != change.engine_version
        ):
            new["schema"] = {
                "engine_version": change.engine_version,
                "created_at": timestamp(change.now),
                "node": change.node,
            }
            _remember(new, "schema created", change, node=change.node)
    elif change.state == "migration_begun":
        _begin_migration(new, change)
    elif change.state == "migrated":
        _end_migration(new, change)
    elif change.state == "pinned":
        release = change.release or new["desired_release"]
        if not release:
            raise NodeError("There is no release to pin: nothing was rolled out yet.")
        check_id(release)
        if _pin(new, release, change):
            # It need not be the desired one.
            _remember(new, "pin", change, reason=change.reason, release=release)
    elif change.state == "unpinned":
        if new["pin"]:
            lifted = new["pin"].get("release")
            new["pin"] = None
            _remember(new, "unpin", change, reason=change.reason, release=lifted)
    elif change.state == "drained":
        if change.drained is None:
            raise NodeError("drained: name the drained nodes, or give an empty list.")
        _drain(new, change.drained, change.drained_states or {})
    elif change.state == "undrained":
        new["drained"] = [node for node in new["drained"] if node != change.node]
        new["drained_states"] = {node: at for node, at in new["drained_states"].items() if node != change.node}
    elif change.state == "removed":
        _remove(new, change)
    elif change.state == "node_drained":
        entry = {
            "since": timestamp(change.now),
            "owner": change.owner,
            "reason": change.reason,
            "stopped": change.engine_stopped,
        }
        if drained_nodes.begin(new, change.node, entry):
            _remember(new, "drain", change, node=change.node, reason=change.reason)
    elif change.state == "node_undrained":
        if drained_nodes.end(new, change.node):
            _remember(new, "undrain", change, node=change.node)
    elif change.state == "restart_requested":
        drained_nodes.request_restart(new, change.restart or [], change.owner, timestamp(change.now), change.now)
    elif change.state == "restored":
        if change.restored is None:
            raise NodeError("restored_record: name the record in the backup.")
        _restore(new, change)
    elif change.state == "database_replacing":
        _replace_database(new, change)
    elif change.state == "database_kept":
        _keep_database(new)
    elif change.state == "database_restored":
        _end_database_restore(new, change)
    elif change.state == "isolated":
        new["isolated"] = _isolation(new, change)
    elif change.state == "live":
        if new["isolated"]:
            new["isolated"] = None
            _remember(new, "live", change, reason=change.reason)
    elif change.state == "deploying":
        new["deploying"] = deployments.begun(change.applications or {}, change.owner, timestamp(change.now))
    elif change.state == "deployed":
        new["deploying"] = None
        wanted = dict(sorted((change.applications or {}).items()))
        if new["applications"] != wanted:
            new["applications"] = wanted
            _remember(new, "deployed", change, applications=", ".join(wanted))
    return new
