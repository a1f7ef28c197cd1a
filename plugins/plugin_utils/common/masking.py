# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How values and texts are shown without giving secrets away."""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.ivy.cluster.plugins.module_utils.node.masking.names import is_secret_key, must_be_secret
from ansible_collections.ivy.cluster.plugins.module_utils.node.masking.spans import Span, replaced, secret_spans
from ansible_collections.ivy.cluster.plugins.module_utils.node.masking.text import (
    MASK,
    forms,
    masked,
    masked_lines,
    scrub,
    without,
    without_colours,
)

__all__ = [
    "MASK",
    "Mask",
    "SecretKeys",
    "Span",
    "is_secret_key",
    "leaves",
    "mask",
    "masked",
    "masked_lines",
    "must_be_secret",
    "parser_words",
    "replaced",
    "scrub",
    "secret_spans",
    "without_colours",
]

_INDEX = re.compile(r"\[\d+\]")
_QUOTED = re.compile(r"""(?<!\w)(?:'[^']*'|"[^"]*")""")
# What parsers quote of their own: signs, kinds of tokens, and Jinja's tags.
_OWN_WORDS = re.compile(
    r"[^\w\s]{1,2}|<[a-z ]+>|(?:begin|end) of [a-z ]+|"
    r"(?:end)?(?:autoescape|block|call|filter|for|if|macro|raw|set|with)|elif|else"
)


def mask(key: str, value: str | None, secret_keys: t.Container[object] = ()) -> str | None:
    """The value as it may be shown; an absent value stays absent."""
    if value is None:
        return None
    if key in secret_keys or is_secret_key(key) or "${encrypt:" in value or "${decrypt:" in value or "${hash:" in value:
        return MASK
    return masked(value)


def parser_words(message: str) -> str:
    """A parser's message without what it quotes of the text, which may be a secret: a password ``*x`` is an alias."""
    return _QUOTED.sub(lambda quoted: quoted[0] if _OWN_WORDS.fullmatch(quoted[0][1:-1]) else "(not shown)", message)


class SecretKeys(t.Container[object]):
    """Keys of one file that contain a secret, with all keys below them and all items of their lists."""

    def __init__(self, keys: t.Iterable[str], everything: bool = False) -> None:
        self._keys = frozenset(_INDEX.sub("", key) for key in keys)
        self._everything = everything

    def __contains__(self, key: object) -> bool:
        if self._everything:
            return True
        parts = _INDEX.sub("", str(key)).split(".")
        return any(".".join(parts[:depth]) in self._keys for depth in range(1, len(parts) + 1))


@dataclasses.dataclass(frozen=True)
class Mask:
    """Shows values of one file: those of secret keys hidden, and known secret values wherever else they turn up."""

    keys: t.Container[object]
    secrets: tuple[str, ...] = ()
    # Made once, as a file may have many values.
    _forms: tuple[str, ...] = dataclasses.field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_forms", forms(self.secrets))

    def value(self, key: str, value: str | None) -> str | None:
        shown = mask(key, value, self.keys)
        return None if shown is None else self.text(shown)

    def text(self, text: str) -> str:
        return without(text, self._forms)


def leaves(value: t.Any) -> t.Iterator[str]:
    """Every text inside a tree of secrets, to be given to :func:`scrub`."""
    if isinstance(value, t.Mapping):
        for item in value.values():
            yield from leaves(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from leaves(item)
    elif value is not None and not isinstance(value, bool):
        yield str(value)
