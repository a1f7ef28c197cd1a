# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The entries of engine_applications, and what is wrong with the archives that they name."""

from __future__ import annotations

import dataclasses
import re
import typing as t
import urllib.parse
import zipfile
import zlib
from pathlib import Path

OPTION = "engine_applications"
SUFFIXES = (".iar", ".zip")
# An entry in a central directory needs about a hundred bytes, so a small file cannot name more than the memory holds.
_MOST_ENTRIES = 200_000
_BLOCK = 1 << 20
# A name in deploy/, or one below the directory of an application.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_. -]*(?:/[A-Za-z0-9][A-Za-z0-9_. -]*)?\.(?:iar|zip)")
_CHECKSUM = re.compile(r"(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})")
# Every project has some of them at its top.
_OF_PROJECT = ("pom.xml", ".project", "META-INF", ".settings", "processes", "dataclasses", "config", "src", "cms")


@dataclasses.dataclass(frozen=True)
class Entry:
    """One entry of the option."""

    name: str
    archive: str = ""
    url: str = ""
    checksum: str = ""
    options: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)

    @property
    def algorithm(self) -> str:
        return self.checksum.partition(":")[0]

    @property
    def digest(self) -> str:
        return self.checksum.partition(":")[2]


def entry_of(value: t.Mapping[str, t.Any]) -> Entry:
    texts = {name: str(value.get(name) or "").strip() for name in ("name", "archive", "url", "checksum")}
    options = value.get("options")
    return Entry(**texts, options=dict(options) if isinstance(options, t.Mapping) else {})


def address(url: str) -> str:
    """The address without the user, the password and the query, which may be secrets."""
    parts = urllib.parse.urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urllib.parse.urlunsplit((parts.scheme, host, parts.path, "", ""))


def problems_of(values: t.Any) -> list[str]:
    """What is wrong with the entries themselves. No file is read and no host is contacted."""
    if not isinstance(values, (list, tuple)):
        return [f"{OPTION}: it must be a list of applications, each with name and archive, or name, url and checksum."]
    found = []
    names: dict[str, int] = {}
    for number, value in enumerate(values, 1):
        if not isinstance(value, t.Mapping):
            found.append(f"{OPTION}: entry {number} must have name and archive, or name, url and checksum.")
            continue
        entry = entry_of(value)
        names[entry.name] = names.get(entry.name, 0) + 1
        found += [f"{OPTION}: {entry.name or f'entry {number}'}: {problem}" for problem in _problems(entry, value)]
    found += [f"{OPTION}: {name}: two applications have this name." for name, times in names.items() if times > 1]
    return found


def _problems(entry: Entry, value: t.Mapping[str, t.Any]) -> t.Iterator[str]:
    if not _NAME.fullmatch(entry.name) or ".." in entry.name:
        yield (
            "the name must be a file name in deploy/ that ends in .iar or .zip, such as demo.zip, or one in the "
            "directory of an application, such as demo/project.iar."
        )
    if not entry.archive and not entry.url:
        yield "name a file on the controller (archive), or url and checksum."
    if entry.archive and entry.url:
        yield "it has both archive and url. Keep one of them."
    if entry.url:
        try:
            parts = urllib.parse.urlsplit(entry.url)
            usable = parts.scheme in ("http", "https") and bool(parts.hostname)
        except ValueError:
            usable = False
        if not usable:
            yield "url must begin with https:// or http:// and contain a host. Use archive for a file."
        if not entry.checksum:
            yield "a url needs a checksum (sha256:<digits> or sha512:<digits>), so that a replaced file is noticed."
    if entry.checksum and not _CHECKSUM.fullmatch(entry.checksum):
        yield "checksum must be sha256: and 64 digits, or sha512: and 128 digits, of 0-9 and a-f."
    if value.get("options") not in (None, "") and not isinstance(value["options"], t.Mapping):
        yield "options must be a dictionary, such as {deployTestUsers: 'FALSE'}."


def problem_of(path: Path, name: str) -> str:
    """Why the engine could not deploy the file under this name; empty if nothing is wrong with it."""
    return damage_of(path) or foreign_content(path, name)


def damage_of(path: Path) -> str:
    """Why the file is not a complete archive; empty if it is one."""
    try:
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
            if len(infos) > _MOST_ENTRIES:
                return f"it has more than {_MOST_ENTRIES} entries"
            # A download that was interrupted, or a disk that was full, damages the end first.
            if infos:
                with archive.open(max(infos, key=lambda info: info.header_offset)) as last:
                    while last.read(_BLOCK):
                        pass
    except (zipfile.BadZipFile, EOFError, zlib.error, RuntimeError, NotImplementedError, ValueError):
        return "it is not a complete zip file. Get it again"
    except OSError as error:
        return f"it cannot be read ({error.strerror or error})"
    return ""


def foreign_content(path: Path, name: str) -> str:
    """Why a complete archive is not what its name says; empty if it is."""
    with zipfile.ZipFile(path) as archive:
        names = [info.filename for info in archive.infolist() if not info.is_dir()]
    return _foreign_project(names) if name.endswith(".iar") else _foreign_application(names)


def _foreign_application(names: t.Sequence[str]) -> str:
    if any("/" not in entry and entry.endswith(".iar") for entry in names):
        return ""
    below = next((entry for entry in names if entry.endswith(".iar")), "")
    if below:
        folder = below.rpartition("/")[0]
        return f"its projects are in the folder {folder}. Pack the .iar files at the top of the archive"
    return "it is not an application: there is no .iar file at its top"


def _foreign_project(names: t.Sequence[str]) -> str:
    if any("/" not in entry and entry.endswith(".iar") for entry in names):
        return "it contains .iar files, so it is an application. Its name must end in .zip"
    if not any(entry.partition("/")[0] in _OF_PROJECT for entry in names):
        return f"it is not a project: nothing at its top is one of {', '.join(_OF_PROJECT)}"
    return ""
