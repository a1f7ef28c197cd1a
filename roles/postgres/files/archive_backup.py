# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes a backup with pgBackRest, and records the result for status and for a Prometheus node exporter.

Installed on the database server, where nothing else of the collection is. Needs Python 3.9 only.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

ACCOUNT = "postgres"
METRICS = "ivy_database_archive.prom"
_LONGEST = 500
_HELP = {
    "success": "Whether the last backup of the database is complete.",
    "last_run_timestamp_seconds": "When the last backup began.",
    "last_success_timestamp_seconds": "When the newest complete backup ended.",
    "duration_seconds": "How long the last backup took.",
    "size_bytes": "Size of the database in the newest complete backup.",
    "complete": "Number of complete backups.",
}

Run = Callable[[list[str]], "subprocess.CompletedProcess[str]"]


def run_as_postgres(command: list[str]) -> subprocess.CompletedProcess[str]:
    """pgBackRest refuses files of root in its archive, so it runs as the owner of the database."""
    return subprocess.run(
        command,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        user=ACCOUNT,
        group=ACCOUNT,
        extra_groups=[],
        cwd="/",
    )


def backups(text: str, stanza: str) -> list[dict[str, Any]]:
    """The complete backups in the answer of `pgbackrest info`, oldest first."""
    found = [entry for entry in json.loads(text) if entry["name"] == stanza]
    return [one for entry in found for one in entry.get("backup") or [] if not one.get("error")]


def make(run: Run, stanza: str, kind: str, clock: Callable[[], float] = time.time) -> dict[str, Any]:
    """Make one backup. The result names the problem, if there was one."""
    begun = clock()
    problem, complete = "", []
    try:
        done = run(["pgbackrest", f"--stanza={stanza}", f"--type={kind}", "--log-level-console=warn", "backup"])
        if done.returncode != 0:
            problem = " ".join(done.stdout.split())[-_LONGEST:] or f"pgbackrest ended with {done.returncode}"
        listed = run(["pgbackrest", f"--stanza={stanza}", "--output=json", "--log-level-console=off", "info"])
        complete = backups(listed.stdout, stanza)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, subprocess.SubprocessError) as exc:
        problem = problem or f"pgbackrest cannot be asked: {type(exc).__name__}"
    newest = complete[-1] if complete else {}
    return {
        "time": int(begun),
        "seconds": round(clock() - begun, 1),
        "problem": problem,
        "complete": len(complete),
        "newest": str(newest.get("label") or ""),
        "newest_time": int((newest.get("timestamp") or {}).get("stop") or 0),
        "size": int((newest.get("info") or {}).get("size") or 0),
    }


def metrics(values: dict[str, Any]) -> str:
    numbers: dict[str, float] = {
        "success": int(not values["problem"]),
        "last_run_timestamp_seconds": values["time"],
        "last_success_timestamp_seconds": values["newest_time"],
        "duration_seconds": values["seconds"],
        "size_bytes": values["size"],
        "complete": values["complete"],
    }
    lines: list[str] = []
    for name, number in numbers.items():
        full = f"ivy_database_archive_{name}"
        lines += [f"# HELP {full} {_HELP[name]}", f"# TYPE {full} gauge", f"{full} {number}"]
    return "\n".join(lines) + "\n"


def replace(path: str, text: str) -> None:
    """A reader finds the old or the new file, never a part of one."""
    temporary = f"{path}.new"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        os.fchmod(descriptor, 0o644)
        stream.write(text)
    os.replace(temporary, path)


def main(arguments: Sequence[str] | None = None, run: Run = run_as_postgres) -> int:
    parser = argparse.ArgumentParser(description="Makes a backup of the database with pgBackRest.")
    parser.add_argument("--stanza", required=True)
    parser.add_argument("--status", required=True)
    parser.add_argument("--metrics", default="")
    parser.add_argument("kind", choices=["full", "incr"])
    parsed = parser.parse_args(arguments)
    values = make(run, parsed.stanza, parsed.kind)
    replace(parsed.status, json.dumps(values, indent=1, sort_keys=True) + "\n")
    if parsed.metrics and os.path.isdir(parsed.metrics):
        replace(os.path.join(parsed.metrics, METRICS), metrics(values))
    if values["problem"]:
        sys.stdout.write(f"<3>No backup of the database was made. {values['problem']}\n")
        return 1
    sys.stdout.write(f"Backup {values['newest']} of the database is complete.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
