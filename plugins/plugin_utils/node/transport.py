# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the controller reaches the code on a host, with as little sent and compiled as possible.

The host caches the code of the first call. Later calls contain only its digest, which costs a node less than Ansible's
ping. A node with other code, or none, reports that and gets the code. A node whose Python cannot run it gets the
complete module, which reports the problem.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import tempfile
import typing as t

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.ivy.cluster.plugins.module_utils.node.config import encryption, payload
from ansible_collections.ivy.cluster.plugins.module_utils.node.files.errors import NodeError
from ansible_collections.ivy.cluster.plugins.modules import (
    cluster_record,
    connections_info,
    deployments_info,
    engine_info,
    host_state_facts,
    http_probe,
    preflight_cleanup,
    preflight_connect,
    preflight_facts,
    share_probe,
    shared_config,
    shared_config_info,
)
from ansible_collections.ivy.cluster.plugins.plugin_utils.common import answers
from ansible_collections.ivy.cluster.plugins.plugin_utils.node import bundle as code_bundle

# Arguments are held several times in the memory of a fork, so larger bundles are the input of a command that writes
# them to a file, and even larger ones, which are never whole in memory, a file transfer.
INLINE_LIMIT = 1 << 20
MEMORY_LIMIT = 16 << 20
# Creates a directory that only the user of the task can enter. The file is removed by the module that reads it.
_RECEIVE = (
    "umask 077 && d=$(mktemp -d -t ivy-cluster-XXXXXXXXXX) && "
    '{ cat > "$d/bundle" && echo "ivy-cluster-bundle=$d/bundle" || { rm -rf "$d"; exit 1; }; }'
)
_RECEIVED = re.compile(r"^ivy-cluster-bundle=(/\S+/ivy-cluster-\w{10})/bundle$", re.MULTILINE)
CODE_CACHE_MODULE = "ivy.cluster.shared_config_call"
# These send a node the code that it lacks.
_SENDERS = ("shared_config", "shared_config_info")
_SPECIFICATIONS: dict[str, t.Any] = {
    "cluster_record": cluster_record,
    "connections_info": connections_info,
    "deployments_info": deployments_info,
    "engine_info": engine_info,
    "host_state_facts": host_state_facts,
    "http_probe": http_probe,
    "preflight_cleanup": preflight_cleanup,
    "preflight_connect": preflight_connect,
    "preflight_facts": preflight_facts,
    "share_probe": share_probe,
    "shared_config": shared_config,
    "shared_config_info": shared_config_info,
}

Result = dict[str, t.Any]

_ITEM: answers.Shape = {"root": str, "path": str}
_TEXTS: answers.Shape = {
    **dict.fromkeys(("key", "digest", "applied", "actual"), str),
    "accepted?": str,
    "secret_keys?": [str],
}
# What of a node's result the controller works with.
_RESULT: answers.Shape = {
    "have?": str,
    "questions?": [_TEXTS],
    "comparisons?": [_TEXTS],
    "digests?": {"*": str},
    "texts?": {"*": {"before?": str, "after?": str, "secret_keys?": [str]}},
    **{f"{name}?": [_ITEM] for name in ("drift", "pending", "conflict", "actions")},
}


class Contents(t.NamedTuple):
    """The contents that a request carries: their sizes by digest, and a function that reads one block by block."""

    sizes: t.Mapping[str, int]
    blocks: t.Callable[[str], t.Iterable[bytes]]

    @classmethod
    def of(cls, blobs: t.Mapping[str, bytes]) -> Contents:
        return cls({name: len(content) for name, content in blobs.items()}, lambda name: (blobs[name],))


class Host(t.Protocol):
    """What of an action plugin is needed here."""

    _task: t.Any
    _templar: t.Any
    _connection: t.Any

    def _execute_module(self, **kwargs: t.Any) -> Result: ...

    def _make_tmp_path(self) -> str: ...

    def _remove_tmp_path(self, tmp_path: str) -> None: ...

    def _transfer_file(self, local_path: str, remote_path: str) -> str: ...

    def _fixup_perms2(self, remote_paths: list[str], *, execute: bool) -> None: ...

    def _low_level_execute_command(self, cmd: str, *, in_data: bytes | None = None) -> Result: ...


