# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reports the findings of the guard: lines for the journal, a status file, a Prometheus text file.

The status file is also the state of the guard: a line is printed when a finding changes, not each minute.
"""

from __future__ import annotations

import calendar
import collections
import dataclasses
import json
import os
import time
import typing as t

from ..files.atomic import write_file
from ..store.store import read_json_file

FORMAT = 1
STATUS = "status.json"
METRICS = "ivy_config_guard.prom"
KINDS = ("modified", "missing", "extra", "attributes")
# Priorities as systemd reads them from the start of a line.
_ERROR, _WARNING, NOTICE = "<3>", "<4>", "<5>"
_LINES = 30
_RESTORED = 20
# Of each restoration, and of the findings. The metrics count all of them. Whoever may make files can make any number of
# them, with long names.
MOST_FILES = 500
_LONGEST_TEXT = 500
# The file is read back with this limit. Findings take a tenth of it at most.
_LIMIT = 32 << 20
# Without them, a file would be restored more often than it may be.
_MOST_ATTEMPTS_BYTES = 4 << 20


@dataclasses.dataclass
class Outcome:
    """The result of one inspection."""

    node: str
    cluster: str
    error: str = ""
    release: str = ""
    desired: str = ""
    operation: str = ""
    record_problem: str = ""
    stale: str = ""
    interrupted: bool = False
    metrics_problem: str = ""
    # The last day of the installed licence; empty if it has no limit.
    licence_until: str = ""
    files: int = 0
    engine_owned: int = 0
    restart_reasons: list[str] = dataclasses.field(default_factory=list)
    findings: dict[str, dict[str, t.Any]] = dataclasses.field(default_factory=dict)
    # Why no file is restored although the mode is restore.
    waits: str = ""
    restored: dict[str, str] = dataclasses.field(default_factory=dict)
    backup: str = ""
    time: str = ""
    duration: float = 0.0
    cpu: float = 0.0


class Attempts:
    """The times at which each file was restored."""

    def __init__(self, known: t.Mapping[str, t.Any]) -> None:
        self._times = {
            str(key): [float(one) for one in times if isinstance(one, (int, float))]
            for key, times in known.items()
            if isinstance(times, list)
        }

    def count(self, key: str, since: float) -> int:
        return sum(one >= since for one in self._times.get(key, ()))

    def add(self, key: str, now: float) -> None:
        self._times.setdefault(key, []).append(now)

    def exceed(self, keys: t.Iterable[str], since: float) -> str:
        """Why no further attempts can be recorded; empty if they can."""
        known = self.to_dict(since)
        size = len(json.dumps(known)) + sum(len(json.dumps(key)) + 2 * len(str(since)) for key in keys)
        if size <= _MOST_ATTEMPTS_BYTES:
            return ""
        return (
            f"the list of the files that were restored within a day ({len(known)}) would be too long. Find out what "
            "changes so many files. To revert all of them run ivy.cluster.site"
        )

    def to_dict(self, since: float) -> dict[str, list[float]]:
        recent = {key: [one for one in times if one >= since] for key, times in self._times.items()}
        return {key: times for key, times in recent.items() if times}


def one_line(text: str) -> str:
    """A text that stays one line: whoever may make files may put anything into their names."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)


def where(item: t.Mapping[str, t.Any]) -> str:
    return str(item["path"]) if item["root"] in ("engine", "node") else f"{item['root']}: {item['path']}"


def _finding_text(item: t.Mapping[str, t.Any]) -> str:
    text = f"{_short(where(item))}: {item['kind']} ({_short(str(item['detail']))})"
    return f"{text}; {item['not_restored']}" if item.get("not_restored") else text


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_TEXT else f"{text[: _LONGEST_TEXT - 4]} ..."


def _first(findings: t.Mapping[str, dict[str, t.Any]]) -> dict[str, dict[str, t.Any]]:
    return dict(sorted(findings.items())[:MOST_FILES])


def conditions(outcome: Outcome) -> dict[str, str]:
    """Problems of the node other than single files."""
    found = {}
    if outcome.stale:
        found["stale"] = outcome.stale
    if outcome.interrupted:
        found["interrupted"] = (
            "An activation was interrupted on this node, so its files are not those of one release. "
            f"Run: ansible-playbook ivy.cluster.site --limit {outcome.node or '<this node>'}"
        )
    if outcome.record_problem:
        found["record"] = outcome.record_problem
    if outcome.restart_reasons:
        found["restart"] = (
            f"The running configuration differs from the files on disk: {'; '.join(outcome.restart_reasons[:5])}. "
            "The guard restarts nothing; ivy.cluster.site restarts node by node."
        )
    if outcome.metrics_problem:
        found["metrics"] = outcome.metrics_problem
    if outcome.waits:
        found["waits"] = f"No file is restored for now: {outcome.waits}"
    if len(outcome.findings) > MOST_FILES:
        found["many"] = (
            f"{len(outcome.findings)} files differ; only {MOST_FILES} of them are listed. Run ivy.cluster.drift for all"
        )
    return found


