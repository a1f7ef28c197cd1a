# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Building a release: source, shared values and secrets, and topology in; a manifest and its files out.

Everything here is a function of its input, so two controllers build the same id from the same inventory.
"""

from __future__ import annotations

import codecs
import contextlib
import dataclasses
import datetime
import hashlib
import re
import typing as t
import urllib.parse

from ansible_collections.ivy.cluster.plugins.module_utils.node.files.atomic import check_relative
from ansible_collections.ivy.cluster.plugins.module_utils.node.files.errors import NodeError
from ansible_collections.ivy.cluster.plugins.plugin_utils.common import licence, masking
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.findings import Finding, FindingsError
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.native import Plain
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.profiles import parse_version
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.text import plain_text
from ansible_collections.ivy.cluster.plugins.plugin_utils.release import (
    engine_secrets,
    file_checks,
    jgroups,
    placement,
    restart,
    secret_checks,
    sso,
    templates,
    yaml_checks,
)
from ansible_collections.ivy.cluster.plugins.plugin_utils.release import (
    source as source_tree,
)
from ansible_collections.ivy.cluster.plugins.plugin_utils.release.bounded_templates import BoundedRenderer
from ansible_collections.ivy.cluster.plugins.plugin_utils.release.cache import FORMAT, Manifest
from ansible_collections.ivy.cluster.plugins.plugin_utils.release.large_file import LargeFile
from ansible_collections.ivy.cluster.plugins.plugin_utils.yaml import tree as yaml_tree

ENGINE_KEYS = "engine_keys"
SHARED_ENV = "shared.env"
SHORTEST_CLUSTER_KEY = 32

ENGINE_MODE = "0640"
# Belongs to root then, so the engine's user cannot take the right to write either.
READ_ONLY_MODE = "0440"
ENVIRONMENT_MODE = "0600"
SECRET_MODE = "0440"

_REWRITTEN = re.compile(r"\$\{(?:encrypt|hash):")

Kind = t.Literal["yaml", "text", "binary"]


@dataclasses.dataclass(frozen=True)
class JGroups:
    transport: str
    port: int
    fd_port: int
    hosts: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class ReleaseInput:
    """Everything a release is made of. ``today`` only judges the licence and is in no file."""

    source: source_tree.Source
    topology: t.Mapping[str, t.Any]
    shared: t.Mapping[str, Plain]
    secret: t.Mapping[str, Plain]
    nodes: tuple[str, ...]
    cluster: str
    engine_version: str
    profile: t.Mapping[str, t.Any]
    cluster_key: str
    today: datetime.date
    jgroups: JGroups | None = None
    licence: tuple[str, bytes] | None = None
    read_only: bool = False
    # Where below its directory the engine keeps the copy that it works on when its files are read-only.
    read_only_copy: str = ""
    # Further variables of the engine by node. They are in no file of the release, and only checked.
    environments: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class BuiltRelease:
    manifest: Manifest
    blobs: tuple[bytes, ...]
    warnings: tuple[str, ...]
    # Contents that stay on disk and are not among the blobs.
    large_files: tuple[LargeFile, ...] = ()
    # In lower case, for the balancer.
    sso_headers: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        return str(self.manifest["id"])

    @property
    def size(self) -> int:
        return sum(int(entry["size"]) for entry in self.manifest["entries"])


@dataclasses.dataclass(frozen=True)
class _File:
    """A file of the engine's directory on its way into the release. ``name`` is where a person finds it."""

    path: str
    name: str
    data: bytes
    secret: bool = False
    secret_keys: tuple[str, ...] = ()
    text: str | None = None
    document: yaml_tree.Document | None = None
    # Has the content instead of data and text.
    large: LargeFile | None = None

    @property
    def kind(self) -> Kind:
        if self.large is not None:
            return "text" if self.large.is_text else "binary"
        if self.document is not None:
            return "yaml"
        return "binary" if self.text is None else "text"


