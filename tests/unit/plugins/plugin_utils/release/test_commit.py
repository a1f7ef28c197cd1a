# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import hashlib
import os
import subprocess
import typing as t
from pathlib import Path

import pytest

from ansible_collections.ivy.cluster.plugins.plugin_utils.release import commit, source


def git(where: Path, *arguments: str) -> str:
    names = ("-c", "user.name=kim", "-c", "user.email=kim@example.com", "-c", "commit.gpgsign=false")
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    done = subprocess.run(["git", *names, *arguments], cwd=where, env=clean, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def of(base: Path) -> commit.Commit:
    return commit.commit_of(base, source.read_source(base).files)


@pytest.fixture(name="base")
def committed(tmp_path: Path) -> Path:
    """A source in a subdirectory of a checkout."""
    base = tmp_path / "checkout" / "config"
    (base / "configuration").mkdir(parents=True)
    (base / "README.md").write_text("for people\n", encoding="utf-8")
    (base / "configuration/ivy.yaml").write_text("A: 1\n", encoding="utf-8")
    git(base.parent, "init", "--quiet")
    git(base.parent, "add", ".")
    git(base.parent, "commit", "--quiet", "--message", "first")
    return base


def test_the_commit_of_a_clean_source(base: Path) -> None:
    assert of(base) == commit.Commit(git(base, "rev-parse", "HEAD"), clean=True)


CHANGES: dict[str, tuple[t.Callable[[Path], t.Any], bool]] = {
    "changed": (lambda base: (base / "configuration/ivy.yaml").write_text("A: 2\n", encoding="utf-8"), False),
    "new": (lambda base: (base / "configuration/web.xml").write_text("<a/>", encoding="utf-8"), False),
    "removed": (lambda base: (base / "configuration/ivy.yaml").rename(base.parent / "away"), False),
    # None of them can be in a release.
    "outside": (lambda base: (base.parent / "group_vars.yml").write_text("a: 1\n", encoding="utf-8"), True),
    "left behind": (lambda base: (base / "configuration/ivy.yaml~").write_text("A: 0\n", encoding="utf-8"), True),
    "readme": (lambda base: (base / "README.md").write_text("new words\n", encoding="utf-8"), True),
    # The content counts, not the index.
    "staged": (
        lambda base: [
            (base / "configuration/ivy.yaml").write_text("A: 2\n", encoding="utf-8"),
            git(base, "add", "."),
            (base / "configuration/ivy.yaml").write_text("A: 1\n", encoding="utf-8"),
        ],
        True,
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_clean_is_what_a_release_contains(base: Path, name: str) -> None:
    change, clean = CHANGES[name]
    (base / "configuration/other.xml").write_text("<b/>", encoding="utf-8")
    git(base, "add", ".")
    git(base, "commit", "--quiet", "--message", "second")
    change(base)
    assert of(base) == commit.Commit(git(base, "rev-parse", "HEAD"), clean)


def test_a_file_that_git_ignores_and_a_release_has_is_not_clean(base: Path) -> None:
    (base.parent / ".gitignore").write_text("*.jar\n", encoding="utf-8")
    git(base.parent, "add", ".gitignore")
    git(base.parent, "commit", "--quiet", "--message", "ignore")
    assert of(base).clean
    (base / "dropins").mkdir()
    (base / "dropins/a.jar").write_bytes(b"PK")
    assert not of(base).clean


def test_a_pointer_of_git_lfs_is_the_file(base: Path) -> None:
    content = b"PK" * 100
    pointer = (
        f"version https://git-lfs.github.com/spec/v1\noid sha256:{hashlib.sha256(content).hexdigest()}\nsize 200\n"
    )
    (base / "dropins").mkdir()
    file = base / "dropins/a.jar"
    file.write_text(pointer, encoding="ascii")
    git(base, "add", ".")
    git(base, "commit", "--quiet", "--message", "large")
    file.write_bytes(content)
    assert of(base).clean
    file.write_bytes(content + b"!")
    assert not of(base).clean


def test_without_a_checkout_a_commit_or_a_tracked_file_there_is_a_reason(tmp_path: Path) -> None:
    base = tmp_path / "source"
    (base / "configuration").mkdir(parents=True)
    (base / "configuration/ivy.yaml").write_text("A: 1\n", encoding="utf-8")
    assert of(base) == commit.Commit(problem="the source is not in a git checkout")
    git(tmp_path, "init", "--quiet")
    assert of(base).problem == "there is no commit yet"
    git(tmp_path, "commit", "--quiet", "--allow-empty", "--message", "empty")
    assert of(base) == commit.Commit(problem="git tracks no file of the source")


def test_without_git_there_is_a_reason(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    assert of(base) == commit.Commit(problem="git is not installed on the controller")


def test_a_git_that_hangs_ends_at_the_limit(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "bin/git"
    script.parent.mkdir()
    script.write_text("#!/bin/sh\nexec sleep 60\n", encoding="ascii")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{script.parent}:{os.environ['PATH']}")
    monkeypatch.setattr(commit, "SECONDS", 0.3)
    assert of(base) == commit.Commit(problem="git did not answer within 0 seconds")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs a checkout of another user")
def test_a_checkout_of_another_user_is_read(base: Path) -> None:
    for path in (base.parent, *base.parent.rglob("*")):
        os.lchown(path, 12345, 12345)
    assert of(base).id


def test_the_settings_of_a_checkout_run_no_command(base: Path, tmp_path: Path) -> None:
    script = tmp_path / "run"
    script.write_text(f"#!/bin/sh\ntouch {tmp_path}/was-run\ncat\n", encoding="ascii")
    script.chmod(0o755)
    (base / ".gitattributes").write_text("* filter=evil diff=evil\n", encoding="ascii")
    git(base, "add", ".gitattributes")
    git(base, "commit", "--quiet", "--message", "attributes")
    hooks = base.parent / ".git/hooks"
    hooks.mkdir(exist_ok=True)
    for hook in ("post-index-change", "post-checkout", "fsmonitor-watchman"):
        (hooks / hook).symlink_to(script)
    for name in ("core.fsmonitor", "filter.evil.clean", "filter.evil.process", "diff.evil.textconv", "core.pager"):
        git(base, "config", name, str(script))
    git(base, "config", "alias.rev-parse", f"!{script}")
    git(base, "config", "core.sshCommand", str(script))
    git(base, "config", "remote.origin.url", "ssh://127.0.0.1/none")
    git(base, "config", "remote.origin.promisor", "true")
    git(base, "config", "remote.origin.partialclonefilter", "tree:0")
    # Its time differs from the index, so that git would run the filter to compare it.
    os.utime(base / "configuration/ivy.yaml", (1, 1))
    assert of(base).clean
    # Objects that a partial clone lacks are not fetched.
    tree = git(base, "rev-parse", "HEAD:config/configuration")
    (base.parent / ".git/objects" / tree[:2] / tree[2:]).unlink()
    assert of(base).problem.startswith("git failed: ")
    assert not (tmp_path / "was-run").exists()


def test_the_environment_of_the_run_names_no_other_repository(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "other").mkdir()
    git(tmp_path / "other", "init", "--quiet")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "other/.git"))
    assert of(base).clean
