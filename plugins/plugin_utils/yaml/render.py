# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values, sections and lists as lines of YAML, in the spelling of a text that people keep."""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.yaml import tree as yaml_tree
from ansible_collections.ivy.cluster.plugins.plugin_utils.yaml.tree import Value

try:
    import yaml

    HAS_YAML = True
except ImportError:  # pragma: no cover
    HAS_YAML = False

_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]*)")
_WIDEST = 2**31
_EMPTY = {"null": "null", "empty mapping": "{}", "empty list": "[]"}

# A Value, or a dictionary or a list of such things.
Content = t.Any


@dataclasses.dataclass(frozen=True)
class Layout:
    """How a text indents its sections, and how far its lists lie right of their key."""

    step: int = 2
    list_offset: int = 0
    # Without them, a text of several lines is one line in quotes, which swallows no comment below it.
    has_block_texts: bool = True


def scalar(value: Value, style: str = "") -> str:
    """A value in one line, in the quotes that it had as far as they can carry it."""
    if value.kind != "text":
        return _EMPTY[value.kind]
    candidates = []
    if "\n" not in value.text:
        if style in ("'", '"'):
            candidates.append(_dumped(value.text, style))
        elif _INTEGER.fullmatch(value.text) or value.text in ("true", "false"):
            candidates.append(value.text)
        candidates.append(_dumped(value.text))
    candidates.append(_dumped(value.text, '"'))
    return next((one for one in candidates if "\n" not in one and _reads(one, value)), candidates[-1])


def block_text(value: Value, indent: int) -> list[str]:
    """A text of several lines as a block, its sign first; nothing where a block cannot carry it."""
    text = value.text
    if value.kind != "text" or "\n" not in text or not text.strip("\n"):
        return []
    sign = "|-" if not text.endswith("\n") else "|+" if text.endswith("\n\n") else "|"
    lines = text.removesuffix("\n").split("\n")
    if not _reads("\n".join([sign, *(f" {line}" if line else "" for line in lines)]), value):
        return []
    return [sign, *(" " * indent + line if line else "" for line in lines)]


def flow(content: Content) -> str:
    if isinstance(content, dict):
        return "{" + ", ".join(f"{key(name)}: {flow(item)}" for name, item in content.items()) + "}"
    if isinstance(content, list):
        return "[" + ", ".join(flow(item) for item in content) + "]"
    made = scalar(content)
    # A bare word may end at what a flow collection uses as its signs.
    return made if content.kind != "text" or made[:1] in "\"'" or made.isalnum() else _dumped(content.text, '"')


def key(name: str) -> str:
    return scalar(Value("text", name), '"' if "\n" in name else "")


def block(content: dict[str, Content], indent: int, layout: Layout) -> list[str]:
    """The lines of the keys of a section."""
    lines: list[str] = []
    for name, item in content.items():
        first, *rest = after(item, indent, layout)
        lines += [f"{' ' * indent}{key(name)}:{first}", *rest]
    return lines


def after(item: Content, indent: int, layout: Layout) -> list[str]:
    """What follows the colon of a key at ``indent``: the rest of its line, then whole lines."""
    if isinstance(item, dict) and item:
        return ["", *block(item, indent + layout.step, layout)]
    if isinstance(item, list) and item:
        return ["", *items(item, indent + layout.list_offset, layout)]
    first, *rest = _leaf(item, indent + layout.step, layout)
    return [f" {first}", *rest]


def items(listed: t.Iterable[Content], indent: int, layout: Layout) -> list[str]:
    lines: list[str] = []
    for one in listed:
        first, *rest = behind_dash(one, indent, layout)
        lines += [f"{' ' * indent}- {first}", *rest]
    return lines


def behind_dash(item: Content, indent: int, layout: Layout) -> list[str]:
    """What follows a dash at ``indent`` and its space: the rest of its line, then whole lines."""
    if isinstance(item, (dict, list)) and item:
        inner = block(item, indent + 2, layout) if isinstance(item, dict) else items(item, indent + 2, layout)
        return [inner[0][indent + 2 :], *inner[1:]]
    return _leaf(item, indent + 2, layout)


def _leaf(item: Content, indent: int, layout: Layout) -> list[str]:
    value = item if isinstance(item, Value) else Value("empty mapping" if isinstance(item, dict) else "empty list")
    return (layout.has_block_texts and block_text(value, indent)) or [scalar(value)]


def _dumped(text: str, style: str | None = None) -> str:
    made: str = yaml.safe_dump(text, default_style=style, width=_WIDEST, allow_unicode=True)
    return made.removesuffix("...\n").removesuffix("\n")


def _reads(written: str, value: Value) -> bool:
    try:
        return yaml_tree.parse(f"k: {written}\n").tree() == {"k": value}
    except yaml_tree.YamlError:
        return False