def validator(module: str) -> ArgumentSpecValidator:
    specification = _SPECIFICATIONS[module]
    return ArgumentSpecValidator(specification.ARGUMENT_SPEC, required_if=getattr(specification, "REQUIRED_IF", None))


def complete(module: str, args: dict[str, t.Any]) -> Result | None:
    """The module's options with their defaults; None if only the node can resolve or reject them."""
    checked = validator(module).validate(args)
    if checked.error_messages:
        return None
    parameters: Result = checked.validated_parameters
    if module == "host_state_facts":
        # It expands no path.
        return parameters
    paths = [args.get(name) for name in ("store", "directory", "deploy_directory", "guard_file")]
    given = [*(args.get("roots") or {}).values(), (args.get("record") or {}).get("directory"), *paths]
    if module in ("preflight_connect", "preflight_facts"):
        given = [*_texts(args)]
    if any(str(path).startswith("~") or "$" in str(path) for path in given):
        # The node's home directories and environment decide what these mean.
        return None
    return parameters


def _texts(value: t.Any) -> t.Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, t.Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _texts(item)


def cached(module: str, store: str, parameters: Result) -> Result:
    """The options of the module that runs the cached code."""
    return {"module": module, "digest": code_bundle.DIGEST, "store": store, "parameters": parameters}


def call_cached(host: Host, module: str, store: str, parameters: Result, task_vars: Result) -> Result:
    """The answer of the cached code. ``lacks_code`` if the node does not have it."""
    call = cached(module, store, parameters)
    return host._execute_module(module_name=CODE_CACHE_MODULE, module_args=call, task_vars=task_vars)


def call_or_send(host: Host, module: str, store: str, args: Result, task_vars: Result, keep: str = "") -> Result:
    """The answer of the cached code or, where that is impossible, of the complete module.

    With ``keep``, a host without the code gets it and caches it, except in check mode: ``existing`` if it has a store,
    ``always`` if the store may be created.
    """
    parameters = complete(module, args) if store else None
    if parameters is not None:
        answer = call_cached(host, module, store, parameters, task_vars)
        if answer.get("lacks_code") and not answer.get("unfit") and keep and not host._task.check_mode:
            sent = {**cached(module, store, parameters), "code": code_bundle.packed(), "keep": keep}
            answer = host._execute_module(module_name=CODE_CACHE_MODULE, module_args=sent, task_vars=task_vars)
        if not answer.get("lacks_code"):
            return answer
    return host._execute_module(module_name=f"ivy.cluster.{module}", module_args=args, task_vars=task_vars)


