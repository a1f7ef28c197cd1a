# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Encryption of a backup's files with age, Debian's package of the same name."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import typing as t

from .. import commands
from ..files.errors import NodeError

_RECIPIENT = re.compile(r"age1[02-9ac-hj-np-z]{58}\Z")
_SSH = re.compile(r"ssh-(ed25519|rsa) [A-Za-z0-9+/=]+( .*)?\Z")


def recipient_problem(recipient: str) -> str:
    """Why a text is not a public key that age encrypts for; empty if it is one."""
    if "AGE-SECRET-KEY" in recipient.upper():
        return "it is a secret key. Name the public key, which begins with age1"
    if _RECIPIENT.match(recipient) or _SSH.match(recipient):
        return ""
    return "it is not a public key of age (age1...) or of SSH (ssh-ed25519 ..., ssh-rsa ...)"


def encrypt_to(fd: int, recipients: t.Sequence[str]) -> contextlib.AbstractContextManager[commands.Consume]:
    """What is passed on is written to the descriptor, encrypted."""
    argv = [commands.program("age", "age"), "--encrypt"]
    for recipient in recipients:
        argv += ["--recipient", recipient]
    return commands.fed(argv, commands.environment(), stdout=fd)


@contextlib.contextmanager
def _identity_file(identity: str) -> t.Iterator[str]:
    """A file in memory, which no other process finds and which ends with this one."""
    fd = os.memfd_create("identity", 0)
    try:
        os.write(fd, identity.encode("utf-8"))
        yield f"/proc/self/fd/{fd}"
    finally:
        os.close(fd)


@contextlib.contextmanager
def decrypted(fd: int, identity: str) -> t.Iterator[int]:
    """The descriptor from which the decrypted content of a file is read."""
    if not identity:
        raise NodeError("The backup is encrypted. Name the file with the secret key in restore_identity_file.")
    with _identity_file(identity) as path:
        own = int(path.rsplit("/", 1)[1])
        argv = [commands.program("age", "age"), "--decrypt", "--identity", path]
        streams = {"stdin": fd, "stdout": subprocess.PIPE, "pass_fds": (own,)}
        with commands.running(argv, commands.environment(), **streams) as process:
            yield t.cast("t.IO[bytes]", process.stdout).fileno()
