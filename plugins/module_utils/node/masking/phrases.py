# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets in sentences, in command lines and in lists of words, where a sign of assignment is missing.

Each repetition is bounded, so a search takes time in proportion to the length of the text.
"""

from __future__ import annotations

import re
import typing as t

from .names import is_secret_key, must_be_secret

Place = tuple[int, int, str]

_VALUE = r"""(?P<value>"[^"\r\n]{0,1000}"|'[^'\r\n]{0,1000}'|[^\s"']\S{0,1000})"""
_GAP = r"[ \t]{1,9}"


def places(text: str) -> t.Iterator[Place]:
    """The beginning, the end and the name of each."""
    yield from _in_sentences(text)
    yield from _in_commands(text)
    for pattern in _ALWAYS:
        for match in pattern.finditer(text):
            yield (*match.span("value"), "password")
    for pattern in (_LISTED, _CALL):
        for match in pattern.finditer(text):
            if must_be_secret(match["key"]):
                yield (*match.span("value"), match["key"])


# --- sentences

_PASSWORD = r"(?:pass(?:word|wd|phrase|code|wort)|pwd|kennwort)"
_SECRET = rf"(?P<key>{_PASSWORD}|secret|token|credentials?|(?:api|access|account|private|secret|shared)[ -]key)"
_OWNER = rf"(?:{_GAP}(?:for|of|von|für)(?:{_GAP}(?:the|user|account|role|database))?{_GAP}[^\s:=]{{1,100}})?"
_LINK = r"(?:is|was|ist|war|lautet|equals)(?:[ \t]{1,9}(?:now|still|set[ \t]to|changed[ \t]to|jetzt))?[ \t]{0,9}:?"
_SENTENCE = re.compile(
    rf"\b{_SECRET}{_OWNER}(?:(?P<link>{_GAP}{_LINK}|[ \t]{{0,9}}(?:[:=]|->))|{_GAP}(?:to|auf)){_GAP}{_VALUE}",
    re.IGNORECASE,
)
_WITH = re.compile(rf"\b(?P<with>(?:with|using|mit|set){_GAP})?{_PASSWORD}{_GAP}{_VALUE}", re.IGNORECASE)
# An account and its password. A word in capital letters is a protocol, a number a version, and a path has more slashes.
_ACCOUNT = re.compile(
    rf"\b(?:(?P<login>log(?:in|on|ged[ -]in|ging[ -]in|[ -]in)|sign(?:ed|ing)?[ -]in)|connect(?:ed|ing)?|"
    rf"authenticat(?:ed?|ing)|bind|bound){_GAP}(?:with|as|using|mit|als){_GAP}(?:(?:user|account|credentials?){_GAP})?"
    rf"[\w.@$\\-]{{1,100}}/(?!(?-i:[A-Z]{{2,9}}\b)|\d{{1,3}}(?:\.\d{{1,3}}){{0,3}}(?:\s|$))"
    r"(?P<value>[^\s/\"'<>][^\s/]{0,200})(?!/)",
    re.IGNORECASE,
)
# An account, its password and a database. A host with dots may be that of an e-mail address.
_ACCOUNT_AT = re.compile(
    r"(?<![\w/@.:%\\-])[\w.$-]{1,100}/(?P<value>[^\s/@\"'<>:]{1,200})@(?![0-9a-f]{4,40}\b|v\d|sha\d)"
    r"(?P<host>[A-Za-z][\w-]{0,100}(?:\.[\w-]{1,100}){0,9})"
)
_KINDS = re.compile(
    r"(?:pass(?:word|wd|phrase|wort)|pw|token|key|pin|secret|kennwort|certificate)s?[.,;:!?)\]}]*", re.IGNORECASE
)
# A key without a sign before it. What is shorter is the name of an algorithm, what has a slash or an ending is a file.
_KEY = re.compile(
    rf"\bprivate[ -]key{_GAP}(?P<value>\"[^\"\r\n]{{6,1000}}\"|'[^'\r\n]{{6,1000}}'|"
    rf"[^\s\"'/\\(\[{{]{{6,1000}})(?=\s|$)",
    re.IGNORECASE,
)
_NO_KEY = re.compile(r".*\.[A-Za-z]\w{1,7}[.,;:!?)\]}]*|(?-i:[A-Z][A-Z0-9-]*[.,;:]*)", re.IGNORECASE)
# What a sentence about a password goes on with.
_ORDINARY = re.compile(
    r"(?:[a-z]+(?:ed|ing|ent|ble|ory|ion|ful)|a|all|already|an|and|are|as|at|based|be|because|been|but|by|can|cannot|"
    r"correct|does|due|empty|encryption|file|files|for|from|given|good|has|have|here|hidden|history|if|in|incorrect|"
    r"invalid|is|it|known|late|left|length|less|long|may|missing|must|never|new|no|none|not|null|of|off|ok|old|on|only|"
    r"optional|or|out|policy|prompt|reset|right|rule|rules|same|set|short|shown|so|still|strength|that|the|their|there|"
    r"this|to|too|true|false|unknown|valid|value|was|weak|when|where|which|will|with|without|wrong|you|your|"
    r"abgelaufen|der|die|das|falsch|fehlt|für|ist|leer|nicht|richtig|ungültig|zu)[.,;:!?)\]}'\"]*",
    re.IGNORECASE,
)
# Digits, signs, or a capital letter behind the first one.
_NO_WORD = re.compile(r".*[0-9]|.+[A-Z]|.*[^\w\s.,;:!?)\]}'\"(\[{-].")


