# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes a backup, reads it again, and records the result. Used by the timer's program and by the module."""

from __future__ import annotations

import argparse
import sys
import time
import typing as t

from ..files.errors import NodeError
from ..masking.text import failure
from ..store.store import read_json_file
from . import directory, make, manifest, report, verify

SETTINGS = "/etc/ivy-cluster/backup.json"


def run(options: make.Options, level: str, metrics: str) -> dict[str, t.Any]:
    """Make a backup. Whatever happens, the result is recorded."""
    begun, start, problem = time.time(), time.monotonic(), ""
    directory.check(options.directory)
    try:
        return make.make(options, begun, lambda target, found: check(target, found, level))
    except Exception as exc:
        problem = str(exc) if isinstance(exc, NodeError) else failure(exc)
        raise
    finally:
        report.write(
            options.directory,
            metrics,
            report.result(options.directory, begun, time.monotonic() - start, problem),
        )


def check(target: str, found: manifest.Manifest, level: str, identity: str = "") -> list[str]:
    """What is wrong with the files of a backup; empty if nothing is."""
    problems = [] if level == verify.NONE else verify.checksums(target, found)
    if level == verify.CONTENT and not problems:
        problems = verify.content(target, found, identity)
    return problems


def options_from(values: t.Mapping[str, t.Any]) -> make.Options:
    return make.Options(
        directory=str(values["directory"]),
        settings=str(values["settings"]),
        trees={str(name): str(path) for name, path in (values.get("trees") or {}).items()},
        recipients=[str(one) for one in values.get("recipients") or []],
        keep=int(values.get("keep") or 1),
        keep_days=int(values.get("keep_days") or 0),
        certificates={str(name): str(text) for name, text in (values.get("certificates") or {}).items()},
    )


def main(arguments: t.Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Makes a backup of the cluster.")
    parser.add_argument("--settings", default=SETTINGS)
    parsed = parser.parse_args(arguments)
    try:
        values = read_json_file(parsed.settings)
        if values is None:
            raise NodeError(f"{parsed.settings} is missing or damaged. Run: ansible-playbook ivy.cluster.backup")
        made = run(options_from(values), str(values.get("verify") or verify.CONTENT), str(values.get("metrics") or ""))
    except Exception as exc:
        sys.stdout.write(f"<3>No backup was made. {str(exc) if isinstance(exc, NodeError) else failure(exc)}\n")
        return 1
    sys.stdout.write(f"Backup {made['id']}, {made['size']} bytes, is complete in {made['path']}.\n")
    return 0
