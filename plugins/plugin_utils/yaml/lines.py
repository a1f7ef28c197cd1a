# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Exchanging the characters of single keys in a YAML text.

Only changed parts are rewritten. Removing a key removes its lines, the comment at their end, and the comment lines
directly above it. A comment that is separated from the key by a blank line stays, and so does one further right than
the key, which belongs to the section above.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.yaml import nodes, render, tree
from ansible_collections.ivy.cluster.plugins.plugin_utils.yaml.nodes import (
    Entry,
    Node,
    column,
    line_end,
    line_start,
)
from ansible_collections.ivy.cluster.plugins.plugin_utils.yaml.render import Content, Layout
from ansible_collections.ivy.cluster.plugins.plugin_utils.yaml.tree import Value

# The schema's address belongs to the file, and a statement of a template (see adopt_template) to the template.
_NO_KEYS_COMMENT = re.compile(r"#\s*yaml-language-server:|#.*\$schema\b|#IvyJinja\d+End#")
_INDICES = re.compile(r"\[(\d+)\]")
_BEFORE_COMMENT = re.compile(r"([ \t]+)#")


class EditError(ValueError):
    """The edit cannot be made without touching something else. The message quotes no value."""


@dataclasses.dataclass(frozen=True)
class Ways:
    """How an edit is written; some ways are not possible in some texts."""

    # Without them, a text of several lines is one quoted line.
    has_block_texts: bool = True
    # New keys of the root come before its first key instead of after its last one.
    is_first: bool = False
    # New keys are written as dotted keys of the root and not into their sections.
    is_dotted: bool = False
    # A comment above new keys of the root.
    note: str = ""


