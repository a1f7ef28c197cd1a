# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether this node may start: only with the release that the cluster wants."""

from __future__ import annotations

import time
import typing as t

from . import database_restore
from . import lease as leases

Record = t.Mapping[str, t.Any]


def refusal(applied: str | None, record: Record | None, cluster: str, node: str, now: float | None = None) -> str:
    """Why the node must not start and what to run; empty when it may."""
    run = f"Run: ansible-playbook ivy.cluster.site --limit {node or '<this node>'}"
    if not applied:
        return f"No release was ever applied to this node. {run}"
    if record is None:
        return (
            "There is no cluster record, so nobody can say which release the cluster runs. If the file share "
            "is not mounted, run on the node: mount -a. If it is mounted and empty, restore it with: ansible-playbook "
            "ivy.cluster.restore; on a new cluster run: ansible-playbook ivy.cluster.site"
        )
    if cluster and record.get("cluster") and record["cluster"] != cluster:
        return (
            f"The cluster record belongs to cluster {record['cluster']}, this node to {cluster}. Mount the "
            "right file share, "
            "or correct ivy_record_directory."
        )
    since = (record.get("removed") or {}).get(node)
    if since:
        return (
            f"This node was removed from the cluster at {since}. To use it again, add it to the inventory and run: "
            f"ansible-playbook ivy.cluster.add_node -e add_node_names={node}"
        )
    migrating = (record.get("schema") or {}).get("migrating")
    if migrating:
        return (
            f"The system database is being migrated to engine {migrating.get('to')} since {migrating.get('since')}. "
            "The playbook starts the engine afterwards. If it was interrupted, run it again: ansible-playbook "
            "ivy.cluster.upgrade"
        )
    operation = record.get("operation") or {}
    restoring = database_restore.of(operation)
    if restoring and not restoring.get("restored"):
        # A restore of a backup may have taken it over. The record is data of the engine's account.
        name = "restore" if operation.get("name") == "restore" else database_restore.OPERATION
        # PostgreSQL may answer by itself before, and is then restored once more.
        return (
            f"The system database is being restored since {operation.get('since')}. The playbook starts the engine "
            "afterwards. If it was interrupted, run the same command again: "
            f"ansible-playbook ivy.cluster.{name}"
        )
    desired = record.get("desired_release")
    if applied == desired:
        return ""
    if not desired:
        return (
            f"This node has release {applied}, but the cluster record names none: it is new, or was replaced. {run} "
            "(without --limit if no node was brought up to date since)"
        )
    if applied in replaced(record, node):
        if not is_over(record, time.time() if now is None else now):
            return ""
        return (
            f"This node has release {applied}, the cluster wants {desired}. The rollout was left open, and the "
            f"replaced release could start until {record.get('old_releases_until')} only. "
            "Run: ansible-playbook ivy.cluster.site"
        )
    return (
        f"This node has release {applied}, the cluster wants {desired}: the node was away while a change was "
        "rolled out, or "
        f"it was restored from an old image. It must not serve with an old configuration. {run}"
    )


def replaced(record: Record, node: str) -> set[str]:
    """The releases besides the desired one with which the node may start while a rollout is open."""
    if not record.get("operation"):
        return set()
    passed = (record.get("passed") or {}).get(node)
    if passed:
        # It has been through the gate with that release, so an earlier one comes from an old image.
        return {passed}
    return {release for release in (record.get("previous_release"), *(record.get("allowed_releases") or [])) if release}


def is_over(record: Record, now: float) -> bool:
    """Whether the time of the replaced releases has ended. Without a node on the desired one, only they can serve."""
    until = record.get("old_releases_until")
    if not until or record.get("desired_release") not in (record.get("passed") or {}).values():
        return False
    return now > leases.seconds(until)
