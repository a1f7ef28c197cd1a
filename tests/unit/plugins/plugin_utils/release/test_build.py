# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import typing as t

import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st

from ansible_collections.ivy.cluster.plugins.module_utils.node.files import manifest
from ansible_collections.ivy.cluster.plugins.module_utils.node.files.digest import canonical
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.findings import Finding, FindingsError
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.profiles import resolve_profile
from ansible_collections.ivy.cluster.plugins.plugin_utils.release import restart, secret_checks
from ansible_collections.ivy.cluster.plugins.plugin_utils.release.build import (
    BuiltRelease,
    JGroups,
    ReleaseInput,
    build_release,
    release_id,
)
from ansible_collections.ivy.cluster.plugins.plugin_utils.release.source import Source, SourceFile
from ansible_collections.ivy.cluster.tests import canaries

Profile = dict[str, t.Any]

HEADER = "# yaml-language-server: $schema=https://json-schema.axonivy.com/ivy/11.3.0/ivy.json\n"
APP_HEADER = "# yaml-language-server: $schema=https://json-schema.axonivy.com/app/0.0.1/app.json\n"
IVY = "configuration/ivy.yaml"
WEB = "configuration/ivy.webserver.yaml"
APP = "configuration/applications/demo/app.yaml"
KEY = "0123456789abcdef0123456789abcdef"
LICENCE = b"[Begin Licence]\nlicence.type=Enterprise Edition\nserver.nodes.limit=3\nlicence.valid.until=2030-01-01\n"
TOPOLOGY = {
    "database_url": "jdbc:postgresql://db:5432/AxonIvySystemDatabase",
    "database_user": "ivy",
    "database_driver": "org.postgresql.Driver",
    "database_password": 'canary "db" $x',
    "database_pool_size": 50,
    "search_url": "http://search:9200",
    "search_user": "",
    "search_password": "",
    "base_url": "https://ivy.example.com/",
    "http_port": 8080,
    "data_directory": "/srv/ivy/data",
    "app_directory": "",
}


def source(files: t.Mapping[str, str | bytes], encrypted: tuple[str, ...] = ()) -> Source:
    made = [
        SourceFile(path, data.encode() if isinstance(data, str) else data, path in encrypted)
        for path, data in sorted(files.items())
    ]
    return Source(tuple(made), (), ())


class Builder:
    """Builds releases that differ from a good one in what a test is about."""

    def __init__(self, profile: Profile) -> None:
        self.base = ReleaseInput(
            source=source({IVY: HEADER + "Administrators:\n  admin:\n    Email: a@example.com\n"}),
            topology=TOPOLOGY,
            shared={},
            secret={},
            nodes=("engine1", "engine2", "engine3"),
            cluster="demo",
            engine_version="11.3.0",
            profile=profile,
            cluster_key=KEY,
            today=datetime.date(2027, 1, 1),
            jgroups=JGroups("tcp", 7800, 7900, ("172.30.57.21", "172.30.57.22")),
        )

    def __call__(self, files: t.Mapping[str, str | bytes] | None = None, **changes: t.Any) -> BuiltRelease:
        if files is not None:
            changes["source"] = source(files, changes.pop("encrypted", ()))
        return build_release(dataclasses.replace(self.base, **changes))

    def problems(self, files: t.Mapping[str, str | bytes] | None = None, **changes: t.Any) -> list[str]:
        with pytest.raises(FindingsError) as caught:
            self(files, **changes)
        return [str(finding) for finding in caught.value.findings]


@pytest.fixture(scope="module")
def build(profile_11: Profile) -> Builder:
    return Builder(profile_11)


def entry(built: BuiltRelease, path: str, root: str = "engine") -> dict[str, t.Any]:
    (found,) = [item for item in built.manifest["entries"] if (item["root"], item["path"]) == (root, path)]
    return t.cast("dict[str, t.Any]", found)


