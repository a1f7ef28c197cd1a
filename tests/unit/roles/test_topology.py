# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What topology derives from its options."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

from ansible_collections.ivy.cluster.tests.in_process import run_play

TOPOLOGY = Path(__file__).resolve().parents[3] / "roles/topology"
DERIVED = TOPOLOGY / "vars/main/derived.yml"
VALIDATED = {"validated_run": {"roles": ["topology", "verify"]}}


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, False),
        (VALIDATED, True),
        ({"validated_run": {"roles": []}}, False),
        ({"validated_run": {"failed": True}}, False),
        ({"preflight_report": {"ok": True}}, True),
        ({"preflight_report": {"ok": False}}, False),
        ({"preflight_report": {"skipped": True}}, False),
        # An accepted error may be an invalid option.
        ({**VALIDATED, "preflight_accept": ["option"]}, False),
        ({"preflight_report": {"ok": True}, "preflight_accept": ["option"]}, False),
        ({**VALIDATED, "preflight_accept": []}, True),
    ],
)
def test_a_run_that_has_validated_the_options_does_not_validate_them_again(
    variables: dict[str, t.Any], expected: bool
) -> None:
    loader = DataLoader()
    derived = loader.load_from_file(str(DERIVED), trusted_as_template=True)
    templar = Templar(loader=loader, variables={**variables, "value": derived["ivy_options_validated"]})
    assert templar.resolve_variable_expression("value") is expected


# By the options of topology: the defaults, a boolean, and text as on the command line.
SHARES: list[tuple[dict[str, t.Any], str]] = [
    ({}, "True True /mnt/ivy/applications"),
    ({"ivy_share_applications": False}, "False False -"),
    ({"ivy_share_applications": "false"}, "False False -"),
    # This version has no choice.
    ({"ivy_engine_version": "12.0.8"}, "False False -"),
]
SHOWN = (
    "{{ ivy_profile['applications_shared'] }} {{ ivy_profile['runtime_deployment'] }} "
    "{{ ivy_shared_applications_directory or '-' }}"
)


def test_applications_stay_unshared_if_that_is_wanted(tmp_path: Path) -> None:
    options = {"ivy_engine_version": "12.0.9", "ivy_share_directory": "/mnt/ivy"}
    files = ("defaults/main.yml", "vars/main/profiles.yml", "vars/main/derived.yml")
    play = {
        "hosts": "localhost",
        "gather_facts": False,
        "vars_files": [str(TOPOLOGY / name) for name in files],
        "tasks": [
            {"ansible.builtin.debug": {"msg": f"{number}: {SHOWN}."}, "vars": {**options, **changes}}
            for number, (changes, _expected) in enumerate(SHARES)
        ],
    }
    (tmp_path / "play.yml").write_text(json.dumps([play]), encoding="utf-8")
    done = run_play(tmp_path, {})
    assert done.returncode == 0, done.stdout + done.stderr
    for number, (_changes, expected) in enumerate(SHARES):
        assert f"{number}: {expected}." in done.stdout


@pytest.mark.parametrize(
    ("virtual_address", "balancers", "expected"),
    [
        ("", {}, ""),
        ("", {"lb1": "192.0.2.10"}, "192.0.2.10"),
        ("", {"lb1": "192.0.2.10", "lb2": "192.0.2.11"}, ""),
        ("192.0.2.100/24", {"lb1": "192.0.2.10", "lb2": "192.0.2.11"}, "192.0.2.100"),
        ("2001:db8::100/64", {"lb1": "2001:db8::10"}, "2001:db8::100"),
    ],
)
def test_the_address_of_the_front_ends_is_the_virtual_one_or_that_of_the_only_balancer(
    virtual_address: str, balancers: dict[str, str], expected: str
) -> None:
    loader = DataLoader()
    derived = loader.load_from_file(str(DERIVED), trusted_as_template=True)
    variables = {
        "ivy_internal_address": "",
        "ivy_virtual_address": virtual_address,
        "ivy_load_balancer_addresses": balancers,
        "value": derived["ivy_front_end_address"],
    }
    assert Templar(loader=loader, variables=variables).resolve_variable_expression("value") == expected


@pytest.mark.parametrize(
    ("value", "https", "http", "balancer", "port"),
    [
        ("disable", False, True, False, "8080"),
        ("allow", True, True, False, "8080"),
        ("prefer", True, True, True, "8443"),
        ("require", True, False, True, "8443"),
    ],
)
def test_a_node_serves_what_the_balancers_use(value: str, https: bool, http: bool, balancer: bool, port: str) -> None:
    loader = DataLoader()
    derived = loader.load_from_file(str(DERIVED), trusted_as_template=True)
    names = ("ivy_node_serves_https", "ivy_node_serves_http", "ivy_balancer_uses_https", "ivy_node_port")
    variables = {
        **{name: derived[name] for name in (*names, "ivy_node_keystore")},
        "ivy_node_tls": value,
        "ivy_http_port": "8080",
        "ivy_https_port": "8443",
    }
    templar = Templar(loader=loader, variables=variables)
    assert [templar.resolve_variable_expression(name) for name in names] == [https, http, balancer, port]
    assert bool(templar.resolve_variable_expression("ivy_node_keystore")) is https


def test_the_name_that_is_verified_is_valid_in_a_certificate() -> None:
    loader = DataLoader()
    derived = loader.load_from_file(str(DERIVED), trusted_as_template=True)
    variables = {"groups": {"engine_nodes": ["Engine_1", "e2.example.com"]}, "value": derived["ivy_node_names"]}
    found = Templar(loader=loader, variables=variables).resolve_variable_expression("value")
    assert found == {"Engine_1": "engine-1", "e2.example.com": "e2.example.com"}


def test_each_version_has_a_variable_for_the_password_of_the_keystore() -> None:
    loader = DataLoader()
    keystore = loader.load_from_file(str(TOPOLOGY.parent / "engine/vars/main/keystore.yml"), trusted_as_template=True)
    profiles = loader.load_from_file(str(TOPOLOGY / "vars/main/profiles.yml"))["ivy_profiles"]
    variables = {"ivy_profiles": profiles, "value": keystore["__engine_keystore_variables"]}
    assert Templar(loader=loader, variables=variables).resolve_variable_expression("value") == [
        "IVY_CONNECTOR_HTTPS_KEYSTOREPASS",
        "IVY_CONNECTOR_HTTPS_SSLHOSTCONFIG_CERTIFICATE_CERTIFICATEKEYSTOREPASSWORD",
    ]
