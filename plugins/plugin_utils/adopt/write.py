# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writing edits into the source on the controller, or into a patch, and showing them."""

from __future__ import annotations

import os
import re
import stat
import typing as t
from pathlib import Path

from ansible_collections.ivy.cluster.plugins.plugin_utils.adopt.patch import FileEdit, hunks, is_text
from ansible_collections.ivy.cluster.plugins.plugin_utils.adopt.plan import Taken
from ansible_collections.ivy.cluster.plugins.plugin_utils.common import atomic_files
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.masking import masked
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.text import plain_text
from ansible_collections.ivy.cluster.plugins.plugin_utils.release.source import place_problem

_FILE_MODE = 0o644
_PATCH_MODE = 0o600


class WriteError(Exception):
    """The source or the patch cannot be written; the message says why."""


def has_files(base: Path) -> bool:
    """Whether there is a source: any file that belongs to the engine and not to a repository."""
    if not base.is_dir():
        return False
    for entry in base.rglob("*"):
        parts = entry.relative_to(base).parts
        hidden = any(part.startswith(".") for part in parts)
        if entry.is_file() and not hidden and (len(parts) > 1 or entry.stem.upper() != "README"):
            return True
    return False


def refuse_inventory(base: Path, sources: t.Iterable[str], ignored: re.Pattern[bytes]) -> None:
    """A file of a node must not become a part of the inventory, whose templates Ansible runs on the controller."""
    for source in sources:
        inventory = Path(source).resolve()
        if not inventory.is_dir() or not base.resolve().is_relative_to(inventory):
            continue
        if not any(ignored.search(os.fsencode(part)) for part in base.resolve().relative_to(inventory).parts):
            raise WriteError(
                f"The source {base} is in the inventory {source}, so Ansible would read files of a node as "
                "inventory. Nothing was written. Set ignore_patterns in section [inventory] of ansible.cfg to "
                f"^{re.escape(base.name)}$, or move the source."
            )


def write(base: Path, edits: t.Sequence[FileEdit], check: bool) -> None:
    """All edits, each file as a whole. Nothing is written unless every file still is what the edit was made for."""
    for edit in edits:
        _check(base, edit)
    if check:
        return
    for edit in edits:
        path = base / edit.path
        try:
            if edit.after is None:
                path.unlink()
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                mode = stat.S_IMODE(path.stat().st_mode) if edit.before is not None else _FILE_MODE
                atomic_files.replace(path, edit.after, mode)
        except OSError as error:
            raise WriteError(f"{path} cannot be written ({error.strerror}). Run again.") from error


def write_patch(path: Path, patch: str, check: bool) -> bool:
    """Whether the patch is another one than the file holds; it is readable by its owner only, as the source may be."""
    data = patch.encode("utf-8")
    try:
        if path.is_file() and path.read_bytes() == data:
            return False
        if not check:
            atomic_files.replace(path, data, _PATCH_MODE)
    except OSError as error:
        raise WriteError(f"The patch {path} cannot be written ({error.strerror}).") from error
    return True


def shown(taken: t.Iterable[Taken], secrets: t.Sequence[str]) -> str:
    """The edits as they may be printed."""
    lines: list[str] = []
    for one in taken:
        keys = f": {', '.join(one.keys)}" if one.keys else ""
        lines.append(f"{plain_text(one.source)} ({one.how}{keys})")
        if is_text(one.edit.before) and is_text(one.edit.after):
            lines.append("".join(hunks(_shown_edit(one.edit, secrets))).rstrip("\n") or "(only secrets differ)")
        else:
            lines.append(f"(binary, {len(one.edit.after or b'')} bytes)")
    return "\n".join(lines)


def _shown_edit(edit: FileEdit, secrets: t.Sequence[str]) -> FileEdit:
    """Both sides are masked as a whole: of a secret with several lines, a difference could show single ones."""
    before, after = (
        None if data is None else masked(data.decode("utf-8"), secrets).encode("utf-8")
        for data in (edit.before, edit.after)
    )
    return FileEdit(edit.path, before, after)


def _check(base: Path, edit: FileEdit) -> None:
    problem = place_problem(edit.path)
    if problem is not None:
        # Whoever plans an edit names such a path; this is the last line of defence.
        raise WriteError(f"{plain_text(edit.path)} is not written: {problem[0]}. Nothing was written.")
    path = base / edit.path
    for above in [path, *path.parents]:
        if above == base:
            break
        if above.is_symlink():
            raise WriteError(f"{above} is a symbolic link; the source is not written through one. Nothing was written.")
    try:
        present = path.read_bytes() if path.exists() else None
    except OSError as error:
        raise WriteError(f"{path} cannot be read ({error.strerror}). Nothing was written.") from error
    # A file that the vault encrypts is never edited, so bytes are compared as they are.
    if present != edit.before:
        raise WriteError(f"{path} has changed while this ran. Nothing was written; run again.")
