# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a text of any kind may hold secrets: a log, a configuration file, a message of another program.

Nothing is parsed, since a text may be cut, malformed or of a kind that nobody foresaw. Each step takes time in
proportion to the length of the text at most: a repetition is bounded, or cannot begin within itself, and where an end
is searched for, it is known when there is none any more.
"""

from __future__ import annotations

import base64
import binascii
import bisect
import dataclasses
import re
import typing as t

from . import phrases
from .names import is_secret_key, must_be_secret


@dataclasses.dataclass(frozen=True, order=True)
class Span:
    """The position of a possible secret in a text, quotes included."""

    start: int
    end: int
    key: str
    # Whether its end is certain.
    exact: bool
    # Whether it can hardly be anything else, so that a source with it is refused.
    certain: bool = False


def secret_spans(text: str) -> list[Span]:
    """Everything that may be a secret, in order, none inside another."""
    found: list[Span] = []
    for find in (_keys_of_pem, _url_passwords, _in_markup, _assigned, _in_fields, _after_words, _by_form):
        found += find(text)
    apart: list[Span] = []
    for span in sorted(found):
        if apart and span.start < apart[-1].end:
            last = apart[-1]
            # Exact if the exact one has all of the other.
            exact = last.exact and span.end <= last.end
            exact = exact or (span.exact and span.start == last.start and span.end >= last.end)
            key = span.key if span.certain and not last.certain else last.key
            apart[-1] = Span(last.start, max(last.end, span.end), key, exact, last.certain or span.certain)
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


# --- private keys

_BEGIN = r"(?<!-)-{2,} ?BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?"
_END = re.compile(r"(?<!-)-{2,} ?END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?(?: ?-{2,})?")
_PEM = re.compile(rf"{_BEGIN}.*?(?:{_END.pattern}|\Z)", re.DOTALL)
_PUBLIC_MARK = re.compile(r"-{5}(?P<side>BEGIN|END) (?P<label>[A-Z0-9 ]*)-{5}")
_PUTTY = re.compile(r"PuTTY-User-Key-File-\d.*?(?:Private-MAC:[^\n]*|\Z)", re.DOTALL)
_ENCODED_PEM = re.compile(r"LS0tLS1CRUdJTi[A-Za-z0-9+/=]*")
# A structure of DER without the lines of PEM around it.
_DER = re.compile(
    r"(?<![A-Za-z0-9+/_-])M[A-P][A-Za-z0-9+/_-]{40,}={0,2}"
    r"(?:(?:\r?\n[ \t]{0,40}|\\n)[A-Za-z0-9+/_-]{16,}={0,2}(?![^\s\\\"',;]))*"
)
_URL_SAFE = str.maketrans("-_", "+/")
# PKCS #5 and PKCS #12.
_ENCRYPTED = (b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x05", b"\x06\x0a\x2a\x86\x48\x86\xf7\x0d\x01\x0c")
_BODY_LINE = re.compile(r"(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{64}\Z")
_LAST_BODY_LINE = re.compile(r"[A-Za-z0-9+/=]{16,}\Z")
_FEWEST_BODY_LINES = 3


def _keys_of_pem(text: str) -> t.Iterator[Span]:
    whole = [match.span() for match in _PEM.finditer(text)]
    for start, end in whole:
        yield Span(start, end, "private_key", _END.search(text, start, end) is not None, certain=True)
    for match in _PUTTY.finditer(text):
        yield Span(*match.span(), "private_key", exact=False, certain=True)
    for match in _ENCODED_PEM.finditer(text):
        try:
            begin = base64.b64decode(match[0][:96][: len(match[0][:96]) // 4 * 4])
        except binascii.Error:
            continue
        if b"PRIVATE KEY" in begin:
            yield Span(*match.span(), "private_key", exact=True, certain=True)
    for match in _DER.finditer(text):
        if _is_private(match[0][:32]):
            yield Span(*match.span(), "private_key", exact=False)
    yield from _cut_keys(text, whole)


def _is_private(head: str) -> bool:
    """Whether the structure that begins so is a private key, or holds one: its first part is a small number.

    An encrypted one begins with the way of its encryption. Certificates, public keys and requests begin otherwise.
    """
    data = base64.b64decode(head.translate(_URL_SAFE))
    first = data[2 + (data[1] & 0x7F if data[1] & 0x80 else 0) :]
    if first[:2] == b"\x02\x01":
        return first[2] in (0, 1, 3)
    return first[:1] == b"\x30" and first[2:].startswith(_ENCRYPTED)


def _cut_keys(text: str, whole: t.Sequence[tuple[int, int]]) -> t.Iterator[Span]:
    """What is left of a key whose first line, or whose first and last lines, were cut off, as in the tail of a log."""
    ends = [one for one in _END.finditer(text) if not _is_inside(one.start(), one.start(), whole)]
    if not ends and not re.search(r"[A-Za-z0-9+/]{64}", text):
        return
    done = 0
    for end in ends:
        start = max(done, text.rfind("\n", done, end.start()) + 1)
        while start > done:
            above = max(done, text.rfind("\n", done, start - 1) + 1)
            if not _LAST_BODY_LINE.search(text[max(above, start - 200) : start].rstrip()):
                break
            start = above
        done = end.end()
        if start < end.start():
            yield Span(start, end.end(), "private_key", exact=False, certain=True)
    public = _public(text)
    run: list[re.Match[str]] = []
    for line in [*re.finditer(r"[^\n]*\n?", text), None]:
        if line is not None and _BODY_LINE.search(line[0].rstrip()[-65:]):
            run.append(line)
            continue
        if len(run) >= _FEWEST_BODY_LINES:
            start, stop = run[0].start(), run[-1].end()
            if not _is_inside(start, stop, public):
                yield Span(start, stop, "private_key", exact=False)
        run = []


def _is_inside(start: int, end: int, places: t.Sequence[tuple[int, int]]) -> bool:
    """Whether one of these places, which are in order and apart, has all of it."""
    at = bisect.bisect_right(places, (start, len(places) and places[-1][1])) - 1
    return at >= 0 and end <= places[at][1]


def _public(text: str) -> list[tuple[int, int]]:
    """Certificates and public keys, which look like private ones between their first and last lines."""
    found: list[tuple[int, int]] = []
    begun: dict[str, int] = {}
    for mark in _PUBLIC_MARK.finditer(text):
        label = mark["label"]
        if "CERTIFICATE" not in label and "PUBLIC KEY" not in label:
            continue
        if mark["side"] == "BEGIN":
            begun.setdefault(label, mark.start())
        elif label in begun:
            found.append((begun[label], mark.end()))
            begun.clear()
    return found


# --- addresses

_SCHEME = re.compile(r"(?::|%3a)(?:/|\\/|%2f){2}", re.IGNORECASE)
_TOKEN = re.compile(r"\S{0,1000}")
_AT = re.compile(r"@|%40|\\u0040", re.IGNORECASE)
_COLON = re.compile(r":|%3a", re.IGNORECASE)
_AUTHORITY_END = re.compile(r"[/?#]|%2f|\\/", re.IGNORECASE)
_HOST_AND_PORT = re.compile(r"\[[0-9A-Fa-f:.%]+\](?::\d{0,5})?|[^\s:@]*\.[^\s:@]*|localhost")
_NO_PORT = re.compile(r"[^\s/:@?#]+:(?!\d{0,5}(?:[/?#\s\"'<>),;.\]}]|$))")
_JDBC = re.compile(
    r"jdbc:(?:[\w-]{1,40}:){1,9}[^\s/:@]{1,200}/(?P<value>\"[^\"\r\n]{0,1000}\"|\S{1,1000})@", re.IGNORECASE
)
_WITHOUT_SCHEME = re.compile(r"(?<![\w/@.:%-])(?P<user>[\w.-]+):(?P<value>[^\s:@/\"'<>{}]{3,200})@(?!sha\d)[\w.-]+")
# A user and a password behind any other number of slashes than two, or without a scheme.
_MALFORMED = re.compile(
    r"""(?:(?<![:/\\\w.])[/\\]{2,9}|:[/\\](?![/\\])|:[/\\]{3,9}|\b(?:https?|ldaps?|s?ftps?|ssh|amqps?|rediss?|"""
    r"""postgres(?:ql)?|mysql|mariadb|mongodb|smtps?|imaps?|wss?|jms|tcp|ssl):(?![/\\]))"""
    r"""[^\s:@/\\"'<>]{0,200}:(?!\d{1,5}/)(?P<value>[^\s"'<>]{1,500})@""",
    re.IGNORECASE,
)
_NO_USERS = ("mailto", "sip", "sips", "xmpp", "acct", "im", "jid")


