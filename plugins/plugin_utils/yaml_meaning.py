# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether two YAML texts mean the same, and if not, in which keys they differ.

Order, quoting, comments and dotted or nested spelling do not count; the schema header does, because it decides how the
engine migrates the file. What the engine itself rewrites is told apart from what somebody changed.
"""

from __future__ import annotations

import collections
import dataclasses
import re
import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils import masking, yaml_tree

Change = t.Literal["changed", "added", "removed", "rewritten"]

HEADER_KEY = "(schema header)"

_MACRO = re.compile(r"\$\{(encrypt|hash):")
_ADMINISTRATOR_PASSWORD = re.compile(r"Administrators\.[^.]+\.Password")
# The form of a hash is not documented; shorter than this is no hash that anybody uses.
_SHORTEST_HASH = 16


@dataclasses.dataclass(frozen=True)
class KeyDifference:
    """One key that differs. ``rewritten`` is the engine's own ``${encrypt:}`` or ``${hash:}`` replacement."""

    key: str
    change: Change
    before: str | None
    after: str | None

    def shown(self, secret_keys: t.Container[str] = ()) -> dict[str, t.Any]:
        """The difference as it may be printed."""
        return {
            "key": self.key,
            "change": self.change,
            "before": masking.mask(self.key, self.before, secret_keys),
            "after": masking.mask(self.key, self.after, secret_keys),
        }


@dataclasses.dataclass(frozen=True)
class Comparison:
    differences: tuple[KeyDifference, ...]

    @property
    def same(self) -> bool:
        """No key and no header differs, the engine's rewriting included."""
        return not self.differences

    @property
    def only_rewritten(self) -> bool:
        """There are differences, and the engine made all of them."""
        return bool(self.differences) and all(entry.change == "rewritten" for entry in self.differences)

    @property
    def changes(self) -> tuple[KeyDifference, ...]:
        """What is left once the engine's rewriting is taken out."""
        return tuple(entry for entry in self.differences if entry.change != "rewritten")

    def shown(self, secret_keys: t.Container[str] = ()) -> list[dict[str, t.Any]]:
        return [entry.shown(secret_keys) for entry in self.differences]


def compare(before: str | bytes, after: str | bytes) -> Comparison:
    """Compare two texts; raises :class:`yaml_tree.YamlError` where one of them is not YAML."""
    old, new = yaml_tree.parse(decode(before)), yaml_tree.parse(decode(after))
    differences: list[KeyDifference] = []
    if old.header != new.header:
        differences.append(_difference(HEADER_KEY, old.header or None, new.header or None))
    old_tree, new_tree = old.tree(), new.tree()
    differences += [
        _difference(key, _shown(old_tree.get(key)), _shown(new_tree.get(key)))
        for key in sorted(old_tree.keys() | new_tree.keys())
        if old_tree.get(key) != new_tree.get(key)
    ]
    # A key that the text holds twice must not hide a difference behind the one that counts.
    if not differences and _repeated(old) != _repeated(new):
        twice = _repeated(old) ^ _repeated(new)
        differences += [KeyDifference(key, "changed", None, "(the key is there twice)") for key in sorted(twice)]
    return Comparison(tuple(differences))


def same_meaning(before: str | bytes, after: str | bytes) -> bool:
    return compare(before, after).same


def is_rewriting(key: str, before: str, after: str) -> bool:
    """Whether ``after`` is what the engine makes of ``before`` when it loads the file."""
    if "${hash:" in before:
        clear = before.removeprefix("${hash:").removesuffix("}")
        return (
            before == f"${{hash:{clear}}}"
            and _ADMINISTRATOR_PASSWORD.fullmatch(key) is not None
            and len(after) >= _SHORTEST_HASH
            and after != clear
            and "${hash:" not in after
            and "${encrypt:" not in after
            and not any(character.isspace() for character in after)
        )
    if "${encrypt:" not in before or "${encrypt:" in after:
        return False
    if before.startswith("${encrypt:") and before.endswith("}") and before.count("${") == 1:
        # The whole value is one macro, whose clear text may hold a brace.
        return re.fullmatch(r"\$\{decrypt:.+\}", after, re.DOTALL) is not None
    pattern = "".join(
        r"\$\{decrypt:[^}]+\}" if part.startswith("${encrypt:") else re.escape(part)
        for part in re.split(r"(\$\{encrypt:[^}]*\})", before)
    )
    return re.fullmatch(pattern, after) is not None


def decode(text: str | bytes) -> str:
    if isinstance(text, str):
        return text
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError as error:
        raise yaml_tree.YamlError(text.count(b"\n", 0, error.start) + 1, "it is not UTF-8") from None


def _difference(key: str, before: str | None, after: str | None) -> KeyDifference:
    if before is None:
        return KeyDifference(key, "added", before, after)
    if after is None:
        return KeyDifference(key, "removed", before, after)
    change: Change = "rewritten" if _MACRO.search(before) and is_rewriting(key, before, after) else "changed"
    return KeyDifference(key, change, before, after)


def _shown(value: yaml_tree.Value | None) -> str | None:
    return None if value is None else str(value)


def _repeated(document: yaml_tree.Document) -> set[str]:
    counts = collections.Counter(leaf.key for leaf in document.leaves)
    return {key for key, count in counts.items() if count > 1}
