# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a node's local changes goes into the source, as which edit, and what cannot and why.

Nothing is overwritten that a person has to decide on: what comes from a template's expression, from the inventory or
from a secret is named together with the place to change it.
"""

from __future__ import annotations

import codecs
import dataclasses
import typing as t

from ansible_collections.ivy.cluster.plugins.module_utils.node.files.patterns import Patterns
from ansible_collections.ivy.cluster.plugins.plugin_utils.adopt.patch import FileEdit
from ansible_collections.ivy.cluster.plugins.plugin_utils.adopt.template_mask import Disguise, literal
from ansible_collections.ivy.cluster.plugins.plugin_utils.common import answers, masking
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.text import plain_text
from ansible_collections.ivy.cluster.plugins.plugin_utils.release import (
    jgroups,
    yaml_checks,
)
from ansible_collections.ivy.cluster.plugins.plugin_utils.release import (
    source as source_tree,
)
from ansible_collections.ivy.cluster.plugins.plugin_utils.release.secret_checks import is_key_store
from ansible_collections.ivy.cluster.plugins.plugin_utils.yaml import (
    edit as adopt_yaml,
)
from ansible_collections.ivy.cluster.plugins.plugin_utils.yaml import (
    meaning,
)
from ansible_collections.ivy.cluster.plugins.plugin_utils.yaml import (
    tree as yaml_tree,
)

_PROGRAMS_IN = ("dropins/", "patches/", "system/")
_PROGRAMS = (".jar", ".class", ".war", ".so")
_MACROS = ("${encrypt:", "${decrypt:", "${hash:")

# Gives a template's text with the values of the inventory; raises ValueError where it cannot.
Render = t.Callable[[str, str], str]


@dataclasses.dataclass(frozen=True)
class NodeChange:
    """One file that differs, as reported by the node."""

    root: str
    path: str
    kind: str
    origin: str = ""
    before: bytes | None = None
    after: bytes | None = None
    yaml: bool = False
    secret: bool = False
    detail: str = ""
    too_long: bool = False
    irregular: bool = False


@dataclasses.dataclass(frozen=True, order=True)
class Named:
    """What is not taken, why, and what to do."""

    path: str
    key: str
    reason: str
    advice: str

    def plain(self) -> dict[str, str]:
        return dataclasses.asdict(self)


@dataclasses.dataclass(frozen=True)
class Taken:
    """One file of the source that is written."""

    path: str
    source: str
    how: t.Literal["edited", "replaced", "created", "deleted"]
    keys: tuple[str, ...]
    edit: FileEdit

    def plain(self) -> dict[str, t.Any]:
        return {"path": self.path, "source": self.source, "how": self.how, "keys": list(self.keys)}


@dataclasses.dataclass
class Plan:
    taken: list[Taken] = dataclasses.field(default_factory=list)
    named: list[Named] = dataclasses.field(default_factory=list)

    def name(self, path: str, key: str, reason: str, advice: str) -> None:
        self.named.append(Named(plain_text(path), key, reason, advice))

    def take(self, taken: Taken) -> None:
        """The only way into the source. The path is one that a node reported, whatever was checked before."""
        problem = source_tree.place_problem(taken.source)
        if problem is None:
            self.taken.append(taken)
        else:
            self.name(taken.path, "", *problem)

    def without_collisions(self, source: t.Iterable[str]) -> None:
        """Name what cannot be created because the source has a file where it needs a directory, or the reverse."""
        files = {path.removesuffix(source_tree.TEMPLATE_SUFFIX) for path in source}
        files |= {one.path for one in self.taken}
        directories = {above for path in files for above in source_tree.directories_of(path)}
        taken, self.taken = self.taken, []
        for one in taken:
            if one.how != "created" or not (one.path in directories or files & source_tree.directories_of(one.path)):
                self.taken.append(one)
                continue
            advice = "Decide by hand which of them the source has."
            self.name(one.path, "", "a directory and a file would have the same path in the source", advice)


@dataclasses.dataclass(frozen=True)
class Selection:
    """What the operator asked for. Empty takes everything that can be taken."""

    files: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()

    def includes_file(self, path: str) -> bool:
        return not self.files or self.names_file(path)

    def names_file(self, path: str) -> bool:
        return Patterns(self.files).match(path)

    def includes_key(self, key: str) -> bool:
        if not self.keys:
            return True
        return Patterns(self.keys).match(key) or any(yaml_tree.has_prefix(key, prefix) for prefix in self.keys)


@dataclasses.dataclass(frozen=True)
class Context:
    """What the controller knows: the source, the applied release's secret keys, values that are never written."""

    source: t.Mapping[str, source_tree.SourceFile]
    secret_keys: t.Mapping[str, t.Collection[str]]
    secrets: tuple[str, ...]
    render: Render

    def of(self, path: str) -> source_tree.SourceFile | None:
        return self.source.get(path) or self.source.get(path + source_tree.TEMPLATE_SUFFIX)

    def on_disk(self, path: str) -> str:
        """The path in the source's directory of a file that is there or is to be created."""
        file = self.source.get(path)
        return file.on_disk if file is not None else source_tree.new_on_disk(path, self.source.values())

    def shows_secret(self, text: str) -> bool:
        return masking.scrub(text, self.secrets) != text


