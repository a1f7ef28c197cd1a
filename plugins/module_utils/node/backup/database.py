# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dumps and loads the system database, with the account of the engine and PostgreSQL's own clients."""

from __future__ import annotations

import os
import tempfile
import typing as t

from .. import commands
from ..files.errors import NodeError
from .place import Database

_LOCK_MILLISECONDS = 60_000
# The user of the engine may neither create an extension nor comment on one. They are in the new database already.
_NOT_LOADED = (" EXTENSION ", " COMMENT - EXTENSION ", " SCHEMA - public ", " COMMENT - SCHEMA public ")
_QUERY = (
    "SELECT current_setting('server_version_num'), pg_database_size(current_database()), "
    "(SELECT count(*) FROM pg_stat_user_tables)"
)


def _environment(database: Database, name: str = "") -> dict[str, str]:
    return commands.environment(**database.environment(name))


def facts(database: Database, name: str = "") -> dict[str, int]:
    """Version of the server, and size and number of tables of the database."""
    argv = [commands.client_program("psql"), "--no-psqlrc", "--tuples-only", "--no-align", "--command", _QUERY]
    try:
        values = commands.output_of([*argv, "--no-password"], _environment(database, name)).strip().split("|")
        version, size, tables = (int(value) for value in values)
    except ValueError as exc:
        raise NodeError("The database server does not answer the query for its version.") from exc
    return {"server_version": version, "bytes": size, "tables": tables}


def dump(database: Database, consume: commands.Consume) -> None:
    """A dump of one moment: pg_dump reads all tables in one transaction."""
    argv = [
        commands.client_program("pg_dump"),
        "--format=custom",
        "--no-password",
        f"--lock-wait-timeout={_LOCK_MILLISECONDS}",
    ]
    commands.output_to(argv, _environment(database), consume)


def contents(path: str) -> str:
    """The list of what a dump contains. Fails if its beginning is damaged."""
    return commands.output_of(
        [commands.client_program("pg_restore"), "--list", path], commands.environment(), limit=64 << 20
    )


def read(path: str) -> None:
    """Read all of a dump, as if it was loaded."""
    argv = [commands.client_program("pg_restore"), "--file=-", path]
    commands.output_to(argv, commands.environment(), lambda _block: None)


def selected(listing: str) -> str:
    """The list without what the user of the engine may not create."""
    return "\n".join(line for line in listing.splitlines() if not any(kind in line for kind in _NOT_LOADED)) + "\n"


def load(database: Database, name: str, path: str) -> dict[str, int]:
    """Load a dump into an empty database. All objects belong to the engine's user."""
    with tempfile.TemporaryDirectory() as directory:
        chosen = os.path.join(directory, "list")
        fd = os.open(chosen, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "w", encoding="utf-8") as stream:
            stream.write(selected(contents(path)))
        argv: t.Sequence[str] = [
            commands.client_program("pg_restore"),
            f"--dbname={name}",
            f"--use-list={chosen}",
            "--no-owner",
            "--no-privileges",
            "--exit-on-error",
            "--single-transaction",
            "--no-password",
            path,
        ]
        with commands.running(argv, _environment(database, name)) as process:
            process.wait()
    return facts(database, name)
