# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The headers in which the engine takes the name of a user from the proxy (single sign-on).

Whoever can send such a header is that user, so the balancer removes it from requests of everybody else. Headers of the
section ReverseProxy, from which the engine takes the address of a user, are treated alike.
"""

from __future__ import annotations

import functools
import os
import re
import typing as t
from pathlib import Path
from xml.parsers import expat

from ansible_collections.ivy.cluster.plugins.plugin_utils.common.findings import Finding
from ansible_collections.ivy.cluster.plugins.plugin_utils.release import engine_secrets, source, templates, yaml_checks
from ansible_collections.ivy.cluster.plugins.plugin_utils.release.bounded_templates import BoundedRenderer
from ansible_collections.ivy.cluster.plugins.plugin_utils.yaml import tree

# SSO.UserHeader up to 11, SecuritySystems.<name>.SSO.UserHeader from 12 on.
_KEY = re.compile(r"(?:.*\.)?SSO\.UserHeader", re.IGNORECASE | re.DOTALL)
# Such as SSO.<<.UserHeader, SSO.UserHeader[0] and SSO[0].UserHeader, of which nobody knows whether the engine reads it.
_UNUSUAL = re.compile(r"(?:.*\.)?SSO[.\[].*UserHeader(?:\W.*)?", re.IGNORECASE | re.DOTALL)
# Without UserHeader the engine reads this header: the vendor's example for administrators has Enabled only. Written in
# an unusual way, the key counts as well.
_DEFAULT_HEADER = "X-Forwarded-User"
_ENABLED = re.compile(r"(?:.*\.)?SSO[.\[](?:.*\W)?Enabled(?:\W.*)?", re.IGNORECASE | re.DOTALL)
# From 12 on. The balancer writes these four itself. Other values below the key, such as a port, have no dash.
_PROXY_HEADERS = re.compile(
    r"(?:.*\.)?ReverseProxy[.\[](?:.*\W)?HttpHeaders(?:\W.*)?",
    re.IGNORECASE | re.DOTALL,
)
_WRITTEN_BY_BALANCER = ("x-forwarded-for", "x-forwarded-host", "x-forwarded-port", "x-forwarded-proto")
# The vendor's valve for the single sign-on, or one of the operator that has the same attribute.
_CONTEXT_FILE = re.compile(r"configuration/(?:.+/)?context\.xml", re.IGNORECASE)
_VALVE = re.compile(r"(?:.*\.)?SingleSignOnValve", re.IGNORECASE | re.DOTALL)
_VALVE_ATTRIBUTE = "usernameheader"
# They are off by default. The rule of engine_http_firewall has the HTTP port only.
_CONNECTOR = re.compile(
    r"(?:.*\.)?(?:Connector|WebServer)[.\[](?:.*\W)?(HTTPS|AJP)[.\[](?:.*\W)?Enabled(?:\W.*)?",
    re.IGNORECASE | re.DOTALL,
)
# With it, ivy_node_tls has opened the HTTPS port, and the same rule has that one, too.
_NODE_KEYSTORE = "/etc/ivy-cluster-pki/engine.p12"
# The same as variables of the engine's environment, which take precedence over its files.
_VARIABLE = re.compile(r"IVY_(?:.*_)?SSO_USERHEADER", re.IGNORECASE | re.DOTALL)
_UNUSUAL_VARIABLE = re.compile(r"IVY_(?:.*_)?SSO_.*USERHEADER.*", re.IGNORECASE | re.DOTALL)
_ENABLED_VARIABLE = re.compile(r"IVY_(?:.*_)?SSO_(?:.*_)?ENABLED(?:_.*)?", re.IGNORECASE | re.DOTALL)
_PROXY_VARIABLE = re.compile(r"IVY_(?:.*_)?REVERSEPROXY_HTTPHEADERS(?:_.*)?", re.IGNORECASE | re.DOTALL)
_CONNECTOR_VARIABLE = re.compile(r"IVY_(?:.*_)?(?:CONNECTOR|WEBSERVER)_(HTTPS|AJP)_ENABLED", re.IGNORECASE | re.DOTALL)
_HEADER = re.compile(r"[A-Za-z0-9_-]+")


class SsoError(Exception):
    """The headers cannot be determined. The text is a message for users."""


def _is_on(value: str) -> bool:
    """Whether a switch is on. What nobody can read as off, such as a macro, counts as on."""
    return value.lower() not in ("", "false")


def _default_headers(values: t.Iterable[tuple[str, str]], pattern: re.Pattern[str]) -> list[str]:
    """The header that the engine reads unless it is configured to read another.

    It counts even with a UserHeader in the same place: another security system may have none, and a place that takes
    precedence, such as the environment of one node, may make it empty.
    """
    return [_DEFAULT_HEADER] if any(pattern.fullmatch(key) and _is_on(value) for key, value in values) else []


def _is_macro(value: str) -> bool:
    return "${" in value


def _proxy_headers(value: str) -> list[str]:
    if _HEADER.fullmatch(value) and "-" in value and value.lower() not in _WRITTEN_BY_BALANCER:
        return [value]
    return []


def is_context(path: str) -> bool:
    """Whether a file of the engine configures valves, which see every request."""
    return _CONTEXT_FILE.fullmatch(path) is not None


def of_context(name: str, data: bytes) -> tuple[list[str], list[Finding]]:
    """The headers that valves read. Raises :class:`SsoError` if the file cannot be read."""
    headers: list[str] = []
    findings: list[Finding] = []
    parser = expat.ParserCreate()

    def refuse(*_args: t.Any) -> None:
        raise SsoError(f"{name} cannot be read: it has a document type")

    def start(_element: str, attributes: dict[str, str]) -> None:
        values = [value for key, value in attributes.items() if key.lower() == _VALVE_ATTRIBUTE]
        if not values and not _VALVE.fullmatch(attributes.get("className", "")):
            return
        if len(values) == 1 and _HEADER.fullmatch(values[0]):
            headers.append(values[0])
            return
        problem = "a valve of the single sign-on does not name the header that it reads"
        advice = "Write userNameHeader with the name itself: the balancer removes this header."
        findings.append(Finding.in_file(name, parser.CurrentLineNumber, problem, advice))

    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = start
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, LookupError, ValueError) as error:
        raise SsoError(f"{name} cannot be read: it is not well-formed XML") from error
    return headers, findings


def of_document(name: str, document: tree.Document) -> tuple[list[str], list[Finding]]:
    """The headers that a file of the engine names, and the engine's own if the file turns the single sign-on on."""
    headers = _default_headers(
        ((leaf.key, str(leaf.value)) for leaf in document.leaves if leaf.value.kind != "null"), _ENABLED
    )
    findings: list[Finding] = []
    for leaf in document.leaves:
        if _PROXY_HEADERS.fullmatch(leaf.key):
            if _is_macro(leaf.value.text):
                findings.append(_unread_proxy_header(name, leaf.line, f"'{leaf.key}'"))
            headers += _proxy_headers(leaf.value.text)
            continue
        if not _KEY.fullmatch(leaf.key):
            if _UNUSUAL.fullmatch(leaf.key):
                problem = f"'{leaf.key}' does not name the header of the single sign-on as the balancer expects it"
                advice = "Write UserHeader with the name itself directly below SSO: the balancer removes this header."
                findings.append(Finding.in_file(name, leaf.line, problem, advice))
            continue
        if leaf.value.kind == "text" and not leaf.value.text:
            continue
        if leaf.value.kind == "text" and _HEADER.fullmatch(leaf.value.text):
            headers.append(leaf.value.text)
        elif leaf.value.kind != "null":
            problem = f"the value of '{leaf.key}' is not the name of a header"
            advice = "Write the name itself, with letters, digits and dashes: the balancer removes this header."
            findings.append(Finding.in_file(name, leaf.line, problem, advice))
    return headers, findings