def build_release(given: ReleaseInput, known_findings: t.Iterable[Finding] = ()) -> BuiltRelease:
    """Build a release, or raise :class:`FindingsError` with all problems, including ``known_findings``."""
    parse_version(given.engine_version)
    findings = [*known_findings, *given.source.findings]
    warnings = list(given.source.warnings)
    if len(given.cluster_key) < SHORTEST_CLUSTER_KEY:
        advice = "Make one with 'openssl rand -hex 32' and keep it in the vault."
        findings.append(
            Finding.in_file("", 0, f"ivy_cluster_key is shorter than {SHORTEST_CLUSTER_KEY} characters", advice)
        )
    findings += _nulls("ivy_shared_values", given.shared)
    findings += _nulls("ivy_shared_secrets", {key: item for key, item in given.secret.items() if key != ENGINE_KEYS})
    files = _read_files(given, findings, warnings)
    for path, file in files.items():
        if file.document is not None:
            warnings += yaml_checks.unlisted_keys(path, file.name, file.document, given.profile)
    existing = {
        path: placement.Existing(files[path].name, files[path].text or "", document)
        for path in yaml_checks.SYSTEM_FILES
        if path in files and (document := files[path].document) is not None
    }
    placed = placement.place_topology(given.topology, existing, given.profile)
    findings += placed.findings
    secrets, problems = placement.collect_engine_keys(given.secret.get(ENGINE_KEYS, {}), placed.secrets)
    findings += problems
    findings += placement.check_secret_keys(secrets, existing)
    sso_headers = _sso_headers(files, secrets, given.environments, findings)
    _adopt_placed(files, placed.texts)
    _add_jgroups(files, given)
    _add_licence(files, given, findings, warnings)
    if given.read_only:
        _judge_read_only(files, given, findings, warnings)
    findings += _places_taken_twice(files)
    if findings:
        raise FindingsError(_scrubbed(findings, given.secret))
    return dataclasses.replace(_assemble(given, files, secrets, tuple(warnings)), sso_headers=sso_headers)


def _sso_headers(
    files: t.Mapping[str, _File],
    secrets: t.Mapping[str, str],
    environments: t.Mapping[str, t.Any],
    findings: list[Finding],
) -> tuple[str, ...]:
    headers, problems, connectors = sso.of_environments(environments)
    where = f"ivy_shared_secrets.{ENGINE_KEYS}: "
    found, more = sso.of_values(secrets, where=where)
    headers += found
    problems += more
    connectors += sso.connectors_of_values(secrets, where=where)
    for path, file in files.items():
        if yaml_checks.is_engine_yaml(path) and file.document is not None:
            found, more = sso.of_document(file.name, file.document)
            headers += found
            problems += more
            connectors += sso.open_connectors(file.name, file.document)
        elif sso.is_context(path):
            # The check of XML reports a file that cannot be read.
            with contextlib.suppress(sso.SsoError):
                found, more = sso.of_context(file.name, file.data)
                headers += found
                problems += more
    findings += problems
    if headers:
        findings += connectors
    return sso.unique(headers)


def _nulls(variable: str, values: t.Any) -> list[Finding]:
    """Shared values and secrets without a value, wherever in them: used as a text, each would be the word None."""
    if isinstance(values, t.Mapping):
        return [finding for key, item in values.items() for finding in _nulls(f"{variable}.{key}", item)]
    if isinstance(values, (list, tuple)):
        return [finding for index, item in enumerate(values) for finding in _nulls(f"{variable}[{index}]", item)]
    if values is not None:
        return []
    return [Finding.in_file("", 0, f"{variable} has no value (null)", "Give it one, write '' for none, or remove it.")]


def release_id(manifest: t.Mapping[str, t.Any], digest: restart.KeyedDigest) -> str:
    """The keyed digest of everything in the manifest but the id itself."""
    return digest({key: value for key, value in manifest.items() if key != "id"})[:32]


def _read_files(given: ReleaseInput, findings: list[Finding], warnings: list[str]) -> dict[str, _File]:
    secret = {key: value for key, value in given.secret.items() if key != ENGINE_KEYS}
    with BoundedRenderer(templates.Renderer(given.shared, secret)) as renderer:
        return _read_all(given, renderer, findings, warnings)


def _read_all(
    given: ReleaseInput, renderer: BoundedRenderer, findings: list[Finding], warnings: list[str]
) -> dict[str, _File]:
    files: dict[str, _File] = {}
    for source in given.source.files:
        is_template = source.path.endswith(source_tree.TEMPLATE_SUFFIX)
        path = source.path.removesuffix(source_tree.TEMPLATE_SUFFIX)
        if path in files:
            advice = "Remove one of them; both would be written to the same file."
            findings.append(Finding.in_file(source.path, 0, f"there is {files[path].name} too", advice))
            continue
        made = _from_template(renderer, source, path, findings) if is_template else _from_file(source, path)
        if made is not None:
            try:
                files[path] = made
                _check_secrets(made, source, is_template, findings, warnings)
                files[path] = _checked(made, is_template, source.was_encrypted, given, findings)
            except Exception as error:
                # One file must not hide what is wrong with the others. The message of an error may quote a secret.
                problem = f"it cannot be checked ({type(error).__name__})"
                advice = "Correct it, or report this as an error of ivy.cluster if the engine reads the file."
                findings.append(Finding.in_file(source.path, 0, problem, advice))
    return files


