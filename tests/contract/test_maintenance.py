# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An engine in maintenance mode, and one that is configured to fail instead."""

from __future__ import annotations

from assumptions import assumption
from conftest import (
    NO_DATABASE,
    PORT_ENVIRONMENT,
    PORT_OTHER,
    PORT_YAML,
    TABLES,
    Engines,
    Material,
    Record,
    system_settings,
)
from engine import Engine, Known, wait_for
from machine import PASSWORD, Database, listens

AREA = "Modes and health"


@assumption(
    "Configuration",
    "a variable IVY_<KEY> overrides YAML",
    fact="the environment overrides; the key in capitals, with _ for dots",
    certainty="stated",
    source="documentation, overriding configuration",
)
def test_environment_over_yaml(maintenance: Engine) -> None:
    assert not listens("127.0.0.1", PORT_YAML)
    assert listens("127.0.0.1", PORT_ENVIRONMENT)


@assumption(
    "Configuration",
    "the name of a variable may be in mixed case",
    fact="ivy_SystemDb_Url in one of the vendor's samples",
    certainty="observed",
    source="kubernetes-samples, enterprise",
)
def test_environment_in_mixed_case(maintenance: Engine) -> None:
    assert listens("127.0.0.1", PORT_ENVIRONMENT)


@assumption(
    "Configuration",
    "which of a variable and a secret file for the same key takes precedence",
    fact="not known; the collection uses only one of them for each key",
    certainty="unknown",
    source="-",
)
def test_environment_over_secret_file(maintenance: Engine, record: Record) -> None:
    record.see("the environment wins" if listens("127.0.0.1", PORT_ENVIRONMENT) else "the secret file wins")


@assumption(
    AREA,
    "an engine in maintenance mode gets no users: a health status is not accepted, or the info page shows the mode",
    fact="a database that is missing causes maintenance mode; its page shows 'Maintenance Mode'",
    certainty="observed",
    source="documentation, engine modes; cluster-tests and docker-samples, probes for the mode",
)
def test_health_in_maintenance_mode(maintenance: Engine, record: Record) -> None:
    health = maintenance.health()
    record.see(health.seen)
    assert health.answered
    assert not health.accepted


@assumption(
    AREA,
    "with Boot.MaintenanceMode: DISABLED the start fails, and the process exits with a code that systemd treats as "
    "a failure",
    fact="the engine fails instead of entering maintenance mode; the code is not documented",
    certainty="stated",
    source="documentation, engine modes",
)
def test_maintenance_mode_disabled(
    engines: Engines, known: Known, database: Database, material: Material, record: Record
) -> None:
    engine = engines.make("disabled", PORT_OTHER)
    settings = {**system_settings(known, database, TABLES), "database_url": NO_DATABASE, "http_port": PORT_OTHER}
    engine.configure({**settings, "database_password": PASSWORD, "maintenance_mode": "DISABLED"})
    engine.write("configuration/contract.lic", material.licence("valid"))
    engine.launch()
    wait_for(lambda: engine.ended() is not None, "the end", known.start_timeout)
    record.see(f"exit code {engine.ended()}")
    assert engine.ended() not in (0, 143)


@assumption(
    "Licence",
    "with an expired licence the engine does not go into production",
    fact="an invalid licence leads to maintenance mode",
    certainty="stated",
    source="documentation, engine modes and licence",
)
def test_expired_licence(
    engines: Engines, known: Known, database: Database, tables: str, material: Material, record: Record
) -> None:
    licence = material.licence("expired")
    engine = engines.make("expired", PORT_OTHER)
    engine.configure(
        {**system_settings(known, database, tables), "http_port": PORT_OTHER, "database_password": PASSWORD}
    )
    engine.write("configuration/contract.lic", licence)
    engine.launch()
    engine.await_ready()
    health = engine.health()
    record.see(health.seen)
    assert not health.accepted
    engine.kill()