def of_values(
    values: t.Mapping[str, t.Any], variables: bool = False, where: str = ""
) -> tuple[list[str], list[Finding]]:
    """The same of keys that are in no file, or with ``variables`` of the environment's variables."""
    headers = _default_headers(
        ((str(key), str(value)) for key, value in values.items() if value is not None),
        _ENABLED_VARIABLE if variables else _ENABLED,
    )
    findings: list[Finding] = []
    expected, unusual = (_VARIABLE, _UNUSUAL_VARIABLE) if variables else (_KEY, _UNUSUAL)
    for key, value in values.items():
        if value in (None, ""):
            continue
        if (_PROXY_VARIABLE if variables else _PROXY_HEADERS).fullmatch(str(key)):
            if _is_macro(str(value)):
                findings.append(_unread_proxy_header("", 0, f"{where}'{key}'"))
            headers += _proxy_headers(str(value))
            continue
        if not expected.fullmatch(str(key)):
            if unusual.fullmatch(str(key)):
                problem = f"'{key}' does not name the header of the single sign-on as the balancer expects it"
                advice = "Let the name end in SSO_USERHEADER." if variables else "Let the key end in SSO.UserHeader."
                findings.append(Finding.in_file("", 0, where + problem, f"{advice} The balancer removes this header."))
        elif _HEADER.fullmatch(str(value)):
            headers.append(str(value))
        else:
            problem = f"the value of '{key}' is not the name of a header"
            advice = "Write the name with letters, digits and dashes: the balancer removes this header."
            findings.append(Finding.in_file("", 0, where + problem, advice))
    return headers, findings


