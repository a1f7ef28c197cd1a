# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.ivy.cluster.plugins.module_utils.node.engine import health
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.profiles import (
    ProfileError,
    parse_version,
    resolve_profile,
)

Ranges = list[dict[str, t.Any]]

SETTINGS = {
    "database_url", "database_user", "database_driver", "database_password", "database_pool_size", "search_url",
    "search_user", "search_password", "base_url", "http_port", "http_address", "data_directory", "app_directory",
    "maintenance_mode", "https_enabled", "https_port", "https_keystore", "https_keystore_password",
    "https_keystore_type",
}  # fmt: skip

FACTS = (
    "java",
    "postgresql",
    "search",
    "health",
    "transport",
    "runtime_deployment",
    "applications_shared",
    "upgrade",
    "read_only_config",
    "read_only_copy",
    "enterprise_native",
    "schema_header",
    "hot_reload_keys",
    "restart_rules",
    "renamed_keys",
)


def facts_of(value: t.Any) -> t.Iterator[dict[str, t.Any]]:
    if isinstance(value, dict) and "value" in value:
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from facts_of(item)
    elif isinstance(value, list):
        for item in value:
            yield from facts_of(item)


@pytest.mark.parametrize(
    ("version", "name"),
    [
        ("10.0", "10.0"), ("10.0.23", "10.0"), ("11.1.0", "11.x"), ("11.3.0.2402281200", "11.x"),
        ("12.0.0", "12.0.0-12.0.6"), ("12.0.6", "12.0.0-12.0.6"), ("12.0.7", "12.0.7-12.0.8"),
        ("12.0.8", "12.0.7-12.0.8"), ("12.0.9", "12.0.9+"), ("12.0.30", "12.0.9+"), ("13.1.1", "13.1"),
        ("13.2.9", "13.2"), ("14.0.0-m8", "14"), ("14.0.3", "14"),
    ],
)  # fmt: skip
def test_each_version_has_its_range(ranges: Ranges, version: str, name: str) -> None:
    assert resolve_profile(ranges, version)["name"] == name


def requests(profile: dict[str, t.Any]) -> dict[str, str]:
    return {request["path"]: request["status"] for request in profile["health"]["requests"]}


@pytest.mark.parametrize(
    ("version", "info"),
    [
        *((version, "/system/info.jsp") for version in ("10.0.20", "11.1.0", "11.3.0")),
        *((version, "/system/engine-cockpit/faces/info.xhtml") for version in ("12.0.0", "12.0.6", "13.1.1")),
    ],
)
def test_an_engine_without_a_health_address_may_redirect_and_is_judged_by_its_info_page(
    ranges: Ranges, version: str, info: str
) -> None:
    profile = resolve_profile(ranges, version)
    assert health.accepts(requests(profile)["/"], 302)
    assert requests(profile)[info] == "200"
    first, second = profile["health"]["requests"]
    assert {"demo-portal", "Demo Mode", "Maintenance Mode"} <= set(second["reject"])
    # A redirect has no text in which HAProxy could search.
    assert not {"require", "reject"} & set(first)


def test_another_program_that_accepts_all_requests_is_not_healthy_in_any_range(ranges: Ranges) -> None:
    for entry in ranges:
        pages = resolve_profile(ranges, entry["versions"]["min"])["health"]["requests"]
        assert pages[-1]["require"] == ["Axon Ivy Engine"], entry["name"]


def test_the_ranges_leave_no_gap(ranges: Ranges) -> None:
    bounds = [entry["versions"] for entry in ranges]
    assert [bound["max"] for bound in bounds[:-1]] == [bound["min"] for bound in bounds[1:]]


def test_every_fact_has_a_source_and_a_certainty(ranges: Ranges) -> None:
    facts = list(facts_of([{key: v for key, v in entry.items() if key != "versions"} for entry in ranges]))
    assert len(facts) > 60
    for fact in facts:
        assert fact["source"], fact
        assert fact["certainty"] in ("stated", "observed", "inferred"), fact


