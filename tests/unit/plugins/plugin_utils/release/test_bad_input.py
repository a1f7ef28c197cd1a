# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All problems of a source are reported at once, and a valid source gives the same release everywhere."""

from __future__ import annotations

import datetime
import json
import os
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest

from ansible_collections.ivy.cluster.plugins.plugin_utils.common.findings import FindingsError
from ansible_collections.ivy.cluster.plugins.plugin_utils.release import file_checks, node_values
from ansible_collections.ivy.cluster.plugins.plugin_utils.release.build import (
    JGroups,
    ReleaseInput,
    build_release,
)
from ansible_collections.ivy.cluster.plugins.plugin_utils.release.source import Source, read_source

ROOT = Path(__file__).resolve().parents[5]
HEADER = "# yaml-language-server: $schema=https://json-schema.axonivy.com/ivy/11.3.0/ivy.json\n"
APP_HEADER = "# yaml-language-server: $schema=https://json-schema.axonivy.com/app/0.0.1/app.json\n"
LICENCE = (
    b"[Begin Licence]\nlicence.type=Enterprise Edition\nserver.nodes.limit=2\nlicence.valid.until=2026-01-01\n"
    b"public.urls=other.example.com\n"
)
APPS = "configuration/applications"


def put(source: Path, files: dict[str, str | bytes]) -> Path:
    for name, data in files.items():
        path = source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.encode() if isinstance(data, str) else data)
    return source


def given(source: Source, profile: dict[str, t.Any], **changes: t.Any) -> ReleaseInput:
    values: dict[str, t.Any] = {
        "source": source,
        "topology": {"database_url": "jdbc:postgresql://db/x", "base_url": "https://ivy.example.com/"},
        "shared": {"host": "mail"},
        "secret": {"mail": "canary-mail"},
        "nodes": ("engine1", "engine2", "engine3"),
        "cluster": "demo",
        "engine_version": "11.3.0",
        "profile": profile,
        "cluster_key": "0123456789abcdef" * 2,
        "today": datetime.date(2027, 1, 1),
        "jgroups": JGroups("tcp", 7800, 7900, ("192.0.2.1",)),
    }
    return ReleaseInput(**{**values, **changes})


def problems(source: Source, profile: dict[str, t.Any], **changes: t.Any) -> list[tuple[str, int, str]]:
    with pytest.raises(FindingsError) as caught:
        build_release(given(source, profile), changes.pop("known", ()))
    assert all(finding.fix.endswith((".", "?")) for finding in caught.value.findings)
    assert "canary" not in str(caught.value)
    return [(finding.file, finding.line, finding.message) for finding in caught.value.findings]


