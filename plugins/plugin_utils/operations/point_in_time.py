# Copyright: the ivy.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Chooses what pgBackRest restores: a point in time, and the backup that it starts from."""

from __future__ import annotations

import contextlib
import re
import typing as t
from datetime import datetime, timezone

from ansible_collections.ivy.cluster.plugins.module_utils.node.cluster import database_restore
from ansible_collections.ivy.cluster.plugins.plugin_utils.common import answers
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.commands import command
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.text import count, plain_text

LATEST = database_restore.LATEST
OPERATION = "restore_database"
# In the history of the cluster record; see the module record.
RESTORED = "database restored"
_FILE_SIZE = 1 << 24
_TIMELINE = re.compile(r"[1-9]\d{0,8}")
_HISTORY = re.compile(r"== (\d+-\d+)/([0-9A-F]{8})\.history")
_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)")
_LABEL = re.compile(r"\d{8}-\d{6}F(_\d{8}-\d{6}[DI])?")
_EXAMPLE = "2026-01-31T12:00:00+01:00, or latest"


def moment(text: str) -> datetime | None:
    """A time with its time zone, or None. Without a zone, nobody would know which time is meant."""
    if not _TIME.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(timezone.utc)
    except (ValueError, OverflowError):
        return None


def _utc(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, timezone.utc)


def _words(when: datetime) -> str:
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")


class Backup(t.NamedTuple):
    """A complete backup. It can be the start of each timeline that contains its end, ``stop`` in PostgreSQL's log."""

    ended: datetime
    label: str
    timeline: int
    stop: int


class Restored(t.NamedTuple):
    """A restore of the database, from the history of the cluster record. ``target`` is None for everything."""

    at: datetime
    target: datetime | None
    timeline: int
    left: int
    begun: int


class Archive(t.NamedTuple):
    """What the database server says about itself and the archive."""

    # Of pgbackrest info, as JSON.
    info: str
    # In seconds since 1970.
    now: float
    stanza: str
    # The timeline of the server, 0 if it does not answer.
    current: int = 0
    # The files in which PostgreSQL describes each timeline, one after another.
    timelines: str = ""
    # The other databases of the server, as JSON; empty if it does not answer.
    databases: str = ""


class Request(t.NamedTuple):
    """The options."""

    target: str
    timeline: str = ""
    # Although the operation that is open has restored the database.
    repeat: bool = False
    others: bool = False


def _position(text: str) -> int:
    """A position in PostgreSQL's log, such as 0/3000138."""
    high, low = text.split("/")
    return (int(high, 16) << 32) + int(low, 16)


def _end_of_file(name: str) -> int:
    """The position at the end of a file of the log: at least where the backup ended. An old pgBackRest says no more."""
    return (int(name[8:16], 16) << 32) + (int(name[16:24], 16) + 1) * _FILE_SIZE


def _stanza(text: str, name: str) -> dict[str, t.Any]:
    """The answer comes from a host."""
    try:
        found = [one for one in answers.parsed(text) if one["name"] == name]
    except (KeyError, TypeError, ValueError, RecursionError):
        return {}
    return found[0] if found and isinstance(found[0], dict) else {}


def _backup(one: t.Any) -> Backup | None:
    try:
        if one.get("error") or not _LABEL.fullmatch(one["label"]):
            return None
        ended = _utc(int(one["timestamp"]["stop"]))
        logged = one["archive"]
        stop = _position(one["lsn"]["stop"]) if one.get("lsn") else _end_of_file(logged["stop"])
        return Backup(ended, one["label"], int(logged["start"][:8], 16), stop)
    except (KeyError, TypeError, ValueError, OverflowError, OSError, AttributeError):
        return None


def _backups(stanza: t.Mapping[str, t.Any]) -> list[Backup]:
    """The complete backups, oldest first."""
    listed = stanza.get("backup")
    found = [_backup(one) for one in (listed if isinstance(listed, list) else [])]
    return sorted(one for one in found if one is not None)


def forks(text: str, archive_id: str) -> dict[int, dict[int, int]]:
    """For each timeline but the first: the earlier ones that it contains, and up to which position.

    Before each file, ``text`` has a line ``== <id of the archive>/<timeline>.history``.
    """
    found: dict[int, dict[int, int]] = {}
    part: dict[int, int] | None = None
    for line in text.splitlines():
        heading = _HISTORY.fullmatch(line.strip())
        if heading:
            part = found.setdefault(int(heading[2], 16), {}) if heading[1] == archive_id else None
            continue
        words = line.split()
        if part is None or len(words) < 2 or words[0].startswith("#"):
            continue
        with contextlib.suppress(ValueError):
            part[int(words[0])] = _position(words[1])
    return found


