# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One node's state for people, gates and reports: read only, and never an error where nothing is installed yet."""

from __future__ import annotations

import collections
import contextlib
import os
import subprocess
import time
import typing as t

from ..config.run import Request, Run
from ..config.view import Settings, View
from ..engine import health, licence, run_state, sockets, start_state
from ..engine.unit import Unit, show
from ..files.atomic import Tree
from ..files.errors import NodeError
from ..store.store import Store, timestamp

# An engine that fails at its start does so within the first moments; older processes count as stable at once.
_STABLE_AGE = 3.0
_POLL = 0.5
_TAIL = 25
# An engine that ended as often soon after its start has a reason for that; systemd tries again without end.
_TOO_OFTEN = 3


def _request(settings: Settings, store: str) -> Request:
    return Request(
        state="applied",
        release="",
        manifest_digest="",
        settings=settings,
        store=store,
        node_files=None,
        on_drift="overwrite",
        keep_releases=1,
        keep_backups=1,
        check=True,
        diff=False,
        judge=False,
        manifest=None,
        blobs={},
        verdicts={},
    )


def configuration(settings: Settings, store_path: str, unit: Unit) -> dict[str, t.Any]:
    """What is applied, what runs, and whether a restart is due."""
    nothing: dict[str, t.Any] = {
        "applied": None,
        "running": None,
        "restart_required": False,
        "restart_reasons": [],
        "interrupted": False,
        "installed_version": None,
    }
    with Store(store_path) as store, View(settings, store, must_exist=False) as view:
        installed = view.trees["engine"].read("bin/AxonIvyEngine") is not None
        baseline = (
            store.baseline(view.engine_directory, os.path.basename(view.engine_directory))
            if store.tree.exists
            else None
        )
        if installed:
            nothing["installed_version"] = (baseline or {}).get("engine_version") or os.path.basename(
                view.engine_directory
            )
        run = Run(_request(settings, store_path), store, view, unit)
        nothing["interrupted"] = bool(run.intent) and not store.busy()
        if not run.applied.get("release"):
            return nothing
        run.observe(None, dict(run.applied.get("node_files") or {}))
        verdict = run.verdict(run.applied_manifest, run.scene.files, run.before, run.applied_nodes, view.java_home())
        return {
            **nothing,
            "applied": run.applied.get("release"),
            "running": verdict.running,
            "restart_required": verdict.restart_required,
            "restart_reasons": verdict.reasons,
        }


def process(pid: int, proc: str = "/proc") -> dict[str, t.Any] | None:
    """Identity of the engine's process, and since when it lives."""
    try:
        with open(f"{proc}/{pid}/stat", encoding="utf-8", errors="replace") as stream:
            ticks = int(stream.read().rsplit(")", 1)[1].split()[19])
        with open(f"{proc}/uptime", encoding="ascii") as stream:
            uptime = float(stream.read().split()[0])
    except (OSError, IndexError, ValueError):
        return None
    age = uptime - ticks / os.sysconf("SC_CLK_TCK")
    return {"pid": pid, "start_time": timestamp(round(time.time() - age)), "age": age}


def deployments(directory: str) -> dict[str, list[str]]:
    """The markers beside the artefacts in the deploy directory."""
    out: dict[str, list[str]] = {"deployed": [], "failed": [], "pending": []}
    tree = Tree(directory)
    try:
        if not tree.exists:
            return out
        for base, _directories, names in os.walk(directory):
            for name in names:
                path = os.path.relpath(os.path.join(base, name), directory)
                stem, ending = os.path.splitext(path)
                if ending == ".deployed":
                    out["deployed"].append(stem)
                elif ending == ".notDeployed":
                    out["failed"].append(stem)
                elif ending in (".zip", ".iar"):
                    out["pending"].append(path)
    finally:
        tree.close()
    return {name: sorted(values) for name, values in out.items()}


class Wanted(t.NamedTuple):
    """What of the engine's surroundings to look at; None leaves a part out."""

    http_port: int
    host_header: str
    health: dict[str, t.Any] | None
    jgroups: dict[str, t.Any] | None
    database: dict[str, t.Any] | None
    search: dict[str, t.Any] | None
    deploy_directory: str
    configuration: bool = True
    run_directory: str = run_state.RUN_DIRECTORY


_START = ("state", "reason", "since", "failures")


