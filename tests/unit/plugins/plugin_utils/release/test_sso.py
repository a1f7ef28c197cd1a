# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The headers of the single sign-on are found wherever the engine would read them."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from ansible_collections.ivy.cluster.plugins.plugin_utils.release import sso
from ansible_collections.ivy.cluster.plugins.plugin_utils.yaml.tree import parse

IVY = "configuration/ivy.yaml"
VAULT = "$ANSIBLE_VAULT;1.1;AES256\n"


@pytest.mark.parametrize(
    ("text", "headers"),
    [
        ("SecuritySystems.default.SSO.UserHeader: X-Corp-User\n", ["X-Corp-User"]),
        (
            "SecuritySystems:\n  default:\n    SSO:\n      Enabled: false\n      UserHeader: X-Corp-User\n",
            ["X-Corp-User"],
        ),
        ("SecuritySystems:\n  a:\n    SSO.UserHeader: X-A\n  b: {SSO: {UserHeader: 'X-B'}}\n", ["X-A", "X-B"]),
        ("SSO:\n  UserHeader: X-Corp-User\n", ["X-Corp-User"]),
        ("securitysystems.DEFAULT.sso.userheader: x_corp_user\n", ["x_corp_user"]),
        ("SecuritySystems.a.b.SSO.UserHeader: X-Corp-User\n", ["X-Corp-User"]),
        ("SSO.UserHeader:\nMySSO.UserHeader: X-No\nSSO.UserHeaders: X-No\n# SSO.UserHeader: X-No\n", []),
        ("SSO.UserHeader: ''\n", []),
    ],
)
def test_headers_of_a_file(text: str, headers: list[str]) -> None:
    assert sso.of_document(IVY, parse(text)) == (headers, [])


@pytest.mark.parametrize(
    ("text", "headers"),
    [
        ("SSO: {Enabled: true}\n", ["X-Forwarded-User"]),
        ("SSO.Enabled: 'TRUE'\nSSO.UserHeader:\n", ["X-Forwarded-User"]),
        ("SecuritySystems:\n  system:\n    SSO:\n      Enabled: true\n", ["X-Forwarded-User"]),
        ("securitysystems.a.b.sso.enabled: true\n", ["X-Forwarded-User"]),
        # Only one of two security systems names a header.
        (
            "SecuritySystems:\n  a.SSO: {Enabled: true, UserHeader: X-A}\n  b.SSO.Enabled: true\n",
            ["X-Forwarded-User", "X-A"],
        ),
        ("SSO.Enabled: ${ivy.var.sso}\n", ["X-Forwarded-User"]),
        ("SSO.Enabled: yes\n", ["X-Forwarded-User"]),
        ("SSO.Enabled: [true]\n", ["X-Forwarded-User"]),
        ("SSO.Enabled: {}\n", ["X-Forwarded-User"]),
        ("SSO:\n- Enabled: true\n", ["X-Forwarded-User"]),
        ("x: &x {Enabled: true}\nSSO:\n  <<: *x\n", ["X-Forwarded-User"]),
        ("SSO: {'Enabled ': true}\n", ["X-Forwarded-User"]),
        ("SSO.Enabled: False\n", []),
        ("SSO.Enabled:\n", []),
        ("SSO.Enabled: ''\n", []),
        ("MySSO.Enabled: true\nSSO.NotEnabled: true\nSSOx.Enabled: true\n# SSO.Enabled: true\n", []),
    ],
)
def test_a_file_that_turns_the_single_sign_on_on_means_the_default_header(text: str, headers: list[str]) -> None:
    assert sso.of_document(IVY, parse(text)) == (headers, [])


@pytest.mark.parametrize("value", ["${ivy.var.header}", "'X Corp'", "'X-Corp:'", "[]", "{}", '"X-Corp\\r\\nA: b"'])
def test_an_invalid_name_of_a_header_is_a_finding(value: str) -> None:
    headers, findings = sso.of_document(IVY, parse(f"BaseUrl: x\nSSO.UserHeader: {value}\n"))
    assert headers == []
    assert [(finding.line, "is not the name of a header" in finding.message) for finding in findings] == [(2, True)]


@pytest.mark.parametrize(
    "text",
    [
        "x: &x {UserHeader: X-Corp}\nSecuritySystems:\n  default:\n    SSO:\n      <<: *x\n",
        "SSO: {UserHeader: [X-Corp]}\n",
        "SSO:\n- UserHeader: X-Corp\n",
        "SSO: {UserHeader: {Name: X-Corp}}\n",
        "SSO: {'UserHeader ': X-Corp}\n",
    ],
)
def test_a_header_that_is_not_named_plainly_is_a_finding(text: str) -> None:
    headers, (finding,) = sso.of_document(IVY, parse(text))
    assert headers == []
    assert "does not name the header of the single sign-on" in finding.message


