# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether files other than YAML can be read by the engine at all."""

from __future__ import annotations

import json
import re
import typing as t
from xml.parsers import expat

from ansible_collections.ivy.cluster.plugins.plugin_utils.common import masking
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.findings import Finding
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.text import plain_text

# What both the parser here and the engine's read alike. For other names, expat asks Python, which knows names that no
# XML reader knows, and raises several kinds of errors for those that it does not know.
_ENCODINGS = re.compile(r"utf-?8|utf-?16|us-ascii|ascii|iso-8859-[0-9]{1,2}|latin-?1|windows-125[0-8]", re.IGNORECASE)


class _Refused(Exception):
    def __init__(self, problem: str, advice: str) -> None:
        self.problem = problem
        self.advice = advice
        super().__init__(problem)


def check_xml(path: str, data: bytes) -> list[Finding]:
    """Well-formed, and free of declarations by which a reader could be led to other files."""
    parser = expat.ParserCreate()

    def refuse(*_args: t.Any) -> None:
        raise _Refused(
            "it has a document type or an entity declaration",
            "Remove it; the engine's files need none, and entities can read other files of the node.",
        )

    def declared(_version: str, encoding: str | None, _standalone: int) -> None:
        if encoding is not None and not _ENCODINGS.fullmatch(encoding):
            raise _unreadable(encoding)

    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    parser.XmlDeclHandler = declared
    try:
        parser.Parse(data, True)
    except _Refused as error:
        return [Finding.in_file(path, parser.CurrentLineNumber, error.problem, error.advice)]
    except (LookupError, ValueError):
        # A number that no encoding of the family has, as in iso-8859-99.
        unreadable = _unreadable("")
        return [Finding.in_file(path, parser.CurrentLineNumber, unreadable.problem, unreadable.advice)]
    except expat.ExpatError as error:
        problem = f"it is not well-formed XML: {expat.ErrorString(error.code)} (column {error.offset + 1})"
        return [Finding.in_file(path, error.lineno, problem, "Correct it; the engine would not start with it.")]
    return []


def _unreadable(encoding: str) -> _Refused:
    shown = f" '{plain_text(encoding[:40])}'" if encoding else ""
    return _Refused(
        f"it declares the encoding{shown}, which cannot be read here",
        'Save it as UTF-8, and write encoding="UTF-8" in its first line.',
    )


def check_json(path: str, text: str) -> list[Finding]:
    duplicates: list[str] = []

    def pairs(items: list[tuple[str, t.Any]]) -> dict[str, t.Any]:
        seen: dict[str, t.Any] = {}
        for key, value in items:
            if key in seen:
                duplicates.append(key)
            seen[key] = value
        return seen

    try:
        # Nobody needs the numbers, and Python refuses to convert very long ones.
        json.loads(text, object_pairs_hook=pairs, parse_int=str, parse_float=str)
    except json.JSONDecodeError as error:
        return [
            Finding.in_file(
                path,
                error.lineno,
                f"it is not JSON: {masking.parser_words(error.msg)} (column {error.colno})",
                "Correct it.",
            )
        ]
    except RecursionError:
        return [Finding.in_file(path, 1, "it is nested too deeply", "Correct it.")]
    return [Finding.in_file(path, 0, f"the key '{key}' is there twice", "Remove one of them.") for key in duplicates]
