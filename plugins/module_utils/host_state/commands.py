# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the system's programs."""

from __future__ import annotations

import subprocess
import typing as t

_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}
_TIMEOUT = 30


def output(*arguments: str, environment: t.Mapping[str, str] | None = None, text: str = "") -> str | None:
    """The output of a program with a text as its input. None if it does not exist, fails or does not end in time."""
    try:
        done = subprocess.run(
            arguments,
            check=False,
            input=text.encode("utf-8"),
            capture_output=True,
            env={**_ENVIRONMENT, **(environment or {})},
            timeout=_TIMEOUT,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else None