def node_change_from(item: t.Mapping[str, t.Any]) -> NodeChange:
    names = ("root", "path", "kind", "origin", "yaml", "secret", "detail", "too_long", "irregular")
    return NodeChange(
        before=answers.optional(item.get("before")),
        after=answers.optional(item.get("after")),
        **{name: item[name] for name in names if item.get(name) is not None},
    )


def plan(findings: t.Iterable[NodeChange], owned: t.Iterable[str], selection: Selection, context: Context) -> Plan:
    result = Plan()
    for finding in findings:
        if selection.includes_file(finding.path):
            _plan_file(finding, selection, context, result)
    for path in owned:
        if selection.includes_file(path):
            shown = plain_text(path)
            advice = f"To take it nevertheless, name it: adopt_files: ['{shown}']; from then on every node gets it."
            result.name(path, "", "the engine itself keeps this file", advice)
    result.without_collisions(context.source)
    result.taken.sort(key=lambda one: one.source)
    result.named.sort()
    return result


def _plan_file(finding: NodeChange, selection: Selection, context: Context, result: Plan) -> None:
    reason, advice = _not_from_source(finding)
    if reason:
        result.name(finding.path, "", reason, advice)
        return
    source = context.of(finding.path)
    is_yaml = finding.yaml or finding.path.endswith((".yaml", ".yml"))
    if finding.kind == "modified" and is_yaml and finding.before is not None:
        _yaml(finding, source, selection, context, result)
    elif selection.keys and not selection.names_file(finding.path):
        # A selection by keys includes no complete files.
        return
    elif finding.kind == "missing":
        _missing(finding, source, result)
    elif _is_program(finding.path) and not selection.names_file(finding.path):
        shown = plain_text(finding.path)
        advice = f"If you know where it comes from, name it: adopt_files: ['{shown}']."
        result.name(finding.path, "", "it is a program, which every engine would run from then on", advice)
    else:
        _whole(finding, source, context, result)


def _is_program(path: str) -> bool:
    """Whether Java loads the file. Somebody who has taken over one node could bring it to all."""
    return path.startswith(_PROGRAMS_IN) or path.lower().endswith(_PROGRAMS)


