# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Setting and removing keys of a YAML text that people keep: comments, order and spelling stay.

ruamel.yaml makes the edit. Where it would write a line that nobody touched in another way, the old line stays: what
goes into the text is the difference between what the library makes of the old tree and of the new one.
"""

from __future__ import annotations

import dataclasses
import difflib
import io
import re
import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils import yaml_tree
from ansible_collections.ivy.cluster.plugins.plugin_utils.yaml_tree import Value

try:
    import ruamel.yaml
    from ruamel.yaml.comments import CommentedMap, CommentedSeq
    from ruamel.yaml.error import CommentMark, YAMLError
    from ruamel.yaml.scalarstring import (
        DoubleQuotedScalarString,
        LiteralScalarString,
        ScalarString,
        SingleQuotedScalarString,
    )
    from ruamel.yaml.tokens import CommentToken
    from ruamel.yaml.util import load_yaml_guess_indent

    HAS_RUAMEL = True
except ImportError:  # pragma: no cover
    HAS_RUAMEL = False

_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]*)")
_TOKENS = re.compile(r"\[(\d+)\]")
_WIDEST = 2**31

Tree = dict[str, Value]


class EditError(ValueError):
    """The edit cannot be made without touching something else. The message quotes no value."""


@dataclasses.dataclass(frozen=True)
class Change:
    """One key as it is to be; without a value it goes. A list that grew or shrank is one key as a whole."""

    key: str
    value: Value | None
    items: tuple[t.Any, ...] | None = None


def changes(before: str, after: str, keys: t.Container[str]) -> list[Change]:
    """The edits that make ``keys`` of one text what they are in the other."""
    old, new = yaml_tree.parse(before).tree(), yaml_tree.parse(after).tree()
    single: list[Change] = []
    whole: set[str] = set()
    for key in sorted(old.keys() | new.keys()):
        if key not in keys or old.get(key) == new.get(key):
            continue
        if "[" in key and (key not in old or key not in new):
            whole.add(key.partition("[")[0])
        else:
            single.append(Change(key, new.get(key)))
    # A list that became a value, or the reverse, is no question of its items.
    lists = {key: plain_at(after, key) for key in whole}
    result = [change for change in single if change.key.partition("[")[0] not in lists]
    for key, found in sorted(lists.items()):
        if isinstance(found, list):
            result.append(Change(key, None, tuple(found)))
        else:
            result.append(Change(key, new.get(key)))
    return result


def plain_at(text: str, key: str) -> t.Any:
    """What lies at a key, every scalar as the engine reads it; None where there is nothing."""
    node = yaml_tree.compose(text)
    place = _find(node, key.split("."))
    return None if place is None else _plain(place)


def _find(node: t.Any, parts: list[str]) -> t.Any:
    if not parts:
        return node
    if not isinstance(getattr(node, "value", None), list):
        return None
    for size in range(len(parts), 0, -1):
        for entry in node.value:
            if isinstance(entry, tuple) and getattr(entry[0], "value", None) == ".".join(parts[:size]):
                found = _find(entry[1], parts[size:])
                if found is not None:
                    return found
    return None


def _plain(node: t.Any) -> t.Any:
    if isinstance(node.value, list):
        if (node.value and isinstance(node.value[0], tuple)) or node.tag.endswith(":map"):
            return {str(key.value): _plain(value) for key, value in node.value}
        return [_plain(item) for item in node.value]
    return next(iter(yaml_tree.parse(f"k: {_written(node)}\n").tree().values()))


def _written(node: t.Any) -> str:
    return str(node.value) if not node.style else "'" + str(node.value).replace("'", "''").replace("\n", "\n\n") + "'"


def apply(text: str, edits: t.Sequence[Change]) -> str:
    """The text after the edits. What was not asked for is as it was, or this raises :class:`EditError`."""
    if not edits:
        return text
    if not HAS_RUAMEL:
        raise EditError("the Python library ruamel.yaml is missing on the controller: pip install ruamel.yaml")
    mark, body = ("\ufeff", text[1:]) if text.startswith("\ufeff") else ("", text)
    windows = "\r\n" in body
    if windows:
        if body.count("\n") != body.count("\r\n"):
            raise EditError("its lines end in two ways")
        body = body.replace("\r\n", "\n")
    result = _edited(body, edits)
    return mark + (result.replace("\n", "\r\n") if windows else result)


def _edited(text: str, edits: t.Sequence[Change]) -> str:
    before = yaml_tree.parse(text)
    if before.duplicates or not before.is_mapping:
        raise EditError("it does not hold each key once")
    old, unchanged = _load(text)
    new, _same = _load(text)
    try:
        # What goes first makes room for what comes: a value may become a section.
        for change in sorted(edits, key=lambda one: one.value is not None or one.items is not None):
            if change.value is None and change.items is None:
                _remove(new, change.key)
        for change in edits:
            if change.value is not None or change.items is not None:
                _set(new, change, before.tree())
        wanted_text = unchanged.dumped(new)
        plain_text = unchanged.dumped(old)
    except YAMLError as error:
        raise EditError(f"ruamel.yaml cannot edit it ({type(error).__name__})") from error
    wanted = tree_after(before.tree(), edits)
    # A text of comments only has no node that they could belong to.
    candidates = (_merged(text, plain_text, wanted_text), wanted_text) if before.leaves else (text + wanted_text,)
    for candidate in candidates:
        if _holds(candidate, wanted, before.header):
            return candidate
    raise EditError("the edit would change more than the key")


def tree_after(tree: Tree, edits: t.Iterable[Change]) -> Tree:
    """The keys after the edits."""
    wanted = dict(tree)
    for change in edits:
        for key in [key for key in wanted if yaml_tree.has_prefix(key, change.key) or _makes_room(change, key, wanted)]:
            del wanted[key]
    for change in edits:
        if change.items is not None:
            wanted.update(_flat(change.key, list(change.items)))
        elif change.value is not None:
            wanted[change.key] = change.value
    return wanted


def _makes_room(change: Change, key: str, tree: Tree) -> bool:
    adds = change.value is not None or change.items is not None
    return adds and tree[key].kind in ("null", "empty mapping") and yaml_tree.has_prefix(change.key, key)


def _flat(key: str, value: t.Any) -> Tree:
    if isinstance(value, dict):
        if not value:
            return {key: Value("empty mapping")}
        return {path: leaf for name, item in value.items() for path, leaf in _flat(f"{key}.{name}", item).items()}
    if isinstance(value, list):
        if not value:
            return {key: Value("empty list")}
        return {path: leaf for index, item in enumerate(value) for path, leaf in _flat(f"{key}[{index}]", item).items()}
    return {key: value}


def _holds(text: str, wanted: Tree, header: str) -> bool:
    try:
        document = yaml_tree.parse(text)
    except yaml_tree.YamlError:
        return False
    return document.tree() == wanted and document.header == header and not document.duplicates


# --- reading and writing


class _Writer:
    """Writes as the text was written: its indentation, its document marks."""

    def __init__(self, text: str) -> None:
        _data, indent, offset = load_yaml_guess_indent(text)
        columns = {
            len(line) - len(line.lstrip(" ")) for line in text.splitlines() if line.strip(" -") and line[0] == " "
        }
        step = min(columns, default=2)
        self.yaml = ruamel.yaml.YAML()
        self.yaml.preserve_quotes = True
        self.yaml.width = _WIDEST
        self.yaml.explicit_start = text.startswith("---")
        self.yaml.indent(mapping=step, sequence=(offset or 0) + 2, offset=offset or 0)
        del indent

    def dumped(self, data: t.Any) -> str:
        stream = io.StringIO()
        self.yaml.dump(data, stream)
        return stream.getvalue()


def _load(text: str) -> tuple[t.Any, _Writer]:
    try:
        writer = _Writer(text)
        data = writer.yaml.load(text)
    except YAMLError as error:
        raise EditError(f"ruamel.yaml cannot read it ({type(error).__name__})") from error
    return (CommentedMap() if data is None else data), writer


# --- edits


def _steps(key: str) -> list[str | int]:
    steps: list[str | int] = []
    for part in yaml_tree.split_key(key):
        steps.append(part.partition("[")[0] if _TOKENS.search(part) else part)
        steps += [int(number) for number in _TOKENS.findall(part)]
    return steps


def _names(node: t.Any) -> dict[str, t.Any]:
    return {("true" if key is True else "false" if key is False else str(key)): key for key in node}


def _locate(node: t.Any, steps: list[str | int]) -> tuple[list[tuple[t.Any, t.Any]], list[str | int]]:
    """The way to a key as far as it exists, container and name each, and what of the key is left."""
    way: list[tuple[t.Any, t.Any]] = []
    while steps:
        if isinstance(steps[0], int):
            if not isinstance(node, CommentedSeq) or steps[0] >= len(node):
                break
            way.append((node, steps[0]))
            node, steps = node[steps[0]], steps[1:]
            continue
        if not isinstance(node, CommentedMap):
            break
        names = _names(node)
        texts = [step for step in steps if isinstance(step, str)]
        run = next((size for size, step in enumerate(steps) if isinstance(step, int)), len(steps))
        for size in range(run, 0, -1):
            name = ".".join(texts[:size])
            # A name that leads nowhere is not the way: the rest may lie below a shorter one.
            if name in names and (
                size == len(steps) or isinstance(node[names[name]], (CommentedMap, CommentedSeq, type(None)))
            ):
                way.append((node, names[name]))
                node, steps = node[names[name]], steps[size:]
                break
        else:
            break
    return way, steps


def _remove(data: t.Any, key: str) -> None:
    way, rest = _locate(data, _steps(key))
    if rest or not way:
        raise EditError(f"'{key}' was not found in it")
    while way:
        container, name = way.pop()
        _keep_comment_above(container, name)
        del container[name]
        if container or not way:
            return


def _keep_comment_above(container: t.Any, name: t.Any) -> None:
    """What stands below the last line of a section describes what comes next, so it outlives the section's last key."""
    if not isinstance(container, CommentedMap):
        return
    keys = list(container)
    position = keys.index(name)
    if position == 0:
        return
    _eol, rest = _split_tail(container, name)
    if rest is not None:
        _attach(container, keys[position - 1], rest)


