# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with an option that another program reads later: a schedule, a pattern, nested settings."""

from __future__ import annotations

import re
import typing as t

_WORDS = (
    "minutely",
    "hourly",
    "daily",
    "weekly",
    "monthly",
    "quarterly",
    "semiannually",
    "semi-annually",
    "annually",
    "yearly",
)
_DAYS = "monday|tuesday|wednesday|thursday|friday|saturday|sunday|mon|tue|wed|thu|fri|sat|sun"
_WEEKDAYS = re.compile(rf"(?:{_DAYS})(?:(?:\.\.|-|,)(?:{_DAYS}))*,?", re.IGNORECASE)
_ZONE = re.compile(r"UTC|[A-Z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+)*")
# A number or *, perhaps with a range and a repetition, such as 1..5, */2 or 0/15. Seconds may have a fraction.
_NUMBER = r"[0-9]+(?:\.(?!\.)[0-9]+)?"
_PART = re.compile(rf"(?:\*|{_NUMBER}(?:\.\.{_NUMBER})?)(?:/{_NUMBER})?")
_YEARS, _MONTHS, _DAYS_OF_MONTH = (1970, 2199), (1, 12), (1, 31)
_HOURS, _MINUTES, _SECONDS = (0, 23), (0, 59), (0, 60)
# These errors are errors for PCRE, too. Others may come from what only PCRE knows.
_ERRORS_OF_PATTERNS = (
    "missing ), unterminated subpattern",
    "unbalanced parenthesis",
    "unterminated character set",
    "nothing to repeat",
    "bad escape (end of pattern)",
    "min repeat greater than max repeat",
    "bad character range",
)


def calendar_problem(value: str) -> str:
    """Why systemd would not take a text as OnCalendar; empty if it would. systemd is not needed."""
    if value.strip().lower() in _WORDS:
        return ""
    rest = value.split()
    if not rest:
        return "it is empty"
    found = []
    if _WEEKDAYS.fullmatch(rest[0]):
        found.append(rest.pop(0))
    for sign, limits in (("-", ()), (":", (_HOURS, _MINUTES, _SECONDS))):
        # Before the time zone, since Etc/GMT-2 contains a dash, too.
        if rest and sign in rest[0] and rest[0][0] in "*0123456789":
            field = rest.pop(0)
            problem = _date_problem(field) if sign == "-" else _fields_problem(field.split(":"), limits, least=2)
            if problem:
                return problem
            found.append(field)
    if rest and found and _ZONE.fullmatch(rest[0]):
        rest.pop(0)
    return "" if found and not rest else f"{' '.join(rest) or value} is neither a day, a date, a time nor a time zone"


def _date_problem(field: str) -> str:
    date, tilde, last = field.partition("~")
    parts = [*date.split("-"), *([last] if tilde else [])]
    limits = (_YEARS, _MONTHS, _DAYS_OF_MONTH) if len(parts) > 2 else (_MONTHS, _DAYS_OF_MONTH)
    if len(parts[0]) == 2 and len(parts) > 2:
        limits = ((0, 99), _MONTHS, _DAYS_OF_MONTH)
    return _fields_problem(parts, limits, least=2)


def _fields_problem(fields: t.Sequence[str], limits: t.Sequence[tuple[int, int]], least: int) -> str:
    if not least <= len(fields) <= len(limits):
        return f"{':'.join(fields)} has too {'few' if len(fields) < least else 'many'} parts"
    for field, (low, high) in zip(fields, limits):
        for part in field.split(","):
            if not _PART.fullmatch(part):
                return f"{part or 'an empty part'} is not a number, a range or *"
            for number in re.findall(r"[0-9]+(?:\.(?!\.)[0-9]+)?", part.partition("/")[0]):
                if not low <= float(number) <= high:
                    return f"{number} is not between {low} and {high}"
    return ""


def regex_problem(pattern: str) -> str:
    """Why a regular expression cannot be valid, neither here nor for PCRE; empty if it may be."""
    if not pattern:
        return "it is empty, so everything would match"
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as exc:
        message = str(getattr(exc, "msg", ""))
        return message if message.startswith(_ERRORS_OF_PATTERNS) else ""
    return ""


def flat_keys(settings: t.Any, above: str = "") -> list[str]:
    """The names of nested settings with dots between their parts; a dictionary is named, too."""
    found = []
    for name, value in settings.items() if isinstance(settings, t.Mapping) else ():
        found.append(f"{above}{name}")
        found += flat_keys(value, f"{above}{name}.")
    return found
