# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The balancer rejects every spelling of a protected path, a host or a user's address, and passes ordinary requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import balancer_paths
import pytest
import second_haproxy

if TYPE_CHECKING:
    from conftest import Lab


@pytest.fixture(scope="module")
def results(lab: Lab) -> dict[str, Any]:
    """The response of a second HAProxy on the balancer to each case."""
    return second_haproxy.results_of(
        lab,
        "balancer_paths.py",
        haproxy_trusted_proxies=["127.0.2.0/24"],
        haproxy_system_allowed_sources=["198.51.100.0/24", "127.0.2.0/24"],
        haproxy_system_paths=["/system", "/ivy/system"],
    )


@pytest.mark.parametrize("protocol", ["http1", "http2"])
def test_only_requests_with_an_unambiguous_open_path_pass(lab: Lab, results: dict[str, Any], protocol: str) -> None:
    wrong = balancer_paths.mismatches(results[protocol], protocol, lab.public_name)
    assert wrong == [], "\n".join([f"{len(wrong)} requests:", *wrong])


def test_with_an_allow_list_only_its_paths_pass(lab: Lab) -> None:
    found = second_haproxy.results_of(
        lab,
        "balancer_paths.py",
        "allow-list",
        haproxy_allowed_paths=list(balancer_paths.ALLOWED),
        haproxy_system_paths=["/system", "/ivy/system"],
    )
    for protocol in ("allowed1", "allowed2"):
        statuses = dict(zip(balancer_paths.ALLOW_LIST, found[protocol], strict=True))
        expected = {path: 200 if passes else 404 for path, passes in balancer_paths.ALLOW_LIST.items()}
        assert statuses == expected, protocol
    # Nothing passes that would be rejected without the list.
    for case, (status, _target) in zip(balancer_paths.corpus(), found["http1"], strict=True):
        assert status != 200 or 200 in case.expected, case.name


def test_every_spelling_of_a_login_is_limited(results: dict[str, Any]) -> None:
    wrong = balancer_paths.unlimited(balancer_paths.LOGINS, results["logins"])
    assert wrong == [], "\n".join(wrong)


def test_every_address_from_a_trusted_proxy_is_limited(results: dict[str, Any]) -> None:
    wrong = balancer_paths.unlimited(balancer_paths.FORWARDED, results["forwarded"])
    assert wrong == [], "\n".join(wrong)


def test_the_administration_requires_an_unambiguous_client_address(results: dict[str, Any]) -> None:
    asked = dict(zip(balancer_paths.ADMINISTRATION, results["administration"], strict=True))
    assert asked == balancer_paths.ADMINISTRATION
