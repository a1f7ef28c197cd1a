# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets in clear text in files of every kind."""

from __future__ import annotations

import pytest

from ansible_collections.ivy.cluster.plugins.plugin_utils.release.secret_checks import check_text, is_key_store
from ansible_collections.ivy.cluster.tests import canaries
from ansible_collections.ivy.cluster.tests.timing import in_proportion

CANARY = "cAnary7f3aB"
XML = "configuration/a.xml"


@pytest.mark.parametrize("name", [XML, "configuration/a.properties", "configuration/a.txt", "configuration/a"])
@pytest.mark.parametrize("kind", canaries.CERTAIN)
def test_a_secret_of_any_kind_in_a_file_of_any_kind(kind: str, name: str) -> None:
    findings = check_text(name, f"first\n{canaries.CERTAIN[kind].format(CANARY)}\nlast\n")
    assert findings, kind
    assert all(finding.file == name and finding.line >= 2 for finding in findings)
    assert CANARY not in str(findings)


@pytest.mark.parametrize("text", canaries.HARMLESS)
def test_harmless_texts(text: str) -> None:
    assert check_text(XML, text) == []


@pytest.mark.parametrize(
    "text",
    [
        '<a password="${ivy.var.x}"/>',
        '<h:inputSecret password="#{login.password}"/>',
        '<a password=""/>',
        "password=",
        "usePassword=true",
        '<a resetPassword="false"/>',
        "<!-- <Realm password='changeit'/> -->",
        "# password=example",
        "! password=example",
        '<a password="x"/> <!-- not a secret -->',
        "# not a secret: a label\nlogin.password=Your password",
        "<label>Password:</label>",
    ],
)
def test_references_switches_comments_and_what_is_marked(text: str) -> None:
    assert check_text(XML, text) == []


def test_what_is_marked_and_where_a_finding_is() -> None:
    text = "\n\n# not a secret\n\n\npw=a\n<!-- pw=b\n-->pw=c\n<a pw='d' pw='e'/> # no secret\n<!-- pw=f"
    assert [finding.line for finding in check_text("configuration/a.txt", text)] == [8, 9, 9, 10]
    assert check_text(XML, "not a secret # <a pw='x'/>") != []
    assert check_text(XML, "x\nfirst # not a secret\n<a pw='x'/>") != []


@pytest.mark.parametrize(
    "unit", ["pw=a\n", "\n\n\n\npw=a\n", "<a pw='b'/>", "<!-- pw='a' -->", "<!--", "#", "# pw=a\n"]
)
@pytest.mark.parametrize("form", ["{}", "{}\n<a pw='b'/>", "<!-- {}"])
def test_a_long_text_takes_time_in_proportion_to_its_length(unit: str, form: str) -> None:
    def check(text: str) -> object:
        return check_text(XML, form.format(text))

    assert in_proportion(check, unit, 16_000)


@pytest.mark.parametrize("unit", ["{{", "{%", "{#", "{{ a }}", "{", "{{ pw=a }} pw=b\n"])
def test_a_long_template_takes_time_in_proportion_to_its_length(unit: str) -> None:
    assert in_proportion(lambda text: check_text("configuration/a.txt.j2", text, is_template=True), unit, 16_000)


def test_a_private_key_is_one_in_a_comment_too() -> None:
    key = canaries.CERTAIN["pem"].format(CANARY)
    assert len(check_text(XML, f"<!--\n{key}\n-->")) == 1
    assert len(check_text("configuration/x.js", f"/*\n{key}\n*/")) == 1


def test_program_text_has_variables_and_labels() -> None:
    assert check_text("configuration/x.js", "var password = document.getElementById('pw').value;") == []


def test_a_template_is_judged_by_its_own_text() -> None:
    name = "configuration/a.xml.j2"
    for text in (
        '<a password="{{ secret.x }}"/>',
        "<password>{{ secret.x }}</password>",
        "{% set password = secret.x %}\n<a b='{{ password }}'/>",
        "http://me:{{ secret.x }}@host/",
        "{# password=example #}",
    ):
        assert check_text(name, text, is_template=True) == []
    (finding,) = check_text(name, "{% if a\n %}\n<a password='clear' b='{{ secret.x }}'/>{% endif %}", is_template=True)
    assert finding.line == 3


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("a.jks", b"\xfe\xed\xfe\xed\0\0\0\2", True),
        ("a.p12", b"\x30\x82\x0a\x1b\x02\x01\x03\x30\x82", True),
        ("renamed.bin", b"\x30\x82\x0a\x1b\x02\x01\x03\x30\x82", True),
        ("pkcs8.der", b"\x30\x82\x04\xbe\x02\x01\x00\x30\x0d\x06\x09", True),
        ("rsa.der", b"\x30\x82\x04\xa4\x02\x01\x00\x02\x82\x01\x01", True),
        ("ec.der", b"\x30\x77\x02\x01\x01\x04\x20", True),
        ("truststore.p12", b"\x30\x82\x0a\x1b\x02\x01\x03\x30\x82", False),
        ("cert.der", b"\x30\x82\x03\x5d\x30\x82\x02\x45\xa0\x03\x02\x01\x02", False),
        ("a.jar", b"PK\3\4", False),
        ("empty", b"", False),
    ],
)
def test_key_stores(name: str, data: bytes, expected: bool) -> None:
    assert is_key_store(f"configuration/{name}", data) is expected
