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
# In the history of the cluster record; see the module record.
RESTORED = database_restore.RESTORED
_FILE_SIZE = 1 << 24
_TIMELINE = re.compile(r"[1-9]\d{0,8}")
_HISTORY = re.compile(r"== (\d+-\d+)/([0-9A-F]{8})\.history")
# Why PostgreSQL began a timeline, if that was for a time.
_FORKED = re.compile(r"(?:before|after) (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)(?:\.\d+)?([+-]\d\d(?::\d\d)?)")
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


class Fork(t.NamedTuple):
    """Where a timeline begins."""

    parent: int
    # The first change that it does not have; None if it has all of its parent.
    at: datetime | None
    # For each earlier timeline that it contains, up to which position.
    ends: dict[int, int]


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
    # The time of the restore whose result is thrown away, as the message has named it.
    repeat: str = ""
    others: bool = False
    # The backup to start from; empty chooses the newest one.
    backup: str = ""


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


def _last(stanza: t.Mapping[str, t.Any], name: str, key: str) -> t.Any:
    """Of the server that the archive belongs to now. Before an upgrade of PostgreSQL it belonged to another one."""
    try:
        return stanza[name][-1][key]
    except (KeyError, TypeError, IndexError):
        return None


def _backups(stanza: t.Mapping[str, t.Any]) -> list[Backup]:
    """The complete backups of the server, oldest first."""
    listed, server = stanza.get("backup"), _last(stanza, "db", "id")
    found = [_backup(one) for one in (listed if isinstance(listed, list) else []) if _server(one) in (None, server)]
    return sorted(one for one in found if one is not None)


def _server(backup: t.Any) -> t.Any:
    try:
        return backup["database"]["id"]
    except (KeyError, TypeError):
        return None


def forks(text: str, archive_id: str) -> dict[int, Fork]:
    """Each timeline but the first.

    Before each file, ``text`` has a line ``== <id of the archive>/<timeline>.history``.
    """
    found: dict[int, Fork] = {}
    number = 0
    for line in text.splitlines():
        heading = _HISTORY.fullmatch(line.strip())
        if heading:
            number = int(heading[2], 16) if heading[1] == archive_id else 0
            if number:
                found.setdefault(number, Fork(0, None, {}))
            continue
        words = line.split(maxsplit=2)
        if not number or len(words) < 2 or words[0].startswith("#"):
            continue
        with contextlib.suppress(ValueError):
            parent, position = int(words[0]), _position(words[1])
            # The last line is that of the timeline itself.
            found[number] = Fork(parent, _forked_at("".join(words[2:])), {**found[number].ends, parent: position})
    return found


def _forked_at(reason: str) -> datetime | None:
    """The time at which PostgreSQL stopped; None if it did not stop because of a time."""
    if not re.match(r"(before|after) \d", reason):
        return None
    found = _FORKED.fullmatch(reason.strip())
    zone = f"{found[2]}:00"[:6] if found else ""
    # A time that cannot be read may be any.
    return (moment(f"{found[1]}{zone}") if found else None) or _utc(0)


def _restores(record: t.Mapping[str, t.Any], system: str) -> list[Restored]:
    """What the cluster record remembers of this server, oldest first.

    The timelines of another one have the same numbers. Without a server, an entry counts as lost.
    """
    found = []
    for entry in record.get("history") or []:
        at = moment(str(entry.get("time") or ""))
        numbers = [entry.get(name) for name in ("timeline", "left", "begun")]
        if entry.get("operation") != RESTORED or str(entry.get("system") or "") != system:
            continue
        if at is None or not all(isinstance(one, int) for one in numbers):
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


def unknown(
    timeline: int,
    when: datetime,
    known: t.Mapping[int, Fork],
    restores: t.Sequence[Restored],
    backups: t.Sequence[Backup],
) -> int:
    """The timeline of which nobody knows whether users worked on it at that time; 0 if there is none.

    The history of the cluster record does not go back for ever, and may be lost. PostgreSQL knows to which time a
    restore went back, but not when it was made. The first backup of the timeline is later than that.
    """
    while timeline > 1:
        begin = next((one for one in restores if one.begun == timeline), None)
        first = begin.at if begin else min((one.ended for one in backups if one.timeline == timeline), default=None)
        if first is not None and when >= first:
            return 0
        fork = known.get(timeline)
        if fork is None:
            # The archive has nothing of before.
            return 0
        if fork.parent >= timeline:
            return timeline
        if begin is None and fork.at is not None and when >= fork.at:
            return timeline
        timeline = fork.parent
    return 0


def _unknown_problem(timeline: int, when: datetime, known: t.Mapping[int, Fork]) -> str:
    fork = known.get(timeline)
    parent, at = (fork.parent, _words(fork.at)) if fork and fork.at else (0, "its beginning")
    return (
        f"restore_database_target: nobody knows on which timeline the database was at {_words(when)}. Timeline "
        f"{timeline} does not contain what users did between {at} and the restore that has begun it, and the history "
        "of the cluster record does not have that restore. Add -e "
        f"restore_database_timeline={parent or timeline} if it was made after {_words(when)}, otherwise -e "
        f"restore_database_timeline={timeline}"
    )


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


