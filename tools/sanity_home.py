# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Creates a home directory for ansible-test in which it finds pip without a download.

ansible-test installs pip into its environments with a script that it downloads from a server of the Ansible project.
Python includes pip, so that server need not be reachable. The replacement is where ansible-test keeps the downloaded
script. A separate home directory keeps it away from the user's other ansible-test runs.
"""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

GET_PIP = """\
import subprocess
import sys

subprocess.check_call([sys.executable, "-m", "ensurepip"])
packages = [item for item in sys.argv[1:] if item not in ("--no-setuptools", "--no-wheel")]
subprocess.check_call([sys.executable, "-m", "pip", "install", *packages])
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


def main(home: Path) -> None:
    cache = home / ".ansible" / "test" / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    (cache / f"get_pip_{pip_version().replace('.', '_')}.py").write_text(GET_PIP, encoding="utf-8")
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