def _not_from_source(finding: NodeChange) -> tuple[str, str]:
    """Why a change cannot be made in the source, and where to make it."""
    put_right = "The playbook ivy.cluster.site restores it."
    if finding.root == "node":
        return "it is a file of this node", "Change the inventory: the role engine writes it from its options."
    if finding.root in ("environment", "secrets"):
        return (
            "it carries secrets from the inventory",
            "Change ivy_shared_secrets or the option that the value comes from.",
        )
    problem = source_tree.node_path_problem(finding.path)
    if problem is not None:
        return problem
    if finding.kind == "attributes":
        return f"only its mode or owner differs ({finding.detail})", f"The source holds no modes. {put_right}"
    if finding.irregular:
        return finding.detail or "it is not a regular file", f"Only files can be taken. {put_right}"
    if finding.too_long:
        return "it is too long to be taken here", "Copy it into the source by hand."
    if any(finding.path.startswith(f"{directory}/") for directory in source_tree.VENDOR_DIRECTORIES):
        return "it lies where the source has no files", put_right
    if finding.path in source_tree.NODE_FILES:
        return "it is a file of this node", source_tree.NODE_FILES[finding.path]
    if finding.path.endswith(source_tree.TEMPLATE_SUFFIX):
        return "the source would take it for a template", "Rename it, or leave it out."
    return "", ""


# --- whole files


def _missing(finding: NodeChange, source: source_tree.SourceFile | None, result: Plan) -> None:
    if source is None:
        where = "the vendor delivers it" if finding.origin == "baseline" else "it is made from the inventory"
        result.name(
            finding.path, "", f"it is missing on the node, and {where}", "The playbook ivy.cluster.site restores it."
        )
    elif source.path.endswith(source_tree.TEMPLATE_SUFFIX):
        advice = "Remove the template yourself if no node is to have it."
        result.name(finding.path, "", f"it is missing on the node and comes from the template {source.path}", advice)
    elif source.was_encrypted:
        advice = "Remove it yourself if no node is to have it."
        result.name(finding.path, "", "it is missing on the node, and encrypted by the vault in the source", advice)
    else:
        edit = FileEdit(source.on_disk, source.data, None)
        result.take(Taken(finding.path, source.path, "deleted", (), edit))


def _whole(finding: NodeChange, source: source_tree.SourceFile | None, context: Context, result: Plan) -> None:
    data = finding.after
    if data is None:
        result.name(finding.path, "", "it could not be read", "Inspect it on the node.")
        return
    if source is None and finding.origin == "release":
        result.name(finding.path, "", "it is made from the inventory", _inventory_advice(finding.path))
        return
    if source is not None and source.path.endswith(source_tree.TEMPLATE_SUFFIX):
        advice = f"Make the change in {source.path} by hand."
        result.name(finding.path, "", f"it comes from the template {source.path}", advice)
        return
    if finding.secret or (source is not None and source.was_encrypted):
        advice = "Copy it into the source by hand, encrypted: ansible-vault encrypt."
        result.name(finding.path, "", "it is a secret", advice)
        return
    if data.startswith(source_tree.VAULT_HEADER):
        result.name(finding.path, "", "the source would take it for something else", "Rename it, or leave it out.")
        return
    problem = _secrets_in(finding, context)
    if problem:
        advice = "Take it over as a template by hand, with the value from ivy_shared_secrets."
        result.name(finding.path, "", problem, advice)
        return
    if source is not None and source.data == data:
        # The source has it already and only was not rolled out since.
        return
    if source is not None and finding.before is not None and source.data != finding.before:
        advice = "Compare the two and decide by hand; the next rollout brings the source's content."
        result.name(finding.path, "", "it was changed in the source too since the last rollout", advice)
        return
    path = source.path if source is not None else finding.path
    edit = FileEdit(context.on_disk(path), source.data if source is not None else None, data)
    result.take(Taken(finding.path, path, "created" if source is None else "replaced", (), edit))


