# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The login roles, as statements, and on a PostgreSQL server where this machine has one."""

from __future__ import annotations

import os
import subprocess
import typing as t
from pathlib import Path

import pytest

from ansible_collections.ivy.cluster.plugins.module_utils.database import logins, psql
from ansible_collections.ivy.cluster.plugins.module_utils.database.logins import Wanted
from ansible_collections.ivy.cluster.plugins.module_utils.database.psql import DatabaseError, Server
from ansible_collections.ivy.cluster.plugins.module_utils.node import commands
from ansible_collections.ivy.cluster.plugins.module_utils.node.files.errors import NodeError
from ansible_collections.ivy.cluster.tests.unit.plugins.module_utils.database.database_server import (
    Database,
    needs_server,
)
from ansible_collections.ivy.cluster.tests.unit.plugins.module_utils.database.test_scram import VERIFIER

FLAGS = {
    "login": True,
    "superuser": False,
    "createdb": False,
    "createrole": False,
    "replication": False,
    "bypassrls": False,
    "inherit": True,
}
LOGIN = {**FLAGS, "password": VERIFIER, "member": True, "settings": ["role=ivy"]}
STATE: dict[str, t.Any] = {"owner": {**FLAGS, "login": False}, "login": LOGIN, "others": []}
WANTED = Wanted("ivy", "ivy_0000000a", "pencil")


def words(state: dict[str, t.Any], wanted: Wanted = WANTED) -> list[str]:
    return [step.words for step in logins.steps(state, wanted)]


def test_a_login_that_is_right_needs_nothing() -> None:
    assert words(STATE) == []


def test_an_owner_with_which_engines_still_log_in_is_not_locked() -> None:
    assert words({**STATE, "owner": FLAGS}) == []


@pytest.mark.parametrize(
    ("state", "expected"),
    {
        "no role": (
            {"owner": None, "login": None},
            [
                "role ivy: created",
                "login ivy_0000000a: created",
                "login ivy_0000000a: another password",
                "login ivy_0000000a: member of ivy",
                "login ivy_0000000a: acts as ivy",
            ],
        ),
        "privileges of the owner": (
            {"owner": {**FLAGS, "superuser": True, "createrole": True}},
            ["role ivy: without superuser, createrole"],
        ),
        "locked": ({"login": {**LOGIN, "login": False}}, ["login ivy_0000000a: unlocked"]),
        "privileges": ({"login": {**LOGIN, "bypassrls": True}}, ["login ivy_0000000a: without bypassrls"]),
        "without inheritance": (
            {"login": {**LOGIN, "inherit": False}},
            ["login ivy_0000000a: with the rights of the owner"],
        ),
        "without password": ({"login": {**LOGIN, "password": None}}, ["login ivy_0000000a: another password"]),
        "no member": ({"login": {**LOGIN, "member": False}}, ["login ivy_0000000a: member of ivy"]),
        "acts as itself": ({"login": {**LOGIN, "settings": None}}, ["login ivy_0000000a: acts as ivy"]),
    }.values(),
)
def test_what_differs_is_corrected(state: dict[str, t.Any], expected: list[str]) -> None:
    assert words({**STATE, **state}) == expected


def test_another_password_is_the_only_one_that_is_sent() -> None:
    [step] = logins.steps(STATE, WANTED._replace(password="it's"))
    assert step.sql == "ALTER ROLE \"ivy_0000000a\" PASSWORD 'it''s'"
    assert "it's" not in step.words


@pytest.mark.parametrize("text", ['a"b', "a'b", "a\\b"])
def test_names_and_passwords_are_quoted(text: str) -> None:
    assert psql.identifier(text) == '"' + text.replace('"', '""') + '"'
    assert psql.literal(text) == "'" + text.replace("'", "''") + "'"


def test_a_zero_byte_is_refused() -> None:
    with pytest.raises(DatabaseError, match="zero byte"):
        psql.literal("a\0b")


def test_check_mode_reads_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logins, "read", lambda *_arguments: {"owner": None, "login": None, "others": []})
    monkeypatch.setattr(logins, "run", lambda *_arguments, **_more: pytest.fail("a statement in check mode"))

    assert len(logins.ensure(Server("/run", 1), WANTED, check=True)) == 5


def test_retiring_in_check_mode_reads_only(monkeypatch: pytest.MonkeyPatch) -> None:
    other = {"name": "ivy", "login": True, "password": True, "sessions": 2}
    monkeypatch.setattr(logins, "read", lambda *_arguments: {**STATE, "others": [other]})
    monkeypatch.setattr(logins, "run", lambda *_arguments, **_more: pytest.fail("a statement in check mode"))

    assert logins.retire(Server("/run", 1), "ivy", "ivy_0000000a", 0, check=True) == (["ivy"], 2)


@pytest.mark.parametrize("login", [None, {**LOGIN, "login": False}])
def test_nothing_is_locked_without_a_login_that_works(
    monkeypatch: pytest.MonkeyPatch, login: dict[str, t.Any] | None
) -> None:
    other = {"name": "ivy", "login": True, "password": True, "sessions": 2}
    monkeypatch.setattr(logins, "read", lambda *_arguments: {**STATE, "login": login, "others": [other]})
    monkeypatch.setattr(logins, "run", lambda *_arguments, **_more: pytest.fail("a statement"))

    with pytest.raises(DatabaseError, match="no other one is locked"):
        logins.retire(Server("/run", 1), "ivy", "ivy_0000000a", 0, check=False)


def test_locked_roles_that_could_not_be_removed_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    others = [{"name": name, "login": False, "password": False, "sessions": 0} for name in ("ivy", "ivy_0000000b")]
    monkeypatch.setattr(logins, "read", lambda *_arguments: {**STATE, "others": others})
    monkeypatch.setattr(logins, "run", lambda *_arguments, **_more: pytest.fail("a statement"))

    assert logins.retire(Server("/run", 1), "ivy", "ivy_0000000a", 0, check=False) == ([], 0)


