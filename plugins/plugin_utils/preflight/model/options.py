# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of roles: their types and choices, which are missing, and names that are nearly one."""

from __future__ import annotations

import datetime
import difflib
import json
import re
import typing as t

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.ivy.cluster.plugins.plugin_utils.common import masking
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.findings import (
    ERROR,
    WARNING,
    Finding,
)
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.text import listed, plain_text
from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight.model.inventory import Host, Inventory
from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight.model.roles import TOPOLOGY, Role

AREA = "Options"

_OPTION_FIRST = re.compile(r"([a-z][a-z0-9_]+(?:, [a-z][a-z0-9_]+)*): (.+)", re.DOTALL)
_NO_TEXT = (dict, list, tuple)
_LONGEST_SHOWN = 100
_MOST_NAMED = 5
_EXAMPLES: t.Mapping[str, t.Any] = {"list": ["one", "two"], "dict": {"key": "value"}}
# Lists that may also be a text with commas, as surveys and commands in reports give them. The role splits it.
TEXT_LISTS = frozenset({"adopt_files", "adopt_keys"})
# Surveys ask for the name of the cluster before a dangerous run.
CONFIRMATION = "ivy_confirm_cluster"


def check(inventory: Inventory, roles: t.Mapping[str, Role], only: t.Container[str] | None = None) -> list[Finding]:
    """Each option that the inventory sets, on each host where its role works. ``only`` names those that are wanted."""
    findings = []
    for role in roles.values():
        hosts = [host for host in inventory.hosts if role.runs_on(host)]
        for name, spec in role.options.items():
            if only is None or name in only:
                findings += check_option(inventory, role, name, spec, hosts)
    return findings


def check_option(
    inventory: Inventory, role: Role, name: str, spec: t.Mapping[str, t.Any], hosts: t.Sequence[Host]
) -> list[Finding]:
    secret = bool(spec.get("no_log"))
    by_value: dict[str, tuple[t.Any, list[str]]] = {}
    missing = []
    for host in hosts:
        if name in host.given:
            if name in host.values:
                value = host.values[name]
                by_value.setdefault(json.dumps(value, sort_keys=True, default=str), (value, []))[1].append(host.name)
        elif spec.get("required"):
            missing.append(host.name)
    findings = []
    if missing:
        place = inventory.place(name, missing)
        advice = f"Set it: {describe(spec)}"
        findings.append(Finding("option-missing", AREA, place, "it is required and has no value", advice))
    for value, names in by_value.values():
        place = inventory.place(name, names) if len(names) < len(hosts) else name
        code = "option-missing" if spec.get("required") and value in (None, "") else "option"
        code = "no-list" if isinstance(value, str) and spec.get("type") == "list" else code
        findings += [Finding(code, AREA, place, *problem) for problem in judge(name, spec, value, secret)]
    return findings


def judge(name: str, spec: t.Mapping[str, t.Any], value: t.Any, secret: bool = False) -> list[tuple[str, str]]:
    """What is wrong with one value, and what to do. A secret is never shown."""
    advice = f"Correct it: {describe(spec)}"
    kind = spec.get("type", "str")
    if value is None:
        give = "Give it one" if spec.get("required") else "Give it one, or leave it out"
        return [("it has no value", f"{give}: {describe(spec)}")]
    if value == "" and spec.get("required"):
        return [("it is empty", f"Set it: {describe(spec)}")]
    # Ansible turns anything into a text, and the role would write that into a file.
    if kind in ("str", "path") and isinstance(value, _NO_TEXT):
        return [(f"it is a {'dictionary' if isinstance(value, dict) else 'list'}, where a text is needed", advice)]
    if kind in ("str", "path") and not spec.get("choices") and (other := _other_type(value)):
        return [(f"it is {other}, where a text is needed", "Put the value in quotes.")]
    # The checks of Ansible would split a text into a list or a dictionary; the roles take it as it stands.
    if name in TEXT_LISTS and isinstance(value, str):
        return []
    if kind in _EXAMPLES and isinstance(value, str):
        example = json.dumps({name: _example(spec)})
        given = (
            f"{describe(spec).removesuffix('.')}. On the command line, for instance: -e '{example}'. A question of a "
            "survey gives a text, so set this option in the inventory or in the variables of the job template."
        )
        return [(f"it is a text, where a {'list' if kind == 'list' else 'dictionary'} is needed", f"Make it {given}")]
    if kind == "list" and spec.get("elements") == "dict" and isinstance(value, (list, tuple)):
        inner = [str(index) for index, item in enumerate(value) if not isinstance(item, dict)]
        if inner:
            return [(f"its entry {_some(inner)} (counted from 0) is not a dictionary", advice)]
    if kind == "list" and spec.get("elements") in ("str", "path") and isinstance(value, (list, tuple)):
        inner = [str(index) for index, item in enumerate(value) if item is None or isinstance(item, _NO_TEXT)]
        if inner:
            return [(f"its entry {_some(inner)} (counted from 0) is not a string", advice)]
        inner = [str(index) for index, item in enumerate(value) if _other_type(item)]
        if inner and not spec.get("choices"):
            return [(f"its entry {_some(inner)} (counted from 0) is not a text", "Put the value in quotes.")]
    if kind == "list" and isinstance(value, dict):
        return [("it is a dictionary, where a list is needed", advice)]
    if kind == "int" and isinstance(value, bool):
        return [("it is true or false, where a whole number is needed", advice)]
    errors = ArgumentSpecValidator({name: dict(spec)}).validate({name: value}).error_messages
    if not errors:
        return []
    if secret:
        return [("its value is of the wrong kind", advice)]
    if not spec.get("options"):
        shown = masking.mask(name, json.dumps(value, ensure_ascii=False, default=str)) or ""
        return [(f"{shown[:_LONGEST_SHOWN]} is not {describe(spec)}", "Correct it.")]
    # Only Ansible's own words say which suboption is meant.
    hidden = tuple(masking.leaves(_secrets_in(spec, value)))
    return [(masking.scrub(masking.mask("", error) or "", hidden), advice) for error in dict.fromkeys(errors)]