def _url_passwords(text: str) -> t.Iterator[Span]:
    for scheme in _SCHEME.finditer(text):
        yield from _url_password(text, scheme.end())
    for match in _JDBC.finditer(text):
        yield Span(*match.span("value"), "url_password", exact=True, certain=True)
    for match in _MALFORMED.finditer(text):
        yield Span(*match.span("value"), "url_password", exact=False)
    for match in _WITHOUT_SCHEME.finditer(text):
        if match["user"].lower() not in _NO_USERS and "%" not in match["user"]:
            yield Span(*match.span("value"), "url_password", exact=False)


def _url_password(text: str, start: int) -> t.Iterator[Span]:
    """A password may hold what ends the host in a well-formed URL, so the last at sign counts."""
    token = t.cast("re.Match[str]", _TOKEN.match(text, start))[0]
    at = next(reversed(list(_AT.finditer(token))), None)
    authority = _AUTHORITY_END.split(token, maxsplit=1)[0]
    if at is None:
        # A blank inside, where no port is.
        user = _NO_PORT.match(token)
        line = text[start : start + 500].partition("\n")[0]
        last = next(reversed(list(_AT.finditer(line))), None)
        if user is not None and last is not None:
            yield Span(start + user.end(), start + last.start(), "url_password", exact=False)
        return
    user_info = token[: at.start()]
    colon = _COLON.search(user_info)
    is_proper = _AT.search(authority) is not None
    may_be_host = not _COLON.search(authority) or authority.startswith("[")
    if not is_proper and may_be_host and (not authority or _HOST_AND_PORT.fullmatch(authority)):
        # An at sign in a path.
        return
    first = colon.end() if colon is not None else 0
    if first < at.start():
        malformed = not is_proper and _NO_PORT.match(token) is not None
        certain = colon is not None and (is_proper or malformed)
        exact = _AT.split(authority, maxsplit=1)[0] == user_info
        yield Span(start + first, start + at.start(), "url_password", exact, certain)


