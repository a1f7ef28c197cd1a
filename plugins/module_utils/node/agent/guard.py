# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks a node between runs, every minute by a timer: differences from the applied release and their effect.

It sees the node through the same code as the modules, but judges by exact digests only: what means the same and has
other bytes is a difference here, since nobody with a YAML library is at hand. Every file is read each time. A file
that was compared before could be recognised by its inode, size and times, but only if nobody can set the clock back;
reading is cheap enough not to have to trust that.
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
from ..config.inspection import MACROS
from ..config.run import Request, Run, describe
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

# Apart from what the start of the engine records, which is written at that moment only.
STATUS_DIRECTORY = "/run/ivy-config-guard"
SETTINGS = "/etc/ivy-cluster/node.json"
REPORT, RESTORE = "report", "restore"
# Whoever changes a file again and again is a program; to write against it all day would only fill the backups.
ATTEMPTS = 3
ATTEMPTS_WITHIN = 3600.0
_REWRITING_TIME = 120.0


class Options(t.NamedTuple):
    """How the guard was started."""

    mode: str = REPORT
    settings: str = SETTINGS
    run_directory: str = run_state.RUN_DIRECTORY
    status_directory: str = STATUS_DIRECTORY
    metrics: str = ""
    keep_backups: int = 20


class BusyError(Exception):
    """A run is at work on this node; what it has half done is nobody's drift."""


class Guard(Run):
    """The steps of a run without a new release: applied is what is wanted."""

    def content(self, want: Expected) -> bytes:
        """What was accepted last, or the engine would rewrite the release's own bytes and differ again."""
        return self.store.blob(want.digests[-1])

    def restore(self, actions: list[Action]) -> str:
        """Put the applied bytes back; returns where the copies of what was there lie."""
        executor = Executor(self.store, self.view.trees, self.view.owners, self.content)
        written = [one.target for one in actions if one.target is not None and one.action in (CREATE, UPDATE)]
        # Read before anything is written: a damaged store must not leave half of it.
        sizes = {want.key: len(self.content(want)) for want in written}
        executor.check_space(actions, lambda want: sizes.get(want.key, 0))
        backup = executor.backup(actions)
        self.store.journal("restoring", files=[printable(one.key) for one in actions], backup=backup or None)
        executor.run(actions, self.scene)
        self.store.journal("restored", files=[printable(one.key) for one in actions])
        return backup


@contextlib.contextmanager
def _shared_lock(store: Store) -> t.Iterator[None]:
    """Keep activations out while looking, without keeping out others that only look."""
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
    """What node.json says about this node."""

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


def _read_record(place: Place, outcome: Outcome) -> None:
    """The desired release of this node. A share that is not available is a separate finding and not a failure."""
    if not place.record_directory:
        return
    try:
        wanted = record.read(place.record_directory, place.uid, place.gid)
    except (NodeError, OSError) as exc:
        outcome.record_problem = str(exc)
        return
    outcome.desired = str((wanted or {}).get("desired_release") or "")
    outcome.operation = str(((wanted or {}).get("operation") or {}).get("name") or "")
    outcome.stale = fence.refusal(outcome.release, wanted, place.cluster, place.node)


def _leave_out_rewriting(outcome: Outcome) -> None:
    """During a rollout the engine encrypts values in what it just got; the gate accepts that some moments later."""
    if not outcome.operation:
        return
    now = time.time()
    for key, item in list(outcome.findings.items()):
        young = abs(now - guard_report.seconds(str(item.get("modified") or ""))) < _REWRITING_TIME
        if item["kind"] == "modified" and key.endswith((".yaml", ".yml")) and young:
            del outcome.findings[key]


def _observe(store: Store, view: View, place: Place, options: Options, outcome: Outcome) -> Guard:
    """Fill the outcome with what is there now."""
    unit = show(view.settings.unit or place.unit)
    run = Guard(_request(store.applied(), place, options), store, view, unit)
    outcome.release = str(run.applied.get("release") or "")
    outcome.interrupted = bool(run.intent)
    run.observe(None, run.applied_nodes_of(run.applied))
    run.drift()
    verdict = run.verdict(
        run.applied_manifest, run.scene.files, run.before, run.applied_nodes, view.java_home(place.values)
    )
    outcome.files = len(run.scene.files)
    outcome.engine_owned = len(run.engine_owned)
    outcome.restart_reasons = verdict.reasons
    outcome.findings = {one.key: describe(one) for one in run.findings if not _encrypted_at_start(run, one)}
    return run


def _encrypted_at_start(run: Guard, one: Drift) -> bool:
    """Whether the engine encrypts values in its copy of this file: other bytes at each start, which say nothing."""
    if one.root != COPY:
        return False
    released = run.store.blob(run.copy.expected[one.key].digests[0])
    return any(macro in released for macro in MACROS)


def _why_not(outcome: Outcome) -> str:
    """Why nothing may be restored now."""
    if outcome.interrupted:
        return "an activation was interrupted"
    if outcome.record_problem:
        return "the cluster record cannot be read"
    if outcome.operation:
        return f"operation {outcome.operation} is open"
    if outcome.stale:
        return "the cluster wants another release"
    return ""