def _set(data: t.Any, change: Change, tree: Tree) -> None:
    steps = _steps(change.key)
    way, rest = _locate(data, steps)
    if not rest:
        container, name = way[-1]
        old = container[name]
        tail = _split_tail(container, name)[1] if isinstance(old, (CommentedMap, CommentedSeq)) else None
        if change.items and isinstance(old, CommentedSeq):
            _refill(old, change, tree)
        else:
            container[name] = _node(change, old)
        if tail is not None:
            _attach(container, name, tail)
        return
    if any(isinstance(step, int) for step in rest):
        raise EditError(f"'{change.key}' was not found in it")
    parent = way[-1][0][way[-1][1]] if way else data
    if way and (parent is None or (isinstance(parent, CommentedMap) and not parent)):
        value: t.Any = _node(change, None)
        for step in reversed(rest):
            value = CommentedMap({step: value})
        way[-1][0][way[-1][1]] = value
        return
    if not isinstance(parent, CommentedMap):
        raise EditError(f"'{change.key}' lies below something that holds a value")
    value = _node(change, None)
    for step in reversed(rest[1:]):
        value = CommentedMap({step: value})
    _append(parent, rest[0], value)


def _refill(old: t.Any, change: Change, tree: Tree) -> None:
    """Give a list its new items. Those at its beginning and its end that stay keep their lines and comments."""
    items = list(change.items or ())
    had = [_below(f"{change.key}[{index}]", tree) for index in range(len(old))]
    wanted = [_below(change.key, _flat(change.key, item)) for item in items]
    first = 0
    while first < min(len(had), len(wanted)) and had[first] == wanted[first]:
        first += 1
    last = 0
    while last < min(len(had), len(wanted)) - first and had[-1 - last] == wanted[-1 - last]:
        last += 1
    for _index in range(first, len(had) - last):
        del old[first]
    for index in range(first, len(items) - last):
        old.insert(index, _structure(items[index]))