def _in_sentences(text: str) -> t.Iterator[Place]:
    for pattern, certain in ((_SENTENCE, "link"), (_WITH, "with")):
        for match in pattern.finditer(text):
            value = match["value"]
            if not _is_ordinary(value) and (match[certain] is not None or _NO_WORD.match(value)):
                yield (*match.span("value"), "password")
    for match in _ACCOUNT.finditer(text):
        value = match["value"]
        if not _is_ordinary(value) and not _KINDS.fullmatch(value) and (match["login"] or _NO_WORD.match(value)):
            yield (*match.span("value"), "password")
    for match in _ACCOUNT_AT.finditer(text):
        if "." not in match["host"] or _NO_WORD.match(match["value"]):
            yield (*match.span("value"), "password")
    for match in _KEY.finditer(text):
        if _NO_WORD.match(match["value"]) and not _NO_KEY.fullmatch(match["value"]):
            yield (*match.span("value"), "private_key")


def _is_ordinary(value: str) -> bool:
    """Whether it is one of the words, also at the beginning of a sentence or in capital letters."""
    is_written_so = value[1:].islower() or len(value) == 1 or value.isupper()
    return is_written_so and _ORDINARY.fullmatch(value) is not None


# --- command lines and files of accounts

_ALWAYS = (
    # The accounts of .netrc and of other programs.
    re.compile(
        rf"\b(?:login|user(?:name)?|account|role){_GAP}\S{{1,200}}[ \t\r\n]{{1,40}}pass(?:word|wd)?{_GAP}{_VALUE}", re.I
    ),
    # An account with its password as one argument; two numbers are an owner and a group.
    re.compile(
        r"""(?<!\S)(?:-[uU][ \t]{0,9}|--(?:proxy-)?user(?:[ \t]{1,9}|=))(?!\d+:\d+(?!\S))["']?[^\s:"'=/]{1,200}:"""
        r"""(?P<value>[^\s"']{1,1000})"""
    ),
    re.compile(
        r"\b(?:sqlplus|expdp?|impdp?|sqlldr|rman)[ \t]{1,9}(?:-\S{1,20}[ \t]{1,9})?[\w.$]{1,100}/(?P<value>\S{1,1000})"
    ),
    re.compile(rf"\bidentified{_GAP}by{_GAP}(?!values\b|external)(?P<value>[^\s'\";]{{1,1000}})", re.I),
    # Other forms of a string in SQL. One that does not end was cut off.
    re.compile(
        rf"\b(?:{_PASSWORD}|identified{_GAP}by)(?:{_GAP}|[ \t]{{0,9}}=[ \t]{{0,9}})"
        r"(?P<value>(?:[ENBX]|U&)'(?:[^'\\]|\\.|''){0,1000}'?"
        r"|\$(?P<tag>\w{0,30})\$(?:[^$]|\$(?!(?P=tag)\$)){0,1000}(?:\$(?P=tag)\$)?)",
        re.I,
    ),
    # In other names the sign follows the last letter of one word.
    re.compile(r"\b(?:api|access|account|private|secret|shared)[ -]key[:=](?P<value>[^\s\"']\S{0,1000})", re.I),
    # The sessions of users.
    re.compile(r"\b(?:jsessionid|phpsessid|session_?id)(?:=|%3d)(?P<value>[^\s;?#/&\"'<>,]{1,500})", re.I),
)
# A method or a function with one text, such as setPassword("...").
_CALL = re.compile(
    r"""(?<![\w.])(?:[\w.]{0,100}\.)?(?P<key>[A-Za-z_]\w{0,100})\([ \t]{0,9}"""
    r"""(?P<value>"(?:[^"\\\r\n]|\\.){0,1000}"|'(?:[^'\\\r\n]|\\.){0,1000}')"""
)
# Programs whose option of one letter has a password.
_COMMAND = re.compile(
    r"(?<![\w.-])(?:(?P<p>docker|podman|skopeo|helm|az|mongo\w{0,10}|kinit|unzip|zip)|"
    r"(?P<n>mysql\w{0,10}|mariadb[\w-]{0,10}|sshpass)|(?P<a>redis-cli)|(?P<w>ldap\w{3,10})|"
    r"(?P<P>sqlcmd|isql|unzip|zip|bcp))(?=[ \t])"
)
_SHORT = {
    # A number is a port, and two are ports of a container.
    "p": re.compile(rf"(?<=[ \t])-p[ \t]{{0,9}}(?![\d.:/]+(?:\s|$))(?!-){_VALUE}"),
    # These have another option for the port.
    "n": re.compile(rf"(?<=[ \t])-p[ \t]{{0,9}}(?!-){_VALUE}"),
    "a": re.compile(rf"(?<=[ \t])-a[ \t]{{0,9}}(?!-){_VALUE}"),
    "w": re.compile(rf"(?<=[ \t])-w[ \t]{{0,9}}(?!-){_VALUE}"),
    "P": re.compile(rf"(?<=[ \t])-P[ \t]{{0,9}}(?!-){_VALUE}"),
}
_LONGEST_COMMAND = 500


