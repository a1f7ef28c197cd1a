# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import re

from ansible_collections.ivy.cluster.plugins.filter.cluster_key_fingerprint import FilterModule as FingerprintFilters
from ansible_collections.ivy.cluster.plugins.filter.database_login import FilterModule
from ansible_collections.ivy.cluster.plugins.plugin_utils.release.restart import KeyedDigest

login = FilterModule().filters()["database_login"]
fingerprint = FingerprintFilters().filters()["cluster_key_fingerprint"]
KEY = "k" * 32


def test_each_password_has_a_login_of_its_own() -> None:
    assert re.fullmatch("ivy_[0-9a-f]{8}", login("ivy", "one", KEY))
    assert login("ivy", "one", KEY) == login("ivy", "one", KEY)
    assert len({login("ivy", "one", KEY), login("ivy", "two", KEY), login("ivy", "one", KEY + "k")}) == 3


def test_the_fingerprint_is_that_of_a_release() -> None:
    assert fingerprint(KEY) == KeyedDigest(KEY).fingerprint() != fingerprint(KEY + "k")
    assert fingerprint("") == ""