_OVER = {
    "stale": "This node has the release that the cluster wants again",
    "interrupted": "The interrupted activation is finished",
    "metrics": "The metrics can be written again",
    "record": "The cluster record can be read again",
    "restart": "The running configuration is that of the files on disk again",
    "waits": "Files are restored again",
    "many": "All files that differ are listed again",
}


class GuardState:
    """What the guard reported before, from its status file."""

    def __init__(self, directory: str) -> None:
        self.directory = directory
        known = read_json_file(os.path.join(directory, STATUS), limit=_LIMIT) or {}
        if known.get("format") != FORMAT:
            known = {}
        self._known = known
        self.node = str(known.get("node", ""))
        self.cluster = str(known.get("cluster", ""))
        self.reported: dict[str, str] = self._mapping("reported")
        self.attempts = Attempts(self._mapping("attempts"))
        self.last_success = str(known.get("last_success") or "")
        total = known.get("restored_total")
        self.restored_total = total if isinstance(total, int) else 0

    def _mapping(self, name: str) -> dict[str, t.Any]:
        value = self._known.get(name)
        return value if isinstance(value, dict) else {}

    def count(self, outcome: Outcome) -> None:
        if not outcome.error:
            self.last_success = outcome.time
        self.restored_total += len(outcome.restored)

    # --- the journal

    def messages(self, outcome: Outcome) -> list[str]:
        """The new lines. A reported condition is not reported again until it ends."""
        if outcome.error:
            # It is unknown whether earlier findings still exist.
            lines = [] if self.reported.get("error") == outcome.error else [f"{_ERROR}{outcome.error}"]
            self.reported = {**self.reported, "error": outcome.error}
            return [one_line(line) for line in lines]
        files = {f"file {key}": _finding_text(item) for key, item in _first(outcome.findings).items()}
        others = conditions(outcome)
        copy = f"; backup: {outcome.backup}" if outcome.backup else ""
        lines = [f"{_WARNING}{text}" for name, text in others.items() if self.reported.get(name) != text]
        changed = [f"{_WARNING}Differs: {text}" for name, text in files.items() if self.reported.get(name) != text]
        changed += [f"{NOTICE}{action.capitalize()}: {_path(key)}{copy}" for key, action in outcome.restored.items()]
        gone = {name for name in self.reported if name not in files and name not in others}
        changed += [
            f"{NOTICE}No longer differs: {_path(name[5:])}"
            for name in sorted(gone)
            if name.startswith("file ") and name[5:] not in outcome.restored
        ]
        lines += _limited(changed)
        lines += [f"{NOTICE}{_OVER[name]}." for name in sorted(gone) if name in _OVER]
        if "error" in gone:
            lines.append(f"{NOTICE}The guard can inspect this node again.")
        self.reported = {**files, **others}
        return [one_line(line) for line in lines]

    # --- the status file

    def write(self, outcome: Outcome, mode: str) -> None:
        restored = list(self._known.get("restored") or [])
        if outcome.restored:
            files = [_short(_path(key)) for key in list(outcome.restored)[:MOST_FILES]]
            restored = [{"time": outcome.time, "files": files, "backup": outcome.backup}, *restored]
        # After an error, the earlier findings are still the last known ones.
        findings = (self._known.get("findings") or []) if outcome.error else list(_first(outcome.findings).values())
        self._put(
            {
                "format": FORMAT,
                "time": outcome.time,
                "last_success": self.last_success,
                "node": outcome.node,
                "cluster": outcome.cluster,
                "mode": mode,
                "error": outcome.error,
                "release": outcome.release,
                "desired_release": outcome.desired,
                "operation": outcome.operation,
                "stale": outcome.stale,
                "record_problem": outcome.record_problem,
                "interrupted": outcome.interrupted,
                "restart_reasons": outcome.restart_reasons,
                "waits": outcome.waits,
                "findings": findings,
                "engine_owned": outcome.engine_owned,
                "restored": restored[:_RESTORED],
                "restored_total": self.restored_total,
                "files": outcome.files,
                "duration": round(outcome.duration, 3),
                "cpu": round(outcome.cpu, 3),
                "reported": self.reported,
                "attempts": self.attempts.to_dict(time.time() - 86400),
            }
        )

    def _put(self, value: dict[str, t.Any]) -> None:
        data = json.dumps(value, indent=1, sort_keys=True).encode("ascii") + b"\n"
        _write(self.directory, STATUS, data)


