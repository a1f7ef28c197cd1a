# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a file needs a restart of the engine when it changes.

The answer goes into the manifest as keyed digests, so that a node compares without knowing the rules or the values.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import typing as t

from ansible_collections.ivy.cluster.plugins.module_utils.node.files.digest import canonical
from ansible_collections.ivy.cluster.plugins.module_utils.node.files.patterns import compile_pattern
from ansible_collections.ivy.cluster.plugins.plugin_utils.release.large_file import LargeFile
from ansible_collections.ivy.cluster.plugins.plugin_utils.yaml import tree as yaml_tree

Rule = t.Mapping[str, t.Any]
Restart = dict[str, t.Any]

NEVER: t.Final = "never"
ALWAYS: t.Final = "always"
KEYS: t.Final = "keys"

HOT_RELOAD_FILE = "configuration/ivy.yaml"


class KeyedDigest:
    """Digests that nobody can try guesses against without the cluster's key."""

    def __init__(self, cluster_key: str) -> None:
        self._key = cluster_key.encode("utf-8")

    def __call__(self, value: t.Any) -> str:
        return hmac.new(self._key, canonical(value), hashlib.sha256).hexdigest()

    def fingerprint(self) -> str:
        """By this a node sees that a release was built with another key, without learning anything about it."""
        return self(["cluster key"])[:16]


def rule_for(path: str, rules: t.Sequence[Rule]) -> Rule:
    """The first rule whose pattern matches; without one, a restart is the safe answer."""
    for rule in rules:
        if compile_pattern(str(rule["pattern"])).match(path):
            return rule
    return {"pattern": path, "restart": ALWAYS}


def describe(
    path: str,
    data: bytes | LargeFile,
    document: yaml_tree.Document | None,
    profile: t.Mapping[str, t.Any],
    digest: KeyedDigest,
    read_only: bool = False,
) -> Restart:
    """The manifest's ``restart`` of a file in the engine's directory.

    ``read_only``: the engine works on a copy that it takes at its start, so nothing reloads.
    """
    rule = rule_for(path, profile.get("restart_rules", ()))
    kind = rule["restart"]
    if read_only and kind == NEVER:
        kind = ALWAYS
    if kind == NEVER:
        return {"kind": NEVER, "digest": ""}
    if kind == KEYS and document is not None:
        hot = profile.get("hot_reload_keys", ()) if path == HOT_RELOAD_FILE and not read_only else ()
        tree = document.tree()
        classed = {
            key: _value(value)
            for key, value in tree.items()
            if not any(yaml_tree.has_prefix(key, prefix) for prefix in hot)
        }
        return by_keys(path, classed, digest)
    return {"kind": ALWAYS, "digest": digest(["restart", path, _relevant(data, rule.get("ignore", ()))])[:16]}


def _relevant(data: bytes | LargeFile, ignored: t.Sequence[t.Any]) -> str:
    """The digest of a file without the attributes that a rule ignores."""
    if isinstance(data, LargeFile):
        if not ignored:
            return data.sha256
        data = data.path.read_bytes()
    for attribute in ignored:
        data = _without_attribute(data, str(attribute))
    return hashlib.sha256(data).hexdigest()


def by_keys(path: str, values: t.Mapping[str, t.Any], digest: KeyedDigest) -> Restart:
    """Kind ``keys``: one digest for the decision, one for each key so that the reason can name it."""
    keys = {key: digest(["restart", path, key, values[key]])[:16] for key in sorted(values)}
    return {"kind": KEYS, "digest": digest(["restart", path, keys])[:16], "keys": keys}


def _value(value: yaml_tree.Value) -> list[str]:
    return [value.kind, value.text]


def _without_attribute(data: bytes, attribute: str) -> bytes:
    name = re.escape(attribute.encode("utf-8"))
    return re.sub(rb"\b" + name + rb"\s*=\s*(?:\"[^\"]*\"|'[^']*')", attribute.encode("utf-8"), data)


def needed(node: t.Mapping[str, t.Any], changes: t.Iterable[t.Mapping[str, t.Any]], hot: t.Sequence[str]) -> list[str]:
    """The reasons of a node for a restart, without local changes of keys alone that the engine reloads.

    ``node`` is what engine_info or shared_config_info returned, ``changes`` the local changes by file and key.
    """
    reasons = list(node.get("restart_reasons") or [])
    reason = (node.get("restart_undecided") or {}).get(HOT_RELOAD_FILE)
    if reason in reasons and any(_is_hot(change, hot) for change in changes):
        reasons.remove(reason)
    return reasons


def _is_hot(change: t.Mapping[str, t.Any], hot: t.Sequence[str]) -> bool:
    keys = change.get("keys") or []
    return (
        (change.get("root"), change.get("path"), change.get("kind")) == ("engine", HOT_RELOAD_FILE, "modified")
        and bool(keys)
        and all(
            key.get("change") != "unreadable" and any(yaml_tree.has_prefix(str(key["key"]), prefix) for prefix in hot)
            for key in keys
        )
    )
