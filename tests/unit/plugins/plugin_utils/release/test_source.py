# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import re
import typing as t
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ivy.cluster.plugins.plugin_utils.release import source as source_tree
from ansible_collections.ivy.cluster.plugins.plugin_utils.release.source import (
    DecryptError,
    node_path_problem,
    place_problem,
    read_source,
)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "configuration").mkdir()
    (tmp_path / "configuration/ivy.yaml").write_bytes(b"a: 1\n")
    return tmp_path


def put(source: Path, name: str, data: bytes = b"x") -> None:
    path = source / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def paths(source: Path) -> list[str]:
    return [file.path for file in read_source(source).files]


def problem(source: Path) -> str:
    (finding,) = read_source(source).findings
    return f"{finding.file}: {finding.message}"


def test_any_file_at_any_depth_in_a_fixed_order(source: Path) -> None:
    put(source, "dropins/lib.jar", bytes(range(256)))
    put(source, "configuration/applications/démo/Variables/a/b/c/d/e/f.json", b"{}")
    put(source, "patches/漢字.jar")
    put(source, "configuration/empty", b"")
    put(source, "configuration/ivy.YAML")
    read = read_source(source)
    assert read.findings == ()
    assert [file.path for file in read.files] == [
        "configuration/applications/démo/Variables/a/b/c/d/e/f.json",
        "configuration/empty",
        "configuration/ivy.YAML",
        "configuration/ivy.yaml",
        "dropins/lib.jar",
        "patches/漢字.jar",
    ]
    assert read.files[4].data == bytes(range(256))


def test_names_are_composed(source: Path) -> None:
    decomposed = unicodedata.normalize("NFD", "configuration/é.txt")
    put(source, decomposed)
    assert paths(source) == ["configuration/ivy.yaml", "configuration/é.txt"]
    assert [file.on_disk for file in read_source(source).files] == ["configuration/ivy.yaml", decomposed]
    put(source, "configuration/é.txt")
    assert "spelled with other Unicode characters" in problem(source)


@pytest.mark.parametrize(
    "name", [".gitkeep", ".gitignore", ".gitattributes", ".editorconfig", ".DS_Store", ".ds_store"]
)
def test_files_of_the_repository_are_not_taken(source: Path, name: str) -> None:
    put(source, f"configuration/{name}")
    put(source, "README.md")
    put(source, ".git/config")
    read = read_source(source)
    assert (paths(source), read.warnings, read.findings) == (["configuration/ivy.yaml"], (), ())


def test_a_source_in_a_worktree(source: Path) -> None:
    put(source, ".git", b"gitdir: /somewhere/.git/worktrees/x")
    assert paths(source) == ["configuration/ivy.yaml"]
    assert read_source(source).findings == ()


@pytest.mark.parametrize(
    "name",
    [
        "ivy.yaml~",
        ".ivy.yaml.swp",
        "#ivy.yaml#",
        "ivy.yaml.orig",
        "ivy.yaml.bak",
        ".#ivy.yaml",
        "._ivy.yaml",
        "._a.jar",
    ],
)
def test_leftovers_of_editors_are_not_taken_and_named(source: Path, name: str) -> None:
    put(source, f"configuration/{name}")
    read = read_source(source)
    assert paths(source) == ["configuration/ivy.yaml"]
    assert name in read.warnings[0]


@pytest.mark.parametrize(
    "name",
    [
        "webapps/ivy/error-404.xhtml",
        "webapps/ivy/error-500.xhtml.j2",
        "system/lib/agent/opentelemetry-javaagent.jar",
    ],
)
def test_error_pages_and_agents_are_taken(source: Path, name: str) -> None:
    put(source, name)
    assert name in paths(source)
    assert place_problem(name) is None
    assert node_path_problem(name) is None


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("bin/AxonIvyEngine", "outside the managed directories"),
        ("ivy.yaml", "outside the managed directories"),
        ("data/x", "outside the managed directories"),
        ("webapps/ivy/index.xhtml", "outside the managed directories"),
        ("webapps/ivy/error-404.xhtml.bak.j2", "outside the managed directories"),
        ("webapps/ivy/error-404/x.xhtml", "outside the managed directories"),
        ("webapps/other/error-404.xhtml", "outside the managed directories"),
        ("webapps/ivy/a/error-404.xhtml", "outside the managed directories"),
        ("system/lib/agent/a/b.jar", "outside the managed directories"),
        ("system/lib/agent/agent.properties", "outside the managed directories"),
        ("system/lib/ivy.jar", "outside the managed directories"),
        ("system/lib/agent/.hidden.jar", "begins with a dot"),
        ("configuration/reference/ivy.yaml", "belongs to the vendor"),
        ("configuration/templates/x.yaml", "belongs to the vendor"),
        ("configuration/jvm.options", "node file"),
        ("configuration/jvm.options.j2", "node file"),
        ("configuration/a\nb", "control character"),
        ("configuration/a\\b", "backslash"),
        ("configuration/.hidden", "begins with a dot"),
        ("configuration/.gitconfig.j2", "begins with a dot"),
        ("configuration/.git/config", "begins with a dot"),
        ("configuration/.GIT/config", "begins with a dot"),
        ("configuration/.git.j2/config", "begins with a dot"),
        ("configuration/a/.vscode/tasks.json", "begins with a dot"),
        (".vscode/tasks.json", "begins with a dot"),
        ("configuration/\u200c.git/config", "begins with a dot"),
        ("configuration/.g\u200cit/config", "begins with a dot"),
        ("configuration/HEAD", "for a repository"),
        ("configuration/a/head.j2", "for a repository"),
        ("configuration/HEA\u200dD", "for a repository"),
    ],
)
def test_places_that_are_refused(source: Path, name: str, expected: str) -> None:
    put(source, name)
    assert expected in problem(source)
    assert "\n" not in problem(source)


