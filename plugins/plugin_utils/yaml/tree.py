# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""YAML as a tree of keys, with lines.

The engine reads ``SystemDb.Url: x`` and ``SystemDb: {Url: x}`` alike and takes every value as a text, so a document is
flattened to dotted keys and texts. Nothing is resolved by YAML's rules for types: ``8080`` and ``"8080"`` are the same.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.common import masking

try:
    import yaml

    HAS_YAML = True
except ImportError:  # pragma: no cover
    HAS_YAML = False

# Far above any real configuration; a document that unfolds to more does so through its aliases.
MAX_LEAVES = 50_000
MAX_DEPTH = 500
MAX_TEXT = 4 << 20
MAX_NODES = 200_000
MAX_KEY = 4096
# All keys and values together. One long key above a long list, or one long value with many aliases, would take the
# memory of the controller.
MAX_UNFOLDED = 16 << 20
# The parser that is not written in C takes a minute for a longer text.
_SMALL = 256 << 10

_HEADER = re.compile(r"#\s*yaml-language-server:\s*\$schema=(\S+)\s*")
_STANDARD_TAG = "tag:yaml.org,2002:"
_NULLS = ("", "~", "null", "Null", "NULL")


class YamlError(ValueError):
    """The text is not usable YAML. The message never quotes the text, which may hold secrets."""

    def __init__(self, line: int, problem: str) -> None:
        self.line = line
        self.problem = problem
        super().__init__(f"line {line}: {problem}")


class SeveralDocumentsError(YamlError):
    """The text is YAML, but not one tree of keys."""


@dataclasses.dataclass(frozen=True)
class Value:
    """The content of a key: a text, or one of the three kinds that are not text."""

    kind: t.Literal["text", "null", "empty mapping", "empty list"]
    text: str = ""

    def __str__(self) -> str:
        return self.text if self.kind == "text" else f"({self.kind})"


@dataclasses.dataclass(frozen=True)
class Leaf:
    key: str
    value: Value
    line: int
    tag: str = ""


@dataclasses.dataclass(frozen=True)
class Duplicate:
    """A key that one mapping holds twice, which YAML forbids and most readers pass over in silence."""

    key: str
    line: int
    first_line: int


@dataclasses.dataclass(frozen=True)
class Document:
    """A parsed text. ``header`` is the address of its schema, empty where it names none."""

    header: str
    header_line: int
    leaves: tuple[Leaf, ...]
    duplicates: tuple[Duplicate, ...]
    is_mapping: bool

    def tree(self) -> dict[str, Value]:
        """The keys and what they hold; of a key that is there twice, the later one."""
        return {leaf.key: leaf.value for leaf in self.leaves}


def parse(text: str) -> Document:
    root = _compose_fast(text)
    leaves: list[Leaf] = []
    duplicates: list[Duplicate] = []
    if root is not None and not _is_null(root):
        try:
            _walk(root, "", leaves, duplicates, (), _Budget())
        except RecursionError:
            raise YamlError(1, "it is nested too deeply") from None
    header, header_line = read_header(text)
    is_mapping = root is None or _is_null(root) or isinstance(root, yaml.MappingNode)
    return Document(header, header_line, tuple(leaves), tuple(duplicates), is_mapping)


def compose(text: str) -> t.Any:
    """The root node of the only document, or None where there is no content."""
    try:
        # The pure Python loader: its messages and marks are the same on every controller.
        return yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        raise error_in(text, error) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, int(error.position)) + 1
        raise YamlError(line, "a character that YAML does not allow") from None
    except RecursionError:
        raise YamlError(1, "it is nested too deeply") from None


def error_in(text: str, error: t.Any) -> YamlError:
    """What a parser refuses and where, without its excerpt of the text and without names that it quotes of it."""
    mark = error.problem_mark or error.context_mark
    problem = " ".join(part for part in (error.context, error.problem) if part)
    line = mark.line + 1 if mark else 1
    if isinstance(error, yaml.composer.ComposerError) and "single document" in problem:
        return SeveralDocumentsError(line, "a second document starts here, the file may hold one only")
    if mark and text[mark.index : mark.index + 1] == "\t":
        return YamlError(line, "a tab; use spaces")
    return YamlError(line, masking.parser_words(problem) or "it is not YAML")


def _compose_fast(text: str) -> t.Any:
    """The same tree by the parser written in C, ten times as fast. Whatever it refuses, the other one judges.

    It takes the process down where a text is nested very deeply, and texts come from nodes too. It also takes tabs
    between values, which the editor's parser and the engine's refuse.
    """
    if len(text) > MAX_TEXT:
        raise YamlError(1, f"it is longer than {MAX_TEXT} characters")
    has_tab = "\t" in text
    if not hasattr(yaml, "CSafeLoader") or (has_tab and len(text) <= _SMALL and _deepest_possible(text) <= MAX_DEPTH):
        return compose(text)
    if _deepest_possible(text) > MAX_DEPTH or _most_possible(text) > MAX_NODES:
        _check_events(text)
    try:
        root = yaml.compose(text, Loader=yaml.CSafeLoader)
    except (yaml.YAMLError, RecursionError, UnicodeEncodeError) as error:
        if len(text) <= _SMALL:
            return compose(text)
        if isinstance(error, yaml.MarkedYAMLError):
            raise error_in(text, error) from None
        raise YamlError(1, "it is not YAML, or has a character that YAML does not allow") from None
    if has_tab:
        _refuse_tabs(text)
    return root


