# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of the engine's own YAML files, each giving findings with a line."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.common import masking
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.findings import Finding
from ansible_collections.ivy.cluster.plugins.plugin_utils.release import secret_checks
from ansible_collections.ivy.cluster.plugins.plugin_utils.yaml import tree

IVY_YAML = "configuration/ivy.yaml"
WEBSERVER_YAML = "configuration/ivy.webserver.yaml"
SYSTEM_FILES = (IVY_YAML, WEBSERVER_YAML)

_APP_YAML = re.compile(r"configuration/applications/(?:.+/)?app\.yaml")
# The vendor publishes schemas at both addresses. Their versions are a series of their own: one that is newer than the
# engine is ordinary, for example 13.2.9 with engine 13.2.0.
_SCHEMA = re.compile(r"https://json-schema\.(?:axonivy\.com|ivyteam\.ch)/(\w+)/[^/]+/(\w+)\.json")
_CLEAR_MACRO = re.compile(r"\$\{(?:encrypt|hash):")
_MERGE = re.compile(r"(?:^|\.)(<<)(?:$|[.\[])")
_COMMENT_SIGN = re.compile("#")


def is_engine_yaml(path: str) -> bool:
    return path in SYSTEM_FILES or _APP_YAML.fullmatch(path) is not None


def schema_kind(path: str) -> str:
    """Which schema a file has: ``ivy``, ``app``, or none."""
    if path == IVY_YAML:
        return "ivy"
    return "app" if _APP_YAML.fullmatch(path) else ""


def header_line(path: str, profile: t.Mapping[str, t.Any]) -> str:
    """The first line of a new file; empty where no schema is known for this range of versions."""
    kind = schema_kind(path)
    address = str(profile.get("schema_header", {}).get(kind, "")) if kind else ""
    return f"# yaml-language-server: $schema={address}" if address else ""


def check_header(path: str, name: str, document: tree.Document, profile: t.Mapping[str, t.Any]) -> list[Finding]:
    kind = schema_kind(path)
    if not kind:
        return []
    if not document.header:
        if not profile.get("schema_header", {}).get("required"):
            return []
        line = header_line(path, profile)
        advice = f"Make this its first line: {line} (with the version that the file was written for)."
        return [Finding.in_file(name, 1, "it has no schema header, so the engine takes it for its newest form", advice)]
    findings = []
    if document.header_line != 1:
        problem = "the schema header is not the first line"
        findings.append(Finding.in_file(name, document.header_line, problem, "Move it there."))
    match = _SCHEMA.fullmatch(document.header)
    if match is None or match[1] != kind or match[2] != kind:
        advice = f"It has the form https://json-schema.axonivy.com/{kind}/<version>/{kind}.json."
        findings.append(
            Finding.in_file(name, document.header_line, f"'{document.header}' is not a schema of this file", advice)
        )
    return findings


def check_duplicates(name: str, document: tree.Document) -> list[Finding]:
    """Keys that are there twice, in one mapping or once dotted and once nested."""
    findings = [
        Finding.in_file(
            name, entry.line, f"the key '{entry.key}' is there twice, first in line {entry.first_line}", "Keep one."
        )
        for entry in document.duplicates
    ]
    reported = {entry.key for entry in document.duplicates}
    seen: dict[str, tree.Leaf] = {}
    for leaf in document.leaves:
        first = seen.setdefault(leaf.key, leaf)
        if first is not leaf and not any(tree.has_prefix(leaf.key, key) for key in reported):
            differing = "with another value" if first.value != leaf.value else "with the same value"
            problem = f"'{leaf.key}' is set twice, {differing}, first in line {first.line}"
            advice = "Keep one; dotted and nested spelling are the same key."
            findings.append(Finding.in_file(name, leaf.line, problem, advice))
    return findings


def check_tags(name: str, document: tree.Document) -> list[Finding]:
    findings = []
    for leaf in document.leaves:
        if leaf.tag:
            advice = "Remove it."
            if leaf.tag in ("!vault", "!vault-encrypted"):
                advice = "Put the value into ivy_shared_secrets, and use it in a template (.j2) as secret.<name>."
            problem = f"'{leaf.key}' has the tag {leaf.tag}, which the engine does not know"
            findings.append(Finding.in_file(name, leaf.line, problem, advice))
    return findings