class Editor:
    """One text and its edits. Keys are named as in the text before the first edit."""

    def __init__(self, text: str, ways: Ways = Ways()) -> None:
        self.text = text
        self.ways = ways
        self.is_noted = False
        self.root = nodes.parse(text)
        self.comments = nodes.comments(text)
        # Where the comments start that go with their keys.
        self.dropped: set[int] = set()
        self._layout = _layout_of(text, self.root, ways.has_block_texts)
        self._by_line = {line_start(text, one.start): one for one in self.comments if one.alone}
        self._removed: set[int] = set()
        # Sections that nobody named, but all of whose keys go.
        self._emptied: set[int] = set()
        self._new: dict[int, Content] = {}
        self._added: dict[int, dict[str, Content]] = {}
        self._items: dict[int, list[tuple[int, list[Content]]]] = {}
        self._top: dict[str, Content] = {}
        self._spans: list[tuple[int, int, str]] = []

    # --- what is asked for

    def remove(self, key: str) -> None:
        way, rest = self._way(key)
        if rest or not way:
            raise EditError(f"'{key}' was not found in it")
        self._removed.add(id(way[-1]))

    def put(self, key: str, content: Content) -> None:
        way, rest = self._way(key)
        if way and not rest:
            self._new[id(way[-1])] = content
            return
        if self.ways.is_dotted:
            self._put_dotted(key, content)
            return
        if any(isinstance(step, int) for step in rest):
            raise EditError(f"'{key}' was not found in it")
        names = [str(step) for step in rest]
        if way and (way[-1].node.is_empty or id(way[-1]) in self._removed):
            _nest(self._new.setdefault(id(way[-1]), {}), names, content, key)
            return
        parent = way[-1].node if way else self.root
        if parent is None or (not way and parent.is_empty and parent.kind == "scalar"):
            _nest(self._top, names, content, key)
        elif parent.kind == "mapping":
            _nest(self._added.setdefault(id(parent), {}), names, content, key)
        else:
            raise EditError(f"'{key}' is below a key that has a value")

    def _put_dotted(self, key: str, content: Content) -> None:
        if self.root is None or self.root.is_empty:
            self._top[key] = content
        else:
            self._added.setdefault(id(self.root), {})[key] = content

    def size_of_list(self, key: str) -> int:
        """How many items a list has; 0 where there is none."""
        way, rest = self._way(key)
        node = way[-1].node if way and not rest else None
        return len(node.entries) if node is not None and node.kind == "sequence" else 0

    def insert_items(self, key: str, position: int, listed: list[Content]) -> None:
        """Add items to a list that has some, before the item that has this position."""
        way, _rest = self._way(key)
        self._items.setdefault(id(way[-1].node), []).append((position, listed))

    def _way(self, key: str) -> tuple[list[Entry], list[str | int]]:
        """The way to a key as far as it exists, and what of the key is left."""
        way: list[Entry] = []
        node, steps = self.root, _steps(key)
        while steps and node is not None:
            found = _next_entry(node, steps)
            if found is None:
                break
            way.append(found[0])
            node, steps = found[0].node, steps[found[1] :]
        return way, steps

    # --- what comes out

    def result(self) -> str:
        if self.root is not None:
            self._propagate(self.root)
            self._write(self.root)
        if self._top:
            self._insert(len(self.text), [*self._note(0), *render.block(self._top, 0, self._layout)])
        self._spans.sort(key=lambda span: span[:2])
        pieces, done = [], 0
        for start, end, new in self._spans:
            if start < done:
                raise EditError("two edits meet in one place")
            pieces += [self.text[done:start], new]
            done = end
        return "".join(pieces) + self.text[done:]

    def untouched_lines(self) -> list[str]:
        """The lines, without their ends, that no edit has a part in."""
        lines, start = [], 0
        for line in self.text.splitlines(keepends=True):
            end = start + len(line)
            if not any(self._meets(span, start, end) for span in self._spans):
                lines.append(line.removesuffix("\n"))
            start = end
        return lines

    @staticmethod
    def _meets(span: tuple[int, int, str], start: int, end: int) -> bool:
        first, last, _new = span
        return start < first < end if first == last else first < end and start < last

    def _propagate(self, node: Node) -> None:
        """A section goes with its last key."""
        for entry in node.entries:
            if id(entry) in self._new or id(entry) in self._removed:
                continue
            self._propagate(entry.node)
            below = entry.node
            if below.kind == "mapping" and below.entries and id(below) not in self._added and not self._kept(below):
                self._removed.add(id(entry))
                self._emptied.add(id(entry))

    def _kept(self, node: Node) -> list[Entry]:
        return [one for one in node.entries if id(one) not in self._removed or id(one) in self._new]

    def _write(self, node: Node) -> None:
        kept = self._kept(node)
        stays = {id(one) for one in kept}
        gone = [one for one in node.entries if id(one) not in stays]
        if node.is_flow:
            self._write_flow(node, kept, gone)
            return
        for entry in kept:
            if id(entry) in self._new:
                self._replace(entry, self._new[id(entry)])
            else:
                self._write(entry.node)
        for entry in gone:
            self._drop(node, entry)
        added = self._added.get(id(node))
        if added:
            indent = column(self.text, node.entries[0].start)
            lines = render.block(added, indent, self._layout)
            if node is self.root:
                lines = [*self._note(indent), *lines]
            if node is self.root and self.ways.is_first:
                self._insert(line_start(self.text, node.entries[0].start), lines)
            else:
                self._insert(line_end(self.text, node.entries[-1].node.end), lines)
        for position, listed in self._items.get(id(node), ()):
            self._insert_block_items(node, position, listed)

    def _note(self, indent: int) -> list[str]:
        self.is_noted = bool(self.ways.note)
        return [" " * indent + self.ways.note] if self.ways.note else []

    def _insert_block_items(self, node: Node, position: int, listed: list[Content]) -> None:
        lines = render.items(listed, column(self.text, node.entries[0].start), self._layout)
        if position:
            self._insert(line_end(self.text, node.entries[position - 1].node.end), lines)
        else:
            self._require_own_line(node.entries[0])
            self._insert(self._start_with_comments(node.entries[0]), lines)

    def _insert(self, place: int, lines: list[str]) -> None:
        new = "".join(f"{line}\n" for line in lines)
        if place and self.text[place - 1] != "\n":
            new = "\n" + new.removesuffix("\n")
        self._spans.append((place, place, new))

    # --- a key goes

    def _drop(self, node: Node, entry: Entry) -> None:
        if not self._begins_its_line(entry):
            self._drop_behind_dash(node, entry)
            return
        start, end = self._start_with_comments(entry), line_end(self.text, entry.node.end)
        self._require_rest_of_line(entry)
        self._spans.append((start, end, ""))
        self.dropped |= {one.start for one in self.comments if start <= one.start < end}

    def _drop_behind_dash(self, node: Node, entry: Entry) -> None:
        """The first key of a section that is an item of a list: the next key takes its place behind the dash."""
        position = node.entries.index(entry)
        following = node.entries[position + 1] if position + 1 < len(node.entries) else None
        if following is None or node.kind != "mapping" or id(following) in self._removed:
            raise self._cannot(entry.start)
        end = line_end(self.text, entry.node.end)
        if any(end <= one.start < following.start for one in self.comments):
            raise self._cannot(entry.start)
        self._require_rest_of_line(entry)
        self._spans.append((entry.start, following.start, ""))
        self.dropped |= {one.start for one in self.comments if entry.start <= one.start < end}

    def _start_with_comments(self, entry: Entry) -> int:
        """Where the lines of a key begin, those of its own comment included."""
        place = line_start(self.text, entry.start)
        while place:
            above = self._by_line.get(line_start(self.text, place - 1))
            if above is None or column(self.text, above.start) > column(self.text, entry.start):
                break
            if _NO_KEYS_COMMENT.match(above.text):
                break
            place = line_start(self.text, place - 1)
        if id(entry) in self._emptied and self.text[:place].strip() in ("", "---"):
            # What a file begins with may be about the file as well.
            return line_start(self.text, entry.start)
        return place

    def _begins_its_line(self, entry: Entry) -> bool:
        return not self.text[line_start(self.text, entry.start) : entry.start].strip()

    def _require_own_line(self, entry: Entry) -> None:
        if not self._begins_its_line(entry):
            raise self._cannot(entry.start)

    def _require_rest_of_line(self, entry: Entry) -> None:
        rest = self.text[entry.node.end : line_end(self.text, entry.node.end)].strip()
        if rest and not rest.startswith("#"):
            raise self._cannot(entry.start)

    def _cannot(self, index: int) -> EditError:
        number = nodes.line_number(self.text, index)
        return EditError(f"line {number} cannot be edited without losing comments or other keys")

    # --- a key gets another value

    def _replace(self, entry: Entry, content: Content) -> None:
        node = entry.node
        if node.is_marked:
            number = nodes.line_number(self.text, node.start)
            raise EditError(f"the value in line {number} has an anchor or a tag")
        if node.is_flow and any(node.start < one.start < node.end for one in self.comments):
            raise self._cannot(node.start)
        indent = column(self.text, entry.start)
        if entry.key is None:
            first, *rest = render.behind_dash(content, indent, self._layout)
            self._behind_dash(node, self._one_line(first, rest, content, node), rest)
            return
        first, *rest = render.after(content, indent, self._layout)
        self._behind_colon(entry, self._one_line(first.lstrip(" "), rest, content, node), rest)

    @staticmethod
    def _one_line(first: str, rest: list[str], content: Content, old: Node) -> str:
        """In the old quotes where the value is one line; ``rest`` says whether it is."""
        if rest or not isinstance(content, Value):
            return first
        return render.scalar(content, old.style if old.kind == "scalar" else "")

    def _behind_dash(self, node: Node, first: str, rest: list[str]) -> None:
        if not node.is_flow and node.kind in ("mapping", "sequence"):
            self.dropped |= {one.start for one in self.comments if node.start <= one.start < node.end}
        self._exchange(node.start, node.end, first, rest)

    def _behind_colon(self, entry: Entry, first: str, rest: list[str]) -> None:
        node = entry.node
        colon = self._colon(entry)
        if node.kind in ("scalar", "alias") or node.is_flow:
            if first:
                self._exchange(node.start, node.end, first, rest)
            else:
                self._exchange(colon, node.end, "", rest)
            return
        # The section's lines go, and the comment at the end of the key's own line stays.
        start, end = line_end(self.text, colon), line_end(self.text, node.end)
        if not self.text[colon:start].partition("#")[0].isspace() and start <= node.start:
            raise self._cannot(entry.start)
        self.dropped |= {one.start for one in self.comments if start <= one.start < end}
        if first:
            self._spans.append((colon, colon, f" {first}"))
        self._spans.append((start, end, "".join(f"{line}\n" for line in rest)))

    def _exchange(self, start: int, end: int, first: str, rest: list[str]) -> None:
        """Other characters for a value; the lines behind its first come below the comment at the end of its line."""
        header = next((one for one in self.comments if start < one.start < end and not one.alone), None)
        stop = line_end(self.text, end)
        if header is not None and self.text[start : start + 1] in ("|", ">"):
            # It stands behind the sign of a block text.
            first = f"{first}  {header.text}"
        space = " " if first and start == end and self.text[start - 1 : start] in (":", "-") else ""
        self._spans.append((start, end, space + first + self._realigned(start, end, first)))
        if rest:
            self._insert(stop, rest)

    def _realigned(self, start: int, end: int, new: str) -> str:
        """Keep the comment behind a value in its column, where there is room: as spaces to add, or as an edit."""
        found = _BEFORE_COMMENT.match(self.text, end)
        if not new or found is None or len(found[1]) < 2 or "\t" in found[1] or "\n" in self.text[start:end]:
            return ""
        grown = len(new) - (end - start)
        if grown < 0:
            return " " * -grown
        spare = min(grown, len(found[1]) - 1)
        if spare:
            self._spans.append((end, end + spare, ""))
        return ""

    def _colon(self, entry: Entry) -> int:
        """Behind the colon of a key."""
        key = t.cast(Node, entry.key)
        place = key.end
        while self.text[place : place + 1] == " ":
            place += 1
        if self.text[place : place + 1] != ":":
            raise self._cannot(entry.start)
        return place + 1

    # --- collections in braces and brackets

    def _write_flow(self, node: Node, kept: list[Entry], gone: list[Entry]) -> None:
        for entry in kept:
            if id(entry) not in self._new:
                self._write(entry.node)
                continue
            if entry.node.is_marked or entry.node.kind in ("mapping", "sequence"):
                self._refuse_comments(entry.node.start, entry.node.end)
            content = self._new[id(entry)]
            inline = isinstance(content, Value) and entry.node.style in ("'", '"')
            new = render.scalar(content, entry.node.style) if inline else render.flow(content)
            space = " " if entry.node.start == entry.node.end else ""
            self._spans.append((entry.node.start, entry.node.end, space + new))
        added = self._flow_added(node)
        if not kept and (gone or added):
            self._refuse_comments(node.start, node.end)
            self._spans.append((node.start + 1, node.end - 1, ", ".join(new for _place, new in added)))
            return
        self._drop_from_flow(node, kept, gone)
        for position, new in added:
            if position:
                place = node.entries[position - 1].node.end
                self._spans.append((place, place, f", {new}"))
            else:
                self._spans.append((node.entries[0].start, node.entries[0].start, f"{new}, "))

    def _flow_added(self, node: Node) -> list[tuple[int, str]]:
        """What comes into a collection, each with the number of entries that it comes behind."""
        if node.kind == "mapping":
            added = self._added.get(id(node))
            return [(len(node.entries), render.flow(added)[1:-1])] if added else []
        return [(position, render.flow(listed)[1:-1]) for position, listed in self._items.get(id(node), ())]

    def _drop_from_flow(self, node: Node, kept: list[Entry], gone: list[Entry]) -> None:
        first = node.entries.index(kept[0]) if kept else 0
        for entry in gone:
            position = node.entries.index(entry)
            if position < first:
                start, end = entry.start, node.entries[position + 1].start
            else:
                start, end = node.entries[position - 1].node.end, entry.node.end
            self._refuse_comments(start, end)
            self._spans.append((start, end, ""))

    def _refuse_comments(self, start: int, end: int) -> None:
        if any(start <= one.start < end for one in self.comments):
            raise self._cannot(start)


