# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A text as it may be shown."""

from __future__ import annotations

import html
import json
import os
import re
import typing as t
import urllib.parse

from .spans import Span, replaced

MASK = "********"
# Shorter ones would be found inside harmless words.
_SHORTEST = 3
_LONG = 16
# Far above any message, any file of a configuration and any end of a log.
LONGEST = 512 << 10

_LONGEST_FAILURE = 2000
# They may be within a name or a secret, also as a journal or JSON writes them.
_COLOURS = re.compile(
    r"(?:\x1b\[|\x9b)[0-9;:?]{0,40}[ -/]?[@-~]|\x1b\][^\x07\x1b\n]{0,500}(?:\x07|\x1b\\)|"
    r"(?:\^\[|#033|\\(?:u001[bB]|x1[bB]|033|e))\[[0-9;:]{0,40}m"
)


def masked(text: str, secrets: t.Iterable[str] = ()) -> str:
    """A text of any kind as it may be shown: without known secrets, and without what may be one.

    The only function for texts that a node or another program made: logs, journals, messages and files.
    """
    if len(text) > LONGEST:
        return f"(a text of {len(text)} characters is not shown: it is too long to be searched for secrets)"
    return replaced(scrub(without_colours(text), secrets), _in_its_place)


def without_colours(text: str) -> str:
    return _COLOURS.sub("", text)


def failure(exc: BaseException) -> str:
    """An error of any kind on one line. Its text may hold what it found in a file: secrets, and bytes of any kind."""
    place = ""
    trace = exc.__traceback__
    while trace is not None:
        place = f" ({os.path.basename(trace.tb_frame.f_code.co_filename)}, line {trace.tb_lineno})"
        trace = trace.tb_next
    text = masked(str(exc))[:_LONGEST_FAILURE]
    shown = "".join(one if one.isprintable() else "?" for one in text)
    return f"{type(exc).__name__}: {shown}{place}" if shown else f"{type(exc).__name__}{place}"


def _in_its_place(_span: Span, value: str) -> str:
    is_quoted = len(value) > 1 and value[0] in "\"'" and value[-1] == value[0]
    return f"{value[0]}{MASK}{value[0]}" if is_quoted else MASK


def masked_lines(lines: t.Sequence[str], secrets: t.Iterable[str] = ()) -> list[str]:
    """Lines of one text, masked together, since a secret can go over several of them."""
    return masked("\n".join(lines), secrets).split("\n") if lines else []


def scrub(text: str, secrets: t.Iterable[str]) -> str:
    """Take known secret values out of a text that other software made, such as a parser's message."""
    return without(text, forms(secrets))


def forms(secrets: t.Iterable[str]) -> tuple[str, ...]:
    """All forms of known secrets, the longest first, for texts that are many."""
    known = {form for secret in secrets for form in _forms(secret) if len(form) >= _SHORTEST}
    return tuple(sorted(known, key=len, reverse=True))


def without(text: str, known: t.Iterable[str]) -> str:
    for form in known:
        text = text.replace(form, MASK)
    return text


def _forms(secret: str) -> t.Iterator[str]:
    """The ways in which other software writes a text; of one with several lines, each that is long, too."""
    yield secret
    yield urllib.parse.quote(secret, safe="", errors="replace")
    yield urllib.parse.quote_plus(secret, errors="replace")
    yield html.escape(secret)
    yield json.dumps(secret, ensure_ascii=False)[1:-1]
    yield from (line for line in secret.splitlines() if len(line) >= _LONG)