def test_other_ports_of_the_engine_are_findings() -> None:
    text = "Connector:\n  HTTPS: {Enabled: true, Port: 8443}\n  HTTP.Enabled: true\nWebServer.AJP.Enabled: yes\n"
    findings = sso.open_connectors(IVY, parse(text))
    assert [(finding.line, finding.message.partition(" ")[0]) for finding in findings] == [
        (2, "'Connector.HTTPS.Enabled'"),
        (4, "'WebServer.AJP.Enabled'"),
    ]
    for odd in ("Connector.AJP.Enabled: [true]\n", "Connector.AJP.Enabled: {}\n", "Connector:\n- AJP.Enabled: true\n"):
        assert len(sso.open_connectors(IVY, parse(odd))) == 1, odd
    # That of ivy_node_tls, which the rule for the HTTP port includes.
    own = "Connector.HTTPS: {Enabled: true, Port: 8443, KeystoreFile: /etc/ivy-cluster-pki/engine.p12}\n"
    assert sso.open_connectors(IVY, parse(own)) == []
    assert len(sso.open_connectors(IVY, parse(f"{own}Connector.AJP.Enabled: true\n"))) == 1
    assert sso.open_connectors(IVY, parse("Connector:\n  HTTPS.Enabled: false\n  AJP: {Port: 8009}\n")) == []


def test_headers_of_keys_and_of_variables() -> None:
    keys = {"SecuritySystems.a.SSO.UserHeader": "X-Key", "SecuritySystems.a.SSO.Enabled": "false"}
    assert sso.of_values(keys) == (["X-Key"], [])
    variables = {"IVY_SECURITYSYSTEMS_A_SSO_USERHEADER": "X-Variable", "ivy_SSO_UserHeader": "X-Mixed", "SSO": "X-No"}
    assert sso.of_values(variables, variables=True) == (["X-Variable", "X-Mixed"], [])
    _headers, (finding,) = sso.of_values({"SSO.UserHeader": "X Y"})
    assert "SSO.UserHeader" in finding.message
    for values, as_variables in (({"SSO[0].UserHeader": "X"}, False), ({"IVY_SSO__USERHEADER": "X"}, True)):
        headers, (finding,) = sso.of_values(values, as_variables)
        assert headers == []
        assert "does not name the header" in finding.message


@pytest.mark.parametrize("value", [True, "true", "1", "${x}", ["true"]])
def test_keys_and_variables_that_turn_the_single_sign_on_on_mean_the_default_header(value: t.Any) -> None:
    for key in ("SSO.Enabled", "SecuritySystems.system.SSO.Enabled", "sso.enabled", "SSO[0].Enabled"):
        assert sso.of_values({key: value}) == (["X-Forwarded-User"], []), key
    for name in ("IVY_SSO_ENABLED", "ivy_SecuritySystems_system_SSO_Enabled", "IVY_SSO__ENABLED"):
        assert sso.of_values({name: value}, variables=True) == (["X-Forwarded-User"], []), name


@pytest.mark.parametrize("value", [False, "false", "FALSE", "", None])
def test_keys_and_variables_that_turn_it_off_mean_none(value: t.Any) -> None:
    assert sso.of_values({"SSO.Enabled": value}) == ([], [])
    assert sso.of_values({"IVY_SSO_ENABLED": value, "IVY_MYSSO_ENABLED": "true"}, variables=True) == ([], [])


@pytest.mark.parametrize(
    ("text", "headers"),
    [
        ("ReverseProxy:\n  HttpHeaders:\n    RemoteIp: X-Corp-IP\n", ["X-Corp-IP"]),
        ("reverseproxy.httpheaders.Proto: X-Corp-Proto\n", ["X-Corp-Proto"]),
        ("ReverseProxy.HttpHeaders: [X-Corp-IP]\n", ["X-Corp-IP"]),
        ("ReverseProxy.HttpHeaders: {RemoteIp: X-Forwarded-For, Proto: x-forwarded-proto, Port: ''}\n", []),
        ("ReverseProxy.HttpHeaders: {HttpsValue: https, HttpsPort: 443, Enabled: true, Ip:}\n", []),
        ("WebServer.HttpHeaders.X: X-Frame-Options\nReverseProxy.Names: X-Other\n", []),
    ],
)
def test_headers_of_the_reverse_proxy(text: str, headers: list[str]) -> None:
    assert sso.of_document(IVY, parse(text)) == (headers, [])


def test_headers_of_the_reverse_proxy_in_keys_and_variables() -> None:
    assert sso.of_values({"ReverseProxy.HttpHeaders.Ip": "X-Ip"}) == (["X-Ip"], [])
    assert sso.of_values({"IVY_REVERSEPROXY_HTTPHEADERS_IP": "X-Ip"}, variables=True) == (["X-Ip"], [])
    (finding,) = sso.of_document(IVY, parse("A: b\nReverseProxy.HttpHeaders.Ip: ${ivy.var.ip}\n"))[1]
    assert (finding.line, "is not the name of a header" in finding.message) == (2, True)
    assert len(sso.of_values({"IVY_REVERSEPROXY_HTTPHEADERS_IP": "${x}"}, variables=True)[1]) == 1


