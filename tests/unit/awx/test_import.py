# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The objects are valid for the installed modules of awx.awx, and the import creates them in tests/awx_double.py."""

from __future__ import annotations

import functools
import importlib
import json
import os
import socket
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.parsing.plugin_docs import read_docstring

from ansible_collections.ivy.cluster.tests.awx_double import Double
from ansible_collections.ivy.cluster.tests.in_process import run_playbook
from ansible_collections.ivy.cluster.tests.unit.long_tests import long

ROOT = Path(__file__).resolve().parents[3]
PACKAGES = Path(importlib.import_module("ansible").__file__ or "").parents[1]
MODULES = PACKAGES / "ansible_collections/awx/awx/plugins/modules"
PASSWORD = "not secret"
NEEDED = {
    "awx_project_url": "https://git.example.com/ivy.git",
    "awx_execution_environment_image": "registry.example.com/ivy/ee:1.0",
    "awx_notification_url": "https://hooks.example.com/ivy?token=CANARY",
}
# A set of objects with one of each kind, so that a run takes less time.
FEW = {
    "job_templates": ("ivy drift", "ivy adopt the drift", "ivy rollout", "ivy upgrade"),
    "workflows": ("ivy drift with approval",),
    "schedules": ("ivy drift every night",),
}
KINDS = {
    "awx_organizations": "organization",
    "awx_execution_environments": "execution_environment",
    "awx_credential_types": "credential_type",
    "awx_credentials": "credential",
    "awx_notification_templates": "notification_template",
    "awx_projects": "project",
    "awx_inventories": "inventory",
    "awx_inventory_sources": "inventory_source",
    "awx_job_templates": "job_template",
    "awx_workflows": "workflow_job_template",
    "awx_workflow_nodes": "workflow_job_template_node",
    "awx_schedules": "schedule",
}


class _Loader(yaml.SafeLoader):
    """Reads what Ansible must not evaluate as text."""


def _text(loader: _Loader, node: yaml.ScalarNode) -> t.Any:
    return loader.construct_scalar(node)


_Loader.add_constructor("!unsafe", _text)


@functools.cache
def data() -> dict[str, t.Any]:
    found: dict[str, t.Any] = {}
    for name in ("objects", "job_templates"):
        found.update(yaml.load((ROOT / f"awx/{name}.yml").read_text(encoding="utf-8"), Loader=_Loader))
    return found


@functools.cache
def specification(module: str) -> dict[str, t.Any]:
    documentation = read_docstring(str(MODULES / f"{module}.py"))["doc"]
    found: dict[str, t.Any] = documentation["options"]
    return {name: {key: spec[key] for key in ("type", "choices", "required", "elements", "aliases") if key in spec}
            for name, spec in found.items()}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_every_object_is_valid_for_its_module(kind: str) -> None:
    module = KINDS[kind]
    assert data()[kind]
    for item in data()[kind]:
        arguments = {**item, **(data()["awx_job_template_defaults"] if module == "job_template" else {})}
        # Lists that an expression makes.
        arguments = {
            name: [] if isinstance(value, str) and specification(module).get(name, {}).get("type") == "list" else value
            for name, value in arguments.items()
        }
        if module == "workflow_job_template_node":
            arguments["workflow_job_template"] = arguments.pop("workflow")
        found = ArgumentSpecValidator(specification(module)).validate(arguments)
        assert found.error_messages == [], (kind, item.get("name"))
        assert set(arguments) <= set(specification(module))


def test_whatever_an_object_refers_to_exists() -> None:
    templates = {item["name"] for kind in ("awx_job_templates", "awx_workflows") for item in data()[kind]}
    workflows = {item["name"] for item in data()["awx_workflows"]}
    seen: set[tuple[str, str]] = set()
    for node in data()["awx_workflow_nodes"]:
        assert node["workflow"] in workflows
        assert node.get("unified_job_template", "ivy site") in templates
        for link in ("success_nodes", "failure_nodes", "always_nodes"):
            # Created before.
            assert {(node["workflow"], name) for name in node.get(link, [])} <= seen
            assert not (node.get(link) and "approval_node" in node), "the module has no links for an approval"
        seen.add((node["workflow"], node["identifier"]))
    assert {item["unified_job_template"] for item in data()["awx_schedules"]} <= templates
    types = {item["name"] for item in data()["awx_credential_types"]} | {"Machine", "Vault"}
    assert {item["credential_type"] for item in data()["awx_credentials"]} == types


def test_no_object_contains_a_secret() -> None:
    assert [item for item in data()["awx_credentials"] if "inputs" in item] == []
    for kind in data()["awx_credential_types"]:
        assert all(field.get("secret") for field in kind["inputs"]["fields"])


def test_a_schedule_and_a_workflow_answer_what_the_survey_of_their_template_requires() -> None:
    templates = {item["name"]: item for item in data()["awx_job_templates"]}
    asked = {
        item["name"]: {one["variable"] for one in item["survey_spec"].get("spec", [])}
        for item in data()["awx_workflows"]
    }
    started = [("", item["unified_job_template"]) for item in data()["awx_schedules"]]
    started += [(node["workflow"], node.get("unified_job_template", "")) for node in data()["awx_workflow_nodes"]]
    for workflow, name in started:
        for question in templates.get(name, {"survey_spec": {}})["survey_spec"].get("spec", []):
            if question["required"] and question.get("default", "") == "":
                assert question["variable"] in asked.get(workflow, set()), (workflow, name)