def _refuse_tabs(text: str) -> None:
    """Refuse a tab that is neither in quotes, nor in a block of text, nor in a comment."""
    end = 0
    for token in yaml.scan(text, Loader=yaml.CSafeLoader):
        start, previous_end, end = token.start_mark.index, end, token.end_mark.index
        _refuse_tab_between(text, previous_end, start)
        style = token.style if isinstance(token, yaml.ScalarToken) else None
        if not style:
            _refuse_tab_between(text, start, end)
        elif style in "|>":
            _refuse_tab_between(text, start, max(start, text.find("\n", start, end)))
    _refuse_tab_between(text, end, len(text))


def _refuse_tab_between(text: str, start: int, end: int) -> None:
    line_start = start
    while (tab := text.find("\t", start, end)) >= 0:
        line_start = max(line_start, text.rfind("\n", line_start, tab) + 1)
        if "#" not in text[line_start:tab]:
            raise YamlError(text.count("\n", 0, tab) + 1, "a tab; use spaces")
        start = text.find("\n", tab, end)
        if start < 0:
            return


def _check_events(text: str) -> None:
    """Refuse a text with too many values or levels before anything is built of it."""
    depth = nodes = 0
    try:
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            if isinstance(event, yaml.NodeEvent):
                nodes += 1
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
            line = event.start_mark.line + 1 if event.start_mark else 1
            if depth > MAX_DEPTH:
                raise YamlError(line, "it is nested too deeply")
            if nodes > MAX_NODES:
                raise YamlError(line, f"it has more than {MAX_NODES} values")
    except (yaml.YAMLError, UnicodeEncodeError):
        # Whoever builds the tree reports it.
        return


def _most_possible(text: str) -> int:
    """An upper bound of the number of values: each but the first comes after one of these characters."""
    return 2 + 2 * sum(text.count(one) for one in ",:?-[{\n")


def _deepest_possible(text: str) -> int:
    """An upper bound: a level is opened by a bracket, or lies further right than the one around it."""
    indentation = max((len(line) - len(line.lstrip(" \t-?:")) for line in text.splitlines()), default=0)
    return text.count("[") + text.count("{") + indentation


def read_header(text: str) -> tuple[str, int]:
    """The schema's address and its line, looked for in the comments before the first content."""
    for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), start=1):
        stripped = line.strip()
        if stripped and not stripped.startswith("#"):
            break
        match = _HEADER.fullmatch(stripped)
        if match is not None:
            return match[1], number
    return "", 0


def split_key(key: str) -> list[str]:
    return key.split(".")


def has_prefix(key: str, prefix: str) -> bool:
    """Whether ``key`` is ``prefix`` or is below it."""
    return key == prefix or key.startswith((f"{prefix}.", f"{prefix}["))


def _is_null(node: t.Any) -> bool:
    return isinstance(node, yaml.ScalarNode) and not node.style and node.value in _NULLS


class _Budget:
    """Counts what a document unfolds to."""

    def __init__(self) -> None:
        self.left = MAX_UNFOLDED

    def take(self, text: str, line: int) -> str:
        self.left -= len(text)
        if self.left < 0:
            raise YamlError(line, f"it unfolds to more than {MAX_UNFOLDED} characters")
        return text

    def key(self, path: str, name: str, line: int) -> str:
        if len(path) + len(name) > MAX_KEY:
            raise YamlError(line, f"a key is longer than {MAX_KEY} characters")
        return self.take(path + name, line)


def _walk(
    node: t.Any,
    path: str,
    leaves: list[Leaf],
    duplicates: list[Duplicate],
    above: tuple[int, ...],
    budget: _Budget,
) -> None:
    line = node.start_mark.line + 1
    if id(node) in above:
        raise YamlError(line, "an alias refers to its own container")
    if len(leaves) > MAX_LEAVES:
        raise YamlError(line, f"its aliases unfold to more than {MAX_LEAVES} values")
    above = (*above, id(node))
    tag = "" if node.tag.startswith(_STANDARD_TAG) else node.tag
    if isinstance(node, yaml.MappingNode):
        if not node.value and path:
            leaves.append(Leaf(path, Value("empty mapping"), line, tag))
        seen: dict[str, int] = {}
        for key_node, value_node in node.value:
            key_line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                raise YamlError(key_line, "a key is not a text")
            key = budget.key(f"{path}." if path else "", str(key_node.value), key_line)
            if key in seen:
                duplicates.append(Duplicate(key, key_line, seen[key]))
            seen.setdefault(key, key_line)
            first = len(leaves)
            _walk(value_node, key, leaves, duplicates, above, budget)
            if len(leaves) == first + 1 and leaves[first].key == key:
                # Block texts start on the line below; a person looks for the key.
                leaves[first] = dataclasses.replace(leaves[first], line=key_line)
    elif isinstance(node, yaml.SequenceNode):
        if not node.value:
            leaves.append(Leaf(path, Value("empty list"), line, tag))
        for index, item in enumerate(node.value):
            _walk(item, budget.key(path, f"[{index}]", line), leaves, duplicates, above, budget)
    else:
        value = Value("null") if _is_null(node) else Value("text", budget.take(_text(node), line))
        leaves.append(Leaf(path, value, line, tag))


def _text(node: t.Any) -> str:
    value = str(node.value)
    if not node.style and value in ("True", "TRUE", "False", "FALSE"):
        return value.lower()
    return value
