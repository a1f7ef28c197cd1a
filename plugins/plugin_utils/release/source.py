# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading the source: the directory that mirrors the managed part of the engine's directory."""

from __future__ import annotations

import dataclasses
import os
import re
import stat
import typing as t
import unicodedata
from pathlib import Path

from ansible_collections.ivy.cluster.plugins.module_utils.node.files.atomic import is_temporary
from ansible_collections.ivy.cluster.plugins.module_utils.node.files.patterns import Patterns
from ansible_collections.ivy.cluster.plugins.module_utils.node.files.scan import DEEPEST
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.findings import Finding
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.text import plain_text
from ansible_collections.ivy.cluster.plugins.plugin_utils.release import large_file
from ansible_collections.ivy.cluster.plugins.plugin_utils.release.large_file import LargeFile

TEMPLATE_SUFFIX = ".j2"
VAULT_HEADER = b"$ANSIBLE_VAULT;"
MANAGED_DIRECTORIES = ("configuration", "dropins", "patches")
# Files outside of them that have to be the same on every node: error pages, and agents that Java loads.
MANAGED_FILES = ("webapps/ivy/error-*.xhtml", "system/lib/agent/*.jar")
_MANAGED_FILES = Patterns(list(MANAGED_FILES))
# Documentation that the vendor ships; a copy in the source would pin an old version of it.
VENDOR_DIRECTORIES = ("configuration/reference", "configuration/templates")
NODE_FILES = {
    "configuration/jvm.options": "Remove it; the role engine writes it for each node from its options.",
}

# Files that belong to the repository or to the file manager and not to the engine, in lower case.
# In a worktree or a submodule, .git is a file.
_REPOSITORY_FILES = (
    ".git",
    ".gitkeep",
    ".gitignore",
    ".gitattributes",
    ".gitmodules",
    ".mailmap",
    ".keep",
    ".editorconfig",
    ".yamllint",
    ".ds_store",
    "thumbs.db",
    "desktop.ini",
)
# What editors, macOS (._*) and network file systems (.nfs*, .fuse_hidden*) leave behind.
_LEFTOVERS = Patterns(
    [
        *("*~", "#*#", ".#*", ".*.sw?", ".sw?", "*.orig", "*.rej", "*.bak", "*.tmp", "4913"),
        *("._*", ".nfs*", ".fuse_hidden*"),
    ]
)
# Files of these kinds are rendered, parsed or judged, so their content is needed as a whole.
_CHECKED = (TEMPLATE_SUFFIX, ".yaml", ".yml", ".json", ".xml", ".lic")
_ORDINARY = re.compile(r"[0-9A-Za-z_-][0-9A-Za-z._-]*(?:/[0-9A-Za-z_-][0-9A-Za-z._-]*)*")
_HEAD = re.compile(r"head(?:\.j2)?$", re.IGNORECASE)
_LONGEST_NAME = 255
_LONGEST_PATH = 1024


@dataclasses.dataclass(frozen=True)
class SourceFile:
    """A file of the source. ``path`` is relative, with slashes, in Unicode's composed form."""

    path: str
    data: bytes
    was_encrypted: bool = False
    # Has the content instead of data.
    large: LargeFile | None = None
    # The name in the directory where it is not composed, as file managers and archives of macOS make them.
    name_on_disk: str = ""

    @property
    def on_disk(self) -> str:
        """Its path as the file system has it: the one to read, write and patch."""
        return self.name_on_disk or self.path


@dataclasses.dataclass(frozen=True)
class Source:
    files: tuple[SourceFile, ...]
    findings: tuple[Finding, ...]
    warnings: tuple[str, ...]

    def without_templates(self) -> Source:
        """The files whose content depends on no value."""
        files = tuple(file for file in self.files if not file.path.endswith(TEMPLATE_SUFFIX))
        return dataclasses.replace(self, files=files)


class DecryptError(Exception):
    """A file of the vault cannot be decrypted."""


