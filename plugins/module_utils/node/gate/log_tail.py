# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The last log lines of an engine, as evidence for a failed start."""

from __future__ import annotations

import contextlib
import os
import re

from ..config.view import Settings
from ..files import last_lines
from ..files.atomic import Tree
from ..files.errors import NodeError
from ..masking.text import masked_lines

_LINES = 25
_BYTES = 65536
_SECONDS = 20.0
_LONGEST_SECRETS = 1 << 20
# Shorter ones would be found inside harmless words.
_SHORTEST_SECRET = 6
_VARIABLE = re.compile(r'^[A-Z0-9_]+="((?:[^"\\]|\\.)*)"$', re.MULTILINE)
_ESCAPED = re.compile(r'\\(["\\`$])')


def log_tail(settings: Settings) -> list[str]:
    """The last lines of the unit's journal and of the engine's own logs."""
    lines: list[str] = []
    with contextlib.suppress(OSError):
        command = ("journalctl", "--no-pager", "-q", "-o", "cat", "-n", str(_LINES), "-u", settings.unit)
        lines.extend(last_lines.of_command(command, _LINES, _SECONDS))
    tree = Tree(settings.roots["engine"])
    try:
        for name in ("logs/console.log", "logs/ivy.log"):
            with contextlib.suppress(OSError, NodeError):
                end = tree.read_end(name, _BYTES)
                if end is not None:
                    last = last_lines.of_end(end, _BYTES)[-_LINES:]
                    if last and last != lines[-len(last) :]:
                        lines.append(f"--- {name}")
                        lines.extend(last)
    finally:
        tree.close()
    # Before they leave the node: Ansible prints what a module answers when it is asked for details.
    return [line[:500] for line in masked_lines(lines, own_secrets(settings))]


def own_secrets(settings: Settings) -> list[str]:
    """The secrets that the engine gets apart from its files, to be found wherever it writes them."""
    found: list[str] = []
    for root, names in (("environment", ("shared.env",)), ("secrets", None)):
        if root in settings.roots:
            with contextlib.suppress(OSError, NodeError), Tree(settings.roots[root]) as tree:
                for name in names if names is not None else os.listdir(settings.roots[root]):
                    read = tree.read(name)
                    if read is not None and len(read[0]) <= _LONGEST_SECRETS:
                        text = read[0].decode("utf-8", "replace")
                        found += _variables(text) if names is not None else [text.strip("\n")]
    return [secret for secret in found if len(secret) >= _SHORTEST_SECRET]


def _variables(text: str) -> list[str]:
    """The values in a file for EnvironmentFile=, as release/engine_secrets.py of the controller writes it."""
    return [_ESCAPED.sub(r"\1", value) for value in _VARIABLE.findall(text)]
