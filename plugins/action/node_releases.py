# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller half of node_releases: writes to the cache what the node hands over."""

from __future__ import annotations

import os
import typing as t

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase

from ansible_collections.ivy.cluster.plugins.module_utils.node.config import encryption, payload
from ansible_collections.ivy.cluster.plugins.module_utils.node.files.errors import NodeError
from ansible_collections.ivy.cluster.plugins.plugin_utils.release import node_copy
from ansible_collections.ivy.cluster.plugins.plugin_utils.release.cache import CacheError


class _RefusedError(Exception):
    """The module failed or could not be reached; its own answer says why."""

    def __init__(self, result: dict[str, t.Any]) -> None:
        super().__init__()
        self.result = result


class ActionModule(ActionBase):
    """One call to list; to copy, one for the manifest and one for each few MiB of files that the cache lacks."""

    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        super().run(tmp, task_vars)
        args = dict(self._task.args)
        release = str(args.get("release") or "")
        cache = os.path.expanduser(str(args.pop("cache", "") or ""))
        cluster_key = "".join((str(args.pop("cluster_key", "") or ""), ""))
        if not release:
            listed: dict[str, t.Any] = self._execute_module(module_args=args, task_vars=task_vars)
            if cache and not listed.get("failed") and not listed.get("unreachable"):
                listed["cached"] = node_copy.cached(cache)
            return listed
        if not cache or not cluster_key:
            raise AnsibleError("With release, name the controller's cache and the cluster_key too.")

        def ask(wanted: list[str]) -> dict[str, t.Any]:
            key = os.urandom(32)
            bundle = payload.to_text(payload.pack({"key": key.hex(), "wanted": wanted}, {}))
            result = self._execute_module(module_args={**args, "payload": bundle}, task_vars=task_vars)
            if "encrypted" not in result:
                raise _RefusedError(result)
            return t.cast("dict[str, t.Any]", encryption.decrypt(key, result["encrypted"]))

        try:
            return {"changed": False, "copied": node_copy.copy(cache, release, cluster_key, ask)}
        except _RefusedError as refused:
            refused.result.pop("invocation", None)
            return refused.result
        except (CacheError, NodeError) as exc:
            raise AnsibleError(str(exc)) from exc
