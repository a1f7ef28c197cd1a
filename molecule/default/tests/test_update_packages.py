# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HAProxy, Java, PostgreSQL and the search engine are updated by the runbook update_packages.md, while users work.

The newer packages are made from the installed ones. A broken one stops the run at its host, and the next run with a
repaired one finishes. The packages that are installed here stay: only their versions are higher.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import newer_package
import pytest
from user_load import Load, User

if TYPE_CHECKING:
    from conftest import Browser, Lab, Run

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = Path(__file__).with_name("newer_package.py")
UPGRADE = ("-e", '{"packages_upgrade": true}')
HAPROXY, JAVA, POSTGRES = "haproxy", "openjdk-17-jre-headless", "postgresql-15"
# tools/archives.sh downloads it where every test runs.
NEWER_SEARCH = ROOT / ".cache/archives/elasticsearch-7.17.29.zip"


def site(lab: Lab, limit: str, *arguments: str) -> Run:
    return lab.playbook("playbooks/site.yml", "--limit", limit, *arguments)


def offer(lab: Lab, name: str, package: str, script: str = "") -> str:
    """Offers a newer package in a repository of the host, and returns its version. script: see there."""
    run = lab.module(name, "ansible.builtin.script", f"{PROGRAM} {package} {script} executable=python3").succeeded()
    found = re.search(r"[^\s\"\\]+" + re.escape(newer_package.MARK) + r"\d+", run.output)
    assert found is not None, run.output
    return found[0]


def installed(lab: Lab, name: str, package: str) -> str:
    return str(lab.host(name).check_output(f"dpkg-query --show --showformat '${{Version}}' {package}"))


def holds(lab: Lab, name: str) -> list[str]:
    return str(lab.host(name).check_output("apt-mark showhold")).split()


def runs_what_is_installed(lab: Lab, name: str, unit: str) -> bool:
    """Whether the program of the unit's main process was not replaced since it started."""
    # As the process's user: in a container, root may not read this of another user's process.
    ask = (
        f"pid=$(systemctl show --property MainPID --value {unit}); "
        'runuser -u "$(ps -o user:32= -p $pid)" -- readlink /proc/$pid/exe'
    )
    return "(deleted)" not in str(lab.host(name).check_output(ask))


def search_version(lab: Lab, name: str) -> str:
    """The version that the search engine itself reports."""
    ask = f"import urllib.request as r; print(r.urlopen('http://{lab.addresses[name]}:9200').read().decode())"
    return str(json.loads(lab.host(name).check_output(f'python3 -c "{ask}"'))["version"]["number"])


def service_package(lab: Lab, name: str) -> str:
    """The package of the host whose update reloads or restarts its service, by what Debian's release has."""
    (held,) = holds(lab, name)
    return held


def away(lab: Lab, name: str, unit: str) -> tuple[int, int]:
    """When the unit stopped and started last."""
    text = lab.host(name).check_output(
        f"systemctl show --timestamp=unix -p ActiveEnterTimestamp -p ActiveExitTimestamp {unit}"
    )
    found = dict(line.split("=@", 1) for line in text.splitlines())
    return int(found["ActiveExitTimestamp"]), int(found["ActiveEnterTimestamp"])


def clock(begin: int, end: int) -> set[str]:
    """The times of the clock between two seconds, as failures begin with them."""
    return {time.strftime("%H:%M:%S", time.localtime(second)) for second in range(begin, end + 1)}


def failures(load: Load, users: list[User] | None = None) -> list[str]:
    return [failure for user in users or load.everybody for failure in user.failures]


def begun(lab: Lab, load: Load) -> None:
    lab.until(lambda: all(user.nodes for user in load.everybody), 120, "every user has a node")


@pytest.fixture(scope="module", autouse=True)
def repositories(lab: Lab) -> Iterator[None]:
    yield
    lab.module("all", "ansible.builtin.file", f"path={newer_package.SOURCE} state=absent")
    lab.module("all", "ansible.builtin.file", f"path={newer_package.REPOSITORY} state=absent")
    lab.module("all", "ansible.builtin.command", "apt-get update")


