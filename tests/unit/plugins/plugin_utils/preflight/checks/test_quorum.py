# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The number and the places of the members of etcd."""

from __future__ import annotations

import pytest

from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight.checks import quorum
from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight.model.inventory import ETCDS, Host, Inventory


def inventory(*addresses: str) -> Inventory:
    return Inventory(
        tuple(
            Host(f"db{number}", frozenset({ETCDS}), {"ivy_address": address})
            for number, address in enumerate(addresses, 1)
        )
    )


@pytest.mark.parametrize(
    ("count", "codes"),
    [
        (0, []),
        (1, [("etcd-too-few", "warning")]),
        (2, [("etcd-even", "error")]),
        (3, []),
        (4, [("etcd-even", "error")]),
        (5, []),
    ],
)
def test_the_number_of_members(count: int, codes: list[tuple[str, str]]) -> None:
    found = quorum.check(inventory(*(f"192.0.2.{number}" for number in range(1, count + 1))))
    assert [(finding.code, finding.severity) for finding in found] == codes


def test_an_even_number_is_reported_with_the_numbers_to_use() -> None:
    (finding,) = quorum.check(inventory("192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"))
    assert finding.fix == "Use 3 or 5 members."


@pytest.mark.parametrize(
    ("addresses", "lost"),
    [
        (("192.0.2.1", "192.0.2.1", "192.0.2.1"), "all"),
        (("192.0.2.1", "192.0.2.1", "192.0.2.3"), "most"),
        (("192.0.2.1", "192.0.2.1", "192.0.2.3", "192.0.2.4", "192.0.2.5"), "several"),
    ],
)
def test_members_on_one_host(addresses: tuple[str, ...], lost: str) -> None:
    (finding,) = quorum.check(inventory(*addresses))
    assert (finding.code, finding.severity) == ("etcd-one-host", "error")
    assert f"takes {lost} of the members" in finding.message
