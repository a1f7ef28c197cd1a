# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads from the rules that the role firewall has written which addresses may connect to which ports."""

from __future__ import annotations

import glob
import re
import typing as t

from . import system

FILES = "/etc/nftables.d/*.nft"
_MARK = "# Managed by ivy.cluster."
_SET = re.compile(r"\tset (\w+)[46] \{\Z")
_ELEMENTS = re.compile(r"\t\telements = \{ (.*) \}\Z")
_RULE = re.compile(r"\t\ttcp dport \{ ([0-9, ]+) \} jump (\w+)")


def parse(text: str) -> list[dict[str, t.Any]]:
    """The TCP ports and the allowed addresses of each chain; nothing from a file that the role did not write."""
    if not text.startswith(_MARK):
        return []
    allowed: dict[str, list[str]] = {}
    ports: dict[str, list[int]] = {}
    name = ""
    for line in text.splitlines():
        found = _SET.match(line)
        if found:
            name = found.group(1)
            continue
        found = _ELEMENTS.match(line)
        if found:
            allowed.setdefault(name, []).extend(found.group(1).split(", "))
            continue
        found = _RULE.match(line)
        if found:
            ports[found.group(2)] = [int(port) for port in re.findall(r"[0-9]{1,5}", found.group(1))]
    return [{"ports": ports[chain], "addresses": allowed.get(chain, [])} for chain in ports]


def gather(pattern: str = FILES) -> list[dict[str, t.Any]]:
    return [chain for path in sorted(glob.glob(pattern)) for chain in parse(system.read_text(path))]