def test_1_a_preview_names_the_package_and_changes_nothing(lab: Lab) -> None:
    name = lab.groups["load_balancers"][0]
    before, pids = installed(lab, name, HAPROXY), lab.pids()
    offer(lab, name, HAPROXY)
    lab.host(name).check_output("apt-get update")
    assert site(lab, name, *UPGRADE, "--check").succeeded().changed() == [name]
    assert (installed(lab, name, HAPROXY), lab.pids()) == (before, pids)


def test_2_haproxy_is_updated_and_no_request_fails(lab: Lab, browser: Browser) -> None:
    name = lab.groups["load_balancers"][0]
    host, pids = lab.host(name), lab.pids()
    configuration = host.check_output("sha256sum /etc/haproxy/haproxy.cfg")
    offer(lab, name, HAPROXY, "postinst=1")
    with Load(browser) as load:
        begun(lab, load)
        broken = site(lab, name, *UPGRADE)
        assert broken.status != 0
        assert HAPROXY in broken.text
        assert "returned an error code" in broken.text
        assert not runs_what_is_installed(lab, name, "haproxy.service")
        assert holds(lab, name) == [HAPROXY]

        # A package that does not reload HAProxy: the role does.
        version = offer(lab, name, HAPROXY, "postinst=0")
        site(lab, name, *UPGRADE).succeeded()
        assert installed(lab, name, HAPROXY) == version
        assert runs_what_is_installed(lab, name, "haproxy.service")

        version = offer(lab, name, HAPROXY)
        site(lab, name, *UPGRADE).succeeded()
        assert installed(lab, name, HAPROXY) == version
        assert runs_what_is_installed(lab, name, "haproxy.service")

    print(load.report("update of HAProxy"))
    assert (failures(load), load.lost()) == ([], [])
    # It was reloaded, with the same configuration, and nothing else restarted.
    assert lab.pids() == pids
    assert host.check_output("sha256sum /etc/haproxy/haproxy.cfg") == configuration
    assert holds(lab, name) == [HAPROXY]
    assert site(lab, name, *UPGRADE).succeeded().changed() == []
    assert site(lab, name).succeeded().changed() == []


def test_3_java_is_updated_and_the_engines_restart_one_after_another(lab: Lab, browser: Browser) -> None:
    first, *others = lab.nodes
    before = {name: installed(lab, name, JAVA) for name in lab.nodes}
    offer(lab, first, JAVA, "postinst=1")
    pids = lab.pids()
    with Load(browser) as load:
        begun(lab, load)
        broken = site(lab, "engine_nodes", *UPGRADE)
        assert broken.status != 0
        assert f"install '{JAVA}=" in broken.text
        assert "No engine was started, stopped or changed to a new release." in broken.text
        assert holds(lab, first) == [JAVA]
        assert lab.pids() == pids
        assert {name: installed(lab, name, JAVA) for name in others} == {name: before[name] for name in others}

        versions = {name: offer(lab, name, JAVA) for name in lab.nodes}
        site(lab, first, *UPGRADE).succeeded()
        after = lab.pids()
        assert {key for key, pid in after.items() if pids[key] != pid} == {f"{first} axonivy-engine.service"}
        assert {name: installed(lab, name, JAVA) for name in others} == {name: before[name] for name in others}

        site(lab, "engine_nodes", *UPGRADE).succeeded()

    print(load.report("update of Java"))
    assert (failures(load), load.lost()) == ([], [])
    assert {name: installed(lab, name, JAVA) for name in lab.nodes} == versions
    assert all(runs_what_is_installed(lab, name, "axonivy-engine.service") for name in lab.nodes)
    assert all(holds(lab, name) == [JAVA] for name in lab.nodes)
    last = lab.pids()
    assert {key for key, pid in last.items() if after[key] != pid} == {f"{n} axonivy-engine.service" for n in others}
    assert site(lab, "engine_nodes", *UPGRADE).succeeded().changed() == []
    assert lab.pids() == last


