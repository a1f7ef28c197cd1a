# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Creates a home directory for ansible-test in which it finds pip without a download.

ansible-test installs pip into each of its environments with a script that it downloads from a server of the Ansible
project. That server need not be reachable, and pip is compiled once instead of ten times: the replacement copies it.
It is where ansible-test keeps the downloaded script. A separate home directory keeps it away from the user's other
ansible-test runs.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

GET_PIP = """\
import shutil
import sys
import sysconfig

packages = [item for item in sys.argv[1:] if not item.startswith("--")]
if packages != ["pip==VERSION"]:
    raise SystemExit(f"ansible-test wants {packages}. It has changed; adapt tools/sanity_home.py.")
# With the times of the files, on which the validity of compiled code depends.
shutil.copytree(r"SOURCE", sysconfig.get_path("purelib"), dirs_exist_ok=True)
"""


def pip_version() -> str:
    """The version of pip that this ansible-test requires. The file name of the script contains it."""
    spec = importlib.util.find_spec("ansible_test")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("ansible-test is not installed for this Python")
    source = Path(next(iter(spec.submodule_search_locations))) / "_internal" / "python_requirements.py"
    found = re.search(r"pip='([0-9.]+)'", source.read_text(encoding="utf-8"))
    if found is None:
        raise SystemExit(f"{source} names no version of pip. ansible-test has changed; adapt this script.")
    return found.group(1)


def pip_settings() -> str:
    """pip's effective settings, as a file: ansible-test passes neither environment variables nor the real home on."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    # Compiling all that is installed takes longer than the rest of the installation.
    settings = {"compile": "0"}
    for line in lines:
        name, value = line.split("=", 1)
        settings[name.rpartition(".")[2]] = value.strip("'")
    return "[global]\n" + "".join(f"{name} = {value}\n" for name, value in sorted(settings.items()))


def unpacked_pip(cache: Path, version: str) -> Path:
    """A directory with this version of pip, compiled."""
    directory = cache / f"pip-{version}"
    if not directory.exists():
        partial = cache / f"pip-{version}.partial"
        shutil.rmtree(partial, ignore_errors=True)
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
        command += ["--no-deps", "--compile", "--target", str(partial), f"pip=={version}"]
        subprocess.run(command, check=True)
        # Commands with the path of this Python.
        shutil.rmtree(partial / "bin")
        partial.rename(directory)
    return directory


def main(home: Path) -> None:
    cache = home / ".ansible" / "test" / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    version = pip_version()
    script = GET_PIP.replace("VERSION", version).replace("SOURCE", str(unpacked_pip(cache, version)))
    (cache / f"get_pip_{version.replace('.', '_')}.py").write_text(script, encoding="utf-8")
    pip = home / ".config" / "pip" / "pip.conf"
    pip.parent.mkdir(parents=True, exist_ok=True)
    # The address of an index can contain a password.
    pip.touch(mode=0o600)
    pip.write_text(pip_settings(), encoding="utf-8")
    netrc = Path(os.path.expanduser("~")) / ".netrc"
    if netrc.exists() and not (home / ".netrc").exists():
        (home / ".netrc").symlink_to(netrc)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
