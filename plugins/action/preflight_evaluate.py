# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's half, and the only one, of ivy.cluster.preflight_evaluate."""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase

from ansible_collections.ivy.cluster.plugins.modules.preflight_evaluate import ARGUMENT_SPEC
from ansible_collections.ivy.cluster.plugins.plugin_utils.common import native
from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight import host_check
from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight.model.host_facts import Limits, looks_from


class ActionModule(ActionBase):
    """Judges what was seen of all hosts together."""

    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        _validation, checked = self.validate_argument_spec(argument_spec=ARGUMENT_SPEC)
        given = t.cast("dict[str, t.Any]", native.plain(checked))
        limits = Limits(**{key: value for key, value in given["limits"].items() if value is not None})
        findings = host_check.judge(looks_from(given["looked"], given["reached"]), limits)
        result.update(changed=False, findings=[finding.to_dict() for finding in findings])
        return result