def other_databases(text: str) -> tuple[list[str], str] | None:
    """The names of the other databases of the server, and which clients use them. None if it does not say that."""
    try:
        found = [(plain_text(one["name"]), plain_text(one["clients"] or "")) for one in answers.parsed(text)]
    except (KeyError, TypeError, ValueError, RecursionError):
        return None
    return [name for name, _clients in found], "; ".join(f"{name} from {clients}" for name, clients in found if clients)


_ALL_DATABASES = (
    "pgBackRest restores all databases of a server, with the roles and their passwords, so what was changed in them "
    "since would be gone as well."
)


def _others_problem(others: tuple[list[str], str] | None, accepted: bool) -> str:
    if others is None:
        if accepted:
            return ""
        return (
            "The database server does not say whether it has databases of others. "
            + _ALL_DATABASES
            + " If it is stopped but not damaged, such as after a run that was interrupted, start it. "
            "If it has none, or if that is meant, set restore_database_others: true."
        )
    names, used = others
    if not names:
        return ""
    if not accepted:
        return (
            f"The server also has {count(len(names), 'database')} of others: {', '.join(names)}. {_ALL_DATABASES} "
            "If that is meant, set restore_database_others: true."
        )
    if used:
        return f"Clients use other databases of the server: {used}. Stop them; they would be cut off."
    return ""


def _throw_away(restored: str) -> str:
    return f"to throw away what users did since, -e restore_database_repeat={restored}"


def _already(part: t.Mapping[str, t.Any]) -> str:
    return (
        f"restore_database_target: the restore that is open has restored the database to {part['target']} at "
        f"{part['restored']}, and users may have worked since. Run with that target and without "
        "restore_database_repeat, which only starts the engines that are left. Restore another time afterwards; or, "
        f"{_throw_away(part['restored'])}"
    )


def _is_time(text: str, when: datetime | None) -> bool:
    return when is not None and moment(text.strip()) == when


def _repeated(when: datetime | None, named: str, live: int, restores: t.Sequence[Restored], repeat: str) -> str:
    """Why the restore would only throw away what users did since the same one; empty if it is not the same."""
    last = restores[-1] if restores else None
    if last is None or last.begun != live or last.target != when or _is_time(repeat, last.at):
        return ""
    if when is None and named != str(last.timeline):
        # The end of another timeline.
        return ""
    return (
        f"restore_database_target: the last restore was to {_words(when) if when else LATEST} already, at "
        f"{_words(last.at)}, and users may have worked since. Nothing has to be done; or, "
        f"{_throw_away(_words(last.at))}"
    )


def _undo(choice: t.Mapping[str, t.Any], known: t.Mapping[int, Fork], backups: t.Sequence[Backup]) -> str:
    """The full backup that the undo of this restore would start from; empty if there is no undo."""
    left = choice["left"]
    usable = _usable(left, known, backups)
    if not usable or (choice["words"] == LATEST and left == choice["timeline"]):
        return ""
    return usable[-1].label.partition("_")[0]


_ANOTHER_SERVER = (
    "The restore that is open was begun with another database server, whose archive this is not. What this one has "
    "would take the place of what was to be restored. Restore a backup: "
)