def _path(key: str) -> str:
    return key if key.startswith("/") else key.split(":", 1)[-1]


def _limited(lines: list[str]) -> list[str]:
    if len(lines) <= _LINES:
        return lines
    return [
        *lines[:_LINES],
        f"{_WARNING}... and {len(lines) - _LINES} more files; the status file lists up to {MOST_FILES}.",
    ]


def _write(directory: str, name: str, data: bytes) -> None:
    """Write a world-readable file atomically. It is rewritten each minute, so it need not survive a crash."""
    write_file(directory, name, data, 0o644, durable=False)


# --- metrics


def _label(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def seconds(stamp: str) -> int:
    try:
        return calendar.timegm(time.strptime(stamp, "%Y-%m-%dT%H:%M:%SZ")) if stamp else 0
    except ValueError:
        # Whoever owns a file may give it any time.
        return 0


class _Metric(t.NamedTuple):
    name: str
    text: str
    value: float
    labels: t.Mapping[str, str] | None = None
    kind: str = "gauge"

    def sample(self) -> str:
        labels = ",".join(f'{name}="{_label(value)}"' for name, value in (self.labels or {}).items())
        number = f"{self.value:.3f}".rstrip("0").rstrip(".")
        return f"ivy_config_{self.name}{{{labels}}} {number}" if labels else f"ivy_config_{self.name} {number}"


def _of_the_guard(outcome: Outcome, mode: str, state: GuardState) -> list[_Metric]:
    last = seconds(state.last_success)
    return [
        _Metric("guard_success", "Whether the last run of the guard could inspect the node.", not outcome.error),
        _Metric("guard_last_run_timestamp_seconds", "When the guard ran last.", seconds(outcome.time)),
        _Metric(
            "guard_last_success_timestamp_seconds",
            "Time of the last run of the guard that could inspect the node.",
            last,
        ),
        _Metric("guard_duration_seconds", "How long the last run took.", outcome.duration),
        _Metric("guard_cpu_seconds", "Processor time of the last run.", outcome.cpu),
        _Metric("guard_mode_info", "What the guard does with a difference.", 1, {"mode": mode}),
        _Metric(
            "guard_restored_files_total",
            "Files restored since the host started.",
            state.restored_total,
            kind="counter",
        ),
    ]


def _of_the_licence(outcome: Outcome) -> list[_Metric]:
    """A time instead of a number of days, because it does not become outdated."""
    end = seconds(f"{outcome.licence_until}T00:00:00Z") if outcome.licence_until else 0
    if not end:
        return []
    return [_Metric("licence_expiry_timestamp_seconds", "When the last day of the engine's licence begins.", end)]


def _of_the_node(outcome: Outcome) -> list[_Metric]:
    kinds = collections.Counter(str(item["kind"]) for item in outcome.findings.values())
    release = {
        "cluster": outcome.cluster,
        "node": outcome.node,
        "applied": outcome.release,
        "desired": outcome.desired,
    }
    return [
        *(
            _Metric("drift_files", "Files that differ from what was applied, by kind.", kinds[kind], {"kind": kind})
            for kind in KINDS
        ),
        _Metric("files", "Files that the guard compared.", outcome.files),
        _Metric("engine_owned_files", "Files that the engine itself keeps.", outcome.engine_owned),
        _Metric("release_info", "The release applied to this node and the one that the cluster wants.", 1, release),
        *_of_the_licence(outcome),
        _Metric("stale", "Whether the fence would keep this node from starting.", bool(outcome.stale)),
        _Metric("record_readable", "Whether the cluster record could be read.", not outcome.record_problem),
        _Metric("activation_interrupted", "Whether an activation was interrupted.", outcome.interrupted),
        _Metric(
            "restart_required",
            "Whether the running configuration differs from the files on disk.",
            bool(outcome.restart_reasons),
        ),
    ]


def metrics(outcome: Outcome, mode: str, state: GuardState) -> str:
    """The text file for a Prometheus node exporter. After an error, metrics of the node are left out."""
    listed = [*_of_the_guard(outcome, mode, state), *([] if outcome.error else _of_the_node(outcome))]
    lines: list[str] = []
    for number, one in enumerate(listed):
        if number == 0 or listed[number - 1].name != one.name:
            lines.append(f"# HELP ivy_config_{one.name} {one.text}")
            lines.append(f"# TYPE ivy_config_{one.name} {one.kind}")
        lines.append(one.sample())
    return "\n".join(lines) + "\n"


def write_metrics(directory: str, outcome: Outcome, mode: str, state: GuardState) -> None:
    """Write the text file where somebody collects them; no directory, no collector."""
    if os.path.isdir(directory):
        _write(directory, METRICS, metrics(outcome, mode, state).encode("utf-8"))
