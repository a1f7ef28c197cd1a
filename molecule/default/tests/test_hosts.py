# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks that apply to every host, whatever runs on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Lab


def test_no_unit_has_failed(lab: Lab) -> None:
    failed = {
        name: lab.host(name).check_output("systemctl list-units --failed --plain --no-legend") for name in lab.addresses
    }
    assert not any(failed.values()), failed


def test_logins_use_an_unprivileged_user(lab: Lab) -> None:
    for name in lab.addresses:
        host = lab.host(name)
        with host.sudo("ivyadmin"):
            assert host.check_output("id -un") == "ivyadmin"


@pytest.mark.parametrize(
    ("group", "pattern"),
    [
        ("engine_nodes", "axonivy-engine.service"),
        ("engine_nodes", "ivy-config-guard.service"),
        ("load_balancers", "haproxy.service"),
        ("search_servers", "*search.service"),
    ],
)
def test_a_unit_has_few_ways_out_of_its_sandbox(lab: Lab, group: str, pattern: str) -> None:
    """Below 3 of 10, as systemd itself judges; what a service needs and why is in its unit."""
    for name in lab.groups[group]:
        host = lab.host(name)
        units = host.check_output(f"systemctl list-units --all --plain --no-legend '{pattern}' | cut -d ' ' -f 1")
        # The threshold is ten times the exposure that systemd-analyze reports.
        done = host.run(f"systemd-analyze security --no-pager --threshold=30 {units}")
        assert done.rc == 0, done.stdout + done.stderr
