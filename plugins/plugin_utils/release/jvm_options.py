# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The JVM options of a node: those that the vendor ships, and this cluster's own on top of them."""

from __future__ import annotations

import re
import typing as t

_HEAP = re.compile(r"-X(?:m[nsx]|ss)")
_COLLECTOR = re.compile(r"-XX:[+-]Use\w+GC(?:=.*)?")
_SWITCH = re.compile(r"-XX:[+-](\w+)")
_VALUE = re.compile(r"(-XX:|-D)([^=\s]+)(?:=.*)?")


def setting(option: str) -> str:
    """What an option sets. Of two options with the same setting, only one may be given."""
    heap = _HEAP.match(option)
    if heap is not None:
        return heap[0]
    # Java does not start with two garbage collectors.
    if _COLLECTOR.fullmatch(option):
        return "the garbage collector"
    switch = _SWITCH.fullmatch(option)
    if switch is not None:
        return f"-XX:{switch[1]}"
    value = _VALUE.fullmatch(option)
    return f"{value[1]}{value[2]}" if value is not None else option


def kept(shipped: str, own: t.Iterable[str]) -> list[str]:
    """The shipped lines, comments included, without the options that the cluster sets itself."""
    replaced = {setting(option.strip()) for option in own}
    lines = [line.rstrip() for line in shipped.splitlines()]
    found = [line for line in lines if line.lstrip().startswith("#") or setting(line.strip()) not in replaced]
    while found and not found[-1]:
        found.pop()
    return found