def check_merges(name: str, document: tree.Document) -> list[Finding]:
    """Merge keys: the engine reads what they refer to, and no check of a key would find it there."""
    advice = "Write the keys themselves, or use a template (.j2) to repeat them."
    lines: dict[str, int] = {}
    for leaf in document.leaves:
        found = _MERGE.search(leaf.key)
        if found is not None:
            lines.setdefault(leaf.key[: found.end(1)], leaf.line)
    problem = "is a merge key, which hides keys from the checks of this file"
    return [Finding.in_file(name, line, f"'{key}' {problem}", advice) for key, line in lines.items()]


def check_renamed(
    path: str, name: str, document: tree.Document, profile: t.Mapping[str, t.Any], engine_version: str
) -> list[Finding]:
    if path not in SYSTEM_FILES:
        return []
    findings = []
    for rename in profile.get("renamed_keys", ()):
        old, new = str(rename["from"]), str(rename.get("to") or "")
        if rename.get("file", path) != path:
            continue
        if old == "*":
            line = document.leaves[0].line if document.leaves else 0
            advice = f"Move its keys to {rename['to_file']} and remove this file."
            findings.append(Finding.in_file(name, line, f"engine {engine_version} does not read this file", advice))
            continue
        for leaf in document.leaves:
            if tree.has_prefix(leaf.key, old):
                problem = f"engine {engine_version} does not read '{leaf.key}'"
                advice = f"Its name is '{new}{leaf.key.removeprefix(old)}'." if new else str(rename["advice"])
                findings.append(Finding.in_file(name, leaf.line, problem, advice))
    return findings


def unlisted_keys(path: str, name: str, document: tree.Document, profile: t.Mapping[str, t.Any]) -> list[str]:
    """Warnings about keys of a section that this range renamed, but that are not in the vendor's list of new names."""
    if path not in SYSTEM_FILES:
        return []
    renamed = [str(rename["from"]) for rename in profile.get("renamed_keys", ())]
    warnings = []
    for section in profile.get("renamed_sections", ()):
        known = (*(str(key) for key in section["new_keys"]), *renamed)
        warnings += [
            f"{name}, line {leaf.line}: '{leaf.key}' may have no effect. {section['advice']}"
            for leaf in document.leaves
            if tree.has_prefix(leaf.key, str(section["name"]))
            and not any(tree.has_prefix(leaf.key, key) for key in known)
        ]
    return warnings


def check_clear_text(
    name: str, text: str, document: tree.Document, from_secrets: t.Container[str] = (), rendered: bool = False
) -> list[Finding]:
    """Values of keys that can only be secrets, and passwords inside addresses, that stand in the source as they are."""
    lines = text.splitlines()
    marked = {number for number, line in enumerate(lines, 1) if secret_checks.is_marked(line, _COMMENT_SIGN)}
    findings = []
    for leaf in document.leaves:
        if leaf.key in from_secrets or leaf.value.kind != "text" or not leaf.value.text:
            continue
        if not 0 < leaf.line <= len(lines) or leaf.line in marked:
            continue
        place = " (line of the rendered text)" if rendered else ""
        value = leaf.value.text
        if masking.must_be_secret(leaf.key) and _is_clear(value):
            problem = f"'{leaf.key}' holds a secret in clear text{place}"
            advice = (
                "Put it into ivy_shared_secrets (from the vault), rename the file to .j2 and write "
                "{{ ('${encrypt:' ~ secret.<name> ~ '}') | to_json }} - or, for a key of ivy.yaml, remove it here "
                "and add it to ivy_shared_secrets.engine_keys. "
                f"If it is not a secret, end the line with '# {secret_checks.NOT_A_SECRET}'."
            )
            findings.append(Finding.in_file(name, leaf.line, problem, advice))
        elif (kind := secret_checks.kind_of_secret_in(value)) is not None:
            problem = f"'{leaf.key}' {kind} in clear text{place}"
            advice = "Rename the file to .j2 and take the secret from ivy_shared_secrets with {{ secret.<name> }}."
            findings.append(Finding.in_file(name, leaf.line, problem, advice))
    return findings


def _is_clear(value: str) -> bool:
    if value in ("true", "false"):
        return False
    return not value.startswith("${") or _CLEAR_MACRO.match(value) is not None
