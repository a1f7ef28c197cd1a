# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A new database beside the system database, which takes its place once a dump was loaded into it.

The old one stays under another name until the next restore.
"""

from __future__ import annotations

import json
import os
import time
import typing as t

from ..node import commands
from ..node.files.errors import NodeError
from . import psql

NEW, BEFORE = "_restore", "_before"
_LONGEST_NAME = 63
_ATTEMPTS = 10
_PAUSE = 2.0
# An index that is built while data is loaded needs space twice.
_SPACE = 1.5
_STATE = """
SELECT json_build_object(
  'server_version', current_setting('server_version_num')::int,
  'data_directory', current_setting('data_directory'),
  'databases', (SELECT coalesce(json_agg(datname), '[]') FROM pg_database
    WHERE datname IN (:'name', :'new', :'before')),
  'collate', (SELECT datcollate FROM pg_database WHERE datname = :'name'),
  'ctype', (SELECT datctype FROM pg_database WHERE datname = :'name'),
  'engines', (SELECT coalesce(json_agg(DISTINCT coalesce(client_addr::text, 'this host')), '[]') FROM pg_stat_activity
    WHERE datname = :'name' AND usesysid IN (SELECT oid FROM pg_roles WHERE NOT rolsuper
      AND (rolname = :'owner' OR pg_has_role(oid, :'owner', 'MEMBER'))))
);
"""
_EXTENSIONS = "SELECT coalesce(json_agg(extname), '[]') FROM pg_extension WHERE extname <> 'plpgsql';"
_EXTENSION = 'SET search_path = public; CREATE EXTENSION IF NOT EXISTS :"extension";'
_END_SESSIONS = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE datname = ANY (string_to_array(:'databases', E'\\x1f')) AND pid <> pg_backend_pid();
"""
_CREATE = """
CREATE DATABASE :"new" OWNER :"owner" ENCODING 'UTF8' TEMPLATE template0 LC_COLLATE :'collate' LC_CTYPE :'ctype';
REVOKE ALL ON DATABASE :"new" FROM PUBLIC;
"""
_SCHEMA = """
ALTER SCHEMA public OWNER TO :"owner";
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
"""


class Server(t.NamedTuple):
    """The server, the system database, and the engine's user."""

    socket: str
    port: int
    name: str
    owner: str

    @property
    def new(self) -> str:
        return self.name + NEW

    @property
    def before(self) -> str:
        return self.name + BEFORE


def run(server: Server, sql: str, database: str = "postgres", **variables: str) -> str:
    """The output of statements, of which some must not be in a transaction."""
    names = {"name": server.name, "new": server.new, "before": server.before, "owner": server.owner, **variables}
    return psql.run(
        psql.Server(server.socket, server.port),
        sql,
        names,
        database=database,
        transaction=False,
        seconds=commands.STALL_SECONDS,
    )


def state(server: Server) -> dict[str, t.Any]:
    """The databases that exist, and who uses the system database."""
    found: dict[str, t.Any] = json.loads(run(server, _STATE))
    return found


def problems(server: Server, found: t.Mapping[str, t.Any], needed: int) -> list[str]:
    """Why a backup cannot be restored on this server."""
    listed = []
    if len(server.new.encode("utf-8")) > _LONGEST_NAME:
        listed.append(
            f"The name of the database, {server.name}, is too long: with {NEW}, it has more than {_LONGEST_NAME} bytes."
        )
    status = os.statvfs(found["data_directory"])
    free = status.f_bavail * status.f_frsize
    if free < needed * _SPACE:
        listed.append(
            f"{found['data_directory']} has {free >> 20} MiB free, and the restored database needs up to "
            f"{int(needed * _SPACE) >> 20} MiB beside the old one."
        )
    return listed


def prepare(server: Server, extensions: t.Sequence[str], locale: str, again: bool) -> dict[str, t.Any]:
    """Create the new database, empty. One that an earlier attempt has left is dropped first.

    ``again`` continues an interrupted restore: the old database is the one from before its beginning, and stays.
    """
    found = state(server)
    old = [server.new] if again else [server.new, server.before]
    _drop(server, [name for name in old if name in found["databases"]])
    run(server, _CREATE, collate=found["collate"] or locale, ctype=found["ctype"] or locale)
    run(server, _SCHEMA, server.new)
    present = json.loads(run(server, _EXTENSIONS, server.name)) if server.name in found["databases"] else []
    for extension in sorted({*extensions, *present}):
        run(server, _EXTENSION, server.new, extension=extension)
    return found


def unused(server: Server, effect: str) -> dict[str, t.Any]:
    """The state, once no engine uses the system database. The sessions of one that was killed end a little later."""
    for attempt in range(_ATTEMPTS):
        if attempt:
            time.sleep(_PAUSE)
        found = state(server)
        if not found["engines"]:
            return found
    raise NodeError(
        f"An engine still uses the database {server.name}, from {', '.join(found['engines'])}. Stop it, also if it is "
        f"in ivy_proceed_without, and run the same playbook again. {effect}"
    )


def swap(server: Server) -> None:
    """The new database takes the place of the system database."""
    found = unused(server, "The old database is still in use.")
    if server.new not in found["databases"]:
        raise NodeError(f"The database {server.new} does not exist. Run the restore again.")
    if server.before in found["databases"]:
        # An interrupted restore has kept the old one, so this is what it had restored.
        _drop(server, [server.name] if server.name in found["databases"] else [])
        renames = ['ALTER DATABASE :"new" RENAME TO :"name";']
    else:
        renames = ['ALTER DATABASE :"name" RENAME TO :"before";', 'ALTER DATABASE :"new" RENAME TO :"name";']
    used = "\x1f".join((server.name, server.new))
    run(server, f"{_END_SESSIONS}\nBEGIN;\n{' '.join(renames)}\nCOMMIT;\n", databases=used)


def drop(server: Server) -> bool:
    """Drop the new database, after a test. Returns whether there was one."""
    there = server.new in state(server)["databases"]
    _drop(server, [server.new] if there else [])
    return there


def _drop(server: Server, names: t.Iterable[str]) -> None:
    for name in names:
        run(server, f'{_END_SESSIONS}DROP DATABASE IF EXISTS :"databases";', databases=name)


def call(params: t.Mapping[str, t.Any], check: bool) -> dict[str, t.Any]:
    """The result of ivy.cluster.restored_database."""
    server = Server(params["socket_directory"], params["port"], params["name"], params["owner"])
    if params["state"] == "inspected":
        found = state(server)
        return {
            "changed": False,
            "server_version": found["server_version"],
            "databases": found["databases"],
            "problems": problems(server, found, params["needed_bytes"]),
        }
    if params["state"] == "unused":
        unused(server, "The database was not changed.")
        return {"changed": False}
    if params["state"] == "dropped":
        there = server.new in state(server)["databases"] if check else drop(server)
        return {"changed": there}
    if not check:
        if params["state"] == "prepared":
            prepare(server, params["extensions"], params["locale"], params["again"])
        else:
            swap(server)
    return {"changed": True}
