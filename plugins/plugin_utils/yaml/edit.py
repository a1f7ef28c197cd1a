# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The YAML editor: sets, adds and removes keys of a text and keeps its comments, order and spelling.

The parser reports the position of a key, and only its characters are replaced (see lines.py). The result is verified:
it must contain exactly the requested keys, all comments except those of removed keys, and all other lines.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.yaml import nodes
from ansible_collections.ivy.cluster.plugins.plugin_utils.yaml import tree as yaml_tree
from ansible_collections.ivy.cluster.plugins.plugin_utils.yaml.lines import EditError, Editor, Ways
from ansible_collections.ivy.cluster.plugins.plugin_utils.yaml.tree import Value

__all__ = ["Change", "EditError", "Scalar", "Tree", "add", "apply", "changes", "plain_at", "scalar_text", "tree_after"]

Tree = dict[str, Value]
Scalar = t.Union[str, int, float, bool]


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
    # If a list became a value, or the reverse, its items are not compared.
    lists = {key: plain_at(after, key) for key in whole}
    result = [change for change in single if change.key.partition("[")[0] not in lists]
    for key, found in sorted(lists.items()):
        if isinstance(found, list):
            result.append(Change(key, None, tuple(found)))
        else:
            result.append(Change(key, new.get(key)))
    return result


def plain_at(text: str, key: str) -> t.Any:
    """The content of a key, every scalar as the engine reads it; None if the key does not exist."""
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


def scalar_text(value: Scalar) -> str:
    """A value as the engine reads it: every value is a text."""
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def add(text: str, values: t.Mapping[str, Scalar], note: str = "") -> str:
    """Add dotted keys that the text does not have yet, each to its section; new keys of the root follow ``note``."""
    edits = [Change(key, Value("text", scalar_text(value))) for key, value in values.items()]
    ways = [
        Ways(note=note),
        # A block text at the end of the text would absorb what follows it.
        Ways(note=note, is_first=True),
        # A section that is an alias, or that has an anchor, must not change.
        Ways(note=note, is_dotted=True),
        Ways(note=note, is_dotted=True, is_first=True),
    ]
    try:
        return _apply(text, edits, ways)
    except EditError as error:
        raise EditError(f"the keys {', '.join(values)} cannot be added to it: {error}") from None


def apply(text: str, edits: t.Sequence[Change]) -> str:
    """The text after the edits. Everything else is unchanged, or this raises :class:`EditError`."""
    # A block text absorbs an indented comment below it.
    return _apply(text, edits, [Ways(), Ways(has_block_texts=False)])


def _apply(text: str, edits: t.Sequence[Change], ways: t.Sequence[Ways]) -> str:
    if not edits:
        return text
    mark, body = ("\ufeff", text[1:]) if text.startswith("\ufeff") else ("", text)
    windows = "\r\n" in body
    if windows:
        if body.count("\n") != body.count("\r\n"):
            raise EditError("it mixes LF and CRLF")
        body = body.replace("\r\n", "\n")
    result = _edited(body, edits, ways)
    return mark + (result.replace("\n", "\r\n") if windows else result)


def _edited(text: str, edits: t.Sequence[Change], ways: t.Sequence[Ways]) -> str:
    before = yaml_tree.parse(text)
    if before.duplicates or not before.is_mapping:
        raise EditError("it is not a mapping with unique keys")
    return _first_possible(text, edits, before, ways)


def _first_possible(text: str, edits: t.Sequence[Change], before: yaml_tree.Document, ways: t.Sequence[Ways]) -> str:
    first, *others = ways
    try:
        return _with(Editor(text, first), edits, before)
    except EditError:
        if not others:
            raise
    return _first_possible(text, edits, before, others)


