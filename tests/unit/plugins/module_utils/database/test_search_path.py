# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The owner of a database cannot run anything as the administrator who reads from it, nor keep the administrator out.

PostgreSQL prefers a function in the schema public whose arguments match exactly to its own one that takes any type.
"""

from __future__ import annotations

import subprocess
import typing as t
from pathlib import Path

import pytest

from ansible_collections.ivy.cluster.plugins.module_utils.database import psql, restored
from ansible_collections.ivy.cluster.plugins.module_utils.host_state import postgres
from ansible_collections.ivy.cluster.tests.unit.plugins.module_utils.database.database_server import (
    PORT,
    Database,
    needs_server,
)

TRAP = """
CREATE FUNCTION public.take(state json, value name) RETURNS json LANGUAGE plpgsql AS $$
BEGIN
  IF (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user) THEN
    ALTER ROLE trapper SUPERUSER;
  END IF;
  RETURN '["taken"]';
END $$;
CREATE AGGREGATE public.json_agg(name) (SFUNC = public.take, STYPE = json);
ALTER DATABASE trapped SET role = 'trapper';
ALTER DATABASE trapped SET default_transaction_read_only = on;
ALTER DATABASE trapped SET statement_timeout = 1;
"""


@pytest.fixture
def trap(database: Database) -> t.Iterator[str]:
    """A database whose owner has set a trap in it."""
    base = ["psql", "--no-psqlrc", "-h", database.server.socket_directory, "-v", "ON_ERROR_STOP=1", "-qAtc"]
    subprocess.run([*base, "CREATE ROLE trapper LOGIN", "-U", "postgres"], check=True)
    subprocess.run([*base, "CREATE DATABASE trapped OWNER trapper", "-U", "postgres"], check=True)
    subprocess.run([*base, "CREATE EXTENSION pgstattuple", "-U", "postgres", "-d", "trapped"], check=True)
    rules = Path(database.server.socket_directory, "data", "pg_hba.conf")
    before = rules.read_text(encoding="ascii")
    rules.write_text(f"local trapped trapper trust\n{before}", encoding="ascii")
    database.administrate("SELECT pg_reload_conf()")
    try:
        subprocess.run([*base, TRAP, "-U", "trapper", "-d", "trapped"], check=True)
        yield "trapped"
    finally:
        subprocess.run([*base, "DROP DATABASE trapped", "-U", "postgres"], check=True)
        subprocess.run([*base, "DROP ROLE trapper", "-U", "postgres"], check=True)
        rules.write_text(before, encoding="ascii")


@needs_server
def test_the_administrator_keeps_the_rights_and_the_time(database: Database, trap: str) -> None:
    ask = "SET search_path = pg_catalog; SELECT current_user, pg_sleep(0.05); CREATE TABLE public.own (id int);"
    answer = psql.run(database.server, ask, database=trap)
    assert answer.strip().startswith("postgres")


def is_taken(database: Database) -> bool:
    return psql.run(database.server, "SELECT rolsuper FROM pg_roles WHERE rolname = 'trapper'").strip() == "t"


@needs_server
def test_the_state_of_the_host_is_read_safely(database: Database, trap: str, tmp_path: Path) -> None:
    (tmp_path / "postmaster.pid").write_text(f"1\n/data\n17\n{PORT}\n/run\n", encoding="utf-8")
    names = {"database": trap, "user": "trapper", "login": "trapper", "settings": ["port"]}
    where = {"data_directory": str(tmp_path), "socket_directory": database.server.socket_directory}

    found = postgres.gather({**where, **names}, "")

    assert sorted(found["extensions"]) == ["pgstattuple", "plpgsql"]
    assert not is_taken(database)


@needs_server
def test_a_restore_reads_the_extensions_safely(database: Database, trap: str) -> None:
    server = restored.Server(database.server.socket_directory, PORT, trap, "trapper")

    restored.prepare(server, [], "C.UTF-8", again=False)

    assert not is_taken(database)
    assert restored.drop(server)


@needs_server
def test_extensions_are_created_in_the_usual_schema(database: Database, trap: str) -> None:
    server = restored.Server(database.server.socket_directory, PORT, trap, "trapper")

    restored.prepare(server, ["pgstattuple"], "C.UTF-8", again=False)

    ask = "SELECT extnamespace::regnamespace FROM pg_extension WHERE extname = 'pgstattuple'"
    assert psql.run(database.server, ask, database=server.new).strip() == "public"
    assert restored.drop(server)
