# Copyright: the ivy.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The members of the database as Patroni lists them: the primary, the replicas, and what may be lost next."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.common import answers
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.text import count, listed, plain_text
from ansible_collections.ivy.cluster.plugins.plugin_utils.node.snapshot import FactError, Host, Result, Snapshot

_MEMBER = {"name": str, "role": str, "state": str, "leads": bool, "synchronous": bool, "runs": bool}


@dataclasses.dataclass(frozen=True)
class Members:
    """The list of the member that was asked, and why no other one could be."""

    names: t.Sequence[str]
    members: t.Sequence[Result]
    problem: str = ""

    @property
    def primary(self) -> str:
        return next((str(one["name"]) for one in self.members if one["leads"]), "")

    @property
    def synchronous(self) -> list[str]:
        return [str(one["name"]) for one in self.members if one["synchronous"] and one["runs"]]

    @property
    def running(self) -> list[str]:
        return [str(one["name"]) for one in self.members if one["runs"]]


def _list(host: Host) -> list[Result]:
    found = host.fact("patroni", "member")
    try:
        answers.check(found, {"members": [dict], "answers": bool, "problem": str})
        for one in found["members"]:
            answers.check(one, _MEMBER)
    except ValueError as exc:
        raise FactError(f"its answer is invalid ({exc})") from exc
    if not found["members"]:
        raise FactError(found["problem"] or "it lists no member")
    return list(found["members"])


def gather(facts: Snapshot) -> Members:
    problem = "no database server of this run answers"
    for name in facts.patroni_members:
        host = facts.hosts.get(name)
        if host is None or not host.reachable:
            continue
        try:
            return Members(list(facts.patroni_members), _list(host))
        except FactError as exc:
            problem = plain_text(f"Patroni on {name}: {exc}")
    return Members(list(facts.patroni_members), [], problem)


def described(found: Members) -> str:
    """One line for status."""
    if found.problem:
        return f"UNKNOWN: {found.problem}"
    if not found.primary:
        return "NO PRIMARY"
    replicas = [_replica(one) for one in found.members if not one["leads"]]
    text = f"primary {found.primary}; {listed(replicas) if replicas else 'no replica'}"
    return plain_text(f"{text}; {next_loss(found)}")


def _replica(member: Result) -> str:
    lag = member.get("lag")
    behind = f", {lag} bytes behind" if isinstance(lag, int) and lag > 0 else ""
    if not member["runs"]:
        return f"{member['name']} NOT RUNNING ({member['state']})"
    return f"{member['name']} {'synchronous' if member['synchronous'] else 'asynchronous'}{behind}"


def next_loss(found: Members) -> str:
    """What the loss of one more host would mean."""
    missing = [name for name in found.names if name not in found.running]
    text = f"missing: {listed(missing)}; " if missing else ""
    spare = len(found.running) - 1
    if spare < 1:
        return f"{text}NO SERVER MAY BE LOST"
    if not found.synchronous:
        return f"{text}WITH THE PRIMARY, ITS LAST CHANGES WOULD BE LOST"
    return f"{text}{count(spare, 'more server')} may be lost"


def problems(found: Members) -> dict[str, str]:
    """What verify reports, by the name of the member; the whole database has no name."""
    if found.problem or not found.primary:
        return {"": found.problem or "there is no primary"}
    listed_names = [str(one["name"]) for one in found.members]
    wrong = {name: "not a member of the database cluster" for name in found.names if name not in listed_names}
    wrong.update({str(one["name"]): f"not running ({one['state']})" for one in found.members if not one["runs"]})
    if len(found.names) > 1 and not found.synchronous:
        wrong.setdefault(found.primary, "no replica is synchronous, so its last changes would be lost with it")
    return wrong
