# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of a member of the database, as Patroni reports it."""

from __future__ import annotations

import typing as t

from ..probes.patroni import (
    Client,
    PatroniError,
    differences,
    problem,
)
from .start_record import is_current


def client(params: t.Mapping[str, t.Any]) -> Client:
    return Client(str(params["certificate"]), str(params["key"]), str(params["authority"]))


def gather(params: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The state of the member. ``changes`` is what the shared configuration lacks."""
    asking, url, name = client(params), str(params["url"]), str(params["name"])
    found: dict[str, t.Any] = {"members": [], "answers": False, "changes": {}, "problem": "", "leads": False}
    found.update(runs=False, role="", pending_restart=False, started_at="")
    try:
        own = asking.own(url)
        found.update(answers=True, role=str(own.get("role", "")), pending_restart=bool(own.get("pending_restart")))
        found["started_at"] = str(own.get("postmaster_start_time") or "")[:40]
        members = asking.members(url)
        found["members"] = [member.to_dict() for member in members]
        found["problem"] = problem(members, [str(one) for one in params["names"]], int(params["synchronous"]))
        found["leads"] = any(member.leads for member in members if member.name == name)
        found["runs"] = any(member.runs for member in members if member.name == name)
        found["changes"] = differences(params["configuration"], asking.configuration(url))
    except PatroniError as exc:
        found["problem"] = str(exc)
    describe = str(params["describe"]).split()
    return {
        **found,
        "loaded": is_current(str(params["loaded"]), *describe, "loaded"),
        "current": is_current(str(params["started"]), *describe, "started"),
    }
