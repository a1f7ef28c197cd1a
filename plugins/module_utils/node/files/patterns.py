# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Glob patterns: the only pattern language of the collection's options, rules and profiles.

A pattern must match the complete path. Paths are relative to the engine's directory, or absolute for node files; the
separator is ``/``. Matching is case-sensitive, and names that begin with a dot are not special.

=========  =====================================================================================
``*``      any characters within one component, possibly none
``**``     any characters, also ``/``
``**/``    any number of leading directories, possibly none
``?``      one character, but not ``/``
``[abc]``  one of these characters, but not ``/``; also ``[a-z]``. A ``]`` directly after the ``[`` is part of the set
``[!abc]`` one character except these and ``/``
=========  =====================================================================================

Every other character stands for itself; write ``[*]`` for a literal ``*``. A pattern without ``/`` matches the name of
a file in any directory, so ``*.bak`` is the same as ``**/*.bak``.

Names that have no components, such as keys of YAML files and host names, use the same language without a separator:
``*``, ``**``, ``?`` and ``[]`` match every character there.
"""

from __future__ import annotations

import fnmatch
import functools
import re
import typing as t

from .errors import NodeError


def _bracket_end(pattern: str, start: int) -> int:
    """The index of the ``]`` that closes the ``[`` at start; -1 if there is none."""
    index = start + 1
    if pattern.startswith("!", index):
        index += 1
    return pattern.find("]", index + 1 if pattern.startswith("]", index) else index)


def _translate(pattern: str, separator: str) -> str:
    within = f"[^{separator}]" if separator else "."
    not_separator = f"(?!{separator})" if separator else ""
    out = ["(?:.*/)?"] if separator and separator not in pattern else []
    index = 0
    while index < len(pattern):
        character = pattern[index]
        end = _bracket_end(pattern, index) if character == "[" else -1
        if separator and pattern.startswith(f"**{separator}", index):
            out.append("(?:.*/)?")
            index += 3
        elif pattern.startswith("**", index):
            out.append(".*")
            index += 2
        elif character == "*":
            out.append(f"{within}*")
            index += 1
        elif character == "?":
            out.append(within)
            index += 1
        elif end >= 0:
            # fnmatch returns "(?s:" + the expression + ")\Z".
            out.append(not_separator + fnmatch.translate(pattern[index : end + 1])[4:-3])
            index = end + 1
        else:
            out.append(re.escape(character))
            index += 1
    return "".join(out) + r"\Z"


@functools.lru_cache(maxsize=512)
def compile_pattern(pattern: str, separator: str = "/") -> re.Pattern[str]:
    """Compile any text. What is not a valid pattern stands for itself; options are validated with check_patterns."""
    return re.compile(_translate(pattern, separator), re.DOTALL)


def matches_name(pattern: str, name: str) -> bool:
    """Whether a pattern matches a name without components, such as a key or a host name."""
    return compile_pattern(pattern, "").match(name) is not None


class Patterns:
    """A list of patterns for paths."""

    def __init__(self, patterns: t.Iterable[str]) -> None:
        self._compiled = [compile_pattern(pattern) for pattern in patterns]

    def match(self, path: str) -> bool:
        return any(pattern.match(path) for pattern in self._compiled)


def _problem(pattern: str) -> str:
    if not pattern.strip():
        return "is blank"
    if pattern.endswith("/"):
        return "ends with '/'; append '**' to match all files in the directory"
    components = pattern.lstrip("/").split("/")
    if any(component in ("", ".", "..") for component in components):
        return "has an empty component, '.' or '..'"
    index = 0
    while index < len(pattern):
        if pattern[index] == "[":
            index = _bracket_end(pattern, index)
            if index < 0:
                return "has a '[' without ']'; write '[[]' for a literal '['"
        index += 1
    return ""


def check_patterns(option: str, patterns: t.Iterable[str]) -> None:
    """Validate an option with patterns for paths. One error names all invalid patterns."""
    problems = [f"{pattern!r} {problem}" for pattern in patterns for problem in [_problem(pattern)] if problem]
    if problems:
        raise NodeError(f"{option}: invalid pattern: {', '.join(problems)}.")
