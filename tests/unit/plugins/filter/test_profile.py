# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.ivy.cluster.plugins.filter.profile import FilterModule, profile

RANGES = [{"name": "x", "versions": {"min": "1.0", "max": "2.0"}, "java": {"value": 17, "source": "s"}}]


def test_gives_plain_values() -> None:
    assert profile(RANGES, "1.5.0")["java"] == 17


def test_errors_are_those_of_a_filter() -> None:
    with pytest.raises(AnsibleFilterError, match=r"No profile is known for engine version 3\.0"):
        profile(RANGES, "3.0")
    with pytest.raises(AnsibleFilterError, match="needs the list of ranges"):
        profile("x", "1.0")


def test_it_is_a_filter() -> None:
    assert FilterModule().filters() == {"profile": profile}
