# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Creates a first source from the nodes of an existing cluster.

What the inventory places is left out, and each secret becomes a name that the inventory has to give a value: no secret
of a node is ever written to the controller.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.adopt.patch import FileEdit
from ansible_collections.ivy.cluster.plugins.plugin_utils.adopt.plan import (
    NodeChange,
    Plan,
    Selection,
    Taken,
    searchable,
)
from ansible_collections.ivy.cluster.plugins.plugin_utils.adopt.template_mask import literal
from ansible_collections.ivy.cluster.plugins.plugin_utils.common import masking
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.text import plain_text
from ansible_collections.ivy.cluster.plugins.plugin_utils.release import (
    jgroups,
    placement,
    yaml_checks,
)
from ansible_collections.ivy.cluster.plugins.plugin_utils.release import (
    source as source_tree,
)
from ansible_collections.ivy.cluster.plugins.plugin_utils.release.secret_checks import is_harmless, is_key_store
from ansible_collections.ivy.cluster.plugins.plugin_utils.yaml import (
    edit as adopt_yaml,
)
from ansible_collections.ivy.cluster.plugins.plugin_utils.yaml import (
    tree as yaml_tree,
)

# What holds keys or rights by its very nature.
_SECRET_FILES = (".p12", ".pfx", ".jks", ".key", ".pem", ".lic")
_PLACEHOLDER = re.compile(r"""(["']?)IvySecret(\d+)End\1""")
# A bare value with one of these in it may have ended there.
_MAY_END = re.compile(r"""[\s&;,"')}\]]""")
_ADMINISTRATOR = re.compile(r"Administrators\.[^.]+\.Password")
_NOT_SECRET = ("", "true", "false")
_COMMENT = re.compile(r"(?:^|(?<=\s))#")


class _Names:
    """Names for secrets, each used once."""

    def __init__(self) -> None:
        self.given: list[str] = []

    def of(self, path: str, key: str) -> str:
        owner = path.split("/")[-2] if path.endswith("/app.yaml") else path.rsplit("/", 1)[-1].split(".", 1)[0]
        stem = re.sub(r"\W+", "_", f"{owner}_{key}", flags=re.ASCII).strip("_").lower() or "secret"
        stem = stem if stem[0].isalpha() else f"s_{stem}"
        name, number = stem, 2
        while name in self.given:
            name, number = f"{stem}_{number}", number + 1
        self.given.append(name)
        return name


def first_source(
    findings: t.Iterable[NodeChange], owned: t.Iterable[str], selection: Selection, profile: t.Mapping[str, t.Any]
) -> tuple[Plan, list[str]]:
    """The files of the source, what is not taken and why, and the names that ivy_shared_secrets has to have."""
    result, names = Plan(), _Names()
    for finding in findings:
        if finding.path == jgroups.PATH and not selection.names_file(finding.path):
            advice = f"To keep this very file, name it: adopt_files: ['{jgroups.PATH}']."
            result.name(finding.path, "", "the inventory makes it (ivy_jgroups_*)", advice)
        elif selection.includes_file(finding.path):
            _plan_file(finding, profile, names, result)
    for path in owned:
        if selection.includes_file(path):
            advice = f"To take it, name it: adopt_files: ['{plain_text(path)}']."
            result.name(path, "", "the engine itself keeps this file", advice)
    result.without_collisions(())
    result.taken.sort(key=lambda one: one.source)
    result.named.sort()
    return result, names.given


def _plan_file(finding: NodeChange, profile: t.Mapping[str, t.Any], names: _Names, result: Plan) -> None:
    path, data = finding.path, finding.after
    problem = source_tree.node_path_problem(path)
    if problem is not None:
        result.name(path, "", *problem)
    elif path in source_tree.NODE_FILES:
        result.name(path, "", "it is a file of each node", source_tree.NODE_FILES[path])
    elif data is None:
        result.name(
            path, "", finding.detail if finding.irregular else "it is too long", "Copy it by hand if it is needed."
        )
    elif path.endswith(_SECRET_FILES) or is_key_store(path, data):
        advice = "Copy it into the source by hand, encrypted by the vault; a licence is named by ivy_licence_file."
        result.name(path, "", "it is a secret", advice)
    elif path.endswith(source_tree.TEMPLATE_SUFFIX):
        result.name(path, "", "the source would take it for a template", "Rename it, or leave it out.")
    else:
        text = _text(data)
        if text is None and _holds_secret(searchable(data) or ""):
            advice = "Write this file of the source by hand, as a template."
            result.name(path, "", "it may contain a secret, and it is not UTF-8", advice)
            return
        try:
            made, is_template = (None, False) if text is None else _made(path, text, profile, names, result)
        except ValueError as error:
            result.name(path, "", f"it cannot be taken as it is: {error}", "Write this file of the source by hand.")
            return
        if made == "" and text:
            # The inventory places all that was in it.
            return
        content = data if made is None or made == text else made.encode("utf-8")
        _take(path, path + source_tree.TEMPLATE_SUFFIX if is_template else path, content, result)


