# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the files of a report into a directory on the controller."""

from __future__ import annotations

import dataclasses
import typing as t
from pathlib import Path

from ansible_collections.ivy.cluster.plugins.plugin_utils.common.files import read_text, write_files
from ansible_collections.ivy.cluster.plugins.plugin_utils.report.document import Document


@dataclasses.dataclass(frozen=True)
class Written:
    changed: bool
    # The files that exist afterwards; check mode writes none.
    files: tuple[str, ...]
    diff: list[dict[str, str]]


def write(document: Document, directory: Path, check: bool) -> Written:
    texts = {directory / f"{document.name}.{suffix}": text for suffix, text in document.forms().items()}
    before = {path: read_text(path) for path in texts if path.suffix == ".txt"}
    different = write_files(texts, check)
    files = () if check and different else tuple(map(str, texts))
    return Written(bool(different), files, [_diff(path, texts[path], before) for path in different])


def _diff(path: Path, after: str, before: t.Mapping[Path, str]) -> dict[str, str]:
    """The text in full; the other forms have the same content, so the path suffices."""
    if path not in before:
        return {"prepared": f"{path}: new content\n"}
    return {"before": before[path], "after": after, "before_header": str(path), "after_header": str(path)}
