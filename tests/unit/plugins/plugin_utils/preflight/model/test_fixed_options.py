# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which values are the same for a whole run, and what of the variables an inventory describes."""

from __future__ import annotations

import types
import typing as t

import pytest
from ansible import constants

from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight.model import fixed_options
from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight.model.variables import Values


@pytest.mark.parametrize(
    ("value", "changes"),
    [
        ("a text", False),
        ({"key": ["a text", 1, None]}, False),
        ("{{ ansible_host | default(inventory_hostname) }}", False),
        ("{{ own }}", False),
        ("{{ groups['engine_nodes'] | length }}", False),
        ("{{ ansible_facts['architecture'] }}", True),
        # A fact under its own name, which the default would hide.
        ("{{ ansible_fqdn | default('none') }}", True),
        ("{{ ansible_play_name }}", True),
        ("{{ role_path }}", True),
        ("{{ groups['ivy_this_run'] }}", True),
        ("{{ by_facts }}", True),
        ({"key": ["{{ by_facts }}"]}, True),
    ],
)
def test_a_value_changes_with_facts_and_plays(value: t.Any, changes: bool) -> None:
    variables = {
        "option": value,
        "own": "{{ other }}",
        "other": "1",
        "by_facts": "{{ ansible_facts.fqdn }}",
        "groups": {},
    }
    values = Values("engine1", variables, None, lambda *_failure: None)
    assert values.changes("option", hostvars=False) is changes


@pytest.mark.parametrize("hostvars", [True, False])
def test_variables_of_other_hosts_change_if_theirs_do(hostvars: bool) -> None:
    values = Values("engine1", {"option": "{{ hostvars['db1'].x }}"}, None, lambda *_failure: None)
    assert values.changes("option", hostvars=hostvars) is hostvars


def test_a_variable_that_refers_to_itself_has_an_end() -> None:
    values = Values("engine1", {"a": "{{ b }}", "b": "{{ a }}"}, None, lambda *_failure: None)
    assert values.changes("a", hostvars=False) is False


class Cache:
    def get(self, _host: str) -> dict[str, t.Any]:
        return {"ansible_fqdn": "engine1", "engine_archive": "/etc/shadow"}


@pytest.mark.parametrize("injected", [True, False])
def test_described_variables_lack_fixed_values_and_facts_of_other_names(
    monkeypatch: pytest.MonkeyPatch, injected: bool
) -> None:
    monkeypatch.setattr(constants, "INJECT_FACTS_AS_VARS", injected)
    set_by_tasks = {
        "engine1": {"fixed_options": ["ivy_uid"], "ivy_uid": 1, "rollback_choice": {}},
        "db1": {"ivy_gid": 2},
    }
    cache = Cache()
    manager = types.SimpleNamespace(_fact_cache=cache, _nonpersistent_fact_cache=set_by_tasks)
    with fixed_options.described_variables(manager):
        assert manager._nonpersistent_fact_cache == {"engine1": {"rollback_choice": {}}, "db1": {"ivy_gid": 2}}
        assert ("engine_archive" in manager._fact_cache.get("engine1")) is not injected
        assert "ansible_fqdn" in manager._fact_cache.get("engine1")
    assert manager._fact_cache is cache
    assert manager._nonpersistent_fact_cache is set_by_tasks
