# Copyright: the ivy.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The members of etcd as a run found them: which are healthy, and how many more the cluster can lose."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.common.text import count, listed, plain_text
from ansible_collections.ivy.cluster.plugins.plugin_utils.node.snapshot import FactError, Host, Result, Snapshot


@dataclasses.dataclass(frozen=True)
class Quorum:
    """The healthy members of this run, and what is wrong with each of the others."""

    members: t.Sequence[str]
    healthy: t.Sequence[str]
    problems: t.Mapping[str, str]
    leader: str = ""
    unknown: t.Sequence[str] = ()

    @property
    def needed(self) -> int:
        return len(self.members) // 2 + 1

    @property
    def spare(self) -> int:
        """How many of the healthy members may be lost; negative without a majority."""
        return len(self.healthy) - self.needed


def member(host: Host) -> Result:
    found: Result = host.fact("etcd", "member")
    return found


def problem(host: Host) -> str:
    """What is wrong with a member; empty if it is healthy."""
    if not host.reachable:
        return f"not reachable: {host.why}"
    try:
        state = member(host)
    except FactError as exc:
        return f"etcd could not be inspected: {exc}"
    if state.get("has_data") is not True:
        return "no data"
    if state.get("healthy") is not True:
        return "not healthy"
    errors = (state.get("status") or {}).get("errors") or []
    return plain_text(f"alarm: {listed(map(str, errors))}") if errors else ""


def gather(facts: Snapshot) -> Quorum:
    present = {name: facts.hosts[name] for name in facts.etcd_members if name in facts.hosts}
    problems = {name: found for name, host in present.items() if (found := problem(host))}
    healthy = [name for name in present if name not in problems]
    leaders = [name for name in healthy if (member(present[name]).get("status") or {}).get("leads") is True]
    unknown = [name for name in facts.etcd_members if name not in present]
    return Quorum(list(facts.etcd_members), healthy, problems, leaders[0] if leaders else "", unknown)


def described(found: Quorum) -> str:
    """One line for status."""
    text = f"{len(found.healthy)} of {count(len(found.members), 'member')} healthy"
    if found.leader:
        text += f", leader {found.leader}"
    if found.unknown:
        return f"{text}; not part of this run (--limit): {listed(found.unknown)}"
    if found.spare > 0:
        text += f"; {count(found.spare, 'more member')} may be lost"
    else:
        text += "; NO MEMBER MAY BE LOST" if found.spare == 0 else "; NO MAJORITY"
    return text + "".join(f"; {name}: {why}" for name, why in found.problems.items())