# --- elements and attributes

# Bounded, so that a long text with few brackets in it takes no long time.
_NAME = r"""[^<>]{0,999}\b(?:name|key)\s*=\s*["'](?P<key>[^"'<>]*)["'][^<>]{0,999}"""
_VALUE = r"""\bvalue\s*=\s*(?P<value>"[^"<]*"|'[^'<]*')"""
# What opens an element whose content belongs to a name; of the last one, the name is the content of the one before.
_OPENED = (
    re.compile(r"<(?P<tag>(?P<key>[\w.\-:]+))(?:\s[^<>]*)?>"),
    re.compile(rf"<(?P<tag>[\w.\-:]+)\s{_NAME}>"),
    re.compile(
        r"<(?P<before>[\w.\-:]*(?:name|key))\s*>\s*(?P<key>[^<>\s]+)\s*</(?P=before)\s*>\s*"
        r"<(?P<tag>[\w.\-:]*value|string|data)\s*>"
    ),
)
_ATTRIBUTES = (
    re.compile(rf"<{_NAME}{_VALUE}"),
    re.compile(
        r"""<[^<>]{0,999}\bvalue\s*=\s*(?P<value>"[^"<]*"|'[^'<]*')[^<>]{0,999}"""
        r"""\b(?:name|key)\s*=\s*["'](?P<key>[^"'<>]*)["']"""
    ),
    re.compile(
        r"""<(?P<key>[\w.\-:]{1,200})\s(?:[^<>]{0,999}\s)?(?:\w{0,40}value|val|content|data|text|default)"""
        r"""\s{0,40}=\s{0,40}(?P<value>"[^"<]*"|'[^'<]*')""",
        re.IGNORECASE,
    ),
)
_CDATA = "<![CDATA["
_INNER = re.compile(r"\s*<(?![/!])")
_LONGEST_NESTED = 3000


