# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The support bundle contains logs, states and configuration of every host that answers, and no secret."""

from __future__ import annotations

import base64
import json
import secrets
import stat
import tarfile
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from ansible_collections.ivy.cluster.tests import canaries

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Lab

LOGS = "/opt/ivy/versions/11.3.0/logs"


@pytest.fixture
def canary(lab: Lab) -> Iterator[str]:
    """A secret in a log of each kind, and a log that is a link to a file that only root can read."""
    word = f"canary{secrets.token_hex(8)}"
    texts = [canaries.AROUND["log"].format(text.format(word)) for text in canaries.ALL.values()]
    encoded = base64.b64encode("\n".join(texts).encode()).decode()
    node, database = lab.host(lab.nodes[0]), lab.host(lab.groups["database_servers"][0])
    node.check_output(f"cd {LOGS} && echo {encoded} | base64 -d > canary.log && ln -s /etc/shadow link.log")
    database.check_output(f"echo {encoded} | base64 -d > /var/log/postgresql/canary.log")
    yield word
    node.check_output(f"cd {LOGS} && rm -f canary.log link.log")
    database.check_output("rm -f /var/log/postgresql/canary.log")


def test_the_bundle_contains_every_host_that_answers_and_no_secret(lab: Lab, canary: str, tmp_path: Path) -> None:
    pids = lab.pids()
    options = ["-e", f"support_bundle_directory={tmp_path}/bundles"]
    lab.playbook("playbooks/support_bundle.yml", *options, "--check").succeeded()
    assert not (tmp_path / "bundles").exists()

    away = lab.nodes[-1]
    nobody = lab.addresses[away].rpartition(".")[0] + ".250"
    lost = tmp_path / "away.yml"
    lost.write_text(json.dumps({"engine_nodes": {"hosts": {away: {"ansible_host": nobody}}}}), encoding="utf-8")
    run = lab.playbook("playbooks/support_bundle.yml", "-i", str(lost), *options, "-vvv").succeeded()
    (archive,) = (tmp_path / "bundles").iterdir()
    assert stat.S_IMODE(archive.stat().st_mode) == 0o600
    assert archive.name in run.output
    with tarfile.open(archive) as tar:
        files = {entry.name.partition("/")[2]: tar.extractfile(entry).read() for entry in tar}  # type: ignore[union-attr]
    assert list(json.loads(files["summary.json"])["lost"]) == [away]
    assert f"{away}: NOT INCLUDED: " in run.output

    expected = {
        "load_balancers": ("state/balancer.json", "config/haproxy/haproxy.cfg", "logs/haproxy.service.log"),
        "engine_nodes": ("state/engine.json", "state/releases.json", "config/engine/ivy.yaml", "logs/engine/ivy.log"),
        "database_servers": ("state/sessions.txt", "logs/postgresql/canary.log"),
        "search_servers": ("state/disk.txt", "state/packages.txt"),
    }
    for group, names in expected.items():
        for host in (name for name in lab.groups[group] if name != away):
            assert [name for name in names if f"hosts/{host}/{name}" not in files] == []
    assert f"hosts/{lab.nodes[0]}/logs/engine/canary.log" in files
    assert f"hosts/{lab.nodes[0]}/logs/engine/link.log" not in files

    everything = b"\n".join(files.values()).decode() + run.output
    values = [canary, *(str(value) for value in lab.secrets["engine_keys"].values())]
    values += [str(value) for name, value in lab.secrets.items() if name != "engine_keys"]
    assert [number for number, value in enumerate(values) if value in everything] == []
    assert len(values) > 1
    assert lab.pids() == pids
    # It comes from one host only.
    limited = lab.playbook("playbooks/support_bundle.yml", *options, "--limit", lab.nodes[1]).succeeded()
    assert f"{lab.nodes[1]}: " in limited.output
    assert f"{lab.nodes[0]}: " not in limited.output.partition("TASK [ivy.cluster.support_bundle : Print")[2]
