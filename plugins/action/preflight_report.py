# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's half, and the only one, of ivy.cluster.preflight_report."""

from __future__ import annotations

import json
import os
import typing as t
from pathlib import Path

from ansible.plugins.action import ActionBase

from ansible_collections.ivy.cluster.plugins.modules.preflight_report import ARGUMENT_SPEC
from ansible_collections.ivy.cluster.plugins.plugin_utils.common import native
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.findings import Finding
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.report_files import write_files
from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight import report as preflight_report


class ActionModule(ActionBase):
    """Puts the findings into one report, and writes it where it is to lie."""

    _requires_connection = False
    _supports_check_mode = True
    _supports_diff = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        _validation, checked = self.validate_argument_spec(argument_spec=ARGUMENT_SPEC)
        given = t.cast("dict[str, t.Any]", native.plain(checked))
        findings = [Finding.from_dict(finding) for finding in given["findings"]]
        report = preflight_report.build(given["cluster"], given["scope"], findings, given["accept"])
        data = report.to_dict()
        result.update(
            changed=False,
            ok=data["ok"],
            headline=preflight_report.headline(report),
            text=preflight_report.text(report),
            report=data,
            file="",
        )
        if not given["file"]:
            return result
        path = Path(os.path.abspath(os.path.expanduser(given["file"])))
        content = json.dumps(data, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
        try:
            result["changed"] = write_files({path: content}, check=bool(self._task.check_mode))
        except OSError as error:
            why = f"The report cannot be written to {path}: {error}. Name another file, or make room."
            result.update(failed=True, msg=f"{why}\n{result['text']}")
            return result
        result["file"] = str(path)
        if result["changed"] and self._task.check_mode:
            result["file"] = ""
            result["text"] += f"\nThe report was not written to {path}, because of check mode."
        if self._task.diff and result["changed"]:
            result["diff"] = {"before": "", "after": content, "after_header": str(path)}
        return result
