# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the job templates of AWX with their surveys, and a page about them, from the roles' specifications."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import yaml
from options import MARKUP, markdown, options_of

ROOT = Path(__file__).resolve().parents[1]
LIST = "awx/surveys.yml"
TEMPLATES = "awx/job_templates.yml"
PAGE = "docs/awx-surveys.md"
CONFIRMATION = "ivy_confirm_cluster"
PREFIX = "ivy "
# A longer text hides the field.
LONGEST_DESCRIPTION = 300
# Types of options and of questions. A list is a text with commas, which only some options accept.
KINDS = {"str": "text", "path": "text", "int": "integer", "float": "float", "bool": "multiplechoice", "list": "text"}
BOOLEANS = ["false", "true"]
HEAD_OF_TEMPLATES = """\
---
# `make docs` writes this file from surveys.yml and the roles' argument specifications. A test fails when it is not up
# to date.

"""
HEAD_OF_PAGE = """\
# Job templates and surveys of AWX

What [awx/import.yml](awx.md) creates for each playbook. `make docs` writes this page from `awx/surveys.yml` and the
argument specifications of the roles; a test fails when it is not up to date.

A question whose default is empty is optional. An empty answer is the same as no answer. All questions with another
default are required, so that no answer of them is empty.
"""


class _Unsafe(str):
    """A text that Ansible must not evaluate when it reads the file: AWX or the job does."""


class _Dumper(yaml.SafeDumper):
    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        return super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:
        return True


_Dumper.add_representer(_Unsafe, lambda dumper, text: dumper.represent_scalar("!unsafe", str(text), style='"'))


def specifications(root: Path) -> dict[str, dict[str, Any]]:
    """The specification of each option, with the default of the role."""
    found: dict[str, dict[str, Any]] = {}
    for path in sorted(root.glob("roles/*/meta/argument_specs.yml")):
        for option in options_of(path.parents[1]):
            spec = dict(option.spec)
            if option.defaults:
                spec["default"] = option.defaults[0]
            found.setdefault(option.name, spec)
    return found


def plain(text: str) -> str:
    """A description without markup: a survey shows it as it is."""

    def word(match: re.Match[str]) -> str:
        inner = match[2] or match[4] or ""
        return inner.partition("#role:")[2] or inner

    return MARKUP.sub(word, text)


def description_of(spec: dict[str, Any], bare: bool = True) -> str:
    given = spec["description"]
    lines = [given] if isinstance(given, str) else given
    if not bare:
        return " ".join(markdown(line) for line in lines)
    text = ""
    for sentence in re.split(r"(?<=[.!?]) ", " ".join(plain(" ".join(line.split())) for line in lines)):
        if text and len(text) + len(sentence) >= LONGEST_DESCRIPTION:
            break
        text = f"{text} {sentence}".strip()
    return text


def question(name: str, spec: dict[str, Any], ask: dict[str, Any]) -> dict[str, Any]:
    kind = KINDS[spec.get("type", "str")]
    choices = BOOLEANS if spec.get("type") == "bool" else [str(choice) for choice in spec.get("choices") or []]
    choices = choices or ask.get("choices") or []
    default = ask.get("default", spec.get("default", ""))
    default = str(default).lower() if isinstance(default, bool) else "" if default == [] else default
    if spec.get("no_log"):
        kind, default = "password", ""
    found: dict[str, Any] = {
        "question_name": name.replace("_", " ").capitalize(),
        "question_description": description_of(spec),
        "variable": name,
        "type": "multiplechoice" if choices else kind,
        # AWX sends an empty text for a question without an answer.
        "required": bool(spec.get("required") or ask.get("required") or default != ""),
        "default": default,
    }
    if choices:
        found["choices"] = choices
        if default == "":
            del found["default"]
    return found


def survey(entry: dict[str, Any], specs: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    asks = [{"name": ask} if isinstance(ask, str) else ask for ask in entry.get("asks", [])]
    found = [question(ask["name"], specs[ask["name"]], ask) for ask in asks]
    if entry.get("dangerous"):
        found.append(question(CONFIRMATION, specs[CONFIRMATION], {"required": True}))
    return found


def _unsafe(value: Any) -> Any:
    return _Unsafe(value) if isinstance(value, str) and "{{" in value else value


def template(entry: dict[str, Any], specs: dict[str, dict[str, Any]]) -> dict[str, Any]:
    name = PREFIX + entry.get("title", entry["playbook"].replace("_", " "))
    questions = survey(entry, specs)
    prompts = entry.get("prompts", [])
    extra = {key: _unsafe(value) for key, value in (entry.get("extra_vars") or {}).items()}
    if entry.get("dangerous"):
        # A launch without the survey confirms nothing.
        extra[CONFIRMATION] = ""
    return {
        "name": name,
        "description": entry["purpose"],
        "playbook": f"playbooks/{entry['playbook']}.yml",
        "job_type": "run",
        "extra_vars": extra,
        "survey_enabled": bool(questions),
        "survey_spec": {"name": "", "description": "", "spec": questions} if questions else {},
        "ask_job_type_on_launch": "check" in prompts,
        "ask_diff_mode_on_launch": "check" in prompts,
        "ask_limit_on_launch": "limit" in prompts,
        "ask_variables_on_launch": "variables" in prompts,
        "allow_simultaneous": False,
        "become_enabled": False,
    }


def entries(root: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load((root / LIST).read_text(encoding="utf-8"))["job_template_list"]
    return found


def templates(root: Path) -> list[dict[str, Any]]:
    specs = specifications(root)
    return [template(entry, specs) for entry in entries(root)]


def templates_file(root: Path) -> str:
    text = yaml.dump(
        {"awx_job_templates": templates(root)}, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=140
    )
    return HEAD_OF_TEMPLATES + text


def _cell(value: Any) -> str:
    return "none" if value in ("", None) else f"`{value}`"


def section(entry: dict[str, Any], specs: dict[str, dict[str, Any]]) -> list[str]:
    found = template(entry, specs)
    lines = [f"## {found['name']}", "", f"`{found['playbook']}`: {found['description']}", ""]
    prompts = {"check": "check mode", "limit": "the limit", "variables": "further variables"}
    names = [prompts[name] for name in entry.get("prompts", [])]
    if names:
        lines += [f"Can be chosen at the launch: {', '.join(names)}.", ""]
    if entry.get("extra_vars"):
        lines += [f"Sets {', '.join(f'`{name}`' for name in entry['extra_vars'])}.", ""]
    if not found["survey_enabled"]:
        return [*lines, "It asks nothing.", ""]
    lines += ["| question | type | default | what it is |", "|---|---|---|---|"]
    for one in found["survey_spec"]["spec"]:
        default = _cell(one.get("default")) if one.get("default", "") != "" or not one["required"] else "**required**"
        kind = ", ".join(f"`{choice}`" for choice in one.get("choices", [])) or one["type"]
        lines.append(f"| `{one['variable']}` | {kind} | {default} | {description_of(specs[one['variable']], False)} |")
    return [*lines, ""]


def page(root: Path) -> str:
    specs = specifications(root)
    return "\n".join([HEAD_OF_PAGE, *(line for entry in entries(root) for line in section(entry, specs))])


def main() -> int:
    for name, text in ((TEMPLATES, templates_file(ROOT)), (PAGE, page(ROOT))):
        (ROOT / name).write_text(text, encoding="utf-8")
        print(f"Wrote {name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
