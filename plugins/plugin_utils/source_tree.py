# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading the source: the directory that mirrors the managed part of the engine's directory."""

from __future__ import annotations

import dataclasses
import fnmatch
import os
import stat
import typing as t
import unicodedata
from pathlib import Path

from ansible_collections.ivy.cluster.plugins.module_utils.node.atomic import is_temporary
from ansible_collections.ivy.cluster.plugins.module_utils.node.scan import DEEPEST
from ansible_collections.ivy.cluster.plugins.plugin_utils.findings import Finding

TEMPLATE_SUFFIX = ".j2"
VAULT_HEADER = b"$ANSIBLE_VAULT;"
MANAGED_DIRECTORIES = ("configuration", "dropins", "patches")
# Documentation that the vendor ships; a copy in the source would pin an old version of it.
VENDOR_DIRECTORIES = ("configuration/reference", "configuration/templates")
NODE_FILES = {
    "configuration/jvm.options": "Remove it; the role engine writes it for each node from its options.",
}

# Files that belong to the repository and not to the engine.
# In a worktree or a submodule, .git is a file.
_REPOSITORY_FILES = (
    ".git",
    ".gitkeep",
    ".gitignore",
    ".gitattributes",
    ".keep",
    ".DS_Store",
    "Thumbs.db",
    "desktop.ini",
)
_LEFTOVERS = ("*~", "#*#", ".#*", ".*.sw?", ".sw?", "*.orig", "*.rej", "*.bak", "*.tmp", "4913")


@dataclasses.dataclass(frozen=True)
class SourceFile:
    """A file of the source. ``path`` is relative, with slashes, in Unicode's composed form."""

    path: str
    data: bytes
    was_encrypted: bool = False


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


def read_source(root: str | os.PathLike[str], decrypt: t.Callable[[bytes], bytes] | None = None) -> Source:
    """Read every file; what cannot be taken becomes a finding, what is left out a warning.

    ``decrypt`` turns the bytes of a file that Ansible's vault encrypted into its content.
    """
    base = Path(root)
    findings: list[Finding] = []
    warnings: list[str] = []
    files: list[SourceFile] = []
    if not base.is_dir():
        what = "is not a directory" if base.exists() else "does not exist"
        advice = "Create it with the file configuration/ivy.yaml, or set ivy_shared_config_source."
        return Source((), (Finding(str(base), 0, f"the source {what}", advice),), ())
    names: dict[str, str] = {}
    for path in _walk(base, base, findings, 0):
        relative = path.relative_to(base).as_posix()
        if path.name in _REPOSITORY_FILES or ("/" not in relative and path.stem.upper() == "README"):
            continue
        if any(fnmatch.fnmatchcase(path.name, pattern) for pattern in _LEFTOVERS):
            warnings.append(f"{relative} looks like something an editor left behind and is not taken.")
            continue
        refused = _path_problem(relative)
        if refused is not None:
            findings.append(Finding(printable(relative), 0, *refused))
            continue
        composed = unicodedata.normalize("NFC", relative)
        if composed in names:
            advice = "Remove one of them; they would be one file on a node."
            problem = "two files have this name, spelled with other Unicode characters"
            findings.append(Finding(composed, 0, problem, advice))
            continue
        names[composed] = relative
        try:
            data = path.read_bytes()
            encrypted = data.startswith(VAULT_HEADER)
            if encrypted:
                data = _decrypted(data, decrypt)
        except OSError as error:
            findings.append(Finding(composed, 0, f"it cannot be read ({error.strerror})", "Correct its permissions."))
        except DecryptError as error:
            problem = f"it is encrypted by the vault and cannot be decrypted ({error})"
            findings.append(Finding(composed, 0, problem, "Give the vault's password to this run."))
        else:
            files.append(SourceFile(composed, data, encrypted))
    if not files and not findings:
        advice = "Put at least configuration/ivy.yaml there; as it is, every node would lose its configuration."
        findings.append(Finding(str(base), 0, "the source has no files", advice))
    files.sort(key=lambda file: file.path)
    return Source(tuple(files), tuple(findings), tuple(warnings))


def _decrypted(data: bytes, decrypt: t.Callable[[bytes], bytes] | None) -> bytes:
    if decrypt is None:
        raise DecryptError("there is no password")
    return decrypt(data)


def _walk(directory: Path, base: Path, findings: list[Finding], depth: int) -> t.Iterator[Path]:
    if depth > DEEPEST:
        relative = printable(directory.relative_to(base).as_posix()[:80])
        problem = f"it is nested more than {DEEPEST} directories deep"
        findings.append(Finding(f"{relative}...", 0, problem, "Make the path shorter; no node would take it."))
        return
    try:
        entries = sorted(directory.iterdir())
    except OSError as error:
        problem = f"it cannot be listed ({error.strerror})"
        findings.append(Finding(printable(str(directory)), 0, problem, "Correct its permissions."))
        return
    for entry in entries:
        mode = entry.lstat().st_mode
        relative = printable(entry.relative_to(base).as_posix())
        if stat.S_ISLNK(mode):
            problem = f"it is a symbolic link to {printable(str(entry.readlink()))}"
            advice = "Put a copy in its place; with a link, a release would depend on what lies outside the source."
            findings.append(Finding(relative, 0, problem, advice))
        elif stat.S_ISDIR(mode):
            if entry.name != ".git":
                yield from _walk(entry, base, findings, depth + 1)
        elif stat.S_ISREG(mode):
            yield entry
        else:
            findings.append(Finding(relative, 0, "it is neither a file nor a directory", "Remove it from the source."))


def place_problem(relative: str) -> tuple[str, str] | None:
    """Why no file of a source can have this path, and what to do; also of paths that a node told."""
    try:
        relative.encode("utf-8")
    except UnicodeEncodeError:
        return "its name is not UTF-8", "Rename it."
    if any(unicodedata.category(character) in ("Cc", "Cs") or character == "\\" for character in relative):
        return "its name holds a control character or a backslash", "Rename it."
    name = relative.removesuffix(TEMPLATE_SUFFIX).rpartition("/")[2]
    if is_temporary(name) or any(part in ("", ".", "..") for part in (*relative.split("/"), name)):
        return "on a node its name would be none that a file can have", "Rename it."
    top = relative.split("/", 1)[0]
    if "/" not in relative or top not in MANAGED_DIRECTORIES:
        return (
            "it lies outside the managed directories",
            f"The source mirrors {', '.join(f'{name}/' for name in MANAGED_DIRECTORIES)} of the engine's directory.",
        )
    return None


def _path_problem(relative: str) -> tuple[str, str] | None:
    problem = place_problem(relative)
    if problem is not None:
        return problem
    if any(relative.startswith(f"{directory}/") for directory in VENDOR_DIRECTORIES):
        return "it lies in a directory that belongs to the vendor", "Remove it from the source."
    advice = NODE_FILES.get(relative.removesuffix(TEMPLATE_SUFFIX))
    if advice is not None:
        return "it is a node file", advice
    return None


def printable(text: str) -> str:
    """A name as it may stand in a message: whatever could confuse a terminal is written as an escape."""
    if text.isprintable():
        return text
    return text.encode("unicode_escape").decode("ascii")