def run(double: str, tmp_path: Path, *arguments: str, few: bool = True, **variables: t.Any) -> tuple[int, str]:
    """Runs the import; by default with some of the objects only."""
    chosen = {**NEEDED, **variables}
    if few:
        for kind, names in FEW.items():
            chosen[f"awx_{kind}"] = [item for item in data()[f"awx_{kind}"] if item["name"] in names]
        chosen["awx_workflow_nodes"] = [
            node for node in data()["awx_workflow_nodes"] if node["workflow"] in FEW["workflows"]
        ]
        # These are expressions.
        for item in chosen["awx_workflows"] + chosen["awx_schedules"]:
            item["organization"] = "Axon Ivy"
        for item in chosen["awx_schedules"]:
            item["rrule"] = item["rrule"].replace("{{ awx_time_zone }}", "Etc/UTC")
        for item in chosen["awx_job_templates"]:
            item["extra_vars"] = {name: value for name, value in item["extra_vars"].items() if "{{" not in value}
    known = {name: value for name, value in os.environ.items() if not name.startswith(("CONTROLLER_", "TOWER_"))}
    command = ["-i", "localhost,", str(ROOT / "awx/import.yml"), "-e", json.dumps(chosen), *arguments]
    login = {"CONTROLLER_HOST": double, "CONTROLLER_USERNAME": "admin", "CONTROLLER_PASSWORD": PASSWORD}
    ended = run_playbook(tmp_path, *command, environment=login, known=known)
    text = ended.stdout + ended.stderr
    assert PASSWORD not in text
    assert "CANARY" not in text
    return ended.returncode, text


def changes(double: Double) -> list[str]:
    """What was written since the last call, but for the session."""
    found = [one for one in double.store.writes if "tokens" not in one]
    double.store.writes.clear()
    return found


@pytest.mark.parametrize("few", [True, pytest.param(False, marks=long)], ids=["some", "all"])
def test_the_import_creates_everything_once(few: bool, tmp_path: Path) -> None:
    with Double() as double:
        code, text = run(double.address, tmp_path, "--check", few=few)
        assert code == 0, text
        assert changes(double) == []
        for name in (
            "job template ivy drift",
            "workflow node ivy drift with approval: adopt",
            "schedule ivy drift every",
        ):
            assert f"- '{name}" in text or f"- {name}" in text

        code, text = run(double.address, tmp_path, few=few)
        assert code == 0, text
        made = changes(double)
        for kind in ("credential_types", "job_templates", "workflow_job_template_nodes", "schedules"):
            assert any(one.startswith(f"POST {kind} ") for one in made)
        # The session ends with the run.
        assert double.store.tokens == {}

        code, text = run(double.address, tmp_path, few=few)
        assert code == 0, text
        assert changes(double) == []
        assert "changed=0 " in text

        double.store.items["job_templates"][_id(double, "job_templates", "ivy drift")]["description"] = (
            "changed by hand"
        )
        code, text = run(double.address, tmp_path, "--check", few=few)
        assert code == 0, text
        assert changes(double) == []
        assert "changed=1 " in text
        assert "item=ivy drift" in text


def _id(double: Double, endpoint: str, name: str) -> int:
    return next(number for number, item in double.store.items[endpoint].items() if item["name"] == name)


def test_what_is_missing_is_listed_before_awx_is_contacted(tmp_path: Path) -> None:
    missing = {"awx_project_url": "", "awx_execution_environment_image": "", "awx_password": "", "awx_host": " "}
    with Double() as double:
        code, text = run(double.address, tmp_path, few=False, **missing)
        assert code != 0
        for name in ("awx_host: ", "awx_token: no login", "awx_project_url: ", "awx_execution_environment_image: "):
            assert name in text
        assert double.store.writes == []


def test_a_refused_login_is_one_error(tmp_path: Path) -> None:
    with Double(password="another one") as double:
        code, text = run(double.address, tmp_path, few=False)
        assert code != 0
        assert "refuses the login of admin" in text
        assert "401" in text
        code, text = run(double.address, tmp_path, few=False, awx_token="wrong")
        assert code != 0
        assert "refuses the login" in text
        assert "401" in text
        assert double.store.writes == []


def test_an_awx_that_cannot_be_reached_is_one_error(tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{unused.getsockname()[1]}"
        code, text = run(address, tmp_path, few=False)
    assert code != 0
    assert f"AWX at {address} cannot be reached" in text


def test_other_objects_of_the_same_names_are_listed_and_nothing_is_changed(tmp_path: Path) -> None:
    with Double() as double:
        create = double.store.create
        mine, other = (create("organizations", {"name": name})["id"] for name in ("Axon Ivy", "Another"))
        create("execution_environments", {"name": "ivy execution environment", "image": "x", "organization": other})
        create("inventories", {"name": "ivy inventory", "organization": mine, "kind": "smart"})
        create("workflow_job_templates", {"name": "ivy site", "organization": mine})
        create("credentials", {"name": "ivy vault", "organization": mine, "credential_type": 1})
        create("credential_types", {"name": "ivy search", "kind": "net"})
        double.store.writes.clear()
        code, text = run(double.address, tmp_path, few=False)
        assert code != 0
        flat = " ".join(text.split())
        for words in (
            "execution environment ivy execution environment: there is one in the organization Another",
            "inventory ivy inventory: it is a smart inventory",
            "job template ivy site: there is a workflow of this name",
            "credential ivy vault: its type is Machine, not Vault",
            "credential type ivy search: it is another one, of the kind net",
        ):
            assert words in flat
        assert changes(double) == []
