# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The balancer rejects every spelling of a protected path, a host or a user's address, and passes ordinary requests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import balancer_paths
import pytest
import second_haproxy
import tomcat

if TYPE_CHECKING:
    from collections.abc import Callable

    from balancer_paths import Answer
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
    for case, response in zip(balancer_paths.corpus(), found["http1"], strict=True):
        assert response is None or response[0] != 200 or 200 in case.expected, case.name


def test_every_spelling_of_a_login_is_limited(results: dict[str, Any]) -> None:
    wrong = balancer_paths.unlimited(balancer_paths.LOGINS, results["logins"])
    assert wrong == [], "\n".join(wrong)


def test_every_address_from_a_trusted_proxy_is_limited(results: dict[str, Any]) -> None:
    wrong = balancer_paths.unlimited(balancer_paths.FORWARDED, results["forwarded"])
    assert wrong == [], "\n".join(wrong)


def test_the_administration_requires_an_unambiguous_client_address(results: dict[str, Any]) -> None:
    asked = dict(zip(balancer_paths.ADMINISTRATION, results["administration"], strict=True))
    assert asked == balancer_paths.ADMINISTRATION


@dataclass(frozen=True)
class Trial:
    """Answers of Tomcat to the corpus, without the balancer by connector, and behind it by protocol."""

    direct: dict[str, list[Answer]]
    behind: dict[str, Any]
    # What the balancer has forwarded to the administration.
    administration: list[str]


@pytest.fixture(scope="module")
def trial(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Trial:
    """A real Tomcat, whose servlets report which of them a request reached."""
    balancer = lab.groups["load_balancers"][0]
    with tomcat.running(tmp_path_factory.mktemp("tomcat")) as server:
        direct = server.ask_corpus(lab.public_name)
        with tomcat.forwarded(lab, balancer, server.ports[tomcat.BEHIND_BALANCER]):
            behind = second_haproxy.results_of(
                lab,
                "balancer_paths.py",
                "tomcat",
                haproxy_system_allowed_sources=[balancer_paths.ADMINISTRATOR],
                haproxy_system_paths=list(balancer_paths.SYSTEM),
            )
        return Trial(direct, behind, server.administration_requests())


def test_the_corpus_contains_attacks_that_work_without_the_balancer(
    trial: Trial, record_property: Callable[[str, object], None]
) -> None:
    attacks = sum(tomcat.attacks(trial.direct))
    record_property("targets that Tomcat maps to the administration", attacks)
    print(f"Tomcat maps {attacks} of {len(balancer_paths.corpus())} targets to the administration.")
    assert attacks >= 200


@pytest.mark.parametrize("protocol", ["http1", "http2"])
def test_behind_the_balancer_tomcat_gets_ordinary_requests_only(trial: Trial, protocol: str) -> None:
    wrong = tomcat.faults(trial.behind[protocol], trial.direct)
    assert wrong == [], "\n".join([f"{len(wrong)} requests:", *wrong])


def test_only_an_administrator_reaches_the_administration_of_tomcat(trial: Trial) -> None:
    status, reported = trial.behind["administrator"]
    assert (status, reported["servlet"]) == (200, "system")
    assert trial.administration == [f"GET {balancer_paths.SYSTEM[0]}"]
