# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A template as plain YAML, for the time of an edit: each piece of Jinja becomes a word or a comment, and back."""

from __future__ import annotations

import re

_JINJA = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)
_WORD = re.compile(r"IvyJinja(\d+)End")
_BRACE = {"{{": "{{ '{{' }}", "{%": "{{ '{%' }}", "{#": "{{ '{#' }}"}


class TemplateError(ValueError):
    """The template cannot be taken apart, or not be put together again."""


class Disguise:
    """A template's text without Jinja, and what stood where."""

    def __init__(self, source: str, values: str = "") -> None:
        """Values are what the edit will write into the text."""
        if _WORD.search(source) or _WORD.search(values):
            raise TemplateError("it holds a word that is needed for the edit")
        self._pieces: list[str] = []
        text = _JINJA.sub(self._hide, source)
        # A statement that is alone on its line is not part of the YAML.
        self.text = re.sub(r"(?m)^([ \t]*)(IvyJinja\d+End)[ \t]*$", self._as_comment, text)

    def _hide(self, match: re.Match[str]) -> str:
        self._pieces.append(match[0])
        return f"IvyJinja{len(self._pieces) - 1}End"

    def _as_comment(self, match: re.Match[str]) -> str:
        if self._piece(match[2]).startswith("{{"):
            return match[0]
        return f"{match[1]}#{match[2]}#"

    def _piece(self, word: str) -> str:
        found = _WORD.fullmatch(word)
        return self._pieces[int(found[1])] if found else ""

    def expressions(self, value: str) -> list[str]:
        """The pieces of Jinja in a value of the disguised text."""
        return [self._pieces[int(number)] for number in _WORD.findall(value)]

    def restore(self, text: str) -> str:
        """The template again; every piece that is still there must be there once, and every statement must be."""
        left = [int(number) for number in _WORD.findall(text)]
        statements = {index for index, piece in enumerate(self._pieces) if not piece.startswith("{{")}
        if len(left) != len(set(left)) or not statements <= set(left) or left != sorted(left):
            raise TemplateError("the edit would move or lose what the template does")
        text = re.sub(r"#(IvyJinja\d+End)#", r"\1", text)
        return _WORD.sub(lambda match: self._pieces[int(match[1])], text)


def literal(text: str) -> str:
    """A text as a template that gives this very text."""
    return re.sub(r"\{[{%#]", lambda match: _BRACE[match[0]], text)
