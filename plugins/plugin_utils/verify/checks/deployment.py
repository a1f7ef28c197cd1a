# Copyright: the ivy.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restriction 5: nothing was deployed while the engine ran."""

from __future__ import annotations

import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.common.commands import command
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.text import count, listed
from ansible_collections.ivy.cluster.plugins.plugin_utils.node.snapshot import FactError, Host, Result, Snapshot
from ansible_collections.ivy.cluster.plugins.plugin_utils.verify.checks.results import (
    DEPLOYMENT,
    Row,
    failed,
    host_rows,
    passed,
)

# An engine deploys artefacts after its start has completed; on a busy host that takes minutes.
DEPLOYMENT_GRACE = 900


def check_deployment(facts: Snapshot) -> list[Row]:
    placed: dict[str, t.Mapping[str, str]] = {}
    for node in facts.reached:
        found = _placed(node)
        if found is not None:
            placed[node.name] = found
    return host_rows(DEPLOYMENT, facts.reached, "its deployments", lambda node: _deployment_row(facts, node, placed))


def _placed(node: Host) -> t.Mapping[str, str] | None:
    try:
        found: t.Mapping[str, str] = node.fact("deployments", "placed")
    except FactError:
        return None
    return found


def _deployment_row(facts: Snapshot, node: Host, placed: t.Mapping[str, t.Mapping[str, str]]) -> Row:
    artefacts: list[Result] = node.fact("deployments", "artefacts")
    own: t.Mapping[str, str] = node.fact("deployments", "placed")
    started = float(node.fact("deployments", "started") or 0)
    problems = [text for item in artefacts if (text := _artefact_problem(facts, item, own, started))]
    # With deployment at run time, one node deploys for all, and the others have nothing in their own deploy/.
    for other, theirs in ({} if facts.runtime_deployment else placed).items():
        differing = sorted(name for name in {*theirs, *own} if theirs.get(name) != own.get(name))
        if differing:
            problems.append(f"{listed(differing)} differs from {other}")
            break
    if problems:
        return failed(
            DEPLOYMENT,
            node.name,
            "; ".join(problems),
            "Remove the unexpected files from deploy/ and their applications from the engine. To deploy an "
            f"application, add it to engine_applications{'' if facts.runtime_deployment else ', stop the engines'} "
            f"and run: {command('site')}",
        )
    if not artefacts:
        return passed(DEPLOYMENT, node.name, "nothing was deployed through deploy/")
    names = listed(sorted({item["name"] for item in artefacts}))
    where = "for all nodes" if facts.runtime_deployment else "equal on all nodes, deployed at the start"
    return passed(DEPLOYMENT, node.name, f"{names} as placed by the collection, {where}")


def _artefact_problem(facts: Snapshot, item: Result, placed: t.Mapping[str, str], started: float) -> str:
    name, state = item["name"], item["state"]
    if state == "failed":
        return f"{name} failed to deploy"
    if state == "pending":
        return f"{name} is waiting to be deployed"
    if name not in placed:
        return f"{name} was deployed by hand"
    if item["sha256"] != placed[name]:
        return f"{name} differs from the file that the collection placed"
    late = float(item["time"]) - started
    if started and late > DEPLOYMENT_GRACE and not facts.runtime_deployment:
        return f"{name} was deployed {count(int(late // 60), 'minute')} after the engine's start"
    return ""
