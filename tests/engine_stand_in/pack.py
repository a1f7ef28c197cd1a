# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pack the stand-in engine in the layout of a real archive, and the demo application that it runs.

The build is reproducible. Nothing is done when the output is up to date.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import io
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
BUILD = HERE.parents[1] / ".cache" / "stand_in_build"
BUILD_NUMBER = "1"
TIME = (2024, 1, 1, 0, 0, 0)
SOURCES = ("pom.xml", "pack.py", "src", "archive", "demo")


def main() -> int:
    """Pack the requested version and print the names of the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("version", help="version of the engine to imitate, for instance 11.3.0")
    parser.add_argument("output", type=Path, help="directory for the archives")
    arguments = parser.parse_args()
    if not re.fullmatch(r"\d+\.\d+\.\d+", arguments.version):
        parser.error(f"not a version of the form 11.3.0: {arguments.version}")
    output = arguments.output.resolve()
    engine = output / f"AxonIvyEngine{arguments.version}.{BUILD_NUMBER}_All_x64.zip"
    demo = output / "demo.zip"
    stamp = output / f".{engine.name}.sources"
    digest = digest_of_sources()
    if not (engine.exists() and demo.exists() and stamp.exists() and stamp.read_text(encoding="ascii") == digest):
        output.mkdir(parents=True, exist_ok=True)
        compile_java(digest)
        write(engine, engine_files(arguments.version))
        write(demo, demo_files())
        stamp.write_text(digest, encoding="ascii")
    print(engine)
    print(demo)
    return 0


def digest_of_sources() -> str:
    """Return a digest of the names, modes and contents that the result depends on."""
    digest = hashlib.sha256()
    for name in SOURCES:
        root = HERE / name
        for path in sorted([root] if root.is_file() else root.rglob("*")):
            if path.is_file():
                digest.update(f"{path.relative_to(HERE)}\0{is_executable(path)}\0".encode())
                digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def compile_java(digest: str) -> None:
    """Compile once for all versions and all output directories."""
    BUILD.mkdir(parents=True, exist_ok=True)
    stamp = BUILD / "sources"
    with (BUILD.parent / "stand_in_build.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if stamp.exists() and stamp.read_text(encoding="ascii") == digest:
            return
        if shutil.which("mvn") is None:
            sys.exit("Maven is missing: install it (on Debian: apt-get install maven) and run this again.")
        command = ["mvn", "--quiet", "--batch-mode", "--no-transfer-progress", "-f", str(HERE / "pom.xml")]
        maven = subprocess.run(
            [*command, f"-Dstand-in.build={BUILD}", "clean", "package"], check=False, capture_output=True, text=True
        )
        if maven.returncode != 0:
            sys.exit(f"{maven.stdout}{maven.stderr}\nThe stand-in engine was not built: see Maven's messages above.")
        stamp.write_text(digest, encoding="ascii")


def engine_files(version: str) -> dict[str, tuple[bytes, bool]]:
    """Return content and executable bit of each file of the engine's archive."""
    files: dict[str, tuple[bytes, bool]] = {}
    until_11 = int(version.split(".", maxsplit=1)[0]) < 12
    for layer in ("common", "until_11" if until_11 else "since_12"):
        root = HERE / "archive" / layer
        for path in sorted(root.rglob("*")):
            if path.is_file():
                content = path.read_bytes().replace(b"@VERSION@", version.encode())
                files[path.relative_to(root).as_posix()] = (content, is_executable(path))
    for jar in [BUILD / "engine-stand-in.jar", *sorted((BUILD / "lib").glob("*.jar"))]:
        files[f"system/lib/{jar.name}"] = (jar.read_bytes(), False)
    files["system/engine.properties"] = (f"version={version}\nbuild={BUILD_NUMBER}\n".encode(), False)
    return files


def demo_files() -> dict[str, tuple[bytes, bool]]:
    """Return the files of the demo application: one project and the application's own configuration."""
    project = io.BytesIO()
    pack(project, {"readme.txt": ((HERE / "demo/project/readme.txt").read_bytes(), False)})
    return {
        "config/app.yaml": ((HERE / "demo/config/app.yaml").read_bytes(), False),
        "ivy-cluster-demo.iar": (project.getvalue(), False),
    }


def write(archive: Path, files: dict[str, tuple[bytes, bool]]) -> None:
    """Write an archive atomically."""
    content = io.BytesIO()
    pack(content, files)
    unfinished = archive.with_name(f".{archive.name}.unfinished")
    unfinished.write_bytes(content.getvalue())
    unfinished.replace(archive)


def pack(target: io.BytesIO, files: dict[str, tuple[bytes, bool]]) -> None:
    """Write a zip whose bytes depend only on the files."""
    directories = {f"{parent.as_posix()}/" for name in files for parent in Path(name).parents if parent.name}
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted([*files, *directories]):
            content, executable = files.get(name, (b"", True))
            entry = zipfile.ZipInfo(name, TIME)
            entry.create_system = 3
            kind, method = (0o040000, zipfile.ZIP_STORED) if name.endswith("/") else (0o100000, zipfile.ZIP_DEFLATED)
            entry.compress_type = method
            entry.external_attr = (kind | (0o755 if executable else 0o644)) << 16
            archive.writestr(entry, content)


def is_executable(path: Path) -> bool:
    """Return whether the owner may execute the file."""
    return bool(path.stat().st_mode & 0o100)


if __name__ == "__main__":
    sys.exit(main())
