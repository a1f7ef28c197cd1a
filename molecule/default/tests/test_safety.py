# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Failures on a live cluster end in a clear message or in one complete release, and no local change is lost."""

from __future__ import annotations

import json
import shlex
import subprocess
import time
from typing import TYPE_CHECKING

import pytest
import shared_source

if TYPE_CHECKING:
    from conftest import Lab

STORE = "/var/lib/ivy-cluster"
APP = "/opt/ivy/current/configuration/applications/demo/app.yaml"
BULK = "/opt/ivy/current/configuration/applications/demo/bulk"
FILES = 500
LINES = 400

# Runs as root: kills the run that holds the store's lock as soon as it has begun to write, and prints its process id.
# Exits when its standard input ends.
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
# Runs as the engine's user: reads the release's files until the standard input ends. A file is complete or missing.
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
    """Starts a program on a host as a user. It runs while the test goes on."""
    command = f"sudo -n -u {user} python3 -c {shlex.quote(program)}"
    full = ["ssh", "-F", str(lab.directory / "ssh_config"), name, command]
    return subprocess.Popen(full, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def edit(lab: Lab, name: str, text: str) -> None:
    """Adds a variable on one node."""
    lab.host(name).check_output(f"printf '  Local: %s\\n' {shlex.quote(text)} >> {APP}")


@pytest.fixture(scope="module")
def bulk(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """A release that takes a while to write: several hundred files that need no restart."""
    source = shared_source.copy(tmp_path_factory.mktemp("bulk"))
    directory = source / "configuration/applications/demo/bulk"
    directory.mkdir(parents=True)
    for number in range(FILES):
        (directory / f"{number:04d}.txt").write_text(f"{number:07d}\n" * LINES, encoding="utf-8")
    return ["-e", json.dumps({"ivy_shared_config_source": str(source)})]


def test_1_a_node_without_its_share_is_reported_and_does_not_start(lab: Lab) -> None:
    name = lab.nodes[-1]
    node = lab.host(name)
    share = str(lab.variables.get("ivy_share_directory") or "/srv/ivy")
    pids = lab.pids(*lab.nodes)
    node.check_output(f"mkdir -p /mnt/kept && mount --bind {share} /mnt/kept && umount --lazy {share}")
    try:
        # It waits for the share without limit, so timeout ends it.
        waiting = node.run("timeout 60 /usr/local/lib/ivy-cluster/record-start")
        run = lab.playbook("site.yml", "--limit", name)
    finally:
        node.check_output(f"mount --bind /mnt/kept {share} && umount /mnt/kept && rmdir /mnt/kept")

    assert waiting.rc == 124
    assert "the engine is not started yet. The file share is not mounted" in " ".join(waiting.stderr.split())
    assert run.status != 0
    assert f"{share} is not" in run.output
    # Running engines keep running.
    assert lab.pids(*lab.nodes) == pids


def test_2_on_drift_fail_overwrites_nothing(lab: Lab) -> None:
    name = lab.nodes[0]
    edit(lab, name, "kept by somebody")

    run = lab.playbook("site.yml", "--limit", name, "-e", "engine_on_drift=fail")

    assert run.status != 0
    output = run.text
    assert "No node was changed. Take the change into the source" in output, run.output[-3000:]
    assert "configuration/applications/demo/app.yaml" in output
    assert "kept by somebody" in lab.host(name).file(APP).content_string


def test_3_an_activation_killed_while_writing_leaves_no_partial_file(lab: Lab, bulk: list[str]) -> None:
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
    # Its files are a mixture of two releases. The next start completes the release, as after a power loss.
    node.check_output("systemctl restart axonivy-engine")
    lab.await_engine(name)
    assert not node.file(f"{STORE}/intent.json").exists
    assert int(node.check_output(f"ls {BULK} | wc -l")) == FILES
    assert node.run("find /opt/ivy/current/configuration /etc/ivy-cluster -name '.ivy-cluster-*' | grep .").rc == 1
    completed = "journalctl -u axonivy-engine --since -5min | grep 'An activation was interrupted.*It is completed'"
    assert node.run(completed).rc == 0
    assert lab.info(name) is not None


def test_4_the_next_run_completes_the_release(lab: Lab) -> None:
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
    applied = [json.loads(lab.host(name).check_output(f"cat {STORE}/applied.json")) for name in lab.nodes]
    assert len({found["release"] for found in applied}) == 1


# Runs as the engine's user: files of any size and links where the collection's programs read.
SPARSE = """
import os
base = "/opt/ivy/current/"
for name in ("configuration/web.xml", "configuration/huge.lic", "configuration/huge.yaml", "logs/ivy.log.huge",
             "configuration/applications/demo/huge.bin"):
    try:
        with open(base + name, "wb") as stream:
            stream.truncate(8 << 30)
    except OSError as exc:
        print(name, exc)
"""
GUARD = (
    "/usr/bin/python3 -I -B /usr/local/lib/ivy-cluster/config-guard --mode report --settings /etc/ivy-cluster/node.json"
)


def test_5_files_of_any_size_take_neither_the_memory_nor_the_time_of_a_node(lab: Lab) -> None:
    name = lab.nodes[1]
    node = lab.host(name)
    node.check_output(f"sudo -u ivy python3 -c {shlex.quote(SPARSE)}")
    try:
        guard = node.run(f"systemd-run --wait --pipe -p MemoryMax=256M -p MemorySwapMax=0 -p RuntimeMaxSec=60 {GUARD}")
        assert guard.rc == 0, guard.stdout + guard.stderr
        run = lab.roll_out().succeeded()
        assert name in run.changed()
    finally:
        node.run("rm -f /opt/ivy/current/configuration/huge.* /opt/ivy/current/logs/ivy.log.huge")
        node.run("rm -f /opt/ivy/current/configuration/applications/demo/huge.bin")


# Runs as the engine's user: edits two files again and again, and prints each edit that somebody else has replaced.
WRITER = """
import os, random, select, sys, time
paths, number, mine = sys.argv[1:], 0, {}
def content(path):
    try:
        with open(path) as stream:
            return stream.read()
    except OSError:
        return None
while not select.select([sys.stdin], [], [], 0)[0]:
    path = random.choice(paths)
    if path in mine and content(path) != mine[path]:
        print(mine.pop(path), flush=True)
    text = f"# edit {number:06d}\\n"
    number += 1
    with open(path + ".swp", "w") as stream:
        stream.write(text)
    os.rename(path + ".swp", path)
    mine[path] = text.strip() and text
    time.sleep(random.random() * 0.05)
"""


def test_6_beside_a_writer_without_pause_no_edit_is_lost(lab: Lab) -> None:
    """For a minute, activations that change these files run beside it."""
    name = lab.nodes[0]
    node = lab.host(name)
    command = f"sudo -n -u ivy python3 -c {shlex.quote(WRITER)} {APP}"
    full = ["ssh", "-F", str(lab.directory / "ssh_config"), name, command]
    writer = subprocess.Popen(full, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    end = time.monotonic() + 60
    try:
        while time.monotonic() < end:
            # It may be refused, since a file changed while it ran.
            lab.roll_out("--limit", name)
        replaced = writer.communicate("\n", timeout=60)[0].split("\n")
    finally:
        writer.kill()
        writer.wait()
    edits = {line for line in replaced if line.startswith("# edit")}
    lost = [text for text in edits if node.run(f"grep -rqs '^{text}$' {STORE}/backups {APP}").rc != 0]
    assert edits
    assert lost == []
    lab.roll_out().succeeded()
