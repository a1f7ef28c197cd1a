# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets as systemd hands them to the engine: variables of the unit's environment, or files under /run/secrets."""

from __future__ import annotations

import re
import typing as t

PREFIX = "IVY_"
FILE_PREFIX = "ivy."
NOTE = "# Written by ivy.cluster, the same on every node. Change the inventory, not this file.\n"

_CARRIED_PART = re.compile(r"[A-Za-z0-9]+")
# Below these the next part of a key is a name chosen by users. A variable in upper case loses the name's case, so the
# engine could not find the key by it; the vendor's own examples use a secret file for them.
_NAMED_BY_PEOPLE = ("Administrators", "SecuritySystems")
_ESCAPED = re.compile(r'(["\\`$])')
_UNESCAPED = re.compile(r'\\(["\\`$])')


class SecretError(ValueError):
    """A secret cannot be handed over; the message never holds its value."""


def variable_name(key: str) -> str | None:
    """The variable that overrides a key, or None where no variable can name it without doubt."""
    parts = key.split(".")
    if not all(_CARRIED_PART.fullmatch(part) for part in parts):
        return None
    if parts[0] in _NAMED_BY_PEOPLE:
        return None
    return PREFIX + "_".join(parts).upper()


def file_name(key: str) -> str:
    name = f"{FILE_PREFIX}{key}"
    if "/" in key or any(not character.isprintable() for character in key) or len(name.encode("utf-8")) > 255:
        raise SecretError("its key can be neither a variable nor the name of a file")
    return name


def split(keys: t.Iterable[str]) -> tuple[dict[str, str], list[str]]:
    """Which keys travel as variables (name of the variable by key) and which as files."""
    candidates: dict[str, list[str]] = {}
    files: list[str] = []
    for key in keys:
        name = variable_name(key)
        if name is None:
            files.append(key)
        else:
            candidates.setdefault(name, []).append(key)
    variables = {owners[0]: name for name, owners in candidates.items() if len(owners) == 1}
    files += [key for owners in candidates.values() if len(owners) > 1 for key in owners]
    return variables, sorted(files)


def check_value(value: str) -> None:
    """Refuse what systemd would drop or the engine would read otherwise."""
    if "\n" in value or "\r" in value:
        raise SecretError("it holds a line break, which cannot be handed to the engine")
    if any((ord(character) < 0x20 and character != "\t") or ord(character) == 0x7F for character in value):
        raise SecretError("it holds a control character, which cannot be handed to the engine")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise SecretError("it is not valid Unicode") from None


def problem_of(key: str, value: str) -> str | None:
    """Why a secret cannot be handed over, or None."""
    try:
        check_value(value)
        if variable_name(key) is None:
            file_name(key)
    except SecretError as error:
        return str(error)
    return None


def quote(value: str) -> str:
    """The value in double quotes. systemd removes a backslash only before one of four characters."""
    check_value(value)
    return '"' + _ESCAPED.sub(r"\\\1", value) + '"'


def render(variables: t.Mapping[str, str]) -> str:
    """The text of an ``EnvironmentFile=``."""
    return NOTE + "".join(f"{name}={quote(variables[name])}\n" for name in sorted(variables))


def parse(text: str) -> dict[str, str]:
    """The variables of a text that :func:`render` made."""
    lines = (line.partition("=") for line in text.splitlines() if "=" in line and not line.startswith("#"))
    return {name: _UNESCAPED.sub(r"\1", value[1:-1]) for name, _equals, value in lines}