def test_all_kinds_of_faults_are_in_one_message(tmp_path: Path, profile_11: dict[str, t.Any]) -> None:
    source = put(
        tmp_path / "source",
        {
            "configuration/ivy.yaml": HEADER
            + "SystemDb:\n  Url: jdbc:postgresql://elsewhere/x\nA: 1\nA: 2\nSearchEngine.X: 1\nMail.Password: canary\n",
            f"{APPS}/broken/app.yaml": APP_HEADER + "a: [\n",
            f"{APPS}/headless/app.yaml": "# ours\n" + APP_HEADER + "a: 1\n",
            f"{APPS}/wrong/app.yaml": "# yaml-language-server: $schema=https://example.com/x.json\na: 1\n",
            f"{APPS}/latin/app.yaml": b"a: \xe4\n",
            f"{APPS}/names/app.yaml.j2": APP_HEADER
            + "a: {{ shared.hots }}\nb: {{ ansible_facts.x }}\nc: {{ lookup('env', 'HOME') }}\n"
            "d: {{ inventory_hostname }}\ne: {{ [1] | map('string') }}\n",
            "configuration/web.xml": "<a>\n<b></a>",
            "configuration/entity.xml": '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/shadow">]><a>&x;</a>',
            "configuration/misspelled.xml": '<?xml version="1.0" encoding="UFT-8"?><a/>',
            "configuration/chinese.xml": '<?xml version="1.0" encoding="GB2312"?><a/>',
            "configuration/variables.json": '{"a": 1,\n "a": 2}',
            "configuration/own.lic": LICENCE,
            "configuration/...j2": "x",
            "configuration/place.j2": "x",
            "configuration/place/inner.txt": "x",
            "configuration/jvm.options": "-Xmx1g",
            "elsewhere/file": "x",
        },
    )
    (source / "configuration/link").symlink_to("/etc/passwd")
    os.mkfifo(source / "configuration/pipe")
    (source / os.fsdecode(b"configuration/\xff.txt")).write_bytes(b"x")
    shared, known = node_values.compare_nodes(
        "ivy_shared_values", {"engine1": {"host": "a"}, "engine2": {"host": "b"}}, secret=False
    )
    secret, more = node_values.compare_nodes(
        "ivy_shared_secrets", {"engine1": {"mail": "canary1"}, "engine2": {"mail": "canary2"}}, secret=True
    )
    assert (shared, secret) == ({"host": "a"}, {"mail": "canary1"})

    reported = problems(read_source(source), profile_11, known=[*known, *more])

    ivy, lic = "configuration/ivy.yaml", "configuration/own.lic"
    expected = [
        ("", 0, "ivy_shared_values.host is not the same on every node"),
        ("", 0, "ivy_shared_secrets.mail is not the same on every node"),
        ("configuration/...j2", 0, "on a node its name would be none"),
        (f"{APPS}/broken/app.yaml", 3, "it is not YAML"),
        (f"{APPS}/headless/app.yaml", 2, "the schema header is not the first line"),
        (f"{APPS}/wrong/app.yaml", 1, ""),
        (f"{APPS}/latin/app.yaml", 1, "it is not UTF-8"),
        (f"{APPS}/names/app.yaml.j2", 2, "'shared.hots' is not defined"),
        (f"{APPS}/names/app.yaml.j2", 3, "'ansible_facts' is not known"),
        (f"{APPS}/names/app.yaml.j2", 4, "'lookup' is not known"),
        (f"{APPS}/names/app.yaml.j2", 5, "'inventory_hostname' is not known"),
        (f"{APPS}/names/app.yaml.j2", 6, "the template writes a 'generator'"),
        ("configuration/chinese.xml", 1, "it declares the encoding 'GB2312'"),
        ("configuration/misspelled.xml", 1, "it declares the encoding 'UFT-8'"),
        ("configuration/entity.xml", 1, "it has a document type"),
        (ivy, 3, "'SystemDb.Url'"),
        (ivy, 5, "the key 'A' is there twice"),
        (ivy, 6, "engine 11.3.0 does not read 'SearchEngine.X'"),
        (ivy, 7, "'Mail.Password' holds a secret in clear text"),
        ("configuration/jvm.options", 0, "it is a node file"),
        ("configuration/link", 0, "it is a symbolic link to /etc/passwd"),
        (lic, 0, "the licence is for 2 nodes"),
        (lic, 0, "the licence ended"),
        (lic, 0, "is not among the licence's public URLs"),
        ("configuration/pipe", 0, "it is neither a file nor a directory"),
        ("configuration/place.j2", 0, "configuration/place/inner.txt needs a directory"),
        ("configuration/variables.json", 0, "the key 'a' is there twice"),
        ("configuration/web.xml", 2, "it is not well-formed XML"),
        ("elsewhere/file", 0, "it lies outside the managed directories"),
    ]
    left = list(reported)
    for file, line, text in expected:
        match = next((one for one in left if one[:2] == (file, line) and text in one[2]), None)
        assert match, f"{file}:{line}: {text} is not among:\n" + "\n".join(map(str, reported))
        left.remove(match)
    assert [problem for _file, _line, problem in left] == ["its name is not UTF-8"]


