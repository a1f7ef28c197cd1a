# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Adding keys to a YAML text without touching anything else of it.

Loading and dumping would lose comments, quoting and order, which people need when they read the file on a node. So
lines are inserted, and the result is read back: it must hold exactly what was there plus what was asked for.
"""

from __future__ import annotations

import json
import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.yaml import tree as yaml_tree

try:
    import yaml

    HAS_YAML = True
except ImportError:  # pragma: no cover
    HAS_YAML = False

Scalar = t.Union[str, int, float, bool]

NOTE = "# From the inventory, placed by ivy.cluster:"


class PlacementError(ValueError):
    """No way of adding the key keeps the rest of the text as it is."""


def place(text: str, additions: t.Mapping[str, Scalar]) -> str:
    """Add dotted keys that the text does not have yet, each where a person would look for it."""
    missing = dict(additions)
    for key, value in reversed(list(additions.items())):
        # From the last to the first, because each one goes right below its section's name.
        inside = _inside_section(text, key, value)
        if inside is not None:
            text = inside
            del missing[key]
    return _at_root(text, missing) if missing else text


def render_scalar(value: Scalar) -> str:
    """A value as one word or one quoted line of YAML."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    return str(yaml.safe_dump({"k": value}, width=2**31, allow_unicode=True))[3:].rstrip("\n")


def render_text(value: Scalar) -> str:
    """A value as the engine reads it: every value is a text."""
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def _inside_section(text: str, key: str, value: Scalar) -> str | None:
    root = yaml_tree.compose(text)
    if not isinstance(root, yaml.MappingNode):
        return None
    parts = yaml_tree.split_key(key)
    key_node, section, rest = _deepest_section(root, parts)
    if section is None:
        return None
    return _first_that_holds(text, {key: value}, _section_candidates(text, key_node, section, rest, value))


def _deepest_section(node: t.Any, parts: list[str]) -> tuple[t.Any, t.Any, list[str]]:
    """The last mapping on the way to the key, the node of its name, and what is left of the key below it."""
    found: tuple[t.Any, t.Any, list[str]] = (None, None, parts)
    while isinstance(node, yaml.MappingNode):
        for size in range(len(parts) - 1, 0, -1):
            name = ".".join(parts[:size])
            match = next(((k, v) for k, v in node.value if isinstance(k, yaml.ScalarNode) and k.value == name), None)
            if match is not None and (isinstance(match[1], yaml.MappingNode) or _is_empty(match[1])):
                parts = parts[size:]
                found = (match[0], match[1], parts)
                node = match[1]
                break
        else:
            break
    return found


def _section_candidates(text: str, key_node: t.Any, section: t.Any, rest: list[str], value: Scalar) -> t.Iterator[str]:
    if getattr(section, "flow_style", False):
        start = section.start_mark.index + 1
        comma = ", " if section.value else ""
        yield f"{text[:start]}{_flow_pair('.'.join(rest), value)}{comma}{text[start:]}"
        return
    indent = section.value[0][0].start_mark.column if not _is_empty(section) else key_node.start_mark.column + 2
    yield _insert_line(text, key_node.end_mark.line + 1, _block(rest, value, indent))


def _at_root(text: str, additions: t.Mapping[str, Scalar]) -> str:
    root = yaml_tree.compose(text)
    grouped = _nested(additions)
    column = root.value[0][0].start_mark.column if isinstance(root, yaml.MappingNode) and root.value else 0
    block = _indented(f"{NOTE}\n" + yaml.safe_dump(grouped, sort_keys=False, width=2**31, allow_unicode=True), column)
    plain_lines = "".join(f"{key}: {render_scalar(value)}\n" for key, value in additions.items())
    dotted = _indented(f"{NOTE}\n{plain_lines}", column)
    candidates: list[str] = []
    if isinstance(root, yaml.MappingNode) and root.flow_style:
        start = root.start_mark.index + 1
        inner = ", ".join(_flow_pair(key, value) for key, value in additions.items())
        candidates.append(f"{text[:start]}{inner}{', ' if root.value else ''}{text[start:]}")
    for lines in (block, dotted):
        candidates.append(f"{text}{'' if not text or text.endswith(chr(10)) else chr(10)}{lines}")
        if isinstance(root, yaml.MappingNode) and root.value and not root.flow_style:
            candidates.append(_insert_line(text, root.value[0][0].start_mark.line, lines))
    result = _first_that_holds(text, additions, candidates)
    if result is None:
        raise PlacementError("the keys " + ", ".join(additions) + " cannot be added to it")
    return result


def _first_that_holds(text: str, additions: t.Mapping[str, Scalar], candidates: t.Iterable[str]) -> str | None:
    before = yaml_tree.parse(text)
    wanted = {leaf.key: leaf.value for leaf in before.leaves if not _makes_room(leaf, additions)}
    wanted.update({key: yaml_tree.Value("text", render_text(value)) for key, value in additions.items()})
    for candidate in candidates:
        try:
            after = yaml_tree.parse(candidate)
        except yaml_tree.YamlError:
            continue
        if after.tree() == wanted and after.header == before.header and len(after.duplicates) == len(before.duplicates):
            return candidate
    return None


def _makes_room(leaf: yaml_tree.Leaf, additions: t.Mapping[str, Scalar]) -> bool:
    """An empty section is no value any more once something lies in it."""
    return leaf.value.kind in ("null", "empty mapping") and any(key.startswith(f"{leaf.key}.") for key in additions)


def _is_empty(node: t.Any) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.style is None and node.value == ""


def _flow_pair(key: str, value: Scalar) -> str:
    return f"{json.dumps(key, ensure_ascii=False)}: {json.dumps(value, ensure_ascii=False)}"


def _nested(additions: t.Mapping[str, Scalar]) -> dict[str, t.Any]:
    tree: dict[str, t.Any] = {}
    for key, value in additions.items():
        node = tree
        *sections, last = yaml_tree.split_key(key)
        for section in sections:
            node = node.setdefault(section, {})
        node[last] = value
    return tree


def _block(rest: list[str], value: Scalar, indent: int) -> str:
    return _indented(
        yaml.safe_dump(_nested({".".join(rest): value}), sort_keys=False, width=2**31, allow_unicode=True), indent
    )


def _indented(lines: str, indent: int) -> str:
    return "".join(f"{' ' * indent}{line}\n" for line in lines.splitlines())


def _insert_line(text: str, line: int, block: str) -> str:
    lines = text.splitlines(keepends=True)
    if line >= len(lines) and lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    return "".join([*lines[:line], block, *lines[line:]])
