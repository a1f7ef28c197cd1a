# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host's roles will need, out of their own defaults and what the inventory says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader

from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight.model.host_requirements import (
    Plan,
    megabytes,
    module_arguments,
    plan_for,
    roles_of,
)
from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight.model.role_options import RoleOptions

FACTS = {
    "distribution": "Debian",
    "distribution_version": "12",
    "distribution_major_version": "12",
    "memtotal_mb": 8000,
    "architecture": "x86_64",
}


def topology(**more: Any) -> dict[str, Any]:
    """The values that the role topology would have derived."""
    return {
        "inventory_hostname": "host1",
        "inventory_dir": "/inventory",
        "groups": {"engine_nodes": ["engine1", "engine2"]},
        "ansible_facts": FACTS,
        "ivy_profile": {
            "java": 17,
            "search": {"product": "elasticsearch", "version": "7.17"},
            "postgresql": {"min": 11, "max": 16},
        },
        "ivy_accept_unsupported": [],
        "ivy_engine_version": "11.3.0",
        "ivy_cluster_name": "demo",
        "ivy_address": "192.0.2.21",
        "ivy_engine_addresses": {"engine1": "192.0.2.21", "engine2": "engine2.example.com"},
        "ivy_search_server_addresses": {"search1": "search.example.com"},
        "ivy_database_address": "db.example.com",
        "ivy_engine_home": "/opt/ivy",
        "ivy_engine_directory": "/opt/ivy/versions/11.3.0",
        "ivy_engine_service": "axonivy-engine",
        "ivy_state_directory": "/var/lib/ivy-cluster",
        "ivy_share_directory": "/srv/ivy",
        "ivy_data_directory": "/srv/ivy/data",
        "ivy_user": "ivy",
        "ivy_group": "ivy",
        "ivy_uid": 1200,
        "ivy_gid": 1200,
        "ivy_time_zone": "Etc/UTC",
        "ivy_http_port": 8080,
        "ivy_jgroups_port": 7800,
        "ivy_jgroups_fd_port": 7900,
        "ivy_transport": "tcp",
        "ivy_database_host": "",
        "ivy_database_port": 5432,
        "ivy_database_connections": 50,
        "ivy_search_url": "",
        "ivy_search_port": 9200,
        **more,
    }


def plan(group: str, **more: Any) -> Plan:
    return plan_for([group], RoleOptions(DataLoader(), topology(**more), roles_of([group])))


def ports(made: Plan) -> dict[str, tuple[int, str, tuple[str, ...]]]:
    return {one.option: (one.port, one.unit, one.addresses) for one in made.ports}


def test_an_engine_node() -> None:
    made = plan("engine_nodes")
    unit = "axonivy-engine.service"
    assert ports(made) == {
        "ivy_http_port": (8080, unit, ("*",)),
        "ivy_jgroups_port": (7800, unit, ("192.0.2.21",)),
        "ivy_jgroups_fd_port": (7900, unit, ("192.0.2.21",)),
    }
    assert [(one.service, one.mb > 2048) for one in made.memory] == [("engine", True)]
    assert {"openjdk-17-jre-headless", "unzip", "fontconfig"} <= set(made.packages)
    assert made.services == ("openjdk-17-jre-headless",)
    assert "/var/lib/axonivy-engine-dumps" in made.paths
    assert {"/var/log", "/opt/ivy", "/var/lib/ivy-cluster", "/srv/ivy"} <= set(made.paths)
    assert made.installed == {"engine_archive": "/opt/ivy/versions/11.3.0/bin/AxonIvyEngine"}
    assert made.names == ("engine2.example.com", "db.example.com", "search.example.com")
    assert made.share is not None
    assert (made.share["uid"], made.share["mode"], made.share["accept_local"]) == (1200, "existing", False)


@pytest.mark.parametrize("group", ["load_balancers", "engine_nodes", "database_servers", "search_servers"])
def test_the_file_systems_of_the_system_are_inspected_on_every_host(group: str) -> None:
    paths = plan(group).paths
    assert {"/", "/etc", "/usr", "/var", "/var/log"} <= set(paths)
    assert len(set(paths)) == len(paths)


@pytest.mark.parametrize(
    ("value", "http", "https", "protocol"),
    [("allow", ("*",), True, "http"), ("prefer", ("*",), True, "https"), ("require", ("127.0.0.1",), True, "https")],
)
def test_an_engine_node_with_tls(value: str, http: tuple[str, ...], https: bool, protocol: str) -> None:
    made = plan("engine_nodes", ivy_node_tls=value, ivy_https_port=8443)
    assert ports(made)["ivy_http_port"] == (8080, "axonivy-engine.service", http)
    assert ("ivy_https_port" in ports(made)) == https
    assert made.node_protocol == protocol
    # Only this host asks the port on its loopback interface.
    assert {one.option for one in made.ports if not one.peers} == ({"ivy_http_port"} if value == "require" else set())


def test_multicast_needs_no_fixed_ports() -> None:
    assert list(ports(plan("engine_nodes", ivy_transport="multicast"))) == ["ivy_http_port"]


def test_a_java_of_ones_own_is_not_a_package() -> None:
    made = plan("engine_nodes", engine_java_home="/opt/java")
    assert [name for name in made.packages if name.startswith("openjdk")] == []


def test_a_share_that_is_mounted_needs_what_its_file_system_needs() -> None:
    assert "nfs-common" not in plan("engine_nodes").packages
    assert "nfs-common" in plan("engine_nodes", file_share_mode="mount").packages


