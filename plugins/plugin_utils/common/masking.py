# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which keys hold secrets, and how a value is shown without giving them away."""

from __future__ import annotations

import dataclasses
import re
import typing as t

MASK = "********"

# Wide on purpose: masking one value too many costs a line of a diff, one too few costs a secret.
_HIDDEN = re.compile(
    r"passw|passphrase|pwd|secret|token|credential|apikey|accesskey|privatekey|signature|"
    r"keypass|storepass|salt|licen[cs]e|cookie|authorization|bearer",
    re.IGNORECASE,
)
# Narrow on purpose: this one refuses a source, so it names only keys that can hardly mean anything else.
_MUST_BE_SECRET = re.compile(
    r".*password|.*passwd|.*passphrase|pwd|.*secret|.*secretkey|.*privatekey|.*apikey|"
    r"(?:access|api|auth|bearer|refresh)?token|credentials?|keypass|.*storepass",
    re.IGNORECASE,
)
_INDEX = re.compile(r"\[\d+\]")
_WORD_BREAKS = re.compile(r"[-_\s]")
_URL_PASSWORD = re.compile(r"(?<=://)([^/\s:@]*):([^/\s@]+)@")
_PARAMETER_PASSWORD = re.compile(r"((?:passw(?:or)?d|pwd|secret|token)=)[^&;\s]+", re.IGNORECASE)

# What gives a name a value in texts of any kind. A bare value goes on to the end of its line: where it ends before that
# depends on the kind.
_ASSIGNED = re.compile(r"""(?<![\w.\-])(?P<key>[\w.\-]+)["']?\s*[:=]\s*""")
_QUOTED = re.compile(r""""(?:[^"\\]|\\.)*"|'(?:[^']|'')*'""")
_BARE = re.compile(r"[^\s<>](?:[^\r\n<>]*[^\s<>])?")
# Bounded, so that a long text with few brackets in it takes no long time.
_NAME = r"""[^<>]{0,999}\b(?:name|key)\s*=\s*["'](?P<key>[^"'<>]*)["'][^<>]{0,999}"""
_CONTENT = r"(?P<value><!\[CDATA\[[^\]]*\]\]>|[^<>]*)"
_IN_MARKUP = (
    re.compile(rf"<(?P<key>[\w.\-:]+)(?:\s[^<>]*)?>{_CONTENT}</(?P=key)>"),
    re.compile(rf"<(?P<tag>[\w.\-:]+)\s{_NAME}>{_CONTENT}</(?P=tag)>"),
    re.compile(rf"""<{_NAME}\bvalue\s*=\s*(?P<value>"[^"<>]*"|'[^'<>]*')"""),
)


def is_secret_key(key: str) -> bool:
    """Whether the value of a key path is hidden in every output."""
    return _HIDDEN.search(_WORD_BREAKS.sub("", key)) is not None


def must_be_secret(key: str) -> bool:
    """Whether the last part of a key path can only name a secret."""
    last = re.sub(r"\[\d+\]$", "", key).rsplit(".", 1)[-1]
    return _MUST_BE_SECRET.fullmatch(_WORD_BREAKS.sub("", last)) is not None


def mask(key: str, value: str | None, secret_keys: t.Container[object] = ()) -> str | None:
    """The value as it may be shown; an absent value stays absent."""
    if value is None:
        return None
    if key in secret_keys or is_secret_key(key) or "${encrypt:" in value or "${decrypt:" in value or "${hash:" in value:
        return MASK
    return _PARAMETER_PASSWORD.sub(rf"\g<1>{MASK}", _URL_PASSWORD.sub(rf"\g<1>:{MASK}@", value))


@dataclasses.dataclass(frozen=True, order=True)
class Span:
    """The position of a possible secret in a text, quotes included. ``exact`` is true if its end is certain."""

    start: int
    end: int
    key: str
    exact: bool


def secret_spans(text: str) -> list[Span]:
    """The values of names that sound like secrets, and passwords in addresses; in order, none inside another."""
    found = [Span(*match.span(2), "url_password", True) for match in _URL_PASSWORD.finditer(text)]
    for pattern in _IN_MARKUP:
        found += [
            Span(*match.span("value"), match["key"], True)
            for match in pattern.finditer(text)
            if is_secret_key(match["key"])
        ]
    position = 0
    while (match := _ASSIGNED.search(text, position)) is not None:
        # What a harmless name holds may be an assignment itself, as in an address with parameters.
        position = match.end()
        if not is_secret_key(match["key"]):
            continue
        quoted = _QUOTED.match(text, position)
        value = quoted or _BARE.match(text, position)
        if value is not None:
            found.append(Span(*value.span(), match["key"], quoted is not None))
            position = value.end()
    apart: list[Span] = []
    for span in sorted(found):
        if apart and span.start < apart[-1].end:
            last = apart[-1]
            apart[-1] = Span(last.start, max(last.end, span.end), last.key, last.exact and span.end <= last.end)
        else:
            apart.append(span)
    return apart


def replaced(text: str, replacement: t.Callable[[Span, str], str]) -> str:
    """The text with something else in place of each span."""
    pieces, done = [], 0
    for span in secret_spans(text):
        pieces += [text[done : span.start], replacement(span, text[span.start : span.end])]
        done = span.end
    return "".join((*pieces, text[done:]))


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

    def value(self, key: str, value: str | None) -> str | None:
        masked = mask(key, value, self.keys)
        return None if masked is None else self.text(masked)

    def text(self, text: str) -> str:
        return scrub(text, self.secrets)


def scrub(text: str, secrets: t.Iterable[str]) -> str:
    """Take known secret values out of a text that other software made, such as a parser's message."""
    for secret in sorted({secret for secret in secrets if len(secret) >= 3}, key=len, reverse=True):
        text = text.replace(secret, MASK)
    return text


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
