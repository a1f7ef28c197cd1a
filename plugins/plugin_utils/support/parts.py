# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What hosts answer, as it may be in a bundle: names, numbers and sizes are bounded again, and texts masked again.

A host may answer anything, so nothing of its own limits is relied on.
"""

from __future__ import annotations

import json
import re
import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.common import masking
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.text import plain_text

MOST_PARTS = 500
MOST_PROBLEMS = 500
LONGEST_PROBLEM = 500
_LONGEST_TEXT = 300_000
_COMPONENT = re.compile(r"[A-Za-z0-9_@+-][A-Za-z0-9._@+-]{0,119}")
_DEEPEST = 10


class Parts(t.NamedTuple):
    """Texts by their path within the directory of the host, and what is missing."""

    texts: dict[str, str]
    problems: list[str]

    def size(self) -> int:
        return sum(len(text.encode("utf-8", "replace")) for text in self.texts.values())


def is_path(name: str) -> bool:
    """Whether a name is a path that stays below its directory on any system."""
    components = name.split("/")
    return len(components) <= _DEEPEST and all(_COMPONENT.fullmatch(component) for component in components)


def of_facts(answer: t.Any, host_bytes: int, secrets: t.Sequence[str]) -> Parts:
    """From the answer of support_facts."""
    found = Parts({}, [])
    answer = answer if isinstance(answer, t.Mapping) else {}
    parts = answer.get("parts")
    if not isinstance(parts, list):
        found.problems.append(f"The host was not inspected: {problem_of(answer, secrets)}")
        return found
    problems = answer.get("problems")
    for problem in problems[:MOST_PROBLEMS] if isinstance(problems, list) else []:
        found.problems.append(shown(problem, secrets))
    left = host_bytes
    for number, part in enumerate(parts):
        name, text = (part.get("name"), part.get("text")) if isinstance(part, t.Mapping) else (None, None)
        if number >= MOST_PARTS:
            found.problems.append(f"{len(parts) - number} more parts are left out")
            break
        if not isinstance(name, str) or not isinstance(text, str) or not is_path(name) or name in found.texts:
            found.problems.append("A part without a usable name and text is left out")
        elif len(text) > min(_LONGEST_TEXT, left):
            found.problems.append(f"{name}: left out, it is longer than it may be")
        else:
            left -= len(text)
            found.texts[name] = text_of(text, secrets)
    return found


def of_module(name: str, answer: t.Any, host_bytes: int, secrets: t.Sequence[str]) -> Parts:
    """From the answer of a module that inspects the host: as JSON."""
    if not isinstance(answer, t.Mapping) or answer.get("failed"):
        return Parts({}, [f"{name}: {problem_of(answer, secrets)}"])
    content = {key: value for key, value in answer.items() if key not in ("invocation", "changed", "warnings")}
    content = {key: value for key, value in content.items() if not str(key).startswith("_ansible")}
    try:
        text = json.dumps(_masked(content, secrets, 0), indent=1, sort_keys=True, ensure_ascii=False, default=str)
    except (TypeError, ValueError, RecursionError):
        return Parts({}, [f"{name}: left out, it is nested too deeply or has keys of several kinds"])
    if len(text) > min(_LONGEST_TEXT, host_bytes):
        return Parts({}, [f"{name}: left out, it is longer than it may be"])
    return Parts({f"{name}.json": text_of(text, secrets) + "\n"}, [])


def shown(value: t.Any, secrets: t.Sequence[str]) -> str:
    """A message of a host, on one line."""
    return plain_text(masking.masked(str(value)[: 2 * LONGEST_PROBLEM], secrets))[:LONGEST_PROBLEM]


def problem_of(answer: t.Any, secrets: t.Sequence[str]) -> str:
    """Why there is no usable answer."""
    message = answer.get("msg") if isinstance(answer, t.Mapping) else None
    return shown(message, secrets) if message else "it returned no usable result"


def text_of(text: str, secrets: t.Sequence[str]) -> str:
    """Without secrets, and without characters that change how a terminal shows the text."""
    lines = masking.masked(text, secrets).split("\n")
    return "\n".join("\t".join(map(plain_text, line.rstrip("\r").split("\t"))) for line in lines)


def _masked(value: t.Any, secrets: t.Sequence[str], depth: int) -> t.Any:
    """Each text masked on its own first, since a name before it can be far away in the result."""
    if depth > _DEEPEST * 2:
        return "(too deep)"
    if isinstance(value, t.Mapping):
        return {
            text_of(str(key), secrets): masking.MASK
            if isinstance(item, str) and item and masking.must_be_secret(str(key))
            else _masked(item, secrets, depth + 1)
            for key, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        if value and all(isinstance(item, str) for item in value):
            return [text_of(line, secrets) for line in masking.masked_lines(value, secrets)]
        return [_masked(item, secrets, depth + 1) for item in value]
    return text_of(value, secrets) if isinstance(value, str) else value
