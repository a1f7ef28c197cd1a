# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps the compiled form of the collection's code in the host's store.

Sending and compiling it costs more than all the rest of a call in which nothing has to be done. The name holds the
digest of the sources and the Python that compiled them, so code that is not the controller's is never taken for it.
Only root may enter the store. What reads it is the module shared_config_call.
"""

from __future__ import annotations

import _frozen_importlib_external
import contextlib
import hashlib
import marshal
import os
import sys
import typing as t

from ..files.atomic import discard_at, write_at
from ..files.errors import NodeError
from .store import Store

MAGIC = b"IVYC1\n"
DIRECTORY = "code"


def file_name(digest: str) -> str:
    return f"{digest}-{sys.implementation.cache_tag}"


def packed(modules: t.Mapping[str, bytes]) -> bytes:
    """The file: what Python compiled, the digest by which damage is noticed, then each module's code object."""
    body = marshal.dumps(dict(modules))
    python = bytes(_frozen_importlib_external.MAGIC_NUMBER)
    return MAGIC + python + hashlib.sha256(body).digest() + body


def keep(store_path: str, digest: str, modules: t.Mapping[str, bytes], create: bool = False) -> bool:
    """Store the code for the next call. A failure to do so does not fail this call.

    Only hosts that have nothing else in their store may create it: on a node, an empty one could be one whose file
    system is not mounted.
    """
    with contextlib.suppress(OSError, NodeError), Store(store_path) as store:
        uid, gid = os.geteuid(), os.getegid()
        if not store.tree.exists:
            if not create:
                return False
            store.tree.create_base(0o700, uid, gid)
        directory, name = store.tree.make_parent(f"{DIRECTORY}/{file_name(digest)}", 0o700, uid, gid)
        try:
            write_at(directory, name, packed(modules), 0o600, uid, gid)
            for other in os.listdir(directory):
                if other != name:
                    discard_at(directory, other)
        finally:
            os.close(directory)
        return True
    return False
