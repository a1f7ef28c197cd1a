# Copyright: the ivy.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one node writes, the others read: on the file share and through an application."""

from __future__ import annotations

from ansible_collections.ivy.cluster.plugins.plugin_utils.common.text import listed
from ansible_collections.ivy.cluster.plugins.plugin_utils.node.snapshot import FactError, Host, Snapshot
from ansible_collections.ivy.cluster.plugins.plugin_utils.verify.checks.results import (
    APPLICATION,
    SHARE,
    Row,
    failed,
    host_rows,
    passed,
    running_rows,
    skipped,
)


def check_share(facts: Snapshot) -> list[Row]:
    if facts.check_mode:
        return [skipped(SHARE, "all nodes", "check mode writes nothing")] if facts.reached else []
    return host_rows(SHARE, facts.reached, "the share", lambda node: _share_row(facts, node))


def _share_row(facts: Snapshot, node: Host) -> Row:
    fix = "Check that every node mounts the same file system and that the engine's user (uid and gid) can write there."
    try:
        node.fact("share_write", "written")
    except FactError as exc:
        return failed(SHARE, node.name, f"the engine's user cannot write: {exc}", fix)
    same = {str(item["name"]) for item in node.fact("share_read", "files") if item["same"]}
    missing = [peer.name for peer in facts.reached if peer.name not in same]
    if missing:
        return failed(SHARE, node.name, f"cannot read the file written on {listed(missing)}", fix)
    others = [peer.name for peer in facts.reached if peer.name != node.name]
    if not others:
        return skipped(SHARE, node.name, "reads its own file; no other node is in this run")
    return passed(SHARE, node.name, f"reads the files of {listed(others)}")


def check_application(facts: Snapshot) -> list[Row]:
    if not facts.application_checked:
        return [skipped(APPLICATION, "all nodes", "verify_application is not set")] if facts.reached else []
    if facts.check_mode:
        return [skipped(APPLICATION, "all nodes", "check mode writes nothing")] if facts.reached else []
    return running_rows(APPLICATION, facts, "the application", lambda node: _application_row(facts, node))


def _application_row(facts: Snapshot, node: Host) -> Row:
    fix = "See the engine's log on this node, and restrictions 1 and 2 above."
    for answer in node.fact("application_write", "answers"):
        if not answer["ok"]:
            return failed(APPLICATION, node.name, f"does not store: {answer['problem']}", fix)
    failures = [
        f"{answer['name']}: {answer['problem']}"
        for answer in node.fact("application_read", "answers")
        if not answer["ok"]
    ]
    if failures:
        return failed(APPLICATION, node.name, listed(failures, 3), fix)
    others = [peer.name for peer in facts.running if peer.name != node.name]
    if not others:
        return skipped(APPLICATION, node.name, "finds its own entry; no other node is in this run")
    return passed(APPLICATION, node.name, f"reads and finds the entries of {listed(others)}")
