# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets in files of any kind, recognized by their form and by the names that they have."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.common.findings import Finding
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.masking import MASK, Span, secret_spans

NOT_A_SECRET = "not a secret"
NOT_A_SECRET_COMMENT = re.compile(rf"(?:[#!;]|//|<!--|/\*).*\b{NOT_A_SECRET}\b", re.IGNORECASE)
_NOT_SECRET = ("", "true", "false", "null", "none", MASK)
# What the engine, its web server or a template replaces by a value that stands elsewhere.
_REFERENCES = ("${", "#{", "{{", "@{", "%{")
_CLEAR_MACROS = ("${encrypt:", "${hash:")
_JINJA = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)
_COMMENT_LINE = re.compile(r"\s*(?:[#!;]|//)")
_COMMENT_IN_MARKUP = re.compile(r"<!--.*?-->", re.DOTALL)
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


def check_text(name: str, text: str, is_template: bool = False) -> list[Finding]:
    """Values in a file of the source that can only be secrets; of a template, in its own text."""
    if is_template:
        # What comes from the inventory is a reference, and a statement has no value.
        text = _JINJA.sub(lambda match: "{{}}" + "\n" * match[0].count("\n"), text)
    comments = [match.span() for match in _COMMENT_IN_MARKUP.finditer(text)]
    findings = []
    for span in _certain(name, text):
        if span.key != "private_key" and any(start <= span.start < end for start, end in comments):
            continue
        start = text.rfind("\n", 0, span.start) + 1
        line = text[start:].split("\n", 1)[0]
        above = text[:start].rstrip("\n").rpartition("\n")[2]
        if NOT_A_SECRET_COMMENT.search(line) or NOT_A_SECRET_COMMENT.match(above.lstrip()):
            continue
        if span.key != "private_key" and _COMMENT_LINE.match(line):
            continue
        number = text.count("\n", 0, start) + 1
        what = {"private_key": "a private key", "url_password": "an address with a password"}.get(span.key)
        problem = f"it holds {what or f'a secret ({span.key})'} in clear text"
        findings.append(Finding.in_file(name, number, problem, _ADVICE))
    return findings


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