def _below(key: str, tree: Tree) -> Tree:
    return {path[len(key) :]: value for path, value in tree.items() if yaml_tree.has_prefix(path, key)}


def _append(container: t.Any, name: t.Any, value: t.Any) -> None:
    """Add a key at the end of its section, above the comment that belongs to what follows the section."""
    keys = list(container)
    rest = _split_tail(container, keys[-1])[1] if keys else None
    container[name] = value
    if rest is not None:
        _attach(container, name, rest)


def _last_leaf(container: t.Any, name: t.Any) -> tuple[t.Any, t.Any]:
    while (
        isinstance(container[name], (CommentedMap, CommentedSeq))
        and len(container[name])
        and not container[name].fa.flow_style()
    ):
        container = container[name]
        name = list(container)[-1] if isinstance(container, CommentedMap) else len(container) - 1
    return container, name


def _split_tail(container: t.Any, name: t.Any) -> tuple[str, str | None]:
    """Take the comment lines below the last line of an entry off it; its own comment at the end of the line stays."""
    holder, leaf = _last_leaf(container, name)
    slot = 2 if isinstance(holder, CommentedMap) else 0
    tokens = holder.ca.items.get(leaf)
    token = tokens[slot] if tokens and len(tokens) > slot else None
    if token is None or "\n" not in token.value:
        return "", None
    eol, _newline, rest = token.value.partition("\n")
    if not rest.strip():
        return eol, None
    if eol.strip():
        token.value = f"{eol}\n"
    else:
        tokens[slot] = None
    return eol, rest


