# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The programs run on a balancer with the files that the role haproxy installs there, and nothing else."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[5]
PACKAGE = ROOT / "plugins/module_utils/haproxy"


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """The directory on the balancer, filled as the role fills it."""
    directory = tmp_path / "library"
    (directory / "haproxy").mkdir(parents=True)
    variables = yaml.safe_load((ROOT / "roles/haproxy/vars/main/state.yml").read_text(encoding="utf-8"))
    for name in variables["__haproxy_package_files"]:
        shutil.copy(PACKAGE / name, directory / "haproxy" / name)
    for name in variables["__haproxy_program_names"]:
        shutil.copy(ROOT / "roles/haproxy/files" / name, directory / name)
    return directory


def run(program: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", "-B", "-S", str(program), *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True)


def test_server_states_are_saved_without_a_process(library: Path, tmp_path: Path) -> None:
    (tmp_path / "state").write_text("1\n", encoding="ascii")
    (tmp_path / "haproxy.cfg").write_text("global\n", encoding="ascii")
    arguments = [str(tmp_path / name) for name in ("admin.sock", "haproxy.cfg", "state")]
    done = run(library / "haproxy-server-state", *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "state").read_text(encoding="ascii") == "1\n"


def test_certificate_metrics_need_a_process(library: Path, tmp_path: Path) -> None:
    arguments = [str(tmp_path / "admin.sock"), str(tmp_path / "ca.pem")]
    assert run(library / "haproxy-certificate-metrics", *arguments, str(tmp_path / "none")).returncode == 0
    done = run(library / "haproxy-certificate-metrics", *arguments, str(tmp_path))
    assert done.returncode == 1
    assert done.stderr.startswith("The certificate expiry metrics were not written: HAProxy's runtime socket")