def _from_file(source: source_tree.SourceFile, path: str) -> _File:
    text = None if source.large is not None else _text(source.data)
    return _File(path, source.path, source.data, secret=source.was_encrypted, text=text, large=source.large)


def _from_template(
    renderer: BoundedRenderer, source: source_tree.SourceFile, path: str, findings: list[Finding]
) -> _File | None:
    text = _text(source.data)
    if text is None:
        advice = "Remove the ending .j2, or convert it."
        findings.append(Finding.in_file(source.path, 0, "a template must be UTF-8 text", advice))
        return None
    rendered, problems = renderer.render(source.path, text)
    findings += problems
    if rendered is None:
        return None
    try:
        data = rendered.text.encode("utf-8")
    except UnicodeEncodeError:
        findings.append(
            Finding.in_file(source.path, 0, "it renders to invalid Unicode", "Correct the values that it uses.")
        )
        return None
    keys = _secret_keys(rendered) if _is_yaml(path) and rendered.holds_secrets else ()
    secret = rendered.holds_secrets or source.was_encrypted
    return _File(path, source.path, data, secret=secret, secret_keys=keys, text=rendered.text)


def _secret_keys(rendered: templates.Rendered) -> tuple[str, ...]:
    """Which keys hold something that came from a secret: those that change with the secrets."""
    try:
        real = yaml_tree.parse(rendered.text).tree()
        other = yaml_tree.parse(rendered.disguised or "").tree()
    except yaml_tree.YamlError:
        return ()
    return tuple(sorted(key for key in real if real[key] != other.get(key)))


def _check_secrets(
    made: _File, source: source_tree.SourceFile, is_template: bool, findings: list[Finding], warnings: list[str]
) -> None:
    """Secrets in clear text; the engine's own YAML files have checks by keys."""
    if source.was_encrypted or made.path.endswith(".lic"):
        return
    if source.large is not None:
        findings += secret_checks.check_large(made.name, made.path, source.large.blocks(), warnings)
        return
    if secret_checks.is_key_store(made.path, source.data):
        findings.append(
            Finding.in_file(
                made.name, 0, "it is a key store or a private key", "Encrypt it: ansible-vault encrypt <file>."
            )
        )
        return
    text = _text(source.data)
    if text is None and source.data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        text = source.data.decode("utf-16", "replace")
    elif text is None and b"\0" not in source.data:
        text = source.data.decode("latin-1")
    if text is not None and not yaml_checks.is_engine_yaml(made.path):
        findings += secret_checks.check_text(made.name, text, is_template)


def _checked(made: _File, is_template: bool, encrypted: bool, given: ReleaseInput, findings: list[Finding]) -> _File:
    path, name = made.path, made.name
    if path.endswith(".xml"):
        findings += file_checks.check_xml(name, made.data)
    elif path.endswith(".json"):
        if made.text is None:
            findings.append(Finding.in_file(name, 0, "it is not UTF-8", "Convert it."))
        else:
            findings += file_checks.check_json(name, made.text)
    elif _is_yaml(path):
        return _checked_yaml(made, is_template, encrypted, given, findings)
    return made


