# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether two YAML texts mean the same, and if not, in which keys they differ.

Order, quoting, comments and dotted or nested spelling do not count; the schema header does, because it decides how the
engine migrates the file. Values that the engine rewrites are distinguished from changed values.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.common import masking
from ansible_collections.ivy.cluster.plugins.plugin_utils.yaml import tree

Change = t.Literal["changed", "added", "removed", "rewritten"]

# All values of a key, in the order of the text; any but the last is a mistake that must not be passed over.
Held = tuple[tree.Value, ...]

HEADER_KEY = "(schema header)"

_MACRO = re.compile(r"\$\{(encrypt|hash):")
_ADMINISTRATOR_PASSWORD = re.compile(r"Administrators\.[^.]+\.Password")
# The form of a hash is not documented; no hash in use is shorter than this.
_SHORTEST_HASH = 16


@dataclasses.dataclass(frozen=True)
class KeyDifference:
    """One key that differs. ``rewritten`` is the engine's own ``${encrypt:}`` or ``${hash:}`` replacement."""

    key: str
    change: Change
    before: str | None
    after: str | None

    def shown(self, secret_keys: t.Container[object] = ()) -> dict[str, t.Any]:
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

    def shown(self, secret_keys: t.Container[object] = ()) -> list[dict[str, t.Any]]:
        return [entry.shown(secret_keys) for entry in self.differences]


def compare(before: str | bytes, after: str | bytes) -> Comparison:
    """Compare two texts; raises :class:`yaml_tree.YamlError` where one of them is not YAML."""
    old, new = held(before), held(after)
    differences = []
    for key in sorted(old.keys() | new.keys()):
        if old.get(key) != new.get(key):
            was, now = shown(old.get(key)), shown(new.get(key))
            differences.append(KeyDifference(key, change_of(key, was, now), was, now))
    return Comparison(tuple(differences))


def held(text: str | bytes) -> dict[str, Held]:
    """What each key of a text holds, the header under a name of its own; raises :class:`yaml_tree.YamlError`."""
    document = tree.parse(decode(text))
    found: dict[str, Held] = {}
    for leaf in document.leaves:
        # A key that the text holds twice must not hide a difference behind the one that counts.
        found[leaf.key] = (*found.get(leaf.key, ()), leaf.value)
    if document.header:
        found[HEADER_KEY] = (tree.Value("text", document.header),)
    return found


def shown(values: Held | None) -> str | None:
    if values is None:
        return None
    return str(values[-1]) + (" (the key is there twice)" if len(values) > 1 else "")


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
    if before.startswith("${encrypt:") and before.endswith("}") and before.count("${encrypt:") == 1:
        # The whole value is one macro, whose clear text may hold a brace or what looks like a macro. Where another one
        # may as well begin behind it, that one must not have become part of what was encrypted.
        whole = re.fullmatch(r"\$\{decrypt:(.+)\}", after, re.DOTALL)
        closed = re.match(r"[^}]*\}.*\$\{", before.removeprefix("${encrypt:"), re.DOTALL) is not None
        nested = "${" in before.removeprefix("${encrypt:").partition("}")[0]
        if whole is not None and (not closed or nested or "${" not in whole[1]):
            return True
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
        raise tree.YamlError(text.count(b"\n", 0, error.start) + 1, "it is not UTF-8") from None


def change_of(key: str, before: str | None, after: str | None) -> Change:
    if before is None:
        return "added"
    if after is None:
        return "removed"
    return "rewritten" if _MACRO.search(before) and is_rewriting(key, before, after) else "changed"