def content(built: BuiltRelease, path: str, root: str = "engine") -> str:
    by_digest = {hashlib.sha256(blob).hexdigest(): blob for blob in built.blobs}
    return by_digest[entry(built, path, root)["sha256"]].decode()


def test_the_headers_of_the_single_sign_on_are_known(build: Builder) -> None:
    built = build(
        {IVY: HEADER + "SSO.UserHeader: X-Corp-User\n"},
        secret={"engine_keys": {"SecuritySystems.a.SSO.UserHeader": "X-KEY"}},
    )
    assert built.sso_headers == ("x-corp-user", "x-key")
    assert build().sso_headers == ()
    assert build(environments={"n1": {"IVY_SSO_USERHEADER": "X-Node"}, "n2": None}).sso_headers == ("x-node",)
    assert build({IVY: HEADER + "SSO.Enabled: true\n"}).sso_headers == ("x-forwarded-user",)
    context = {"configuration/context.xml": '<Context><Valve userNameHeader="X-Valve"/></Context>'}
    assert build(context).sso_headers == ("x-valve",)
    ports = {"Connector.AJP.Enabled": "true"}
    assert build(secret={"engine_keys": ports}).sso_headers == ()
    environments = {"n1": {"IVY_SSO_USERHEADER": "X-Node", "IVY_CONNECTOR_HTTPS_ENABLED": "true"}}
    of_keys, of_node = sorted(build.problems(secret={"engine_keys": ports}, environments=environments), reverse=True)
    assert of_keys.startswith("ivy_shared_secrets.engine_keys: 'Connector.AJP.Enabled' opens another port")
    assert of_node.startswith("engine_environment on n1: 'IVY_CONNECTOR_HTTPS_ENABLED' opens another port")
    (problem,) = build.problems({IVY: HEADER + "SSO.UserHeader: ${x}\n"})
    assert "'SSO.UserHeader' is not the name of a header" in problem


def test_the_whole_of_a_small_release(build: Builder) -> None:
    built = build()
    assert [(item["root"], item["path"], item["mode"]) for item in built.manifest["entries"]] == [
        ("engine", WEB, "0640"),
        ("engine", IVY, "0640"),
        ("engine", "configuration/jgroups.xml", "0640"),
        ("environment", "shared.env", "0600"),
    ]
    text = content(built, IVY)
    assert text.startswith(HEADER + "Administrators:\n  admin:\n    Email: a@example.com\n")
    assert yaml.safe_load(text) == {
        "Administrators": {"admin": {"Email": "a@example.com"}},
        "SystemDb": {
            "Url": TOPOLOGY["database_url"],
            "UserName": "ivy",
            "Driver": "org.postgresql.Driver",
            "MaxConnections": 50,
        },
        "Elasticsearch": {"ExternalServer": {"Url": "http://search:9200"}},
        "BaseUrl": "https://ivy.example.com/",
        "Data": {"FilesDirectory": "/srv/ivy/data"},
        "Boot": {"MaintenanceMode": "DISABLED"},
    }
    assert yaml.safe_load(content(built, WEB)) == {"Connector": {"HTTP": {"Port": 8080}}}
    assert content(built, "shared.env", "environment").splitlines()[1:] == [
        'IVY_SYSTEMDB_PASSWORD="canary \\"db\\" \\$x"'
    ]
    assert "172.30.57.21[7800],172.30.57.22[7800]" in content(built, "configuration/jgroups.xml")
    assert "canary" not in str(built.manifest)
    assert built.size == sum(len(blob) for blob in built.blobs)


def test_the_id_is_keyed_and_covers_everything(build: Builder) -> None:
    built = build()
    assert len(built.id) == 32
    assert built.id == release_id(built.manifest, restart.KeyedDigest(KEY)) == build().id
    other_ids = [
        build(cluster="other").id,
        build(engine_version="11.3.1").id,
        build(cluster_key=KEY[::-1]).id,
        build(topology={**TOPOLOGY, "database_password": "other"}).id,
        build({IVY: HEADER + "A: 1\n"}).id,
        build(jgroups=None).id,
    ]
    assert len({built.id, *other_ids}) == 7
    assert build(today=datetime.date(2028, 1, 1)).id == built.id