def _in_markup(text: str) -> t.Iterator[Span]:
    if "<" not in text:
        return
    for opened in _OPENED:
        position = 0
        while (match := opened.search(text, position)) is not None:
            position = match.start() + 1
            if is_secret_key(match["key"]):
                span = _content(text, match)
                if span is not None:
                    yield span
                    # What contains elements may contain other secrets, too; a text does not.
                    position = span.start if _INNER.match(text, span.start) else span.end
    for pattern in _ATTRIBUTES:
        for match in pattern.finditer(text):
            if is_secret_key(match["key"]):
                yield Span(*match.span("value"), match["key"], True, must_be_secret(match["key"]))


def _content(text: str, opened: re.Match[str]) -> Span | None:
    """What is between an opening tag and the one that closes it."""
    start, key, tag = opened.end(), opened["key"], opened["tag"]
    if text.startswith(_CDATA, start):
        end = text.find("]]>", start)
        # One that does not end was cut off, and the rest belongs to it.
        return Span(start, end + 3 if end >= 0 else len(text), key, end >= 0, must_be_secret(key))
    end = text.find("<", start)
    if end >= 0 and _closes(text, end, tag):
        return Span(start, end, key, exact=True, certain=must_be_secret(key))
    # An element with others inside it.
    if opened[0].endswith("/>") or not _INNER.match(text, start):
        return None
    last = min(len(text), start + _LONGEST_NESTED)
    end = text.find(f"</{tag}", start, last)
    while end >= 0 and not _closes(text, end, tag):
        end = text.find(f"</{tag}", end + 1, last)
    return Span(start, end, key, exact=False) if end >= 0 else None


def _closes(text: str, start: int, tag: str) -> bool:
    if not text.startswith(f"</{tag}", start):
        return False
    end = start + 2 + len(tag)
    return text[end : end + 100].lstrip().startswith(">")


# --- names with values

_ASSIGNED = re.compile(
    r"""(?<![\w.\-])(?P<key>[\w.\-]+)(?P<close>\\*["'\]]*)(?P<sign>\s*(?::?=>?|:|%3[ad])[ \t]*\r?(?P<break>\n\s*)?)""",
    re.IGNORECASE,
)
_QUOTED = re.compile(r""""(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.|'')*'""", re.DOTALL)
# To the end of the line, as the kind of the text is unknown. A backslash before a line's end continues it.
_BARE = re.compile(r"(?:[^\r\n<\\]|\\\r?\n|\\.|<(?![/!?A-Za-z][^<>\n]*>))+")
_PARAMETER = re.compile(r"(?:[^\s&]|&(?![\w.\-\[\]%]+=))+")
_SETTING = re.compile(r"(?:[^;\r\n]|;(?!\s*[\w.\-][\w .\-]*=))+")
_BLOCK = re.compile(r"[|>][-+0-9]{0,2}[ \t]*(?:#[^\n]*)?")
_OWN_ASSIGNMENT = re.compile(r"""["']?[\w.\-]+["']?\s*[:=]""")
_UNSURE_END = re.compile(r"""[\s&;,"'<>)}\]]""")
_QUERY_KEY = re.compile(r"(?:key|code|auth|sig|sas)", re.IGNORECASE)
_LONGEST_BRACKETS = 20_000
_LONGEST_INSIDE = 200


def _assigned(text: str) -> t.Iterator[Span]:
    position = 0
    brackets = _Brackets(text)
    while (match := _ASSIGNED.search(text, position)) is not None:
        # What a harmless name holds may be an assignment itself, as in an address with parameters.
        position = match.end("close") if match["break"] else match.end()
        before = text[match.start() - 1 : match.start()]
        key = match["key"]
        is_parameter = before in ("?", "&") or (before == ";" and match.end("close") == match.end("key"))
        if not is_secret_key(key) and not (is_parameter and _QUERY_KEY.fullmatch(key)):
            position = max(position, match.end("key") + 1)
            continue
        span = _value_of(text, match, before, brackets)
        if span is None:
            position = max(position, match.end("key") + 1)
            continue
        yield span
        if not span.certain:
            yield from _certain_inside(text, match.end(), span.end)
        position = max(span.end, match.end("key") + 1)