def _unread_proxy_header(name: str, line: int, key: str) -> Finding:
    problem = f"the value of {key} is not the name of a header"
    return Finding.in_file(name, line, problem, "Write the name itself: the balancer removes this header.")


def connectors_of_values(values: t.Mapping[str, t.Any], variables: bool = False, where: str = "") -> list[Finding]:
    """Other ports of the engine that keys open which are in no file, or with ``variables`` the environment's."""
    pattern = _CONNECTOR_VARIABLE if variables else _CONNECTOR
    return [
        _open_port("", 0, f"{where}'{key}'", match[1], "variable" if variables else "key")
        for key, value in values.items()
        if (match := pattern.fullmatch(str(key))) and value is not None and _is_on(str(value))
    ]


def _open_port(name: str, line: int, key: str, protocol: str, kind: str) -> Finding:
    problem = f"{key} opens another port of the engine, and with single sign-on anybody who reaches it can be any user"
    advice = f"Remove the {kind}: the balancers use HTTP, and no firewall rule closes the {protocol.upper()} port."
    return Finding.in_file(name, line, problem, advice)


def open_connectors(name: str, document: tree.Document) -> list[Finding]:
    """Other ports of the engine, through which everybody could send the header past the balancer."""
    of_cluster = any(
        leaf.key.startswith("Connector.HTTPS.") and str(leaf.value) == _NODE_KEYSTORE for leaf in document.leaves
    )
    return [
        _open_port(name, leaf.line, f"'{leaf.key}'", match[1], "key")
        for leaf in document.leaves
        if (match := _CONNECTOR.fullmatch(leaf.key))
        and leaf.value.kind != "null"
        and _is_on(str(leaf.value))
        and not (of_cluster and leaf.key == "Connector.HTTPS.Enabled")
    ]


def of_environments(environments: t.Mapping[str, t.Any]) -> tuple[list[str], list[Finding], list[Finding]]:
    """The headers, problems and other open ports in the variables of the nodes, by the name of the node."""
    headers: list[str] = []
    findings: list[Finding] = []
    connectors: list[Finding] = []
    for node, variables in environments.items():
        # Preflight reports a value of another type.
        if isinstance(variables, t.Mapping):
            where = f"engine_environment on {node}: "
            found, more = of_values(variables, True, where)
            headers += found
            findings += more
            connectors += connectors_of_values(variables, True, where)
    return headers, findings, connectors


