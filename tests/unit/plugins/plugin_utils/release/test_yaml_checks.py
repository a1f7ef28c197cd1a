# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.ivy.cluster.plugins.plugin_utils.common.profiles import resolve_profile
from ansible_collections.ivy.cluster.plugins.plugin_utils.release import yaml_checks
from ansible_collections.ivy.cluster.plugins.plugin_utils.yaml.tree import parse

Profile = dict[str, t.Any]
IVY = "configuration/ivy.yaml"
APP = "configuration/applications/demo/app.yaml"
HEADER = "# yaml-language-server: $schema=https://json-schema.axonivy.com/{kind}/{version}/{kind}.json\n"


def header_problems(path: str, text: str, profile: Profile) -> list[tuple[int, str]]:
    findings = yaml_checks.check_header(path, path, parse(text), profile)
    return [(finding.line, finding.message) for finding in findings]


@pytest.mark.parametrize(
    ("engine", "kind", "version"),
    [
        ("11.3.0", "ivy", "11.3.9"), ("11.3.0", "ivy", "11.2.0"), ("12.0.0", "ivy", "12.0.6"),
        ("13.2.0", "ivy", "13.2.9"), ("14.0.0", "ivy", "13.2.9"), ("14.0.0", "app", "13.2.1"),
        *(("12.0.9", "app", version) for version in ("0.0.1", "11.3.0", "11.4.1", "12.0.0", "13.1.0", "13.2.1")),
    ],
)  # fmt: skip
def test_the_version_of_a_schema_does_not_depend_on_the_engine(
    ranges: list[Profile], engine: str, kind: str, version: str
) -> None:
    profile = resolve_profile(ranges, engine)
    for text in (
        HEADER.format(kind=kind, version=version),
        HEADER.format(kind=kind, version=version).replace("axonivy.com", "ivyteam.ch"),
    ):
        assert header_problems(IVY if kind == "ivy" else APP, text, profile) == []


@pytest.mark.parametrize(
    ("engine", "required"),
    [("10.0.2", False), ("11.2.0", False), ("11.3.0", False), ("12.0.15", False), ("13.1.0", False), ("13.2.0", True)],
)
def test_a_header_is_required_since_13_2(ranges: list[Profile], engine: str, required: bool) -> None:
    profile = resolve_profile(ranges, engine)
    assert bool(header_problems(IVY, "a: 1\n", profile)) is required
    assert header_problems("configuration/ivy.webserver.yaml", "a: 1\n", profile) == []
    assert header_problems("configuration/other.yaml", "a: 1\n", profile) == []


def test_a_missing_header_says_what_to_write(ranges: list[Profile]) -> None:
    (finding,) = yaml_checks.check_header(IVY, "x", parse("a: 1\n"), resolve_profile(ranges, "13.2.0"))
    assert finding.line == 1
    assert "$schema=https://json-schema.axonivy.com/ivy/13.2.9/ivy.json" in finding.fix


@pytest.mark.parametrize(
    ("engine", "header"),
    [
        ("11.2.0", ""),
        ("11.3.0", HEADER.format(kind="ivy", version="11.3.9")),
        ("12.0.15", HEADER.format(kind="ivy", version="12.0.6")),
        ("13.2.0", HEADER.format(kind="ivy", version="13.2.9")),
        ("14.0.1", HEADER.format(kind="ivy", version="13.2.9")),
    ],
)
def test_a_new_file_has_a_schema_that_is_known(ranges: list[Profile], engine: str, header: str) -> None:
    assert yaml_checks.header_line(IVY, resolve_profile(ranges, engine)) == header.rstrip()


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        (HEADER.format(kind="ivy", version="11.3.0").replace("axonivy.com", "example.com"), 1, "is not a schema"),
        ("# ours\n" + HEADER.format(kind="ivy", version="11.3.0"), 2, "not the first line"),
        (HEADER.format(kind="app", version="0.0.1"), 1, "is not a schema of this file"),
        ("# yaml-language-server: $schema=./local.json\n", 1, "is not a schema of this file"),
    ],
)
def test_a_bad_header(profile_11: Profile, text: str, line: int, problem: str) -> None:
    ((found_line, found),) = header_problems(IVY, text, profile_11)
    assert found_line == line
    assert problem in found


def test_keys_that_are_there_twice() -> None:
    document = parse("A:\n  B: 1\n  B: 2\nC.D: 1\nC:\n  D: 2\nE.F: 1\nE:\n  F: '1'\n")
    assert [(finding.line, finding.message) for finding in yaml_checks.check_duplicates("x", document)] == [
        (3, "the key 'A.B' is there twice, first in line 2"),
        (6, "'C.D' is set twice, with another value, first in line 4"),
        (9, "'E.F' is set twice, with the same value, first in line 7"),
    ]


def renamed(path: str, text: str, profile: Profile, version: str) -> list[tuple[int, str]]:
    findings = yaml_checks.check_renamed(path, path, parse(text), profile, version)
    return [(finding.line, f"{finding.message}. {finding.fix}") for finding in findings]