def test_4_postgresql_is_updated_and_the_engines_connect_again(lab: Lab, browser: Browser) -> None:
    name = lab.groups["database_servers"][0]
    host, unit = lab.host(name), f"{POSTGRES.replace('-', '@')}-main.service"
    before, pids = installed(lab, name, POSTGRES), lab.pids()
    offer(lab, name, POSTGRES, "preinst=1")
    # The earlier package stops the server before the newer one fails, and would leave it stopped.
    broken = site(lab, name, *UPGRADE)
    assert broken.status != 0
    assert f"The packages of PostgreSQL could not be installed on {name}" in broken.text
    assert "The server runs." in broken.text
    assert (installed(lab, name, POSTGRES), holds(lab, name)) == (before, [POSTGRES])
    assert host.check_output(f"systemctl is-active {unit}") == "active"
    lab.until(lambda: all(lab.info(node) is not None for node in lab.nodes), 60, "the engines serve")

    version = offer(lab, name, POSTGRES)
    with Load(browser) as load:
        begun(lab, load)
        site(lab, name, *UPGRADE).succeeded()
        end = int(time.time())
        begin, started = away(lab, name, unit)
        before_end = {user.name: user.counts["requests"] for user in load.users}
        lab.until(
            lambda: all(user.counts["requests"] > before_end[user.name] for user in load.users), 120, "users are served"
        )

    print(load.report(f"update of PostgreSQL, which was away for {started - begin} s"))
    times = clock(begin, end)
    assert [failure for failure in failures(load) if failure[:8] not in times] == []
    assert load.lost() == []
    assert max(user.moves for user in load.everybody) <= 1
    assert installed(lab, name, POSTGRES) == version
    assert runs_what_is_installed(lab, name, unit)
    assert holds(lab, name) == [POSTGRES]
    after = lab.pids()
    assert {key for key, pid in after.items() if pids[key] != pid} == {f"{name} {unit}"}
    assert site(lab, name, *UPGRADE).succeeded().changed() == []
    assert lab.pids() == after


def test_5_the_search_engine_is_updated_and_only_searches_fail(lab: Lab, browser: Browser) -> None:
    name = lab.groups["search_servers"][0]
    subprocess.run(
        [ROOT / "tools/archives.sh"], check=True, capture_output=True, env={**os.environ, "IVY_LAB_EVERY_TEST": "1"}
    )
    newer = ("-e", f"elasticsearch_archive={NEWER_SEARCH}")
    version = offer(lab, name, JAVA)
    pids = lab.pids()
    key = f"{name} elasticsearch.service"
    with Load(browser) as load:
        begun(lab, load)
        site(lab, name, *UPGRADE, *newer).succeeded()

    print(load.report("update of the search engine"))
    # The writers' notes are in the database, and are not in the index while it is away.
    assert failures(load, [*load.users, *load.slow, *load.connected]) == []
    assert load.lost() == []
    after = lab.pids()
    assert {one for one, pid in after.items() if pids[one] != pid} == {key}
    assert search_version(lab, name) == "7.17.29"
    assert installed(lab, name, JAVA) == version
    assert holds(lab, name) == [JAVA]
    assert site(lab, name, *UPGRADE, *newer).succeeded().changed() == []
    assert lab.pids() == after


def test_6_the_search_engine_goes_back_with_an_empty_index(lab: Lab, browser: Browser) -> None:
    name = lab.groups["search_servers"][0]
    host = lab.host(name)
    directory = "/var/lib/elasticsearch"
    host.check_output("systemctl stop elasticsearch.service")
    host.check_output(f"find {directory} -mindepth 1 -delete")
    site(lab, name).succeeded()
    assert search_version(lab, name) == "7.17.28"
    with Load(browser) as load:
        lab.until(lambda: all(user.counts["searches"] for user in load.writers), 120, "users find what they write")
    assert failures(load) == []


