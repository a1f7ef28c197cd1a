# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The exceptions that carry a message meant for a person."""

from __future__ import annotations


class NodeError(Exception):
    """Something is wrong on this node; the message says what, where, and what to do."""


def mount_advice(directory: str) -> str:
    """What to run where a directory of the file share is missing or empty."""
    return f"Is the file share mounted? Run on the node: findmnt --target {directory}; to mount it, run: mount -a"


class PermanentError(NodeError):
    """Something is wrong that waiting does not change. Raise it only where that is proven; a start is not retried."""