def read_source(
    root: str | os.PathLike[str],
    decrypt: t.Callable[[bytes], bytes] | None = None,
    large_on_disk: bool = False,
) -> Source:
    """Read every file; what cannot be taken becomes a finding, what is left out a warning.

    ``decrypt`` turns the bytes of a file that Ansible's vault encrypted into its content. With ``large_on_disk``,
    a large file of a kind that no check reads is described only.
    """
    base = Path(root)
    findings: list[Finding] = []
    warnings: list[str] = []
    files: list[SourceFile] = []
    if not base.is_dir():
        what = "is not a directory" if base.exists() else "does not exist"
        advice = "Create it with the file configuration/ivy.yaml, or set ivy_shared_config_source."
        return Source((), (Finding.in_file(str(base), 0, f"the source {what}", advice),), ())
    names: dict[str, str] = {}
    for path in _walk(base, base, findings, 0):
        relative = path.relative_to(base).as_posix()
        if _belongs_to_repository(relative):
            continue
        if _is_leftover(path.name):
            warnings.append(f"{plain_text(relative)} looks like something an editor left behind and is not taken.")
            continue
        refused = _path_problem(relative)
        if refused is not None:
            findings.append(Finding.in_file(plain_text(relative), 0, *refused))
            continue
        composed = unicodedata.normalize("NFC", relative)
        if composed in names:
            advice = "Remove one of them; they would be one file on a node."
            problem = "two files have this name, spelled with other Unicode characters"
            findings.append(Finding.in_file(composed, 0, problem, advice))
            continue
        names[composed] = relative
        try:
            file = _read_file(path, composed, decrypt, large_on_disk)
        except OSError as error:
            findings.append(
                Finding.in_file(composed, 0, f"it cannot be read ({error.strerror})", "Correct its permissions.")
            )
        except DecryptError as error:
            problem = f"it is encrypted by the vault and cannot be decrypted ({error})"
            findings.append(Finding.in_file(composed, 0, problem, "Give the vault's password to this run."))
        else:
            files.append(file if composed == relative else dataclasses.replace(file, name_on_disk=relative))
    if not files and not findings:
        advice = "Put at least configuration/ivy.yaml there; as it is, every node would lose its configuration."
        findings.append(Finding.in_file(str(base), 0, "the source has no files", advice))
    files.sort(key=lambda file: file.path)
    return Source(tuple(files), tuple(findings), tuple(warnings))


def _read_file(path: Path, name: str, decrypt: t.Callable[[bytes], bytes] | None, large_on_disk: bool) -> SourceFile:
    if large_on_disk and not name.endswith(_CHECKED) and path.stat().st_size >= large_file.THRESHOLD:
        with path.open("rb") as stream:
            encrypted = stream.read(len(VAULT_HEADER)) == VAULT_HEADER
        if not encrypted:
            return SourceFile(name, b"", large=LargeFile.read(path))
    data = path.read_bytes()
    if data.startswith(VAULT_HEADER):
        return SourceFile(name, _decrypted(data, decrypt), was_encrypted=True)
    return SourceFile(name, data)


def _decrypted(data: bytes, decrypt: t.Callable[[bytes], bytes] | None) -> bytes:
    if decrypt is None:
        raise DecryptError("there is no password")
    return decrypt(data)


def _walk(directory: Path, base: Path, findings: list[Finding], depth: int) -> t.Iterator[Path]:
    if depth > DEEPEST:
        relative = plain_text(directory.relative_to(base).as_posix()[:80])
        problem = f"it is nested more than {DEEPEST} directories deep"
        findings.append(Finding.in_file(f"{relative}...", 0, problem, "Make the path shorter; no node would take it."))
        return
    try:
        entries = sorted(directory.iterdir())
    except OSError as error:
        problem = f"it cannot be listed ({error.strerror})"
        findings.append(Finding.in_file(plain_text(str(directory)), 0, problem, "Correct its permissions."))
        return
    for entry in entries:
        mode = entry.lstat().st_mode
        relative = plain_text(entry.relative_to(base).as_posix())
        if stat.S_ISLNK(mode):
            problem = f"it is a symbolic link to {plain_text(str(entry.readlink()))}"
            advice = "Put a copy in its place; with a link, a release would depend on what lies outside the source."
            findings.append(Finding.in_file(relative, 0, problem, advice))
        elif stat.S_ISDIR(mode):
            if depth == 0 and entry.name.casefold() == ".git":
                continue
            if _begins_with_dot(entry.name):
                findings.append(
                    Finding.in_file(relative, 0, _DOT, "Remove the directory from the source, or rename it.")
                )
                continue
            yield from _walk(entry, base, findings, depth + 1)
        elif stat.S_ISREG(mode):
            yield entry
        else:
            findings.append(
                Finding.in_file(relative, 0, "it is neither a file nor a directory", "Remove it from the source.")
            )


def place_problem(relative: str) -> tuple[str, str] | None:
    """Why no file of a source can have this path, and what to do. Whatever passes may be written below the source."""
    problem = relative_problem(relative)
    if problem is not None:
        return problem
    inside = "/" in relative and relative.split("/", 1)[0] in MANAGED_DIRECTORIES
    if not inside and not _MANAGED_FILES.match(relative.removesuffix(TEMPLATE_SUFFIX)):
        places = ", ".join((*(f"{name}/" for name in MANAGED_DIRECTORIES), *MANAGED_FILES))
        return "it lies outside the managed directories", f"The source mirrors {places} of the engine's directory."
    return None


