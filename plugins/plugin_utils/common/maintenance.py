# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The maintenance of the whole service, from what each balancer answers, for reports."""

from __future__ import annotations

import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.common.commands import command
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.text import count, listed, plain_text

END = ("maintenance", "-e", "maintenance_state=off")
_SHOWN = 5


def of_result(result: t.Any) -> dict[str, t.Any] | None:
    """The maintenance in a result of balancer_info; None if there is none."""
    found = result.get("maintenance") if isinstance(result, t.Mapping) else None
    return dict(found) if isinstance(found, t.Mapping) and found.get("active") is True else None


def words(state: t.Mapping[str, t.Any]) -> str:
    """Since when, and who gets through."""
    since = plain_text(str(state.get("since") or "an unknown time"))[:40]
    sources = state.get("allowed_sources")
    through = [plain_text(str(source))[:80] for source in sources] if isinstance(sources, list) else []
    return f"IN MAINTENANCE since {since}" + (f", only {listed(through, _SHOWN)} get through" if through else "")


def of_cluster(states: t.Mapping[str, t.Mapping[str, t.Any] | None]) -> str:
    """The state of all balancers that answered, by name; empty if none is in maintenance."""
    active = {name: state for name, state in states.items() if state is not None}
    if not active:
        return ""
    found: dict[str, list[str]] = {}
    for name, state in active.items():
        found.setdefault(words(state), []).append(name)
    parts = [f"{text} ({listed(names)})" for text, names in found.items()]
    others = [name for name in states if name not in active]
    if others:
        parts.append(f"NOT ON {listed(others)}, where users are served")
    return f"{'; '.join(parts)}; to end it: {command(*END)}"


def of_loop(results: t.Iterable[t.Mapping[str, t.Any]]) -> str:
    """The same from the results of balancer_info or balancer_maintenance in a loop over the balancers."""
    return of_cluster(
        {
            plain_text(str(result.get(result.get("ansible_loop_var", "item"), "")))[:200]: of_result(result)
            for result in results
        }
    )


def counted(closed: t.Iterable[t.Mapping[str, t.Any]]) -> str:
    """What was closed at the deadline on all balancers; empty if nothing was."""
    totals = {"requests": 0, "websockets": 0}
    for item in closed:
        for name in totals:
            number = item.get(name) if isinstance(item, t.Mapping) else 0
            totals[name] += number if isinstance(number, int) else 0
    parts = [count(totals["requests"], "request")] if totals["requests"] else []
    parts += [count(totals["websockets"], "WebSocket")] if totals["websockets"] else []
    return " and ".join(parts)