def _in_fields(text: str) -> t.Iterator[Span]:
    """Values of fields beside others that hold their names."""
    fields, brackets, position = phrases.Fields(text), _Brackets(text), 0
    while (match := _ASSIGNED.search(text, position)) is not None:
        position = match.end()
        found = fields.next(match)
        span = _value_of(text, found[0], "", brackets) if found is not None else None
        if found is not None and span is not None:
            yield Span(span.start, span.end, found[1], exact=False)
            # One whose end is not known goes to the end of the line.
            position = max(position, span.end)


def _certain_inside(text: str, start: int, end: int) -> t.Iterator[Span]:
    """Names that are certain behind one that is not: it took the rest of the line, as its end is not known."""
    for match in _ASSIGNED.finditer(text, start, end):
        if must_be_secret(match["key"]) and match["break"] is None:
            quoted = _QUOTED.match(text, match.end(), end)
            stop = quoted.end() if quoted is not None else min(end, match.end() + _LONGEST_INSIDE)
            value = text[match.end() : stop]
            if value.strip():
                yield Span(
                    match.end(), match.end() + len(value.rstrip()), match["key"], quoted is not None, certain=True
                )


def _value_of(text: str, match: re.Match[str], before: str, brackets: _Brackets) -> Span | None:
    key, start = match["key"], match.end()
    certain = must_be_secret(key) or (before in ("?", "&") and _QUERY_KEY.fullmatch(key) is not None)
    if match["break"] is not None:
        end = _block_end(text, match.start(), match.end("sign"))
        if end <= start:
            return None
        return Span(start, end, key, exact=False)
    if before in ("?", "&"):
        found = _PARAMETER.match(text, start)
        return found and Span(*found.span(), key, _UNSURE_END.search(found[0]) is None, certain)
    quoted = _QUOTED.match(text, start)
    if quoted is not None:
        return Span(*quoted.span(), key, exact=True, certain=certain)
    if before == ";":
        found = _SETTING.match(text, start)
        return found and Span(*found.span(), key, _UNSURE_END.search(found[0]) is None, certain)
    if text.startswith(("[", "{"), start) and not text.startswith("{{", start):
        end = brackets.closing(start)
        if end:
            return Span(start, end, key, exact=False, certain=certain)
    bare = _BARE.match(text, start)
    if bare is None:
        return None
    value = bare[0].rstrip()
    if not value:
        return None
    if _BLOCK.fullmatch(value):
        line = text.find("\n", start)
        end = _block_end(text, match.start(), line + 1) if line >= 0 else 0
        return Span(line + 1, end, key, exact=False, certain=certain) if end > line + 1 else None
    return Span(start, start + len(value), key, exact=False, certain=certain)


def _block_end(text: str, key: int, start: int) -> int:
    """The end of the lines further right than the line of the key, or of the next line if it has no name of its own."""
    first = text.rfind("\n", 0, start) + 1
    line_of_key = text.rfind("\n", 0, key) + 1
    margin = _margin(text, line_of_key)
    end = first
    while end < len(text):
        stop = text.find("\n", end)
        stop = len(text) if stop < 0 else stop + 1
        line = text[end:stop]
        is_item = line.lstrip(" \t").startswith("- ") and _margin(text, end) >= margin
        if line.strip() and _margin(text, end) <= margin and not is_item:
            break
        end = stop
    if end > first:
        return first + len(text[first:end].rstrip())
    stop = text.find("\n", first)
    line = text[first : len(text) if stop < 0 else stop]
    return first if _OWN_ASSIGNMENT.match(line.lstrip()) else first + len(line.rstrip())


def _margin(text: str, start: int) -> int:
    end = start
    while end < len(text) and text[end] in " \t":
        end += 1
    return end - start