@pytest.mark.parametrize("name", ["configuration/ivy.yaml", f"{APPS}/demo/app.yaml", "configuration/other.yaml"])
def test_a_tab_is_the_same_problem_in_every_file(tmp_path: Path, profile_11: dict[str, t.Any], name: str) -> None:
    header = APP_HEADER if name.endswith("app.yaml") else HEADER
    source = put(tmp_path, {"configuration/ivy.yaml": HEADER, name: f"{header}A:\n  B: 1\n  C:\t2  # note\n"})
    assert problems(read_source(source), profile_11) == [(name, 4, "it is not YAML: a tab; use spaces")]


def test_line_breaks_that_cannot_be_edited_are_named_and_no_section_is_blamed(
    tmp_path: Path, profile_11: dict[str, t.Any]
) -> None:
    source = put(tmp_path, {"configuration/ivy.yaml": HEADER + "A: 1\x85B: 2\n"})
    ((file, line, problem),) = problems(read_source(source), profile_11)
    assert (file, line) == ("configuration/ivy.yaml", 1)
    assert problem == "the inventory's settings cannot be added: it holds line breaks of several kinds"


def test_an_error_while_one_file_is_checked_hides_no_other_finding(
    tmp_path: Path, profile_11: dict[str, t.Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_path: str, _data: bytes) -> t.NoReturn:
        raise LookupError("canary")

    monkeypatch.setattr(file_checks, "check_xml", fails)
    source = put(tmp_path, {"configuration/ivy.yaml": "A: [1\n", "configuration/a.xml": "<a/>"})
    assert [problem[:2] for problem in problems(read_source(source), profile_11)] == [
        ("configuration/a.xml", 0),
        ("configuration/ivy.yaml", 2),
    ]


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("configuration/.j2", "on a node its name would be none"),
        ("configuration/a/..j2", "on a node its name would be none"),
        ("configuration/.ivy-cluster-0.tmp.j2", "on a node its name would be none"),
    ],
)
def test_names_that_only_a_template_can_have(
    tmp_path: Path, profile_11: dict[str, t.Any], name: str, problem: str
) -> None:
    source = put(tmp_path / "source", {"configuration/ivy.yaml": HEADER, name: "x"})
    ((file, line, reported),) = problems(read_source(source), profile_11)
    assert (file, line) == (name, 0)
    assert problem in reported


def test_a_file_in_the_place_of_one_that_the_topology_makes(tmp_path: Path, profile_11: dict[str, t.Any]) -> None:
    source = put(tmp_path / "source", {"configuration/ivy.yaml/inner.txt": "x"})
    assert ("configuration/ivy.yaml", 0, "configuration/ivy.yaml/inner.txt needs a directory in its place") in problems(
        read_source(source), profile_11
    )


def test_a_source_without_end(tmp_path: Path, profile_11: dict[str, t.Any]) -> None:
    source = put(tmp_path / "source", {"configuration/ivy.yaml": HEADER, "configuration/" + "d/" * 120 + "x": "x"})
    ((_file, _line, reported),) = problems(read_source(source), profile_11)
    assert "nested more than" in reported


def test_a_missing_and_an_empty_source(tmp_path: Path, profile_11: dict[str, t.Any]) -> None:
    assert problems(read_source(tmp_path / "none"), profile_11)[0][2] == "the source does not exist"
    (tmp_path / "empty").mkdir()
    assert problems(read_source(tmp_path / "empty"), profile_11)[0][2] == "the source has no files"
    (tmp_path / "file").write_bytes(b"")
    assert problems(read_source(tmp_path / "file"), profile_11)[0][2] == "the source is not a directory"


