# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets in files of any kind, recognized by their form and by the names that they have."""

from __future__ import annotations

import codecs
import dataclasses
import itertools
import re
import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.common.findings import Finding
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.masking import MASK, Span, secret_spans

NOT_A_SECRET = "not a secret"
_NOT_A_SECRET_WORDS = re.compile(rf"\b{NOT_A_SECRET}\b", re.IGNORECASE)
_COMMENT_SIGN = re.compile(r"[#!;]|//|<!--|/\*")
_NOT_SECRET = ("", "true", "false", "null", "none", MASK)
# What the engine, its web server or a template replaces by a value that stands elsewhere.
_REFERENCES = ("${", "#{", "{{", "@{", "%{")
_CLEAR_MACROS = ("${encrypt:", "${hash:")
_JINJA = {"{{": "}}", "{%": "%}", "{#": "#}"}
_COMMENT_LINE = re.compile(r"\s*(?:[#!;]|//)")
_COMMENT_IN_MARKUP = {"<!--": "-->"}
# In program text, a name with a value is mostly a variable or a label.
_PROGRAMS = (".js", ".mjs", ".ts", ".map", ".css", ".html", ".htm", ".xhtml", ".jsp", ".md", ".svg", ".java", ".groovy")
_KEY_STORES = (b"\xfe\xed\xfe\xed\0\0\0", b"\xce\xce\xce\xce\0\0\0")
# How PKCS#12 (version 3), PKCS#8 (0, then an algorithm), PKCS#1 (0, then a number) and SEC 1 (1, then a key) begin,
# behind the length of the whole.
_DER = re.compile(
    rb"\x30(?:[\x00-\x7f]|\x80|\x81.|\x82..|\x83...)"
    rb"(?:\x02\x01\x03\x30|\x02\x01\x00\x30.{1,2}\x06|\x02\x01\x00\x02|\x02\x01\x01\x04)",
    re.DOTALL,
)
_ADVICE = (
    "Put it into ivy_shared_secrets (from the vault), rename the file to .j2 and write {{ secret.<name> }}; or encrypt "
    f"the file with ansible-vault. If it is not one, write a comment with '{NOT_A_SECRET}' there or above."
)

# What a secret that is certain begins with. Large files are searched for it first, since the whole search takes some
# seconds for each MiB.
_WORD_OF_SECRET = re.compile(
    rb"begin [a-z0-9 ]*private key|putty-user-key|ls0tls1crudjti|passw|pass[-_\s]?phrase|kennwort|secret|token|"
    rb"credential|(?:access|account|api|master|private|shared)[-_]?key|keypass|storepass|"
    rb"(?:pass|pwd?|psk)[\"'\]]*\s*(?:[=:>]|\w*value)|[?&](?:key|code|auth|sig|sas)=|"
    rb"(?::|%3a)(?:/|\\/|%2f){2}\S{1,300}?(?:@|%40|\\u0040)|jdbc:\S{1,300}?@"
)
_WINDOW, _OVERLAP, _LONGEST_LINE = 1 << 20, 16 << 10, 4 << 10
_LONGEST_HEAD = 64
_MOST_SEARCHED = 1 << 20
_NOT_SEARCHED = (
    "it is so large, and has so many words such as 'password', that only its beginning was searched for secrets. If it "
    "holds some, encrypt it: ansible-vault encrypt <file>."
)


def is_key_store(path: str, data: bytes) -> bool:
    """Whether a file holds keys in a binary form. By its name, a store of trusted certificates is not one."""
    if "trust" in path.rsplit("/", 1)[-1].lower() or path.endswith((".jar", ".zip", ".iar")):
        return False
    return data.startswith(_KEY_STORES) or _DER.match(data) is not None


def is_harmless(value: str) -> bool:
    """Nothing at all, a switch, or a reference to a value that stands elsewhere."""
    value = value.strip()
    if value.lower() in _NOT_SECRET:
        return True
    return value.startswith(_REFERENCES) and not value.startswith(_CLEAR_MACROS)


