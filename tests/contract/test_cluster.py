# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A second and a third node in addition to the service, each at its own loopback address."""

from __future__ import annotations

import shutil
import typing as t

import pytest
from assumptions import assumption
from conftest import JGROUPS_PORT, PORT_SERVICE, Engines, Material, Record, Service, system_settings
from engine import Engine, own, seconds_of, wait_for
from machine import PASSWORD, Database, client_ports, connections, listens

AREA = "Cluster"


def node(engines: Engines, database: Database, tables: str, material: Material, number: int) -> Engine:
    engine = engines.make(f"node{number}", PORT_SERVICE, f"127.0.0.{number}")
    known = engine.known
    engine.configure(
        {
            **system_settings(known, database, tables),
            "http_port": PORT_SERVICE,
            "http_address": engine.address,
            "database_password": PASSWORD,
        }
    )
    engine.write("configuration/contract.lic", material.licence("valid"))
    engine.write("configuration/jgroups.xml", material.jgroups())
    # All nodes have the same host name, so the stand-in needs a node name. A real engine does not read this key.
    engine.environment["ivy_Cluster_NodeName"] = f"node{number}"
    return engine


@pytest.fixture(scope="module")
def second(
    service: Service, engines: Engines, database: Database, tables: str, material: Material
) -> t.Iterator[Engine]:
    engine = node(engines, database, tables, material, 2)
    engine.launch()
    engine.await_ready()
    yield engine
    engine.kill()


@assumption(
    AREA,
    "two engines with our jgroups.xml and a list of peers discover each other over TCP",
    fact="TCP and TCPPING in a custom jgroups.xml: documented from 12.0.9 and 13.2 on, before only on request",
    certainty="inferred",
    source="documentation, cluster, communication; kubernetes-samples, jgroups-tcp.xml",
)
def test_two_engines_join(service: Service, second: Engine, record: Record) -> None:
    record.measure(
        "join",
        wait_for(
            lambda: connections("127.0.0.1", JGROUPS_PORT) or connections("127.0.0.2", JGROUPS_PORT),
            "a connection between them",
        ),
    )
    if service.probe.sees:
        wait_for(lambda: len(service.probe.value("members") or []) == 2, "two members")
    assert service.engine.serves()
    wait_for(second.serves, "health of the second")


@assumption(
    AREA,
    "an artefact deployed on one node is served by the other, which shares the applications directory",
    fact="from 12.0.9 on every way of deployment works if the applications directory is shared",
    certainty="stated",
    source="documentation 12.0 (12.0.9), cluster, deployment",
    since="12.0.9",
)
def test_deployment_reaches_the_other_node(service: Service, second: Engine, material: Material) -> None:
    deploy(second, material)
    wait_for(lambda: service.engine.ask("/later/").status in (200, 302), "the application on the other node")


@assumption(
    AREA,
    "each node deploys separately: an artefact deployed on one node does not reach the other",
    fact="no deployment at run time; every node gets the same artefacts in its own deploy/",
    certainty="stated",
    source="documentation 10.0 to 12.0.8, cluster, deployment",
    before="12.0.9",
)
def test_deployment_stays_on_the_node(service: Service, second: Engine, material: Material, record: Record) -> None:
    deploy(service.engine, material)
    wait_for(lambda: service.engine.ask("/later/").status in (200, 302), "the application on its node")
    record.see(f"the other node answers {second.ask('/later/').status}")
    assert not second.file("applications/later").exists()


def deploy(engine: Engine, material: Material) -> None:
    temporary = engine.file("deploy/.later.zip.new")
    shutil.copy(material.application(), temporary)
    own(temporary)
    temporary.replace(engine.file("deploy/later.zip"))
    wait_for(lambda: not engine.file("deploy/later.zip").exists(), "the deployment")


@pytest.fixture(scope="module")
def third(second: Engine, engines: Engines, database: Database, tables: str, material: Material) -> t.Iterator[Engine]:
    """One node more than the licence allows, if it is for two."""
    engine = node(engines, database, tables, material, 3)
    engine.launch()
    engine.await_ready()
    yield engine
    engine.kill()


@assumption(
    "Licence",
    "a node beyond the licence's limit answers 503, and the balancer does not use it; the others go on",
    fact="nodes above the limit answer 503; which node that is, is not documented",
    certainty="stated",
    source="documentation, cluster, licence; engine-cockpit, texts",
)
def test_node_limit(service: Service, second: Engine, third: Engine, material: Material, record: Record) -> None:
    material.licence("two-nodes")
    wait_for(lambda: third.ask("/").status == 503, "the refusal of the third node")
    record.see(f"the node that came last is refused; {third.health().seen}")
    assert not third.serves()
    assert second.serves()
    assert service.engine.serves()


def sessions_end(engine: Engine, database: Database, tables: str, stop: t.Callable[[], object], record: Record) -> None:
    """Stop an engine and check that the process ends as the unit expects and that its database sessions end."""
    process = engine.process
    assert process is not None
    ports = client_ports(process.pid)
    assert ports & database.ports(tables), "no database session"

    def stop_it() -> None:
        stop()
        wait_for(lambda: engine.ended() is not None, "the end of the process", engine.known.stop_timeout)

    record.measure("stop", seconds_of(stop_it))
    record.see(f"exit code {engine.ended()}")
    assert engine.ended() in (0, 143)
    wait_for(lambda: not ports & database.ports(tables), "the end of its sessions")


@assumption(
    "Stop",
    "SIGTERM ends the engine with a code that the unit treats as success (0 or 143), and its database sessions end",
    fact="not documented; containers are stopped with it",
    certainty="assumed",
    source="-",
)
def test_sigterm(third: Engine, database: Database, tables: str, record: Record) -> None:
    assert third.process is not None
    sessions_end(third, database, tables, third.process.terminate, record)


@assumption(
    "Stop",
    "`-stop` of one node: its ports are closed, its database sessions end, and the other keeps serving",
    fact="-stop initiates the end; what happens to sessions is not documented",
    certainty="assumed",
    source="documentation, Linux, commands",
)
def test_stop_of_one_node(service: Service, second: Engine, database: Database, tables: str, record: Record) -> None:
    sessions_end(second, database, tables, lambda: second.control("-stop"), record)
    wait_for(lambda: not listens("127.0.0.2", JGROUPS_PORT), "the end of its ports")
    assert service.engine.serves()