def test_renamed_keys_forward(profile_12: Profile) -> None:
    text = (
        "BaseUrl: x\n"
        "Elasticsearch:\n"
        "  ExternalServer:\n"
        "    Url: x\n"
        "Data.FilesDirectory: x\n"
        "Connector: {AJP: {Port: 1}}\n"
    )
    assert sorted(renamed(IVY, text, profile_12, "12.0.9")) == [
        (
            4,
            "engine 12.0.9 does not read 'Elasticsearch.ExternalServer.Url'. "
            "Its name is 'SearchEngine.ExternalServer.Url'.",
        ),
        (5, "engine 12.0.9 does not read 'Data.FilesDirectory'. Its name is 'Data.Directory'."),
        (6, "engine 12.0.9 does not read 'Connector.AJP.Port'. AJP was removed; let the load balancer use HTTP."),
    ]


def test_renamed_keys_backward(profile_11: Profile) -> None:
    ((_line, text),) = renamed(IVY, "SearchEngine.ExternalServer.Url: x\n", profile_11, "11.3.0")
    assert "Its name is 'Elasticsearch.ExternalServer.Url'" in text
    assert renamed(IVY, "Elasticsearch.ExternalServer.Url: x\nElasticsearchX: 1\n", profile_11, "11.3.0") == []


def test_other_keys_of_a_renamed_section_are_warned_of(ranges: list[Profile]) -> None:
    text = (
        "Connector:\n  HTTPS:\n    Port: 8443\n    Ciphers: x\n    KeystoreFile: y\n    SslHostConfig:\n      A: z\n"
        "  HTTP.Port: 1\n"
    )
    new = resolve_profile(ranges, "14.0.0")
    (warning,) = yaml_checks.unlisted_keys(IVY, "ivy.yaml", parse(text), new)
    assert warning.startswith("ivy.yaml, line 4: 'Connector.HTTPS.Ciphers' may have no effect.")
    assert [line for line, _text in renamed(IVY, text, new, "14.0.0")] == [5]
    assert yaml_checks.unlisted_keys(APP, "app.yaml", parse(text), new) == []
    assert yaml_checks.unlisted_keys(IVY, "ivy.yaml", parse(text), resolve_profile(ranges, "13.2.0")) == []


def test_a_file_that_is_no_longer_read(profile_12: Profile) -> None:
    ((_line, text),) = renamed("configuration/ivy.webserver.yaml", "Connector.HTTP.Port: 1\n", profile_12, "12.0.9")
    assert "does not read this file. Move its keys to configuration/ivy.yaml" in text


def test_applications_have_keys_of_their_own(profile_12: Profile) -> None:
    assert renamed(APP, "Data.FilesDirectory: x\nSSO: y\n", profile_12, "12.0.9") == []


def clear(text: str, from_secrets: tuple[str, ...] = ()) -> list[tuple[int, str]]:
    findings = yaml_checks.check_clear_text("x", text, parse(text), from_secrets)
    return [(finding.line, finding.message) for finding in findings]


@pytest.mark.parametrize(
    "line",
    [
        "Password: s3cret", "Password: 12345", "A.apiKey: 'x'", 'Password: "${encrypt:s3cret}"',
        'Password: "${hash:s3cret}"', "A: {Token: x}", "client_secret: x", "KeystorePass: changeit",
    ],
)  # fmt: skip
def test_clear_text_is_found(line: str) -> None:
    ((number, problem),) = clear(f"Before: 1\n{line}\n")
    assert number == 2
    assert "in clear text" in problem
    assert "s3cret" not in problem


@pytest.mark.parametrize(
    "line",
    [
        "Password:", "Password: ''", "Token: true", 'Password: "${decrypt:abc}"', 'Password: "${ivy.var.X}"',
        "TokenUrl: https://x/", "PasswordPolicy: strict", "Password: s3cret  # Not a secret: a public demo",
    ],
)  # fmt: skip
def test_encrypted_and_templated_values_are_not_clear_text(line: str) -> None:
    assert clear(f"{line}\n") == []


def test_a_value_from_a_secret_is_not_clear_text() -> None:
    assert clear('Password: "${encrypt:x}"\n', ("Password",)) == []


def test_passwords_in_addresses() -> None:
    ((line, problem),) = clear("a: 1\nUrl: http://user:s3cret@host/\n")
    assert (line, "s3cret" in problem) == (2, False)
    assert clear("Url: http://user@host/\nOther: jdbc:x://h/d?user=a\n") == []
    assert clear('Url: "http://u:${decrypt:x}@h"\n') == []


def test_merge_keys_are_refused() -> None:
    text = "x: &x {a: 1}\nb:\n  <<: *x\nc:\n  <<: [*x]\n  d: 1\ne: {<<: {}}\nf: '<<'\ng: a<<b\n"
    findings = yaml_checks.check_merges("x", parse(text))
    assert [finding.message.partition(" ")[0] for finding in findings] == ["'b.<<'", "'c.<<'", "'e.<<'"]
    assert [finding.line for finding in findings][2] == 7
    assert yaml_checks.check_merges("x", parse("f: '<<'\na<<b: 1\n")) == []


def test_tags() -> None:
    (finding,) = yaml_checks.check_tags("x", parse("a: 1\nb: !vault |\n  abc\n"))
    assert finding.line == 2
    assert "ivy_shared_secrets" in finding.fix