def _with(editor: Editor, edits: t.Sequence[Change], before: yaml_tree.Document) -> str:
    for change in edits:
        if change.value is None and change.items is None:
            editor.remove(change.key)
    for change in edits:
        if change.items is not None:
            _set_list(editor, change.key, list(change.items), before.tree())
        elif change.value is not None:
            editor.put(change.key, change.value)
    result = editor.result()
    try:
        after = yaml_tree.parse(result)
        _check_comments(editor, result)
    except yaml_tree.YamlError:
        raise EditError("the edit would leave invalid YAML") from None
    wanted = tree_after(before.tree(), edits)
    if after.tree() != wanted or after.header != before.header or after.duplicates:
        raise EditError("the edit would change more than the key")
    return result


def _check_comments(editor: Editor, result: str) -> None:
    """Each comment that does not belong to a removed key is still there once, in the same order; the note is new."""
    kept = [comment for comment in editor.comments if comment.start not in editor.dropped]
    expected = [(comment.text, comment.alone) for comment in kept]
    found = [(comment.text, comment.alone) for comment in nodes.comments(result)]
    if editor.is_noted:
        with_note = found.index((editor.ways.note, True)) if (editor.ways.note, True) in found else len(found)
        found = found[:with_note] + found[with_note + 1 :]
    if found != expected:
        place = next((index for index, pair in enumerate(zip(expected, found)) if pair[0] != pair[1]), len(found))
        number = nodes.line_number(editor.text, kept[place].start) if place < len(kept) else 1
        raise EditError(f"line {number} cannot be edited without losing comments")
    lines = iter(result.splitlines())
    if not all(line in lines for line in editor.untouched_lines()):
        raise EditError("the edit would change other lines")


# --- lists


def _set_list(editor: Editor, key: str, listed: list[t.Any], tree: Tree) -> None:
    """Give a list its new items. Those that stay at either end, and those that change, keep their lines."""
    had = editor.size_of_list(key)
    if not listed or not had:
        editor.put(key, listed or Value("empty list"))
        return
    old = [_below(f"{key}[{index}]", tree) for index in range(had)]
    new = [_below(key, _flat(key, item)) for item in listed]
    first = 0
    while first < min(had, len(listed)) and old[first] == new[first]:
        first += 1
    last = 0
    while last < min(had, len(listed)) - first and old[-1 - last] == new[-1 - last]:
        last += 1
    both = min(had, len(listed)) - first - last
    for index in range(first, first + both):
        _set_item(editor, f"{key}[{index}]", listed[index], tree)
    for index in range(first + both, had - last):
        editor.remove(f"{key}[{index}]")
    added = listed[first + both : len(listed) - last]
    if added:
        editor.insert_items(key, first + both, added)


def _set_item(editor: Editor, key: str, item: t.Any, tree: Tree) -> None:
    """One item as it is to be, key by key where it is a section before and after."""
    old, new = (
        {name: value for name, value in side.items() if name != key} for side in (_of(key, tree), _flat(key, item))
    )
    names = old.keys() | new.keys()
    if not (old and new and isinstance(item, dict) and all(name.startswith(f"{key}.") for name in names)):
        editor.put(key, item)
        return
    lists = {key + name[len(key) :].partition("[")[0] for name in names if "[" in name[len(key) :]}
    for name in sorted(names):
        if any(yaml_tree.has_prefix(name, one) for one in lists) or old.get(name) == new.get(name):
            continue
        if name in new:
            editor.put(name, new[name])
        else:
            editor.remove(name)
    for name in sorted(lists):
        if _of(name, old) == _of(name, new):
            continue
        found = _descend(item, name[len(key) + 1 :])
        if isinstance(found, list):
            _set_list(editor, name, found, tree)
        elif found is not None:
            editor.put(name, found)
        else:
            editor.remove(name)


def _of(key: str, tree: Tree) -> Tree:
    return {name: value for name, value in tree.items() if yaml_tree.has_prefix(name, key)}


def _below(key: str, tree: Tree) -> Tree:
    return {name[len(key) :]: value for name, value in _of(key, tree).items()}


def _descend(item: t.Any, key: str) -> t.Any:
    """The content of a dotted key of an item."""
    if not key:
        return item
    if isinstance(item, dict):
        for name, value in item.items():
            if key == name or key.startswith(f"{name}."):
                found = _descend(value, key[len(name) + 1 :])
                if found is not None:
                    return found
    return None


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
