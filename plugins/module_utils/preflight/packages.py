# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Installed packages, installation candidates and automatic upgrades."""

from __future__ import annotations

import glob
import re
import subprocess
import typing as t

_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}
_PERIODIC = "APT::Periodic::Unattended-Upgrade"
_BLACKLIST = "Unattended-Upgrade::Package-Blacklist::"
_LINE = re.compile(r'^(\S+) "(.*)";$')
_TIMEOUT = 60
# apt-cache would write its cache files if they are older than the state of dpkg.
_WITHOUT_CACHE = ("--option", "Dir::Cache::pkgcache=", "--option", "Dir::Cache::srcpkgcache=")


def output(*arguments: str) -> str | None:
    """The output of a program; None if it does not exist or does not end in time."""
    try:
        done = subprocess.run(
            arguments, check=False, stdin=subprocess.DEVNULL, capture_output=True, env=_ENVIRONMENT, timeout=_TIMEOUT
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode("utf-8", "replace")


def states(text: str) -> dict[str, str]:
    """The state of each package from dpkg-query: installed, held (installed and on hold) or another state."""
    found = {}
    for line in text.splitlines():
        name, _tab, status = line.partition("\t")
        words = status.split()
        if len(words) == 3:
            state = words[2]
            found[name] = "held" if words[0] == "hold" and state == "installed" else state
    return found


def candidates(text: str) -> dict[str, str]:
    """The version of each package that apt would install, from `apt-cache policy`; empty without a candidate."""
    found: dict[str, str] = {}
    name = ""
    for line in text.splitlines():
        if line and not line.startswith(" ") and line.endswith(":"):
            name = line[:-1]
        elif name and line.strip().startswith("Candidate:"):
            version = line.partition(":")[2].strip()
            found[name] = "" if version == "(none)" else version
    return found


def upgrades(text: str) -> dict[str, t.Any]:
    """Whether apt upgrades automatically, and its blacklist, from `apt-config dump`."""
    enabled, blacklist = False, []
    for line in text.splitlines():
        found = _LINE.match(line.strip())
        if found and found[1] == _PERIODIC:
            enabled = found[2] not in ("", "0")
        elif found and found[1] == _BLACKLIST and found[2]:
            blacklist.append(found[2])
    return {"enabled": enabled, "blacklist": blacklist}


def gather(names: t.Sequence[str]) -> dict[str, t.Any]:
    found = states(output("dpkg-query", "-W", "-f=${Package}\\t${Status}\\n", *names) or "") if names else {}
    missing = [name for name in names if found.get(name) not in ("installed", "held")]
    lists = bool(glob.glob("/var/lib/apt/lists/*_Packages*"))
    known = candidates(output("apt-cache", *_WITHOUT_CACHE, "policy", *missing) or "") if missing and lists else {}
    automatic = states(output("dpkg-query", "-W", "-f=${Package}\\t${Status}\\n", "unattended-upgrades") or "")
    settings = upgrades(output("apt-config", "dump") or "") if automatic.get("unattended-upgrades") else upgrades("")
    return {
        "missing": missing,
        "held": [name for name in names if found.get(name) == "held"],
        "lists": lists,
        "without_candidate": [name for name in missing if lists and not known.get(name)],
        "upgrades": settings,
    }
