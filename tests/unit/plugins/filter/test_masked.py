# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.ivy.cluster.plugins.filter.masked import FilterModule, masked


def test_known_and_possible_secrets_are_hidden() -> None:
    text = "cannot connect to http://me:pa/ss@host with value-one, value-two"
    known = [{"a": {"b": ["value-one"]}, "n": None}, "value-two", "", 17]
    assert masked(text, known) == "cannot connect to http://me:********@host with ********, ********"
    assert masked("", known) == ""


def test_it_is_a_filter() -> None:
    assert FilterModule().filters() == {"masked": masked}
