# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run at a time changes the cluster; a run that has ended, in whatever phase, does not block the next."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conftest import Lab, Source

ROOT = Path(__file__).resolve().parents[3]
RECORD = "/srv/ivy/cluster/record.json"
OTHER = "another-controller-1-1"
# A lease of a controller elsewhere, whose process nobody here can inspect.
TAKE = f"""python3 - <<'END'
import json, time
record = json.load(open("{RECORD}"))
now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - AGE))
texts = dict.fromkeys(("step", "node"), "")
lease = {{"run_id": "{OTHER}", "owner": "kim", "operation": "site", "stale_after": 900}}
record["lease"] = {{**lease, **texts, "started": now, "renewed": now}}
open("{RECORD}", "w").write(json.dumps(record))
END"""


def record(lab: Lab) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(lab.host(lab.nodes[-1]).check_output(f"cat {RECORD}"))
    return found


# Of the lease. `make test` takes the first one; tests/unit/simulation ends a run at every step.
STEPS = ("stop", "wait for the balancers", "Stage the release on every node", "start")


def hold(lab: Lab, age: int) -> None:
    lab.host(lab.nodes[-1]).check_output(TAKE.replace("AGE", str(age)))


def take_overs(lab: Lab) -> list[str]:
    return [event["reason"] for event in record(lab)["history"] if event["operation"] == "take over"]


def releases(lab: Lab) -> set[str]:
    return {str((lab.info(node) or {}).get("release")) for node in lab.nodes}


def source(directory: Path, behaviour: str) -> list[str]:
    """A source with a key that needs a restart."""
    copy = directory / behaviour
    shutil.copytree(ROOT / "inventories/demo/shared_config", copy)
    with (copy / "configuration/ivy.yaml.j2").open("a", encoding="utf-8") as stream:
        stream.write(f"SystemTask:\n  Failure:\n    Behaviour: {behaviour}\n")
    return ["-e", json.dumps({"ivy_shared_config_source": str(copy)})]


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return source(tmp_path_factory.mktemp("first"), "FAIL_TASK_DO_RETRY")


@pytest.fixture(scope="module")
def second(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return source(tmp_path_factory.mktemp("second"), "DESTROY_TASK_AND_CASE")


@pytest.fixture(scope="module", autouse=True)
def replaced_source(source_in_use: Source) -> Iterator[None]:
    yield
    source_in_use.replaced()


def test_1_other_runs_are_refused_before_they_change_anything(lab: Lab, first: list[str], second: list[str]) -> None:
    later = lab.pids(*lab.nodes[1:])
    with ThreadPoolExecutor() as pool:
        run = pool.submit(lab.roll_out, *first)
        lab.until(lambda: run.done() or lab.info(lab.nodes[0]) is None, 300, "the first engine stops")
        assert not run.done(), run.result().output[-6000:]

        others = [
            pool.submit(lab.playbook, playbook, *second, "-e", "rollback_reason='a test'")
            for playbook in ("site.yml", "playbooks/rollback.yml")
        ]

        for refused in (other.result() for other in others):
            assert refused.status != 0
            assert "Another run changes the cluster" in refused.output, refused.output[-6000:]
            assert refused.changed() == []
        run.result().succeeded()
    found = record(lab)
    assert releases(lab) == {found["desired_release"]}
    assert (found["operation"], found["lease"], found["pin"]) == (None, None, None)
    assert not set(later.values()) & set(lab.pids(*lab.nodes[1:]).values())


def test_2_a_fresh_lease_is_taken_over_with_a_reason_only(lab: Lab, first: list[str]) -> None:
    hold(lab, age=60)
    for playbook in ("playbooks/rollout.yml", "playbooks/unpin.yml"):
        refused = lab.playbook(playbook, *first, "-e", "rollback_reason='a test'")
        assert refused.status != 0
        assert "site of kim" in refused.output, refused.output[-6000:]
        assert refused.changed() == []

    lab.roll_out(*first, "-e", "ivy_take_over_reason='kim has gone home'").succeeded()

    assert take_overs(lab)[-1] == "kim has gone home"
    assert record(lab)["lease"] is None


def test_3_a_stale_lease_is_taken_over(lab: Lab, first: list[str]) -> None:
    hold(lab, age=1000)
    lab.roll_out(*first).succeeded()
    assert take_overs(lab)[-1].startswith("no sign of life since ")


@pytest.mark.parametrize("step", STEPS[: int(os.environ.get("IVY_LAB_KILLED_STEPS", "1"))])
def test_4_after_the_controller_was_killed_the_next_run_finishes(
    lab: Lab, first: list[str], second: list[str], step: str
) -> None:
    """In each phase. Nothing but the node under way is touched, and no reason has to be given."""
    change = first if releases(lab) != {release_of(lab, first)} else second
    later = lab.pids(*lab.nodes[1:])
    command = lab.playbook_command("playbooks/rollout.yml", *change)
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    ) as process:
        lab.until(
            lambda: process.poll() is not None or (record(lab)["lease"] or {}).get("step") == step, 300, f"step {step}"
        )
        assert process.poll() is None, f"the run has ended before the step {step}"
        os.killpg(process.pid, signal.SIGKILL)
    assert lab.pids(*lab.nodes[1:]) == later

    lab.roll_out(*change).succeeded()

    found = record(lab)
    assert releases(lab) == {found["desired_release"]}
    assert (found["operation"], found["lease"]) == (None, None)
    assert take_overs(lab)[-1] == "its run has ended"


def release_of(lab: Lab, change: list[str]) -> str:
    """The release that the source gives."""
    run = lab.playbook("playbooks/rollout.yml", "--check", *change).succeeded()
    line = next(line for line in run.output.splitlines() if "would be at release" in line)
    beginning = line.partition("would be at release ")[2].partition(",")[0].strip()
    return next((full for full in releases(lab) if full.startswith(beginning)), beginning)
