# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of a search server: its health, and whether its process has read the current files."""

from __future__ import annotations

import base64
import json
import typing as t
import urllib.error
import urllib.request

from ansible_collections.ivy.cluster.plugins.module_utils.host_state import files
from ansible_collections.ivy.cluster.plugins.module_utils.host_state.commands import output

_TIMEOUT = 10
_MAXIMUM = 1 << 20


def _health(url: str, user: str, password: str) -> str:
    request = urllib.request.Request(url)
    if user:
        token = base64.b64encode(f"{user}:{password}".encode()).decode("ascii")
        request.add_header("Authorization", f"Basic {token}")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=_TIMEOUT) as answer:
            status = json.loads(answer.read(_MAXIMUM)).get("status", "")
    except (OSError, ValueError, RecursionError, AttributeError, urllib.error.URLError):
        return ""
    return str(status)


def gather(params: t.Mapping[str, t.Any], password: str) -> dict[str, t.Any]:
    described = output(str(params["describe"]))
    return {
        "health": _health(str(params["url"]), str(params["user"]), password),
        "current": described is not None and described == files.text(str(params["started"])),
    }
