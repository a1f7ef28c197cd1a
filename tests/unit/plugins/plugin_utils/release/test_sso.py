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
            "SecuritySystems:\n  default:\n    SSO:\n      Enabled: true\n      UserHeader: X-Corp-User\n",
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
    assert sso.open_connectors(IVY, parse("Connector:\n  HTTPS.Enabled: false\n  AJP: {Port: 8009}\n")) == []


def test_headers_of_keys_and_of_variables() -> None:
    keys = {"SecuritySystems.a.SSO.UserHeader": "X-Key", "SecuritySystems.a.SSO.Enabled": "true"}
    assert sso.of_values(keys) == (["X-Key"], [])
    variables = {"IVY_SECURITYSYSTEMS_A_SSO_USERHEADER": "X-Variable", "ivy_SSO_UserHeader": "X-Mixed", "SSO": "X-No"}
    assert sso.of_values(variables, variables=True) == (["X-Variable", "X-Mixed"], [])
    _headers, (finding,) = sso.of_values({"SSO.UserHeader": "X Y"})
    assert "SSO.UserHeader" in finding.message


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
