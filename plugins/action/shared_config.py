# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller half of shared_config: hands over what a node lacks, judges YAML by its meaning, shows changes."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase

from ansible_collections.ivy.cluster.plugins.plugin_utils.node import session
from ansible_collections.ivy.cluster.plugins.plugin_utils.operations import run_identity
from ansible_collections.ivy.cluster.plugins.plugin_utils.release.cache import CacheError


class ActionModule(ActionBase):
    """One call of the module on a node that is clean or has the release before, two on any other."""

    TRANSFERS_FILES = True
    _supports_check_mode = True
    _supports_diff = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        super().run(tmp, task_vars)
        task_vars = task_vars or {}
        args = dict(self._task.args)
        if args.get("lease"):
            args["lease"] = {**args["lease"], "run_id": run_identity.current().run_id}
        try:
            return session.SharedConfigCall(self, args, task_vars, use_code_cache=True).run()
        except CacheError as exc:
            raise AnsibleError(str(exc)) from exc
