# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.ivy.cluster.plugins.plugin_utils.common.profiles import resolve_profile

ROOT = Path(__file__).resolve().parents[4]


@pytest.fixture(scope="session")
def ranges() -> list[dict[str, t.Any]]:
    text = (ROOT / "roles/topology/vars/main/profiles.yml").read_text(encoding="utf-8")
    return t.cast("list[dict[str, t.Any]]", yaml.safe_load(text)["ivy_profiles"])


@pytest.fixture(scope="session")
def profile_11(ranges: list[dict[str, t.Any]]) -> dict[str, t.Any]:
    return resolve_profile(ranges, "11.3.0")


@pytest.fixture(scope="session")
def profile_12(ranges: list[dict[str, t.Any]]) -> dict[str, t.Any]:
    return resolve_profile(ranges, "12.0.9")