def hosts_in_order(lab: Lab) -> list[str]:
    """The order in which a run updates all hosts."""
    groups = ("load_balancers", "engine_nodes", "database_servers", "search_servers")
    return [name for group in groups for name in lab.groups[group]]


# This one and the next also run on Debian 13.
def test_7_a_broken_package_on_the_first_host_ends_a_run_for_all(lab: Lab) -> None:
    first, *others = hosts_in_order(lab)
    packages = {name: service_package(lab, name) for name in (first, *others)}
    before, pids = {name: installed(lab, name, packages[name]) for name in others}, lab.pids()
    for name in others:
        offer(lab, name, packages[name])
    offer(lab, first, packages[first], "postinst=1")
    broken = lab.playbook("playbooks/site.yml", *UPGRADE)
    assert broken.status != 0
    assert f"Not touched: {', '.join(others)}." in broken.text, broken.output[-6000:]
    assert lab.pids() == pids
    assert {name: installed(lab, name, packages[name]) for name in others} == before


def test_8_one_run_updates_the_packages_of_all_hosts(lab: Lab, browser: Browser) -> None:
    """Users work through each load balancer."""
    packages = {name: service_package(lab, name) for name in hosts_in_order(lab)}
    pids = lab.pids()
    (database,) = [key.split() for key in pids if key.startswith(lab.groups["database_servers"][0])]
    (search,) = [key.split() for key in pids if key.startswith(lab.groups["search_servers"][0])]
    balancers = lab.groups["load_balancers"]
    loads = [Load(dataclasses.replace(browser, address=lab.addresses[name])) for name in balancers]
    versions = {name: offer(lab, name, package) for name, package in packages.items()}
    with contextlib.ExitStack() as stack:
        for load in loads:
            load.interval *= len(loads)
            begun(lab, stack.enter_context(load))
        begin = time.time()
        lab.playbook("playbooks/site.yml", *UPGRADE).succeeded()
        seconds = time.time() - begin

    without_database, without_search = away(lab, *database), away(lab, *search)
    for name, load in zip(balancers, loads):
        print(
            load.report(
                f"update of all packages through {name}, {seconds:.0f} s; the database was away for "
                f"{without_database[1] - without_database[0]} s, the search engine for "
                f"{without_search[1] - without_search[0]} s"
            )
        )
    # Until the load balancers have found the nodes healthy again, and the search engine answers.
    expected = clock(without_database[0] - 1, without_database[1] + 30)
    of_writers = clock(without_search[0] - 1, without_search[1] + 60)
    unexpected = [
        failure
        for load in loads
        for user in load.everybody
        for failure in user.failures
        if failure[:8] not in expected and not (user in load.writers and failure[:8] in of_writers)
    ]
    assert unexpected == []
    assert [load.lost() for load in loads] == [[] for _load in loads]
    assert {name: installed(lab, name, package) for name, package in packages.items()} == versions
    assert {name: holds(lab, name) for name in packages} == {name: [package] for name, package in packages.items()}
    # The package reloads HAProxy. Everything else has restarted.
    after = lab.pids()
    assert {key for key, pid in after.items() if pids[key] == pid} == {f"{name} haproxy.service" for name in balancers}
    assert all(runs_what_is_installed(lab, *key.split()) for key in after)
    assert lab.playbook("playbooks/site.yml", *UPGRADE).succeeded().changed() == []
    assert lab.pids() == after


def test_9_verify_passes_and_site_has_nothing_to_do(lab: Lab, tmp_path: Path) -> None:
    report = lab.verify(tmp_path)
    assert [row for row in report.rows if row["status"] == "failed"] == []
    report.run.succeeded()
    assert lab.playbook("playbooks/site.yml").succeeded().changed() == []
