# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The facts of one host, and the limits that they are compared with."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.common.findings import Finding
from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight.model.host_requirements import Plan


@dataclasses.dataclass(frozen=True)
class Limits:
    """Where a finding begins."""

    disk_minimum_mb: int = 512
    disk_wanted_mb: int = 2048
    inodes_minimum: int = 10000
    clock_tolerance: float = 2.0


@dataclasses.dataclass(frozen=True)
class Look:
    """One host. Without an answer, `reason` is the cause in one word and `detail` the message."""

    host: str
    plan: Plan
    reason: str = ""
    detail: str = ""
    # What ivy.cluster.preflight_facts returned.
    seen: dict[str, t.Any] = dataclasses.field(default_factory=dict)
    token: str = ""
    # By how much the host's clock is ahead of the controller's: at least and at most.
    clock: tuple[float, float] = (0.0, 0.0)
    # What ivy.cluster.preflight_connect returned, in the order of the questions; None when it was not asked.
    reached: tuple[str, ...] | None = None
    files: dict[str, t.Any] | None = None

    @property
    def seen_at_all(self) -> bool:
        return not self.reason and bool(self.seen)

    def in_group(self, name: str) -> bool:
        return name in self.plan.groups


Looks = t.Mapping[str, Look]


def looks_from(looked: t.Mapping[str, t.Any], reached: t.Mapping[str, t.Any] | None = None) -> dict[str, Look]:
    """The inspected hosts; a host that this run leaves out has neither an answer nor a reason."""
    found = {}
    for host, answer in looked.items():
        if not isinstance(answer, dict) or "plan" not in answer:
            continue
        other = (reached or {}).get(host) or {}
        found[host] = Look(
            host=host,
            plan=Plan.from_dict(answer["plan"]),
            reason=str(answer.get("reason", "")),
            detail=str(answer.get("detail", "")),
            seen=dict(answer.get("seen") or {}),
            token=str(answer.get("token", "")),
            clock=(float(answer["clock"][0]), float(answer["clock"][1])) if answer.get("clock") else (0.0, 0.0),
            reached=tuple(other["targets"]) if "targets" in other else None,
            files=dict(other["files"]) if "files" in other else None,
        )
    return found


def merged(findings: t.Iterable[Finding]) -> list[Finding]:
    """Merges equal findings of several hosts into one that names all hosts and keeps the details of each."""
    groups: dict[Finding, list[Finding]] = {}
    for finding in findings:
        groups.setdefault(dataclasses.replace(finding, subject="", details=()), []).append(finding)
    return [
        dataclasses.replace(
            alike,
            subject=", ".join(dict.fromkeys(finding.subject for finding in members)),
            details=tuple(detail for finding in members for detail in finding.details),
        )
        for alike, members in groups.items()
    ]
