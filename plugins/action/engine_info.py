# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's side of engine_info."""

from __future__ import annotations

import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.node import masked_call
from ansible_collections.ivy.cluster.plugins.plugin_utils.node.cached_call import CachedCall


class ActionModule(CachedCall):
    """Runs engine_info with the code that the node caches, and masks the logs in its result."""

    MODULE = "engine_info"

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        return masked_call.call(self, task_vars or {}, lambda: super(ActionModule, self).run(tmp, task_vars))