def relative_problem(relative: str) -> tuple[str, str] | None:
    """Why no managed file can have this relative path, and what to do.

    The only judge of names on the controller: of the source's own, of those that a node reports, and of those in a
    release. It does not know where the path is relative to.
    """
    if len(relative) <= _LONGEST_NAME and _ORDINARY.fullmatch(relative) and not _HEAD.search(relative):
        # Nearly all paths: the rest cannot find anything in them.
        return None
    try:
        encoded = relative.encode("utf-8")
    except UnicodeEncodeError:
        return "its name is not UTF-8", "Rename it."
    if any(unicodedata.category(character) in ("Cc", "Cs") or character == "\\" for character in relative):
        return "its name holds a control character or a backslash", "Rename it."
    name = relative.removesuffix(TEMPLATE_SUFFIX).rpartition("/")[2]
    parts = (*relative.split("/"), name)
    if is_temporary(name) or any(part in ("", ".", "..") for part in parts):
        return "on a node its name would be none that a file can have", "Rename it."
    if any(_begins_with_dot(part) for part in parts):
        return _DOT, "Remove it, or rename it."
    if _without_format(name).casefold() == "head":
        return "git takes a directory with a file of this name for a repository and runs its commands", "Rename it."
    if len(encoded) > _LONGEST_PATH or any(len(part.encode("utf-8")) > _LONGEST_NAME for part in parts):
        return "its name is longer than a file system takes", "Make it shorter."
    return None


# Git, shells and editors take their settings from such files, and some of these settings are commands.
_DOT = "a name in its path begins with a dot"


def _begins_with_dot(name: str) -> bool:
    """As file systems see it: some ignore format characters, and then `.git` is what has one before its dot, too."""
    return _without_format(name).startswith(".")


def _without_format(name: str) -> str:
    return "".join(one for one in name if unicodedata.category(one) != "Cf")


def node_path_problem(relative: str) -> tuple[str, str] | None:
    """Why a file of a node is never written into the source, and what to do; what no source is read with, too."""
    problem = place_problem(relative)
    if problem is not None:
        return problem[0], _NODE_ADVICE
    if unicodedata.normalize("NFC", relative) != relative:
        return "its name is in Unicode's decomposed form, and a release has composed names only", _NODE_ADVICE
    name = relative.rpartition("/")[2]
    if _is_repository_file(name) or _is_leftover(name):
        return "the source leaves out files of this name", _NODE_ADVICE
    return None


def new_on_disk(path: str, files: t.Iterable[SourceFile]) -> str:
    """Where a new file belongs: in the directories that are there, however their names are spelled."""
    spelled: dict[str, str] = {}
    for file in files:
        composed, there = file.path.split("/"), file.on_disk.split("/")
        for depth in range(1, len(composed)):
            spelled["/".join(composed[:depth])] = "/".join(there[:depth])
    above = max((directory for directory in directories_of(path) if directory in spelled), key=len, default="")
    return spelled[above] + path[len(above) :] if above else path


def directories_of(path: str) -> set[str]:
    """All directories above a relative path."""
    parts = path.split("/")
    return {"/".join(parts[:depth]) for depth in range(1, len(parts))}


_NODE_ADVICE = (
    "The next rollout removes it from the node after a backup; to keep it there, name it in engine_drift_ignore."
)


def is_left_out(relative: str) -> bool:
    """Whether a release never has a file of this path, although it may be in the source's directory."""
    return _belongs_to_repository(relative) or _is_leftover(relative.rpartition("/")[2])


def _belongs_to_repository(relative: str) -> bool:
    name = relative.rpartition("/")[2]
    return _is_repository_file(name) or ("/" not in relative and Path(name).stem.upper() == "README")


def _is_repository_file(name: str) -> bool:
    return name.casefold() in _REPOSITORY_FILES


def _is_leftover(name: str) -> bool:
    return _LEFTOVERS.match(name)


def _path_problem(relative: str) -> tuple[str, str] | None:
    problem = place_problem(relative)
    if problem is not None:
        return problem
    if any(relative.startswith(f"{directory}/") for directory in VENDOR_DIRECTORIES):
        return "it is in a directory that belongs to the vendor", "Remove it from the source."
    advice = NODE_FILES.get(relative.removesuffix(TEMPLATE_SUFFIX))
    if advice is not None:
        return "it is a node file", advice
    return None
