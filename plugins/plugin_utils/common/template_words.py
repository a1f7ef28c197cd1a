# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The words of templates, among them the names of the variables that they use.

Ansible wraps each variable that a template gets, for each template again, and a look-up of a template copies all of
them. The variables of all roles are a thousand, and a template uses a few.
"""

from __future__ import annotations

import functools
import re
import typing as t
from pathlib import Path

# Stands for all variables among the words of a template.
OTHERS = "*"
_NAME = re.compile(r"[A-Za-z_]\w*")
# A file of the role's templates: a name, or nothing for one of them.
_FILE = "*templates/"
_OF_ROLE = re.compile(
    r"\blookup\(\s*'ansible\.builtin\.template',\s*(?:role_path ~ '/templates/|'([\w.-]+)'\s*[,)])"
    r"|\{%[-+]?\s*include\s*'([\w.-]+)'\s*[-+]?%\}"
)
# Where a template may use variables that it does not name: by a name that it makes up, or in another file. Look-ups of
# some kinds do not.
_USES_OTHERS = re.compile(
    r"\b(?:lookup|q|query|vars)\b"
    r"(?!\(\s*'(?:(?:ansible\.builtin\.)?(?:env|file|pipe)|ivy\.cluster\.sso_headers)')"
    # In a text or a comment it is a word like others.
    r"\s*[][(){}.,:=|~%]"
    r"|\{%[-+]?\s*(?:extends|from|import|include)\b|\A#jinja2:"
)
# What look-ups of files use.
_OF_LOOKUPS = ("ansible_search_path", "role_path")
_NONE: frozenset[str] = frozenset()
# Variables of Ansible that contain no templates of this host.
OF_ALL_HOSTS = frozenset({"groups", "hostvars"})


def usable(variables: t.Mapping[str, t.Any], words: t.Collection[str]) -> dict[str, t.Any]:
    """The variables that a template can use whose words, with those behind them, are given."""
    if OTHERS in words:
        return dict(variables)
    return {name: variables[name] for name in {*_OF_LOOKUPS, *words} & variables.keys()}


def behind(variables: t.Mapping[str, t.Any], words: t.Collection[str], role: Path | None = None) -> frozenset[str]:
    """These words and those of the templates that they lead to; ``role`` is the role whose templates are found."""
    found = set(words)
    waiting = found - OF_ALL_HOSTS
    while waiting:
        word = waiting.pop()
        more = _of_file(role, word) if word.startswith(_FILE) else words_of(variables.get(word))
        new = more - found
        found |= new
        waiting |= new - OF_ALL_HOSTS
    return frozenset(found)


def words_of(value: t.Any) -> frozenset[str]:
    """The words of all templates in a value."""
    if isinstance(value, str):
        return _NONE if is_literal(value) else _words_in(value)
    if isinstance(value, dict):
        return _NONE.union(*map(words_of, value), *map(words_of, value.values()))
    if isinstance(value, (list, tuple)):
        return _NONE.union(*map(words_of, value))
    # A value that is encrypted may be a template.
    return _NONE if is_literal(value) else frozenset({OTHERS})


def is_literal(value: t.Any) -> bool:
    """Whether a value means itself. Most do, and to find that out by templating takes most of the time."""
    if isinstance(value, str):
        return "{{" not in value and "{%" not in value and "{#" not in value and not value.startswith("#jinja2:")
    if isinstance(value, dict):
        return all(is_literal(item) for item in (*value, *value.values()))
    if isinstance(value, list):
        return all(is_literal(item) for item in value)
    return value is None or isinstance(value, (bool, int, float))


@functools.cache
def _words_in(text: str) -> frozenset[str]:
    words = set(_NAME.findall(text))
    for match in _OF_ROLE.finditer(text):
        words.add(f"{_FILE}{match[1] or match[2] or ''}")
    if _USES_OTHERS.search(_OF_ROLE.sub("", text)):
        words.add(OTHERS)
    return frozenset(words)


def _of_file(role: Path | None, word: str) -> frozenset[str]:
    """The words of all templates of a role, one of which is used."""
    directory = role / "templates" if role else None
    if directory is None or not (directory / word[len(_FILE) :]).exists():
        return frozenset({OTHERS})
    return _words_in_files(directory)


@functools.cache
def _words_in_files(directory: Path) -> frozenset[str]:
    files = [file for file in directory.rglob("*") if file.is_file()]
    return _NONE.union(*(_words_in(file.read_text(encoding="utf-8", errors="replace")) for file in files))
