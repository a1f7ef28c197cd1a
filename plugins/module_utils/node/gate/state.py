# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gathers the state of the engine on one node. Read only; a host without an engine is not an error."""

from __future__ import annotations

import os
import platform
import time
import typing as t

from ..config.context import open_context
from ..config.decision import current_run_state
from ..config.node_state import inspect_node
from ..config.request import Request
from ..config.view import Settings, View
from ..engine import deploy_directory, health, licence, run_state, sockets, start_state
from ..engine.unit import Unit, show
from ..store.store import Store, timestamp


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
    """The applied and the running release, and whether a restart is required."""
    result: dict[str, t.Any] = {
        "applied": None,
        "applied_version": None,
        "running": None,
        "restart_required": False,
        "restart_reasons": [],
        "restart_undecided": {},
        "interrupted": False,
        "installed_version": None,
        "shipped_jvm_options": None,
    }
    with Store(store_path) as store, View(settings, store, must_exist=False) as view:
        installed = view.trees["engine"].read("bin/AxonIvyEngine") is not None
        baseline = (
            store.baseline(view.engine_directory, os.path.basename(view.engine_directory))
            if store.tree.exists
            else None
        )
        if installed:
            result["installed_version"] = (baseline or {}).get("engine_version") or os.path.basename(
                view.engine_directory
            )
        result["shipped_jvm_options"] = _shipped_text(store, baseline, "configuration/jvm.options")
        context = open_context(_request(settings, store_path), store, view, unit)
        result["interrupted"] = context.interrupted and not store.busy()
        if not context.recorded.release:
            return result
        inspection = inspect_node(context, None, context.recorded.node_files)
        state = current_run_state(context, inspection)
        return {
            **result,
            "applied": context.recorded.applied.get("release"),
            "applied_version": inspection.applied_manifest.engine_version if inspection.applied_manifest else None,
            "running": state.running,
            "restart_required": state.restart_required,
            "restart_reasons": state.reasons,
            "restart_undecided": dict(state.undecided),
        }


def _shipped_text(store: Store, baseline: dict[str, t.Any] | None, path: str) -> str | None:
    """The vendor's content of a file that the cluster replaces; None if it is not known."""
    item = (baseline or {}).get("files", {}).get(path)
    data = store.blob_if_sound(str(item["sha256"])) if item else None
    return None if data is None else data.decode("utf-8", "replace")


def process(pid: int, proc: str = "/proc") -> dict[str, t.Any] | None:
    """Identity and start time of a process; None if it does not run."""
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
    """The artefacts in the deploy directory by state, from the endings that the engine adds."""
    out: dict[str, list[str]] = {"deployed": [], "failed": [], "pending": []}
    for file in deploy_directory.files(directory):
        stem, ending = os.path.splitext(file.path)
        if ending == ".deployed":
            out["deployed"].append(stem)
        elif ending == ".notDeployed":
            out["failed"].append(stem)
        elif ending in (".zip", ".iar"):
            out["pending"].append(file.path)
    return {name: sorted(values) for name, values in out.items()}


class Scope(t.NamedTuple):
    """The parts of the engine's environment to inspect. None leaves a part out."""

    http_port: int
    host_header: str
    health: dict[str, t.Any] | None
    jgroups: dict[str, t.Any] | None
    database: dict[str, t.Any] | None
    search: dict[str, t.Any] | None
    configuration: bool = True
    run_directory: str = run_state.RUN_DIRECTORY


def _not_its_port(others: t.Sequence[str], port: int) -> str:
    """Why an answer on the HTTP port is not the engine's; empty if no other process listens there."""
    if not others:
        return ""
    return f"port {port} is held by {', '.join(others)}, which is not the engine. Stop it, or change ivy_http_port."


def _health(scope: Scope, definition: t.Mapping[str, t.Any], runs: bool, listens: bool, taken: str) -> health.Health:
    """The health of the engine itself, not of another program on its port."""
    if not runs:
        return health.Health(0, False, f"the engine does not run{'; ' if taken else ''}{taken}")
    if not listens:
        return health.Health(0, False, taken or f"the engine does not listen on port {scope.http_port}")
    return health.check(scope.http_port, scope.host_header, definition)


_START = ("state", "reason", "since", "failures")


def gather(settings: Settings, store: str, scope: Scope) -> dict[str, t.Any]:
    """The current state of everything in the scope."""
    unit = show(settings.unit)
    facts = configuration(settings, store, unit)
    running = process(unit.main_pid) if unit.running and unit.main_pid else None
    engine_sockets = sockets.of_process(unit.main_pid) if running else []
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
    last_start = start_state.read(scope.run_directory)
    facts["start"] = None
    if last_start is not None:
        failures = start_state.failures_now(last_start, time.time())
        facts["start"] = {**{name: getattr(last_start, name) for name in _START}, "failures": failures}
    facts["process"] = running
    facts["age"] = age
    listens = sockets.listens(engine_sockets, scope.http_port)
    taken = _not_its_port([] if listens else sockets.holders(scope.http_port), scope.http_port)
    facts["port_problem"] = taken
    facts["health"] = None
    if scope.health is not None:
        answer = _health(scope, scope.health, running is not None, listens, taken)
        facts["health"] = {"status": answer.status, "ok": answer.ok, "reason": answer.reason}
    facts["peers"] = None
    if scope.jgroups is not None:
        ring = scope.jgroups.get("transport") == "multicast"
        port = int(scope.jgroups["fd_port" if ring else "port"])
        found = sockets.peers(engine_sockets, scope.jgroups.get("peers") or (), port, ring)
        facts["peers"] = {
            "connected": found.connected,
            "expected_reachable": found.expected_reachable,
            "missing": found.missing,
        }
    for name, service in (("database", scope.database), ("search", scope.search)):
        facts[f"{name}_connections"] = (
            sockets.established(engine_sockets, str(service["address"]), int(service["port"]))
            if service is not None
            else None
        )
    facts["architecture"] = platform.machine()
    facts["licence"] = licence.read_installed(settings.roots["engine"])
    facts["deployments"] = deployments(os.path.join(settings.roots["engine"], "deploy"))
    return facts
