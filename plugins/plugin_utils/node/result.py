# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes the result of a node: compares YAML by keys and masks secrets.

A node compares bytes only. This module finds the keys of a YAML file that differ, and on which side, from texts that
the node encrypted for the controller.
"""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import typing as t

from ansible_collections.ivy.cluster.plugins.module_utils.node.config.running_copy import COPY
from ansible_collections.ivy.cluster.plugins.module_utils.node.files.digest import canonical
from ansible_collections.ivy.cluster.plugins.plugin_utils.common import answers, masking
from ansible_collections.ivy.cluster.plugins.plugin_utils.yaml import meaning, merge, tree
from ansible_collections.ivy.cluster.plugins.plugin_utils.yaml.merge import KeyChange, Side

Item = dict[str, t.Any]

# Far above what anybody changes by hand or reads. A node's file could have any number of keys, and of secrets in them.
MOST_CHANGES = 1000
MOST_VALUES = 1000

LISTS = ("drift", "pending", "conflict")

# The parts of a finding that describe the file on the node.
_OF_THE_FILE = ("root", "path", "secret", "size", "mode", "owner", "modified")


# --- one YAML file


@dataclasses.dataclass(frozen=True)
class Texts:
    """The texts of one YAML file on one node, and what of it is secret."""

    applied: bytes
    actual: bytes
    accepted: bytes | None
    wanted: bytes | None
    mask: masking.Mask

    @classmethod
    def of(
        cls, question: t.Mapping[str, t.Any], secrets: t.Sequence[str], wanted: bytes | None, entry: Item | None
    ) -> Texts:
        applied, actual = answers.decoded(question["applied"]), answers.decoded(question["actual"])
        accepted = answers.optional(question.get("accepted"))
        return cls(
            applied,
            actual,
            accepted,
            wanted,
            mask_of((applied, actual, accepted, wanted), (question, entry or {}), secrets),
        )

    def changes(self) -> tuple[KeyChange, ...]:
        found = merge.classify(self.applied, self.actual, self.wanted, self.accepted)
        if len(found) > MOST_CHANGES:
            raise tree.YamlError(1, f"too many keys differ, more than {MOST_CHANGES}")
        return found


def mask_of(
    texts: t.Iterable[bytes | None], described: t.Iterable[t.Mapping[str, t.Any]], secrets: t.Sequence[str]
) -> masking.Mask:
    """What to hide of one YAML file: the keys that its releases name, and what these keys hold wherever it stands."""
    listed = list(described)
    keys = masking.SecretKeys(key for item in listed for key in item.get("secret_keys") or ())
    if any(item.get("secret") and not item.get("secret_keys") for item in listed):
        # It contains a secret, and its place is unknown.
        keys = masking.SecretKeys((), everything=True)
    values: set[str] = set()
    for text in texts:
        try:
            values_by_key = meaning.held(text or b"")
        except tree.YamlError:
            continue
        values.update(
            str(one)
            for key, ones in values_by_key.items()
            if key in keys or masking.must_be_secret(key)
            for one in ones
        )
    if len(values) > MOST_VALUES:
        # Not to be searched for in every value, so no value is shown.
        return masking.Mask(masking.SecretKeys((), everything=True), tuple(secrets))
    return masking.Mask(keys, (*secrets, *sorted(values)))


def judge(question: t.Mapping[str, t.Any], secrets: t.Sequence[str] = ()) -> tuple[str, list[Item]]:
    """Whether the file on a node means the same as the applied one: the verdict, and the keys that differ."""
    texts = Texts.of(question, secrets, None, None)
    try:
        changes = texts.changes()
    except tree.YamlError as exc:
        return "different", [_unreadable(exc)]
    if not changes:
        return "same", []
    verdict = "rewriting" if all(one.change == "rewritten" for one in changes) else "different"
    return verdict, [shown(one, texts.mask) for one in changes]


def shown(one: KeyChange, mask: masking.Mask) -> Item:
    return {
        "key": mask.text(one.key),
        "change": one.change,
        "before": mask.value(one.key, one.before),
        "after": mask.value(one.key, one.after),
        "wanted": mask.value(one.key, one.wanted),
    }


def _unreadable(exc: tree.YamlError) -> Item:
    return {"key": "", "change": "unreadable", "before": None, "after": str(exc), "wanted": None}


# --- the three lists


class Comparable:
    """Maps equal findings of two nodes to equal texts from which no secret can be guessed."""

    def __init__(self, key: bytes) -> None:
        self._key = hmac.digest(key, b"ivy.cluster: findings alike", "sha256")

    def of(self, *parts: t.Any) -> str:
        return hmac.new(self._key, canonical(list(parts)), hashlib.sha256).hexdigest()[:32]


class Lists:
    """Drift, pending and conflict of one node, by keys where the file is YAML."""

    def __init__(
        self,
        result: Item,
        read_wanted: t.Callable[[Item], bytes],
        entries: t.Mapping[tuple[str, str], Item] | None,
        secrets: t.Sequence[str],
        comparable: Comparable,
    ) -> None:
        self._result = result
        self._comparisons = {one["key"]: one for one in result.get("comparisons") or []}
        self._digests: dict[str, str] = result.get("digests") or {}
        self._read_wanted = read_wanted
        # None if no release was requested: then the applied one counts.
        self._entries = entries
        self._secrets = secrets
        self._comparable = comparable
        self._lists: dict[str, list[Item]] = {name: [] for name in LISTS}

    def made(self) -> dict[str, list[Item]]:
        for name in LISTS:
            for item in self._result.get(name) or []:
                comparison = self._comparisons.get(self._key_of(item))
                if comparison is None:
                    self._add(name, item)
                else:
                    self._take_apart(name, item, comparison)
        for name in LISTS:
            self._lists[name].sort(key=lambda one: (one["root"], one["path"]))
        return self._lists

    @staticmethod
    def _key_of(item: Item) -> str:
        return str(item["path"]) if item["root"] == "node" else f"{item['root']}:{item['path']}"

    def _add(self, name: str, item: Item, raw: t.Any = None) -> None:
        if raw is None:
            raw = [self._digests.get(self._key_of(item)), item.get("mode"), item.get("owner"), item.get("detail")]
        basis = (name, item["root"], item["path"], item.get("kind"), item.get("change"), raw)
        self._lists[name].append({**item, "comparable": self._comparable.of(*basis)})

    def _take_apart(self, name: str, item: Item, comparison: Item) -> None:
        # The copy of a read-only engine has the same path as the file in the release.
        root = "engine" if item["root"] == COPY else item["root"]
        entry = (self._entries or {}).get((root, item["path"]))
        wanted = self._read_wanted(entry) if entry is not None else None
        texts = Texts.of(comparison, self._secrets, wanted, entry)
        try:
            changes = texts.changes()
        except tree.YamlError as exc:
            self._add(name, {**item, "keys": [_unreadable(exc)]})
            return
        if entry is None and item.get("change"):
            # The release no longer has the file, so every local change in it conflicts.
            changes = tuple(
                dataclasses.replace(one, side=Side.CONFLICT, wanted=None) for one in changes if one.side is Side.DRIFT
            )
            if not changes:
                self._add(name, item)
                return
        of_file = {part: item[part] for part in _OF_THE_FILE if part in item}
        kind = item.get("kind")
        if kind == "attributes":
            self._add("drift", {**of_file, "kind": kind, "detail": item["detail"]})
        self._add_keys("drift", {**of_file, "kind": "modified", "detail": item["detail"]}, changes, texts)
        both = {**of_file, "kind": "modified", "detail": item["detail"], "change": item.get("change")}
        self._add_keys("conflict", both, changes, texts)
        pending = {**of_file, "change": item.get("change"), "detail": ""}
        if any(one.side is Side.PENDING for one in changes):
            self._add_keys("pending", pending, changes, texts)
        elif item.get("change") and kind != "modified" and not changes:
            self._add("pending", {**pending, "detail": "its form changes, no key does", "keys": []}, [])

    def _add_keys(self, name: str, item: Item, changes: t.Iterable[KeyChange], texts: Texts) -> None:
        mine = [one for one in changes if one.side.value == name]
        if mine:
            # For pending keys the text on a node does not count: each node encrypts with another salt.
            raw = [
                [one.key, one.change, one.before, None if name == "pending" else one.after, one.wanted] for one in mine
            ]
            self._add(name, {**item, "keys": [shown(one, texts.mask) for one in mine]}, raw)


# --- differences as text


def yaml_lines(before: bytes | None, after: bytes | None, mask: masking.Mask) -> tuple[str, str] | None:
    """Both sides as lines of the keys that differ; None if one of them is not YAML."""
    try:
        differences = meaning.compare(before or b"", after or b"").differences
    except tree.YamlError:
        return None
    if len(differences) > MOST_CHANGES:
        return "", f"(more than {MOST_CHANGES} keys differ)\n"
    old, new = [], []
    for one in differences:
        key, was, now = mask.text(one.key), mask.value(one.key, one.before), mask.value(one.key, one.after)
        if was is not None:
            old.append(f"{key}: {was}\n")
        if now is not None:
            # Two different secrets are the same text once masked, so the difference is marked.
            new.append(f"{key}: {now}{' (changed)' if was == now else ''}\n")
    return "".join(old), "".join(new)
