# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prints the processor time of one run of the guard, which systemd starts each minute, for some numbers of files.

python tests/bench/guard_cost.py [FILES ...]

It only measures. The files that one run reads are counted in tests/unit/plugins/module_utils/node/agent/test_guard.py.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from ansible_collections.ivy.cluster.plugins.module_utils.node.agent import guard
from ansible_collections.ivy.cluster.tests.unit.plugins.module_utils.node.conftest import File, Node, build

REPETITIONS = 7
SIZE = 8192
PERIOD = 60.0
# As on a node: only the package, in a separate interpreter without cached bytecode.
PROGRAM = (
    "import sys; sys.path.insert(0, sys.argv.pop(1)); from ivy_node.agent import guard; "
    "sys.exit(guard.guard(guard.Options('report', *sys.argv[1:])))"
)


def used() -> float:
    """Processor time of all processes that have ended."""
    times = os.times()
    return times.children_user + times.children_system


def measure(directory: Path, files: int) -> list[float]:
    (directory / "ivy_node").symlink_to(Path(guard.__file__).parents[1])
    node = Node(directory)
    node.record_baseline()
    many = {f"engine:configuration/many/{number:04d}.txt": File(b"x" * SIZE) for number in range(files)}
    node.apply(build(many))
    # Also writes node.json, from which the guard reads all paths.
    node.start()
    status = directory / "status"
    status.mkdir()
    options = [str(node.environment / "node.json"), str(node.run), str(status)]
    command = [sys.executable, "-I", "-B", "-X", f"pycache_prefix={directory}/none", "-c", PROGRAM, str(directory)]
    found = []
    for _repetition in range(REPETITIONS):
        before = used()
        subprocess.run([*command, *options], check=True, stdout=subprocess.DEVNULL)
        found.append(used() - before)
    return found


def main() -> None:
    for files in [int(word) for word in sys.argv[1:]] or [0, 500, 2000]:
        with tempfile.TemporaryDirectory() as directory:
            found = measure(Path(directory), files)
        median = statistics.median(found)
        print(
            f"{files:5d} files of {SIZE // 1024} KiB: median {median:.2f} s, {min(found):.2f} to {max(found):.2f} s; "
            f"{median / PERIOD:.2%} of one core when it runs each {PERIOD:.0f} s"
        )


if __name__ == "__main__":
    main()
