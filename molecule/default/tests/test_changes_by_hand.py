# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""After each kind of change by hand on each kind of host, the next site predicts, reports and repairs it.

All changes of a round are made together, so that a round takes one run in check mode and one that repairs.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from changes_by_hand import FUNCTIONS, ROUNDS, Change

if TYPE_CHECKING:
    from conftest import Lab

# `make test` makes the first round: 97 changes while all services run.
CHOSEN = list(ROUNDS)[: int(os.environ.get("IVY_LAB_CHANGE_ROUNDS", "1"))]
CASES = [(number, change) for number in CHOSEN for change in ROUNDS[number]]
# Repairs without the decision of site.yml whether a host needs its roles.
ROLES = {
    "database_servers": ["postgres"],
    "search_servers": ["elasticsearch"],
    "load_balancers": ["certificates", "haproxy"],
    "engine_nodes": ["file_share", "engine", "config_guard"],
}


@dataclass(frozen=True)
class Result:
    """One task on one host."""

    host: str
    changed: bool
    failed: bool
    text: str


@dataclass(frozen=True)
class Site:
    """A run of site.yml, task by task."""

    status: int
    results: list[Result]
    output: str

    def changes(self, hosts: Sequence[str] = ()) -> list[str]:
        return [result.text for result in self.results if result.changed and (not hosts or result.host in hosts)]

    def reports(self, change: Change, wanted: str) -> bool:
        texts = self.changes((change.host, *change.shared_with))
        return any(re.search(wanted, text) if ".*" in wanted else wanted in text for text in texts)

    def succeeded(self) -> Site:
        failures = [f"{result.host}: {result.text}" for result in self.results if result.failed]
        assert self.status == 0, "\n".join(failures)[-6000:] or self.output[-6000:]
        return self


@dataclass
class Round:
    """What was seen of the changes of one round, by their names, and the runs."""

    before: dict[str, str] = field(default_factory=dict)
    # Right after each change: a later change may stop the service that a view asks.
    made: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    standing: dict[str, str] = field(default_factory=dict)
    after_check: dict[str, str] = field(default_factory=dict)
    repaired: dict[str, str] = field(default_factory=dict)
    check: Site | None = None
    site: Site | None = None


def text_of(task: str, result: dict[str, Any]) -> str:
    """The name of a task and its result without the parameters, which are the same in every run."""
    shown = {key: value for key, value in result.items() if key not in ("invocation", "results", "ansible_facts")}
    return f"{task}: {json.dumps(shown, sort_keys=True)}"


def run_site(lab: Lab, *arguments: str) -> Site:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ANSIBLE_STDOUT_CALLBACK", "ansible.posix.json")
        run = lab.playbook("site.yml", "--diff", *arguments)
    start = run.output.find("{\n")
    assert start >= 0, run.output[-6000:]
    plays = json.JSONDecoder().raw_decode(run.output[start:])[0]["plays"]
    results = []
    for task in (task for play in plays for task in play["tasks"]):
        for host, whole in task["hosts"].items():
            for result in whole.get("results") or [whole]:
                failed = bool(result.get("failed") or result.get("unreachable"))
                text = text_of(task["task"]["name"], result)
                results.append(Result(host, bool(result.get("changed")), failed, text))
    return Site(run.status, results, run.output)


