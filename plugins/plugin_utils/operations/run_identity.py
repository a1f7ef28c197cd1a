# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The id of this run for the lease: the controller and the process of ansible-playbook.

Every task of a run computes the same id, so nothing has to be passed on, and a later run on the same controller can
find out whether the process of an earlier one still exists.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import typing as t
import uuid

_PARTS = 3


class RunIdentity(t.NamedTuple):
    """Controller, process id and start time of the process."""

    controller: str
    pid: int
    started: str

    @property
    def run_id(self) -> str:
        return f"{self.controller}-{self.pid}-{self.started}"


def _text(path: str) -> str:
    with contextlib.suppress(OSError), open(path, encoding="utf-8", errors="replace") as stream:
        return stream.read().strip()
    return ""


def _controller(proc: str, etc: str = "/etc") -> str:
    """Digest of what a process id is unique in: the machine, since its boot, and the PID namespace.

    A host name or an address of a network card may change while a run is at work, so it counts only without Linux.
    """
    namespace = ""
    with contextlib.suppress(OSError):
        namespace = os.readlink(f"{proc}/self/ns/pid")
    boot = _text(f"{proc}/sys/kernel/random/boot_id")
    machine = (_text(f"{etc}/machine-id"),) if boot else (platform.node(), f"{uuid.getnode():x}")
    parts = (*machine, boot, namespace)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def _started(pid: int, proc: str) -> str:
    """The start time of a process in the kernel's terms; 0 if it cannot be found out."""
    fields = _text(f"{proc}/{pid}/stat").rpartition(")")[2].split()
    return fields[19] if len(fields) > 19 and fields[19].isdecimal() else "0"


def current(proc: str = "/proc") -> RunIdentity:
    """The identity of this run. To be called in a task: each runs in a child of ansible-playbook."""
    pid = os.getppid()
    return RunIdentity(_controller(proc), pid, _started(pid, proc))


def has_ended(run_id: str, proc: str = "/proc") -> bool:
    """Whether it is certain that the process of a run does not exist any more."""
    controller, *rest = run_id.split("-")
    if len(rest) != _PARTS - 1 or controller != _controller(proc) or not all(part.isdecimal() for part in rest):
        return False
    pid, started = int(rest[0]), rest[1]
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return True
    except PermissionError:
        pass
    # The id of a process is used again.
    return started != "0" and _started(pid, proc) not in ("0", started)
