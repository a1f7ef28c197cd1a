# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings of one search server and of several, and when several of them form a new cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jinja2.nativetypes
import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

ROLE = Path(__file__).resolve().parents[3] / "roles/elasticsearch"
DERIVED = Path(__file__).resolve().parents[3] / "roles/topology/vars/main/derived.yml"
ONE = {"search1": "192.0.2.41"}
THREE = {**ONE, "search2": "2001:db8::42", "search3": "search3.example.com"}


def value(name: str, servers: dict[str, str], **more: Any) -> Any:
    loader = DataLoader()
    variables: dict[str, Any] = {}
    for path in (DERIVED, ROLE / "defaults/main.yml", ROLE / "vars/main/internal.yml"):
        variables.update(loader.load_from_file(str(path), trusted_as_template=True))
    product = {"search": {"product": "opensearch", "version": "2.18"}}
    given = {"ivy_search_url": "", "ivy_search_port": 9200, "ivy_address": "192.0.2.41", "ivy_profile": product, **more}
    variables.update({**given, "ivy_search_server_addresses": servers})
    return Templar(loader=loader, variables=variables).resolve_variable_expression(name)


def test_one_server_is_alone() -> None:
    expected = {"transport.host": "127.0.0.1", "discovery.type": "single-node"}
    assert value("__elasticsearch_settings_topology", ONE) == expected


def test_several_servers_find_one_another() -> None:
    assert value("__elasticsearch_settings_topology", THREE) == {
        "transport.host": "192.0.2.41",
        "transport.port": 9300,
        "discovery.seed_hosts": ["192.0.2.41:9300", "[2001:db8::42]:9300", "search3.example.com:9300"],
    }


@pytest.mark.parametrize(
    ("product", "setting"),
    [
        ("opensearch", "cluster.initial_cluster_manager_nodes"),
        ("elasticsearch", "cluster.initial_master_nodes"),
    ],
)
def test_the_first_masters_are_an_argument_and_no_setting(product: str, setting: str) -> None:
    """In a file, they would let a member that was set up again form a second cluster."""
    profile = {"search": {"product": product, "version": "1"}}
    found = value("__elasticsearch_first_masters", THREE, ivy_profile=profile)
    assert found == f"-E{setting}=search1,search2,search3"
    text = (ROLE / "vars/main/internal.yml").read_text(encoding="utf-8")
    assert f"  {setting}:" not in text
    assert f"  - {setting}\n" in text


@pytest.mark.parametrize(
    ("servers", "more", "url"),
    [
        (ONE, {}, "http://192.0.2.41:9200"),
        (ONE, {"ivy_front_end_address": "192.0.2.100"}, "http://192.0.2.41:9200"),
        (THREE, {"ivy_front_end_address": "192.0.2.100"}, "http://192.0.2.100:9200"),
        (THREE, {"ivy_front_end_address": "2001:db8::100"}, "http://[2001:db8::100]:9200"),
        (THREE, {"ivy_search_url": "https://search.example.com"}, "https://search.example.com"),
    ],
)
def test_the_address_of_the_search_engine(servers: dict[str, str], more: dict[str, Any], url: str) -> None:
    assert value("ivy_search_address_url", servers, **more) == url


EMPTY, FULL, AWAY = {"matched": 0}, {"matched": 1}, {"unreachable": True}


@pytest.mark.parametrize(
    ("results", "is_new"),
    [
        ([EMPTY, EMPTY, EMPTY], True),
        ([EMPTY, FULL, FULL], False),
        ([EMPTY, EMPTY, FULL], False),
        # It may have the data of the cluster.
        ([EMPTY, EMPTY, AWAY], False),
        ([FULL, FULL, FULL], False),
    ],
)
def test_a_cluster_is_new_only_if_no_member_can_have_data(results: list[dict[str, Any]], is_new: bool) -> None:
    tasks = yaml.safe_load((ROLE / "tasks/bootstrap.yml").read_text(encoding="utf-8"))
    environment = jinja2.nativetypes.NativeEnvironment()
    values = {
        "__elasticsearch_data": {"results": results},
        "groups": {"search_servers": list(THREE)},
        "ansible_check_mode": False,
    }
    conditions = [environment.compile_expression(text)(**values) for text in tasks[1]["when"]]
    assert all(conditions) is is_new
    assert tasks[0]["ignore_unreachable"] is True


def test_members_restart_one_after_another() -> None:
    tasks = yaml.safe_load((ROLE / "tasks/start_or_restart.yml").read_text(encoding="utf-8"))
    (task,) = [one for one in tasks if "ivy.cluster.search_restart" in one]
    assert task["throttle"] == 1
    (alone,) = [one for one in tasks if one["name"] == "Restart the search engine"]
    assert "not __elasticsearch_is_cluster" in alone["when"]