def _checked_yaml(made: _File, rendered: bool, encrypted: bool, given: ReleaseInput, findings: list[Finding]) -> _File:
    path, name = made.path, made.name
    if made.text is None:
        line = made.data[: _first_bad_byte(made.data)].count(b"\n") + 1
        findings.append(Finding.in_file(name, line, "it is not UTF-8", "Convert it, for example with iconv."))
        return made
    try:
        document = yaml_tree.parse(made.text)
    except yaml_tree.SeveralDocumentsError as error:
        if yaml_checks.is_engine_yaml(path):
            findings.append(Finding.in_file(name, error.line, error.problem, "Keep one."))
        return made
    except yaml_tree.YamlError as error:
        advice = "Correct it; in a template, write a value that may hold quotes as {{ value | to_json }}."
        findings.append(Finding.in_file(name, error.line, f"it is not YAML: {error.problem}", advice))
        return made
    findings += yaml_checks.check_duplicates(name, document)
    if not yaml_checks.is_engine_yaml(path):
        return dataclasses.replace(made, document=document)
    if not document.is_mapping:
        findings.append(Finding.in_file(name, 1, "it does not hold keys and values", "Write 'Key: value' lines."))
    findings += yaml_checks.check_tags(name, document)
    findings += yaml_checks.check_merges(name, document)
    findings += yaml_checks.check_header(path, name, document, given.profile)
    findings += yaml_checks.check_renamed(path, name, document, given.profile, given.engine_version)
    if not encrypted:
        findings += yaml_checks.check_clear_text(name, made.text, document, made.secret_keys, rendered)
    keys = tuple(sorted(document.tree())) if encrypted else made.secret_keys
    return dataclasses.replace(made, document=document, secret_keys=keys)


def _places_taken_twice(files: t.Mapping[str, _File]) -> list[Finding]:
    """Files whose path is a directory of others: a template and a directory differ in the source, not on a node."""
    above: dict[str, str] = {}
    for path in sorted(files):
        parts = path.split("/")
        for depth in range(1, len(parts)):
            above.setdefault("/".join(parts[:depth]), path)
    advice = "Rename one of them; on a node they have the same path."
    return [
        Finding.in_file(files[path].name, 0, f"{files[above[path]].name} needs a directory in its place", advice)
        for path in sorted(files)
        if path in above
    ]


def _adopt_placed(files: dict[str, _File], texts: t.Mapping[str, str]) -> None:
    for path, text in texts.items():
        base = files.get(path, _File(path, path, b""))
        files[path] = dataclasses.replace(base, data=text.encode("utf-8"), text=text, document=yaml_tree.parse(text))


def _add_jgroups(files: dict[str, _File], given: ReleaseInput) -> None:
    if given.jgroups is None or jgroups.PATH in files:
        return
    settings = given.jgroups
    text = jgroups.render(settings.transport, given.cluster, settings.port, settings.fd_port, settings.hosts)
    files[jgroups.PATH] = _File(jgroups.PATH, jgroups.PATH, text.encode("utf-8"), text=text)


def _add_licence(files: dict[str, _File], given: ReleaseInput, findings: list[Finding], warnings: list[str]) -> None:
    in_source = [path for path in files if path.endswith(".lic")]
    if given.licence is not None:
        name, data = given.licence
        path = f"configuration/{name}"
        if not name.endswith(".lic"):
            findings.append(
                Finding.in_file(name, 0, "the engine reads licences from files ending in .lic only", "Rename it.")
            )
            return
        refused = source_tree.place_problem(path)
        if refused is not None:
            findings.append(Finding.in_file(plain_text(name), 0, *refused))
            return
        if in_source:
            advice = "Remove it from the source, or leave ivy_licence_file empty."
            problem = "there is a licence in the source, and ivy_licence_file names one too"
            findings.append(Finding.in_file(in_source[0], 0, problem, advice))
            return
        files[path] = _File(path, name, data, secret=True, text=_text(data))
        in_source = [path]
    if len(in_source) > 1:
        advice = "Keep one; which of them the engine would take is not known."
        findings.append(Finding.in_file(in_source[0], 0, f"there are {len(in_source)} licences", advice))
    for path in in_source:
        files[path] = dataclasses.replace(files[path], secret=True)
        _judge_licence(files[path], given, findings, warnings)


def _judge_licence(file: _File, given: ReleaseInput, findings: list[Finding], warnings: list[str]) -> None:
    try:
        parsed = licence.parse_licence(file.data.decode("latin-1"))
    except licence.LicenceError as error:
        findings.append(
            Finding.in_file(file.name, 0, f"it is not a licence: {error}", "Use the file as the vendor sent it.")
        )
        return
    verdict = licence.judge(
        parsed,
        today=given.today,
        nodes=len(given.nodes),
        host=urllib.parse.urlsplit(str(given.topology.get("base_url") or "")).hostname or "",
        engine_major=parse_version(given.engine_version)[0],
    )
    findings += [Finding.in_file(file.name, 0, found.problem, found.advice) for found in verdict.problems]
    warnings += [str(found) for found in verdict.later]


