# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where in a YAML text its nodes and its comments are, for edits that leave all other characters alone."""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.yaml.tree import YamlError, error_in

try:
    import yaml

    HAS_YAML = True
except ImportError:  # pragma: no cover
    HAS_YAML = False

# YAML ends lines at these as well; an edit counts lines by line feeds only.
_OTHER_BREAKS = re.compile("[\r\x85\u2028\u2029]")
_BLOCK_HEADER = re.compile(r"[|>][-+0-9]*[ \t]+(#[^\n]*)")
_COMMENT = re.compile(r"#[^\n]*")

Kind = t.Literal["scalar", "alias", "mapping", "sequence"]


@dataclasses.dataclass(eq=False)
class Node:
    """A node and its characters: ``end`` is behind its last one, without the line feed of a block text."""

    kind: Kind
    start: int
    end: int
    text: str = ""
    style: str = ""
    is_flow: bool = False
    # An anchor or a tag belongs to the value that it was written for.
    is_marked: bool = False
    entries: list[Entry] = dataclasses.field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        """No value at all, or a collection without entries."""
        if self.kind == "scalar":
            return not self.style and self.text in ("", "~", "null", "Null", "NULL")
        return self.kind != "alias" and not self.entries


@dataclasses.dataclass(eq=False)
class Entry:
    """A key of a mapping with its value, or an item of a sequence; ``start`` is where its key or its dash is."""

    name: str | int
    start: int
    node: Node
    key: Node | None = None


@dataclasses.dataclass(frozen=True)
class Comment:
    start: int
    text: str
    # Whether its line contains nothing else.
    alone: bool


def parse(text: str) -> Node | None:
    """The root of the only document; None where the text has no content."""
    if _OTHER_BREAKS.search(text):
        raise YamlError(1, "it holds line breaks of several kinds")
    try:
        return _Reader(text).root()
    except yaml.MarkedYAMLError as error:
        raise error_in(text, error) from None
    except (yaml.YAMLError, RecursionError):
        raise YamlError(1, "it cannot be read") from None


def comments(text: str) -> list[Comment]:
    """All comments in their order. They lie between the tokens, and behind the sign that a block text begins with."""
    found: list[Comment] = []
    done = 0
    for token in yaml.scan(text, Loader=yaml.SafeLoader):
        start, end = token.start_mark.index, token.end_mark.index
        found += _between(text, done, start)
        if isinstance(token, yaml.ScalarToken) and token.style in ("|", ">"):
            header = _BLOCK_HEADER.match(text, start, end)
            if header is not None:
                found.append(Comment(header.start(1), header[1].rstrip(), alone=False))
        done = max(done, end)
    return found + _between(text, done, len(text))


def _between(text: str, start: int, end: int) -> list[Comment]:
    return [
        Comment(match.start(), match[0].rstrip(), not text[line_start(text, match.start()) : match.start()].strip())
        for match in _COMMENT.finditer(text, start, end)
    ]


def line_start(text: str, index: int) -> int:
    return text.rfind("\n", 0, index) + 1


def line_end(text: str, index: int) -> int:
    """Behind the line feed of the line, or the end of the text."""
    found = text.find("\n", index)
    return len(text) if found < 0 else found + 1


def column(text: str, index: int) -> int:
    return index - line_start(text, index)


def line_number(text: str, index: int) -> int:
    return text.count("\n", 0, index) + 1


class _Reader:
    """Makes nodes of the parser's events, whose marks are exact except for the ends of collections and block texts."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.events: t.Iterator[t.Any] = iter(yaml.parse(text, Loader=yaml.SafeLoader))
        tokens: t.Iterator[t.Any] = yaml.scan(text, Loader=yaml.SafeLoader)
        self.dashes = [token.start_mark.index for token in tokens if isinstance(token, yaml.BlockEntryToken)]
        self.next_dash = 0

    def root(self) -> Node | None:
        found = None
        for event in self.events:
            if isinstance(event, yaml.DocumentStartEvent):
                found = self._node(next(self.events))
        return found

    def _node(self, event: t.Any) -> Node:
        start, end = event.start_mark.index, event.end_mark.index
        if isinstance(event, yaml.AliasEvent):
            return Node("alias", start, end)
        marked = event.anchor is not None or (event.tag is not None and event.tag != "!")
        if isinstance(event, yaml.ScalarEvent):
            style = event.style or ""
            return Node("scalar", start, self._scalar_end(start, end, style), event.value, style, is_marked=marked)
        kind: Kind = "mapping" if isinstance(event, yaml.MappingStartEvent) else "sequence"
        made = Node(kind, start, end, is_flow=bool(event.flow_style), is_marked=marked)
        self._fill(made)
        return made

    def _fill(self, made: Node) -> None:
        while True:
            event: t.Any = next(self.events)
            if isinstance(event, yaml.CollectionEndEvent):
                if made.is_flow:
                    made.end = t.cast(t.Any, event).end_mark.index
                elif made.entries:
                    made.end = max(made.end, made.entries[-1].node.end)
                return
            if made.kind == "mapping":
                key = self._node(event)
                value = self._node(next(self.events))
                made.entries.append(Entry(key.text, key.start, value, key))
                continue
            dash = None if made.is_flow else self._dash()
            item = self._node(event)
            made.entries.append(Entry(len(made.entries), item.start if dash is None else dash, item))

    def _dash(self) -> int:
        """Items are in the order of their dashes; those of an inner sequence follow the dash of that sequence."""
        self.next_dash += 1
        return self.dashes[self.next_dash - 1]

    def _scalar_end(self, start: int, end: int, style: str) -> int:
        if style not in ("|", ">"):
            return end
        header = self.text[start : line_end(self.text, start)].partition("#")[0]
        if "+" in header:
            return end - 1 if self.text[end - 1 : end] == "\n" else end
        return start + len(self.text[start:end].rstrip(" \n"))