def _attach(container: t.Any, name: t.Any, rest: str) -> None:
    holder, leaf = _last_leaf(container, name)
    slot = 2 if isinstance(holder, CommentedMap) else 0
    tokens = holder.ca.items.setdefault(leaf, [None, None, None, None] if slot else [None, None])
    if tokens[slot] is None:
        tokens[slot] = CommentToken(f"\n{rest}", CommentMark(0), None)
    else:
        # The token knows the column of its comment.
        tokens[slot].value = tokens[slot].value.partition("\n")[0] + f"\n{rest}"


def _node(change: Change, old: t.Any) -> t.Any:
    if change.items is not None:
        return _structure(list(change.items))
    return _scalar(t.cast(Value, change.value), old)


def _structure(value: t.Any) -> t.Any:
    if isinstance(value, dict):
        return CommentedMap({name: _structure(item) for name, item in value.items()})
    if isinstance(value, list):
        return CommentedSeq([_structure(item) for item in value])
    return _scalar(value, None)


def _scalar(value: Value, old: t.Any) -> t.Any:
    """A value in the spelling of the one that it replaces, as far as that can carry it."""
    if value.kind == "null":
        return None
    if value.kind == "empty mapping":
        return _flow(CommentedMap())
    if value.kind == "empty list":
        return _flow(CommentedSeq())
    text = value.text
    if "\n" in text:
        return LiteralScalarString(text) if text == text.lstrip() else DoubleQuotedScalarString(text)
    if isinstance(old, (DoubleQuotedScalarString, SingleQuotedScalarString)):
        return type(old)(text)
    if not isinstance(old, ScalarString):
        if _INTEGER.fullmatch(text):
            return int(text)
        if text in ("true", "false"):
            return text == "true"
    return text


def _flow(node: t.Any) -> t.Any:
    node.fa.set_flow_style()
    return node


# --- the old lines


def _merged(text: str, plain: str, wanted: str) -> str:
    """The text with only those lines exchanged in which ``wanted`` differs from ``plain``."""
    if text == plain:
        return wanted
    ours, base, theirs = (lines.splitlines(keepends=True) for lines in (text, plain, wanted))
    place = _places(base, ours)
    result: list[str] = []
    done = 0
    for kind, first, last, start, end in difflib.SequenceMatcher(None, base, theirs, autojunk=False).get_opcodes():
        if kind == "equal":
            continue
        result += ours[done : place[first]]
        result += theirs[start:end]
        done = place[last]
    result += ours[done:]
    return "".join(result)


def _places(base: list[str], ours: list[str]) -> list[int]:
    """For each boundary between the lines of ``base``, the one in ``ours`` that it stands for."""
    places = [0] * (len(base) + 1)
    left, right = ([line.strip() for line in lines] for lines in (base, ours))
    for _kind, first, last, start, end in difflib.SequenceMatcher(None, left, right, autojunk=False).get_opcodes():
        for index in range(first, last):
            places[index] = min(start + index - first, end)
    places[len(base)] = len(ours)
    return places
