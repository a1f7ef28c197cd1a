# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The archives of engine_applications on the controller: downloads what has a URL, and checks each file."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
import time
import typing as t
from pathlib import Path

from ansible_collections.ivy.cluster.plugins.plugin_utils.common import atomic_files
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.application_archives import (
    OPTION,
    Entry,
    address,
    entry_of,
    problem_of,
    problems_of,
)
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.masking import masked
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.text import plain_text

_BLOCK = 1 << 20
_MODE = 0o600
# Above any application. The download ends there, whatever the server sends.
LARGEST = 4 << 30
# Of a download in all: a server that sends a byte now and then must not hold the run for ever.
LONGEST_SECONDS = 3600.0
# Another run may be about to use a file that this one does not name.
_KEPT_SECONDS = 7 * 86400

Open = t.Callable[[str], t.IO[bytes]]


class DownloadError(Exception):
    """A download did not give a file; the message says why, without secrets."""


@dataclasses.dataclass(frozen=True)
class Application:
    """A checked archive on the controller."""

    name: str
    archive: str
    sha256: str
    options: t.Mapping[str, t.Any]

    def to_dict(self) -> dict[str, t.Any]:
        return {"name": self.name, "archive": self.archive, "sha256": self.sha256, "options": dict(self.options)}


@dataclasses.dataclass(frozen=True)
class Place:
    """Where files are: ``find`` resolves a path of the controller, ``open_url`` begins a download."""

    cache: Path
    find: t.Callable[[str], Path]
    open_url: Open
    secrets: t.Sequence[str] = ()

    @property
    def directory(self) -> Path:
        return self.cache / "applications"


def collect(values: t.Any, place: Place) -> tuple[list[Application], list[str]]:
    """The applications, and everything that is wrong with them. An entry that is invalid is not looked for."""
    problems = problems_of(values)
    found = []
    for value in values if isinstance(values, (list, tuple)) else ():
        if problems_of([value]):
            continue
        entry = entry_of(value)
        try:
            path = _downloaded(entry, place) if entry.url else place.find(entry.archive)
        except DownloadError as error:
            problems.append(f"{OPTION}: {entry.name}: {error}")
            continue
        sha256, problem = _checked(entry, path)
        if problem:
            problems.append(f"{OPTION}: {entry.name}: {problem}")
        else:
            found.append(Application(entry.name, str(path), sha256, entry.options))
    if not problems:
        _prune(place.directory, {Path(one.archive) for one in found})
    return found, [masked(plain_text(problem), list(place.secrets)) for problem in problems]


def _checked(entry: Entry, path: Path) -> tuple[str, str]:
    """The digest of the file, and what is wrong with the file. The digest is that of the checked bytes."""
    where = address(entry.url) if entry.url else str(path)
    if not path.is_file():
        return "", f"{where}: there is no such file on the controller. Put the archive there, or correct archive."
    try:
        digests = _digests(path, entry.algorithm)
    except OSError as error:
        return "", f"{where}: it cannot be read ({error.strerror or error}). Give this user the right to read it."
    if entry.checksum and digests[entry.algorithm] != entry.digest:
        return "", (
            f"{where}: it has the checksum {entry.algorithm}:{digests[entry.algorithm]}, and not the one that is "
            "declared. Get the archive again, or correct checksum."
        )
    problem = problem_of(path, entry.name)
    return digests["sha256"], f"{where}: {problem}." if problem else ""


def _digests(path: Path, algorithm: str) -> dict[str, str]:
    states = {name: hashlib.new(name) for name in ("sha256", algorithm or "sha256")}
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            for state in states.values():
                state.update(block)
    return {name: state.hexdigest() for name, state in states.items()}


def _downloaded(entry: Entry, place: Place) -> Path:
    """The file in the cache, named by its digest. A run after an interrupted one finds it there."""
    path = place.directory / f"{entry.algorithm}-{entry.digest}{Path(entry.name).suffix}"
    with contextlib.suppress(OSError):
        if path.is_file() and _digests(path, entry.algorithm)[entry.algorithm] == entry.digest:
            os.utime(path)
            return path
    try:
        place.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with contextlib.closing(place.open_url(entry.url)) as stream:
            atomic_files.replace(path, _blocks(entry, stream), _MODE)
    except DownloadError:
        raise
    except Exception as error:
        reason = str(error).replace(entry.url, address(entry.url))
        raise DownloadError(
            f"{address(entry.url)} cannot be downloaded to the controller: {reason or type(error).__name__}."
        ) from error
    return path


def _blocks(entry: Entry, stream: t.IO[bytes]) -> t.Iterator[bytes]:
    """The bytes of a download. A file with other bytes than those that are declared is not kept."""
    state = hashlib.new(entry.algorithm)
    end = time.monotonic() + LONGEST_SECONDS
    size = 0
    while block := stream.read(_BLOCK):
        size += len(block)
        if size > LARGEST or time.monotonic() > end:
            raise DownloadError(
                f"{address(entry.url)}: the download was ended after {size} bytes. At most {LARGEST >> 30} GiB and "
                f"{LONGEST_SECONDS / 60:.0f} minutes are allowed."
            )
        state.update(block)
        yield block
    if state.hexdigest() != entry.digest:
        raise DownloadError(
            f"{address(entry.url)}: it has the checksum {entry.algorithm}:{state.hexdigest()}, and not the one that is "
            "declared. The download may be incomplete, or the file was replaced. Correct url or checksum."
        )


def _prune(directory: Path, used: t.Container[Path]) -> None:
    """Remove downloads that no run has used for some time."""
    with contextlib.suppress(OSError):
        for path in directory.iterdir():
            if path not in used and time.time() - path.lstat().st_mtime > _KEPT_SECONDS:
                path.unlink()
