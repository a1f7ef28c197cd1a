# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plain Python values out of what an inventory holds."""

from __future__ import annotations

import datetime
import typing as t
from collections.abc import Mapping

Plain = t.Union[None, bool, int, float, str, "list[Plain]", "dict[str, Plain]"]


class PlainError(ValueError):
    """A value has no plain form; ``path`` says where it lies."""

    def __init__(self, path: str, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(f"{path}: {reason}")


def plain(value: t.Any, path: str = "") -> Plain:
    """Copy a value into exact built-in types, so that no tag, lazy container or vault object outlives this call."""
    if value is None or value is True or value is False:
        return t.cast(Plain, value)
    # An inventory consists of texts most of all.
    if isinstance(value, str):
        return _plain_text(value)
    if isinstance(value, Mapping):
        result: dict[str, Plain] = {}
        for key, item in value.items():
            name = str(key)
            if name in result:
                raise PlainError(f"{path}.{name}".lstrip("."), "the key is there twice, as a text and as a number")
            result[name] = plain(item, f"{path}.{name}".lstrip("."))
        return result
    if isinstance(value, (list, tuple)):
        return [plain(item, f"{path}[{index}]") for index, item in enumerate(value)]
    if isinstance(value, bool):
        return bool(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, datetime.date) or type(value).__name__ in _VAULT_TYPES:
        return _plain_text(value)
    raise PlainError(path, f"a value of the kind '{type(value).__name__}' cannot be used here")


def _plain_text(value: t.Any) -> str:
    # str() of a str subclass may return that subclass; joining makes a plain one.
    return "".join((str(value), ""))


# Recognised by name: the classes move between versions of ansible-core, and str() decrypts each of them.
_VAULT_TYPES = ("AnsibleVaultEncryptedUnicode", "EncryptedString")
