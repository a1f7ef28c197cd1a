# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of a PostgreSQL server and of one database in it, in one query as its administrator."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
import typing as t

from ansible_collections.ivy.cluster.plugins.module_utils.host_state import files
from ansible_collections.ivy.cluster.plugins.module_utils.host_state.commands import output

# The format of pg_authid.rolpassword: https://www.postgresql.org/docs/current/catalog-pg-authid.html
_SCRAM = re.compile(r"SCRAM-SHA-256\$([0-9]{1,7}):([A-Za-z0-9+/=]+)\$([A-Za-z0-9+/=]+):([A-Za-z0-9+/=]+)\Z")
_LINE_OF_PORT = 3
# The variables of psql are quoted by psql. Only the current database has extensions and a schema to inspect.
_QUERY = """
SELECT json_build_object(
  'loaded', extract(epoch FROM pg_conf_load_time())::float8,
  'invalid_rules', (SELECT count(*) FROM pg_hba_file_rules WHERE error IS NOT NULL),
  'overridden', (SELECT count(*) FROM pg_file_settings WHERE sourcefile LIKE '%/postgresql.auto.conf'
    AND name = ANY (string_to_array(:'settings', ' '))),
  'pending', (SELECT count(*) FROM pg_settings WHERE pending_restart),
  'user', (SELECT json_build_object('login', rolcanlogin, 'superuser', rolsuper, 'createdb', rolcreatedb,
    'createrole', rolcreaterole, 'replication', rolreplication, 'bypassrls', rolbypassrls, 'password', rolpassword)
    FROM pg_authid WHERE rolname = :'user'),
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


def has_password(verifier: str, password: str) -> bool:
    """Whether a SCRAM verifier belongs to a password (RFC 5802). Only ASCII is compared as PostgreSQL does."""
    found = _SCRAM.match(verifier)
    if not found:
        return False
    try:
        salt, stored, server = (base64.b64decode(found[number], validate=True) for number in (2, 3, 4))
    except binascii.Error:
        return False
    salted = hashlib.pbkdf2_hmac("sha256", password.encode("utf-8"), salt, int(found[1]))
    client = hmac.new(salted, b"Client Key", hashlib.sha256).digest()
    same = hmac.compare_digest(hashlib.sha256(client).digest(), stored)
    return same and hmac.compare_digest(hmac.new(salted, b"Server Key", hashlib.sha256).digest(), server)


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
        *(f"--set=user={params['user']}", f"--set=settings={' '.join(params['settings'])}"),
        "--file=-",
        environment={
            "PGHOST": str(params["socket_directory"]),
            "PGPORT": port,
            "PGUSER": "postgres",
            "PGDATABASE": str(params["database"]),
            "PGCONNECT_TIMEOUT": "10",
        },
        text=_QUERY,
    )
    try:
        found: dict[str, t.Any] = json.loads(answer or "{}")
    except (ValueError, RecursionError):
        return {}
    user = found.get("user") or {}
    user["password"] = has_password(str(user.get("password") or ""), password)
    return {**found, "user": user, "port": int(port)} if found else {}
