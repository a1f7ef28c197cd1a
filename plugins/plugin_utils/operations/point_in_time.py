# Copyright: the ivy.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Chooses what pgBackRest restores: a point in time, and the backup that it starts from."""

from __future__ import annotations

import json
import re
import typing as t
from datetime import datetime, timezone

from ansible_collections.ivy.cluster.plugins.plugin_utils.common.commands import command

LATEST = "latest"
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


def _backups(text: str, stanza: str) -> list[tuple[datetime, str]]:
    """The end and the name of each complete backup, oldest first. The answer comes from a host."""
    try:
        stanzas = [one for one in json.loads(text) if one["name"] == stanza]
        listed = [one for entry in stanzas for one in entry["backup"] if not one.get("error")]
        found = [(_utc(int(one["timestamp"]["stop"])), str(one["label"])) for one in listed]
    except (KeyError, TypeError, ValueError, OverflowError, OSError, AttributeError):
        return []
    return sorted(one for one in found if _LABEL.fullmatch(one[1]))


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


def choose(
    target: str, info: str, now: float, stanza: str, record: t.Mapping[str, t.Any] | None = None
) -> dict[str, t.Any]:
    """The time for pgBackRest and the backup; or the reason why there is none, as ``problem``."""
    choice: dict[str, t.Any] = {"problem": "", "time": "", "words": LATEST, "set": "", "later": []}
    text = target.strip()
    when = None if text == LATEST else moment(text)
    if text != LATEST and when is None:
        shown = f"{text} is not a time with a time zone" if text else "name the time to restore"
        return {**choice, "problem": f"restore_database_target: {shown}. Write one such as {_EXAMPLE}."}
    backups = _backups(info, stanza)
    if not backups:
        return {
            **choice,
            "problem": "The archive has no complete backup, so nothing can be restored from it. The first one begins "
            "when the archive is set up. On the database server: journalctl -u 'ivy-postgres-archive@*'",
        }
    if when is None:
        return {**choice, "set": backups[-1][1]}
    today = _utc(now)
    if when > today:
        problem = f"restore_database_target: {_words(when)} is in the future; the server has {_words(today)}."
        return {**choice, "problem": problem}
    before = [label for ended, label in backups if ended <= when]
    if not before:
        oldest = _words(backups[0][0])
        problem = f"restore_database_target: {_words(when)} is before the end of the oldest backup, {oldest}."
        return {**choice, "problem": problem}
    problem = _not_this_database(record or {}, when)
    return {
        **choice,
        "problem": problem,
        "time": when.strftime("%Y-%m-%d %H:%M:%S+00"),
        "words": _words(when),
        "set": before[-1],
        "later": _later(record or {}, when),
    }
