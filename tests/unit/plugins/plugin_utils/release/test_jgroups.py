# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import ipaddress
import re
from xml.etree import ElementTree

import pytest

from ansible_collections.ivy.cluster.plugins.plugin_utils.release.file_checks import check_xml
from ansible_collections.ivy.cluster.plugins.plugin_utils.release.jgroups import multicast_address, render

HOSTS = ["172.30.57.21", "172.30.57.22", "fe80::1"]


def stack(text: str) -> dict[str, dict[str, str]]:
    assert check_xml("jgroups.xml", text.encode()) == []
    return {child.tag.split("}")[1]: dict(child.attrib) for child in ElementTree.fromstring(text)}


def test_tcp_names_every_host_and_fixes_every_port() -> None:
    protocols = stack(render("tcp", "demo", 7800, 7900, HOSTS))
    assert protocols["TCPPING"]["initial_hosts"] == "172.30.57.21[7800],172.30.57.22[7800],fe80::1[7800]"
    assert protocols["TCPPING"]["port_range"] == protocols["TCP"]["port_range"] == "0"
    assert protocols["TCP"]["bind_port"] == "7800"
    assert protocols["TCP"]["bind_addr"] == "${jgroups.bind_addr:site_local}"
    assert protocols["FD_SOCK2"]["offset"] == "100"
    assert "UDP" not in protocols


def test_multicast() -> None:
    protocols = stack(render("multicast", "demo", 7800, 7950, []))
    assert protocols["UDP"]["mcast_addr"] == multicast_address("demo")
    assert protocols["FD_SOCK2"]["offset"] == "150"
    assert "TCP" not in protocols
    assert "PING" in protocols


@pytest.mark.parametrize("transport", ["tcp", "multicast"])
def test_the_transport_answers_no_probe(transport: str) -> None:
    protocols = stack(render(transport, "demo", 7800, 7900, HOSTS))
    assert next(iter(protocols.values()))["diag.enabled"] == "false"


def test_two_clusters_have_two_addresses() -> None:
    addresses = {multicast_address(f"cluster-{number}") for number in range(200)}
    assert len(addresses) == 200
    assert all(ipaddress.ip_address(address) in ipaddress.ip_network("239.192.0.0/14") for address in addresses)
    assert multicast_address("demo") == multicast_address("demo")


def test_a_host_cannot_break_out_of_its_attribute() -> None:
    text = render("tcp", "demo", 7800, 7900, ['a"/><X/>'])
    assert "X" not in stack(text)
    assert not re.search(r"<X", text)
