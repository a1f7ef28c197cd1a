# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether files other than YAML can be read by the engine at all."""

from __future__ import annotations

import json
import typing as t
from xml.parsers import expat

from ansible_collections.ivy.cluster.plugins.plugin_utils.common.findings import Finding


class _Refused(Exception):
    pass


def check_xml(path: str, data: bytes) -> list[Finding]:
    """Well-formed, and free of declarations by which a reader could be led to other files."""
    parser = expat.ParserCreate()

    def refuse(*_args: t.Any) -> None:
        raise _Refused

    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    try:
        parser.Parse(data, True)
    except _Refused:
        advice = "Remove it; the engine's files need none, and entities can read other files of the node."
        return [
            Finding.in_file(path, parser.CurrentLineNumber, "it has a document type or an entity declaration", advice)
        ]
    except expat.ExpatError as error:
        problem = f"it is not well-formed XML: {expat.ErrorString(error.code)} (column {error.offset + 1})"
        return [Finding.in_file(path, error.lineno, problem, "Correct it; the engine would not start with it.")]
    return []


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
        json.loads(text, object_pairs_hook=pairs)
    except json.JSONDecodeError as error:
        return [
            Finding.in_file(path, error.lineno, f"it is not JSON: {error.msg} (column {error.colno})", "Correct it.")
        ]
    except RecursionError:
        return [Finding.in_file(path, 1, "it is nested too deeply", "Correct it.")]
    return [Finding.in_file(path, 0, f"the key '{key}' is there twice", "Remove one of them.") for key in duplicates]
