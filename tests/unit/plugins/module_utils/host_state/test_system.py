# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import pwd

import pytest

from ansible_collections.ivy.cluster.plugins.module_utils.host_state import commands, system


def test_packages_have_selection_flag_and_status(monkeypatch: pytest.MonkeyPatch) -> None:
    listed = "haproxy\thold ok installed\nunzip\tdeinstall ok config-files\nother\tinstall ok installed\n"
    monkeypatch.setattr(system, "output", lambda *_arguments: listed)

    assert system.packages(["haproxy", "unzip", "missing"]) == {
        "haproxy": ["hold", "ok", "installed"],
        "unzip": ["deinstall", "ok", "config-files"],
    }
    assert system.packages([]) == {}


def test_units_are_in_the_order_of_their_names(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = "Id=a.service\nActiveState=active\n\nId=b.timer\nActiveState=inactive\n"
    monkeypatch.setattr(system, "output", lambda *_arguments: shown)

    found = system.units(["a.service", "b.timer"])

    assert [found[name]["ActiveState"] for name in ("a.service", "b.timer")] == ["active", "inactive"]
    assert system.units(["a.service"]) == {}, "an answer of another length belongs to no unit"


def test_unknown_accounts_are_left_out() -> None:
    own = pwd.getpwuid(os.getuid())

    assert system.users([own.pw_name, "no-such-user"]) == {
        own.pw_name: {
            "uid": own.pw_uid,
            "gid": own.pw_gid,
            "comment": own.pw_gecos,
            "home": own.pw_dir,
            "shell": own.pw_shell,
        }
    }
    assert system.groups(["no-such-group"]) == {}


def test_a_kernel_parameter_is_read_by_its_name() -> None:
    assert system.parameters(["vm.max_map_count"])["vm.max_map_count"].isdigit()
    assert system.parameters(["vm.no_such"]) == {"vm.no_such": ""}


def test_a_program_that_fails_or_is_missing_has_no_output() -> None:
    assert commands.output("cat", text="input") == "input"
    assert commands.output("false") is None
    assert commands.output("/no/such/program") is None
    assert commands.output("sh", "-c", 'echo "$A"', environment={"A": "b"}) == "b\n"