def test_every_range_has_every_fact(ranges: Ranges) -> None:
    for entry in ranges:
        profile = resolve_profile(ranges, entry["versions"]["min"])
        assert set(profile["settings"]) == SETTINGS, entry["name"]
        for fact in FACTS:
            assert fact in profile, (entry["name"], fact)


def test_what_differs_between_the_lines(ranges: Ranges) -> None:
    old, new = resolve_profile(ranges, "11.3.0"), resolve_profile(ranges, "12.0.9")
    assert old["settings"]["http_port"] == {"file": "configuration/ivy.webserver.yaml", "key": "Connector.HTTP.Port"}
    assert new["settings"]["http_port"] == {"file": "configuration/ivy.yaml", "key": "Connector.HTTP.Port"}
    assert (old["transport"], new["transport"]) == ("multicast", "tcp")
    assert requests(old) == {"/": "200,301-303,307-308", "/system/info.jsp": "200"}
    assert requests(new) == {"/system/health": "200", "/system/engine-cockpit/faces/info.xhtml": "200"}
    assert (old["search"]["product"], new["search"]["product"]) == ("elasticsearch", "opensearch")
    assert {"from": "Elasticsearch", "to": "SearchEngine"} in new["renamed_keys"]
    assert {"from": "SearchEngine", "to": "Elasticsearch"} in old["renamed_keys"]
    assert "SearchEngine" not in [rename["from"] for rename in new["renamed_keys"]]


def test_13_1_does_not_inherit_what_came_with_12_0_7(ranges: Ranges) -> None:
    profile = resolve_profile(ranges, "13.1.0")
    assert requests(profile) == {"/": "200,301-303,307-308", "/system/engine-cockpit/faces/info.xhtml": "200"}
    assert profile["transport"] == "multicast"
    assert profile["enterprise_native"] is False


def test_a_fact_with_since_holds_from_that_version_on(ranges: Ranges) -> None:
    assert resolve_profile(ranges, "11.2.0")["read_only_config"] is False
    assert resolve_profile(ranges, "11.3.0")["read_only_config"] is True
    assert resolve_profile(ranges, "11.2.0")["read_only_copy"] == ""
    assert resolve_profile(ranges, "13.2.0")["read_only_copy"] == "work/configuration"
    assert resolve_profile(ranges, "11.2.9")["schema_header"]["ivy"] == ""
    assert resolve_profile(ranges, "11.3.0")["schema_header"]["ivy"] != ""


def test_no_schema_is_made_of_the_version_of_the_engine(ranges: Ranges) -> None:
    for entry in ranges:
        header = resolve_profile(ranges, entry["versions"]["min"])["schema_header"]
        assert "{" not in header["ivy"] + header["app"]


def test_applications_are_not_shared_if_that_is_not_wanted(ranges: Ranges) -> None:
    shared, separate = (resolve_profile(ranges, "12.0.9", share) for share in (True, False))
    assert (shared["applications_shared"], shared["runtime_deployment"]) == (True, True)
    assert (separate["applications_shared"], separate["runtime_deployment"]) == (False, False)
    assert {**separate, "applications_shared": True, "runtime_deployment": True} == shared
    assert resolve_profile(ranges, "12.0.8", False) == resolve_profile(ranges, "12.0.8")


def test_an_unknown_version_names_the_known_ranges(ranges: Ranges) -> None:
    with pytest.raises(ProfileError, match=r"9\.4.*10\.0 \(from 10\.0\.0, below 11\.0\.0\).*14"):
        resolve_profile(ranges, "9.4")


@pytest.mark.parametrize("text", ["", "12", "latest", "a.b", "11.x"])
def test_invalid_versions_are_rejected(text: str) -> None:
    with pytest.raises(ProfileError, match="is not an engine version"):
        parse_version(text)


def test_a_range_based_on_nothing_is_an_error() -> None:
    data = [{"name": "x", "based_on": "y", "versions": {"min": "1.0", "max": "2.0"}}]
    with pytest.raises(ProfileError, match="based on 'y'"):
        resolve_profile(data, "1.5")