def _secrets_in(finding: NodeChange, context: Context) -> str:
    """What of a file's content may be a secret that the source does not hold in the same form already."""
    if is_key_store(finding.path, finding.after or b""):
        return "it is a key store or holds a private key"
    text = searchable(finding.after)
    if text is None:
        return ""
    text = masking.without_colours(text)
    if context.shows_secret(text):
        return "it holds one of the cluster's secrets in clear text"
    if any(macro in text for macro in _MACROS):
        return "it holds a value that the engine encrypts"
    known = set(masking.without_colours(searchable(finding.before) or "").splitlines())
    for span in masking.secret_spans(text):
        # A private key goes over several lines, and the one that changed need not be its first.
        start, stop = text.rfind("\n", 0, span.start) + 1, text.find("\n", span.end)
        lines = text[start : stop if stop >= 0 else len(text)].splitlines()
        number = next((number for number, line in enumerate(lines) if line not in known), None)
        if number is not None:
            line_number = text.count("\n", 0, start) + 1 + number
            return f"line {line_number} contains what looks like a secret in clear text"
    if finding.path.endswith((".yaml", ".yml")):
        try:
            tree = yaml_tree.parse(text).tree()
        except yaml_tree.YamlError:
            return "it is not YAML"
        for key, value in tree.items():
            if value.kind == "text" and value.text and masking.mask(key, value.text) != value.text:
                return f"'{key}' may hold a secret"
    return ""


def searchable(data: bytes | None) -> str | None:
    """The text in any encoding, only for the search for secrets; None if the data is not text."""
    if data is None:
        return None
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", "replace")
    if b"\0" in data:
        return None
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        # As Java's properties may be; every byte is a character there.
        return data.decode("latin-1")


# --- keys


def _yaml(
    finding: NodeChange, source: source_tree.SourceFile | None, selection: Selection, context: Context, result: Plan
) -> None:
    path = finding.path
    if finding.origin == "baseline":
        _whole(finding, source, context, result)
        return
    try:
        differences = meaning.compare(finding.before or b"", finding.after or b"").changes
        after = meaning.decode(finding.after or b"")
    except yaml_tree.YamlError as error:
        result.name(path, "", f"it is not YAML on the node: {error}", "The playbook ivy.cluster.site restores it.")
        return
    if source is not None and source.was_encrypted:
        advice = "Make the change by hand: ansible-vault edit."
        result.name(path, "", "it is encrypted by the vault in the source", advice)
        return
    try:
        guard = _TemplateGuard(path, source, after, context)
    except (ValueError, UnicodeDecodeError) as error:
        result.name(path, "", f"its source cannot be edited: {error}", "Make the change by hand.")
        return
    keys = []
    for difference in differences:
        if not selection.includes_key(difference.key):
            continue
        problem = guard.problem(difference)
        if problem is None:
            keys.append(difference.key)
        elif problem[0]:
            result.name(path, difference.key, *problem)
    keys, refused = _editable(guard, keys)
    for key, reason in refused.items():
        result.name(path, key, f"the edit cannot be made: {reason}", f"Make the change in {guard.name} by hand.")
    if not keys:
        return
    text = guard.edited(keys)
    before = source.data if source is not None else None
    edit = FileEdit(context.on_disk(guard.name), before, text.encode("utf-8"))
    how: t.Literal["created", "edited"] = "created" if source is None else "edited"
    result.take(Taken(path, guard.name, how, tuple(keys), edit))


def _editable(guard: _TemplateGuard, keys: list[str]) -> tuple[list[str], dict[str, str]]:
    """The keys that can be edited together, and why the others cannot: one of them must not hold back the rest."""
    try:
        guard.edited(keys)
    except ValueError as error:
        if len(keys) == 1:
            return [], {keys[0]: str(error)}
        reason = str(error)
    else:
        return keys, {}
    half = len(keys) // 2
    left, right = _editable(guard, keys[:half]), _editable(guard, keys[half:])
    found, refused = left[0] + right[0], {**left[1], **right[1]}
    if left[0] and right[0]:
        try:
            guard.edited(found)
        except ValueError:
            return [], {**dict.fromkeys(found, reason), **refused}
    return found, refused


