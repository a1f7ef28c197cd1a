# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Changes made on nodes, in the Cockpit and by hand, are found by file and key in one run and reverted in another.

Two nodes are changed and the third is unreachable, while the source changes too.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import shared_source

if TYPE_CHECKING:
    from conftest import Lab, Run

UNIT = "axonivy-engine.service"
CONFIGURATION = "/opt/ivy/versions/11.3.0/configuration"
DROP_IN = f"/etc/systemd/system/{UNIT}.d/50-by-hand.conf"
IVY = "configuration/ivy.yaml"
APP = "configuration/applications/demo/app.yaml"


@dataclass(frozen=True)
class Drift:
    """The result of one drift run over all nodes."""

    run: Run
    report: dict[str, Any]
    directory: Path

    def changes(self, side: str, path: str) -> list[dict[str, Any]]:
        return [change for change in self.report["changes"] if (change["side"], change["path"]) == (side, path)]

    def change(self, side: str, path: str) -> dict[str, Any]:
        changes = self.changes(side, path)
        assert len(changes) == 1, self.run.output[-8000:]
        return changes[0]


def nodes_of(finding: dict[str, Any]) -> list[str]:
    return [place["node"] for place in finding["nodes"]]


def keys_of(finding: dict[str, Any]) -> dict[str, list[Any]]:
    return {key["key"]: [key["before"], key["after"], key["wanted"]] for key in finding["keys"]}


def find_drift(lab: Lab, directory: Path, *arguments: str) -> Drift:
    run = lab.playbook("playbooks/drift.yml", "-e", f"drift_report_directory={directory}", *arguments)
    file = directory / "drift.json"
    assert file.exists(), run.output[-8000:]
    return Drift(run, json.loads(file.read_text(encoding="utf-8")), directory)


def change_nodes(lab: Lab) -> None:
    """Changes files of every class on two nodes without restarting an engine."""
    first, second, _away = lab.nodes
    for node in (first, second):
        lab.cockpit(node).set_key("ivy.yaml", "EMail.Server.Port", "2525")
    cockpit, host = lab.cockpit(first), lab.host(second)
    cockpit.set_key("ivy.yaml", "EMail.Server.Host", "by-hand.example.com")
    cockpit.save("web.xml", "<web-app>by hand</web-app>\n")
    cockpit.save("ivy.cache.properties", "cache.by.hand=true\n")
    cockpit.save("applications/demo/Variables/Limits.json", '{"limit": 7}\n')
    cockpit.save("applications/local/app.yaml", "Variables:\n  Local: 1\n")
    cockpit.upload("partner.p12", bytes(range(256)))
    host.check_output(f"chmod 0666 {CONFIGURATION}/applications/demo/app.yaml")
    host.check_output(f"rm -f {CONFIGURATION}/log4j2.xml")
    host.check_output(f"mkdir -p {Path(DROP_IN).parent} && printf '[Service]\\nNice=5\\n' > {DROP_IN}")


