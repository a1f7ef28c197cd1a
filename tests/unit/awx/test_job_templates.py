# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Job templates and surveys are those of the playbooks and the roles, and the playbooks accept their answers."""

from __future__ import annotations

import functools
import typing as t
from pathlib import Path

import pytest
import surveys
import yaml
from ansible.parsing.dataloader import DataLoader

from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight.model import options as preflight_options
from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight.model import roles as preflight_roles

ROOT = Path(__file__).resolve().parents[3]
SPECS = surveys.specifications(ROOT)
TEMPLATES = surveys.templates(ROOT)
QUESTIONS = [
    pytest.param(question, template["extra_vars"], id=f"{template['name']}-{question['variable']}")
    for template in TEMPLATES
    for question in template["survey_spec"].get("spec", [])
]
# Playbooks that stop the service, remove or replace data, or let users in or out.
DANGEROUS = {
    "go_live",
    "maintenance",
    "remove_node",
    "restore",
    "restore_database",
    "rollback",
    "rotate_secrets",
    "upgrade",
}


@functools.cache
def roles() -> t.Mapping[str, preflight_roles.Role]:
    return preflight_roles.read_roles(preflight_roles.load_with(DataLoader()))


def refused(variables: t.Mapping[str, t.Any]) -> list[str]:
    return [finding.message for finding in preflight_options.check_extra(variables, roles())]


@pytest.mark.parametrize(("name", "made"), [(surveys.TEMPLATES, surveys.templates_file), (surveys.PAGE, surveys.page)])
def test_the_generated_files_are_up_to_date(name: str, made: t.Callable[[Path], str]) -> None:
    assert (ROOT / name).read_text(encoding="utf-8") == made(ROOT), "run `make docs` and commit it"


def test_every_playbook_has_a_job_template_with_a_name_of_its_own() -> None:
    playbooks = {f"playbooks/{path.name}" for path in (ROOT / "playbooks").glob("*.yml")}
    assert {template["playbook"] for template in TEMPLATES} == playbooks
    names = [template["name"] for template in TEMPLATES]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(("question", "_extra"), QUESTIONS)
def test_a_question_is_an_option_with_its_type_and_choices(question: dict[str, t.Any], _extra: object) -> None:
    spec = SPECS[question["variable"]]
    kind = spec.get("type", "str")
    if kind == "bool":
        assert question["choices"] == ["false", "true"]
    elif spec.get("choices"):
        assert question["choices"] == spec["choices"]
    elif question["type"] != "multiplechoice":
        assert question["type"] == {"int": "integer", "float": "float"}.get(kind, "text")
    if kind == "list":
        assert question["variable"] in preflight_options.TEXT_LISTS
    if "default" in question and question["default"] != "":
        assert str(question["default"]) == str(spec["default"]).lower()
    assert "O(" not in question["question_description"]


@pytest.mark.parametrize(("question", "extra"), QUESTIONS)
def test_the_playbooks_accept_what_a_survey_sends(question: dict[str, t.Any], extra: dict[str, t.Any]) -> None:
    name = question["variable"]
    answers = question.get("choices") or (["7"] if question["type"] in ("integer", "float") else ["some, text"])
    # AWX sends an empty text for an optional question without an answer, and otherwise the default.
    answers = [*answers, question.get("default", "") if question["required"] else ""]
    for answer in answers:
        if answer != "" or not question["required"]:
            assert refused({**extra, name: answer}) == []


@pytest.mark.parametrize(("question", "_extra"), QUESTIONS)
def test_an_empty_answer_is_the_default(question: dict[str, t.Any], _extra: object) -> None:
    if not question["required"]:
        assert SPECS[question["variable"]].get("default", "") in ("", [])
        assert question["type"] == "text"


def test_what_is_dangerous_has_to_be_confirmed_also_without_the_survey() -> None:
    for template in TEMPLATES:
        asked = {one["variable"]: one for one in template["survey_spec"].get("spec", [])}
        if Path(template["playbook"]).stem in DANGEROUS:
            assert asked[surveys.CONFIRMATION]["required"]
            assert template["extra_vars"][surveys.CONFIRMATION] == ""
        else:
            assert surveys.CONFIRMATION not in {*asked, *template["extra_vars"]}


@pytest.mark.parametrize(
    ("extra", "problems"),
    [
        ({}, []),
        ({"ivy_confirm_cluster": " prod "}, []),
        ({"ivy_confirm_cluster": ""}, ["it is empty, but this run would change the cluster prod"]),
        ({"ivy_confirm_cluster": None}, ["it is empty, but this run would change the cluster prod"]),
        ({"ivy_confirm_cluster": "test"}, ["it is test, but this run would change the cluster prod"]),
    ],
)
def test_a_confirmation_names_the_cluster(extra: dict[str, t.Any], problems: list[str]) -> None:
    assert [finding.message for finding in preflight_options.check_confirmation(extra, "prod")] == problems


def test_a_secret_is_asked_as_a_password_and_shows_no_default() -> None:
    spec = {"type": "str", "no_log": True, "default": "secret", "description": "A password."}
    asked = surveys.question("x_password", spec, {})
    assert (asked["type"], asked["default"]) == ("password", "")


def test_a_description_has_no_markup_and_ends_with_a_sentence() -> None:
    spec = {"description": ["See O(ivy.cluster.topology#role:ivy_plan) and C(this).", "x" * 400 + "."]}
    assert surveys.description_of(spec) == "See ivy_plan and this."


def test_the_variables_of_templates_are_options() -> None:
    for template in TEMPLATES:
        assert set(template["extra_vars"]) <= set(SPECS)
        assert refused(template["extra_vars"]) == []


def test_the_list_names_nothing_else() -> None:
    known = {"playbook", "title", "purpose", "asks", "dangerous", "prompts", "extra_vars"}
    for entry in yaml.safe_load((ROOT / surveys.LIST).read_text(encoding="utf-8"))["job_template_list"]:
        assert set(entry) <= known
        assert set(entry.get("prompts", [])) <= {"check", "limit", "variables"}