def test_the_order_of_the_input_does_not_count(build: Builder) -> None:
    first = build({IVY: HEADER, "dropins/a.jar": b"a", "dropins/b.jar": b"b"}, shared={"a": 1, "b": 2})
    turned = dataclasses.replace(
        build.base,
        source=Source(
            tuple(reversed(source({IVY: HEADER, "dropins/a.jar": b"a", "dropins/b.jar": b"b"}).files)), (), ()
        ),
        topology=dict(reversed(TOPOLOGY.items())),
        shared={"b": 2, "a": 1},
    )
    assert build_release(turned).id == first.id


def test_a_file_that_needs_nothing_is_taken_byte_for_byte(build: Builder) -> None:
    odd = f"{HEADER}# x\r\nA:   'b'   # c\r\n".encode()
    binary = bytes(range(256))
    built = build({IVY: odd, "dropins/é.jar": binary}, topology={}, profile={})
    assert entry(built, IVY)["sha256"] == hashlib.sha256(odd).hexdigest()
    jar = entry(built, "dropins/é.jar")
    assert (jar["sha256"], jar["kind"]) == (hashlib.sha256(binary).hexdigest(), "binary")


def test_a_source_without_ivy_yaml_gets_one_with_the_right_header(build: Builder) -> None:
    assert content(build({"dropins/a.jar": b"a"}), IVY).startswith(HEADER.replace("11.3.0", "11.3.9"))


def test_templates_values_and_secrets(build: Builder) -> None:
    built = build(
        {
            IVY + ".j2": f"{HEADER}EMail.Server:\n  Host: {{{{ shared.host }}}}\n"
            '  Password: "${encrypt:{{ secret.mail }}}"\n',
            APP + ".j2": APP_HEADER + "Variables:\n  a: {{ secret.mail | b64encode }}\n  b: plain\n",
            "configuration/other.properties.j2": "p={{ secret.mail }}\n",
            "configuration/plain.properties.j2": "p={{ shared.host }}\n",
        },
        shared={"host": "mail"},
        secret={"mail": "canary-1"},
    )
    ivy = entry(built, IVY)
    assert (ivy["secret"], ivy["secret_keys"], ivy["kind"]) == (True, ["EMail.Server.Password"], "yaml")
    assert yaml.safe_load(content(built, IVY))["EMail.Server"] == {"Host": "mail", "Password": "${encrypt:canary-1}"}
    assert entry(built, APP)["secret_keys"] == ["Variables.a"]
    assert entry(built, "configuration/other.properties")["secret"] is True
    assert entry(built, "configuration/plain.properties")["secret"] is False


def test_engine_keys_travel_as_variables_or_files(build: Builder) -> None:
    secret = {"engine_keys": {"EMail.Server.Password": "pw", "Administrators.my-admin.Password": "pw2"}}
    built = build(secret=secret)
    assert 'IVY_EMAIL_SERVER_PASSWORD="pw"\n' in content(built, "shared.env", "environment")
    file = entry(built, "ivy.Administrators.my-admin.Password", "secrets")
    assert (file["mode"], file["secret"]) == ("0440", True)
    assert content(built, "ivy.Administrators.my-admin.Password", "secrets") == "pw2"
    assert set(entry(built, "shared.env", "environment")["restart"]["keys"]) == {
        "IVY_EMAIL_SERVER_PASSWORD",
        "IVY_SYSTEMDB_PASSWORD",
    }


def test_templates_do_not_see_engine_keys(build: Builder) -> None:
    (problem,) = build.problems({IVY + ".j2": HEADER + "a: {{ secret.engine_keys }}\n"}, secret={"engine_keys": {}})
    assert "'secret.engine_keys' is not defined" in problem


