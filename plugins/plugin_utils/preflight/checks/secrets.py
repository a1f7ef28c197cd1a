# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets that are none. No finding shows a value."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.common import masking
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.findings import WARNING, Finding
from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight.model.inventory import ENGINES, Inventory

SHORTEST_KEY = 32
SHORTEST_PASSWORD = 8

_PLACEHOLDER = re.compile(
    r"(?:please[-_ ]?)?change[-_ ]?(?:me|it|this)[-_!.0-9]*|replace[-_ ]?(?:me|this|with.*)|"
    r"(?:my|your|the|a)?[-_ ]?(?:passw(?:or)?d|passwort|secret|token|key)[-_!.0-9]*|"
    r"(?:to[-_ ]?do|tbd|fix[-_ ]?me|example|sample|default|dummy|test|admin|postgres|ivy|axonivy)[-_!.0-9]*|"
    r"p[a4@][s5$]{2}w[o0]rd[-_!.0-9]*|x{3,}|\*{3,}|\.{3,}|<.*>|1?2345?6?7?8?9?0?|qwert[yz].{0,4}",
    re.IGNORECASE,
)


def check(inventory: Inventory, options: t.Iterable[str]) -> list[Finding]:
    """``options`` are those whose values are secrets, ``ivy_shared_secrets`` apart, which holds many."""
    findings = []
    for option in options:
        given = [host.values.get(option) for host in inventory.hosts if option in host.given]
        if any(isinstance(value, str) and value and not value.strip() for value in given):
            advice = "Make a secret, and keep it in the vault."
            findings.append(Finding("secret-placeholder", "Secrets", option, "it is blank", advice))
        values = {value for host in inventory.hosts if option in host.given and (value := host.text(option))}
        findings += [finding for value in values if (finding := _judge(option, value))]
    trees = [host.values.get("ivy_shared_secrets") for host in inventory.of(ENGINES)]
    paths = {path: value for tree in trees if isinstance(tree, dict) for path, value in _leaves(tree, "")}
    for path, value in sorted(paths.items()):
        if not value.strip():
            advice = "Give it a value, or remove it."
            findings.append(
                Finding("secret-empty", "Secrets", f"ivy_shared_secrets.{path}", "it is empty", advice, WARNING)
            )
        elif _PLACEHOLDER.fullmatch(value.strip()):
            findings.append(_placeholder(f"ivy_shared_secrets.{path}"))
    return findings


def _judge(option: str, value: str) -> Finding | None:
    if option == "ivy_cluster_key" and len(value) < SHORTEST_KEY:
        advice = "Make one with: openssl rand -hex 32"
        problem = f"it needs at least {SHORTEST_KEY} characters"
        return Finding("key-too-short", "Secrets", option, problem, advice)
    if option == "ivy_cluster_key" and len(set(value)) < 8:
        problem = "it is made of a few characters over and over"
        return Finding("key-too-short", "Secrets", option, problem, "Make one with: openssl rand -hex 32")
    if _PLACEHOLDER.fullmatch(value):
        return _placeholder(option)
    if masking.must_be_secret(option) and len(value) < SHORTEST_PASSWORD:
        problem = f"it is shorter than {SHORTEST_PASSWORD} characters"
        return Finding("password-short", "Secrets", option, problem, "Choose a longer one.", WARNING)
    return None


def _placeholder(where: str) -> Finding:
    problem = "its value is a placeholder that anybody would guess"
    return Finding("secret-placeholder", "Secrets", where, problem, "Make a secret, and keep it in the vault.")


def _leaves(tree: t.Any, path: str) -> t.Iterator[tuple[str, str]]:
    if isinstance(tree, dict):
        for key, item in tree.items():
            yield from _leaves(item, f"{path}.{key}" if path else str(key))
    elif isinstance(tree, list):
        for index, item in enumerate(tree):
            yield from _leaves(item, f"{path}[{index}]")
    elif isinstance(tree, str):
        # What is null is reported by the build.
        yield path, tree
