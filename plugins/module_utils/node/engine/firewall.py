# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the rules that close the engine's ports to other hosts are loaded, and how they get loaded again."""

from __future__ import annotations

import contextlib
import subprocess

from .unit import systemctl

_NFT = "/usr/sbin/nft"
_SECONDS = 10.0


def unit_name(table: str) -> str:
    """The unit that loads a table."""
    return f"{table.replace('_', '-')}-firewall.service"


def problem(table: str) -> str:
    """Why the rules of a table do not protect this host; empty if they do."""
    try:
        done = subprocess.run(
            [_NFT, "list", "table", "inet", table],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"},
            check=False,
            timeout=_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return f"{_NFT} does not answer within {_SECONDS:.0f} seconds"
    except OSError as exc:
        return f"{_NFT}: {exc.strerror}"
    if done.returncode == 0:
        return ""
    words = done.stderr.decode("utf-8", "replace").strip().splitlines()
    return words[0] if words else f"{_NFT} ended with status {done.returncode}"


def start(table: str) -> bool:
    """Make systemd load the rules in the background. Whether it was asked."""
    with contextlib.suppress(OSError):
        return systemctl("restart", "--no-block", "--", unit_name(table)) is not None
    return False