def test_null_in_shared_values_and_secrets_is_a_finding_wherever_it_is(build: Builder) -> None:
    template = HEADER + "A: {{ shared.a }}\nB: {{ ('${encrypt:' ~ secret.b.c ~ '}') | to_json }}\n"
    problems = build.problems(
        {f"{IVY}.j2": template},
        shared={"a": None, "list": ["x", {"deep": None}], "empty": "", "zero": 0, "no": False, "none": []},
        secret={"b": {"c": None}, "unused": None, "engine_keys": {}},
    )
    assert [problem.split(". ")[0] for problem in problems] == [
        "ivy_shared_secrets.b.c has no value (null)",
        "ivy_shared_secrets.unused has no value (null)",
        "ivy_shared_values.a has no value (null)",
        "ivy_shared_values.list[1].deep has no value (null)",
        f"{IVY}.j2:2: the template uses a value that is null, and would write 'None'",
        f"{IVY}.j2:3: the template uses a value that is null, and would write 'None'",
    ]


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (["x"], "is not a dictionary"),
        ({"A.B": {"c": 1}}, "is not a single value"),
        ({"A.B": None}, "is not a single value"),
        ({"A..B": "x"}, "is not a key"),
        ({"": "x"}, "is not a key"),
        ({"A.B": "canary\nline"}, "line break"),
        ({"A.b-c/d": "canary"}, "can be neither a variable nor the name of a file"),
        ({"SystemDb.Password": "canary"}, "differs from the topology's value"),
        ({"Administrators.admin.Email": "canary"}, "handed to the engine as a secret too"),
    ],
)
def test_engine_keys_that_cannot_be(build: Builder, keys: t.Any, expected: str) -> None:
    (problem,) = build.problems(secret={"engine_keys": keys})
    assert expected in problem
    assert "canary" not in problem


def test_the_topology_and_the_source_agree_or_it_is_an_error(build: Builder) -> None:
    same = build({IVY: HEADER + f"SystemDb:\n  Url: '{TOPOLOGY['database_url']}'\n"})
    assert content(same, IVY).count("jdbc:") == 1
    (problem,) = build.problems({IVY: HEADER + "SystemDb:\n  Url: jdbc:other\n"})
    assert problem == (
        "configuration/ivy.yaml:3: 'SystemDb.Url' is set twice: the inventory's value for it is another one. "
        "Remove it here; the topology's options set it."
    )
    (problem,) = build.problems({IVY: HEADER + "Connector.HTTP.Port: 9090\n"})
    assert "'Connector.HTTP.Port' is set twice" in problem
    (problem,) = build.problems({IVY: HEADER + "systemdb.url: x\n"})
    assert "is spelled 'SystemDb.Url'" in problem


def test_a_section_with_a_value_cannot_take_keys(build: Builder) -> None:
    problems = build.problems({WEB: "- a\n", IVY: HEADER})
    assert "the inventory's settings cannot be added" in problems[0]
    assert "does not hold keys and values" in problems[1]


def test_a_password_in_the_file_is_clear_text_and_set_twice(build: Builder) -> None:
    problems = build.problems({IVY: HEADER + "SystemDb.Password: canary-1\n"})
    assert len(problems) == 2
    assert "clear text" in problems[0] + problems[1]
    assert "handed to the engine as a secret too" in problems[0] + problems[1]
    assert "canary" not in str(problems)


def test_the_maintenance_mode_of_the_source_counts(build: Builder) -> None:
    built = build({IVY: HEADER + "Boot:\n  MaintenanceMode: AUTO\n"})
    assert yaml.safe_load(content(built, IVY))["Boot"] == {"MaintenanceMode": "AUTO"}


def test_an_unknown_topology_value(build: Builder) -> None:
    (problem,) = build.problems(topology={**TOPOLOGY, "colour": "red"})
    assert "'colour' has no place" in problem


