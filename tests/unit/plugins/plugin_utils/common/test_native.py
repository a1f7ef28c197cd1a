# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime
import typing as t
from collections import OrderedDict

import pytest

from ansible_collections.ivy.cluster.plugins.plugin_utils.common.native import PlainError, plain


class Tagged(str):
    """Stands for the text types of ansible-core."""

    def __str__(self) -> str:  # pylint: disable=invalid-str-returned
        return self


class Lazy(dict[str, t.Any]):
    """Stands for its lazy containers."""


def test_exact_types_come_out() -> None:
    value = plain(Lazy(a=Tagged("x"), b=[Tagged("y")], c=OrderedDict(d=1), e=(1.5, True, None), f=Tagged("")))
    assert value == {"a": "x", "b": ["y"], "c": {"d": 1}, "e": [1.5, True, None], "f": ""}

    def types(item: t.Any) -> t.Iterator[type]:
        yield type(item)
        for inner in item.values() if isinstance(item, dict) else item if isinstance(item, list) else ():
            yield from types(inner)

    assert set(types(value)) == {dict, list, str, int, float, bool, type(None)}


def test_dates_become_texts_and_keys_too() -> None:
    assert plain({1: datetime.date(2030, 1, 2)}) == {"1": "2030-01-02"}


def test_what_has_no_plain_form_is_named() -> None:
    with pytest.raises(PlainError, match=r"a\.b\[1\]: .*'object'") as caught:
        plain({"a": {"b": [1, object()]}})
    assert caught.value.path == "a.b[1]"


def test_keys_that_become_one() -> None:
    with pytest.raises(PlainError, match="twice"):
        plain({"a": {1: "x", "1": "y"}})
