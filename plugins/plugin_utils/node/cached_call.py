# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action plugins of modules that run with the code that a node caches.

Such a call costs a third of a module that Ansible sends. A node without the code gets the module as usual.
"""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase

from ansible_collections.ivy.cluster.plugins.plugin_utils.node.transport import Contents, Transport, call_or_send


class CachedCall(ActionBase):
    """Passes the options on."""

    MODULE = ""
    TRANSFERS_FILES = True
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        super().run(tmp, task_vars)
        transport = Transport(self, self.MODULE, task_vars or {}, use_code_cache=True)
        return transport.call(dict(self._task.args), {}, Contents.of({}))


class HostCall(ActionBase):
    """Passes the options on to a module that hosts of any kind run. Without a store, the module is sent."""

    MODULE = ""
    TRANSFERS_FILES = True
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result = super().run(tmp, task_vars)
        args = dict(self._task.args)
        return {**result, **call_or_send(self, self.MODULE, str(args.pop("store", "")), args, task_vars or {})}
