# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A wrong type and an unknown choice are refused for each role: the cases are made of the roles' own specifications."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight.model import options as preflight_options
from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight.model import roles
from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight.model.inventory import Host, Inventory

ROOT = Path(__file__).resolve().parents[6]
SECRET = "CANARY-value"


def load(path: str) -> t.Any:
    return yaml.safe_load(Path(path).read_text(encoding="utf-8"))


ROLES = roles.read_roles(load)
OPTIONS = [(role.name, name) for role in ROLES.values() for name in role.options]
CHOICES = [(role, name) for role, name in OPTIONS if ROLES[role].options[name].get("choices")]
# A value that no reading of it makes one of this type.
WRONG: dict[str, t.Any] = {
    "str": {"a": SECRET},
    "path": [SECRET],
    "int": SECRET,
    "float": SECRET,
    "bool": SECRET,
    "dict": SECRET,
    "list": {"a": SECRET},
}


def spec(role: str, name: str) -> t.Mapping[str, t.Any]:
    return ROLES[role].options[name]


def host(name: str, groups: t.Iterable[str], **values: t.Any) -> Host:
    return Host(name, frozenset(groups), values, frozenset(values))


def test_every_role_is_known() -> None:
    assert set(ROLES) == {path.parent.name for path in (ROOT / "roles").glob("*/tasks")}
    assert {role for role, _name in OPTIONS} == set(ROLES)


@pytest.mark.parametrize(("role", "name"), OPTIONS)
def test_a_wrong_type_is_refused(role: str, name: str) -> None:
    wanted = spec(role, name)
    printed = preflight_options.judge(name, wanted, WRONG[wanted.get("type", "str")], bool(wanted.get("no_log")))
    assert printed
    assert all(problem and advice for problem, advice in printed)
    if wanted.get("no_log"):
        assert SECRET not in str(printed)


@pytest.mark.parametrize(("role", "name"), CHOICES)
def test_an_unknown_choice_is_refused(role: str, name: str) -> None:
    wanted = spec(role, name)
    value: t.Any = "no-such-choice"
    printed = preflight_options.judge(name, wanted, [value] if wanted["type"] == "list" else value)
    assert len(printed) == 1
    assert all(repr(choice) in printed[0][0] for choice in wanted["choices"])


@pytest.mark.parametrize(("role", "name"), OPTIONS)
def test_a_default_is_accepted(role: str, name: str) -> None:
    if "default" in spec(role, name) and "{{" not in str(spec(role, name)["default"]):
        assert preflight_options.judge(name, spec(role, name), spec(role, name)["default"]) == []


def test_the_same_fault_of_several_hosts_is_printed_once_and_names_them() -> None:
    hosts = [host(f"engine{one}", ["engine_nodes"], engine_start_timeout=value) for one, value in enumerate("xxy", 1)]
    inventory = Inventory((*hosts, host("db1", ["database_servers"])))
    found = preflight_options.check(inventory, {"rollout": ROLES["rollout"]})
    assert [finding.subject for finding in found] == [
        "engine_start_timeout, on engine1, engine2",
        "engine_start_timeout, on engine3",
    ]


def test_an_option_counts_only_where_its_role_works() -> None:
    inventory = Inventory((host("db1", ["database_servers"], engine_start_timeout="x"),))
    assert preflight_options.check(inventory, {"rollout": ROLES["rollout"]}) == []


def test_a_wrong_entry_of_a_list_and_of_a_list_of_dictionaries_is_refused() -> None:
    applications = spec("rollout", "engine_applications")
    assert preflight_options.judge("engine_applications", applications, [{"archive": "/a.zip"}])
    assert preflight_options.judge("engine_applications", applications, ["a.zip"])
    assert preflight_options.judge("engine_jvm_options", spec("engine", "engine_jvm_options"), ["-Xa", {"b": 1}])


def test_a_problem_of_a_role_is_taken_apart() -> None:
    inventory = Inventory((host("db1", ["database_servers"]), host("db2", ["database_servers"])))
    found = preflight_options.role_problem(inventory, ROLES["postgres"], "postgres_x: it is bad; set y.", ["db1"])
    assert (found.subject, found.message, found.fix) == ("postgres_x, on db1", "it is bad", "Set y.")
    whole = preflight_options.role_problem(inventory, ROLES["postgres"], "One sentence.", ["db1", "db2"])
    assert (whole.subject, whole.message, whole.fix) == ("role postgres", "One sentence.", "Correct it.")


def test_a_text_from_a_survey_where_a_list_is_needed_has_one_clear_message() -> None:
    for text in ("", "demo.zip", '[{"name": "demo.zip", "archive": "/a.zip"}]'):
        (found,) = preflight_options.judge("engine_applications", spec("rollout", "engine_applications"), text)
        problem, advice = found
        assert problem == "it is a text, where a list is needed"
        assert """-e '{"engine_applications": [{"name": "..."}]}'""" in advice
        assert "set this option in the inventory or in the variables of the job template" in advice
