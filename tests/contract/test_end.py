# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lost database, a stop by the unit, and a start from read-only files."""

from __future__ import annotations

import re
import typing as t

import pytest
from assumptions import assumption
from conftest import PORT_OTHER, SERVICE, Engines, Material, Record, Service, system_settings
from engine import Engine, Known, seconds_of, wait_for
from machine import PASSWORD, Database, command


@assumption(
    "Modes and health",
    "when the database is lost the balancer rejects the node by its health address, and accepts it again without a "
    "restart once the database is back",
    fact="503 if the engine cannot serve, from 12.0.7 on; for / and for the delay nothing is documented",
    certainty="assumed",
    source="documentation 12.0, monitoring",
)
def test_database_lost(service: Service, database: Database, record: Record) -> None:
    began = command("systemctl", "show", "-p", "ExecMainStartTimestampMonotonic", SERVICE)
    database.stop()
    try:
        record.measure("until refused", wait_for(lambda: not service.engine.serves(), "the refusal"))
        record.see(service.engine.health().seen)
    finally:
        database.start()
    record.measure("until served again", wait_for(service.engine.serves, "the return"))
    assert command("systemctl", "show", "-p", "ExecMainStartTimestampMonotonic", SERVICE) == began


@assumption(
    "Stop",
    "systemctl stop, which is `-stopdaemon`: the unit stops successfully in time and leaves no process",
    fact="-stopdaemon waits until the engine has stopped; exit codes and times are not documented",
    certainty="assumed",
    source="documentation, Linux, commands",
)
def test_stop_by_the_unit(service: Service, known: Known, record: Record) -> None:
    record.measure("stop", seconds_of(lambda: command("systemctl", "stop", SERVICE)))
    # systemd keeps the state of a failed unit only. The exit code of a successful one is in the journal.
    assert command("systemctl", "show", "-p", "ActiveState", SERVICE) == "ActiveState=inactive"
    journal = command("journalctl", "--boot", "_PID=1", "-u", SERVICE, "-o", "cat", "--no-pager")
    code = re.findall(r"Main process exited, code=exited, status=(\d+)", journal)
    record.see(f"exit code {code[-1] if code else 0}")
    assert any("Deactivated successfully" in line for line in journal.splitlines()[-3:]), journal[-500:]
    assert "SIGKILL" not in journal
    assert "STOPPED" in service.engine.control("-status")[1].split()


@assumption(
    "Stop",
    "after the stop the engine has no session in the database",
    fact="not documented",
    certainty="assumed",
    source="-",
)
def test_no_sessions_after_the_stop(service: Service, database: Database, tables: str) -> None:
    wait_for(lambda: database.sessions(tables) == 0, "the end of the sessions")


@pytest.fixture(scope="module")
def lone(
    service: Service, engines: Engines, known: Known, database: Database, tables: str, material: Material
) -> t.Iterator[Engine]:
    """A node with the multicast stack, whose configuration belongs to root from 11.3 on."""
    engine = engines.make("lone", PORT_OTHER)
    engine.configure(
        {**system_settings(known, database, tables), "http_port": PORT_OTHER, "database_password": PASSWORD},
        {},
        'EMail.Server.Password: "${encrypt:mail}"\n',
    )
    engine.write("configuration/contract.lic", material.licence("valid"))
    engine.write("configuration/jgroups.xml", material.multicast())
    if known.profile["read_only_config"]:
        command("chown", "--recursive", "root:root", str(engine.file("configuration")))
    engine.original = engine.read("configuration/ivy.yaml")
    engine.launch()
    engine.await_ready()
    yield engine
    engine.kill()


@assumption(
    "Cluster",
    "the archive's JGroups accepts our jgroups.xml for multicast: its UDP port is open",
    fact="UDP multicast by default, port 45588",
    certainty="stated",
    source="documentation 10.0 to 12.0.8, cluster, communication; JGroups manual",
)
def test_our_stack_for_multicast_is_taken(lone: Engine) -> None:
    wait_for(lambda: ":45588 " in command("ss", "-Huln"), "port 45588")
    wait_for(lone.serves, "health")


@assumption(
    "Configuration",
    "with read-only files the engine starts and serves, and leaves the macros in the originals",
    fact="read-only files are copied to a writable temporary directory at the start, since 11.3",
    certainty="stated",
    source="release notes XIVY-13154; docker-samples, ivy-readonly-config",
    since="11.3.0",
)
def test_read_only_files(lone: Engine) -> None:
    wait_for(lone.serves, "health")
    assert lone.read("configuration/ivy.yaml") == lone.original


@assumption(
    "Configuration",
    "the copy of such files is in the directory that the profile names (read_only_copy), with its macros replaced",
    fact="a writable temporary directory; which one is not documented",
    certainty="inferred",
    source="docker-samples, ivy-readonly-config",
    since="11.3.0",
)
def test_copy_of_read_only_files(lone: Engine, known: Known, record: Record) -> None:
    found = [
        str(path.relative_to(lone.directory))
        for path in lone.directory.rglob("ivy.yaml")
        if "decrypt:" in path.read_text(encoding="utf-8", errors="replace")
    ]
    record.see("the copy is " + (", ".join(found) or "not below the engine's directory"))
    assert f"{known.profile['read_only_copy']}/ivy.yaml" in found