def _take(path: str, source: str, data: bytes, result: Plan) -> None:
    result.take(Taken(path, source, "created", (), FileEdit(source, None, data)))


def _is_yaml(path: str) -> bool:
    return path.endswith((".yaml", ".yml"))


def _text(data: bytes) -> str | None:
    try:
        return None if b"\0" in data else data.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _made(path: str, text: str, profile: t.Mapping[str, t.Any], names: _Names, result: Plan) -> tuple[str, bool]:
    """The text without what the inventory places, and a template with a name in place of each secret if it has any.

    All that is not such a name is literal, because what a node has could be Jinja.
    """
    if _PLACEHOLDER.search(text):
        raise ValueError("it holds a word that is needed for the edit")
    secrets: list[str] = []
    made = _yaml(path, text, profile, names, secrets, result) if _is_yaml(path) else _lines(path, text, names, secrets)
    if not secrets:
        return made, False
    for secret in secrets:
        result.name(path, "", f"it holds a secret, in its place stands {secret}", _secret_advice())
    return _PLACEHOLDER.sub(lambda match: secrets[int(match[2])], literal(made)), True


def _secret_advice() -> str:
    return "Give ivy_shared_secrets this name with the value (from a vault)."


def _yaml(path: str, text: str, profile: t.Mapping[str, t.Any], names: _Names, secrets: list[str], result: Plan) -> str:
    # A node that this collection set up has these lines; the next release brings them again.
    text = text.replace(f"{placement.NOTE}\n", "")
    tree = yaml_tree.parse(text).tree()
    edits: list[adopt_yaml.Change] = []
    for name, key in _placed(path, profile):
        if name == placement.MAINTENANCE_MODE:
            if tree.get(key) == yaml_tree.Value("text", placement.MAINTENANCE_DISABLED):
                edits.append(adopt_yaml.Change(key, None))
        elif key in tree:
            edits.append(adopt_yaml.Change(key, None))
            result.name(path, key, "the inventory places this key", f"Set the option of the inventory for it ({name}).")
    gone = {edit.key for edit in edits}
    for key, value in tree.items():
        if key in gone or value.kind != "text" or value.text in _NOT_SECRET:
            continue
        if masking.mask(key, value.text) == value.text:
            continue
        macro = "hash" if _ADMINISTRATOR.fullmatch(key) else "encrypt"
        name = f"secret.{names.of(path, key)}"
        clear = masking.is_secret_key(key) or any(f"${{{one}:" in value.text for one in ("encrypt", "decrypt", "hash"))
        edits.append(adopt_yaml.Change(key, yaml_tree.Value("text", f"IvySecret{len(secrets)}End")))
        # An address with a password in it is one the engine does not decrypt as a whole.
        # Quoted by to_json, since a secret may hold a quotation mark or a backslash.
        whole = f"('${{{macro}:' ~ {name} ~ '}}')" if clear else name
        secrets.append(f"{{{{ {whole} | to_json }}}}")
    quiet = _quiet_comments(text)
    if quiet != text:
        advice = f"Look for {masking.MASK} in the comments of the file."
        result.name(path, "", "a comment may hold a secret and is masked", advice)
    made = adopt_yaml.apply(quiet, edits)
    return made if yaml_tree.parse(made).leaves or not edits else ""


def _placed(path: str, profile: t.Mapping[str, t.Any]) -> list[tuple[str, str]]:
    places = t.cast("t.Mapping[str, t.Mapping[str, str]]", profile.get("settings", {}))
    files = (path, "environment") if path in yaml_checks.SYSTEM_FILES else (path,)
    return [(name, place["key"]) for name, place in places.items() if place["file"] in files]


def _lines(path: str, text: str, names: _Names, secrets: list[str]) -> str:
    def named(span: masking.Span, value: str) -> str:
        quote, inner = _unquoted(span, value)
        if is_harmless(inner):
            return value
        if not span.exact and _MAY_END.search(inner):
            line = text.count("\n", 0, span.start) + 1
            raise ValueError(f"line {line} may contain a secret whose end cannot be determined")
        secrets.append(f"{quote}{{{{ secret.{names.of(path, span.key)} }}}}{quote}")
        return f"IvySecret{len(secrets) - 1}End"

    plain = masking.without_colours(text)
    if plain != text and _holds_secret(plain):
        raise ValueError("it contains what may be a secret, with colours of a terminal")
    return masking.replaced(text, named)


