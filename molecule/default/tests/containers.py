# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The container engine of the hosts: to take their power away, and to reach them without SSH."""

from __future__ import annotations

import subprocess


def docker(*arguments: str) -> str:
    """The output of a command of the container engine, which must succeed."""
    done = subprocess.run(["docker", *arguments], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
