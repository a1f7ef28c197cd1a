# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes wrong on a live cluster ends in a clear message or in one whole release, and no local change is lost."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Lab

ROOT = Path(__file__).resolve().parents[3]
STORE = "/var/lib/ivy-cluster"
APP = "/opt/ivy/current/configuration/applications/demo/app.yaml"
BULK = "/opt/ivy/current/configuration/applications/demo/bulk"
FILES = 500
LINES = 400

# As root: ends the run that holds the store as soon as it has begun to write, and prints its process.
# It gives up when its standard input ends.
KILLER = f"""
import os, re, select, signal, sys
while not os.path.exists("{STORE}/intent.json"):
    if select.select([sys.stdin], [], [], 0.001)[0]:
        sys.exit("no activation began")
with open("{STORE}/lock") as stream:
    pid = int(re.match("process ([0-9]+)", stream.read())[1])
os.kill(pid, signal.SIGKILL)
print(pid)
"""
# As the engine's user: reads what the release brings, until the standard input ends; a file is there as a whole or not.
READER = f"""
import glob, select, sys
seen = set()
while not select.select([sys.stdin], [], [], 0)[0]:
    for name in glob.glob("{BULK}/*.txt"):
        try:
            with open(name) as stream:
                text = stream.read()
        except FileNotFoundError:
            continue
        if text != text[:8] * {LINES}:
            sys.exit("half a file: " + name)
        seen.add(name)
print(len(seen))
"""


def start(lab: Lab, name: str, user: str, program: str) -> subprocess.Popen[str]:
    """A program on a host, as some user, at work while the test does something else."""
    command = f"sudo -n -u {user} python3 -c {shlex.quote(program)}"
    full = ["ssh", "-F", str(lab.directory / "ssh_config"), name, command]
    return subprocess.Popen(full, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def edit(lab: Lab, name: str, text: str) -> None:
    """A variable that somebody adds on one node."""
    lab.host(name).check_output(f"printf '  Local: %s\\n' {shlex.quote(text)} >> {APP}")


@pytest.fixture(scope="module")
def bulk(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """A release that takes a while to write: some hundred files that need no restart."""
    source = tmp_path_factory.mktemp("bulk") / "shared_config"
    shutil.copytree(ROOT / "inventories/demo/shared_config", source)
    directory = source / "configuration/applications/demo/bulk"
    directory.mkdir(parents=True)
    for number in range(FILES):
        (directory / f"{number:04d}.txt").write_text(f"{number:07d}\n" * LINES, encoding="utf-8")
    return ["-e", json.dumps({"ivy_shared_config_source": str(source)})]


def test_1_a_node_whose_share_is_away_is_named_and_does_not_start(lab: Lab) -> None:
    name = lab.nodes[-1]
    node = lab.host(name)
    share = str(lab.variables.get("ivy_share_directory") or "/srv/ivy")
    pids = lab.pids(*lab.nodes)
    node.check_output(f"mkdir -p /mnt/kept && mount --bind {share} /mnt/kept && umount --lazy {share}")
    try:
        # It waits for the share without end, so it is ended from outside.
        waiting = node.run("timeout 60 /usr/local/lib/ivy-cluster/record-start")
        run = lab.playbook("site.yml", "--limit", name)
    finally:
        node.check_output(f"mount --bind /mnt/kept {share} && umount /mnt/kept && rmdir /mnt/kept")

    assert waiting.rc == 124
    assert "the engine is not started yet. The file share is not mounted" in " ".join(waiting.stderr.split())
    assert run.status != 0
    assert f"{share} is not" in run.output
    # What ran goes on running.
    assert lab.pids(*lab.nodes) == pids


def test_2_on_drift_fail_overwrites_nothing(lab: Lab) -> None:
    name = lab.nodes[0]
    edit(lab, name, "kept by somebody")

    run = lab.playbook("site.yml", "--limit", name, "-e", "engine_on_drift=fail")

    assert run.status != 0
    said = " ".join(run.output.split())
    assert "No node was changed. Take the change into the source" in said, run.output[-3000:]
    assert "configuration/applications/demo/app.yaml" in said
    assert "kept by somebody" in lab.host(name).file(APP).content_string


def test_3_killed_while_it_writes_and_the_engine_reads(lab: Lab, bulk: list[str]) -> None:
    name = lab.nodes[1]
    node = lab.host(name)
    edit(lab, name, "local and not to be lost")
    reader = start(lab, name, "ivy", READER)
    killer = start(lab, name, "root", KILLER)
    try:
        run = lab.roll_out(*bulk)
        killed = killer.communicate("\n", timeout=120)[0]
        read = reader.communicate("\n", timeout=120)[0]
    finally:
        for program in (killer, reader):
            program.kill()
            program.wait()

    assert killer.returncode == 0, killed
    assert reader.returncode == 0, read
    assert run.status != 0
    assert node.file(f"{STORE}/intent.json").exists
    # Its files may be a mixture now, so it would not start.
    refused = node.run("/usr/local/lib/ivy-cluster/record-start")
    assert refused.rc == 1
    assert "cut off" in refused.stderr
    assert lab.info(name) is not None


def test_4_the_next_run_ends_in_one_whole_release(lab: Lab) -> None:
    run = lab.roll_out().succeeded()

    assert set(run.changed()) >= {lab.nodes[0], lab.nodes[1]}
    contents = set()
    for name in lab.nodes:
        node = lab.host(name)
        assert not node.file(f"{STORE}/intent.json").exists
        assert not node.file(BULK).exists
        assert node.run("find /opt/ivy/current/configuration /etc/ivy-cluster -name '.ivy-cluster-*' | grep .").rc == 1
        contents.add(node.file(APP).content_string)
    assert len(contents) == 1
    for name, text in ((lab.nodes[0], "kept by somebody"), (lab.nodes[1], "local and not to be lost")):
        assert lab.host(name).run(f"grep -rqs {shlex.quote(text)} {STORE}/backups").rc == 0
    assert len({(lab.info(name) or {})["release"] for name in lab.nodes}) == 1