def of_release(
    entries: t.Iterable[t.Mapping[str, t.Any]],
    read: t.Callable[[str], bytes],
    environments: t.Mapping[str, t.Any],
) -> list[str]:
    """The headers in which engines with this release and these variables take the name of a user.

    Raises :class:`SsoError` if they cannot be determined, or if the engines open another port than that for HTTP.
    """
    headers, findings, connectors = of_environments(environments)
    for entry in entries:
        found, problems, ports = _of_entry(
            str(entry["root"]), str(entry["path"]), functools.partial(read, str(entry["sha256"]))
        )
        headers += found
        findings += problems
        connectors += ports
    findings += connectors if headers else []
    if findings:
        raise SsoError("; ".join(str(finding) for finding in findings))
    return headers


def _of_entry(root: str, path: str, read: t.Callable[[], bytes]) -> tuple[list[str], list[Finding], list[Finding]]:
    variables = root == "environment"
    try:
        if root == "engine" and yaml_checks.is_engine_yaml(path):
            document = tree.parse(read().decode("utf-8"))
            return (*of_document(path, document), open_connectors(path, document))
        if root == "engine" and is_context(path):
            return (*of_context(path, read()), [])
        if variables:
            values = engine_secrets.parse(read().decode("utf-8"))
        elif root == "secrets" and path.startswith(engine_secrets.FILE_PREFIX):
            values = {path[len(engine_secrets.FILE_PREFIX) :]: read().decode("utf-8")}
        else:
            values = {}
    except (UnicodeDecodeError, tree.YamlError) as error:
        raise SsoError(f"{path} cannot be read: {error}") from error
    return (*of_values(values, variables), connectors_of_values(values, variables))


def of_source(
    directory: str,
    shared: t.Mapping[str, t.Any],
    secret: t.Mapping[str, t.Any],
    decrypt: t.Callable[[bytes], bytes],
) -> list[str]:
    """The headers of a release that is built from this source and these values, without building it."""
    secrets = {key: value for key, value in secret.items() if key != "engine_keys"}
    headers: list[str] = []
    with BoundedRenderer(templates.Renderer(shared, secrets)) as renderer:
        for path, name in _engine_files(Path(directory)):
            headers += _of_file(path, name, renderer, decrypt)
    engine_keys = secret.get("engine_keys")
    if isinstance(engine_keys, t.Mapping):
        headers += _without_findings(*of_values(engine_keys))
    return headers


def _of_file(path: Path, name: str, renderer: BoundedRenderer, decrypt: t.Callable[[bytes], bytes]) -> list[str]:
    data = path.read_bytes()
    is_template = name.endswith(source.TEMPLATE_SUFFIX)
    try:
        data = decrypt(data) if data.startswith(source.VAULT_HEADER) else data
        if is_context(name):
            return _without_findings(*of_context(name, data))
        text = data.decode("utf-8")
        if is_template:
            rendered, problems = renderer.render(name, text)
            if rendered is None:
                raise SsoError("; ".join(str(problem) for problem in problems))
            text = rendered.text
        if is_context(name.removesuffix(source.TEMPLATE_SUFFIX)):
            return _without_findings(*of_context(name, text.encode("utf-8")))
        return _without_findings(*of_document(name, tree.parse(text)))
    except (source.DecryptError, UnicodeDecodeError, tree.YamlError) as error:
        raise SsoError(f"{name} cannot be read: {error}") from error


def _without_findings(headers: list[str], findings: t.Sequence[Finding]) -> list[str]:
    if findings:
        raise SsoError("; ".join(str(finding) for finding in findings))
    return headers


def unique(headers: t.Iterable[str]) -> tuple[str, ...]:
    """Each header once, in lower case: the case of a header's name has no meaning."""
    return tuple(sorted({header.lower() for header in headers}))


def _engine_files(base: Path) -> t.Iterator[tuple[Path, str]]:
    for top, _directories, names in os.walk(base / "configuration"):
        for name in names:
            path = Path(top, name)
            relative = path.relative_to(base).as_posix()
            target = relative.removesuffix(source.TEMPLATE_SUFFIX)
            if (yaml_checks.is_engine_yaml(target) or is_context(target)) and path.is_file():
                yield path, relative
