# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import re
from pathlib import Path

import pytest

from ansible_collections.ivy.cluster.plugins.filter import release_has_password
from ansible_collections.ivy.cluster.plugins.filter.cluster_key_fingerprint import FilterModule as FingerprintFilters
from ansible_collections.ivy.cluster.plugins.filter.database_login import FilterModule
from ansible_collections.ivy.cluster.plugins.plugin_utils.release.cache import CacheError
from ansible_collections.ivy.cluster.plugins.plugin_utils.release.restart import KeyedDigest, by_keys

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


def test_the_password_of_a_release_is_known_by_its_digest(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    needs = by_keys("shared.env", {"IVY_SYSTEMDB_PASSWORD": "one", "IVY_OTHER": "x"}, KeyedDigest(KEY))
    entries = [
        {"root": "engine", "path": "shared.env", "restart": {}},
        {"root": "environment", "path": "shared.env", "restart": needs},
    ]
    monkeypatch.setattr(release_has_password, "load_manifest", lambda *_arguments: {"entries": entries})
    has = release_has_password.FilterModule().filters()["release_has_password"]
    assert has("r", str(tmp_path), "one", KEY)
    assert not has("r", str(tmp_path), "two", KEY)
    entries.pop()
    assert has("r", str(tmp_path), "two", KEY)


def test_a_release_that_is_not_in_the_cache_is_not_judged(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def missing(*_arguments: str) -> None:
        raise CacheError("not there")

    monkeypatch.setattr(release_has_password, "load_manifest", missing)
    assert release_has_password.release_has_password("r", str(tmp_path), "one", KEY)
