# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the rules that close the engine's ports to other hosts are loaded, and how they get loaded again."""

from __future__ import annotations

import contextlib
import subprocess
import typing as t

from .unit import systemctl

_NFT = "/usr/sbin/nft"
_SECONDS = 10.0


def unit_name(table: str) -> str:
    """The unit that loads a table."""
    return f"{table.replace('_', '-')}-firewall.service"


def problem(table: str, chains: t.Sequence[str] = ()) -> str:
    """Why the rules of a table do not protect this host; empty if they do. Each chain closes the ports of one kind."""
    try:
        done = subprocess.run(
            [_NFT, "list", "chain", "inet", table, "input"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"},
            check=False,
            timeout=_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return f"{_NFT} does not answer within {_SECONDS:.0f} seconds"
    except OSError as exc:
        return f"{_NFT}: {exc.strerror}"
    if done.returncode == 0:
        found = done.stdout.decode("utf-8", "replace").split()
        used = {name for word, name in zip(found, found[1:]) if word == "jump"}
        lacking = ", ".join(sorted(set(chains) - used))
        return f"it does not use the chain {lacking}" if lacking else ""
    words = done.stderr.decode("utf-8", "replace").strip().splitlines()
    return words[0] if words else f"{_NFT} ended with status {done.returncode}"


def start(table: str) -> bool:
    """Make systemd load the rules in the background. Whether it was asked."""
    with contextlib.suppress(OSError):
        return systemctl("restart", "--no-block", "--", unit_name(table)) is not None
    return False
