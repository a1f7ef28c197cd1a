# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's half, and the only one, of ivy.cluster.application_files."""

from __future__ import annotations

import os
import typing as t
from pathlib import Path

from ansible.module_utils.urls import open_url
from ansible.plugins.action import ActionBase

from ansible_collections.ivy.cluster.plugins.modules.application_files import ARGUMENT_SPEC
from ansible_collections.ivy.cluster.plugins.plugin_utils.common import masking, native
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.application_archives import OPTION
from ansible_collections.ivy.cluster.plugins.plugin_utils.operations import application_files

# Seconds without a byte after which a download fails.
_SILENCE = 30


def _open(url: str) -> t.IO[bytes]:
    return t.cast("t.IO[bytes]", open_url(url, timeout=_SILENCE))


class ActionModule(ActionBase):
    """Downloads and checks the archives."""

    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        _validation, checked = self.validate_argument_spec(argument_spec=ARGUMENT_SPEC)
        arguments = t.cast("dict[str, t.Any]", native.plain(checked))
        place = application_files.Place(
            cache=Path(arguments["cache"]),
            find=lambda path: Path(self._loader.path_dwim(os.path.expanduser(path))),
            open_url=_open,
            secrets=list(masking.leaves(arguments["secrets"])),
        )
        found, problems = application_files.collect(arguments["applications"], place)
        # What the option checks of the role report about the same entries is in the list already.
        others = [text for text in arguments["problems"] if not text.startswith(OPTION)]
        result["changed"] = False
        if others or problems:
            listed = "\n".join(f"- {problem}" for problem in [*others, *problems])
            result.update(failed=True, msg=f"The applications cannot be deployed; nothing was changed. Fix:\n{listed}")
        else:
            result["applications"] = [one.to_dict() for one in found]
        return result
