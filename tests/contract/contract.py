# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the contract tests on engines: the stand-in of three version ranges, or the archive in ENGINE_ARCHIVE.

`contract.py prepare` prepares the hosts. `contract.py run` tests every archive on its host and writes docs/contract.md
or, for a real archive, a report to send in. With --check it compares the document instead of writing it.
"""

from __future__ import annotations

import importlib
import io
import json
import os
import re
import subprocess
import sys
import tarfile
import threading
import typing as t
from dataclasses import asdict, dataclass
from pathlib import Path
from xml.etree import ElementTree

import report
import yaml
from assumptions import ORDER, REGISTRY, Assumption

from ansible_collections.ivy.cluster.plugins.plugin_utils.common import licence, profiles
from ansible_collections.ivy.cluster.plugins.plugin_utils.release import jgroups

ROOT = Path(__file__).resolve().parents[2]
SUITE = Path(__file__).resolve().parent
WORK = ROOT / ".cache" / "contract"
ARCHIVES = ROOT / ".cache" / "archives"
DOCUMENT = ROOT / "docs" / "contract.md"
INVENTORY = SUITE / "hosts.yml"
STAND_INS = ("10.0.20", "11.3.0", "12.0.9")
PUBLIC_HOST = "ivy.example.com"
JGROUPS_PORT, JGROUPS_FD_PORT = 7800, 7900


@dataclass(frozen=True)
class Target:
    """An archive and the host on which it is tested."""

    version: str
    stand_in: bool
    archive: str
    host: str
    public_host: str

    @property
    def material(self) -> Path:
        return WORK / self.version / "material"

    @property
    def results(self) -> Path:
        return WORK / self.version / "report.json"

    @property
    def junit(self) -> Path:
        return WORK / self.version / "junit.xml"


def assumptions() -> list[Assumption]:
    """All assumptions, in the order of the test files."""
    for module in ORDER:
        importlib.import_module(module)
    return list(REGISTRY.values())


def host_for(version: str) -> str:
    """The host with the Java version that this engine version needs."""
    known = yaml.safe_load((ROOT / "roles/topology/vars/main/profiles.yml").read_text(encoding="utf-8"))["ivy_profiles"]
    java = profiles.resolve_profile(known, version)["java"]
    hosts = yaml.safe_load(INVENTORY.read_text(encoding="utf-8"))["all"]["hosts"]
    for name, values in hosts.items():
        if values["contract_java"] == java:
            return str(name)
    raise SystemExit(f"Engine {version} needs Java {java}, but no host in {INVENTORY} has it.")


def version_of(archive: Path) -> str:
    found = re.search(r"AxonIvyEngine(\d+\.\d+\.\d+)", archive.name)
    if found is None:
        raise SystemExit(f"The name of {archive} contains no version. Example: AxonIvyEngine11.3.0.1234_All_x64.zip.")
    return found[1]


def targets() -> list[Target]:
    named = os.environ.get("ENGINE_ARCHIVE", "")
    if named:
        archive = Path(named).resolve()
        text = Path(os.environ["ENGINE_LICENCE"]).read_text(encoding="utf-8", errors="replace")
        urls = [url for url in licence.parse_licence(text).public_urls if "*" not in url]
        version = version_of(archive)
        host = re.sub(r"^[a-z]+://|[:/].*$", "", urls[0]) if urls else PUBLIC_HOST
        return [Target(version, False, str(archive), host_for(version), host)]
    found = []
    for version in STAND_INS:
        (archive,) = ARCHIVES.glob(f"AxonIvyEngine{version}.*_All_x64.zip")
        found.append(Target(version, True, str(archive), host_for(version), PUBLIC_HOST))
    return found


def write_material(target: Target) -> None:
    """Writes licences, the application and the JGroups stack as files for the host."""
    target.material.mkdir(parents=True, exist_ok=True)
    for path in target.material.iterdir():
        path.unlink()
    hosts = ["127.0.0.1", "127.0.0.2", "127.0.0.3"]
    for transport, name in (("tcp", "jgroups.xml"), ("multicast", "jgroups-udp.xml")):
        stack = jgroups.render(transport, "contract", JGROUPS_PORT, JGROUPS_FD_PORT, hosts)
        (target.material / name).write_text(stack, encoding="utf-8")
    application = os.environ.get("ENGINE_APPLICATION", "")
    if target.stand_in:
        application = str(ARCHIVES / "demo.zip")
        licences = {
            "valid": ["--nodes=2"],
            "two-nodes": ["--nodes=2"],
            "expired": ["--nodes=2", "--valid-until=2020-01-31"],
        }
        for name, arguments in licences.items():
            subprocess.run(
                [
                    ROOT / "tests/engine_stand_in/make-licence.sh",
                    target.material / f"{name}.lic",
                    f"--engine-version={target.version}",
                    f"--public-urls={target.public_host}",
                    *arguments,
                ],
                check=True,
            )
    else:
        content = Path(os.environ["ENGINE_LICENCE"]).read_text(encoding="utf-8", errors="replace")
        (target.material / "valid.lic").write_text(content, encoding="utf-8")
        if licence.parse_licence(content).nodes == 2:
            (target.material / "two-nodes.lic").write_text(content, encoding="utf-8")
    if application:
        (target.material / "application.zip").write_bytes(Path(application).read_bytes())


def prepare(found: list[Target]) -> int:
    WORK.mkdir(parents=True, exist_ok=True)
    plan = WORK / "plan.json"
    plan.write_text(json.dumps({"contract_plan": [asdict(target) for target in found]}, indent=1), encoding="utf-8")
    for target in found:
        write_material(target)
    command = ["ansible-playbook", "-i", str(INVENTORY), str(SUITE / "prepare.yml"), "-e", f"@{plan}"]
    return subprocess.run(command, check=False).returncode


def ssh(host: str, command: str, **options: t.Any) -> subprocess.CompletedProcess[bytes]:
    configuration = ROOT / ".cache" / "lab" / "ivy-contract" / "ssh_config"
    return subprocess.run(["ssh", "-F", str(configuration), host, command], check=False, **options)


def packed(target: Target) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path in sorted(SUITE.glob("*.py")):
            if path.name not in ("contract.py", "report.py"):
                archive.add(path, f"suite/{path.name}")
        archive.add(target.material, "material")
    return buffer.getvalue()


def attempt(target: Target) -> None:
    """Runs the suite on the host and fetches its results."""
    for path in (target.results, target.junit):
        path.unlink(missing_ok=True)
    run = f"/opt/contract/{target.version}"
    ssh(
        target.host,
        f"sudo rm -rf {run} && sudo mkdir {run} && sudo tar -x --no-same-owner -C {run}",
        input=packed(target),
    ).check_returncode()
    done = ssh(
        target.host,
        f"cd {run}/suite && sudo LC_ALL=C.UTF-8 python3 -B -m pytest -c /dev/null --rootdir={run}/suite"
        f" -p no:cacheprovider -q --tb=short --known={run}.json --material={run}/material"
        f" --results={run}/report.json --junitxml={run}/junit.xml -o junit_suite_name={target.version} .",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    print(f"=== {target.version} on {target.host}\n{done.stdout.decode(errors='replace')}", flush=True)
    for path in (target.results, target.junit):
        fetched = ssh(target.host, f"sudo cat {run}/{path.name}", stdout=subprocess.PIPE)
        if fetched.returncode == 0:
            path.write_bytes(fetched.stdout)


def attempt_all(found: list[Target]) -> None:
    """Tests the hosts in parallel, and the archives of one host one after another."""

    def attempt_on(host: str) -> None:
        for target in found:
            if target.host == host:
                attempt(target)

    threads = [threading.Thread(target=attempt_on, args=(host,)) for host in {target.host for target in found}]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def merge_junit(found: list[Target]) -> None:
    """Writes one file in which `make` counts the tests."""
    merged = ElementTree.Element("testsuites")
    for target in found:
        if target.junit.exists():
            merged.extend(ElementTree.parse(target.junit).iter("testsuite"))
    ElementTree.ElementTree(merged).write(WORK / "contract.xml", encoding="utf-8")


def run(found: list[Target], check: bool) -> int:
    attempt_all(found)
    merge_junit(found)
    lost = [target.version for target in found if not target.results.exists()]
    if lost:
        print(f"No report for: {', '.join(lost)}")
        return 1
    reports = [json.loads(target.results.read_text(encoding="utf-8")) for target in found]
    every = assumptions()
    problems = [problem for results in reports for problem in report.failures(results)]
    for results in reports:
        print(report.counts(results))
    if not found[0].stand_in:
        path = WORK / f"contract-{found[0].version}.md"
        path.write_text(report.to_send(every, reports[0]), encoding="utf-8")
        print(f"The report is {path.relative_to(ROOT)}. docs/contract.md describes how to send it in.")
    elif check:
        problems += report.misfits(every, DOCUMENT.read_text(encoding="utf-8"))
    else:
        content = report.table(every, reports, report.REAL)
        DOCUMENT.write_text(report.put(DOCUMENT.read_text(encoding="utf-8"), content), encoding="utf-8")
        print("The results are in docs/contract.md.")
    for problem in problems:
        print(problem)
    return 1 if problems else 0


def main(arguments: list[str]) -> int:
    found = targets()
    if arguments[:1] == ["prepare"]:
        return prepare(found)
    return run(found, "--check" in arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
