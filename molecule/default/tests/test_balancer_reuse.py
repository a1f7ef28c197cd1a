# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The balancer reuses connections to an engine, although the engine may close an idle one at any time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import second_haproxy

if TYPE_CHECKING:
    from conftest import Lab


PKI = "/etc/ivy-cluster-pki"


@pytest.fixture(scope="module", params=["http", "tls"])
def results(lab: Lab, request: pytest.FixtureRequest) -> dict[str, Any]:
    if request.param == "http":
        return second_haproxy.results_of(lab, "balancer_reuse.py")
    lines = [f"default-server ssl verify required ca-file {PKI}/ca.pem sni str({lab.public_name})"]
    return second_haproxy.results_of(lab, "balancer_reuse.py", f"{PKI}/balancer.pem", haproxy_backend_lines=lines)


def test_no_request_fails_and_none_is_executed_twice(results: dict[str, Any]) -> None:
    found = results["closing"]
    assert found["closed_by_engine"] > 100
    assert found["failed"] == {}
    assert found["not_once"] == {}


def test_only_requests_without_effects_use_an_idle_connection(results: dict[str, Any]) -> None:
    reused = results["closing"]["reused"]
    assert reused["GET/page"] > 0
    assert reused["HEAD/page"] > 0
    assert reused["POST/page"] == 0
    assert reused["GET/s.ivp"] == 0


def test_a_request_with_effects_is_not_repeated_without_a_response(results: dict[str, Any]) -> None:
    assert {name: executed for name, (_outcome, executed) in results["without_response"].items() if executed != 1} == {}
    assert "200" not in [outcome for outcome, _executed in results["without_response"].values()]


def test_idle_connections_are_closed_before_the_engine_closes_them(results: dict[str, Any]) -> None:
    found = results["idle"]
    assert found["idle"] >= 24
    assert (found["closed_by_engine"], found["open"]) == (0, 0)