class Hosts:
    """The hosts of the changes. Each is contacted once for all its changes."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        found = lab.host("engine1").check_output("sed -n 's/^IVY_SYSTEMDB_PASSWORD=//p' /etc/ivy-cluster/shared.env")
        self.places = {f"@{name}@": address for name, address in lab.addresses.items()}
        self.places["@password@"] = found.strip("\"'")
        self.places["@login@"] = lab.database_login()

    def make(self, changes: Sequence[Change]) -> tuple[dict[str, str], dict[str, str]]:
        """Makes the changes, each followed by its view. Returns the views and the errors."""
        commands = {change.name: (change.host, change.make) for change in changes}
        local = [change for change in changes if not change.seen_from]
        views = {f"view of {change.name}": (change.host, change.view) for change in local}
        order = [name for change in changes for name in (change.name, f"view of {change.name}")]
        together = commands | views
        outputs = self._run({name: together[name] for name in order if name in together})
        seen = {change.name: outputs[f"view of {change.name}"][1] for change in local}
        seen.update(self.view([change for change in changes if change.seen_from]))
        return seen, {name: outputs[name][1] for name in commands if outputs[name][0] != 0}

    def view(self, changes: Sequence[Change]) -> dict[str, str]:
        commands = {change.name: (change.seen_from or change.host, change.view) for change in changes}
        return {name: output for name, (_status, output) in self._run(commands).items()}

    def _run(self, commands: dict[str, tuple[str, str]]) -> dict[str, tuple[int, str]]:
        """The exit status and the output of each command."""
        by_host: dict[str, dict[str, str]] = {}
        for name, (host, command) in commands.items():
            by_host.setdefault(host, {})[name] = command
        with ThreadPoolExecutor() as pool:
            answers = pool.map(self._run_on, by_host, by_host.values())
        return {name: answer for answered in answers for name, answer in answered.items()}

    def _run_on(self, host: str, commands: dict[str, str]) -> dict[str, tuple[int, str]]:
        parts = [f'( {command}\n) 2>&1; echo "== $?"' for command in commands.values()]
        script = FUNCTIONS + "\n".join(parts)
        for place, value in self.places.items():
            script = script.replace(place, value)
        output = self.lab.host(host).run(script).stdout
        shown = re.findall(r"(.*?)^== (\d+)$\n?", output, re.DOTALL | re.MULTILINE)
        assert len(shown) == len(commands), f"{host} does not answer completely"
        return {name: (int(status), text) for name, (text, status) in zip(commands, shown, strict=True)}


class Trial:
    """Makes each round's changes once, at the first case that asks for them."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.hosts = Hosts(lab)
        self.rounds: dict[str, Round] = {}
        self.repaired = True

    def round(self, name: str) -> Round:
        if name not in self.rounds:
            self.rounds[name] = found = Round()
            self._play(ROUNDS[name], found)
        return self.rounds[name]

    def _play(self, changes: Sequence[Change], found: Round) -> None:
        found.before = self.hosts.view(changes)
        self.repaired = False
        found.made, found.errors = self.hosts.make(changes)
        found.standing = self.hosts.view(changes)
        found.check = run_site(self.lab, "--check")
        found.after_check = self.hosts.view(changes)
        found.site = run_site(self.lab)
        found.repaired = self.hosts.view(changes)
        self.repaired = found.site.status == 0 and found.repaired == found.before

    def restore(self, directory: Path) -> None:
        """Repairs what site did not."""
        plays = [
            {
                "hosts": group,
                "become": True,
                "gather_facts": True,
                "tasks": [{"ansible.builtin.include_role": {"name": f"ivy.cluster.{role}"}} for role in roles],
            }
            for group, roles in ROLES.items()
        ]
        (directory / "roles.yml").write_text(json.dumps(plays), encoding="utf-8")
        self.lab.playbook(str(directory / "roles.yml")).succeeded()
        self.lab.playbook("site.yml").succeeded()


@pytest.fixture(scope="module")
def trial(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trial]:
    made = Trial(lab)
    yield made
    if not made.repaired:
        made.restore(tmp_path_factory.mktemp("restore"))


@pytest.mark.parametrize(("number", "change"), CASES, ids=[f"{number}: {change.name}" for number, change in CASES])
def test_a_change_is_predicted_reported_and_repaired(trial: Trial, number: str, change: Change) -> None:
    found, name = trial.round(number), change.name
    assert name not in found.errors, found.errors[name]
    assert found.made[name] != found.before[name], "the change is not visible"
    assert found.standing[name] != found.before[name], "the change did not last until site"
    assert found.check is not None
    assert found.site is not None
    found.check.succeeded()
    found.site.succeeded()
    predicted = change.reported if change.predicted is None else change.predicted
    assert not predicted or found.check.reports(change, predicted), "check mode does not predict the repair"
    assert found.after_check[name] == found.standing[name], "check mode has changed the host"
    assert not change.reported or found.site.reports(change, change.reported), "site does not report the change"
    assert found.repaired[name] == found.before[name], "site does not repair the change"


def test_the_next_site_changes_nothing(trial: Trial) -> None:
    trial.repaired = False
    assert run_site(trial.lab).succeeded().changes() == []
    trial.repaired = all(found.repaired == found.before for found in trial.rounds.values())
    assert trial.repaired, "site leaves a change"
