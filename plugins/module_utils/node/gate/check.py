# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gate: the checks that a node must pass before a rollout continues with the next one."""

from __future__ import annotations

import time
import typing as t

from ..config.view import Settings
from . import state
from .state import Scope

# An engine that fails at its start does so within the first moments. An older process counts as stable at once.
_STABLE_AGE = 3.0
_INTERVAL = 0.5
# systemd restarts the engine without limit. After this many failures in a row, waiting is pointless.
_MAX_FAILURES = 3


class Gate:
    """Evaluates the checks in rounds. A connection that was found once counts; the rest must hold in the last round."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.pid: int | None = None
        self.connected: set[str] = set()

    def problems(self, facts: dict[str, t.Any]) -> list[dict[str, str]]:
        found: list[tuple[str, str]] = []
        unit = facts["unit"]
        if unit["active"] != "active" or not facts["process"]:
            reason = (facts.get("start") or {}).get("reason")
            suffix = f": {reason}" if reason else ""
            found.append(("process", f"the unit is {unit['active']} ({unit['sub']}){suffix}"))
        elif facts["age"] < _STABLE_AGE or (self.pid is not None and self.pid != unit["main_pid"]):
            found.append(("process", "the process is not stable yet"))
        self.pid = unit["main_pid"] or self.pid
        if facts["health"] is not None and not facts["health"]["ok"]:
            found.append(("health", facts["health"]["reason"]))
        if self.scope.configuration:
            found.extend(("configuration", text) for text in self._configuration(facts))
        if facts["peers"] is not None and facts["peers"]["missing"]:
            found.append(("peers", f"no connection to {', '.join(facts['peers']['missing'])}, although reachable"))
        for name, service in (("database", self.scope.database), ("search", self.scope.search)):
            if service is None:
                continue
            if facts[f"{name}_connections"]:
                self.connected.add(name)
            elif name not in self.connected:
                found.append((name, f"no connection to {service['address']}:{service['port']}"))
        return [{"check": check, "reason": reason} for check, reason in found]

    @staticmethod
    def _configuration(facts: dict[str, t.Any]) -> list[str]:
        if facts["applied"] is None:
            return ["no release is applied"]
        running = facts["running"] or {}
        if facts["restart_required"]:
            return [
                f"the running configuration differs from the applied release: {'; '.join(facts['restart_reasons'])}"
            ]
        if running.get("modified"):
            return [f"changed since the release was applied: {', '.join(running['modified'])}"]
        if facts["process"] and running.get("release") != facts["applied"]:
            return [f"release {running.get('release')} runs, {facts['applied']} is applied"]
        return []


def _has_given_up(facts: t.Mapping[str, t.Any]) -> bool:
    start = facts.get("start") or {}
    return facts["unit"]["active"] == "failed" or int(start.get("failures") or 0) >= _MAX_FAILURES


def wait_until_ready(
    settings: Settings, store: str, scope: Scope, seconds: float
) -> tuple[dict[str, t.Any], list[dict[str, str]], float]:
    """Repeat the checks until all hold or the time is over; ends at once if the unit or the engine has given up.

    Returns the facts, the problems and the seconds that it took.
    """
    gate = Gate(scope)
    start = time.monotonic()
    while True:
        facts = state.gather(settings, store, scope)
        problems = gate.problems(facts)
        waited = time.monotonic() - start
        if not problems or waited >= seconds or _has_given_up(facts):
            return facts, problems, waited
        time.sleep(_INTERVAL)


def failure(problems: t.Sequence[t.Mapping[str, str]], seconds: float) -> str:
    """The message of a gate that was not passed."""
    reasons = "; ".join(f"{problem['check']}: {problem['reason']}" for problem in problems)
    return (
        f"The engine did not pass the gate within {seconds:.0f} seconds: {reasons}. "
        "The last lines of its logs are in log_tail."
    )
