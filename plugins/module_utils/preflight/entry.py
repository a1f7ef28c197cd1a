# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules preflight_facts, preflight_connect and preflight_cleanup, without Ansible."""

from __future__ import annotations

import time
import typing as t

from . import host, network, port_listener, share

Params = t.Mapping[str, t.Any]
Result = dict[str, t.Any]

# A dropped packet delays the run by the first, a file that a network file system shows late by the second at most.
_CONNECT_SECONDS = 3.0
_SHARE_SECONDS = 5.0
# The process needs time only to remove its file from the share.
_CLEANUP_SECONDS = 10.0


def preflight_facts(params: Params) -> Result:
    started = time.time()
    problem = host.invalid(params)
    if problem:
        return {"failed": True, "msg": problem}
    facts = host.gather(params)
    return {"changed": False, "started": started, "ended": time.time(), **facts}


def preflight_connect(params: Params) -> Result:
    return {
        "changed": False,
        "targets": network.connect_all(params["targets"], _CONNECT_SECONDS),
        "files": share.read_all(params["files"], _SHARE_SECONDS),
    }


def preflight_cleanup(params: Params) -> Result:
    return {"changed": False, "gone": port_listener.stop(params["pid"], params["start"], _CLEANUP_SECONDS)}