class Transport:
    """The calls of one task on one node."""

    def __init__(self, host: Host, module: str, task_vars: dict[str, t.Any], use_code_cache: bool) -> None:
        self.host = host
        self.module = module
        self.task_vars = task_vars
        self.use_code_cache = use_code_cache
        self.is_new_node = False

    def call(self, args: dict[str, t.Any], header: dict[str, t.Any], contents: Contents) -> Result:
        if not header:
            return self._execute(args)
        # At high verbosity Ansible prints the result of a module, so the node encrypts confidential parts.
        key = os.urandom(32)
        size = sum(contents.sizes.values())
        level = 6 if size <= INLINE_LIMIT else 1
        pieces = payload.pack_stream({**header, "key": key.hex()}, contents.sizes, contents.blocks, level)
        result = self._call_with_file(args, pieces) if size > MEMORY_LIMIT else self._call(args, b"".join(pieces))
        if "encrypted" in result:
            result.update(encryption.decrypt(key, result.pop("encrypted")))
        try:
            answers.check(result, _RESULT)
        except answers.AnswerError as exc:
            raise NodeError(f"The node's result cannot be used: {exc}.") from exc
        return result

    def _call(self, args: dict[str, t.Any], bundle: bytes) -> Result:
        if len(bundle) <= INLINE_LIMIT:
            return self._execute({**args, "payload": payload.to_text(bundle)})
        directory = self._sent_as_input(bundle)
        if not directory:
            return self._call_with_file(args, (bundle,))
        announced = payload.pack({"bundle_digest": hashlib.sha256(bundle).hexdigest(), "temporary": True}, {})
        done = False
        try:
            result = self._execute({**args, "payload": payload.to_text(announced), "bundle": f"{directory}/bundle"})
            done = not result.get("failed")
            return result
        finally:
            if not done:
                # The module may have failed before it removed the file.
                with contextlib.suppress(Exception):
                    self.host._low_level_execute_command(f"rm -rf {directory}")

    def _sent_as_input(self, bundle: bytes) -> str:
        """Write a file on the node in one round trip. Returns its directory; empty if the connection is unable to."""
        if not self.host._connection.is_pipelining_enabled(False):
            return ""
        result = self.host._low_level_execute_command(_RECEIVE, in_data=bundle)
        found = _RECEIVED.search(str(result.get("stdout") or ""))
        return found.group(1) if found and not result.get("rc") else ""

    def _call_with_file(self, args: dict[str, t.Any], pieces: t.Iterable[bytes]) -> Result:
        descriptor, local = tempfile.mkstemp(prefix="ivy-cluster-")
        remote_directory = ""
        try:
            digest = hashlib.sha256()
            with os.fdopen(descriptor, "wb") as stream:
                for piece in pieces:
                    digest.update(piece)
                    stream.write(piece)
            remote_directory = self.host._make_tmp_path()
            remote = self.host._connection._shell.join_path(remote_directory, "bundle")
            self.host._transfer_file(local, remote)
            self.host._fixup_perms2([remote_directory, remote], execute=False)
            announced = payload.pack({"bundle_digest": digest.hexdigest()}, {})
            return self._execute({**args, "payload": payload.to_text(announced), "bundle": remote})
        finally:
            os.unlink(local)
            if remote_directory:
                self.host._remove_tmp_path(remote_directory)

    def _execute(self, args: dict[str, t.Any]) -> Result:
        result = self._with_cached_code(args) if self.use_code_cache else None
        if result is None:
            result = self._run(f"ivy.cluster.{self.module}", args)
        invocation = result.get("invocation")
        if isinstance(invocation, dict) and isinstance(invocation.get("module_args"), dict):
            for name in ("payload", "bundle"):
                invocation["module_args"].pop(name, None)
        return result

    def _with_cached_code(self, args: dict[str, t.Any]) -> Result | None:
        """The answer of the code on the node; None where the whole module has to be sent."""
        parameters = complete(self.module, args)
        if parameters is None or not parameters["store"]:
            return None
        call = cached(self.module, parameters["store"], parameters)
        result: Result = {"lacks_code": True} if self.is_new_node else self._run(CODE_CACHE_MODULE, call)
        if result.get("lacks_code") and not result.get("unfit") and self.module in _SENDERS:
            if result.get("fresh") and not self.is_new_node and parameters.get("state") in ("staged", "applied"):
                # A node without a store lacks everything else as well, so that all of it may travel at once.
                self.is_new_node = True
                return {"need_release": True, "need_contents": True, "have": ""}
            kept = {"keep": "existing"} if self.module == "shared_config" else {}
            result = self._run(CODE_CACHE_MODULE, {**call, "code": code_bundle.packed(), **kept})
        if result.get("lacks_code"):
            self.use_code_cache = False
            return None
        self.is_new_node = False
        result["invocation"] = {"module_args": parameters}
        return result

    def _run(self, name: str, args: dict[str, t.Any]) -> Result:
        return self.host._execute_module(module_name=name, module_args=args, task_vars=self.task_vars)
