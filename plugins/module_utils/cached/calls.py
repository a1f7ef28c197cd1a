# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules whose code a host caches, by name. Those of the node half are in its own list.

A complete module contains all that it imports, so the modules of the node half use that list and not this one.
"""

from __future__ import annotations

import typing as t

Params = t.Mapping[str, t.Any]
Result = dict[str, t.Any]


def _host_state(_name: str, params: Params, check: bool) -> Result:
    from ..host_state import entry

    return entry.host_state_facts(params, check)


def _preflight(name: str, params: Params, _check: bool) -> Result:
    from ..preflight import entry

    if name == "preflight_facts":
        return entry.preflight_facts(params)
    return entry.preflight_connect(params) if name == "preflight_connect" else entry.preflight_cleanup(params)


# Each imports only what its modules need, because a call takes little longer than its imports.
_MODULES: dict[str, t.Callable[[str, Params, bool], Result]] = {
    "host_state_facts": _host_state,
    "preflight_cleanup": _preflight,
    "preflight_connect": _preflight,
    "preflight_facts": _preflight,
}


def call(name: str, params: Params, check: bool, diff: bool) -> Result:
    """The result of a module. An error is a result with ``failed`` and ``msg``."""
    if name not in _MODULES:
        from ..node import calls

        return calls.call(name, params, check, diff)
    try:
        return _MODULES[name](name, params, check)
    except Exception as exc:
        from ..node.masking.text import failure

        # With a traceback instead of a result, Ansible would print what a file on this host contains.
        return {"failed": True, "msg": f"{name} cannot be completed on this host. {failure(exc)}"}
