# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compares a node with what was applied to it, each minute between runs, started by a timer.

It uses the code of the modules, but compares exact digests only: YAML with the same meaning and other bytes is a
difference here, because no YAML library is available. Every file is read each time. Inode, size and times identify an
unchanged file only if nobody can set the clock back, and reading is cheap.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
import subprocess
import sys
import time
import typing as t

from ..cluster import fence, record
from ..config.activate import CREATE, DELETE, UPDATE, Action, Executor
from ..config.context import Context, open_context
from ..config.decision import current_run_state, decide
from ..config.describe import drift_to_dict
from ..config.drift import Findings, find_drift
from ..config.inspection import MACROS
from ..config.node_state import Inspection, inspect_node
from ..config.request import Request
from ..config.running_copy import COPY
from ..config.view import View, settings_from
from ..engine import licence, run_state
from ..engine.unit import belongs, show
from ..files import accounts
from ..files.errors import NodeError
from ..files.scan import NODE, Drift, Expected, printable
from ..store.store import Store, read_json_file, timestamp
from . import guard_report
from .guard_report import Attempts, Outcome

# Not the directory of the start check, which is written at each start of the engine.
STATUS_DIRECTORY = "/run/ivy-config-guard"
SETTINGS = "/etc/ivy-cluster/node.json"
REPORT, RESTORE = "report", "restore"
# A program may change a file again and again. Restoring it each time would only fill the backups.
ATTEMPTS = 3
ATTEMPTS_WITHIN = 3600.0
_REWRITING_TIME = 120.0


class Options(t.NamedTuple):
    """The options of the guard."""

    mode: str = REPORT
    settings: str = SETTINGS
    run_directory: str = run_state.RUN_DIRECTORY
    status_directory: str = STATUS_DIRECTORY
    metrics: str = ""
    keep_backups: int = 20


class BusyError(Exception):
    """A run is changing this node, so differences are not drift."""


class Observation(t.NamedTuple):
    """The node as one inspection found it."""

    context: Context
    inspection: Inspection
    findings: Findings


def _accepted_content(store: Store, expected: Expected) -> bytes:
    """The content that was accepted last. The engine would rewrite the release's own bytes, which then differ again."""
    return store.blob(expected.digests[-1])


def _restore_files(observation: Observation, actions: list[Action]) -> str:
    """Restore the applied contents. Returns the directory with the backup of the previous ones."""
    store, view = observation.context.store, observation.context.view
    executor = Executor(store, view.trees, view.owners, lambda expected: _accepted_content(store, expected))
    targets = [action.target for action in actions if action.target is not None and action.action in (CREATE, UPDATE)]
    # Read all content before writing any: a damaged store must not leave half of it.
    sizes = {target.key: len(_accepted_content(store, target)) for target in targets}
    executor.check_space(actions, lambda expected: sizes.get(expected.key, 0))
    backup = executor.backup(actions)
    store.journal("restoring", files=[printable(action.key) for action in actions], backup=backup or None)
    late = executor.run(actions, observation.inspection.scene)
    store.journal(
        "restored", files=[printable(action.key) for action in actions], late=late.paths, backups=late.backups
    )
    return backup


@contextlib.contextmanager
def _shared_lock(store: Store) -> t.Iterator[None]:
    """Exclude activations during an inspection, but not other inspections."""
    try:
        fd = os.open("lock", os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=store.tree.fd)
    except FileNotFoundError:
        # Nothing was ever activated here.
        yield
        return
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError as exc:
            raise BusyError from exc
        yield
    finally:
        os.close(fd)


@contextlib.contextmanager
def _lock(store: Store) -> t.Iterator[None]:
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(store.lock(0.0))
        except NodeError as exc:
            raise BusyError from exc
        yield


class Place(t.NamedTuple):
    """The settings of this node, from node.json."""

    node: str
    cluster: str
    store: str
    uid: int
    gid: int
    unit: str
    record_directory: str
    values: dict[str, t.Any]


def read_place(path: str) -> Place:
    values = read_json_file(path)
    if values is None:
        raise NodeError(f"{path} is missing or damaged. Run: ansible-playbook ivy.cluster.site --limit <this node>")
    return Place(
        node=str(values.get("node", "")),
        cluster=str(values.get("cluster", "")),
        store=str(values.get("store") or "/var/lib/ivy-cluster"),
        uid=accounts.uid_of(str(values.get("user") or "ivy")),
        gid=accounts.gid_of(str(values.get("group") or "ivy")),
        unit=str(values.get("unit") or ""),
        record_directory=str(values.get("record_directory") or ""),
        values=values,
    )


def _request(applied: t.Mapping[str, t.Any], place: Place, options: Options) -> Request:
    return Request(
        state="applied",
        release=str(applied.get("release") or ""),
        manifest_digest="",
        settings=settings_from(applied.get("settings") or {}),
        store=place.store,
        node_files=[],
        on_drift="overwrite",
        keep_releases=1,
        keep_backups=options.keep_backups,
        check=options.mode != RESTORE,
        diff=False,
        judge=False,
        manifest=None,
        blobs={},
        verdicts={},
        run_directory=options.run_directory,
    )


