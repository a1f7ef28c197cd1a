# Copyright: the ivy.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restrictions 3 and 4: every node runs the release of the cluster record, without local changes."""

from __future__ import annotations

from ansible_collections.ivy.cluster.plugins.plugin_utils.common.commands import command
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.text import listed
from ansible_collections.ivy.cluster.plugins.plugin_utils.node.snapshot import Host, Snapshot
from ansible_collections.ivy.cluster.plugins.plugin_utils.verify.checks.results import (
    CONFIGURATION,
    LOCAL_CHANGE,
    Row,
    failed,
    host_rows,
    passed,
    running_rows,
)


def check_configuration(facts: Snapshot) -> list[Row]:
    record, why = facts.record()
    desired = str(record.get("desired_release") or "")
    rows = []
    if not desired:
        rows.append(
            failed(
                CONFIGURATION,
                "cluster record",
                why or "it contains no release yet",
                f"The record is on the file share. To write it, run: {command('site')}",
            )
        )
    return rows + running_rows(
        CONFIGURATION, facts, "the engine", lambda node: _configuration_row(facts, node, desired)
    )


def _configuration_row(facts: Snapshot, node: Host, desired: str) -> Row:
    engine = node.engine
    running = engine.get("running") or {}
    release = str(running.get("release") or "")
    modified = list(running.get("modified") or [])
    problems = []
    if modified:
        problems.append(f"runs with different content in {listed(modified)}")
    reasons = facts.restart_reasons(node)
    if engine.get("restart_required") and (reasons or not engine.get("restart_reasons")):
        reasons = reasons or ["the engine started with a different configuration"]
        problems.append(f"needs a restart: {listed(reasons, 3)}")
    if not release:
        problems = problems or ["does not run a release"]
    elif desired and release != desired:
        problems.append(f"runs release {release[:12]}, the cluster record requires {desired[:12]}")
    if problems:
        return failed(
            CONFIGURATION,
            node.name,
            "; ".join(problems),
            "To apply the cluster's release to the node and restart it if required, run: "
            f"{command('site', '--limit', node.name)}",
        )
    return passed(CONFIGURATION, node.name, f"runs release {release[:12]}, no restart required")


def check_local_change(facts: Snapshot) -> list[Row]:
    return host_rows(LOCAL_CHANGE, facts.reached, "the node's files", _local_change_row)


def _local_change_row(node: Host) -> Row:
    drift = node.fact("scan", "drift")
    if drift:
        return failed(
            LOCAL_CHANGE,
            node.name,
            listed(f"{item['path']} ({item['kind']})" for item in drift),
            "Add the changes that you want to keep to the source. To back up the files in the node's store and restore "
            f"them, run: {command('site')}",
        )
    return passed(LOCAL_CHANGE, node.name, "every managed file is unchanged since the rollout")