def test_own_jgroups_xml_takes_the_place(build: Builder) -> None:
    built = build({IVY: HEADER, "configuration/jgroups.xml": "<config/>"})
    assert content(built, "configuration/jgroups.xml") == "<config/>"


def test_all_findings_at_once(build: Builder) -> None:
    problems = build.problems(
        {
            IVY: "A: 1\nA: 2\nSearchEngine.X: 1\nX.Password: canary\n",
            APP: APP_HEADER + "a: [\n",
            "configuration/web.xml": "<a>",
            "configuration/x.json": "{",
            "configuration/y.yaml": b"a: \xff\n",
            "configuration/z.txt.j2": "{{ ansible_host }}",
            "configuration/bin.j2": b"\x00\xff",
            "configuration/twice.txt": "1",
            "configuration/twice.txt.j2": "2",
        },
        cluster_key="short",
    )
    assert [problem.split(". ")[0] for problem in problems] == [
        "ivy_cluster_key is shorter than 32 characters",
        "configuration/applications/demo/app.yaml:3: it is not YAML: while parsing a flow node "
        "expected the node content, but found '<stream end>'",
        "configuration/bin.j2: a template must be UTF-8 text",
        "configuration/ivy.yaml:2: the key 'A' is there twice, first in line 1",
        "configuration/ivy.yaml:3: engine 11.3.0 does not read 'SearchEngine.X'",
        "configuration/ivy.yaml:4: 'X.Password' holds a secret in clear text",
        "configuration/twice.txt.j2: there is configuration/twice.txt too",
        "configuration/web.xml:1: it is not well-formed XML: no element found (column 4)",
        "configuration/x.json:1: it is not JSON: Expecting property name enclosed in double quotes (column 2)",
        "configuration/y.yaml:1: it is not UTF-8",
        "configuration/z.txt.j2:1: 'ansible_host' is not known in a template",
    ]


def test_what_was_known_before_is_reported_too(build: Builder) -> None:
    with pytest.raises(FindingsError) as caught:
        build_release(build.base, [Finding.in_file("", 0, "known", "x")])
    assert [finding.message for finding in caught.value.findings] == ["known"]


def test_other_yaml_files_need_no_header_and_may_have_several_documents(build: Builder) -> None:
    built = build({IVY: HEADER, "configuration/a.yaml": "a: 1\n---\nb: 2\n", "configuration/b.yml": "- 1\n- 2\n"})
    assert entry(built, "configuration/a.yaml")["kind"] == "text"
    assert entry(built, "configuration/b.yml")["kind"] == "yaml"
    (problem,) = build.problems({IVY: HEADER, APP: APP_HEADER + "a: 1\n---\nb: 2\n"})
    assert "second document" in problem


def test_files_of_the_vault_are_secret_and_may_hold_clear_text(build: Builder) -> None:
    built = build({IVY: HEADER, APP: APP_HEADER + "X:\n  Password: canary\n"}, encrypted=(APP,))
    assert entry(built, APP)["secret"] is True
    assert entry(built, APP)["secret_keys"] == ["X.Password"]


@pytest.mark.parametrize("kind", canaries.CERTAIN)
def test_a_secret_in_clear_text_in_any_file_is_refused(build: Builder, kind: str) -> None:
    text = canaries.CERTAIN[kind].format("cAnary7f3aB")
    yaml_text = "Note: |\n  " + text.replace("\n", "\n  ") + "\n"
    files: dict[str, str | bytes] = {
        "configuration/a.properties": f"{text}\n",
        "configuration/a.txt.j2": f"{text.replace('{', '[').replace('}', ']')}\n",
        "configuration/utf-16.txt": f"{text}\n".encode("utf-16"),
        "configuration/latin.txt": f"é {text}\n".encode("latin-1"),
        "configuration/other.yaml": yaml_text,
    }
    problems = build.problems({IVY: HEADER, **files})
    for name in files:
        assert any(problem.startswith(f"{name}:") and "in clear text" in problem for problem in problems), (
            name,
            problems,
        )
    assert "cAnary" not in str(problems)
    build({IVY: HEADER, **{name: data for name, data in files.items() if ".j2" not in name}}, encrypted=tuple(files))


