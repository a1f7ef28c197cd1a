# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A virtual address as a load balancer sees it, from the output of ip."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ansible_collections.ivy.cluster.plugins.module_utils.preflight import virtual_address as sut

SHOWN = json.dumps(
    [
        {"ifname": "lo", "addr_info": [{"family": "inet", "local": "127.0.0.1", "prefixlen": 8}]},
        {
            "ifname": "ens18",
            "addr_info": [
                {"family": "inet", "local": "192.0.2.11", "prefixlen": 24},
                {"family": "inet", "local": "192.0.2.100", "prefixlen": 24},
                {"family": "inet6", "local": "2001:db8::11", "prefixlen": 64},
                {"family": "inet6", "local": "fe80::1", "prefixlen": 64},
            ],
        },
        {"ifname": "tun0", "addr_info": [{"family": "inet", "prefixlen": 32}]},
        {"ifname": "ens19", "addr_info": [{"family": "inet", "local": "10.1.2.3", "prefixlen": 16}]},
    ]
)
NEIGHBOUR = [{"dst": "192.0.2.100", "lladdr": "02:42:ac:1f:4d:63", "state": ["REACHABLE"]}]


def test_the_interface_that_has_an_address() -> None:
    found = sut.parse(SHOWN)
    assert (sut.holder(found, "192.0.2.100"), sut.holder(found, "192.0.2.99")) == ("ens18", "")
    assert sut.holder(found, "2001:DB8:0::11") == "ens18"


@pytest.mark.parametrize(
    "text", ["", "no JSON", "{}", '[{"ifname": "a", "addr_info": [{"local": "x", "prefixlen": 1}]}]']
)
def test_an_output_of_another_form_has_no_address(text: str) -> None:
    assert sut.parse(text) == []


@pytest.mark.parametrize(
    ("name", "own", "expected"),
    [
        ("", {"192.0.2.11"}, "ens18"),
        ("ens19", {"192.0.2.11"}, "ens19"),
        ("eth9", {"192.0.2.11"}, ""),
        ("", {"192.0.2.12"}, ""),
    ],
)
def test_the_interface_for_the_address(name: str, own: set[str], expected: str) -> None:
    assert sut.selected_interface(sut.parse(SHOWN), name, own) == expected


@pytest.mark.parametrize(
    ("interface", "address", "expected"),
    [
        ("ens18", "192.0.2.100", ["192.0.2.0/24"]),
        ("ens18", "2001:db8::100", ["2001:db8::/64"]),
        ("ens19", "192.0.2.100", ["10.1.0.0/16"]),
        ("", "192.0.2.100", []),
    ],
)
def test_the_networks_of_an_interface(interface: str, address: str, expected: list[str]) -> None:
    assert sut.networks(sut.parse(SHOWN), interface, address) == expected


def test_the_address_itself_does_not_put_the_interface_into_its_network() -> None:
    found = [
        sut.Assigned("ens18", one.address, one.length) for one in sut.parse(SHOWN) if str(one.address) == "192.0.2.100"
    ]
    assert sut.networks(found, "ens18", "192.0.2.100") == []


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        (NEIGHBOUR, "02:42:ac:1f:4d:63"),
        ([], ""),
        ([{"dst": "192.0.2.100", "state": ["INCOMPLETE"]}], ""),
        ([{**NEIGHBOUR[0], "state": ["FAILED"]}], ""),
    ],
)
def test_the_hardware_address_of_a_neighbour(entries: list[object], expected: str) -> None:
    assert sut.hardware_address(json.dumps(entries)) == expected
    assert sut.hardware_address("") == ""


def test_a_neighbour_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[str, ...]] = []

    def output(*arguments: str) -> str:
        calls.append(arguments)
        return json.dumps(NEIGHBOUR)

    monkeypatch.setattr(sut, "output", output)
    # Nothing is sent to another host.
    assert sut.neighbour("127.0.0.1", "lo") == "02:42:ac:1f:4d:63"
    assert [call[:3] for call in calls] == [("ip", "neigh", "delete"), ("ip", "-json", "neigh")]


def test_nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sut, "output", lambda *_arguments: "[]")
    assert sut.neighbour("127.0.0.1", "lo", seconds=0.0) == ""


@pytest.mark.parametrize(("held", "asked"), [(True, []), (False, ["192.0.2.100"])])
def test_a_holder_asks_nobody(held: bool, asked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    found = [one for one in sut.parse(SHOWN) if held or str(one.address) != "192.0.2.100"]
    questions: list[str] = []
    monkeypatch.setattr(sut, "assigned", lambda: found)

    def answer(address: str, _interface: str) -> str:
        questions.append(address)
        return ""

    monkeypatch.setattr(sut, "neighbour", answer)
    state = sut.inspect("192.0.2.100", "", "192.0.2.11")
    assert (state["held"], state["interface"], state["networks"]) == (held, "ens18", ["192.0.2.0/24"])
    assert questions == asked


def test_an_address_outside_of_the_network_is_asked_for_by_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """The question would go to the router."""
    monkeypatch.setattr(sut, "assigned", lambda: sut.parse(SHOWN))
    monkeypatch.setattr(sut, "neighbour", lambda *_arguments: pytest.fail("asked"))
    assert sut.inspect("198.51.100.1", "", "192.0.2.11")["neighbour"] == ""


def test_a_configuration_of_somebody_else(tmp_path: Path) -> None:
    file = tmp_path / "keepalived.conf"
    assert sut.has_other_configuration(str(file)) is False
    file.write_text("# Managed by ivy.cluster.\nglobal_defs {\n}\n", encoding="utf-8")
    assert sut.has_other_configuration(str(file)) is False
    file.write_text("global_defs {\n}\n", encoding="utf-8")
    assert sut.has_other_configuration(str(file)) is True
