# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Changes made in one node's Cockpit are adopted into the source, and a rollout brings them to every node."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

if TYPE_CHECKING:
    from conftest import Lab

ROOT = Path(__file__).resolve().parents[3]
SOURCE = ROOT / "inventories/demo/shared_config"
ENGINE = "/opt/ivy/current/configuration"
VARIABLES = "applications/demo/Variables/colours.json"
KEYSTORE = bytes(range(256)) * 3


class Adopted(NamedTuple):
    """A copy of the source, and the path of the patch."""

    source: Path
    patch: Path

    def arguments(self) -> list[str]:
        paths = {"ivy_shared_config_source": str(self.source), "adopt_patch_file": str(self.patch)}
        return ["-e", json.dumps(paths)]


def tree(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def digest(lab: Lab, node: str, file: str) -> str:
    return lab.host(node).check_output(f"sha256sum {ENGINE}/{file}").split()[0]


@pytest.fixture(scope="module")
def adopted(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Adopted]:
    directory = tmp_path_factory.mktemp("adopt")
    shutil.copytree(SOURCE, directory / "source")
    yield Adopted(directory / "source", directory / "adopt.patch")
    lab.roll_out().succeeded()


def test_1_every_kind_of_change_is_adopted(lab: Lab, adopted: Adopted) -> None:
    node = lab.nodes[0]
    cockpit = lab.cockpit(node)
    properties = lab.host(node).file(f"{ENGINE}/ivy.cache.properties").content_string
    web = lab.host(node).file(f"{ENGINE}/web.xml").content_string
    cockpit.set_key("ivy.yaml", "EMail.Server.Port", "587")
    cockpit.set_key("ivy.yaml", "EMail.Server.Host", "mail.elsewhere.example.com")
    cockpit.save("ivy.cache.properties", f"{properties}\n# slower\nivy.cache.test=1\n")
    cockpit.save("web.xml", web.replace("</web-app>", "<!-- mine --></web-app>"))
    cockpit.save(VARIABLES, '{"primary": "green"}\n')
    cockpit.upload("partner.p12", KEYSTORE)
    # Git on the controller would run commands that this file names.
    lab.host(node).check_output(f"install -d {ENGINE}/.git && printf '[core]\\n' > {ENGINE}/.git/config")
    before = tree(adopted.source)

    arguments = [*adopted.arguments(), "-e", f"adopt_node={node}", "-e", "adopt_write=true"]
    predicted = lab.playbook("playbooks/adopt.yml", *arguments, "--check").succeeded()
    assert tree(adopted.source) == before
    assert not adopted.patch.exists()
    assert predicted.changed() == [node]
    run = lab.playbook("playbooks/adopt.yml", *arguments).succeeded()

    after = tree(adopted.source)
    changed = {path for path in after if before.get(path) != after[path]}
    assert changed == {
        "configuration/ivy.yaml.j2",
        "configuration/ivy.cache.properties",
        "configuration/web.xml",
        "configuration/partner.p12",
        f"configuration/{VARIABLES}",
    }
    # Comments and order are preserved, although the Cockpit rewrote the node's file without them.
    old, new = (side["configuration/ivy.yaml.j2"].decode() for side in (before, after))
    assert new == old.replace("Port: 25\n", "Port: 587\n")
    assert after["configuration/partner.p12"] == KEYSTORE
    # A value from a template expression is reported and not overwritten.
    assert (
        "EMail.Server.Host: its line in the template configuration/ivy.yaml.j2 is {{ shared.mail_host }}" in run.output
    )

    assert "configuration/.git/config: a name in its path begins with a dot" in run.output

    copy = adopted.patch.parent / "copy"
    shutil.copytree(SOURCE, copy)
    subprocess.run(["git", "init", "-q"], cwd=copy, check=True)
    subprocess.run(["git", "apply", str(adopted.patch)], cwd=copy, check=True)
    assert {path: data for path, data in tree(copy).items() if not path.startswith(".git/")} == after


def test_2_the_change_reaches_every_node_and_no_drift_remains(lab: Lab, adopted: Adopted) -> None:
    node = lab.nodes[0]
    files = ("ivy.cache.properties", "web.xml", "partner.p12", VARIABLES)
    wanted = {file: digest(lab, node, file) for file in files}

    lab.roll_out(*adopted.arguments()).succeeded()

    for other in lab.nodes:
        assert {file: digest(lab, other, file) for file in files} == wanted
        text = lab.host(other).file(f"{ENGINE}/ivy.yaml").content_string
        assert "587" in text
        assert "mail.elsewhere.example.com" not in text
    assert lab.playbook("playbooks/drift.yml").succeeded().changed() == []
    again = lab.playbook("playbooks/adopt.yml", *adopted.arguments(), "-e", f"adopt_node={node}").succeeded()
    assert f"{node} has no local changes" in again.output
