# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a restore of the database to a point in time came, in the open operation of the cluster record.

Once the database is restored, engines serve and users change it. To restore it again would throw that away, so a run
that continues the operation has to know. A record that is invalid here is refused: nobody could say how far it came.
"""

from __future__ import annotations

import re
import typing as t

from ..files.errors import NodeError
from . import lease as leases

OPERATION = "restore_database"
# The entry of the history when it is done.
RESTORED = "database restored"
LATEST = "latest"
_TARGET = re.compile(r"latest|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_LAST_TIMELINE = 2**32 - 1
# The data directory of PostgreSQL. It is shown in messages, and the engine's account can write the record.
_DIRECTORY = re.compile(r"/[A-Za-z0-9/._-]{1,200}")
# PostgreSQL's identifier of a database system. A new server, which begins at timeline 1 again, has another one.
_SYSTEM = re.compile(r"\d{0,20}")


def _is_timeline(value: t.Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LAST_TIMELINE


def problem(operation: t.Mapping[str, t.Any] | None) -> str:
    """What is wrong with this part of an operation that was read; empty if nothing is."""
    value = (operation or {}).get("database")
    if value is None:
        return ""
    if not isinstance(value, dict):
        return "the database of the operation is not a mapping"
    target = value.get("target")
    if not isinstance(target, str) or not _TARGET.fullmatch(target):
        return "the target of the operation is not a time"
    if not _is_timeline(value.get("timeline")) or not _is_timeline(value.get("left")):
        return "a timeline of the operation is not a number"
    restored = value.get("restored")
    if restored is not None:
        try:
            leases.seconds(restored)
        except (ValueError, TypeError, AttributeError, OverflowError):
            return "the time at which the database was restored is not a time"
    files = value.get("files")
    if files is not None and (not isinstance(files, str) or not _DIRECTORY.fullmatch(files)):
        return "the files of the database are not a directory"
    system = value.get("system", "")
    if not isinstance(system, str) or not _SYSTEM.fullmatch(system):
        return "the identifier of the database server is not a number"
    return ""


def _number(given: t.Mapping[str, t.Any], name: str) -> int:
    """A timeline of PostgreSQL; 0 if it is not known."""
    try:
        return int(str(given.get(name) or 0))
    except ValueError:
        raise NodeError(f"database: {name} is not the number of a timeline.") from None


def words(part: t.Mapping[str, t.Any]) -> str:
    return f"{part['target']} on timeline {part['timeline']}" if part["timeline"] else str(part["target"])


def of(operation: t.Mapping[str, t.Any] | None) -> t.Any:
    """What an open restore has recorded of the database; None if there is none.

    A restore of a backup that has taken it over keeps what is half restored, until it has exchanged the database.
    """
    return (operation or {}).get("database")


def half_restored(operation: t.Mapping[str, t.Any] | None) -> str:
    """The directory whose files an open restore has begun to change and not restored; empty if there is none."""
    part = of(operation)
    return str(part.get("files") or "") if part and not part.get("restored") else ""


def begun(known: t.Mapping[str, t.Any] | None, given: t.Mapping[str, t.Any], repeat: str) -> dict[str, t.Any]:
    """This part at the beginning of an attempt. ``known`` is that of an earlier one of the same operation.

    ``repeat`` is the time of the restore whose result is thrown away.
    """
    if known and known["restored"] and known["restored"] != repeat:
        raise NodeError(
            f"The database was restored to {words(known)} at {known['restored']} already, and engines may work with it "
            "since. Nothing was changed. Run with the same target to start the engines that are left; to throw "
            f"away what users did since, set restore_database_repeat: {known['restored']}."
        )
    # The timeline that users worked on is the one before the first attempt that did not end.
    left = known["left"] if known and not known["restored"] else _number(given, "left")
    part = {
        "target": str(given.get("target") or ""),
        "timeline": _number(given, "timeline"),
        "left": left,
        "restored": None,
        "system": str(given.get("system") or ""),
    }
    if known and not known["restored"] and known.get("files"):
        part["files"] = known["files"]
    wrong = problem({"database": part})
    if wrong:
        raise NodeError(f"The restore of the database was not begun: {wrong}.")
    return part


def replacing(known: t.Mapping[str, t.Any] | None, given: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """This part from when the files are changed: until they are restored, no server may start with them."""
    if not known or known["restored"]:
        raise NodeError("No restore of the database is under way.")
    part = {**known, "files": str(given.get("files") or "")}
    wrong = problem({"database": part})
    if wrong:
        raise NodeError(f"The files of the database were not changed: {wrong}.")
    return part


def kept(known: t.Mapping[str, t.Any] | None) -> dict[str, t.Any]:
    """This part when it has turned out that no file was changed, so that others may work with the database again."""
    if not known or known["restored"]:
        raise NodeError("No restore of the database is under way.")
    return {name: value for name, value in known.items() if name != "files"}


def ended(known: t.Mapping[str, t.Any] | None, given: t.Mapping[str, t.Any], now: str) -> dict[str, t.Any]:
    """This part when the database is restored, and for the history also the timeline that was ``begun``."""
    if not known:
        raise NodeError("No restore of the database is under way.")
    kept = {name: value for name, value in known.items() if name != "files"}
    return {**kept, "restored": now, "begun": _number(given, "begun")}
