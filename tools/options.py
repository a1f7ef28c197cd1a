# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes docs/options.md: every option of every role, from the roles' argument specifications and defaults."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
PAGE = "docs/options.md"
# The cluster-wide options come first, since every role uses them; the others follow by name.
FIRST = "topology"
HEAD = """\
# Options

Every option of every role. `make docs` writes this page from `roles/*/meta/argument_specs.yml` and
`roles/*/defaults/main.yml`; a test fails when it is not up to date.

Set options in the inventory. Options that begin with `ivy_` apply to the whole cluster and are available to all roles;
set them for all hosts. Options that begin with a role's name apply to the hosts of that role. A default in `{{ }}` is
derived from other options.
"""
# Ansible's semantic markup. P() and M() name a plugin or module; Markdown shows them like other code.
MARKUP = re.compile(r"\b([OVCPMEIB])\(((?:[^()]|\([^()]*\))*)\)|\b([UL])\(([^()]*)\)")


@dataclass(frozen=True)
class Option:
    name: str
    spec: dict[str, Any]
    # Empty if the option has no default, which differs from an empty default.
    defaults: tuple[Any, ...]


def markdown(text: str) -> str:
    """The text with its semantic markup as Markdown, fit for a cell of a table."""

    def code(match: re.Match[str]) -> str:
        kind, inner = match[1] or match[3], match[2] if match[1] else match[4]
        if kind == "U":
            return f"<{inner}>"
        if kind == "L":
            title, _comma, address = inner.partition(",")
            return f"[{title.strip()}]({address.strip()})"
        if kind in "IB":
            return f"*{inner}*" if kind == "I" else f"**{inner}**"
        return f"`{inner.partition('#')[0] if kind in 'PM' else inner}`"

    # Text outside code must not be HTML.
    parts = MARKUP.sub(code, text)
    outside = re.split(r"(`[^`]*`|<https?://[^>]*>)", parts)
    escaped = "".join(part if number % 2 else part.replace("<", "&lt;") for number, part in enumerate(outside))
    return escaped.replace("|", "\\|").replace("\n", " ")


def shown(value: Any) -> str:
    text = value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)
    return "`" + " ".join(text.split()).replace("|", "\\|") + "`"


def options_of(role: Path) -> list[Option]:
    """The options of all entry points, each once, those of a dictionary after it."""
    specs = yaml.safe_load((role / "meta/argument_specs.yml").read_text(encoding="utf-8"))["argument_specs"]
    file = role / "defaults/main.yml"
    defaults: dict[str, Any] = (yaml.safe_load(file.read_text(encoding="utf-8")) or {}) if file.exists() else {}
    found: dict[str, Option] = {}
    for entry in specs.values():
        for name, spec in (entry.get("options") or {}).items():
            values = (spec["default"],) if "default" in spec else (defaults[name],) if name in defaults else ()
            found.setdefault(name, Option(name, spec, values))
    return [part for option in found.values() for part in with_parts(option)]


def with_parts(option: Option) -> Iterator[Option]:
    yield option
    mark = "[]" if option.spec.get("type") == "list" else ""
    for name, spec in (option.spec.get("options") or {}).items():
        values = (spec["default"],) if "default" in spec else ()
        yield from with_parts(Option(f"{option.name}{mark}.{name}", spec, values))


def row(option: Option) -> str:
    spec = option.spec
    kind = spec.get("type", "str")
    if "elements" in spec:
        kind += f" of {spec['elements']}"
    default = shown(option.defaults[0]) if option.defaults else "**required**" if spec.get("required") else "none"
    description = spec["description"]
    lines = [markdown(line) for line in ([description] if isinstance(description, str) else description)]
    if "choices" in spec:
        lines.append("One of " + ", ".join(shown(choice) for choice in spec["choices"]) + ".")
    if spec.get("no_log"):
        lines.append("A secret.")
    return f"| `{option.name}` | {kind} | {default} | {'<br>'.join(lines)} |"


def section(role: Path) -> str:
    specs = yaml.safe_load((role / "meta/argument_specs.yml").read_text(encoding="utf-8"))["argument_specs"]
    head = [f"## {role.name}", "", f"{markdown(specs.get('main', specs.get('validate'))['short_description'])}."]
    options = options_of(role)
    if not options:
        return "\n".join([*head, "", "This role has no options.", ""])
    table = ["", "| option | type | default | description |", "|---|---|---|---|", *map(row, options), ""]
    return "\n".join([*head, *table])


def page(root: Path) -> str:
    roles = sorted(
        (path.parents[1] for path in root.glob("roles/*/meta/argument_specs.yml")), key=lambda path: path.name
    )
    roles.sort(key=lambda path: path.name != FIRST)
    return "\n".join([HEAD, *map(section, roles)])


def main() -> int:
    (ROOT / PAGE).write_text(page(ROOT), encoding="utf-8")
    print(f"Wrote {PAGE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