def _in_commands(text: str) -> t.Iterator[Place]:
    for command in _COMMAND.finditer(text):
        last = min(len(text), command.end() + _LONGEST_COMMAND)
        line = text.find("\n", command.end(), last)
        option = _SHORT[command.lastgroup or "p"].search(text, command.end(), line if line >= 0 else last)
        if option is not None:
            yield (*option.span("value"), "password")


# A name and its value as two items of a list, such as the arguments of a program.
_LISTED = re.compile(
    r"""["']-{0,2}(?P<key>[\w.\-]{1,100})["'][ \t]{0,9},\s{0,40}"""
    r"""(?P<value>"(?:[^"\\\r\n]|\\.){0,1000}"|'[^'\r\n]{0,1000}')"""
)


# --- a name in one field, and its value in another

_LABEL = re.compile(r"(?:name|key|property|header|variable|field|parameter|setting|(?<![a-z])id)\Z", re.IGNORECASE)
_CONTENT = re.compile(r"(?:value|content|string|(?<![a-z])(?:data|default|val))\Z", re.IGNORECASE)
_NAMED = re.compile(r"""["']?(?P<name>[\w.\-]{1,200})""")
# Where an item of a list ends, or an object.
_BOUNDARY = re.compile(r"[{}<>]|\n[ \t]{0,200}- |\n[ \t]*\n")
_FARTHEST = 500


class Fields:
    """Pairs fields that hold the names of secrets with the fields beside them that hold their values."""

    def __init__(self, text: str) -> None:
        self._text = text
        # The last field with a value, and the last with the name of a secret, if they have no other part yet.
        self._content: tuple[int, t.Any] | None = None
        self._label: tuple[int, str] | None = None

    def next(self, field: re.Match[str]) -> tuple[t.Any, str] | None:
        """The field with a value, and its name, if this field is the second one of them."""
        key = field["key"]
        if len(key) > _FARTHEST:
            return None
        if _CONTENT.search(key):
            if self._label is not None and self._are_together(self._label[0], field.start()):
                name, self._label = self._label[1], None
                self._content = None
                return field, name
            self._content = (field.end(), field)
        elif _LABEL.search(key):
            self._label = None
            named = _NAMED.match(self._text, field.end())
            if named is None or not is_secret_key(named["name"]):
                return None
            if self._content is not None and self._are_together(self._content[0], field.start()):
                content, self._content = self._content[1], None
                return content, named["name"]
            self._label = (field.end(), named["name"])
        return None

    def _are_together(self, end: int, start: int) -> bool:
        return start - end <= _FARTHEST and _BOUNDARY.search(self._text, end, start) is None
