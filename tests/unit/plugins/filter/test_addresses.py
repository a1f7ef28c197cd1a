# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.ivy.cluster.plugins.filter.addresses import FilterModule, addresses

HOSTVARS: dict[str, dict[str, t.Any]] = {
    "a": {"ivy_address": "192.0.2.1", "ansible_host": "other"},
    "b": {"ansible_host": "192.0.2.2"},
    "c": {},
    "d": {"ivy_address": "", "ansible_host": None},
}


def test_the_order_of_preference_and_of_the_list() -> None:
    assert list(addresses(["d", "a", "c", "b"], HOSTVARS).items()) == [
        ("d", "d"),
        ("a", "192.0.2.1"),
        ("c", "c"),
        ("b", "192.0.2.2"),
    ]
    assert addresses([], HOSTVARS) == {}


@pytest.mark.parametrize("hosts", ["engine1", None, 5])
def test_other_types_are_rejected(hosts: t.Any) -> None:
    with pytest.raises(AnsibleFilterError, match="needs a list"):
        addresses(hosts, HOSTVARS)


def test_unknown_hosts_are_all_named() -> None:
    with pytest.raises(AnsibleFilterError, match="not in the inventory: x, y"):
        addresses(["a", "x", "y"], HOSTVARS)


def test_it_is_a_filter() -> None:
    assert FilterModule().filters() == {"addresses": addresses}
