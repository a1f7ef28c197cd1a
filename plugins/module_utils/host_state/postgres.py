# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of a PostgreSQL server and of one database in it, in one query as its administrator."""

from __future__ import annotations

import json
import typing as t

from ..database.options import AS_ADMINISTRATOR
from ..database.scram import has_password
from . import files
from .commands import output

_LINE_OF_PORT = 3
# The variables of psql are quoted by psql. Only the current database has extensions and a schema to inspect.
_QUERY = """
SELECT json_build_object(
  'loaded', extract(epoch FROM pg_conf_load_time())::float8,
  'invalid_rules', (SELECT count(*) FROM pg_hba_file_rules WHERE error IS NOT NULL),
  'overridden', (SELECT count(*) FROM pg_file_settings WHERE sourcefile LIKE '%/postgresql.auto.conf'
    AND name = ANY (string_to_array(:'settings', ' '))),
  'pending', (SELECT count(*) FROM pg_settings WHERE pending_restart),
  'user', (SELECT json_build_object('superuser', rolsuper, 'createdb', rolcreatedb, 'createrole', rolcreaterole,
    'replication', rolreplication, 'bypassrls', rolbypassrls) FROM pg_authid WHERE rolname = :'user'),
  'login', (SELECT json_build_object('login', rolcanlogin, 'superuser', rolsuper, 'createdb', rolcreatedb,
    'createrole', rolcreaterole, 'replication', rolreplication, 'bypassrls', rolbypassrls, 'inherit', rolinherit,
    'password', rolpassword, 'member', EXISTS (SELECT FROM pg_auth_members m WHERE m.member = a.oid
      AND m.roleid = (SELECT oid FROM pg_authid WHERE rolname = :'user')),
    'owner', EXISTS (SELECT FROM pg_db_role_setting WHERE setrole = a.oid AND setdatabase = 0
      AND 'role=' || :'user' = ANY (setconfig)))
    FROM pg_authid a WHERE rolname = :'login'),
  'database', (SELECT json_build_object('owner', pg_get_userbyid(datdba), 'encoding', pg_encoding_to_char(encoding),
    'collate', datcollate, 'ctype', datctype, 'public', EXISTS (
      SELECT FROM aclexplode(coalesce(datacl, acldefault('d', datdba))) WHERE grantee = 0))
    FROM pg_database WHERE datname = current_database()),
  'schema', (SELECT json_build_object('owner', pg_get_userbyid(nspowner), 'public', EXISTS (
      SELECT FROM aclexplode(coalesce(nspacl, acldefault('n', nspowner)))
      WHERE grantee = 0 AND privilege_type = 'CREATE'))
    FROM pg_namespace WHERE nspname = 'public'),
  'extensions', (SELECT coalesce(json_agg(extname), '[]') FROM pg_extension),
  'memberships', (SELECT coalesce(json_agg(pg_get_userbyid(roleid)), '[]') FROM pg_auth_members
    WHERE member = (SELECT oid FROM pg_authid WHERE rolname = :'user'))
)
"""


def port_of(data_directory: str) -> str:
    """The port on which the server listens. After a change of the configuration it is the old one until a restart."""
    lines = files.text(f"{data_directory}/postmaster.pid").splitlines()
    return lines[_LINE_OF_PORT].strip() if len(lines) > _LINE_OF_PORT else ""


def gather(params: t.Mapping[str, t.Any], password: str) -> dict[str, t.Any]:
    """The state of the server; empty if it does not answer."""
    port = port_of(str(params["data_directory"]))
    if not port.isdecimal():
        return {}
    answer = output(
        *("psql", "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1"),
        *(f"--set=user={params['user']}", f"--set=login={params['login']}"),
        f"--set=settings={' '.join(params['settings'])}",
        "--file=-",
        environment={
            "PGHOST": str(params["socket_directory"]),
            "PGPORT": port,
            "PGUSER": "postgres",
            "PGDATABASE": str(params["database"]),
            "PGCONNECT_TIMEOUT": "10",
            "PGOPTIONS": AS_ADMINISTRATOR,
        },
        text=_QUERY,
    )
    try:
        found: dict[str, t.Any] = json.loads(answer or "{}")
    except (ValueError, RecursionError):
        return {}
    if not found:
        return {}
    login = found.get("login")
    if isinstance(login, dict):
        login = {**login, "password": has_password(str(login.get("password") or ""), password)}
    return {**found, "login": login, "port": int(port)}