def kind_of_secret_in(value: str) -> str | None:
    """What a single value contains that can only be a secret, as a part of a sentence."""
    for span in secret_spans(value):
        found = value[span.start : span.end]
        if not span.certain or "${" in found or _is_without_secret(found):
            continue
        if span.key == "private_key":
            return "holds a private key"
        if span.key == "url_password":
            return "is an address with a password"
        return "holds a secret"
    return None


def is_marked(line: str, sign: re.Pattern[str] = _COMMENT_SIGN) -> bool:
    """Whether a line has a comment which says that its value is not a secret."""
    begin = sign.search(line)
    return begin is not None and _NOT_A_SECRET_WORDS.search(line, begin.end()) is not None


def check_text(name: str, text: str, is_template: bool = False) -> list[Finding]:
    """Values in a file of the source that can only be secrets; of a template, in its own text."""
    if is_template:
        text = _without_jinja(text)
    lines = _Lines(text)
    in_comments = _Places(_between(text, _COMMENT_IN_MARKUP))
    findings = []
    for span in _certain(name, text):
        is_key = span.key == "private_key"
        line = lines.at(span.start)
        if line.is_marked or (not is_key and (line.is_comment or in_comments.have(span.start))):
            continue
        what = {"private_key": "a private key", "url_password": "an address with a password"}.get(span.key)
        problem = f"it holds {what or f'a secret ({span.key})'} in clear text"
        findings.append(Finding.in_file(name, line.number, problem, _ADVICE))
    return findings


def check_large(name: str, path: str, blocks: t.Iterable[bytes], warnings: list[str]) -> list[Finding]:
    """The same for a file that is too large to be in memory.

    Only the lines around a word of a secret are searched. What has null bytes is not searched, as in smaller files.
    """
    findings: dict[tuple[int, str], Finding] = {}
    searched, number, rest, head, decoder = 0, 0, "", b"", None
    for block in itertools.chain(blocks, (b"",)):
        if decoder is None:
            head += block
            if block and len(head) < _LONGEST_HEAD:
                continue
            if is_key_store(path, head):
                return [_key_store(name)]
            is_utf16 = head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
            decoder = codecs.getincrementaldecoder("utf-16" if is_utf16 else "utf-8")("replace")
            block, head = head, b""
        if b"\0" in block and not is_utf16:
            return []
        text = rest + decoder.decode(block)
        if len(text) < _WINDOW and block:
            rest = text
            continue
        for start, end in _near_words(text):
            searched += end - start
            if searched > _MOST_SEARCHED:
                warnings.append(f"{name}: {_NOT_SEARCHED}")
                return list(findings.values())
            above = number + text.count("\n", 0, start)
            for finding in check_text(name, text[start:end]):
                found = Finding.in_file(name, finding.line + above, finding.message, finding.fix)
                findings.setdefault((found.line, found.message), found)
        # What begins at the end of one window is in the next one as well.
        cut = text.rfind("\n", 0, max(len(text) - _OVERLAP, 0)) + 1
        cut = cut if len(text) - cut <= _WINDOW // 2 else len(text) - _OVERLAP
        number += text.count("\n", 0, cut)
        rest = text[cut:]
    return list(findings.values())


def _near_words(text: str) -> t.Iterator[tuple[int, int]]:
    """The lines around each word that a secret may follow, joined where they meet."""
    start, end = 0, -1
    # One byte for each character. Small letters in bytes are found ten times faster than any in a text.
    for match in _WORD_OF_SECRET.finditer(text.encode("ascii", "replace").lower()):
        first = _line_start(text, match.start())
        # The line above may say that it is not a secret, and the value may be below.
        first = _line_start(text, first - 1) if first else 0
        last = _line_end(text, _line_end(text, match.end()) + 1)
        if first <= end:
            end = max(end, last)
            continue
        if end >= 0:
            yield start, end
        start, end = first, last
    if end >= 0:
        yield start, end


