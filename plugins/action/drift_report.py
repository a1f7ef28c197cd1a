# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's half, and the only one, of ivy.cluster.drift_report."""

from __future__ import annotations

import json
import os
import typing as t
from pathlib import Path

from ansible.plugins.action import ActionBase

from ansible_collections.ivy.cluster.plugins.modules.drift_report import ARGUMENT_SPEC
from ansible_collections.ivy.cluster.plugins.plugin_utils.common import native
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.report_files import write_files
from ansible_collections.ivy.cluster.plugins.plugin_utils.drift import (
    page,
)
from ansible_collections.ivy.cluster.plugins.plugin_utils.drift import (
    report as drift_report,
)
from ansible_collections.ivy.cluster.plugins.plugin_utils.drift import (
    text as drift_text,
)


class ActionModule(ActionBase):
    """Puts the nodes' answers into one report, and writes it where it is to lie."""

    _requires_connection = False
    _supports_check_mode = True
    _supports_diff = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        _validation, checked = self.validate_argument_spec(argument_spec=ARGUMENT_SPEC)
        given = t.cast("dict[str, t.Any]", native.plain(checked))
        report = drift_report.build(
            given["cluster"],
            given["engine_version"],
            given["time"],
            given["release"],
            given["release_problem"],
            given["command"],
            {name: answer if isinstance(answer, dict) else {} for name, answer in given["nodes"].items()},
            given["pin"],
        )
        data = report.plain()
        markdown = drift_text.markdown(report)
        result.update(
            changed=False,
            summary=report.summary(),
            headline=drift_text.headline(report),
            text=drift_text.terminal(report),
            report=data,
            files=[],
        )
        if not given["directory"]:
            return result
        directory = Path(os.path.abspath(os.path.expanduser(given["directory"])))
        texts = {
            directory / f"{given['name']}.json": json.dumps(data, indent=2, sort_keys=True) + "\n",
            directory / f"{given['name']}.md": markdown,
            directory / f"{given['name']}.html": page.render(report),
        }
        try:
            result["changed"] = write_files(texts, check=bool(self._task.check_mode))
        except OSError as error:
            result.update(
                failed=True,
                msg=f"The report cannot be written to {directory}: {error}. Name another directory, or make room.",
            )
            return result
        result["files"] = [str(path) for path in texts]
        if self._task.diff and result["changed"]:
            result["diff"] = {"before": "", "after": markdown, "after_header": f"{directory / given['name']}.*"}
        return result