class _TemplateGuard:
    """The source of one YAML file: what of the node's keys it may take, and itself with them."""

    def __init__(self, path: str, source: source_tree.SourceFile | None, after: str, context: Context) -> None:
        self.path = path
        self.context = context
        self.after = after
        self.after_tree = yaml_tree.parse(after).tree()
        header = yaml_tree.parse(after).header
        self.text = f"# yaml-language-server: $schema={header}\n" if header else ""
        self.name = path
        self.disguise: Disguise | None = None
        if source is not None:
            self.name = source.path
            self.text = source.data.decode("utf-8")
        self.is_template = self.name.endswith(source_tree.TEMPLATE_SUFFIX)
        self.rendered = context.render(self.name, self.text) if self.is_template else self.text
        self.tree = yaml_tree.parse(self.rendered).tree()
        self.plain = self.text
        if self.is_template:
            self.disguise = Disguise(self.text, after)
            self.plain = self.disguise.text
        self.written = yaml_tree.parse(self.plain).tree()

    def problem(self, difference: meaning.KeyDifference) -> tuple[str, str] | None:
        """Why a key is not taken and what to do; empty words where the source has it already."""
        key = difference.key
        if key == meaning.HEADER_KEY:
            return "the schema header decides how the engine migrates the file", "Change the first line by hand."
        value = self.after_tree.get(key)
        if self._is_secret(key, difference, value):
            return "it is or holds a secret", "Change it in ivy_shared_secrets; a value is never copied from a node."
        mine = self.tree.get(key)
        if mine == value:
            return "", ""
        base = key.partition("[")[0]
        if difference.before is not None and not any(yaml_tree.has_prefix(own, base) for own in self.tree):
            return "the inventory places this key", _inventory_advice(self.path, key)
        if difference.before is not None and str(mine) != difference.before:
            return (
                "it was changed in the source too since the last rollout",
                "Compare the two and decide by hand; the next rollout brings the source's value.",
            )
        return self._template_problem(key)

    def _is_secret(self, key: str, difference: meaning.KeyDifference, value: yaml_tree.Value | None) -> bool:
        if key in masking.SecretKeys(self.context.secret_keys.get(self.path, ())) or masking.must_be_secret(key):
            return True
        for text in (difference.before, difference.after, value.text if value else None):
            if text and (any(macro in text for macro in _MACROS) or self.context.shows_secret(text)):
                return True
            if text and masking.mask("", text) != text:
                return True
        # The wide list of names that may be secrets counts for what the source does not say in clear text already.
        return masking.is_secret_key(key) and key not in self.written

    def _template_problem(self, key: str) -> tuple[str, str] | None:
        if self.disguise is None:
            return None
        base = key.partition("[")[0]
        keys = [own for own in self.written if own == key or ("[" in key and yaml_tree.has_prefix(own, base))]
        found = [piece for own in keys for piece in self.disguise.expressions(self.written[own].text)]
        if found:
            return (
                f"its line in the template {self.name} is {', '.join(found)}",
                "Change the value in the inventory (ivy_shared_values or ivy_shared_secrets).",
            )
        if key in self.tree and not keys:
            return f"the template {self.name} makes this key", "Make the change in the template by hand."
        return None

    def edited(self, keys: t.Collection[str]) -> str:
        """The source with the keys as the node has them, and proof that the release will have just that."""
        edits = adopt_yaml.changes(self.rendered, self.after, keys)
        text = adopt_yaml.apply(self.plain, edits)
        if self.disguise is not None:
            # Without this, what a node has could be Jinja and run here.
            text = self.disguise.restore(literal(text))
        rendered = self.context.render(self.name, text) if self.is_template else text
        wanted = adopt_yaml.tree_after(self.tree, edits)
        if yaml_tree.parse(rendered).tree() != wanted:
            raise adopt_yaml.EditError("the release would not have what the node has")
        return text


def _inventory_advice(path: str, key: str = "") -> str:
    if path == jgroups.PATH:
        return "Change the options ivy_jgroups_* of the inventory, or put a file of your own into the source."
    if path.endswith(".lic"):
        return "Change ivy_licence_file."
    if path in yaml_checks.SYSTEM_FILES and key:
        return "Change the option of the inventory that it comes from (roles/topology/meta/argument_specs.yml)."
    return "Change the inventory."
