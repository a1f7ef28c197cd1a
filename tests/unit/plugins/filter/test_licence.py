# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.ivy.cluster.plugins.filter.licence import FilterModule, licence


def test_gives_what_the_topology_needs() -> None:
    text = "licence.type=Enterprise Edition\nserver.nodes.limit=5\nlicence.valid.until=2030-01-02\npublic.urls=a,b\n"
    read = licence(text)
    assert (read["nodes"], read["users"], read["valid_until"], read["public_urls"]) == (5, 0, "2030-01-02", ["a", "b"])


def test_errors_are_those_of_a_filter() -> None:
    with pytest.raises(AnsibleFilterError, match="not a licence file"):
        licence("hello")


def test_it_is_a_filter() -> None:
    assert FilterModule().filters() == {"licence": licence}
