# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of a balancer probe that need no connection."""

from __future__ import annotations

import ssl

import pytest

from ansible_collections.ivy.cluster.plugins.module_utils.probes import balancer as sut


@pytest.mark.parametrize(
    ("host", "name"), [("a.example.com", "a.example.com"), ("a:8443", "a"), ("[2001:db8::1]:8443", "2001:db8::1")]
)
def test_the_name_in_the_tls_handshake(host: str, name: str) -> None:
    assert sut.Target("192.0.2.1", 443, host, "IVYNODE").server_name == name


def test_the_cookie_is_found_among_others() -> None:
    headers = ["JSESSIONID=x; Path=/", "IVYNODE=engine2; path=/; HttpOnly; SameSite=Strict"]
    assert sut.find_cookie(headers, "IVYNODE") == {
        "name": "IVYNODE",
        "value": "engine2",
        "secure": False,
        "http_only": True,
        "same_site": "Strict",
    }
    assert sut.find_cookie(headers, "OTHER") is None


def test_a_node_without_an_expected_status_is_not_counted() -> None:
    probe = sut.Probe(sut.Target("192.0.2.1", 443, "ivy", "IVYNODE"), ssl.create_default_context(), [200])
    answers = [sut.Answer(200, None), sut.Answer(503, None)]
    assert probe.summarise(answers, ["engine1", "engine2"])["nodes"] == {"engine1": 1}
    assert probe.problems == ["1 of 2 requests got status 503."]