def _judge_read_only(
    files: t.Mapping[str, _File], given: ReleaseInput, findings: list[Finding], warnings: list[str]
) -> None:
    if not given.profile.get("read_only_config", True):
        advice = "Leave engine_read_only_configuration off, or use engine 11.3 or later."
        problem = f"engine {given.engine_version} knows no read-only configuration: it would fail to write its files"
        findings.append(Finding.in_file("", 0, problem, advice))
    try:
        if given.read_only_copy:
            check_relative(given.read_only_copy)
    except NodeError:
        advice = "Name it relative to the engine's directory, as in work/configuration."
        problem = f"engine_read_only_copy: {given.read_only_copy!r} is not a relative path"
        findings.append(Finding.in_file("", 0, problem, advice))
    for file in files.values():
        lines = (file.text or "").splitlines() if file.document is not None else []
        found = [number for number, line in enumerate(lines, 1) if _REWRITTEN.search(line)]
        if found:
            warnings.append(
                f"{file.name}, line {', '.join(map(str, found[:5]))}: a value for the engine to encrypt or hash stays "
                "in clear text in the file on every node, since the configuration is read-only and the engine encrypts "
                "its copy only. Take the form that the engine made of it once, or hand the value over by "
                f"{ENGINE_KEYS} in ivy_shared_secrets."
            )


def _assemble(
    given: ReleaseInput, files: t.Mapping[str, _File], secrets: t.Mapping[str, str], warnings: tuple[str, ...]
) -> BuiltRelease:
    digest = restart.KeyedDigest(given.cluster_key)
    blobs: list[bytes] = []
    large_files: list[LargeFile] = []
    entries: list[dict[str, t.Any]] = []

    def add(
        root: str, path: str, data: bytes | LargeFile, mode: str, secret: bool, kind: Kind, needs: restart.Restart
    ) -> dict[str, t.Any]:
        entry = {
            "root": root,
            "path": path,
            "sha256": data.sha256 if isinstance(data, LargeFile) else hashlib.sha256(data).hexdigest(),
            "size": data.size if isinstance(data, LargeFile) else len(data),
            "mode": mode,
            "secret": secret,
            "kind": kind,
            "restart": needs,
        }
        entries.append(entry)
        if isinstance(data, LargeFile):
            large_files.append(data)
        else:
            blobs.append(data)
        return entry

    for path, file in files.items():
        content = file.large or file.data
        needs = restart.describe(path, content, file.document, given.profile, digest, given.read_only)
        mode = READ_ONLY_MODE if given.read_only else ENGINE_MODE
        entry = add("engine", path, content, mode, file.secret, file.kind, needs)
        if file.secret_keys:
            entry["secret_keys"] = list(file.secret_keys)
    by_key, as_files = engine_secrets.split(secrets)
    variables = {variable: secrets[key] for key, variable in by_key.items()}
    environment = engine_secrets.render(variables).encode("utf-8")
    needs = restart.by_keys(SHARED_ENV, variables, digest)
    add("environment", SHARED_ENV, environment, ENVIRONMENT_MODE, True, "text", needs)
    for key in as_files:
        name = engine_secrets.file_name(key)
        data = secrets[key].encode("utf-8")
        needs = {"kind": restart.ALWAYS, "digest": digest(["restart", name, secrets[key]])[:16]}
        add("secrets", name, data, SECRET_MODE, True, "text", needs)
    entries.sort(key=lambda entry: (entry["root"], entry["path"]))
    manifest: Manifest = {
        "format": FORMAT,
        "cluster": given.cluster,
        "engine_version": given.engine_version,
        "key": digest.fingerprint(),
        "entries": entries,
    }
    if given.read_only:
        manifest["read_only"] = {"copy": given.read_only_copy}
    manifest["id"] = release_id(manifest, digest)
    return BuiltRelease(manifest, tuple(blobs), warnings, tuple(large_files))


def _is_yaml(path: str) -> bool:
    return path.endswith((".yaml", ".yml"))


def _text(data: bytes) -> str | None:
    if b"\0" in data:
        return None
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _first_bad_byte(data: bytes) -> int:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start
    return data.find(b"\0")


def _scrubbed(findings: t.Iterable[Finding], secret: t.Mapping[str, Plain]) -> list[Finding]:
    """A last net: no message of a parser or of ours may quote a secret."""
    known = list(masking.leaves(secret))
    return [
        dataclasses.replace(
            finding, message=masking.scrub(finding.message, known), fix=masking.scrub(finding.fix, known)
        )
        for finding in findings
    ]
