# Copyright: the ivy.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The load balancer, as a browser uses it."""

from __future__ import annotations

from ansible_collections.ivy.cluster.plugins.plugin_utils.common import maintenance
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.commands import command
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.text import listed
from ansible_collections.ivy.cluster.plugins.plugin_utils.node.snapshot import Host, Snapshot
from ansible_collections.ivy.cluster.plugins.plugin_utils.verify.checks.results import (
    BALANCER,
    Row,
    failed,
    host_rows,
    passed,
    skipped,
)


def check_balancer(facts: Snapshot) -> list[Row]:
    reached = [facts.hosts[name] for name in facts.balancers if name in facts.hosts and facts.hosts[name].reachable]
    return host_rows(BALANCER, reached, "the responses over TLS", lambda host: _balancer_row(facts, host))


def _balancer_row(facts: Snapshot, balancer: Host) -> Row:
    state = maintenance.of_result(balancer.results.get("balancer"))
    if state is not None:
        return skipped(
            BALANCER,
            balancer.name,
            f"{maintenance.words(state)}: users get the maintenance page. To end it: {command(*maintenance.END)}",
        )
    problems: list[str] = [str(text).rstrip(".") for text in balancer.fact("probe", "problems")]
    probe = balancer.results["probe"]
    reached = list((probe.get("new_users") or {}).get("nodes") or {})
    stayed = list((probe.get("returns") or {}).get("nodes") or {})
    cookie = probe.get("cookie") or {}
    if not reached:
        problems = problems or ["no response through it"]
    else:
        missing = [node.name for node in facts.running if node.name not in reached]
        if missing:
            problems.append(f"no request without a cookie reaches {listed(missing)}")
        if len(stayed) != 1:
            problems.append(f"requests with a cookie reach {listed(stayed) or 'no node'}")
        lacking = [flag for flag, key in (("Secure", "secure"), ("HttpOnly", "http_only")) if not cookie.get(key)]
        if cookie.get("name") and lacking:
            problems.append(f"its cookie {cookie['name']} lacks {listed(lacking)}")
    if problems:
        return failed(
            BALANCER,
            balancer.name,
            "; ".join(problems),
            f"For each node's state in the balancer, run: {command('status')}. If it was changed by hand, restore it: "
            f"{command('site')}",
        )
    return passed(
        BALANCER,
        balancer.name,
        f"TLS is valid; {listed(sorted(reached))} without a cookie, only {listed(stayed)} with {cookie.get('name')} "
        "(Secure, HttpOnly)",
    )