VALVE = "ch.ivyteam.ivy.webserver.security.SingleSignOnValve"


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (f'<Valve className="{VALVE}" userNameHeader="X-Corp"/>', ["X-Corp"]),
        ('<Valve className="com.example.Own" usernameheader="user"/>', ["user"]),
        ("<!-- <Valve userNameHeader='X-No'/> --><CookieProcessor/>", []),
        ('<Valve className="org.apache.catalina.valves.RemoteIpValve"/>', []),
    ],
)
def test_headers_of_valves(body: str, headers: list[str]) -> None:
    assert sso.of_context("context.xml", f"<Context>{body}</Context>".encode()) == (headers, [])


@pytest.mark.parametrize("attributes", ["", ' userNameHeader=""', ' userNameHeader="${h}"', ' userNameHeader="X Y"'])
def test_a_valve_whose_header_is_not_known_is_a_finding(attributes: str) -> None:
    text = f'<Context>\n<Valve className="{VALVE}"{attributes}/></Context>'
    headers, (finding,) = sso.of_context("context.xml", text.encode())
    assert (headers, finding.line) == ([], 2)


@pytest.mark.parametrize(
    "text", ["<a>", "", '<!DOCTYPE a [<!ENTITY b "c">]><a/>', "<?xml version='1.0' encoding='x'?><a/>"]
)
def test_a_context_that_cannot_be_read_is_an_error(text: str) -> None:
    with pytest.raises(sso.SsoError):
        sso.of_context("context.xml", text.encode())


def test_valves_of_a_release_and_of_a_source(tmp_path: Path) -> None:
    assert of_release(context=f'<Context><Valve className="{VALVE}" userNameHeader="X-Corp"/></Context>') == ["X-Corp"]
    with pytest.raises(sso.SsoError, match="does not name the header"):
        of_release(context=f'<Context><Valve className="{VALVE}"/></Context>')
    text = '<?xml version="1.0" encoding="utf-8"?>\n<Context><Valve userNameHeader="{{ shared.x }}"/></Context>'
    directory = source(tmp_path, {"configuration/context.xml.j2": VAULT + text})
    assert sso.of_source(directory, {"x": "X-Shared"}, {}, decrypt) == ["X-Shared"]
    with pytest.raises(sso.SsoError, match=r"context\.xml"):
        sso.of_source(directory, {"x": "X Y"}, {}, decrypt)
    (tmp_path / "configuration/context.xml.j2").rename(tmp_path / "configuration/context.xml")
    with pytest.raises(sso.SsoError, match="does not name the header"):
        sso.of_source(directory, {}, {}, decrypt)


def test_ports_that_keys_and_variables_open() -> None:
    keys = {"Connector.AJP.Enabled": True, "Connector.HTTPS.Enabled": "false", "Connector.HTTPS.Port": "8443"}
    (finding,) = sso.connectors_of_values(keys, where="engine_keys: ")
    assert finding.message.startswith("engine_keys: 'Connector.AJP.Enabled' opens another port")
    assert "closes the AJP port" in finding.fix
    variables = {"IVY_WEBSERVER_HTTPS_ENABLED": "TRUE", "ivy_Connector_AJP_Enabled": "true", "IVY_CONNECTOR_HTTP": "1"}
    assert len(sso.connectors_of_values(variables, variables=True)) == 2
    assert sso.connectors_of_values({"IVY_CONNECTOR_AJP_ENABLED": ""}, variables=True) == []


def test_variables_of_nodes() -> None:
    environments = {"n1": {"IVY_SSO_USERHEADER": "X-A", "IVY_CONNECTOR_AJP_ENABLED": "1"}, "n2": {}, "n3": "A=b"}
    headers, findings, (connector,) = sso.of_environments(environments)
    assert (headers, findings) == (["X-A"], [])
    assert connector.message.startswith("engine_environment on n1: 'IVY_CONNECTOR_AJP_ENABLED'")


def entries(**files: str) -> list[dict[str, str]]:
    roots = {"yaml": ("engine", IVY), "app": ("engine", "configuration/applications/a/app.yaml")}
    roots |= {"variables": ("environment", "shared.env"), "secret": ("secrets", "ivy.SSO.UserHeader")}
    roots |= {"switch": ("secrets", "ivy.SecuritySystems.system.SSO.Enabled")}
    roots |= {"context": ("engine", "configuration/context.xml")}
    roots |= {"other": ("engine", "configuration/other.yaml")}
    return [{"root": roots[name][0], "path": roots[name][1], "sha256": text} for name, text in files.items()]