def _line_start(text: str, position: int) -> int:
    lowest = max(position - _LONGEST_LINE, 0)
    found = text.rfind("\n", lowest, position)
    return found + 1 if found >= 0 else lowest


def _line_end(text: str, position: int) -> int:
    highest = min(position + _LONGEST_LINE, len(text))
    found = text.find("\n", position, highest)
    return found if found >= 0 else highest


def _key_store(name: str) -> Finding:
    return Finding.in_file(name, 0, "it is a key store or a private key", "Encrypt it: ansible-vault encrypt <file>.")


@dataclasses.dataclass(frozen=True)
class _Line:
    number: int
    end: int
    is_marked: bool
    is_comment: bool


class _Lines:
    """The lines of a text, asked for from the first to the last. Each is read once, however many secrets it has."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._counted = 0
        self._breaks = 0
        self._line = _Line(0, -1, False, False)

    def at(self, position: int) -> _Line:
        if position <= self._line.end:
            return self._line
        start = self._text.rfind("\n", 0, position) + 1
        end = self._text.find("\n", position)
        line = self._text[start : end if end >= 0 else len(self._text)]
        self._breaks += self._text.count("\n", self._counted, start)
        self._counted = start
        marked = is_marked(line) or self._is_marked_above(start)
        self._line = _Line(self._breaks + 1, start + len(line), marked, _COMMENT_LINE.match(line) is not None)
        return self._line

    def _is_marked_above(self, start: int) -> bool:
        """Whether the line above, apart from empty ones, is a comment that says so."""
        end = start
        while end > 0 and self._text[end - 1] == "\n":
            end -= 1
        above = self._text[self._text.rfind("\n", 0, end) + 1 : end].lstrip()
        return _COMMENT_SIGN.match(above) is not None and is_marked(above)


class _Places:
    """Whether one of many places, which are in order and apart, has a position. Asked from the first to the last."""

    def __init__(self, places: t.Iterator[tuple[int, int]]) -> None:
        self._places = places
        self._now = next(places, None)

    def have(self, position: int) -> bool:
        while self._now is not None and self._now[1] <= position:
            self._now = next(self._places, None)
        return self._now is not None and self._now[0] <= position


def _between(text: str, ends: dict[str, str]) -> t.Iterator[tuple[int, int]]:
    """What stands between two signs, with them. An end that was not found once is not searched for again."""
    begin = re.compile("|".join(re.escape(sign) for sign in ends))
    missing: set[str] = set()
    position = 0
    while (match := begin.search(text, position)) is not None:
        closing = ends[match[0]]
        end = -1 if closing in missing else text.find(closing, match.end())
        if end < 0:
            missing.add(closing)
            position = match.start() + 1
        else:
            position = end + len(closing)
            yield match.start(), position


def _without_jinja(text: str) -> str:
    """What comes from the inventory is a reference, and a statement has no value. Lines keep their numbers."""
    pieces, done = [], 0
    for start, end in _between(text, _JINJA):
        pieces += [text[done:start], "{{}}", "\n" * text.count("\n", start, end)]
        done = end
    return "".join((*pieces, text[done:]))


def _certain(name: str, text: str) -> t.Iterator[Span]:
    is_program = name.removesuffix(".j2").lower().endswith(_PROGRAMS)
    for span in secret_spans(text):
        if not span.certain or (is_program and span.key != "private_key"):
            continue
        if not _is_without_secret(text[span.start : span.end]):
            yield span


def _is_without_secret(value: str) -> bool:
    value = value.strip()
    if len(value) > 1 and value[0] in "\"'" and value[-1] == value[0]:
        value = value[1:-1]
    if value.startswith("<![CDATA["):
        value = value[len("<![CDATA[") : -len("]]>")]
    return is_harmless(value) or "{{}}" in value