def test_an_error_shows_no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_arguments: t.Any, **_more: t.Any) -> t.Any:
        raise NodeError("psql failed: ERROR: near 'it''s my secret' of it's my secret")

    monkeypatch.setattr(commands, "output_of", failing)

    with pytest.raises(DatabaseError) as caught:
        psql.run(Server("/run", 1), "SELECT", secrets=["it's  my secret"])
    assert "my secret" not in str(caught.value)
    assert "near" in str(caught.value)


# --- on a server


@needs_server
def test_a_password_is_changed_while_an_engine_uses_the_one_before(database: Database) -> None:
    server = database.server
    first = Wanted("ivy", "ivy_0000000a", "it's \\ {{ $1 }} first")
    second = Wanted("ivy", "ivy_0000000b", "second")
    # A cluster of an earlier version of the collection, whose engines log in as the owner.
    database.administrate("CREATE ROLE ivy LOGIN PASSWORD 'old'; GRANT ALL ON DATABASE system TO ivy;")

    assert logins.ensure(server, first, check=True) == logins.ensure(server, first, check=False)
    assert logins.ensure(server, first, check=False) == []
    assert database.connect("ivy", "old", "SELECT 1") == "1"
    who = "SELECT session_user, current_user"
    assert database.connect(first.login, first.password, who) == "ivy_0000000a|ivy"

    logins.ensure(server, second, check=False)
    assert database.connect(first.login, first.password, "SELECT 1") == "1"

    assert logins.retire(server, "ivy", second.login, 0, check=True).roles == ["ivy", "ivy_0000000a"]
    command = ["psql", "-h", server.socket_directory, "-U", "ivy", "-d", "system", "-c", "SELECT pg_sleep(100)"]
    with subprocess.Popen(command, env={**os.environ, "PGPASSWORD": "old"}, stderr=subprocess.PIPE) as session:
        while int(logins.read(server, "ivy", second.login)["others"][0]["sessions"]) == 0:
            pass
        assert logins.retire(server, "ivy", second.login, 0, check=False) == (["ivy", "ivy_0000000a"], 1)
        assert session.wait() != 0

    assert logins.retire(server, "ivy", second.login, 0, check=False) == ([], 0)
    assert "password authentication failed" in database.connect("ivy", "old", "SELECT 1")
    assert "FATAL" in database.connect(first.login, first.password, "SELECT 1")
    assert database.connect(second.login, second.password, who) == "ivy_0000000b|ivy"


@needs_server
def test_changes_by_hand_are_corrected(database: Database) -> None:
    wanted = Wanted("ivy", "ivy_0000000c", "third")
    logins.ensure(database.server, wanted, check=False)
    database.administrate(
        "ALTER ROLE ivy_0000000c SUPERUSER NOLOGIN NOINHERIT PASSWORD 'by-hand'; REVOKE ivy FROM ivy_0000000c;"
        "ALTER ROLE ivy_0000000c RESET role; ALTER ROLE ivy CREATEDB;"
    )

    assert len(logins.ensure(database.server, wanted, check=False)) == 5
    assert logins.ensure(database.server, wanted, check=False) == []
    assert database.connect(wanted.login, wanted.password, "SELECT current_user") == "ivy"


@needs_server
def test_a_role_of_somebody_else_is_not_locked(database: Database) -> None:
    wanted = Wanted("ivy", "ivy_0000000d", "fourth")
    logins.ensure(database.server, wanted, check=False)
    database.administrate(
        "CREATE ROLE ivy_report LOGIN PASSWORD 'x' IN ROLE ivy; CREATE ROLE ivy_00000001 LOGIN PASSWORD 'x';"
    )

    logins.retire(database.server, "ivy", wanted.login, 0, check=False)

    assert database.connect("ivy_report", "x", "SELECT 1") == "1"
    assert logins.read(database.server, "ivy_00000001", "ivy_00000001")["owner"]["login"]
    database.administrate("DROP ROLE ivy_report; DROP ROLE ivy_00000001;")


@needs_server
def test_a_statement_that_cannot_be_in_a_transaction(database: Database) -> None:
    server, sql = database.server, 'CREATE DATABASE :"new"; DROP DATABASE :"new";'
    with pytest.raises(DatabaseError, match="cannot run inside a transaction block"):
        psql.run(server, sql, {"new": "o'ne"})
    assert psql.run(server, sql, {"new": "o'ne"}, transaction=False) == ""
    assert psql.run(server, "SELECT current_database();", database="system").strip() == "system"


@needs_server
def test_a_login_that_owns_something_stays_locked(database: Database) -> None:
    wanted = Wanted("ivy", "ivy_0000000e", "fifth")
    logins.ensure(database.server, wanted, check=False)
    database.administrate("CREATE TABLE public.of_login (); ALTER TABLE public.of_login OWNER TO ivy_0000000e;")
    logins.ensure(database.server, wanted._replace(login="ivy_0000000f"), check=False)

    assert wanted.login in logins.retire(database.server, "ivy", "ivy_0000000f", 0, check=False).roles

    state = logins.read(database.server, "ivy", "ivy_0000000f")
    assert [other for other in state["others"] if other["name"] == wanted.login] == [
        {"name": wanted.login, "login": False, "password": False, "sessions": 0}
    ]
    database.administrate("DROP TABLE public.of_login; DROP ROLE ivy_0000000e;")


def test_a_server_that_does_not_run_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DatabaseError):
        logins.read(Server(str(tmp_path), 1), "ivy", "ivy_0000000a")