def _reason(exc: Exception) -> str:
    """The text of an error. Only messages of this program are known to contain no secret."""
    if isinstance(exc, NodeError):
        return str(exc)
    # Hardly ever needed, and the guard runs each minute.
    from ..masking.text import failure

    return failure(exc)


def _read_record(place: Place, outcome: Outcome) -> None:
    """Read the cluster record. An unavailable file share is a finding, not an error."""
    if not place.record_directory:
        return
    try:
        wanted = record.read(place.record_directory, place.uid, place.gid)
    except Exception as exc:
        outcome.record_problem = _reason(exc)
        return
    outcome.desired = str((wanted or {}).get("desired_release") or "")
    outcome.operation = str(((wanted or {}).get("operation") or {}).get("name") or "")
    outcome.stale = fence.refusal(outcome.release, wanted, place.cluster, place.node)


def _leave_out_rewriting(outcome: Outcome) -> None:
    """During a rollout the engine encrypts values in new files; the gate accepts that shortly afterwards."""
    if not outcome.operation:
        return
    now = time.time()
    for key, item in list(outcome.findings.items()):
        young = abs(now - guard_report.seconds(str(item.get("modified") or ""))) < _REWRITING_TIME
        if item["kind"] == "modified" and key.endswith((".yaml", ".yml")) and young:
            del outcome.findings[key]


def _inspect(store: Store, view: View, place: Place, options: Options, outcome: Outcome) -> Observation:
    """Inspect the node and enter the findings into the outcome."""
    unit = show(view.settings.unit or place.unit)
    context = open_context(_request(store.applied(), place, options), store, view, unit)
    inspection = inspect_node(context, None, context.recorded.node_files)
    findings = find_drift(context, inspection)
    observation = Observation(context, inspection, findings)
    outcome.release = context.recorded.release
    outcome.interrupted = context.interrupted
    outcome.files = len(inspection.scene.files)
    outcome.engine_owned = len(findings.engine_owned)
    outcome.restart_reasons = current_run_state(context, inspection, view.java_home(place.values)).reasons
    outcome.findings = {
        drift.key: drift_to_dict(drift) for drift in findings.drift if not _is_encrypted_at_start(observation, drift)
    }
    return observation


def _is_encrypted_at_start(observation: Observation, drift: Drift) -> bool:
    """Whether the engine encrypts values in its copy of this file, which gives other bytes at each start."""
    if drift.root != COPY:
        return False
    expected = observation.inspection.copy.expected[drift.key]
    released = observation.context.store.blob(expected.digests[0])
    return any(macro in released for macro in MACROS)


def _why_not(outcome: Outcome) -> str:
    """Why no file may be restored now; empty if files may be restored."""
    if outcome.interrupted:
        return "an activation was interrupted"
    if outcome.record_problem:
        return "the cluster record cannot be read"
    if outcome.operation:
        return f"operation {outcome.operation} is open"
    if outcome.stale:
        return "the cluster wants another release"
    return ""


def _restorable(observation: Observation, outcome: Outcome, attempts: Attempts, now: float) -> list[Action]:
    """The actions that restore the node, without files for which restoring has failed too often."""
    actions = decide(observation.context, observation.inspection, observation.findings).actions
    given_up = {key for key in outcome.findings if attempts.count(key, now - ATTEMPTS_WITHIN) >= ATTEMPTS}
    for key in given_up:
        outcome.findings[key]["not_restored"] = (
            f"restored {ATTEMPTS} times within an hour, and it still differs: find out what writes it, or keeps it "
            "from being written"
        )
    return [action for action in actions if action.key not in given_up]


def _restore(store: Store, view: View, place: Place, options: Options, outcome: Outcome, attempts: Attempts) -> None:
    """Restore the files that differ and inspect the node again, so that the report is about its current state."""
    observation = _inspect(store, view, place, options, outcome)
    # A run may have changed the node since the first inspection.
    outcome.waits = _why_not(outcome)
    if outcome.waits:
        return
    now = time.time()
    actions = _restorable(observation, outcome, attempts, now)
    if not actions:
        return
    outcome.waits = attempts.exceed((one.key for one in actions), now - 86400)
    if outcome.waits:
        return
    given_up = {key: item["not_restored"] for key, item in outcome.findings.items() if "not_restored" in item}
    to_come = sum(one.found.occupied + 4096 for one in actions if one.backup and one.found is not None)
    if store.backups_exceed(to_come):
        # Without those that are old enough to be removed?
        store.prune(keep_releases=1 << 30, keep_backups=options.keep_backups)
        outcome.waits = store.backups_exceed(to_come)
    if outcome.waits:
        return
    # Count before the attempt: an attempt that fails each minute makes a backup each minute, too.
    for one in actions:
        attempts.add(one.key, now)
    try:
        backup = _restore_files(observation, actions)
    finally:
        store.prune(keep_releases=1 << 30, keep_backups=options.keep_backups)
    if any(one.root == NODE and belongs(one.path, view.settings.unit) for one in actions):
        _reload_units()
    outcome.restored = {one.key: "removed" if one.action == DELETE else "restored" for one in actions}
    outcome.backup = backup
    _inspect(store, view, place, options, outcome)
    for key, reason in given_up.items():
        if key in outcome.findings:
            outcome.findings[key]["not_restored"] = reason


