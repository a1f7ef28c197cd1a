# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The balancer and the gate of a rollout agree about every response of an engine, for every range of versions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import balancer_health
import pytest
import second_haproxy
import yaml

from ansible_collections.ivy.cluster.plugins.plugin_utils.common.profiles import resolve_profile

if TYPE_CHECKING:
    from conftest import Lab

PROFILES = Path(__file__).resolve().parents[3] / "roles/topology/vars/main/profiles.yml"


def definition(version: str) -> dict[str, Any]:
    ranges = yaml.safe_load(PROFILES.read_text(encoding="utf-8"))["ivy_profiles"]
    health: dict[str, Any] = resolve_profile(ranges, version)["health"]
    headers = {"X-Forwarded-Proto": "https", "X-Forwarded-Port": "443", "User-Agent": "ivy-cluster-health-check"}
    return {**health, "headers": headers}


@pytest.mark.parametrize("version", ["11.3.0", "12.0.6", "12.0.9"])
def test_balancer_and_gate_agree(lab: Lab, version: str) -> None:
    health = definition(version)
    found = second_haproxy.results_of(
        lab,
        "balancer_health.py",
        second_haproxy.SOCKET,
        json.dumps(health),
        lab.public,
        ivy_engine_addresses=balancer_health.ADDRESSES,
        ivy_node_names={name: name for name in balancer_health.ADDRESSES},
        ivy_health=health,
        # A check that is late because the host is busy does not count as failed.
        haproxy_check_timeout="60s",
        haproxy_check_interval="1s",
        haproxy_check_interval_changing="1s",
        haproxy_check_interval_down="1s",
    )
    differ = [
        (balancer_health.CELLS[int(name[4:])], "up" if up else "down")
        for name, up in found["balancer"].items()
        if up != found["gate"][name]
    ]
    assert differ == []
    assert sorted(found["gate"]) == sorted(balancer_health.ADDRESSES)
    assert {True, False} == set(found["gate"].values())
    # Licence and redirects may depend on the headers.
    assert found["asked"] == found["asked_by_gate"]