def test_what_lies_outside_is_reached_from_each_engine() -> None:
    made = plan("engine_nodes", ivy_database_host="pg.example.com", ivy_search_url="https://search.example.com/")
    assert [(one.option, one.address, one.port) for one in made.external] == [
        ("ivy_database_host", "pg.example.com", 5432),
        ("ivy_search_url", "search.example.com", 443),
    ]
    assert [one.port for one in plan("engine_nodes", ivy_search_url="http://[2001:db8::1]:9201").external] == [9201]


def test_a_database_server() -> None:
    made = plan("database_servers", ivy_address="192.0.2.30", ivy_database_manager="single")
    assert ports(made) == {"ivy_database_port": (5432, "postgresql@15-main.service", ("localhost", "192.0.2.30"))}
    assert "postgresql-15" in made.packages
    assert made.services == ("postgresql-15",)
    assert "/var/lib/postgresql/15/main" in made.paths
    assert [one.mb for one in made.memory] == [2000]


def test_a_search_server() -> None:
    made = plan("search_servers", elasticsearch_heap="1g", elasticsearch_java="system")
    assert ports(made) == {"ivy_search_port": (9200, "elasticsearch.service", ("127.0.0.1", "192.0.2.21"))}
    assert [one.mb for one in made.memory] == [1024 + 256]
    assert made.map_count == 262144
    assert {"unzip", "nftables", "openjdk-17-jre-headless"} <= set(made.packages)
    assert "/var/lib/elasticsearch" in made.paths


@pytest.mark.parametrize(("checksum", "digest"), [("", "*"), ("sha256:0123456789abcdef", "0123456789ab")])
def test_what_is_unpacked_of_a_search_server_bears_the_digest(checksum: str, digest: str) -> None:
    archive = {"elasticsearch_archive": "/a/elasticsearch-7.17.28.zip", "elasticsearch_archive_checksum": checksum}
    made = plan("search_servers", elasticsearch_home="/opt/search[1]", **archive)
    assert made.installed == {"elasticsearch_archive": f"/opt/search[[]1]/versions/7.17.28-{digest}"}
    assert plan("search_servers").installed == {}


def test_a_balancer(tmp_path: Path) -> None:
    made = plan("load_balancers", certificates_directory=str(tmp_path), haproxy_metrics_port=8499)
    assert {option: port for option, (port, _unit, _addresses) in ports(made).items()} == {
        "haproxy_https_port": 443,
        "haproxy_http_port": 80,
        "haproxy_metrics_port": 8499,
    }
    assert made.packages[0] == "haproxy"
    assert made.trust_file == "/etc/ivy-cluster-pki/ca.pem"
    assert made.authority == {"replace": False, "brought": "", "directory": str(tmp_path), "given": False}


def test_a_balancer_with_a_virtual_address() -> None:
    addresses = {"lb1": "lb1.example.com", "lb2": "192.0.2.12"}
    more = {"ivy_virtual_address": "192.0.2.100/24", "ivy_load_balancer_addresses": addresses}
    made = plan("load_balancers", **more, keepalived_interface="ens9")
    assert made.virtual_address == {"address": "192.0.2.100", "length": 24, "interface": "ens9", "balancers": 2}
    assert {"keepalived", "nftables"} <= set(made.packages)
    assert "keepalived" in made.services
    assert "lb1.example.com" in made.names
    asked = module_arguments(made, "lb1", "token", 60)["virtual_address"]
    assert asked == {"address": "192.0.2.100", "interface": "ens9", "own": "192.0.2.21"}


@pytest.mark.parametrize("address", ["", "no address"])
def test_a_balancer_without_a_usable_virtual_address(address: str) -> None:
    made = plan("load_balancers", ivy_virtual_address=address)
    assert made.virtual_address is None
    assert "keepalived" not in made.packages
    assert module_arguments(made, "lb1", "token", 60)["virtual_address"] is None


def test_what_an_option_invalidates_is_left_out_and_nothing_else() -> None:
    made = plan(
        "engine_nodes", ivy_http_port="eighty", engine_heap_max="much", ivy_profile="{{ nothing }}", ivy_uid="x"
    )
    assert "ivy_http_port" not in ports(made)
    assert "ivy_jgroups_port" in ports(made)
    assert (made.memory, made.share) == ((), None)


def test_a_plan_survives_the_way_through_a_task() -> None:
    made = plan("engine_nodes", ivy_database_host="pg.example.com")
    assert Plan.from_dict(json.loads(json.dumps(made.to_dict()))) == made


def test_what_the_module_is_asked() -> None:
    asked = module_arguments(plan("engine_nodes"), "engine1", "token", 60)
    assert asked["share"] == {
        "root": "/srv/ivy",
        "directory": "/srv/ivy/data",
        "user": "ivy",
        "group": "ivy",
        "uid": 1200,
        "gid": 1200,
        "name": "engine1",
    }
    assert all(one["listen"] for one in asked["ports"])
    assert not any(one["listen"] for one in module_arguments(plan("load_balancers"), "lb1", "token", 60)["ports"])


@pytest.mark.parametrize(
    ("text", "mb"), [("2g", 2048), ("512m", 512), ("1048576k", 1024), ("128MB", 128), ("much", 0), ("", 0), (None, 0)]
)
def test_memory_in_megabytes(text: str | None, mb: int) -> None:
    assert megabytes(text) == mb
