# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action of ivy.cluster.report, which runs entirely on the controller."""

from __future__ import annotations

import os
import typing as t
from pathlib import Path

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.ivy.cluster.plugins.modules.report import ARGUMENT_SPEC, REPORTS
from ansible_collections.ivy.cluster.plugins.plugin_utils.common import native
from ansible_collections.ivy.cluster.plugins.plugin_utils.drift import report as drift
from ansible_collections.ivy.cluster.plugins.plugin_utils.operations import history, plan_report
from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight import report as preflight
from ansible_collections.ivy.cluster.plugins.plugin_utils.report import files
from ansible_collections.ivy.cluster.plugins.plugin_utils.report.document import Document
from ansible_collections.ivy.cluster.plugins.plugin_utils.verify import report as verify
from ansible_collections.ivy.cluster.plugins.plugin_utils.verify import status

_DOCUMENTS: dict[str, t.Callable[[t.Mapping[str, t.Any]], Document]] = {
    "preflight": preflight.document,
    "drift": drift.document,
    "verify": verify.document,
    "status": status.document,
    "history": history.document,
    "plan": plan_report.document,
}


class ActionModule(ActionBase):
    """Creates one report and writes its files on request."""

    _requires_connection = False
    _supports_check_mode = True
    _supports_diff = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        _validation, checked = self.validate_argument_spec(
            argument_spec=ARGUMENT_SPEC, mutually_exclusive=[REPORTS], required_one_of=[REPORTS]
        )
        params = t.cast("dict[str, t.Any]", native.plain(checked))
        document = _document(params)
        result.update(
            changed=False,
            ok=document.ok,
            headline=document.headline,
            text=document.text,
            summary=document.summary,
            report=document.data,
            files=[],
        )
        if params["directory"]:
            self._write(document, params, result)
        return result

    def _write(self, document: Document, params: dict[str, t.Any], result: dict[str, t.Any]) -> None:
        directory = Path(os.path.abspath(os.path.expanduser(params["directory"])))
        try:
            written = files.write(document, directory, bool(self._task.check_mode))
        except OSError as error:
            why = f"The report cannot be written to {directory}: {error}. Use another directory, or free disk space."
            result.update(failed=True, msg=f"{why}\n{document.text}")
            return
        result.update(changed=written.changed, files=list(written.files))
        if written.changed and self._task.check_mode:
            result["text"] += f"\nThe report was not written to {directory} because of check mode."
        if self._task.diff and written.changed:
            result["diff"] = written.diff


def _document(params: dict[str, t.Any]) -> Document:
    name = next(name for name in REPORTS if params[name] is not None)
    try:
        return _DOCUMENTS[name](params[name])
    except (AttributeError, KeyError, TypeError) as error:
        raise AnsibleActionFail(
            f"ivy.cluster.report: the input of {name} lacks or has invalid {error}. Use the results that the role "
            f"ivy.cluster.{'verify' if name == 'status' else name} gathers."
        ) from error
