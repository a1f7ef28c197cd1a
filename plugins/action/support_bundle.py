# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action of support_bundle, which runs entirely on the controller."""

from __future__ import annotations

import hashlib
import os
import time
import typing as t
from pathlib import Path

from ansible import constants
from ansible.plugins.action import ActionBase

from ansible_collections.ivy.cluster.plugins.modules.support_bundle import ARGUMENT_SPEC
from ansible_collections.ivy.cluster.plugins.plugin_utils.common import native
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.connection_errors import diagnose
from ansible_collections.ivy.cluster.plugins.plugin_utils.node import session
from ansible_collections.ivy.cluster.plugins.plugin_utils.support import archive, parts

_NOT_GATHERED = "it has not answered"


class ActionModule(ActionBase):
    """Packs what the hosts have contributed in this run."""

    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        _validation, checked = self.validate_argument_spec(argument_spec=ARGUMENT_SPEC)
        params = t.cast("dict[str, t.Any]", native.plain(checked))
        secrets = session.known_secrets(self, task_vars or {})
        staging = archive.stage_directory(constants.DEFAULT_LOCAL_TMP)
        found: dict[str, parts.Parts] = {}
        lost: dict[str, str] = {}
        for host, reason in params["hosts"].items():
            of_host = archive.staged(staging, host)
            if of_host is not None:
                found[host] = of_host
            else:
                message = diagnose(str(reason), connecting=True).detail if reason else _NOT_GATHERED
                lost[host] = parts.shown(message or _NOT_GATHERED, secrets)
        created = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        bundle = archive.Bundle(params["cluster"], created, archive.version(), tuple(params["hosts"]), lost)
        directory = Path(os.path.abspath(os.path.expanduser(params["directory"])))
        name = archive.file_name(bundle.cluster, created)
        result.update(
            changed=True,
            file=os.fspath(directory / name),
            size=0,
            sha256="",
            lost=lost,
            text="\n".join(archive.contents(bundle, found)),
        )
        if not found:
            result.update(changed=False, failed=True, msg=f"No host of this run has answered.\n{result['text']}")
            return result
        if self._task.check_mode:
            return result
        data = archive.pack(bundle, found)
        try:
            archive.write(directory, name, data)
        except OSError as error:
            why = f"The support bundle cannot be written to {directory}: {error.strerror}."
            result.update(changed=False, failed=True, msg=f"{why} Use another directory, or free disk space.")
            return result
        result.update(size=len(data), sha256=hashlib.sha256(data).hexdigest())
        return result