class _Brackets:
    """Finds what closes a bracket, within a number of steps for the whole text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._steps = 2 * len(text) + 5 * _LONGEST_BRACKETS

    def closing(self, start: int) -> int:
        """Behind the bracket that closes the one at the start; 0 if it is not near."""
        last = min(len(self._text), start + _LONGEST_BRACKETS)
        if self._steps < 0:
            # So many brackets that nothing closes belong to no real text.
            return last
        end = self._search(start, last)
        self._steps -= 0 if end else last - start
        return end

    def _search(self, start: int, last: int) -> int:
        text, depth, position = self._text, 0, start
        unclosed = ""
        while position < last:
            character = text[position]
            if character in "\"'" and character not in unclosed:
                quoted = _QUOTED.match(text, position, last)
                if quoted is None:
                    unclosed += character
                position = quoted.end() if quoted is not None else position + 1
                continue
            depth += (character in "[{") - (character in "]}")
            position += 1
            if depth == 0:
                return position
        return 0


# --- words before a value

_ANY = r"""(?P<value>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.|'')*'|[^\s-]\S*)"""
_OPTION = re.compile(rf"(?<!\S)--?(?P<key>[A-Za-z][\w-]*)[ \t]+{_ANY}")
# Two words alone on a line, or behind others if the first one cannot be a word of a sentence.
_PAIR = re.compile(r"(?:^[ \t]*|(?<=[ \t])(?=[\w\-]+\.))(?P<key>[\w.\-]+)[ \t]+(?P<value>\S+)[ \t]*\r?$", re.MULTILINE)
_AFTER_WORDS = (
    re.compile(r"""\b(?:password|passphrase|identified\s+by)\s+(?P<value>'(?:[^']|'')*'|"[^"\r\n]*")""", re.IGNORECASE),
    re.compile(r"\binsecure-password[ \t]+(?P<value>\S+)"),
    re.compile(r"\buser[ \t]+\S+[ \t]+password[ \t]+(?P<value>\S+)"),
    re.compile(r"\bauth[ \t]+[^\s:]+:(?P<value>\S+)"),
    re.compile(r"\b(?:bearer|basic)[ \t]+(?P<value>(?=\S*[0-9=])[A-Za-z0-9._~+/-]{8,}=*)", re.IGNORECASE),
)


def _after_words(text: str) -> t.Iterator[Span]:
    for start, end, key in phrases.places(text):
        yield Span(start, end, key, exact=False)
    for match in _OPTION.finditer(text):
        if is_secret_key(match["key"]):
            yield Span(*match.span("value"), match["key"], exact=False)
    for match in _PAIR.finditer(text):
        if must_be_secret(match["key"]):
            yield Span(*match.span("value"), match["key"], exact=False)
    for pattern in _AFTER_WORDS:
        for match in pattern.finditer(text):
            yield Span(*match.span("value"), "password", exact=False)


# --- values that are secrets by their form

_BY_FORM = (
    re.compile(r"(?<=\$\{encrypt:)[^}\r\n]+|(?<=\$\{hash:)[^}\r\n]+"),
    re.compile(r"\b(?:gh[opsur]_|github_pat_|glpat-|xox[abprs]-|sk_live_|hvs\.)[\w.-]{10,}|\bAGE-SECRET-KEY-1\w{10,}"),
    re.compile(r"\$(?:1|2[abxy]?|5|6|7|y|gy|apr1|argon2\w*|pbkdf2[\w-]*)\$[^\s\"':,<>]{8,}"),
    re.compile(r"\bSCRAM-SHA-(?:1|256|512)\$[^\s\"'<>]+|\bmd5[0-9a-f]{32}\b"),
)


_WORDS_WITH_DOTS = re.compile(r"(?<![\w-])[\w-]+(?:\.[\w-]*)+")
_WEB_TOKEN = re.compile(r"\beyJ[\w-]{5}")


def _by_form(text: str) -> t.Iterator[Span]:
    for pattern in _BY_FORM:
        for match in pattern.finditer(text):
            yield Span(*match.span(), "value", exact=True)
    for words in _WORDS_WITH_DOTS.finditer(text):
        start = words.start()
        parts = words[0].split(".")
        for part, following in zip(parts, parts[1:]):
            begin = _WEB_TOKEN.search(text, start, start + len(part))
            if begin is not None and len(following) >= 5:
                yield Span(begin.start(), words.end(), "value", exact=True)
                break
            start += len(part) + 1