def test_a_secret_by_its_form_in_the_engines_own_files(build: Builder) -> None:
    key = "-----BEGIN PRIVATE KEY-----\n  cAnary\n  -----END PRIVATE KEY-----"
    problems = build.problems({IVY: HEADER + f"A: https://h/x?sig=cAnary1234\nB: |\n  {key}\nLdap.BindPw: cAnary\n"})
    assert [problem.split(". ")[0].split(": ", 1)[1] for problem in problems] == [
        "'A' holds a secret in clear text",
        "'B' holds a private key in clear text",
        "'Ldap.BindPw' holds a secret in clear text",
    ]


def test_key_stores_come_from_the_vault(build: Builder) -> None:
    store = {"configuration/x.p12": b"\x30\x82\x0a\x1b\x02\x01\x03\x30\x82"}
    assert "ansible-vault encrypt" in build.problems({IVY: HEADER, **store})[0]
    assert entry(build({IVY: HEADER, **store}, encrypted=tuple(store)), "configuration/x.p12")["secret"]


def test_the_licence(build: Builder) -> None:
    built = build(licence=("demo.lic", LICENCE))
    item = entry(built, "configuration/demo.lic")
    assert (item["secret"], item["sha256"]) == (True, hashlib.sha256(LICENCE).hexdigest())
    assert built.warnings == ()
    assert entry(build({IVY: HEADER, "configuration/own.lic": LICENCE}), "configuration/own.lic")["secret"] is True


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"licence": ("demo.lic", LICENCE), "nodes": tuple("abcd")}, "for 3 nodes, the group engine_nodes has 4"),
        ({"licence": ("demo.lic", LICENCE), "today": datetime.date(2031, 1, 1)}, "ended on 2030-01-01"),
        ({"licence": ("demo.lic", LICENCE + b"public.urls=other.example.com\n")}, "'ivy.example.com' is not among"),
        ({"licence": ("demo.lic", b"hello")}, "is not a licence"),
        ({"licence": ("demo.txt", LICENCE)}, "ending in .lic only"),
        ({"licence": (".demo.lic", LICENCE)}, "begins with a dot"),
        ({"licence": ("demo.lic", LICENCE), "files": {IVY: HEADER, "configuration/b.lic": LICENCE}}, "names one too"),
        (
            {"files": {IVY: HEADER, "configuration/a.lic": LICENCE, "configuration/b.lic": LICENCE}},
            "there are 2 licences",
        ),
    ],
)
def test_licences_that_do_not_fit(build: Builder, changes: dict[str, t.Any], expected: str) -> None:
    (problem,) = build.problems(changes.pop("files", None), **dict(changes))
    assert expected in problem


def test_a_licence_that_ends_soon_is_a_warning(build: Builder) -> None:
    (warning,) = build(licence=("demo.lic", LICENCE), today=datetime.date(2029, 12, 25)).warnings
    assert "2030-01-01, in 7 days" in warning


def test_read_only_files_belong_to_nobody_who_could_write_them(build: Builder) -> None:
    built = build(read_only=True, read_only_copy="work/configuration")
    assert built.manifest["read_only"] == {"copy": "work/configuration"}
    assert {item["mode"] for item in built.manifest["entries"] if item["root"] == "engine"} == {"0440"}
    # The engine works on a copy, so even a key that is reloaded otherwise needs a restart.
    assert "BaseUrl" in entry(built, IVY)["restart"]["keys"]
    assert "BaseUrl" not in entry(build(), IVY)["restart"]["keys"]
    assert "read_only" not in build().manifest
    assert built.id != build().id
    assert not built.warnings
    parsed = manifest.parse(canonical(built.manifest), "here")
    assert (parsed.read_only, parsed.copy) == (True, "work/configuration")
    parsed = manifest.parse(canonical(build().manifest), "here")
    assert (parsed.read_only, parsed.copy) == (False, "")


