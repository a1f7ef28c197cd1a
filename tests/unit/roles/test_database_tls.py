# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients verify the certificate of the database servers, and its names and the open ports follow from the topology."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

ROOT = Path(__file__).resolve().parents[3]
VERIFY = "sslmode=verify-full&sslrootcert=%2Fetc%2Fivy-cluster-pki%2Fcluster-ca.pem"
CLUSTER: dict[str, t.Any] = {
    "groups": {"database_servers": ["db1", "db2", "db3"]},
    "inventory_hostname": "db1",
    "ivy_address": "192.0.2.31",
    "ivy_database_address": "192.0.2.100",
    "ivy_database_port": 5432,
    "ivy_database_name": "ivy",
    "ivy_database_user": "ivy",
    "ivy_database_manager": "patroni",
    "ivy_database_tls": True,
    "ivy_database_url_parameters": {"tcpKeepAlive": "true"},
    "ivy_front_end_address": "192.0.2.100",
    "ivy_patroni_port": 8008,
    "ivy_cluster_name": "acme",
    "ivy_load_balancer_addresses": {"lb1": "192.0.2.10", "lb2": "192.0.2.11"},
    "ivy_engine_addresses": {"engine1": "192.0.2.21"},
    "ivy_database_server_addresses": {"db1": "192.0.2.31", "db2": "192.0.2.32"},
    "postgres_certificate_names": [],
    "postgres_allowed_extra": [],
    "postgres_hba_extra": [],
    "__postgres_replication_user": "ivy_replication",
    "__postgres_rewind_user": "ivy_rewind",
    "role_path": str(ROOT / "roles/postgres"),
}


def values(*files: str, **changes: t.Any) -> dict[str, t.Any]:
    loader = DataLoader()
    found: dict[str, t.Any] = {}
    for file in files:
        found.update(loader.load_from_file(str(ROOT / "roles" / file), trusted_as_template=True))
    return {**found, **CLUSTER, **changes}


def resolve(variables: dict[str, t.Any], name: str) -> t.Any:
    return Templar(loader=DataLoader(), variables=variables).resolve_variable_expression(name)


def topology(**changes: t.Any) -> dict[str, t.Any]:
    return values("topology/vars/main/derived.yml", **changes)


def postgres(**changes: t.Any) -> dict[str, t.Any]:
    files = ("topology/vars/main/derived.yml", "postgres/vars/main/internal.yml", "postgres/vars/main/patroni.yml")
    return values(*files, **changes)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, f"?{VERIFY}&tcpKeepAlive=true"),
        ({"ivy_database_url_parameters": {}}, f"?{VERIFY}"),
        ({"ivy_database_tls": False}, "?tcpKeepAlive=true"),
        ({"ivy_database_manager": "single"}, "?tcpKeepAlive=true"),
        # A server of the user's own.
        ({"groups": {}}, "?tcpKeepAlive=true"),
        ({"ivy_database_tls": False, "ivy_database_url_parameters": {}}, ""),
    ],
)
def test_the_engines_verify_the_certificate_of_servers_that_have_one(changes: dict[str, t.Any], expected: str) -> None:
    url = resolve(topology(**changes), "ivy_database_jdbc_url")
    assert url == f"jdbc:postgresql://192.0.2.100:5432/ivy{expected}"


def test_what_the_user_sets_replaces_a_parameter() -> None:
    own = {"sslrootcert": "/etc/ssl/own.pem"}
    found = resolve(topology(ivy_database_url_parameters=own), "ivy_database_parameters")
    assert found == {"sslmode": "verify-full", **own}


def test_the_certificate_is_for_every_address_that_clients_use() -> None:
    found = resolve(postgres(postgres_certificate_names=["db.acme.ch"]), "__postgres_certificate_names")
    assert found == ["192.0.2.100", "lb1", "lb2", "192.0.2.10", "192.0.2.11", "db.acme.ch"]
    service = {"certificates_service": "patroni", "certificates_service_names": found}
    names = resolve(values("certificates/vars/main/internal.yml", **service), "__certificates_alternative_names")
    assert {"IP:192.0.2.31", "IP:192.0.2.100", "IP:192.0.2.11", "DNS:db1", "DNS:lb2", "DNS:db.acme.ch"} <= set(names)


@pytest.mark.parametrize(
    ("changes", "more"),
    [
        ({}, []),
        # The engines connect to a server themselves.
        ({"ivy_database_address": "192.0.2.31"}, ["192.0.2.21"]),
        ({"postgres_allowed_extra": ["192.0.2.99"]}, ["192.0.2.99"]),
        ({"postgres_hba_extra": [{"address": "10.0.0.0/8"}, {"type": "local"}]}, ["10.0.0.0/8"]),
        ({"postgres_hba_extra": [{"address": "all"}, {"address": "samenet"}]}, ["0.0.0.0/0", "::/0"]),
        ({"postgres_hba_extra": [{"address": "10.0.0.0/8", "method": "reject"}]}, []),
    ],
)
def test_only_hosts_that_use_the_database_reach_its_port(changes: dict[str, t.Any], more: list[str]) -> None:
    rules = {rule["name"]: rule for rule in resolve(postgres(**changes), "__postgres_firewall")["firewall_rules"]}
    servers = ["192.0.2.31", "192.0.2.32", "192.0.2.10", "192.0.2.11"]
    assert rules["database"] == {"name": "database", "tcp": [5432], "allow": [*servers, *more]}
    assert rules["patroni"] == {"name": "patroni", "tcp": [8008], "allow": servers}


@pytest.mark.parametrize(("tls", "kind"), [(True, "hostssl"), (False, "host")])
def test_the_servers_accept_no_connection_without_tls(tls: bool, kind: str) -> None:
    template = (ROOT / "roles/postgres/templates/pg_hba.conf.j2").read_text(encoding="utf-8")
    templar = Templar(loader=DataLoader(), variables=postgres(ivy_database_tls=tls, ansible_managed=""))
    rules = templar.template(trust_as_template(template))
    clients = [line.split() for line in rules.splitlines() if '+"ivy"' in line and not line.startswith("#")]
    assert len(clients) == 3
    assert {line[0] for line in clients} == {kind}
