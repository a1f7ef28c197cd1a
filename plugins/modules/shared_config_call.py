#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: shared_config_call
short_description: Runs the code of the collection that is kept on the host
version_added: 0.1.0
description:
  - Used by the controller's halves of M(ivy.cluster.shared_config), M(ivy.cluster.shared_config_info) and other modules
    that run with the cached code, such as M(ivy.cluster.engine_info) and M(ivy.cluster.host_state); not for tasks.
  - Carries no code of its own but the little that loads what an earlier call kept in the host's store, so that a host
    on which nothing has to be done is neither sent nor made to compile anything.
options:
  module:
    description: The module whose answer is wanted.
    type: str
    required: true
  digest:
    description: Digest of the controller's code. Only the same code is run.
    type: str
    required: true
  store:
    description: The state directory of the host, where the code is cached.
    type: path
    required: true
  parameters:
    description: The module's options, checked and complete.
    type: dict
    required: true
  code:
    description: The code itself, sent once the host has answered that it does not have it.
    type: str
  keep:
    description:
      - Whether the host caches O(code). V(always) creates the state directory if it does not exist. Not in check mode.
    type: str
    choices: [always, existing]
author:
  - The ivy.cluster contributors (@ivy-cluster)
extends_documentation_fragment:
  - ivy.cluster.attributes
"""

EXAMPLES = r"""
# Not for tasks. Use ivy.cluster.shared_config and ivy.cluster.shared_config_info.
"""

RETURN = r"""
lacks_code:
  description: Whether the node does not have the code. Everything else is the answer of the module that was named.
  returned: the node does not have the code
  type: bool
  sample: true
"""

import sys

# A script that is piped into Python finds modules in its working directory, which may be anybody's.
while "" in sys.path:
    sys.path.remove("")

import _frozen_importlib_external
import binascii
import gc
import hashlib
import json
import marshal
import os
import stat
import zlib

# For mypy only: none of this is loaded on a node.
TYPE_CHECKING = False
if TYPE_CHECKING:
    import typing as t
    from importlib.machinery import ModuleSpec
    from types import ModuleType

# Ansible puts the arguments here. JSON never has three quotes in a row, and does not end in a backslash.
ARGUMENTS = r"""<<INCLUDE_ANSIBLE_MODULE_JSON_ARGS>>"""

PACKAGE = "ivy_cluster"
MAGIC = b"IVYC1\n"
DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def trusted(fd: int, forbidden: int) -> bool:
    """Whether only root or the current user can have created the open file."""
    info = os.fstat(fd)
    sticky = stat.S_ISDIR(info.st_mode) and info.st_mode & stat.S_ISVTX
    return info.st_uid in (0, os.geteuid()) and bool(sticky or not info.st_mode & forbidden)


def open_trusted(path: str) -> int:
    """A directory with nothing on its way that somebody else could exchange; -1 where there is none."""
    fd = os.open("/", DIRECTORY)
    try:
        for name in os.path.realpath(path).split("/")[1:]:
            below = os.open(name, DIRECTORY, dir_fd=fd)
            os.close(fd)
            fd = below
            if not trusted(fd, 0o022):
                return -1
        opened, fd = fd, -1
        return opened
    except OSError:
        return -1
    finally:
        if fd >= 0:
            os.close(fd)


def kept(store: str, digest: str) -> dict[str, bytes] | None:
    """The code that an earlier call kept; None where it is missing, damaged, another's, or not only root's."""
    directory = open_trusted(os.path.join(store, "code"))
    if directory < 0:
        return None
    fd = -1
    try:
        fd = os.open(f"{digest}-{sys.implementation.cache_tag}", FILE, dir_fd=directory)
        info = os.fstat(fd)
        if not stat.S_ISREG(info.st_mode) or not trusted(directory, 0o077) or not trusted(fd, 0o077):
            return None
        with os.fdopen(fd, "rb", closefd=False) as stream:
            data = stream.read()
    except OSError:
        return None
    finally:
        os.close(directory)
        if fd >= 0:
            os.close(fd)
    head = MAGIC + _frozen_importlib_external.MAGIC_NUMBER
    body = data[len(head) + 32 :]
    if data[: len(head)] != head or data[len(head) : len(head) + 32] != hashlib.sha256(body).digest():
        return None
    modules: dict[str, bytes] = marshal.loads(body)
    return modules


def compiled(text: str, digest: str) -> dict[str, bytes] | None:
    """The code that was sent, module by module; None where it was damaged on its way."""
    sources = json.loads(zlib.decompress(binascii.a2b_base64(text)))
    listed = "".join(f"{name}\0{hashlib.sha256(sources[name].encode()).hexdigest()}\n" for name in sorted(sources))
    if hashlib.sha256(listed.encode()).hexdigest() != digest:
        return None
    return {
        name: marshal.dumps(compile(source, f"<{PACKAGE}/{name.replace('.', '/')}.py>", "exec", dont_inherit=True))
        for name, source in sources.items()
    }


def code_of_package(part: str) -> str:
    """The name under which a package's own code is listed."""
    return f"{part}.__init__"


