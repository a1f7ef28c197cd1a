# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of a support bundle that come from one host: outputs of programs, and files.

Each part is read by a child process with a time limit, since any of them may be on a file share that does not answer.
Texts are masked here, before they leave the host, and again on the controller, which knows the secrets of the release.
"""

from __future__ import annotations

import re
import time
import typing as t

from ..node import commands
from ..node.files import bounded
from ..node.masking.text import LONGEST, failure, masked
from . import files

# A part takes longer than its program only while the child ends.
_MORE_SECONDS = 5.0
_MOST_FILES = 40
_NAME = re.compile(r"[^A-Za-z0-9._@+-]")
_LONGEST_NAME = 120
# Less of a part would be of no use.
_LEAST_BYTES = 200
# What is longer would not be searched for secrets, and therefore not be shown.
LONGEST_PART = LONGEST // 2


class Limits(t.NamedTuple):
    """Of one host. A configuration that is longer than a part is left out, since half of one is of no use."""

    part_bytes: int
    host_bytes: int
    seconds: float
    part_seconds: float


class _Bundle:
    """What has been gathered so far, within the limits."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.end = time.monotonic() + limits.seconds
        self.left = limits.host_bytes
        self.parts: list[dict[str, str]] = []
        self.problems: list[str] = []

    def part_limit(self) -> int:
        return max(0, min(self.limits.part_bytes, LONGEST_PART, self.left))

    def add(self, name: str, read: t.Callable[[int], tuple[bytes, str]]) -> None:
        """Read one part. One that cannot be read does not hide the others."""
        seconds = min(self.limits.part_seconds, self.end - time.monotonic())
        limit = self.part_limit()
        if seconds <= 0 or limit < _LEAST_BYTES:
            self.problems.append(f"{name}: left out, the {'time' if seconds <= 0 else 'space'} for this host is over")
            return

        def text() -> list[str]:
            data, note = read(limit)
            return [masked(_decoded(data, limit)), note]

        try:
            content, note = bounded.call(text, seconds + _MORE_SECONDS)
        except Exception as exc:  # whatever it is, the other parts have to be read
            self.problems.append(f"{name}: {failure(exc)}")
            return
        self.left -= len(content.encode("utf-8", "replace"))
        self.parts.append({"name": name, "text": content})
        if note:
            self.problems.append(f"{name}: {note}")


def safe_name(text: str) -> str:
    """A file name of plain characters from a text of any kind."""
    return _NAME.sub("_", text)[:_LONGEST_NAME].lstrip(".") or "_"


def gather(
    programs: t.Sequence[t.Mapping[str, t.Any]], directories: t.Sequence[t.Mapping[str, t.Any]], limits: Limits
) -> dict[str, t.Any]:
    """The parts, and what is missing or not complete."""
    bundle = _Bundle(limits)
    for program in programs:
        _add_program(bundle, str(program["name"]), [str(word) for word in program["arguments"]])
    for directory in directories:
        _add_directory(bundle, directory)
    return {"parts": bundle.parts, "problems": bundle.problems}


def _add_program(bundle: _Bundle, name: str, arguments: list[str]) -> None:
    seconds = bundle.limits.part_seconds
    bundle.add(name, lambda limit: commands.end_of_output(arguments, limit, seconds))


def _add_directory(bundle: _Bundle, directory: t.Mapping[str, t.Any]) -> None:
    name, path = str(directory["name"]), str(directory["path"])
    patterns = [str(pattern) for pattern in directory["patterns"]]

    def found() -> list[t.Any]:
        listed, others = files.find(path, patterns, _MOST_FILES)
        return [[list(item) for item in listed], others]

    try:
        listed, others = bounded.call(found, bundle.limits.part_seconds)
    except FileNotFoundError:
        return
    except Exception as exc:  # whatever it is, the other directories have to be read
        bundle.problems.append(f"{name}: {failure(exc)}")
        return
    if others:
        bundle.problems.append(f"{name}: {others} older files in {path} are left out")
    for file, size in listed:
        part = f"{name}/{'/'.join(map(safe_name, file.split('/')))}"
        if directory["whole"] and size > bundle.part_limit():
            bundle.problems.append(f"{part}: left out, it has {size} bytes")
            continue
        _add_file(bundle, part, path, file)


def _add_file(bundle: _Bundle, name: str, directory: str, file: str) -> None:
    def read(limit: int) -> tuple[bytes, str]:
        data, size = files.read_end(directory, file, limit)
        return data, f"the first {size - limit} bytes are left out" if size > limit else ""

    bundle.add(name, read)


def _decoded(data: bytes, limit: int) -> str:
    """The text. If its beginning is missing, the first line may be the rest of a secret whose name is missing."""
    if len(data) >= limit:
        data = data.partition(b"\n")[2]
    return data.decode("utf-8", "replace").replace("\0", "\ufffd")