def test_a_name_that_is_not_utf_8(source: Path) -> None:
    descriptor = os.open(os.fsencode(source) + b"/configuration/\xff", os.O_CREAT | os.O_WRONLY)
    os.close(descriptor)
    assert "is not UTF-8" in problem(source)


def test_links_are_refused_wherever_they_lead(source: Path) -> None:
    (source / "configuration/file").symlink_to("/etc/passwd")
    (source / "configuration/inside").symlink_to("ivy.yaml")
    (source / "configuration/directory").symlink_to("/etc")
    (source / "configuration/broken").symlink_to("nowhere")
    findings = read_source(source).findings
    assert sorted(finding.file.rsplit("/", 1)[1] for finding in findings) == ["broken", "directory", "file", "inside"]
    assert all("symbolic link" in finding.message for finding in findings)
    assert paths(source) == ["configuration/ivy.yaml"]


def test_the_source_itself_may_be_reached_by_a_link(source: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    link = tmp_path_factory.mktemp("x") / "link"
    link.symlink_to(source)
    assert paths(link) == ["configuration/ivy.yaml"]


def test_special_files_are_reported(source: Path) -> None:
    os.mkfifo(source / "configuration/pipe")
    assert "neither a file nor a directory" in problem(source)


@pytest.mark.parametrize(
    ("prepare", "expected"),
    [
        (lambda path: None, "does not exist"),
        (lambda path: path.write_text("x"), "is not a directory"),
        (lambda path: path.mkdir(), "has no files"),
        (lambda path: (path / "configuration").mkdir(parents=True), "has no files"),
    ],
)
def test_a_source_that_is_not_there_or_empty(
    tmp_path: Path, prepare: t.Callable[[Path], object], expected: str
) -> None:
    prepare(tmp_path / "source")
    assert expected in problem(tmp_path / "source")


def test_files_of_the_vault_are_decrypted(source: Path) -> None:
    put(source, "configuration/keystore.p12", b"$ANSIBLE_VAULT;1.1;AES256\n6162\n")
    read = read_source(source, lambda data: b"decrypted " + data[:6])
    encrypted = next(file for file in read.files if file.path.endswith(".p12"))
    assert (encrypted.data, encrypted.was_encrypted) == (b"decrypted $ANSIB", True)
    assert "cannot be decrypted" in problem(source)

    def fail(_data: bytes) -> bytes:
        raise DecryptError("wrong password")

    (finding,) = read_source(source, fail).findings
    assert "wrong password" in finding.message


def test_without_templates(source: Path) -> None:
    put(source, "configuration/app.yaml.j2")
    assert len(read_source(source).files) == 2
    assert [file.path for file in read_source(source).without_templates().files] == ["configuration/ivy.yaml"]


@pytest.mark.parametrize(
    "path",
    [
        "configuration/.git/config",
        "configuration/x/.Git/config",
        "configuration/.git",
        "dropins/.envrc",
        "configuration/.j2",
        "configuration/a/.gitattributes.j2",
        "configuration/\u200d\ufeff.git/hooks/post-checkout",
        "configuration/..",
        "configuration/../../.bashrc",
        "/etc/cron.d/x",
        "configuration//x",
        "configuration/",
        "configuration",
        "",
        "configuration/a\0b",
        "configuration/\udcff",
        "configuration/HEAD",
        "configuration/" + "x" * 256,
        "configuration/" + "x/" * 600 + "x",
        # What the source itself leaves out would be reported as drift for ever.
        "configuration/ivy.yaml~",
        "configuration/.ivy.yaml.swp",
        "configuration/ivy.yaml.bak",
        "configuration/._big.jar",
        "configuration/.DS_Store",
        "configuration/Thumbs.db",
        "configuration/.gitignore",
        # A release would bring the composed name, and the node would have both.
        "configuration/e\u0301.txt",
        "configuration/applications/u\u0308ber/app.yaml",
    ],
)
def test_no_file_of_a_node_comes_into_the_source_by_such_a_path(path: str) -> None:
    found = node_path_problem(path)
    assert found is not None
    assert "engine_drift_ignore" in found[1]


@pytest.mark.parametrize(
    "path",
    [
        *("configuration/ivy.yaml", "dropins/a..b.jar", "patches/a.", "configuration/hooks/x", "configuration/a.git/x"),
        *("configuration/\u2024git", "configuration/-rf", "configuration/a\u200cb.txt", "configuration/heads"),
    ],
)
def test_paths_that_are_taken(path: str) -> None:
    assert place_problem(path) is None
    assert node_path_problem(path) is None


def test_a_repository_in_the_source_is_a_finding_and_the_sources_own_is_not(source: Path) -> None:
    put(source, ".git/config")
    put(source, "configuration/.git/config")
    put(source, "configuration/.git/HEAD")
    (finding,) = read_source(source).findings
    assert (finding.file, finding.message) == ("configuration/.git", "a name in its path begins with a dot")
    assert "Remove the directory" in finding.fix


@given(
    st.text("aZ0._-/\\ \0é\u200dhead\n", max_size=12),
    st.sampled_from(["", "/HEAD", "/head.j2", "/" + "a" * 256, ".j2"]),
)
def test_ordinary_names_get_the_verdict_that_all_rules_give(text: str, end: str) -> None:
    quick = source_tree.relative_problem(text + end)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(source_tree, "_ORDINARY", re.compile(r"(?!)"))
        assert source_tree.relative_problem(text + end) == quick