def _holds_secret(text: str) -> bool:
    return any(not is_harmless(_unquoted(span, text[span.start : span.end])[1]) for span in masking.secret_spans(text))


def _unquoted(span: masking.Span, value: str) -> tuple[str, str]:
    """The quotation mark, where there is one, and what stands between the two."""
    quote = value[0] if span.exact and len(value) > 1 and value[0] in "\"'" and value[0] == value[-1] else ""
    return quote, value[len(quote) : len(value) - len(quote)]


def _quiet_comments(text: str) -> str:
    """The YAML text without what comments hold of secrets."""

    def quiet(span: masking.Span, value: str) -> str:
        return value if _unquoted(span, value)[1].strip() in _NOT_SECRET else masking.MASK

    lines = []
    for line in text.splitlines(keepends=True):
        found = _COMMENT.search(line)
        start = found.start() if found else len(line)
        lines.append(line[:start] + masking.replaced(line[start:], quiet))
    made = "".join(lines)
    if made != text and yaml_tree.parse(made).tree() != yaml_tree.parse(text).tree():
        raise ValueError("what looks like a secret stands behind a number sign, in a comment or not")
    return made


# --- how the nodes differ from one another


def fingerprint(findings: t.Iterable[NodeChange], key: str) -> dict[str, t.Any]:
    """The content of one node in a form that can be compared and does not disclose any value."""

    def digest(value: t.Any) -> str:
        return hmac.new(key.encode("utf-8"), repr(value).encode("utf-8"), hashlib.sha256).hexdigest()[:16]

    files: dict[str, t.Any] = {}
    for finding in findings:
        if source_tree.node_path_problem(finding.path) is not None:
            continue
        keys: dict[str, list[str | None]] | None = None
        if finding.after is not None and finding.path.endswith((".yaml", ".yml")):
            try:
                tree = yaml_tree.parse(finding.after.decode("utf-8")).tree()
                keys = {
                    name: [masking.mask(name, str(value)), digest(_comparable(value))] for name, value in tree.items()
                }
            except (yaml_tree.YamlError, UnicodeDecodeError):
                keys = None
        files[finding.path] = {"digest": digest(finding.after), "size": len(finding.after or b""), "keys": keys}
    return files


def _comparable(value: yaml_tree.Value) -> list[str]:
    """Each node encrypts a value differently, so encrypted values cannot be compared."""
    return [value.kind, "(encrypted)" if "${decrypt:" in value.text else value.text]


def differences(by_node: t.Mapping[str, t.Mapping[str, t.Any]]) -> list[dict[str, t.Any]]:
    """Files and keys that are not the same on all nodes, each with what which nodes have."""
    result: list[dict[str, t.Any]] = []
    for path in sorted({path for files in by_node.values() for path in files}):
        sides = {node: files.get(path) for node, files in by_node.items()}
        found = [side for side in sides.values() if side is not None]
        if len(found) == len(sides) and all(side["digest"] == found[0]["digest"] for side in found):
            continue
        if len(found) < len(sides) or any(side["keys"] is None for side in found):
            shown = {node: f"{side['size']} bytes" if side else "not there" for node, side in sides.items()}
            tokens = {node: side["digest"] if side else "" for node, side in sides.items()}
            result.append({"path": path, "key": "", "values": _grouped(shown, tokens)})
            continue
        for key in sorted({key for side in found for key in side["keys"]}):
            pairs = {node: (side or {})["keys"].get(key) for node, side in sides.items()}
            tokens = {node: pair[1] if pair else "" for node, pair in pairs.items()}
            if len(set(tokens.values())) > 1:
                shown = {node: str(pair[0]) if pair else "not there" for node, pair in pairs.items()}
                result.append({"path": path, "key": key, "values": _grouped(shown, tokens)})
    return result


def _grouped(shown: t.Mapping[str, str], tokens: t.Mapping[str, str]) -> list[dict[str, t.Any]]:
    groups: dict[str, dict[str, t.Any]] = {}
    for node, token in tokens.items():
        groups.setdefault(token, {"value": shown[node], "nodes": []})["nodes"].append(node)
    return sorted(groups.values(), key=lambda group: -len(group["nodes"]))


def lines(found: t.Iterable[t.Mapping[str, t.Any]]) -> list[str]:
    """The differences for people."""
    result = []
    for one in found:
        result.append(f"{one['path']}{': ' + one['key'] if one['key'] else ''}")
        result += [f"    {group['value']}  on {', '.join(group['nodes'])}" for group in one["values"]]
    return result
