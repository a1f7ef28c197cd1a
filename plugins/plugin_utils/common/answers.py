# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads what a node answers. Whoever controls a node chooses every byte of it, so it is checked before it is used.

Only this module decodes and parses; a test finds other places.
"""

from __future__ import annotations

import base64
import binascii
import json
import typing as t

from ansible_collections.ivy.cluster.plugins.module_utils.node.config.encryption import has_too_many_values

# Above the content of any file that is compared or taken.
LONGEST = 64 << 20
# The list of a release's files.
LONGEST_MANIFEST = 16 << 20

# A type, [shape of each item], {name: shape} or {"*": shape of each value}; a name that ends in "?" may be missing or
# null.
Shape = t.Any


class AnswerError(ValueError):
    """The answer of a node cannot be used."""


def decoded(text: t.Any, limit: int = LONGEST) -> bytes:
    """The bytes of a Base64 text, if they are not more than expected."""
    try:
        if isinstance(text, str) and len(text) <= limit * 4 // 3 + 4:
            return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        pass
    raise AnswerError("what the node sent is damaged or too long")


def optional(text: t.Any, limit: int = LONGEST) -> bytes | None:
    return None if text is None else decoded(text, limit)


def parsed(data: str | bytes, limit: int = LONGEST_MANIFEST) -> t.Any:
    """The value of a JSON text, if it is not longer than expected."""
    text = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
    if len(text) > limit or has_too_many_values(text):
        raise AnswerError("what the node sent is too long")
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise AnswerError(f"what the node sent is not JSON ({error})") from error


def check(value: t.Any, shape: Shape, where: str = "the answer") -> None:
    """Raise AnswerError unless the value has the shape. Names that the shape does not have may have any value."""
    if isinstance(shape, list):
        check(value, list, where)
        for item in value:
            check(item, shape[0], f"an item of {where}")
    elif isinstance(shape, dict):
        check(value, dict, where)
        for name, of_value in shape.items():
            if name == "*":
                check(list(value.values()), [of_value], where)
                continue
            plain = name.rstrip("?")
            if value.get(plain) is None and name.endswith("?"):
                continue
            if plain not in value:
                raise AnswerError(f"{plain} is missing in {where}")
            check(value[plain], of_value, f"{plain} of {where}")
    elif not isinstance(value, shape) or (isinstance(value, bool) and shape is not bool):
        raise AnswerError(f"{where} is not of the right kind")
