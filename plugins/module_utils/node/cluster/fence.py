# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether this node may start: only with the release that the cluster wants."""

from __future__ import annotations

import typing as t


def refusal(applied: str | None, record: t.Mapping[str, t.Any] | None, cluster: str, node: str) -> str:
    """Why the node must not start and what to run; empty when it may."""
    run = f"Run: ansible-playbook ivy.cluster.site --limit {node or '<this node>'}"
    if not applied:
        return f"No release was ever applied to this node. {run}"
    if record is None:
        return (
            "There is no cluster record, so nobody can say which release the cluster runs. Make sure that "
            "the file share "
            "is mounted; on a new cluster run: ansible-playbook ivy.cluster.site"
        )
    if cluster and record.get("cluster") and record["cluster"] != cluster:
        return (
            f"The cluster record belongs to cluster {record['cluster']}, this node to {cluster}. Mount the "
            "right file share, "
            "or correct ivy_record_directory."
        )
    desired = record.get("desired_release")
    if applied == desired:
        return ""
    if not desired:
        return (
            f"This node has release {applied}, but the cluster record names none: it is new, or was replaced. {run} "
            "(without --limit if no node was brought up to date since)"
        )
    if record.get("operation"):
        allowed = [record.get("previous_release"), *(record.get("allowed_releases") or [])]
        if applied in allowed:
            return ""
    return (
        f"This node has release {applied}, the cluster wants {desired}: the node was away while a change was "
        "rolled out, or "
        f"it was restored from an old image. It must not serve with an old configuration. {run}"
    )
