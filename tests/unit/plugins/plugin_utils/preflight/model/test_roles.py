# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import importlib
import types
import typing as t

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.action import ActionBase

from ansible_collections.ivy.cluster.plugins.action import host_state, preflight_inventory, validate_run
from ansible_collections.ivy.cluster.plugins.plugin_utils.host_state import evaluate
from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight.model import roles


class Unused:
    """A worker's loader, for files that were read before the fork."""

    def load_from_file(self, path: str, **_options: t.Any) -> t.Any:
        raise AssertionError(f"{path} is read again")


def test_no_worker_reads_the_roles_that_it_compares_with_a_host() -> None:
    assert issubclass(host_state.ActionModule, ActionBase)
    for name in (*evaluate.SHARED, *roles.HOSTS_OF):
        role = roles.read_roles(roles.load_with(Unused()), [name])[name]
        assert (role.defaults, role.variables) != ({}, {})


@pytest.mark.parametrize("action", [preflight_inventory, validate_run])
def test_no_task_reads_the_roles_again_whose_options_it_validates(
    action: types.ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = roles.read_roles(roles.load_with(Unused()))
    monkeypatch.setattr(roles, "_KEPT", {})
    importlib.reload(action)
    monkeypatch.setattr(roles, "_specifications", Unused().load_from_file)
    again = roles.read_roles(roles.load_with(Unused()))
    assert {name: (role.options, role.defaults, role.variables) for name, role in again.items()} == {
        name: (role.options, role.defaults, role.variables) for name, role in kept.items()
    }
    assert again["engine"].options


def test_what_is_kept_is_what_the_files_contain(monkeypatch: pytest.MonkeyPatch) -> None:
    def engine(loader: t.Any) -> tuple[t.Any, t.Any]:
        role = roles.read_roles(roles.load_with(loader), ["engine"])["engine"]
        return role.defaults, role.variables

    kept = engine(Unused())
    monkeypatch.setattr(roles, "_KEPT", {})
    assert kept == engine(DataLoader())
