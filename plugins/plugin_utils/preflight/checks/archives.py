# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the archives on the controller are there, whole, and the ones that are meant."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import json
import re
import tarfile
import typing as t
import zipfile
import zlib
from pathlib import Path

from ansible_collections.ivy.cluster.plugins.plugin_utils.common import application_archives
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.files import write_files
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.findings import WARNING, Finding
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.profiles import ProfileError, parse_version
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.text import listed
from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight.model.inventory import (
    ENGINES,
    SEARCHES,
    Host,
    Inventory,
)

AREA = "Archives"
ENGINE_PROGRAM = "bin/AxonIvyEngine"
# A host needs these until they were unpacked there.
UNPACKED = ("engine_archive", "elasticsearch_archive")

_ENGINE_VERSION = re.compile(r"AxonIvyEngine[-_]?(\d+\.\d+(?:\.\d+)?)", re.IGNORECASE)
_CHECKSUM = re.compile(r"(sha256|sha512):([0-9a-f]+)")
_BLOCK = 1 << 20


class Memory:
    """What was found out about files that have not changed since: reading hundreds of megabytes takes a while."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._known: dict[str, t.Any] = {}
        self._changed = False
        if path is not None:
            try:
                known = json.loads(path.read_text(encoding="utf-8"))
                self._known = known if isinstance(known, dict) else {}
            except (OSError, ValueError):
                self._known = {}

    def remember(self, file: Path, what: str, find_out: t.Callable[[Path], str]) -> str:
        status = file.stat()
        state = f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns} {status.st_ino}"
        entry = self._known.get(str(file))
        if not isinstance(entry, dict) or entry.get("state") != state:
            entry = {"state": state}
        if not isinstance(entry.get(what), str):
            entry = {**entry, what: find_out(file)}
            self._known[str(file)] = entry
            self._changed = True
        return str(entry[what])

    def save(self) -> None:
        """Keep it where that is possible; without it, the next run takes longer and says the same."""
        if self._path is None or not self._changed:
            return
        try:
            write_files({self._path: json.dumps(self._known, indent=1, sort_keys=True) + "\n"}, check=False)
        except OSError:
            self._changed = False


@dataclasses.dataclass(frozen=True)
class Wanted:
    """An archive, the options that name it, and the hosts that need it."""

    option: str
    path: str
    checksum: str
    hosts: tuple[str, ...]
    what: str


def check(inventory: Inventory, find: t.Callable[[str], Path], memory: Memory) -> list[Finding]:
    """``find`` says which file of the controller a path means."""
    findings = [needed(inventory, wanted, wanted.hosts) for wanted in missing(inventory, find)]
    for wanted in _wanted(inventory):
        path = find(wanted.path)
        if not wanted.path or (wanted.option in UNPACKED and not _is_there(path)):
            continue
        problems = check_file(wanted, path, memory)
        findings += problems
        if not problems and wanted.option == "engine_archive":
            findings += check_engine(wanted, path, inventory.text("ivy_engine_version"))
        if not problems and wanted.option == application_archives.OPTION:
            findings += check_application(wanted, path)
    return findings


def missing(inventory: Inventory, find: t.Callable[[str], Path]) -> list[Wanted]:
    """The archives that are not on the controller, of those that a host needs until they were unpacked there."""
    return [
        wanted
        for wanted in _wanted(inventory)
        if wanted.option in UNPACKED and not (wanted.path and _is_there(find(wanted.path)))
    ]


def needed(inventory: Inventory, wanted: Wanted, hosts: t.Sequence[str]) -> Finding:
    """That an archive is missing, where nobody looked whether it still is needed."""
    problem = f"{_absence(inventory, wanted)}; a host where it is not installed yet needs it ({listed(list(hosts))})"
    return Finding("archive-needed", AREA, wanted.option, problem, _how_to_give(wanted), WARNING)


def check_installed(
    inventory: Inventory, find: t.Callable[[str], Path], installed: t.Mapping[str, t.Mapping[str, bool] | None]
) -> list[Finding]:
    """Missing archives, with the facts of the hosts; ``installed`` has None for a host that was not inspected."""
    findings = []
    for wanted in missing(inventory, find):
        looked = {host: installed[host] for host in wanted.hosts if host in installed}
        without = [host for host, found in looked.items() if found is not None and not found.get(wanted.option)]
        unknown = [host for host, found in looked.items() if found is None]
        if without:
            problem = f"{_absence(inventory, wanted)}, and it is not installed on {listed(without)}"
            advice = _how_to_give(wanted)
            findings.append(Finding("archive-missing", AREA, wanted.option, problem, advice))
        elif unknown:
            findings.append(needed(inventory, wanted, unknown))
    return findings


def _absence(inventory: Inventory, wanted: Wanted) -> str:
    if wanted.path:
        return f"{wanted.path}: there is no such file on the controller, the archive of the {wanted.what}"
    return f"there is no archive of engine {inventory.text('ivy_engine_version')}"


def _how_to_give(wanted: Wanted) -> str:
    if wanted.path:
        return f"Put the archive there, or correct {wanted.option}."
    return f"Set it to a zip file on the controller, or set {wanted.option}_url and {wanted.option}_checksum."


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        # The check of the file reports why it cannot be read.
        return True


def _wanted(inventory: Inventory) -> list[Wanted]:
    found: dict[tuple[str, str, str, str], list[str]] = {}
    for host in inventory.of(ENGINES):
        archive, url = host.text("engine_archive"), host.text("engine_archive_url")
        if archive or not (url or host.is_invalid("engine_archive") or host.is_invalid("engine_archive_url")):
            key = ("engine_archive", archive, host.text("engine_archive_checksum"), "engine")
            found.setdefault(key, []).append(host.name)
        for entry in _applications(host):
            key = (application_archives.OPTION, entry.archive, entry.checksum, f"application {entry.name}")
            found.setdefault(key, []).append(host.name)
    for host in inventory.of(SEARCHES):
        archive = host.text("elasticsearch_archive")
        if archive:
            key = ("elasticsearch_archive", archive, host.text("elasticsearch_archive_checksum"), "search engine")
            found.setdefault(key, []).append(host.name)
    return [Wanted(option, path, checksum, tuple(on), what) for (option, path, checksum, what), on in found.items()]


def _applications(host: Host) -> t.Iterator[application_archives.Entry]:
    """Those that are files. The others are downloaded and checked before the release is built."""
    for value in host.items(application_archives.OPTION):
        entry = application_archives.entry_of(value) if isinstance(value, dict) else None
        if entry is not None and entry.archive:
            yield entry


def check_file(wanted: Wanted, path: Path, memory: Memory) -> list[Finding]:
    """The cheapest question first; what is not there is not asked for its checksum."""
    where = wanted.option

    def found(code: str, problem: str, advice: str) -> list[Finding]:
        return [Finding(code, AREA, where, f"{path}: {problem}", advice)]

    try:
        if not path.exists():
            return found("archive-missing", "there is no such file", f"Put the archive of the {wanted.what} there.")
        if not path.is_file():
            return found("archive-missing", "it is not a file", f"Name the archive of the {wanted.what}.")
        damage = memory.remember(path, "damage", damage_of)
        if damage:
            return found("archive-damaged", damage, "Get it again; an interrupted download looks like this.")
        checksum = _CHECKSUM.fullmatch(wanted.checksum)
        if checksum is not None and memory.remember(path, checksum[1], _digest(checksum[1])) != checksum[2]:
            option = "checksum" if where == application_archives.OPTION else f"{where}_checksum"
            return found(
                "archive-checksum", f"it does not have the checksum in {option}", f"Get it again, or correct {option}."
            )
    except OSError as error:
        return found("archive-missing", f"it cannot be read ({error.strerror})", "Give this user the right to read it.")
    return []


def check_application(wanted: Wanted, path: Path) -> list[Finding]:
    """Whether a file is an application or a project, as its name in the deploy directory says."""
    damage = application_archives.damage_of(path)
    problem = damage or application_archives.foreign_content(path, wanted.what)
    if not problem:
        return []
    code = "archive-damaged" if damage else "archive-foreign"
    return [Finding(code, AREA, wanted.option, f"{path}: {problem}", f"Correct the archive of the {wanted.what}.")]


def check_engine(wanted: Wanted, path: Path, version: str) -> list[Finding]:
    """Whether a whole zip is an engine, and the right one."""
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    if ENGINE_PROGRAM not in names:
        below = next((name for name in names if name.endswith(f"/{ENGINE_PROGRAM}")), "")
        problem = f"it has no {ENGINE_PROGRAM}" + (f"; it is below {below[: -len(ENGINE_PROGRAM)]}" if below else "")
        advice = "Use the vendor's unmodified engine archive."
        return [Finding("archive-foreign", AREA, wanted.option, f"{path}: {problem}", advice)]
    match = _ENGINE_VERSION.search(path.name)
    if match is None:
        problem = f"the name {path.name} does not contain the engine's version"
        advice = f"Make sure that it is {version}, and keep the vendor's file name."
        return [Finding("archive-version-unknown", AREA, wanted.option, problem, advice, WARNING)]
    try:
        same = parse_version(match[1]) == parse_version(version)
    except ProfileError:
        return []
    if same:
        return []
    problem = f"{path.name} is engine {match[1]}, and ivy_engine_version is {version}"
    return [Finding("archive-version", AREA, wanted.option, problem, "Correct one of them.")]


def damage_of(path: Path) -> str:
    """What is wrong with an archive, empty when nothing is: a truncated one lacks its end."""
    if path.stat().st_size == 0:
        return "it is empty"
    name = path.name.lower()
    if name.endswith((".tar.gz", ".tgz")):
        return _damage_of_tar(path)
    if name.endswith((".zip", ".iar")):
        return _damage_of_zip(path)
    return ""


def _damage_of_zip(path: Path) -> str:
    """By its directory at the end of the file; the content of each file is checked when it is unpacked."""
    try:
        with zipfile.ZipFile(path) as archive:
            last = max(archive.infolist(), key=lambda info: info.header_offset, default=None)
            if last is None:
                return "it holds no file"
            with archive.open(last) as file:
                while file.read(_BLOCK):
                    pass
    except (zipfile.BadZipFile, EOFError, zlib.error, RuntimeError, NotImplementedError) as error:
        return f"incomplete or corrupt zip file ({str(error) or type(error).__name__})"
    return ""


def _damage_of_tar(path: Path) -> str:
    """By reading all of it: only its end shows whether a compressed file is complete."""
    try:
        with tarfile.open(path, "r|gz") as archive:
            if archive.next() is None:
                return "it holds no file"
        # The module tarfile takes a file that ends too early for one that ends.
        with gzip.open(path) as file:
            while file.read(_BLOCK):
                pass
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        return f"incomplete or corrupt .tar.gz file ({error})"
    return ""


def _digest(name: str) -> t.Callable[[Path], str]:
    def digest(path: Path) -> str:
        with path.open("rb") as file:
            return hashlib.file_digest(file, name).hexdigest()

    return digest
