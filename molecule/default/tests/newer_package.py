# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs on a host: packs an installed package again, with a higher version, and offers it in a repository of the host.

So apt finds updates whatever the mirror has. Usage: newer_package.py PACKAGE [SCRIPT=STATUS], for example postinst=1:
in the newer version, this maintainer script ends at once with that status.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

REPOSITORY = Path("/var/lib/newer-packages")
SOURCE = Path("/etc/apt/sources.list.d/newer-packages.list")
MARK = "+ivytest"
# Fields of dpkg's own record, which are not the package's.
STATE = ("Status", "Conffiles", "Config-Version", "Version")


def output_of(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def next_version(version: str) -> str:
    before, _mark, number = version.partition(MARK)
    return f"{before}{MARK}{int(number or 0) + 1}"


def control_of(package: str) -> tuple[str, str]:
    """The control file of the newer version, and that version."""
    record = output_of("dpkg-query", "--status", package)
    fields = re.findall(r"^(?:[^\s:]+:.*)(?:\n[ \t].*)*", record, re.MULTILINE)
    version = next_version(output_of("dpkg-query", "--show", "--showformat", "${Version}", package))
    kept = [field for field in fields if field.partition(":")[0] not in STATE]
    return "\n".join([*kept, f"Version: {version}"]) + "\n", version


def copy_files(package: str, root: Path) -> None:
    listed = [Path(line) for line in output_of("dpkg-query", "--listfiles", package).splitlines()]
    # What the package calls a directory may be a symbolic link on the host, such as /lib.
    parents = {parent for path in listed for parent in path.parents}
    for path in listed:
        copy = root / path.relative_to("/")
        if path in parents or (path.is_dir() and not path.is_symlink()):
            copy.mkdir(parents=True, exist_ok=True)
            if path.is_dir():
                copy.chmod(path.stat().st_mode)
        elif path.is_symlink() or path.is_file():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, copy, follow_symlinks=False)


def change_files(root: Path, version: str) -> None:
    """What an update changes: the version in Java's own description, and settings that the collection replaces."""
    for release in root.glob("usr/lib/jvm/*/release"):
        text = release.read_text(encoding="utf-8")
        number = version.partition(MARK)[2]
        release.write_text(re.sub(r'(?m)^(JAVA_VERSION="[0-9]+\.[0-9]+\.).*', rf'\g<1>{900 + int(number)}"', text))
    settings = root / "etc/haproxy/haproxy.cfg"
    if settings.exists():
        settings.write_text(f"# The default of {version}\nglobal\n", encoding="utf-8")


def copy_scripts(package: str, directory: Path, ended: str) -> None:
    """The maintainer scripts of the installed package, without what this program has added to them."""
    for line in output_of("dpkg-query", "--control-path", package).splitlines():
        script = Path(line)
        if script.suffix != ".md5sums":
            copy = directory / script.suffix.lstrip(".")
            shutil.copy2(script, copy)
            text = copy.read_text(encoding="utf-8").splitlines(keepends=True)
            copy.write_text("".join(one for one in text if not one.endswith(f"# {MARK}\n")), encoding="utf-8")
    if ended:
        name, _equals, status = ended.partition("=")
        script = directory / name
        first, _end, rest = script.read_text(encoding="utf-8").partition("\n")
        script.write_text(f"{first}\necho 'The test ends {name}' >&2; exit {status} # {MARK}\n{rest}", encoding="utf-8")
    # Those that are still in the package have two words.
    settings = output_of("dpkg-query", "--show", "--showformat", "${Conffiles}", package).splitlines()
    kept = [f"{words[0]}\n" for words in map(str.split, settings) if len(words) == 2]
    (directory / "conffiles").write_text("".join(kept), encoding="utf-8")


def main(package: str, ended: str = "") -> None:
    REPOSITORY.mkdir(mode=0o755, exist_ok=True)
    with tempfile.TemporaryDirectory(dir="/var/tmp") as directory:
        root = Path(directory) / "root"
        (root / "DEBIAN").mkdir(parents=True)
        root.chmod(0o755)
        control, version = control_of(package)
        (root / "DEBIAN/control").write_text(control, encoding="utf-8")
        copy_files(package, root)
        change_files(root, version)
        copy_scripts(package, root / "DEBIAN", ended)
        file = REPOSITORY / f"{package}.deb"
        output_of("dpkg-deb", "--root-owner-group", "-Znone", "--build", str(root), str(file))
    content = file.read_bytes()
    stanza = f"{control}Filename: ./{file.name}\nSize: {len(content)}\nSHA256: {hashlib.sha256(content).hexdigest()}\n"
    file.with_suffix(".stanza").write_text(stanza, encoding="utf-8")
    stanzas = [one.read_text(encoding="utf-8") for one in sorted(REPOSITORY.glob("*.stanza"))]
    (REPOSITORY / "Packages").write_text("\n".join(stanzas), encoding="utf-8")
    SOURCE.write_text(f"deb [trusted=yes] file:{REPOSITORY} ./\n", encoding="utf-8")
    print(version)


if __name__ == "__main__":
    main(*sys.argv[1:])
