# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A template gets the variables that it can use: those that it names, by whatever others, or all."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight.model.roles import Role
from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight.model.variables import Values


def trusted(value: t.Any) -> t.Any:
    if isinstance(value, dict):
        return {key: trusted(item) for key, item in value.items()}
    if isinstance(value, list):
        return [trusted(item) for item in value]
    return trust_as_template(value) if isinstance(value, str) else value


def values_of(**variables: t.Any) -> tuple[Values, list[tuple[str, ...]]]:
    failures: list[tuple[str, ...]] = []
    loader = DataLoader()
    found = Values("engine1", trusted(variables), Templar(loader=loader), lambda *failure: failures.append(failure))
    return found, failures


OTHERS = {"first": "{{ second }}", "second": ["{{ third.key }}"], "third": {"key": "{{\nlast }}"}, "last": 7}


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("a text", "a text"),
        ("{{ last }}", 7),
        ("{{ first }}", [7]),
        ({"{{ last }}": ["{{ first[0] + 1 }}"]}, {"{{ last }}": [8]}),
        ("{{ missing is defined }}", False),
        # Without a name in it.
        ("{{ lookup('vars', 'fir' ~ 'st') }}", [7]),
        ("{{ query('vars', 'la' ~ 'st') }}", [7]),
        ("{% set look = lookup %}{{ look('vars', 'la' ~ 'st') }}", 7),
        ("{{ lookup('env', 'PATH') is string and lookup('vars', 'la' ~ 'st') }}", 7),
        ("#jinja2: variable_start_string:'[%', variable_end_string:'%]'\n[% last %]", 7),
    ],
)
def test_a_template_gets_the_variables_that_it_leads_to(template: t.Any, expected: t.Any) -> None:
    values, failures = values_of(option=template, **OTHERS)
    assert values["option"] == expected
    assert values.text_in_role(Role(Path("/nowhere"), str), trusted(template)) == (expected, "")
    assert not failures


def test_a_template_does_not_get_the_others() -> None:
    """Ansible wraps each variable that a template gets, for each template again."""
    values, _failures = values_of(option="{{ first }}", **OTHERS, **{f"other_{number}": 1 for number in range(1000)})
    values["option"]
    assert values._templar.available_variables.keys() == {"option", *OTHERS}
    values.text_in_role(Role(Path("/nowhere"), str), trusted("{{ last }}"))
    assert "first" not in values._templar.available_variables


def test_a_file_is_found_beside_the_role(tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    (tmp_path / "files/name.txt").write_text("content")
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates/name.j2").write_text("{{ last }}")
    values, _failures = values_of(**OTHERS)
    role = Role(tmp_path, str)
    template = trusted("{{ lookup('file', 'name.txt') ~ lookup('template', 'name.j2') }}")
    assert values.text_in_role(role, template) == ("content7", "")
    assert values.text_in_role(role, trusted("{{ lookup('file', 'name.txt') }}")) == ("content", "")
    assert values.text_in_role(role, trusted("{{ role_path ~ role_name }}")) == (f"{tmp_path}{tmp_path.name}", "")


def test_why_a_variable_has_no_value_is_reported_for_its_host() -> None:
    values, failures = values_of(option="{{ missing }}", ansible_facts={"x": 1})
    assert "option" not in values
    assert failures == [("engine1", "option", "option cannot be used: 'missing' is undefined")]