class Loader:
    """Makes modules of code objects, each when it is first imported."""

    def __init__(self, modules: dict[str, bytes]) -> None:
        self.modules = modules

    def find_spec(self, name: str, _path: object = None, _target: object = None) -> ModuleSpec | None:
        package, _dot, part = name.partition(".")
        # The package that contains all others has no code.
        if package != PACKAGE or not (not part or {part, code_of_package(part)} & self.modules.keys()):
            return None
        is_package = not part or code_of_package(part) in self.modules
        return type(json.__spec__)(name, self, is_package=is_package)  # type: ignore[arg-type]

    def create_module(self, _spec: ModuleSpec) -> ModuleType | None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        part = module.__name__.partition(".")[2]
        if part:
            code = self.modules.get(code_of_package(part)) or self.modules[part]
            exec(marshal.loads(code), module.__dict__)


def note(arguments: dict[str, t.Any]) -> None:
    """Leave the line in the system's log that every module of Ansible leaves."""
    if arguments.get("_ansible_no_log"):
        return
    import syslog

    parameters = arguments["parameters"]
    syslog.openlog(f"ansible-ivy.cluster.{arguments['module']}", 0, syslog.LOG_USER)
    shown = ((name, parameters.get(name)) for name in ("state", "release", "store", "unit"))
    text = " ".join(f"{name}={value}" for name, value in shown if value)
    syslog.syslog(syslog.LOG_INFO, f"Invoked with {text} check_mode={bool(arguments.get('_ansible_check_mode'))}")


def answer(arguments: dict[str, t.Any]) -> dict[str, t.Any]:
    parameters, digest = arguments["parameters"], arguments["digest"]
    store, check = arguments["store"], bool(arguments.get("_ansible_check_mode"))
    sent = arguments.get("code")
    if sys.version_info < (3, 9):  # noqa: UP036 - what the node has, not what it should have
        return {"lacks_code": True, "unfit": True}
    modules = compiled(sent, digest) if sent else kept(store, digest)
    if modules is None:
        return {"lacks_code": True, "unfit": bool(sent), "fresh": not os.path.lexists(store)}
    note(arguments)
    sys.meta_path.insert(0, Loader(modules))
    from ivy_cluster.cached import calls  # type: ignore[import-not-found]

    result: dict[str, t.Any] = calls.call(arguments["module"], parameters, check, bool(arguments.get("_ansible_diff")))
    if sent and not check and arguments.get("keep"):
        from ivy_cluster.node.store import code_cache  # type: ignore[import-not-found]

        code_cache.keep(store, digest, modules, create=arguments["keep"] == "always")
    # Ansible leaves out what is empty.
    if not result.get("warnings"):
        result.pop("warnings", None)
    return result


def main() -> None:
    # This process ends before collecting garbage could pay.
    gc.disable()
    # The module in the collection has no arguments.
    if ARGUMENTS.startswith("{"):
        sys.stdout.write(json.dumps(answer(json.loads(ARGUMENTS))) + "\n")


if __name__ == "__main__":
    main()
