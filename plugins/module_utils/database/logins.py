# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The owner of the system database, and the login roles of engines. Each password has a login role of its own.

A login role is a member of the owner, and its sessions act as the owner, so that all objects belong to one role. The
name of a login role is the owner's, an underscore and eight hexadecimal digits.
"""

from __future__ import annotations

import json
import time
import typing as t

from .psql import DatabaseError, Server, identifier, literal, run
from .scram import has_password

# Attributes that neither role may have.
_PRIVILEGES = ("superuser", "createdb", "createrole", "replication", "bypassrls")
_FLAGS = """'login', rolcanlogin, 'superuser', rolsuper, 'createdb', rolcreatedb, 'createrole', rolcreaterole,
    'replication', rolreplication, 'bypassrls', rolbypassrls, 'inherit', rolinherit"""
_QUERY = f"""
SELECT json_build_object(
  'owner', (SELECT json_build_object({_FLAGS}) FROM pg_authid WHERE rolname = :'owner'),
  'login', (SELECT json_build_object({_FLAGS}, 'password', rolpassword,
      'member', EXISTS (SELECT FROM pg_auth_members m WHERE m.member = a.oid
        AND m.roleid = (SELECT oid FROM pg_authid WHERE rolname = :'owner')),
      'settings', (SELECT to_json(setconfig) FROM pg_db_role_setting WHERE setrole = a.oid AND setdatabase = 0))
    FROM pg_authid a WHERE rolname = :'login'),
  'others', (SELECT coalesce(json_agg(json_build_object('name', rolname, 'login', rolcanlogin,
      'password', rolpassword IS NOT NULL,
      'sessions', (SELECT count(*) FROM pg_stat_activity WHERE usesysid = a.oid)) ORDER BY rolname), '[]')
    FROM pg_authid a WHERE rolname <> :'login' AND (rolname = :'owner' OR (
      left(rolname, length(:'owner') + 1) = :'owner' || '_'
      AND right(rolname, -length(:'owner') - 1) ~ '^[0-9a-f]{{8}}$'
      AND EXISTS (SELECT FROM pg_auth_members m WHERE m.member = a.oid
        AND m.roleid = (SELECT oid FROM pg_authid WHERE rolname = :'owner')))))
);
"""
_POLL_SECONDS = 1.0

State = t.Mapping[str, t.Any]


class Step(t.NamedTuple):
    """One change, in words without a secret, and its statement."""

    words: str
    sql: str


class Wanted(t.NamedTuple):
    """The roles as they are to be."""

    owner: str
    login: str
    password: str


def is_standby(server: Server) -> bool:
    """Whether the server is a replica, which gets its roles from the primary and accepts no changes."""
    return run(server, "SELECT pg_is_in_recovery();").strip() == "t"


def read(server: Server, owner: str, login: str) -> State:
    try:
        found = json.loads(run(server, _QUERY, {"owner": owner, "login": login}))
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise DatabaseError("The answer of PostgreSQL about its roles cannot be read.")
    return found


def steps(state: State, wanted: Wanted) -> list[Step]:
    """What to change so that an engine can log in. A role that another engine may use is not locked."""
    owner, login = identifier(wanted.owner), identifier(wanted.login)
    found, present = state.get("owner"), state.get("login")
    made: list[Step] = []
    refused = " ".join(f"NO{name.upper()}" for name in _PRIVILEGES)
    if found is None:
        made.append(Step(f"role {wanted.owner}: created", f"CREATE ROLE {owner} NOLOGIN {refused}"))
    elif extra := _privileges(found):
        made.append(Step(f"role {wanted.owner}: without {', '.join(extra)}", f"ALTER ROLE {owner} {refused}"))
    if present is None:
        made.append(Step(f"login {wanted.login}: created", f"CREATE ROLE {login} LOGIN INHERIT {refused}"))
    elif (extra := _privileges(present)) or not present.get("login") or not present.get("inherit"):
        words = [f"without {', '.join(extra)}"] if extra else []
        words += [] if present.get("login") else ["unlocked"]
        words += [] if present.get("inherit") else ["with the rights of the owner"]
        made.append(Step(f"login {wanted.login}: {'; '.join(words)}", f"ALTER ROLE {login} LOGIN INHERIT {refused}"))
    present = present or {}
    if not has_password(str(present.get("password") or ""), wanted.password):
        sql = f"ALTER ROLE {login} PASSWORD {literal(wanted.password)}"
        made.append(Step(f"login {wanted.login}: another password", sql))
    if not present.get("member"):
        made.append(Step(f"login {wanted.login}: member of {wanted.owner}", f"GRANT {owner} TO {login}"))
    if f"role={wanted.owner}" not in (present.get("settings") or []):
        sql = f"ALTER ROLE {login} SET role TO {literal(wanted.owner)}"
        made.append(Step(f"login {wanted.login}: acts as {wanted.owner}", sql))
    return made


def _privileges(role: t.Mapping[str, t.Any]) -> list[str]:
    return [name for name in _PRIVILEGES if role.get(name)]


def ensure(server: Server, wanted: Wanted, check: bool) -> list[str]:
    """Make the login usable. Returns the changes in words."""
    planned = steps(read(server, wanted.owner, wanted.login), wanted)
    if planned and not check:
        run(server, ";\n".join(step.sql for step in planned) + ";\n", secrets=[wanted.password])
    return [step.words for step in planned]


class Retired(t.NamedTuple):
    """The roles that nobody can log in with any more, and how many sessions were ended."""

    roles: list[str]
    sessions: int


def retire(server: Server, owner: str, login: str, wait: float, check: bool) -> Retired:
    """Lock the earlier logins once nobody uses them, at the latest after ``wait`` seconds. Removes what it can."""
    state = read(server, owner, login)
    others = [other for other in state["others"] if other.get("login") or other.get("password")]
    names = [str(other["name"]) for other in others]
    if check:
        return Retired(names, sum(int(other["sessions"]) for other in others))
    if not (state.get("login") or {}).get("login"):
        raise DatabaseError(f"The login {login} does not exist or is locked, so no other one is locked.")
    if not names:
        return Retired([], 0)
    end = time.monotonic() + wait
    while any(int(other["sessions"]) for other in others) and time.monotonic() < end:
        time.sleep(_POLL_SECONDS)
        others = [other for other in read(server, owner, login)["others"] if other["name"] in names]
    run(server, "".join(f"ALTER ROLE {identifier(name)} NOLOGIN PASSWORD NULL;\n" for name in names))
    listed = ", ".join(literal(name) for name in names)
    ended = run(
        server,
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usesysid IN "
        f"(SELECT oid FROM pg_authid WHERE rolname IN ({listed}));\n",
    )
    for name in names:
        if name != owner:
            _remove(server, name)
    return Retired(names, int(ended.strip() or 0))


def _remove(server: Server, name: str) -> None:
    """Drop a locked login role. One that owns something stays, locked."""
    try:
        run(server, f"DROP ROLE {identifier(name)};\n")
    except DatabaseError:
        return