def of_release(environments: t.Mapping[str, t.Any] | None = None, **files: str) -> list[str]:
    return sso.of_release(entries(**files), str.encode, environments or {})


def test_headers_of_a_release() -> None:
    found = of_release(
        {"n1": {"IVY_SSO_USERHEADER": "X-Node"}},
        yaml="SSO.UserHeader: X-File\n",
        app="SecuritySystems.a.SSO.UserHeader: X-App\n",
        variables='# Note\nIVY_SSO_USERHEADER="X-Variable"\nIVY_B="SSO_USERHEADER=\\"x\\""\n',
        secret="X-Secret",
        other="SSO.UserHeader: X-Other\n",
    )
    assert sso.unique(found) == ("x-app", "x-file", "x-node", "x-secret", "x-variable")
    # Without a header, other ports do no harm.
    assert of_release(yaml="Connector.AJP.Enabled: true\n") == []


def test_a_release_with_the_default_header() -> None:
    """Wherever the switch is, other ports are refused with it as well."""
    for files in ({"yaml": "SSO.Enabled: true\n"}, {"variables": 'IVY_SSO_ENABLED="true"\n'}, {"switch": "true"}):
        assert sso.unique(of_release(None, **files)) == ("x-forwarded-user",), files
        with pytest.raises(sso.SsoError, match="opens another port"):
            of_release({"n1": {"IVY_CONNECTOR_AJP_ENABLED": "true"}}, **files)
    assert sso.unique(of_release({"n1": {"IVY_SSO_ENABLED": "true"}})) == ("x-forwarded-user",)


@pytest.mark.parametrize(
    "files",
    [
        {"yaml": "Connector.AJP.Enabled: true\n", "secret": "X-User"},
        {"variables": 'IVY_CONNECTOR_HTTPS_ENABLED="true"\n', "secret": "X-User"},
        {"yaml": "a: [\n"},
        {"yaml": "SSO.UserHeader: ${x}\n"},
        {"secret": "X User"},
    ],
)
def test_a_release_that_opens_other_ports_or_cannot_be_read(files: dict[str, t.Any]) -> None:
    with pytest.raises(sso.SsoError):
        of_release(**files)


def source(tmp_path: Path, files: dict[str, str]) -> str:
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return str(tmp_path)


def decrypt(data: bytes) -> bytes:
    return data.partition(b"\n")[2]


def test_headers_of_a_source(tmp_path: Path) -> None:
    directory = source(
        tmp_path,
        {
            "configuration/ivy.yaml.j2": "SSO.UserHeader: {{ shared.header }}\nA: {{ secret.a }}\n",
            "configuration/applications/demo/app.yaml": f"{VAULT}SecuritySystems.x.SSO.UserHeader: X-App\n",
            "configuration/other.yaml": "SSO.UserHeader: X-Other\n",
            "ivy.yaml": "SSO.UserHeader: X-Elsewhere\n",
        },
    )
    secret: dict[str, t.Any] = {"a": "b", "engine_keys": {"SecuritySystems.y.SSO.UserHeader": "X-Key"}}
    found = sso.of_source(directory, {"header": "X-Shared"}, secret, decrypt)
    assert sso.unique(found) == ("x-app", "x-key", "x-shared")
    assert sso.of_source(str(tmp_path / "none"), {}, {}, decrypt) == []
    (tmp_path / "configuration/ivy.yaml.j2").write_text("SSO.Enabled: {{ shared.on }}\n", encoding="utf-8")
    found = sso.of_source(directory, {"on": True}, {}, decrypt)
    assert sso.unique(found) == ("x-app", "x-forwarded-user")
    found = sso.of_source(directory, {"on": False}, {"engine_keys": {"SSO.Enabled": True}}, decrypt)
    assert sso.unique(found) == ("x-app", "x-forwarded-user")


@pytest.mark.parametrize(
    "files",
    [
        {"configuration/ivy.yaml": "a: [\n"},
        {"configuration/ivy.yaml.j2": "SSO.UserHeader: {{ shared.missing }}\n"},
        {"configuration/ivy.yaml": "SSO.UserHeader: ${x}\n"},
    ],
)
def test_a_source_that_cannot_be_read_is_an_error(tmp_path: Path, files: dict[str, str]) -> None:
    with pytest.raises(sso.SsoError, match=r"ivy\.yaml"):
        sso.of_source(source(tmp_path, files), {}, {}, decrypt)


def test_a_template_of_the_source_has_limits(tmp_path: Path) -> None:
    directory = source(tmp_path, {f"{IVY}.j2": "A: {{ 'x' * 30000000 }}\n"})
    with pytest.raises(sso.SsoError, match="MiB"):
        sso.of_source(directory, {}, {}, lambda data: data)
