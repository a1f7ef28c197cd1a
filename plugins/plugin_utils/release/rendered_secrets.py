# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets that Ansible takes for templates without an error, so that the hosts get another secret than was written."""

from __future__ import annotations

import contextlib
import typing as t

from ansible.template import is_trusted_as_template

from ansible_collections.ivy.cluster.plugins.plugin_utils.common import masking
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.findings import Finding

try:
    import jinja2

    HAS_JINJA2 = True
except ImportError:  # pragma: no cover
    HAS_JINJA2 = False

UNSAFE_ADVICE = "If it is a text that contains {{, {% or {#, and not a template, put !unsafe before it."
_SIGNS = ("{{", "{%", "{#")
_WORDS = frozenset(
    [
        *("and", "as", "block", "call", "context", "do", "elif", "else", "endblock", "endcall", "endfilter", "endfor"),
        *("endif", "endmacro", "endset", "endwith", "false", "False", "filter", "for", "from", "if", "ignore"),
        *("import", "in", "include", "is", "macro", "none", "None", "not", "or", "recursive", "set", "true", "True"),
        *("with", "without"),
    ]
)


def find(variables: t.Mapping[str, t.Any], names: t.Iterable[str]) -> list[str]:
    """The places of texts that rendering changes although they refer to nothing; also in secrets they refer to."""
    found: list[str] = []
    seen: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop(0)
        if name in seen or name not in variables:
            continue
        seen.add(name)
        for path, text in _templates(variables[name], name):
            changes, references = _inspect(text)
            if changes:
                found.append(path)
            waiting += [one for one in references if one.startswith("vault") or masking.is_secret_key(one)]
    return found


def findings(by_host: t.Mapping[str, t.Mapping[str, t.Any]], names: t.Sequence[str]) -> list[tuple[str, list[str]]]:
    """Each place with the hosts on which it is one."""
    places: dict[str, list[str]] = {}
    for host, variables in by_host.items():
        for path in find(variables, names):
            places.setdefault(path, []).append(host)
    return list(places.items())


def problem_of(path: str) -> Finding:
    problem = f"{path} contains {{{{, {{% or {{#, so Ansible renders it, and the hosts would get another secret"
    return Finding.in_file("", 0, problem, UNSAFE_ADVICE)


def _templates(value: t.Any, path: str) -> t.Iterator[tuple[str, str]]:
    if isinstance(value, t.Mapping):
        for key, item in value.items():
            yield from _templates(item, f"{path}.{key}")
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from _templates(item, f"{path}[{index}]")
    elif is_trusted_as_template(value):
        # What the vault encrypts cannot be read without its password, which is reported elsewhere.
        with contextlib.suppress(Exception):
            text = "".join((str(value), ""))
            if any(sign in text for sign in _SIGNS):
                yield path, text


def _inspect(text: str) -> tuple[bool, list[str]]:
    """Whether a part of a text is rendered without a reference to anything, and the names that others refer to."""
    changes, references = False, []
    part: list[tuple[str, str]] = []
    try:
        for _line, kind, token in jinja2.Environment().lex(text):
            if kind == "comment_begin":
                changes = True
            elif kind in ("variable_begin", "block_begin"):
                part = []
            elif kind in ("variable_end", "block_end"):
                names = _names_in(part)
                references += names
                is_end = kind == "block_end" and bool(part) and part[0][1].startswith(("end", "else"))
                # A text in quotes alone is how Jinja itself writes such signs.
                is_text = [one for one, _token in part] == ["string"]
                changes = changes or not (names or is_end or is_text)
            elif kind != "whitespace":
                part.append((kind, token))
    except jinja2.TemplateSyntaxError:
        # Reported where the value is used.
        return False, []
    return changes, references


def _names_in(part: t.Sequence[tuple[str, str]]) -> list[str]:
    """Names of variables and functions, and not of attributes and filters."""
    before = [("", ""), *part]
    return [
        token
        for (_kind, previous), (kind, token) in zip(before, part)
        if kind == "name" and previous not in (".", "|", "is", "set", "for") and token not in _WORDS
    ]