def state(settings: Settings, store: str, wanted: Wanted) -> dict[str, t.Any]:
    """Everything there is to know at this moment."""
    unit = show(settings.unit)
    facts = configuration(settings, store, unit)
    running = process(unit.main_pid) if unit.running and unit.main_pid else None
    mine = sockets.of_process(unit.main_pid) if running else []
    age = running.pop("age") if running else 0.0
    facts["unit"] = {
        "known": unit.known,
        "active": unit.active,
        "sub": unit.sub,
        "main_pid": unit.main_pid or None,
        "since": unit.since or None,
        "restarts": unit.restarts,
        "need_daemon_reload": unit.need_reload,
        "result": unit.result,
        "exit_status": unit.exit_status,
    }
    begun = start_state.read(wanted.run_directory)
    facts["start"] = None if begun is None else {name: getattr(begun, name) for name in _START}
    facts["process"] = running
    facts["age"] = age
    facts["health"] = None
    if wanted.health is not None:
        answer = health.Health(0, False, "the engine does not run")
        if running:
            answer = health.check(
                wanted.http_port,
                str(wanted.health.get("path") or "/"),
                wanted.host_header,
                wanted.health.get("reject") or (),
            )
        facts["health"] = {"status": answer.status, "ok": answer.ok, "reason": answer.reason}
    facts["peers"] = None
    if wanted.jgroups is not None:
        ring = wanted.jgroups.get("transport") == "multicast"
        port = int(wanted.jgroups["fd_port" if ring else "port"])
        seen = sockets.peers(mine, wanted.jgroups.get("peers") or (), port, ring)
        facts["peers"] = {
            "connected": seen.connected,
            "expected_reachable": seen.expected_reachable,
            "missing": seen.missing,
        }
    for name, place in (("database", wanted.database), ("search", wanted.search)):
        facts[f"{name}_connections"] = (
            sockets.established(mine, str(place["address"]), int(place["port"])) if place is not None else None
        )
    facts["licence"] = licence.found_in(settings.roots["engine"])
    directory = wanted.deploy_directory or os.path.join(settings.roots["engine"], "deploy")
    facts["deployments"] = deployments(directory)
    return facts


class Gate:
    """The hard check, over several looks: what must be seen once stays seen, what must hold must hold at the end."""

    def __init__(self, wanted: Wanted) -> None:
        self.wanted = wanted
        self.pid: int | None = None
        self.seen: set[str] = set()

    def problems(self, facts: dict[str, t.Any]) -> list[dict[str, str]]:
        found: list[tuple[str, str]] = []
        unit = facts["unit"]
        if unit["active"] != "active" or not facts["process"]:
            why = (facts.get("start") or {}).get("reason")
            found.append(("process", f"the unit is {unit['active']} ({unit['sub']}){f': {why}' if why else ''}"))
        elif facts["age"] < _STABLE_AGE or (self.pid is not None and self.pid != unit["main_pid"]):
            found.append(("process", "the process is not stable yet"))
        self.pid = unit["main_pid"] or self.pid
        if facts["health"] is not None and not facts["health"]["ok"]:
            found.append(("health", facts["health"]["reason"]))
        if self.wanted.configuration:
            found.extend(("configuration", text) for text in self._configuration(facts))
        if facts["peers"] is not None and facts["peers"]["missing"]:
            found.append(
                ("peers", f"not connected with {', '.join(facts['peers']['missing'])}, although they can be reached")
            )
        for name, place in (("database", self.wanted.database), ("search", self.wanted.search)):
            if place is None:
                continue
            if facts[f"{name}_connections"]:
                self.seen.add(name)
            elif name not in self.seen:
                found.append((name, f"no connection to {place['address']}:{place['port']}"))
        return [{"check": check, "reason": reason} for check, reason in found]

    @staticmethod
    def _configuration(facts: dict[str, t.Any]) -> list[str]:
        if facts["applied"] is None:
            return ["no release is applied"]
        running = facts["running"] or {}
        if facts["restart_required"]:
            return [f"the engine runs with something else than what is applied: {'; '.join(facts['restart_reasons'])}"]
        if running.get("modified"):
            return [f"not as in the release: {', '.join(running['modified'])}"]
        if facts["process"] and running.get("release") != facts["applied"]:
            return [f"release {running.get('release')} runs, {facts['applied']} is applied"]
        return []


def _given_up(facts: t.Mapping[str, t.Any]) -> bool:
    start = facts.get("start") or {}
    return facts["unit"]["active"] == "failed" or int(start.get("failures") or 0) >= _TOO_OFTEN


def gate(
    settings: Settings, store: str, wanted: Wanted, seconds: float
) -> tuple[dict[str, t.Any], list[dict[str, str]], float]:
    """Look until everything holds or time is over; a unit or an engine that has given up ends the wait at once."""
    check = Gate(wanted)
    start = time.monotonic()
    while True:
        facts = state(settings, store, wanted)
        problems = check.problems(facts)
        waited = time.monotonic() - start
        if not problems or waited >= seconds or _given_up(facts):
            return facts, problems, waited
        time.sleep(_POLL)


def log_tail(settings: Settings) -> list[str]:
    """The last lines that systemd and the engine wrote."""
    lines: list[str] = []
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        done = subprocess.run(
            ["journalctl", "--no-pager", "-q", "-o", "cat", "-n", str(_TAIL), "-u", settings.unit],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
            check=False,
            timeout=20,
        )
        lines.extend(done.stdout.decode("utf-8", "replace").splitlines())
    tree = Tree(settings.roots["engine"])
    try:
        for name in ("logs/console.log", "logs/ivy.log"):
            with contextlib.suppress(OSError, NodeError):
                read = tree.read(name)
                if read is not None:
                    text = read[0][-65536:].decode("utf-8", "replace")
                    last = collections.deque(text.splitlines(), maxlen=_TAIL)
                    if last and list(last) != lines[-len(last) :]:
                        lines.append(f"--- {name}")
                        lines.extend(last)
    finally:
        tree.close()
    return [line[:500] for line in lines]


__all__ = ["Gate", "Wanted", "configuration", "gate", "log_tail", "run_state", "state"]
