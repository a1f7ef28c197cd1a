# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compares shared_config with ping and the usual ways to copy files, on the hosts of tests/bench/hosts.yml.

`make bench-config` creates the hosts, runs this, and removes them. All measurements happen in one ansible-playbook
process over persistent SSH connections with pipelining, so that the start of either is not included.
"""

from __future__ import annotations

import datetime
import json
import os
import random
import shutil
import subprocess
import sys
import tarfile
import typing as t
from pathlib import Path

from bench_figures import Figure, Key, Record, Target, cell, figures, placed, ratio_between, seconds, size, table

ROOT = Path(__file__).resolve().parents[2]
WORK = ROOT / ".cache" / "lab" / "ivy-bench" / "work"
DOCUMENT = ROOT / "docs" / "benchmark.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
INVENTORY = "tests/bench/hosts.yml"

REPETITIONS = 5
FILES = (200, 2000)
# Ansible's copy takes up to a second for each file.
COPIED = 3
HOSTS = (5, 10, 25, 50)
# In MiB; the first is the baseline.
MEMORY = (1, 500)
FORKS = 25
FIRST, CLEAN, ONE, DRIFT = "first push", "nothing changed", "one file changed", "drift check"
CASES = (FIRST, CLEAN, ONE, DRIFT)
INFO = "shared_config_info"
PING, OURS, SYNC, ARCHIVE, COPY = "ping", "shared_config", "synchronize", "unarchive", "copy"
METHODS = (PING, OURS, SYNC, ARCHIVE, COPY)
TITLES = {
    PING: "`ansible.builtin.ping`",
    OURS: "`ivy.cluster.shared_config`",
    SYNC: "`ansible.posix.synchronize`",
    ARCHIVE: "`ansible.builtin.unarchive`",
    COPY: f"`ansible.builtin.copy`, **{COPIED} files only**",
}
OWNER = "ivyadmin"

Task = dict[str, t.Any]


def write_tree(directory: Path, files: int, changed: bool) -> None:
    """Text files of 1 to 4 KB in twenty directories; the other variant differs in one of them."""
    numbers = random.Random(files)
    shutil.rmtree(directory, ignore_errors=True)
    for index in range(files):
        lines = [f"key.{line}={numbers.getrandbits(64):x}\n" for line in range(numbers.randint(40, 160))]
        if changed and index == files // 2:
            lines.append("key.more=1\n")
        path = directory / "configuration" / "tree" / f"{index % 20:02d}" / f"file{index:04d}.properties"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(lines), encoding="ascii")
        # The same time in both variants, or rsync would read every file.
        moment = 1_700_000_000 + (1 if changed and index == files // 2 else 0)
        os.utime(path, (moment, moment))


def prepare_sources() -> None:
    for files in (*FILES, COPIED):
        for variant in "AB":
            tree = WORK / f"source-{files}-{variant}"
            write_tree(tree, files, variant == "B")
            with tarfile.open(WORK / f"source-{files}-{variant}.tar.gz", "w:gz") as archive:
                archive.add(tree / "configuration", "configuration")


def releases() -> list[Task]:
    return [
        {
            "name": f"Build {files} {variant}",
            "ivy.cluster.config_release": {
                "source": str(WORK / f"source-{files}-{variant}"),
                "cache": str(WORK / "cache"),
                "cluster": "bench",
                "cluster_key": "{{ bench_key }}",
                "engine_version": "11.3.0",
                "profile": "{{ ivy_profiles | ivy.cluster.profile('11.3.0') }}",
                "nodes": "{{ groups['all'] }}",
            },
            "register": f"built_{files}_{variant}",
            "run_once": True,
        }
        for files in FILES
        for variant in "AB"
    ]


def options(files: int, place: str) -> Task:
    """The common options of shared_config and shared_config_info, including the installed node code."""
    return {
        "roots": {
            "engine": f"/opt/bench/{OURS}-{place}",
            "environment": f"/etc/bench/{place}",
            "secrets": f"/etc/bench/{place}/secrets",
        },
        "store": f"/var/lib/bench/{place}",
        "owner": OWNER,
        "group": OWNER,
        "node_files": [{"path": f"/usr/local/lib/bench/{place}/ivy_node", "helper": True}],
        "release": f"{{{{ built_{files}_A.release.id }}}}",
        "cache": str(WORK / "cache"),
    }


def work(case: str, method: str, files: int, variant: str, place: str) -> Task:
    """The task of one method in one case."""
    files = COPIED if method == COPY else files
    target = f"/opt/bench/{method}-{place}/"
    source = f"{WORK}/source-{files}-{variant}"
    task: Task
    if method == PING:
        task = {"ansible.builtin.ping": {}}
    elif method == OURS:
        params = {**options(files, place), "release": f"{{{{ built_{files}_{variant}.release.id }}}}"}
        if case == DRIFT:
            del params["release"], params["cache"], params["node_files"]
            return {"ivy.cluster.shared_config_info": params}
        task = {"ivy.cluster.shared_config": params}
    elif method == SYNC:
        task = {
            "ansible.posix.synchronize": {"src": source + "/", "dest": target, "use_ssh_args": True, "delete": True}
        }
        if case == DRIFT:
            # By content, as shared_config_info does, not by size and time.
            task["ansible.posix.synchronize"]["checksum"] = True
    elif method == ARCHIVE:
        task = {"ansible.builtin.unarchive": {"src": source + ".tar.gz", "dest": target}}
    else:
        task = {"ansible.builtin.copy": {"src": source + "/", "dest": target, "mode": "0644", "directory_mode": "0755"}}
    if case == DRIFT:
        task["check_mode"] = True
    return task


def directories(files: int, place: str) -> Task:
    return {
        "name": f"Directories {files} {place}",
        "ansible.builtin.file": {"path": "{{ item }}", "state": "directory", "owner": OWNER, "mode": "0755"},
        "loop": [f"/opt/bench/{OURS}-{place}/configuration"]
        + [f"/opt/bench/{method}-{place}" for method in (SYNC, ARCHIVE, COPY)],
    }


def rotated(values: t.Sequence[str], by: int) -> list[str]:
    by %= len(values)
    return [*values[by:], *values[:by]]


def rounds() -> list[Task]:
    """All cases on one host: every case once in each round, with a different order of the methods."""
    tasks: list[Task] = []
    for files in FILES:
        methods = METHODS if files == FILES[0] else tuple(method for method in METHODS if method != COPY)
        for number in range(REPETITIONS):
            place = f"{files}-{number}"
            tasks.append(directories(files, place))
            for step, case in enumerate(CASES):
                variant = "A" if case in (FIRST, CLEAN) else "B"
                tasks.extend(
                    {"name": f"measure {case}|{method}|{files}|1|{number}", **work(case, method, files, variant, place)}
                    for method in rotated(methods, number + step)
                    # unarchive has no check mode.
                    if (case, method) != (DRIFT, ARCHIVE)
                )
    return tasks


def parts() -> list[Task]:
    """Where the time of a clean call goes."""
    tasks: list[Task] = []
    for number in range(REPETITIONS):
        for name, command in (("nothing", "true"), ("python", "/usr/bin/python3 -c pass")):
            tasks.append({"name": f"measure part|{name}|0|1|{number}", "ansible.builtin.raw": command})
        for files in FILES:
            place = f"{files}-{REPETITIONS - 1}"
            params = {**options(files, place), "release": f"{{{{ built_{files}_B.release.id }}}}"}
            del params["cache"], params["node_files"]
            arguments = {**DEFAULTS, **params}
            tasks.append(
                {
                    "name": f"measure part|inside|{files}|1|{number}",
                    "ansible.builtin.raw": "/usr/bin/python3 /var/tmp/breakdown.py {{ arguments | to_json | quote }}",
                    "vars": {"arguments": arguments},
                }
            )
    return tasks


DEFAULTS: Task = {
    "state": "applied",
    "unit": "axonivy-engine.service",
    "on_drift": "overwrite",
    "ignore": [],
}


def curve(hosts: int) -> list[Task]:
    files = FILES[0]
    place = f"{files}-curve"
    chosen = (PING, OURS, INFO, SYNC)
    tasks: list[Task] = [directories(files, place)]
    tasks.extend({"name": f"Push {method}", **work(FIRST, method, files, "A", place)} for method in (OURS, SYNC))
    for number in range(REPETITIONS):
        for method in rotated(chosen, number):
            info = method == INFO
            task = work(DRIFT if info else CLEAN, OURS if info else method, files, "A", place)
            tasks.append({"name": f"measure curve|{method}|{files}|{hosts}|{number}", **task})
    return tasks


def playbook() -> list[Task]:
    def play(hosts: str, tasks: list[Task]) -> Task:
        warm = {"name": "Open the connections", "ansible.builtin.ping": {}}
        return {"hosts": hosts, "gather_facts": False, "become": True, "tasks": [warm, *tasks]}

    code = [
        {"name": f"Copy {path.name}", "ansible.builtin.copy": {"src": str(path), "dest": "/var/tmp/", "mode": "0644"}}
        for path in (ROOT / "tests/bench/breakdown.py", ROOT / "plugins/modules/shared_config_call.py")
    ]
    plays = [play("all", releases()), play("bench01", [*code, *rounds(), *parts()])]
    plays.extend(play(f"all[0:{hosts - 1}]", curve(hosts)) for hosts in HOSTS)
    return plays


def output_of(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def measure() -> list[Record]:
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir(parents=True)
    prepare_sources()
    (WORK / "measure.yml").write_text(json.dumps(playbook(), indent=1), encoding="utf-8")
    variables = {
        "ivy_shared_values": {},
        "ivy_shared_secrets": {},
        "bench_key": "a key for measurements, not a secret",
    }
    (WORK / "variables.json").write_text(json.dumps(variables), encoding="utf-8")
    record = WORK / "record.jsonl"
    environment = {
        **os.environ,
        "ANSIBLE_CALLBACK_PLUGINS": str(ROOT / "tests/bench/callback_plugins"),
        "ANSIBLE_CALLBACKS_ENABLED": "bench_timing",
        "ANSIBLE_SSH_ARGS": "-C -o ControlMaster=auto -o ControlPersist=600s",
        "BENCH_PROCESS": output_of("docker", "inspect", "--format", "{{.State.Pid}}", "ivy-bench-bench01"),
        "BENCH_RECORD": str(record),
    }
    common = ["ansible-playbook", "--inventory", INVENTORY, "--forks", str(FORKS)]
    subprocess.run([*common, "tests/bench/prepare.yml"], check=True, env=environment)
    files = [f"@{WORK / 'variables.json'}", "@roles/topology/vars/main/profiles.yml"]
    extra = [word for file in files for word in ("--extra-vars", file)]
    subprocess.run([*common, *extra, str(WORK / "measure.yml")], check=True, env=environment)
    records = [json.loads(line) for line in record.read_text(encoding="utf-8").splitlines()]
    failed = [task["name"] for task in records if task["failed"]]
    if failed:
        raise SystemExit(f"Failed tasks: {', '.join(failed)}")
    check_changes(records)
    return records


def measure_memory() -> dict[str, int]:
    """The peak memory of the controller in KiB, by the size of the only large file of the release in MiB."""
    peaks = {}
    for mebibytes in MEMORY:
        directory = WORK / "memory"
        directory.mkdir()
        command = (sys.executable, str(ROOT / "tests/bench/memory.py"), str(mebibytes), str(directory))
        peaks[str(mebibytes)] = int(json.loads(output_of(*command))["peak"])
        shutil.rmtree(directory)
    (WORK / "memory.json").write_text(json.dumps(peaks), encoding="utf-8")
    return peaks


def check_changes(records: t.Iterable[Record]) -> None:
    """Fails if a method did not change the expected number of hosts."""
    for record in records:
        case, method, *_rest = record["name"].split("|")
        if case in (FIRST, ONE) and method != PING:
            expected = record["hosts"]
        elif case in (CLEAN, DRIFT, "curve") or method == PING:
            expected = 0
        else:
            continue
        if record["changed"] != expected:
            raise SystemExit(f"{record['name']}: {record['changed']} hosts changed instead of {expected}.")


def machine(records: t.Sequence[Record]) -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    loads = sorted(task["load"] for task in records)
    core = output_of("ansible", "--version").splitlines()[0].split("core ")[1].strip("]")
    python = output_of("ssh", "-F", str(WORK.parent / "ssh_config"), "bench01", "python3 --version").split()[1]
    return (
        f"Measured on {datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d} on one machine with {os.cpu_count()} "
        f"cores and {memory:.0f} GB, which held controller and hosts alike; load average during the measurement "
        f"{loads[0]:.1f} to {loads[-1]:.1f}, median {loads[len(loads) // 2]:.1f}. "
        f"ansible-core {core}, Python {sys.version.split()[0]} on the controller and {python} on the hosts, "
        f"{ssh_version()}, {FORKS} forks.\n"
    )


def ssh_version() -> str:
    return subprocess.run(["ssh", "-V"], check=True, capture_output=True, text=True).stderr.split(",")[0]


def targets(records: t.Sequence[Record], found: t.Mapping[Key, Figure], memory: t.Mapping[str, int]) -> list[Target]:
    def against_ping(case: str, files: int, hosts: int = 1, method: str = OURS) -> float:
        ratio = found[(case, method, files, hosts)].ratio
        assert ratio is not None
        return ratio

    out = []
    for files in FILES:
        out.append(Target(f"nothing changed, {files} files, against ping", 1.1, against_ping(CLEAN, files)))
        out.append(Target(f"drift check, {files} files, against ping", 1.1, against_ping(DRIFT, files)))
        out.append(Target(f"one file changed of {files}, against ping", 1.5, against_ping(ONE, files)))
        out.append(
            Target(
                f"first push of {files} files, against synchronize",
                1.0,
                ratio_between(records, FIRST, OURS, SYNC, files),
            )
        )
    for method, name in ((OURS, "nothing changed"), (INFO, "drift check")):
        few, many = (against_ping("curve", FILES[0], hosts, method) for hosts in HOSTS[-2:])
        out.append(Target(f"{name}, {FILES[0]} files, {HOSTS[-2]} hosts, against ping", 1.1, few))
        out.append(Target(f"{name}, {FILES[0]} files, {HOSTS[-1]} hosts, against ping", 1.1, many))
        out.append(
            Target(f"{name}, {FILES[0]} files, ratio of {HOSTS[-1]} hosts against that of {HOSTS[-2]}", 1.1, many / few)
        )
    small, large = (memory[str(mebibytes)] for mebibytes in MEMORY)
    out.append(
        Target(f"memory of the controller, a file of {MEMORY[1]} MB against one of {MEMORY[0]} MB", 1.1, large / small)
    )
    return out


def memory_table(memory: t.Mapping[str, int]) -> str:
    rows = [[f"{mebibytes} MB", size(memory[str(mebibytes)] * 1024)] for mebibytes in MEMORY]
    return table(["the largest file of the release", "peak memory of building, caching and packing it"], rows)


def main_tables(found: t.Mapping[Key, Figure]) -> str:
    out = ""
    for files in FILES:
        methods = [method for method in METHODS if any((case, method, files, 1) in found for case in CASES)]
        rows = [[TITLES[m], *(cell(found.get((case, m, files, 1))) for case in CASES)] for m in methods]
        out += f"### {files} files, one host\n\n{table(['', *CASES], rows)}\n"
    rows = []
    for method in METHODS:
        for files in FILES:
            figure = found.get((CLEAN, method, files, 1))
            if figure is not None:
                count = "-" if method == PING else str(COPIED if method == COPY else files)
                rows.append([TITLES[method], count, size(figure.received), size(figure.sent)])
            if method in (PING, COPY):
                break
    head = ["nothing changed", "files", "to the node", "from the node"]
    return out + "### Over the network, for one clean node\n\n" + table(head, rows)


def curve_table(found: t.Mapping[Key, Figure]) -> str:
    titles = {**TITLES, INFO: "`ivy.cluster.shared_config_info`"}
    rows = [
        [titles[method], *(cell(found.get(("curve", method, FILES[0], hosts))) for hosts in HOSTS)]
        for method in (PING, OURS, INFO, SYNC)
    ]
    return table([f"nothing changed, {FILES[0]} files", *(f"{hosts} hosts" for hosts in HOSTS)], rows)


def parts_table(records: t.Iterable[Record], found: t.Mapping[Key, Figure]) -> str:
    def middle(values: list[float]) -> float:
        return sorted(values)[len(values) // 2]

    inside: dict[int, dict[str, list[float]]] = {}
    for record in records:
        case, method, files, *_rest = record["name"].split("|")
        if (case, method) == ("part", "inside"):
            for name, value in json.loads(record["output"]).items():
                inside.setdefault(int(files), {}).setdefault(name, []).append(value)
    connection = found[("part", "nothing", 0, 1)].seconds
    python = max(found[("part", "python", 0, 1)].seconds - connection, 0.0)
    names = {
        "standard library": "imports of the standard library",
        "code": "loading the code that the node keeps",
        "systemctl": "asking systemd for the unit",
        "manifest": "reading the manifest",
        "files": "finding, reading and hashing the files",
        "rest": "comparing and answering",
    }
    rows = [["a task that runs nothing (`raw: true`): worker, SSH, sudo, shell", *[seconds(connection)] * len(FILES)]]
    rows.append(["start of Python", *[seconds(python)] * len(FILES)])
    rows.extend([text, *(seconds(middle(inside[files][name])) for files in FILES)] for name, text in names.items())
    sums = [connection + python + sum(middle(inside[files][name]) for name in names) for files in FILES]
    rows.append(["sum", *(seconds(value) for value in sums)])
    rows.append(["measured: the whole task", *(seconds(found[(CLEAN, OURS, files, 1)].seconds) for files in FILES)])
    rows.append(
        ["measured: ping, for comparison", *(seconds(found[(CLEAN, PING, files, 1)].seconds) for files in FILES)]
    )
    return table(["part of a clean call", *(f"{files} files" for files in FILES)], rows)


def document(records: t.Sequence[Record], memory: t.Mapping[str, int]) -> str:
    found = figures(records)
    promises = targets(records, found, memory)
    missed = [target.text for target in promises if not target.met]
    verdict = f"**Missed: {'; '.join(missed)}.**" if missed else "All targets are met."
    return "\n".join(
        (
            machine(records),
            "Each cell is the median of five repetitions, in brackets the median of the ratios to `ping` in the same "
            "repetition.\n",
            "### Targets\n",
            table(["", "at most", "measured", "met"], [target.row() for target in promises]),
            f"{verdict}\n",
            main_tables(found),
            "### Over many hosts\n",
            curve_table(found),
            "### Memory of the controller\n",
            memory_table(memory),
            "### Where the time of a clean call goes\n",
            parts_table(records, found),
        )
    )


def main() -> None:
    os.chdir(ROOT)
    if "--report-only" in sys.argv:
        records, memory = last_records(), json.loads((WORK / "memory.json").read_text(encoding="utf-8"))
    else:
        records, memory = measure(), measure_memory()
    text = document(records, memory)
    DOCUMENT.write_text(placed(DOCUMENT.read_text(encoding="utf-8"), BEGIN, END, text), encoding="utf-8")
    print(text)


def last_records() -> list[Record]:
    """The records of the last measurement, to render the report again."""
    return [json.loads(line) for line in (WORK / "record.jsonl").read_text(encoding="utf-8").splitlines()]


if __name__ == "__main__":
    main()
