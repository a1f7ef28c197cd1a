# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What import.yml would create in AWX, and what there prevents it."""

from __future__ import annotations

import typing as t

Item = dict[str, t.Any]
Items = t.Mapping[str, t.Sequence[Item]]

# The endpoints in the order in which objects are created: each refers to earlier ones only.
ENDPOINTS = {
    "organizations": "organization",
    "execution_environments": "execution environment",
    "credential_types": "credential type",
    "credentials": "credential",
    "notification_templates": "notification template",
    "projects": "project",
    "inventories": "inventory",
    "inventory_sources": "inventory source",
    "job_templates": "job template",
    "workflow_job_templates": "workflow",
    "workflow_job_template_nodes": "workflow node",
    "schedules": "schedule",
}
# Modules search some of these by name only. With another one in another organization, they would find two or change
# the wrong one.
IN_ORGANIZATION = (
    "execution_environments",
    "credentials",
    "notification_templates",
    "projects",
    "inventories",
    "job_templates",
    "workflow_job_templates",
)
# AWX runs them all as templates, and a schedule names one without its type.
UNIFIED = ("projects", "job_templates", "workflow_job_templates", "inventory_sources")
# What an object refers to by name, and where that is.
REFERENCES = {
    "organization": "organizations",
    "execution_environment": "execution_environments",
    "credential_type": "credential_types",
    "credentials": "credentials",
    "notification_templates_error": "notification_templates",
    "notification_templates_approvals": "notification_templates",
    "project": "projects",
    "source_project": "projects",
    "inventory": "inventories",
    "workflow": "workflow_job_templates",
}


def related(item: Item, name: str) -> str:
    """The name of a related object, as AWX repeats it in each object."""
    return str(((item.get("summary_fields") or {}).get(name) or {}).get("name") or "")


def key_of(endpoint: str, item: Item) -> str:
    """How a message names a wanted object."""
    if endpoint == "workflow_job_template_nodes":
        return f"{item['workflow']}: {item['identifier']}"
    return str(item["name"])


def key_of_existing(endpoint: str, item: Item) -> str:
    if endpoint == "workflow_job_template_nodes":
        return f"{related(item, 'workflow_job_template')}: {item.get('identifier')}"
    return str(item.get("name"))


def awx_conflicts(existing: Items, wanted: Items, organization: str) -> list[str]:
    """Objects in AWX with the name of a wanted one that are something else."""
    problems = []
    for endpoint in IN_ORGANIZATION:
        names = {item["name"] for item in wanted.get(endpoint, [])}
        for item in existing.get(endpoint, []):
            owner = related(item, "organization")
            if item["name"] in names and owner != organization:
                place = f"in the organization {owner}" if owner else "without an organization"
                problems.append(f"{ENDPOINTS[endpoint]} {item['name']}: there is one {place}, not in {organization}.")
    types = {item["name"]: item["credential_type"] for item in wanted.get("credentials", [])}
    for item in existing.get("credentials", []):
        found = related(item, "credential_type")
        if item["name"] in types and found != types[item["name"]]:
            problems.append(f"credential {item['name']}: its type is {found}, not {types[item['name']]}.")
    kinds = {item["name"]: item["kind"] for item in wanted.get("credential_types", [])}
    problems += [
        f"credential type {item['name']}: it is another one, of the kind {item.get('kind')}."
        for item in existing.get("credential_types", [])
        if item["name"] in kinds and (item.get("managed") or item.get("kind") != kinds[item["name"]])
    ]
    problems += [
        f"inventory {item['name']}: it is a {item['kind']} inventory."
        for item in existing.get("inventories", [])
        if item.get("kind")
    ]
    for endpoint in UNIFIED:
        names = {item["name"] for item in wanted.get(endpoint, [])}
        problems += [
            f"{ENDPOINTS[endpoint]} {item['name']}: there is a {ENDPOINTS[other]} of this name."
            for other in UNIFIED
            if other != endpoint
            for item in existing.get(other, [])
            if item["name"] in names
        ]
    return problems


def awx_missing(existing: Items, wanted: Items) -> list[str]:
    """The wanted objects that AWX does not have, as a list to read."""
    missing = []
    for endpoint, kind in ENDPOINTS.items():
        has = {key_of_existing(endpoint, item) for item in existing.get(endpoint, [])}
        names = dict.fromkeys(key_of(endpoint, item) for item in wanted.get(endpoint, []))
        missing += [f"{kind} {name}" for name in names if name not in has]
    return missing


def awx_incomplete(existing: Items, wanted: Items) -> list[str]:
    """Objects that AWX has and that refer to one which it does not have: check mode cannot ask AWX about them."""
    missing = set(awx_missing(existing, wanted))
    found = []
    for endpoint, kind in ENDPOINTS.items():
        for item in wanted.get(endpoint, []):
            name = f"{kind} {key_of(endpoint, item)}"
            if name not in missing and _refers_to(item, missing):
                found.append(name)
    return list(dict.fromkeys(found))


def _refers_to(item: Item, missing: t.Container[str]) -> bool:
    for field, endpoint in REFERENCES.items():
        value = item.get(field)
        for name in value if isinstance(value, (list, tuple)) else [value]:
            if f"{ENDPOINTS[endpoint]} {name}" in missing:
                return True
    nodes = [name for link in ("success_nodes", "failure_nodes", "always_nodes") for name in item.get(link) or []]
    if any(f"workflow node {item.get('workflow')}: {name}" in missing for name in nodes):
        return True
    template = item.get("unified_job_template")
    return any(f"{kind} {template}" in missing for kind in ("job template", "workflow"))


def awx_present(wanted: t.Sequence[Item], endpoint: str, left_out: t.Container[str]) -> list[Item]:
    """The wanted objects of an endpoint whose names are not in a list of the filters above."""
    return [item for item in wanted if f"{ENDPOINTS[endpoint]} {key_of(endpoint, item)}" not in left_out]


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {
            "awx_conflicts": awx_conflicts,
            "awx_incomplete": awx_incomplete,
            "awx_missing": awx_missing,
            "awx_present": awx_present,
        }