def _other_type(value: t.Any) -> str:
    """What YAML reads where somebody writes a text without quotes: as a text it would be another one."""
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, float):
        # 1.10 would become 1.1.
        return "a number with a fraction"
    return "a date" if isinstance(value, datetime.date) else ""


def _example(spec: t.Mapping[str, t.Any]) -> t.Any:
    if spec.get("elements") != "dict":
        return _EXAMPLES[str(spec["type"])]
    options = spec.get("options") or {}
    required = [name for name, option in options.items() if option.get("required")]
    return [dict.fromkeys(required or list(options)[:1] or ["key"], "...")]


def _some(names: t.Sequence[str]) -> str:
    """The first few of many."""
    return listed(list(names)) if len(names) <= _MOST_NAMED else f"{listed(list(names[:_MOST_NAMED]))} and others"


def _secrets_in(spec: t.Mapping[str, t.Any], value: t.Any) -> list[t.Any]:
    """Values of suboptions that are secrets."""
    entries = value if isinstance(value, list) else [value]
    names = [name for name, option in (spec.get("options") or {}).items() if option.get("no_log")]
    return [entry[name] for entry in entries if isinstance(entry, dict) for name in names if name in entry]


def describe(spec: t.Mapping[str, t.Any]) -> str:
    """What an option may be, in words."""
    kind = spec.get("type", "str")
    words = {
        "str": "a text",
        "int": "a whole number",
        "float": "a number",
        "bool": "true or false",
        "dict": "a dictionary, key: value",
        "list": "a list",
        "path": "a path",
    }.get(kind, str(kind))
    if spec.get("choices"):
        words = " or ".join(repr(choice) for choice in spec["choices"])
        return f"one of {words}." if kind != "list" else f"a list of {words}."
    return f"{words}."


# Where Ansible puts what it finds on the command line beside name=value.
_NOT_PARSED = "_raw_params"
# Playbooks set the arguments of the role rollout, and the command line would override them. One is the user's.
_NO_OPTIONS = ("rollout_", "unpin_")
_BUT = "rollout_strategy"

# Names that the roles publish with set_stats: a workflow hands them to the next job as extra variables.
PUBLISHED = frozenset(
    {
        "ivy_adopted",
        "ivy_drift",
        "ivy_history",
        "ivy_maintenance",
        "ivy_not_adopted",
        "ivy_plan_report",
        "ivy_preflight",
        "ivy_rollout",
        "ivy_status",
        "ivy_support_bundle",
        "ivy_verify",
    }
)


def check_names(
    inventory: Inventory, roles: t.Mapping[str, Role], extra: t.Collection[str] = (), used: t.Container[str] = ()
) -> list[Finding]:
    """Names that look like an option and are none: what they say would be ignored without a word.

    ``extra`` are the variables of the command line, which :func:`check_extra` judges; ``used`` those that another
    variable refers to, which are the user's own.
    """
    by_name: dict[str, list[str]] = {}
    for host in inventory.hosts:
        for name in host.given - _known(roles) - set(extra):
            if name not in used:
                by_name.setdefault(name, []).append(host.name)
    findings = []
    for name, names in sorted(by_name.items()):
        problem, advice, sure = _unknown(name, roles, "option-unknown")
        if problem:
            severity = ERROR if sure else WARNING
            findings.append(Finding("option-unknown", AREA, inventory.place(name, names), problem, advice, severity))
    return findings