BUILDER = """
import datetime, hashlib, json, os, sys
import yaml
from ansible_collections.ivy.cluster.plugins.module_utils.node.files.digest import canonical
from ansible_collections.ivy.cluster.plugins.plugin_utils.release import build, cache, source
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.profiles import resolve_profile
os.umask(int(sys.argv[3], 8))
with open(sys.argv[2], encoding="utf-8") as stream:
    profile = resolve_profile(yaml.safe_load(stream)["ivy_profiles"], "11.3.0")
values = json.loads(sys.argv[4])
built = build.build_release(build.ReleaseInput(
    source=source.read_source(sys.argv[1]), topology=values["topology"], shared=values["shared"],
    secret=values["secret"], nodes=("n1", "n2"), cluster="demo", engine_version="11.3.0", profile=profile,
    cluster_key="k" * 32, today=datetime.date.fromisoformat(values["today"]),
    jgroups=build.JGroups("tcp", 7800, 7900, ("192.0.2.1", "192.0.2.2"))))
path = cache.write_release(os.path.expanduser("~/cache"), built.manifest, built.blobs)
print(built.id, hashlib.sha256(path.read_bytes()).hexdigest())
"""


def turned(value: t.Any, order: int) -> t.Any:
    """The same mapping with its keys in another order, all the way down."""
    if not isinstance(value, dict):
        return value
    return {key: turned(item, order) for key, item in list(value.items())[::order]}


def test_two_controllers_build_the_same_release(tmp_path: Path) -> None:
    """Whatever differs between two machines: home, locale, time zone, umask, hash seed, times and order of files."""
    files: dict[str, str | bytes] = {
        "configuration/ivy.yaml.j2": HEADER
        + "Z: {{ shared.z }}\nA: {{ shared.names | unique | join(',') }}\nB: '${encrypt:{{ secret.mail }}}'\n"
        "{% for key, value in shared.more | dictsort %}C{{ key }}: {{ value | to_json }}\n{% endfor %}",
        f"{APPS}/démo/app.yaml": APP_HEADER + "Variables:\n  Größe: 1\n",
        "configuration/漢字/x.xml": "<a/>",
        "dropins/lib.jar": bytes(range(256)),
        "patches/empty.jar": b"",
    }
    topology = {"database_url": "jdbc:x", "database_password": "p w", "base_url": "https://ivy.example.com/"}
    shared = {"z": 1, "names": ["b", "a", "c", "b"], "more": {"x": {"q": 1, "p": 2}, "y": ["ü"]}}
    secret = {"mail": "geheim ü", "engine_keys": {"EMail.Server.Password": "a", "A-B.Password": "b"}}
    made = []
    for number, (order, locale, zone, umask, seed, today) in enumerate(
        [
            (1, "C.UTF-8", "UTC", "022", "1", "2026-01-01"),
            (-1, "C", "Asia/Kolkata", "077", "2", "2026-06-01"),
            (1, "POSIX", "America/New_York", "000", "12345", "2027-02-03"),
        ]
    ):
        home = tmp_path / f"home{number}"
        source = put(home / "source", dict(list(files.items())[::order]))
        for path in source.rglob("*"):
            os.utime(path, (10**8 * number, 10**8 * number))
            path.chmod(0o755 if number else 0o700)
        values = {
            "topology": dict(list(topology.items())[::order]),
            "shared": turned(shared, order),
            "secret": dict(list(secret.items())[::order]),
            "today": today,
        }
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "LC_ALL": locale,
            "TZ": zone,
            "PYTHONHASHSEED": seed,
            "PYTHONPATH": str(ROOT / "collections"),
        }
        arguments = [str(source), str(ROOT / "roles/topology/vars/main/profiles.yml"), umask]
        command = [sys.executable, "-B", "-c", BUILDER, *arguments, json.dumps(values)]
        run = subprocess.run(command, env=environment, cwd=home, capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stderr
        made.append(run.stdout)
        for path in (home / "cache").rglob("*"):
            assert path.stat().st_mode & 0o077 == 0, path
    assert len(set(made)) == 1, made


def test_another_cluster_key_marks_the_release(tmp_path: Path, profile_11: dict[str, t.Any]) -> None:
    source = read_source(put(tmp_path / "source", {"configuration/ivy.yaml": HEADER}))
    marks = [str(build_release(given(source, profile_11, cluster_key=letter * 32)).manifest["key"]) for letter in "aab"]
    assert marks[0] == marks[1] != marks[2]
    assert all(len(mark) == 16 for mark in marks)
