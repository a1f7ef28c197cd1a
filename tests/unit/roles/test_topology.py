# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When the roles that depend on topology leave out the validation of its options on each host."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

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
def test_the_internal_address_is_the_virtual_one_or_that_of_the_only_balancer(
    virtual_address: str, balancers: dict[str, str], expected: str
) -> None:
    loader = DataLoader()
    defaults = loader.load_from_file(str(TOPOLOGY / "defaults/main.yml"), trusted_as_template=True)
    variables = {
        "ivy_virtual_address": virtual_address,
        "ivy_load_balancer_addresses": balancers,
        "value": defaults["ivy_internal_address"],
    }
    assert Templar(loader=loader, variables=variables).resolve_variable_expression("value") == expected