def check_extra(
    extra: t.Mapping[str, t.Any], roles: t.Mapping[str, Role], used: t.Container[str] = ()
) -> list[Finding]:
    """The variables of the command line: unknown names, and values of the wrong type."""
    options = {name: (spec, role) for role in roles.values() for name, spec in role.options.items()}
    known = _known(roles)
    findings = []
    for name, value in sorted(extra.items()):
        if name in options and (name == _BUT or not name.startswith(_NO_OPTIONS)):
            spec, _role = options[name]
            if not _has_template(value):
                problems = judge(name, spec, value, bool(spec.get("no_log")))
                findings += [Finding("option", AREA, name, *one) for one in problems]
        elif name == _NOT_PARSED:
            if str(value).strip():
                # Not shown: it may be a part of a secret.
                problem = "the following is not name=value and would be ignored"
                advice = 'Write -e name=value, without spaces around =, or -e \'{"name": "a value with spaces"}\'.'
                findings.append(Finding("extra-unknown", AREA, "-e", problem, advice))
        elif name.startswith(_NO_OPTIONS):
            problem = "the playbooks set it" if name in options else "no role has such an option"
            findings.append(Finding("extra-unknown", AREA, f"-e {name}", problem, _meant_by_playbook(name, roles)))
        elif name not in known and name not in used:
            problem, advice, _sure = _unknown(name, roles, "extra-unknown")
            if problem:
                findings.append(Finding("extra-unknown", AREA, f"-e {name}", problem, advice))
    return findings


def check_confirmation(extra: t.Mapping[str, t.Any], cluster: str) -> list[Finding]:
    """Whether who confirms the run means this cluster. An empty answer of a survey confirms nothing."""
    if CONFIRMATION not in extra:
        return []
    answer = plain_text(str(extra[CONFIRMATION] or "").strip())
    if answer == cluster:
        return []
    problem = f"it is {answer or 'empty'}, but this run would change the cluster {cluster or 'without a name'}"
    advice = "Check that this is the right inventory, and give the name of the cluster to confirm the run."
    return [Finding("option-refused", AREA, CONFIRMATION, problem, advice)]


def _known(roles: t.Mapping[str, Role]) -> set[str]:
    """Names that may be set. Variables of other roles than topology override what is set, so they count as unknown."""
    options = {name for role in roles.values() for name in role.options}
    return options | set(roles[TOPOLOGY].variables) | PUBLISHED


def _unknown(name: str, roles: t.Mapping[str, Role], code: str) -> tuple[str, str, bool]:
    """The problem of a name that is not an option, its fix, and whether an option was certainly meant."""
    role = next((role for role in roles.values() if name.startswith(role.prefix)), None)
    options = sorted(option for one in roles.values() for option in one.options)
    near = difflib.get_close_matches(name.lower(), options, 1, 0.88)
    other = "" if near else f"If it is meant for something else, rename it or set preflight_accept: [{code}]."
    if role is not None and not near:
        # What is not nearly one option may be meant as any of the role's.
        near = difflib.get_close_matches(name, [one for one in options if one.startswith(role.prefix)], 3, 0.6)
    advice = " ".join(filter(None, [_did_you_mean(near), other]))
    if role is not None:
        return f"it looks like an option of {role.name}, which has no such option", advice, True
    return ("no role has such an option", advice, False) if near else ("", "", False)


def _did_you_mean(near: t.Sequence[str]) -> str:
    return f"Did you mean {' or '.join(near)}?" if near else ""


def _meant_by_playbook(name: str, roles: t.Mapping[str, Role]) -> str:
    """An option of another role that ends alike: those playbooks take their options from there."""
    rest = name.partition("_")[2]
    near = sorted(
        option
        for one in roles.values()
        for option in one.options
        if option == f"{one.prefix}{rest}" and not option.startswith(_NO_OPTIONS)
    )
    near += difflib.get_close_matches(name.lower(), [_BUT], 1, 0.75)
    return _did_you_mean(near) or "Remove it, or correct it."


def _has_template(value: t.Any) -> bool:
    if isinstance(value, str):
        return "{{" in value or "{%" in value
    if isinstance(value, dict):
        return any(map(_has_template, value.values()))
    return isinstance(value, (list, tuple)) and any(map(_has_template, value))


def role_problem(inventory: Inventory, role: Role, text: str, names: t.Collection[str]) -> Finding:
    """A finding for one entry of a role's list of option problems."""
    match = _OPTION_FIRST.fullmatch(text.strip())
    where, problem = (match[1], match[2]) if match else (f"role {role.name}", text)
    hosts = {host.name for host in inventory.hosts if role.runs_on(host)}
    if set(names) != hosts:
        where += f", on {listed(sorted(names))}"
    problem, advice = _advice(problem)
    return Finding("option-refused", AREA, where, problem, advice)


def _advice(text: str) -> tuple[str, str]:
    """Splits the fix from the problem: it is the last sentence, or the part after the last semicolon."""
    text = " ".join(text.split())
    for separator in ("; ", ". "):
        head, found, tail = text.rstrip(".").rpartition(separator)
        if found and tail:
            return head, f"{tail[:1].upper()}{tail[1:]}."
    return text, "Correct it."