@pytest.mark.parametrize("macro", ["encrypt", "hash"])
def test_what_the_engine_would_encrypt_stays_readable_in_read_only_files(build: Builder, macro: str) -> None:
    value = "${" + macro + ":{{ secret.mail }}}"
    files = {f"{IVY}.j2": HEADER + f'EMail:\n  Server:\n    Password: "{value}"\n'}
    assert not build(files, secret={"mail": "canary"}).warnings
    (warning,) = build(files, secret={"mail": "canary"}, read_only=True).warnings
    assert "ivy.yaml.j2, line 4: " in warning
    assert "clear text" in warning
    assert "canary" not in warning


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"engine_version": "11.2.0"}, "engine 11.2.0 knows no read-only configuration"),
        ({"read_only_copy": "../elsewhere"}, "is not a relative path"),
        ({"read_only_copy": "/tmp/x"}, "is not a relative path"),
    ],
)
def test_read_only_files_where_they_cannot_be(build: Builder, changes: dict[str, t.Any], expected: str) -> None:
    profile = {**build.base.profile, "read_only_config": changes.get("engine_version") != "11.2.0"}
    problems = build.problems(read_only=True, profile=profile, **changes)
    assert any(expected in problem for problem in problems)


def test_a_later_range_places_into_one_file(ranges: list[Profile]) -> None:
    build = Builder(resolve_profile(ranges, "12.0.9"))
    files = {IVY: HEADER.replace("11.3.0", "12.0.9")}
    built = build(files, engine_version="12.0.9", topology={**TOPOLOGY, "app_directory": "/srv/ivy/applications"})
    tree = yaml.safe_load(content(built, IVY))
    assert tree["Connector"] == {"HTTP": {"Port": 8080}}
    assert tree["SearchEngine"] == {"ExternalServer": {"Url": "http://search:9200"}}
    assert tree["Data"] == {"Directory": "/srv/ivy/data", "AppDirectory": "/srv/ivy/applications"}
    assert all(item["path"] != WEB for item in built.manifest["entries"])


def test_a_secret_that_became_a_key_is_scrubbed(build: Builder) -> None:
    template = HEADER + "{{ secret.x }}: 1\n{{ secret.x }}: 2\n"
    (problem,) = build.problems({IVY + ".j2": template}, secret={"x": "canary"})
    assert "the key '********' is there twice" in problem


def test_a_message_never_quotes_a_secret(build: Builder) -> None:
    problems = build.problems(
        {IVY + ".j2": HEADER + 'A: "{{ secret.x }}\nB: {{ secret.x }}: {{ secret.x }}\n'}, secret={"x": "canary\n'\"@"}
    )
    assert "canary" not in str(problems)


@given(
    st.dictionaries(
        st.from_regex(r"(?:dropins|patches)/[a-zé]{1,4}(?:/[a-z]{1,3}){0,3}\.(?:jar|txt)", fullmatch=True),
        st.binary(max_size=40),
        max_size=6,
    )
)
def test_any_file_comes_out_as_it_went_in(profile_11: Profile, files: dict[str, bytes]) -> None:
    # What is refused has tests of its own.
    assume(not any(secret_checks.is_key_store(path, data) for path, data in files.items()))
    assume(not any(secret_checks.check_text(path, data.decode("latin-1")) for path, data in files.items()))
    built = Builder(profile_11)({IVY: HEADER, **files})
    by_digest = {hashlib.sha256(blob).hexdigest(): blob for blob in built.blobs}
    for path, data in files.items():
        assert by_digest[entry(built, path)["sha256"]] == data
        assert entry(built, path)["size"] == len(data)
