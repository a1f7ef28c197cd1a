# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's side of cluster_record: states which run it is, and whether the run that has the lease has ended."""

from __future__ import annotations

import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.node.cached_call import CachedCall
from ansible_collections.ivy.cluster.plugins.plugin_utils.operations import run_identity


class ActionModule(CachedCall):
    """Runs cluster_record with the code that the node caches."""

    MODULE = "cluster_record"

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        if self._task.args.get("state", "read") == "read":
            return super().run(tmp, task_vars)
        self._task.args["run_id"] = run_identity.current().run_id
        result = super().run(tmp, task_vars)
        holder = str((result.get("lease") or {}).get("run_id") or "")
        if result.get("failed") and self._task.args["state"] == "taken" and run_identity.has_ended(holder):
            self._task.args["ended_run"] = holder
            result = super().run(tmp, task_vars)
        return result
