# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which variables a template can use: too few would change its value, all of them take longer than the rest."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from ansible.parsing.vault import EncryptedString

from ansible_collections.ivy.cluster.plugins.plugin_utils.common import template_words as words

ROOT = Path(__file__).resolve().parents[5]
VARIABLES = {"first": "{{ second }}", "second": "{{ third.x }}", "third": {"x": ["{{\nlast }}"]}, "last": 1, "other": 2}
USED = {"first", "second", "third", "last"}
ALL = set(VARIABLES)


@pytest.fixture
def role(tmp_path: Path) -> Path:
    (tmp_path / "templates/part").mkdir(parents=True)
    (tmp_path / "templates/one.j2").write_text("first: {{ first }}. Each lookup of vars is a query here: ls -q $x")
    (tmp_path / "templates/part/two.j2").write_text("{{ none }}")
    return tmp_path


@pytest.mark.parametrize(
    ("template", "usable"),
    [
        ("first", set()),
        ("{{ first }}", USED),
        ("{# a comment #}{{ first }}", USED),
        ({"first": ["{{ last }}"]}, {"last"}),
        ({"{{ last }}": 1}, {"last"}),
        ("{{ lookup('ansible.builtin.env', 'HOME') }}{{ last }}", {"last"}),
        ("{{ lookup('ansible.builtin.file', last) ~ lookup( 'ansible.builtin.pipe', 'id') }}", {"last"}),
        ("{{ lookup('ansible.builtin.file', last) }}", {"last"}),
        ("{{ query('ivy.cluster.sso_headers', last) }}", {"last"}),
        ("{{ lookup('some.other.plugin', last) }}", ALL),
        ("{{ q('ansible.builtin.vars', 'x') }}", ALL),
        ("{{ vars['las' ~ 't'] }}", ALL),
        ("{% import 'x' as y %}{{ last }}", ALL),
        ("{%- from 'x' import y %}{{ last }}", ALL),
        ("#jinja2: variable_start_string:'[%'\n[% last %]", ALL),
        (EncryptedString(ciphertext="is decrypted where it is used"), ALL),
        # Templates of the role.
        ("{{ lookup('ansible.builtin.template', 'one.j2') }}", USED),
        ("{{ lookup('ansible.builtin.template', 'one.j2', template_vars={'x': 1}) }}", USED),
        ("{{ lookup('ansible.builtin.template', role_path ~ '/templates/' ~ name) }}", USED),
        ("{% include 'one.j2' %}", USED),
        ("{{ lookup('ansible.builtin.template', 'elsewhere.j2') }}", ALL),
        ("{{ lookup('ansible.builtin.template', last) }}", ALL),
        ("{% include 'elsewhere.j2' %}", ALL),
        ("{% include last %}", ALL),
    ],
)
def test_a_template_can_use_what_it_leads_to(role: Path, template: object, usable: set[str]) -> None:
    found = words.behind(VARIABLES, words.words_of(template), role)
    assert words.usable(VARIABLES, found).keys() == usable


def test_templates_of_no_role_can_use_all() -> None:
    found = words.behind(VARIABLES, words.words_of("{{ lookup('ansible.builtin.template', 'one.j2') }}"))
    assert words.usable(VARIABLES, found) == VARIABLES


def test_no_description_of_a_host_needs_all_variables() -> None:
    """Each would take several times as long, without a word of it."""
    found = set()
    for state in ROOT.glob("roles/*/vars/main/state.yml"):
        role = state.parents[2]
        variables = {}
        for file in (*role.glob("defaults/main.yml"), *role.glob("vars/main/*.yml")):
            variables.update(yaml.safe_load(file.read_text(encoding="utf-8")))
        for name in variables:
            if words.OTHERS in words.behind(variables, words.words_of(variables[name]), role):
                found.add(f"{role.name}: {name}")
    assert not found
