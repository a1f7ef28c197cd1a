# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook support_bundle on this machine: one host answers, the others are lost."""

from __future__ import annotations

import json
import stat
import sys
import tarfile
from pathlib import Path

from ansible_collections.ivy.cluster.tests.in_process import run_playbook
from ansible_collections.ivy.cluster.tests.unit.plugins.action import preflight_site as site

ROOT = Path(__file__).resolve().parents[3]
SECRET = "sesame-Open7"


def bundle(tmp_path: Path, *options: str) -> tuple[int, str]:
    # Tasks on this machine run as the user of the test.
    here = {"ansible_connection": "local", "ansible_become": False, "ansible_python_interpreter": sys.executable}
    case = {"vars": {"ivy_database_password": SECRET}, "hosts": {"search1": here}}
    inventory = site.write_site(tmp_path, case)
    ssh = tmp_path / "ssh"
    ssh.write_text("#!/bin/sh\necho 'ssh: connect to host: Connection refused' >&2; exit 255\n", encoding="utf-8")
    ssh.chmod(0o755)
    command = ["-vvv", "-i", str(inventory), str(ROOT / "playbooks/support_bundle.yml"), *options]
    environment = {"ANSIBLE_LOCAL_TEMP": str(tmp_path / "temporary"), "ANSIBLE_SSH_EXECUTABLE": str(ssh)}
    ended = run_playbook(tmp_path, *command, seconds=300, environment=environment)
    return ended.returncode, ended.stdout + ended.stderr


def test_hosts_that_answer_are_in_the_archive_and_lost_ones_are_listed(tmp_path: Path) -> None:
    status, output = bundle(tmp_path, "-e", "support_bundle_directory=bundles", "--check")
    assert status == 0, output[-5000:]
    assert not (tmp_path / "bundles").exists()
    assert "Check mode wrote no archive" in output

    status, output = bundle(tmp_path, "-e", "support_bundle_directory=bundles")
    assert status == 0, output[-5000:]
    (archive,) = (tmp_path / "bundles").iterdir()
    assert stat.S_IMODE(archive.stat().st_mode) == 0o600
    with tarfile.open(archive) as tar:
        names = {name.partition("/")[2] for name in tar.getnames()}
        (summary,) = [name for name in tar.getnames() if name.endswith("/summary.json")]
        content = json.load(tar.extractfile(summary))  # type: ignore[arg-type]
        everything = b"".join(tar.extractfile(name).read() for name in tar.getnames())  # type: ignore[union-attr]
    assert {"README.txt", "hosts/search1/state/kernel.txt", "hosts/search1/config/host/os-release"} <= names
    assert not any(name.startswith("hosts/lb1/") for name in names)
    assert set(content["lost"]) >= {"lb1", "engine1", "db1"}
    assert "refused" in content["lost"]["lb1"]
    assert SECRET.encode() not in everything
    # What was gathered is not in the output, however much is printed.
    assert "MemTotal" in everything.decode()
    assert "MemTotal" not in output
    # Nothing is left of what was staged.
    assert not [path for path in (tmp_path / "temporary").rglob("*") if path.is_file()]


def test_bad_options_are_reported_together_before_a_host_is_contacted(tmp_path: Path) -> None:
    bad = {"support_bundle_part_bytes": 5, "support_bundle_host_bytes": 6, "support_bundle_directory": ""}
    status, output = bundle(tmp_path, "-e", json.dumps(bad))
    assert status != 0
    for name in bad:
        assert name in output
    assert "TASK [ivy.cluster.support_bundle : Gather" not in output