def _restores(record: t.Mapping[str, t.Any]) -> list[Restored]:
    """What the cluster record remembers, oldest first."""
    found = []
    for entry in record.get("history") or []:
        at = moment(str(entry.get("time") or ""))
        numbers = [entry.get(name) for name in ("timeline", "left", "begun")]
        if entry.get("operation") != RESTORED or at is None or not all(isinstance(one, int) for one in numbers):
            continue
        target = str(entry.get("target") or "")
        to = moment(target)
        if to is not None or target == LATEST:
            found.append(Restored(at, to, *numbers))
    return sorted(found, key=lambda one: one.at)


def _left_at(timeline: int, restores: t.Sequence[Restored]) -> datetime | None:
    """When users worked on a timeline for the last time; None if they still do, or nobody knows."""
    return next((one.at for one in restores if one.left == timeline), None)


def contains(timeline: int, when: datetime, restores: t.Sequence[Restored]) -> bool:
    """Whether a timeline has the database of that time.

    It has not what was between the time to which a restore went back, and that restore.
    """
    left = _left_at(timeline, restores)
    if left is not None and when > left:
        return False
    begin = next((one for one in restores if one.begun == timeline), None)
    if begin is None or when >= begin.at:
        return True
    if begin.target is not None and when > begin.target:
        return False
    # Only what was before can have begun the one that it continues.
    return contains(begin.timeline, when, [one for one in restores if one.at < begin.at])


def _later(record: t.Mapping[str, t.Any], when: datetime) -> list[str]:
    """What the history of the cluster record has after that time, oldest first."""
    found = []
    for entry in record.get("history") or []:
        at = moment(str(entry.get("time") or ""))
        if at is not None and at > when:
            found.append(f"{_words(at)} {entry.get('operation')} by {entry.get('owner') or 'unknown'}")
    return found


def _not_this_database(record: t.Mapping[str, t.Any], when: datetime) -> str:
    """Why the database of that time is not that of the engines."""
    schema = record.get("schema") or {}
    migrated = moment(str(schema.get("migrated_at") or ""))
    if migrated is not None and when < migrated:
        return (
            f"restore_database_target: {_words(when)} is before the upgrade at {_words(migrated)}, when the database "
            f"was that of engine {schema.get('migrated_from') or 'of before'}. Restore the backup of before the "
            f"upgrade instead, which brings back the engine version as well: {command('restore')}"
        )
    created = moment(str(schema.get("created_at") or ""))
    if created is not None and when < created:
        return f"restore_database_target: {_words(when)} is before {_words(created)}, when the tables were created."
    return ""


def other_databases(text: str) -> tuple[list[str], str]:
    """The names of the other databases of the server, and which clients use them."""
    try:
        found = [(plain_text(one["name"]), plain_text(one["clients"] or "")) for one in answers.parsed(text)]
    except (KeyError, TypeError, ValueError, RecursionError):
        return [], ""
    return [name for name, _clients in found], "; ".join(f"{name} from {clients}" for name, clients in found if clients)


def _others_problem(names: t.Sequence[str], used: str, accepted: bool) -> str:
    if not names:
        return ""
    if not accepted:
        return (
            f"The server also has {count(len(names), 'database')} of others: {', '.join(names)}. pgBackRest restores "
            "all databases of a server, with the roles and their passwords, so what was changed in them since would be "
            "gone as well. If that is meant, set restore_database_others: true."
        )
    if used:
        return f"Clients use other databases of the server: {used}. Stop them; they would be cut off."
    return ""


def _already(part: t.Mapping[str, t.Any]) -> str:
    return (
        f"restore_database_target: the restore that is open has restored the database to {part['target']} at "
        f"{part['restored']}, and users may have worked since. Run with that target, which only starts the engines "
        "that are left. Restore another time afterwards; or, to throw away what users did since, now: "
        "-e restore_database_repeat=true"
    )


