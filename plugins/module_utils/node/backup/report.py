# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The result of the last backup: a file for status, and metrics for a Prometheus node exporter."""

from __future__ import annotations

import json
import os
import typing as t

from ..files.atomic import write_file
from ..store.store import read_json_file
from . import directory, manifest, retention

STATUS = "status.json"
METRICS = "ivy_backup.prom"

_HELP = {
    "success": "Whether the last backup is complete.",
    "last_run_timestamp_seconds": "When the last backup began.",
    "last_success_timestamp_seconds": "When the newest complete backup began.",
    "duration_seconds": "How long the last backup took.",
    "size_bytes": "Size of the newest complete backup.",
    "complete": "Number of complete backups.",
}


def last(path: str) -> dict[str, t.Any]:
    """The result of the last backup; empty if there is none."""
    return read_json_file(os.path.join(path, STATUS)) or {}


def result(path: str, begun: float, seconds: float, problem: str) -> dict[str, t.Any]:
    complete = directory.complete_ids(path)
    newest = directory.load(path, complete[0]) if complete else None
    return {
        "time": int(begun),
        "seconds": round(seconds, 1),
        "problem": problem,
        "complete": len(complete),
        "newest": complete[0] if complete else "",
        "size": manifest.size_of(newest) if newest else 0,
        "release": str(newest["release"]) if newest else "",
    }


def metrics(values: t.Mapping[str, t.Any]) -> str:
    newest = retention.seconds_of(values["newest"]) if values["newest"] else 0
    numbers: dict[str, float] = {
        "success": not values["problem"],
        "last_run_timestamp_seconds": values["time"],
        "last_success_timestamp_seconds": newest,
        "duration_seconds": values["seconds"],
        "size_bytes": values["size"],
        "complete": values["complete"],
    }
    lines: list[str] = []
    for name, number in numbers.items():
        lines += [f"# HELP ivy_backup_{name} {_HELP[name]}", f"# TYPE ivy_backup_{name} gauge"]
        lines.append(f"ivy_backup_{name} {f'{number:.3f}'.rstrip('0').rstrip('.')}")
    return "\n".join(lines) + "\n"


def write(path: str, metrics_directory: str, values: t.Mapping[str, t.Any]) -> None:
    """Write both. Without the directory of the metrics, nobody collects them."""
    data = json.dumps(values, indent=1, sort_keys=True).encode("ascii") + b"\n"
    write_file(path, STATUS, data, 0o600)
    if metrics_directory and os.path.isdir(metrics_directory):
        write_file(metrics_directory, METRICS, metrics(values).encode("ascii"), 0o644, durable=False)