@pytest.fixture(scope="module")
def moved_on(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """A source with a new key and a key that a node has changed too, and an unused address for the third node.

    That address is one of the cluster's peers, so jgroups.xml is pending as well.
    """
    place = tmp_path_factory.mktemp("moved-on")
    source = shared_source.copy(place, task_failure="FAIL_TASK_DO_RETRY")
    values = {**lab.variables["ivy_shared_values"], "mail_host": "moved-on.example.com"}
    away = lab.nodes[-1]
    nobody = lab.addresses[away].rpartition(".")[0] + ".250"
    inventory = place / "away.yml"
    hosts = {"engine_nodes": {"hosts": {away: {"ansible_host": nobody}}}}
    inventory.write_text(json.dumps(hosts), encoding="utf-8")
    options = {"ivy_shared_config_source": str(source), "ivy_shared_values": values}
    return ["-i", str(inventory), "-e", json.dumps(options)]


@pytest.fixture(scope="module")
def found(lab: Lab, moved_on: list[str], tmp_path_factory: pytest.TempPathFactory) -> Drift:
    change_nodes(lab)
    return find_drift(lab, tmp_path_factory.mktemp("drift"), *moved_on)


def test_1_one_run_finds_everything_and_fails(lab: Lab, found: Drift) -> None:
    first, second, away = lab.nodes
    assert found.run.status != 0
    summary = found.report["summary"]
    assert summary["drifted"] == [first, second]
    assert summary["unreachable"] == [away]
    assert found.run.changed() == [first], "only the report on the controller was written"
    state = {node["name"]: node for node in found.report["nodes"]}
    assert state[away]["reason"]
    assert state[first]["engine_owned"] == [APP.replace("demo", "local"), *state[second]["engine_owned"]]


def test_2_the_same_change_on_two_nodes_is_one_finding_by_key(lab: Lab, found: Drift) -> None:
    first, second, _away = lab.nodes
    finding = found.change("drift", IVY)
    assert nodes_of(finding) == [first, second]
    assert keys_of(finding)["EMail.Server.Port"] == ["25", "2525", "25"]
    # Each node encrypted the password with its own salt; the ciphertexts differ without a change.
    assert "EMail.Server.Password" not in keys_of(finding)
    assert all(place["owner"] == "ivy" and place["modified"] for place in finding["nodes"])


def test_3_changes_of_both_sides_conflict_and_changes_of_the_source_are_pending(lab: Lab, found: Drift) -> None:
    first, second, _away = lab.nodes
    conflict = found.change("conflict", IVY)
    assert nodes_of(conflict) == [first]
    assert keys_of(conflict) == {
        "EMail.Server.Host": ["mail.example.com", "by-hand.example.com", "moved-on.example.com"]
    }
    pending = {tuple(nodes_of(change)): set(keys_of(change)) for change in found.changes("pending", IVY)}
    assert pending == {
        (first,): {"SystemTask.Failure.Behaviour"},
        (second,): {"SystemTask.Failure.Behaviour", "EMail.Server.Host"},
    }


@pytest.mark.parametrize(
    ("path", "kind", "node"),
    [
        ("configuration/web.xml", "modified", 0),
        ("configuration/ivy.cache.properties", "modified", 0),
        ("configuration/applications/demo/Variables/Limits.json", "extra", 0),
        ("configuration/partner.p12", "extra", 0),
        (APP, "attributes", 1),
        ("configuration/log4j2.xml", "missing", 1),
        (DROP_IN, "extra", 1),
    ],
)
def test_4_each_class_of_file_is_found(lab: Lab, found: Drift, path: str, kind: str, node: int) -> None:
    finding = found.change("drift", path)
    assert (finding["kind"], nodes_of(finding)) == (kind, [lab.nodes[node]])
    assert path in found.run.output


def test_5_nothing_else_is_found(found: Drift) -> None:
    assert {change["path"] for change in found.report["changes"] if change["side"] == "drift"} == {
        IVY,
        "configuration/web.xml",
        "configuration/ivy.cache.properties",
        "configuration/applications/demo/Variables/Limits.json",
        "configuration/partner.p12",
        APP,
        "configuration/log4j2.xml",
        DROP_IN,
    }


def test_6_the_report_has_three_formats_and_no_secrets(lab: Lab, found: Drift) -> None:
    secret = (lab.directory / "secrets/mail_password").read_text(encoding="utf-8").strip()
    for name in ("drift.txt", "drift.json", "drift.html"):
        file = found.directory / name
        assert file.stat().st_mode & 0o777 == 0o640
        text = file.read_text(encoding="utf-8")
        assert "2525" in text
        assert "decrypt:" not in text
        assert secret not in text
    assert secret not in found.run.output


def test_7_one_rollout_reverts_everything(lab: Lab, found: Drift, tmp_path: Path) -> None:
    first = lab.nodes[0]
    pids = lab.pids(*lab.nodes)
    lab.roll_out().succeeded()
    # The engine creates such files itself, so the rollout does not remove them.
    assert lab.host(first).file(f"{CONFIGURATION}/applications/local/app.yaml").exists
    lab.host(first).check_output(f"rm -r {CONFIGURATION}/applications/local")

    again = lab.playbook("playbooks/drift.yml", "--check", "-e", f"drift_report_directory={tmp_path}/none").succeeded()

    assert "No local change on 3 nodes." in again.output
    assert "pending" not in again.output.partition("No local change")[2].partition("\n")[0]
    assert not (tmp_path / "none").exists()
    assert lab.pids(*lab.nodes) == pids, "none of the reverted changes had been in use, so no restart was needed"