def choose(request: Request, archive: Archive, record: t.Mapping[str, t.Any] | None = None) -> dict[str, t.Any]:
    """The time for pgBackRest, the backup and the timeline; or the reason why there is none, as ``problem``.

    ``done`` if a run that was interrupted has restored the database, so that only engines are left to start.
    """
    record = record or {}
    names, used = other_databases(archive.databases)
    choice: dict[str, t.Any] = {
        "problem": "",
        "time": "",
        "words": LATEST,
        "set": "",
        "later": [],
        "timeline": 0,
        "left": archive.current,
        "done": False,
        "others": names,
        "others_problem": _others_problem(names, used, request.others),
    }
    text = request.target.strip()
    when = None if text == LATEST else moment(text)
    if text != LATEST and when is None:
        shown = f"{text} is not a time with a time zone" if text else "name the time to restore"
        return {**choice, "problem": f"restore_database_target: {shown}. Write one such as {_EXAMPLE}."}
    if when is not None:
        choice = {**choice, "time": when.strftime("%Y-%m-%d %H:%M:%S+00"), "words": _words(when)}
    operation = record.get("operation") or {}
    wrong = database_restore.problem(operation)
    if wrong:
        return {**choice, "problem": f"The cluster record is damaged ({wrong})."}
    part = (operation.get("database") if operation.get("name") == OPERATION else None) or {}
    # What is not a number is reported with the other options.
    named = request.timeline if _TIMELINE.fullmatch(request.timeline) else ""
    same = part.get("target") == choice["words"] and named in ("", str(part["timeline"]))
    if part.get("restored") and not request.repeat:
        if not same:
            return {**choice, "problem": _already(part)}
        return {**choice, "done": True, "timeline": part["timeline"], "left": part["left"], "others_problem": ""}
    stanza = _stanza(archive.info, archive.stanza)
    known = forks(archive.timelines, _archive_id(stanza))
    backups = _backups(stanza)
    newest = max([1, *known, *(one.timeline for one in backups)])
    live = archive.current or newest
    if part and not part.get("restored"):
        # An attempt that did not end may have begun a timeline on which nobody worked.
        live = part["left"] or live
        choice["left"] = part["left"]
    timeline = int(named) if named else part["timeline"] if same and not part["restored"] else live
    choice["timeline"] = timeline
    return {**choice, **_start(when, timeline, live, backups, known, archive.now, record)}


def _archive_id(stanza: t.Mapping[str, t.Any]) -> str:
    try:
        return str(stanza["archive"][-1]["id"])
    except (KeyError, TypeError, IndexError):
        return ""


def _start(
    when: datetime | None,
    timeline: int,
    live: int,
    backups: t.Sequence[Backup],
    known: t.Mapping[int, t.Mapping[int, int]],
    now: float,
    record: t.Mapping[str, t.Any],
) -> dict[str, t.Any]:
    """The backup to start from."""
    if not backups:
        return {
            "problem": "The archive has no complete backup, so nothing can be restored from it. The first one begins "
            "when the archive is set up. On the database server: journalctl -u 'ivy-postgres-archive@*'"
        }
    if timeline > 1 and timeline not in known:
        has = ", ".join(str(one) for one in sorted({1, *known}))
        return {"problem": f"restore_database_timeline: the archive has no timeline {timeline}. It has {has}."}
    before = known.get(timeline, {})
    usable = [one for one in backups if one.timeline == timeline or one.stop <= before.get(one.timeline, -1)]
    if not usable:
        has = ", ".join(str(one) for one in sorted({one.timeline for one in backups}))
        return {
            "problem": f"restore_database_timeline: the archive has no backup of timeline {timeline} or of before it. "
            f"It has backups of {has}; name one with restore_database_timeline."
        }
    restores = _restores(record)
    if when is None:
        # Of a timeline that was left at an unknown time, the archive has at least this.
        end = _utc(now) if timeline == live else _left_at(timeline, restores) or usable[-1].ended
        later = _later(record, end) if timeline != live else []
        return {"set": usable[-1].label, "problem": _not_this_database(record, end), "later": later}
    today = _utc(now)
    if when > today:
        return {"problem": f"restore_database_target: {_words(when)} is in the future; the server has {_words(today)}."}
    if not contains(timeline, when, restores):
        worked = next((one.left for one in restores if one.at > when), 0) or live
        return {
            "problem": f"restore_database_target: at {_words(when)} the database was on timeline {worked}, and "
            f"timeline {timeline} does not contain that. Add -e restore_database_timeline={worked}"
        }
    starts = [one for one in usable if one.ended <= when]
    if not starts:
        oldest = _words(usable[0].ended)
        words = f"{_words(when)} is before the end of the oldest backup, {oldest}"
        return {"problem": f"restore_database_target: {words}, on timeline {timeline}."}
    return {
        "problem": _not_this_database(record, when),
        "set": starts[-1].label,
        "later": _later(record, when),
    }