def _steps(key: str) -> list[str | int]:
    steps: list[str | int] = []
    for part in tree.split_key(key):
        steps.append(part.partition("[")[0] if _INDICES.search(part) else part)
        steps += [int(number) for number in _INDICES.findall(part)]
    return steps


def _next_entry(node: Node, steps: list[str | int]) -> tuple[Entry, int] | None:
    """The entry that the first steps lead to, and how many they are: a name may have dots in it."""
    if isinstance(steps[0], int):
        inside = node.kind == "sequence" and steps[0] < len(node.entries)
        return (node.entries[steps[0]], 1) if inside else None
    if node.kind != "mapping":
        return None
    entries = {entry.name: entry for entry in node.entries}
    run = next((size for size, step in enumerate(steps) if isinstance(step, int)), len(steps))
    for size in range(run, 0, -1):
        entry = entries.get(".".join(str(step) for step in steps[:size]))
        # A name that leads nowhere is not the way: the rest may lie below a shorter one.
        if entry is not None and (size == len(steps) or entry.node.kind in ("mapping", "sequence") or size == 1):
            return entry, size
    return None


def _nest(content: Content, names: list[str], value: Content, key: str) -> None:
    """Put a value into new sections, next to what is in them already."""
    for name in names[:-1]:
        content = content.setdefault(name, {}) if isinstance(content, dict) else None
    if not isinstance(content, dict) or names[-1] in content:
        raise EditError(f"'{key}' is below a key that has a value")
    content[names[-1]] = value


def _layout_of(text: str, root: Node | None, has_block_texts: bool) -> Layout:
    columns = {len(line) - len(line.lstrip(" ")) for line in text.splitlines() if line.strip(" -") and line[0] == " "}
    offset = _list_offset(text, root) if root is not None else None
    return Layout(min(columns, default=2), offset or 0, has_block_texts)


def _list_offset(text: str, node: Node) -> int | None:
    for entry in node.entries:
        below = entry.node
        if entry.key is not None and below.kind == "sequence" and not below.is_flow and below.entries:
            return max(0, column(text, below.entries[0].start) - column(text, entry.start))
        found = _list_offset(text, below)
        if found is not None:
            return found
    return None