def _reload_units() -> None:
    """Make systemd read the restored unit files. This starts and stops nothing."""
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        subprocess.run(
            ["systemctl", "daemon-reload"],
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"},
            check=False,
            timeout=30,
        )


def check_node(options: Options, attempts: Attempts) -> Outcome:
    """Inspect the node once, and in mode restore, restore the files that differ."""
    place = read_place(options.settings)
    outcome = Outcome(place.node, place.cluster)
    with Store(place.store) as store:
        if not store.tree.exists:
            raise NodeError(
                f"The store {place.store} is gone, so it is unknown what was applied to this node. "
                f"Run: ansible-playbook ivy.cluster.site --limit {place.node or '<this node>'}"
            )
        with _shared_lock(store):
            applied = store.applied()
            if not applied.get("release"):
                outcome.interrupted = bool(store.intent())
                _read_record(place, outcome)
                return outcome
            settings = settings_from(applied.get("settings") or {})
            outcome.licence_until = (licence.read_installed(settings.roots["engine"]) or {}).get("valid_until") or ""
            with View(settings, store) as view:
                _inspect(store, view, place, options, outcome)
        # Without the lock, because a share that hangs must not delay an activation.
        _read_record(place, outcome)
        _leave_out_rewriting(outcome)
        if options.mode != RESTORE or not outcome.findings:
            return outcome
        outcome.waits = _why_not(outcome)
        if outcome.waits:
            return outcome
        try:
            with _lock(store), View(settings_from(store.applied().get("settings") or {}), store) as view:
                _restore(store, view, place, options, outcome, attempts)
        except BusyError:
            outcome.waits = "a run is at work on this node"
    return outcome


def _report_backups(options: Options, outcome: Outcome) -> None:
    """Log the backups that no line names: of attempts that failed, and of changes made at the last moment.

    A backup that was reported may be removed later.
    """
    with contextlib.suppress(Exception), Store(read_place(options.settings).store) as store:
        if not store.tree.exists or store.busy():
            # A run reports its own.
            return
        directories = store.unreported()
        for directory in directories:
            if directory != outcome.backup:
                sys.stdout.write(f"{guard_report.NOTICE}Files that were changed on this node are kept in {directory}\n")
        sys.stdout.flush()
        store.mark_reported(directories)


def guard(options: Options) -> int:
    """Run the guard once. The exit status reports whether it could inspect the node, not whether it found drift."""
    start = time.monotonic()
    state = guard_report.GuardState(options.status_directory)
    try:
        outcome = check_node(options, state.attempts)
    except BusyError:
        return 0
    except Exception as exc:
        # Data can be damaged in any way. The error must be reported, not only end the program.
        outcome = Outcome(state.node, state.cluster, error=f"The guard cannot inspect this node. {_reason(exc)}")
    used = os.times()
    outcome.duration = time.monotonic() - start
    outcome.cpu = used.user + used.system + used.children_user + used.children_system
    outcome.time = timestamp()
    state.count(outcome)
    if options.metrics:
        try:
            guard_report.write_metrics(options.metrics, outcome, options.mode, state)
        except Exception as exc:
            outcome.metrics_problem = f"The metrics cannot be written to {options.metrics}: {_reason(exc)}"
    for line in state.messages(outcome):
        sys.stdout.write(line + "\n")
    sys.stdout.flush()
    if options.mode == RESTORE:
        _report_backups(options, outcome)
    state.write(outcome, options.mode)
    return 1 if outcome.error or outcome.metrics_problem else 0


def main(arguments: t.Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Compares this node with what was applied to it.")
    parser.add_argument("--mode", choices=(REPORT, RESTORE), default=REPORT)
    parser.add_argument("--settings", default=SETTINGS, help="node.json of this node")
    parser.add_argument("--metrics", default="", help="directory of the Prometheus text files")
    parser.add_argument("--keep-backups", type=int, default=20)
    parsed = parser.parse_args(arguments)
    options = Options(
        mode=parsed.mode,
        settings=parsed.settings,
        metrics=parsed.metrics,
        keep_backups=max(parsed.keep_backups, 1),
    )
    try:
        return guard(options)
    except Exception as exc:
        sys.stdout.write(f"<3>The guard cannot report its findings: {_reason(exc)}\n")
        return 1
