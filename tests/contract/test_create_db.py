# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`EngineConfigCli create-db`: on an empty database, twice at once, on an existing one, and with a wrong password."""

from __future__ import annotations

import pytest
from assumptions import assumption
from conftest import PORT_OTHER, Engines, Material, Record, run_and_wait, system_settings
from engine import Engine, Known, wait_for
from machine import PASSWORD, Database

AREA = "create-db"
NAME = "contract_created"


@pytest.fixture(scope="module")
def cli(engines: Engines, known: Known, database: Database) -> Engine:
    engine = engines.make("cli", PORT_OTHER)
    engine.configure(system_settings(known, database, NAME))
    # The password comes from the environment only, as on a cluster.
    engine.environment["IVY_SYSTEMDB_PASSWORD"] = PASSWORD
    return engine


@pytest.fixture(scope="module")
def created(cli: Engine, database: Database) -> list[tuple[int, str]]:
    """Two processes started at once on an empty database."""
    database.create(NAME)
    return run_and_wait([cli.run("EngineConfigCli", "create-db") for _attempt in range(2)])


@assumption(
    AREA,
    "it creates the tables in an empty database and reads url, user and password as the engine does, from file and "
    "environment",
    fact="create-db exists since 8.0; the images of 8 to 10 called it with the variables of the container",
    certainty="observed",
    source="documentation, system database; docker-image, entry points of 8 to 10",
)
def test_create_db_on_an_empty_database(created: list[tuple[int, str]], database: Database) -> None:
    assert any(code == 0 for code, _output in created), created
    assert database.content(NAME), "no tables"


@assumption(
    AREA,
    "an engine that starts on an empty database creates the tables and serves from 11.1 on, and is in maintenance mode "
    "before; the collection creates them before the first start in any case",
    fact="from 11.1 on the engine creates missing tables at its start; the key for it is not known",
    certainty="observed",
    source="docker-samples, Jenkinsfile; cluster-tests, a 'System Database Creator Thread' in the logs",
)
def test_start_on_an_empty_database(
    engines: Engines, known: Known, database: Database, material: Material, record: Record
) -> None:
    name = f"{NAME}_by_start"
    database.create(name)
    engine = engines.make("first", PORT_OTHER)
    engine.configure({**system_settings(known, database, name), "http_port": PORT_OTHER, "database_password": PASSWORD})
    engine.write("configuration/contract.lic", material.licence("valid"))
    engine.launch()
    try:
        engine.await_ready()
        wanted = bool(known.profile["creates_tables"])
        if wanted:
            # They may be created by a thread of their own.
            wait_for(lambda: engine.health().accepted, "an accepted health", known.start_timeout)
        tables = bool(database.content(name))
        record.see(f"{'tables' if tables else 'no tables'}; {engine.health().seen}")
        assert tables is wanted
        assert engine.health().accepted is wanted
    finally:
        engine.kill()


@assumption(
    AREA,
    "two at once: both succeed, and the tables are complete",
    fact="not documented; the collection creates them from one node",
    certainty="unknown",
    source="-",
)
def test_create_db_twice_at_once(created: list[tuple[int, str]], record: Record) -> None:
    record.see("exit codes " + ", ".join(str(code) for code, _output in sorted(created)))


@assumption(
    AREA,
    "on a database that has its tables it changes nothing and exits with 0",
    fact="the images of 8 to 10 called it at every start",
    certainty="observed",
    source="docker-image, entry points of 8 to 10",
)
def test_create_db_on_an_existing_database(cli: Engine, created: list[tuple[int, str]], database: Database) -> None:
    before = database.content(NAME)
    ((code, output),) = run_and_wait([cli.run("EngineConfigCli", "create-db")])
    assert code == 0, output
    assert database.content(NAME) == before


@assumption(
    AREA,
    "a missing database is created if the account has the privilege",
    fact="with the right CREATE DATABASE the tool creates it, in UTF8",
    certainty="stated",
    source="documentation, system database, privileges and encoding",
)
def test_create_db_creates_the_database(cli: Engine, known: Known, database: Database) -> None:
    database.create(f"{NAME}_too", empty=False)
    cli.configure(system_settings(known, database, f"{NAME}_too"))
    ((code, output),) = run_and_wait([cli.run("EngineConfigCli", "create-db")])
    assert code == 0, output
    assert (
        database.sql(
            "SELECT pg_encoding_to_char(encoding) FROM pg_database WHERE datname = current_database()", f"{NAME}_too"
        )
        == "UTF8"
    )


@assumption(
    AREA,
    "with a wrong password it exits with a code other than 0, without waiting for input",
    fact="exit codes are not documented",
    certainty="assumed",
    source="-",
)
def test_create_db_with_a_wrong_password(cli: Engine, database: Database, record: Record) -> None:
    cli.environment["IVY_SYSTEMDB_PASSWORD"] = "wrong"
    ((code, output),) = run_and_wait([cli.run("EngineConfigCli", "create-db")])
    record.see(f"exit code {code}")
    assert code != 0
    assert PASSWORD not in output
