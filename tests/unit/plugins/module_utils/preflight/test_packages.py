# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Package states, candidates and automatic upgrades."""

from __future__ import annotations

import contextlib

import pytest

from ansible_collections.ivy.cluster.plugins.module_utils.preflight import packages


def test_package_states() -> None:
    text = "haproxy\tinstall ok installed\nunzip\thold ok installed\nold\tdeinstall ok config-files\nbroken line\n"
    assert packages.states(text) == {"haproxy": "installed", "unzip": "held", "old": "config-files"}


def test_package_candidates() -> None:
    text = (
        "haproxy:\n  Installed: (none)\n  Candidate: 2.6.12-1\n  Version table:\n     2.6.12-1 500\n"
        "virtual:\n  Installed: (none)\n  Candidate: (none)\n"
    )
    assert packages.candidates(text) == {"haproxy": "2.6.12-1", "virtual": ""}


def test_automatic_upgrades() -> None:
    text = 'APT::Periodic::Unattended-Upgrade "1";\nUnattended-Upgrade::Package-Blacklist:: "haproxy";\nA::B "c";\n'
    assert packages.upgrades(text) == {"enabled": True, "blacklist": ["haproxy"]}
    assert packages.upgrades('APT::Periodic::Unattended-Upgrade "0";')["enabled"] is False
    assert packages.upgrades("") == {"enabled": False, "blacklist": []}


def test_a_host_without_apt() -> None:
    with contextlib.ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setattr(packages, "output", lambda *_arguments: None)
        found = packages.gather(["haproxy"])
    assert found["missing"] == ["haproxy"]
    assert found["upgrades"]["enabled"] is False