def choose(request: Request, archive: Archive, record: t.Mapping[str, t.Any] | None = None) -> dict[str, t.Any]:
    """The time for pgBackRest, the backup and the timeline; or the reason why there is none, as ``problem``.

    ``done`` if a run that was interrupted has restored the database, so that only engines are left to start.
    """
    record = record or {}
    others = other_databases(archive.databases)
    choice: dict[str, t.Any] = {
        "problem": "",
        "time": "",
        "words": LATEST,
        "set": "",
        "later": [],
        "timeline": 0,
        "follow": "",
        "left": archive.current,
        "done": False,
        "repeat": "",
        "undo": "",
        "system": "",
        "others": others[0] if others else [],
        "others_problem": _others_problem(others, request.others),
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
    part = database_restore.of(operation) or {}
    stanza = _stanza(archive.info, archive.stanza)
    system = str(_last(stanza, "db", "system-id") or "")
    if part and not part["restored"] and part.get("system") and system and part["system"] != system:
        return {**choice, "problem": _ANOTHER_SERVER + command("restore")}
    known = forks(archive.timelines, str(_last(stanza, "archive", "id") or ""))
    backups = _backups(stanza)
    restores = _restores(record, system)
    found = _attempt(request, when, choice, part, archive, known, backups, record, restores)
    chosen = {**choice, "system": system, **found}
    return {**chosen, "undo": _undo(chosen, known, backups)}


def _attempt(
    request: Request,
    when: datetime | None,
    choice: t.Mapping[str, t.Any],
    part: t.Mapping[str, t.Any],
    archive: Archive,
    known: t.Mapping[int, Fork],
    backups: t.Sequence[Backup],
    record: t.Mapping[str, t.Any],
    restores: t.Sequence[Restored],
) -> dict[str, t.Any]:
    """What is new in the choice. ``part`` is what an open restore has recorded of the database."""
    # What is not a number is reported with the other options.
    named = request.timeline if _TIMELINE.fullmatch(request.timeline) else ""
    same = part.get("target") == choice["words"] and named in ("", str(part["timeline"]))
    if part.get("restored") and not _is_time(request.repeat, moment(part["restored"])):
        # The same command once more names the time that it has thrown away.
        consumed = any(_is_time(request.repeat, one.at) for one in restores[:-1])
        if not same or (request.repeat and not consumed):
            return {"problem": _already(part)}
        return {"done": True, "timeline": part["timeline"], "left": part["left"], "others_problem": ""}
    newest = max([1, *known, *(one.timeline for one in backups)])
    # The archive may lack the file of a timeline that a restore has begun.
    last = restores[-1].begun if restores else 0
    live = archive.current or max(newest, last)
    # A server that is stopped was on the newest timeline. If the archive lacks that, the restore may begin its number
    # again, so it is not known.
    left = archive.current or (newest if newest >= last else 0)
    new: dict[str, t.Any] = {"repeat": part.get("restored") or "", "left": left}
    if part and not part.get("restored"):
        # An attempt that did not end may have begun a timeline on which nobody worked.
        live = part["left"] or live
        new["left"] = part["left"]
        if not archive.databases and part.get("files"):
            # The attempt has asked before. Now the server has what pgBackRest has restored so far.
            new["others_problem"] = ""
    repeated = "" if part else _repeated(when, named, live, restores, request.repeat)
    if repeated:
        return {"problem": repeated}
    timeline = int(named) if named else part["timeline"] if same and not part["restored"] else live
    started = _start(when, timeline, live, backups, known, archive.now, record, restores, bool(named), request.backup)
    # PostgreSQL refuses the number of a timeline whose file the archive does not have, because it is newer than that.
    follow = str(timeline) if timeline == 1 or timeline in known else "current"
    return {**new, "timeline": timeline, "follow": follow, **started}


def _usable(timeline: int, known: t.Mapping[int, Fork], backups: t.Sequence[Backup]) -> list[Backup]:
    before = known[timeline].ends if timeline in known else {}
    return [one for one in backups if one.timeline == timeline or one.stop <= before.get(one.timeline, -1)]


def _start(
    when: datetime | None,
    timeline: int,
    live: int,
    backups: t.Sequence[Backup],
    known: t.Mapping[int, Fork],
    now: float,
    record: t.Mapping[str, t.Any],
    restores: t.Sequence[Restored],
    named: bool,
    backup: str,
) -> dict[str, t.Any]:
    """The backup to start from."""
    if not backups:
        return {
            "problem": "The archive has no complete backup, so nothing can be restored from it. The first one begins "
            "when the archive is set up. On the database server: journalctl -u 'ivy-postgres-archive@*'"
        }
    if timeline > 1 and timeline not in known and all(one.timeline != timeline for one in backups):
        has = ", ".join(str(one) for one in sorted({1, *known}))
        return {"problem": f"restore_database_timeline: the archive has no timeline {timeline}. It has {has}."}
    usable = _usable(timeline, known, backups)
    if not usable:
        has = ", ".join(str(one) for one in sorted({one.timeline for one in backups}))
        return {
            "problem": f"restore_database_timeline: the archive has no backup of timeline {timeline} or of before it. "
            f"It has backups of {has}; name one with restore_database_timeline."
        }
    allowed = [one for one in usable if backup.strip() in ("", one.label)]
    if not allowed:
        has = ", ".join(one.label for one in usable)
        return {"problem": f"restore_database_backup: timeline {timeline} has no such complete backup. It has {has}."}
    if when is None:
        # Of a timeline that was left at an unknown time, the archive has at least this.
        end = _utc(now) if timeline == live else _left_at(timeline, restores) or usable[-1].ended
        later = _later(record, end) if timeline != live else []
        return {"set": allowed[-1].label, "problem": _not_this_database(record, end), "later": later}
    today = _utc(now)
    if when > today:
        return {"problem": f"restore_database_target: {_words(when)} is in the future; the server has {_words(today)}."}
    if not contains(timeline, when, restores):
        worked = next((one.left for one in restores if one.at > when), 0) or live
        return {
            "problem": f"restore_database_target: at {_words(when)} the database was on timeline {worked}, and "
            f"timeline {timeline} does not contain that. Add -e restore_database_timeline={worked}"
        }
    doubtful = 0 if named else unknown(timeline, when, known, restores, backups)
    if doubtful:
        return {"problem": _unknown_problem(doubtful, when, known)}
    starts = [one for one in allowed if one.ended <= when]
    if not starts:
        first = f"backup {allowed[0].label}" if backup.strip() else "the oldest backup"
        words = f"{_words(when)} is before the end of {first}, {_words(allowed[0].ended)}"
        return {"problem": f"restore_database_target: {words}, on timeline {timeline}."}
    return {
        "problem": _not_this_database(record, when),
        "set": starts[-1].label,
        "later": _later(record, when),
    }