def _restorable(run: Guard, outcome: Outcome, attempts: Attempts, now: float) -> list[Action]:
    """The files to restore, without those that were restored repeatedly and still differ."""
    run.make_plan({})
    given_up = {key for key in outcome.findings if attempts.count(key, now - ATTEMPTS_WITHIN) >= ATTEMPTS}
    for key in given_up:
        outcome.findings[key]["not_restored"] = (
            f"restored {ATTEMPTS} times within an hour, and it still differs: find the program that writes it, or "
            "what prevents it from being written"
        )
    return [one for one in run.actions if one.key not in given_up]


def _restore(store: Store, view: View, place: Place, options: Options, outcome: Outcome, attempts: Attempts) -> None:
    """Restore differing files and compare again, so that the report shows the current state."""
    run = _observe(store, view, place, options, outcome)
    # An activation between the two checks may have been interrupted.
    outcome.waits = _why_not(outcome)
    if outcome.waits:
        return
    now = time.time()
    actions = _restorable(run, outcome, attempts, now)
    if not actions:
        return
    given_up = {key: item["not_restored"] for key, item in outcome.findings.items() if "not_restored" in item}
    # Before it is tried: what fails each minute makes a backup each minute, too.
    for one in actions:
        attempts.add(one.key, now)
    try:
        backup = run.restore(actions)
    finally:
        store.prune(keep_releases=1 << 30, keep_backups=options.keep_backups)
    if any(one.root == NODE and belongs(one.path, view.settings.unit) for one in actions):
        _reload_units()
    outcome.restored = {one.key: "removed" if one.action == DELETE else "restored" for one in actions}
    outcome.backup = backup
    _observe(store, view, place, options, outcome)
    for key, reason in given_up.items():
        if key in outcome.findings:
            outcome.findings[key]["not_restored"] = reason


def _reload_units() -> None:
    """Reload systemd's units from disk. This starts and stops nothing."""
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        subprocess.run(
            ["systemctl", "daemon-reload"],
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"},
            check=False,
            timeout=30,
        )


def look(options: Options, attempts: Attempts) -> Outcome:
    """Compare the node once, and in mode restore also restore it."""
    place = read_place(options.settings)
    outcome = Outcome(place.node, place.cluster)
    with Store(place.store) as store:
        if not store.tree.exists:
            raise NodeError(
                f"The store {place.store} is gone, so nobody knows what was applied to this node. "
                f"Run: ansible-playbook ivy.cluster.site --limit {place.node or '<this node>'}"
            )
        with _shared_lock(store):
            applied = store.applied()
            if not applied.get("release"):
                outcome.interrupted = bool(store.intent())
                _read_record(place, outcome)
                return outcome
            settings = settings_from(applied.get("settings") or {})
            outcome.licence_until = (licence.found_in(settings.roots["engine"]) or {}).get("valid_until") or ""
            with View(settings, store) as view:
                _observe(store, view, place, options, outcome)
        # Without the lock, since a share that hangs must not hold up an activation.
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


def guard(options: Options) -> int:
    """One run of the guard; the exit status says whether it could do its work, not whether it found something."""
    start = time.monotonic()
    memory = guard_report.Memory(options.status_directory)
    try:
        outcome = look(options, memory.attempts)
    except BusyError:
        return 0
    except (NodeError, OSError, ValueError, KeyError, TypeError, AttributeError) as exc:
        # Damaged data can cause any exception. It must be reported and not only end the program.
        text = str(exc) if isinstance(exc, NodeError) else f"{type(exc).__name__}: {exc}"
        outcome = Outcome(memory.node, memory.cluster, error=f"The guard cannot check this node. {text}")
    used = os.times()
    outcome.duration = time.monotonic() - start
    outcome.cpu = used.user + used.system + used.children_user + used.children_system
    outcome.time = timestamp()
    memory.count(outcome)
    if options.metrics:
        try:
            guard_report.write_metrics(options.metrics, outcome, options.mode, memory)
        except (NodeError, OSError) as exc:
            outcome.metrics_problem = f"The metrics cannot be written to {options.metrics}: {exc}"
    for line in memory.new_lines(outcome):
        sys.stdout.write(line + "\n")
    sys.stdout.flush()
    memory.write(outcome, options.mode)
    return 1 if outcome.error or outcome.metrics_problem else 0


def main(arguments: t.Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Compares this node with what was applied to it.")
    parser.add_argument("--mode", choices=(REPORT, RESTORE), default=REPORT)
    parser.add_argument("--settings", default=SETTINGS, help="node.json of this node")
    parser.add_argument("--metrics", default="", help="directory of the Prometheus text files")
    parser.add_argument("--keep-backups", type=int, default=20)
    given = parser.parse_args(arguments)
    options = Options(
        mode=given.mode, settings=given.settings, metrics=given.metrics, keep_backups=max(given.keep_backups, 1)
    )
    try:
        return guard(options)
    except (NodeError, OSError) as exc:
        sys.stdout.write(f"<3>The guard cannot write its report: {exc}\n")
        return 1
