# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The certificate authority on the controller: several balancers create one together and leave no other files."""

from __future__ import annotations

import os
import shutil
import subprocess
import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.ivy.cluster.tests.in_process import run_playbook
from ansible_collections.ivy.cluster.tests.unit.long_tests import long

ROOT = Path(__file__).resolve().parents[3]
SHORT = {"certificates_ca_lifetime_days": 10, "certificates_ca_renew_before_days": 5}
LONG = {"certificates_ca_lifetime_days": 100, "certificates_ca_renew_before_days": 50}


def create(directory: Path, *arguments: str, **options: t.Any) -> str:
    """Run the tasks of the role on the controller, for two balancers at the same time."""
    ended = play(directory, "lb1,lb2", ("read_authority", "create_authority"), *arguments, **options)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def play(
    directory: Path, hosts: str, entries: t.Sequence[str], *arguments: str, **options: t.Any
) -> subprocess.CompletedProcess[str]:
    content = {
        "hosts": hosts,
        "gather_facts": False,
        "strategy": "ansible.builtin.free",
        "vars": {
            "ansible_connection": "local",
            "ansible_python_interpreter": "{{ ansible_playbook_python }}",
            "ivy_cluster_name": "unit",
            "ivy_engine_version": "11.3.0",
            "ivy_public_url": "https://ivy.example.com/",
            "ivy_cluster_key": "0" * 64,
            "ivy_database_password": "unused",
            "certificates_directory": str(directory / "pki"),
            **options,
        },
        "tasks": [
            {
                "ansible.builtin.include_role": {
                    "name": "ivy.cluster.certificates",
                    "tasks_from": entry,
                    "public": True,
                    "rolespec_validate": False,
                }
            }
            for entry in entries
        ],
    }
    file = directory / "play.yml"
    file.write_text(yaml.safe_dump([content]), encoding="utf-8")
    environment = {"ANSIBLE_LOCAL_TEMP": str(directory / "temporary")}
    command = ["-i", f"{hosts},", str(file), *arguments]
    return run_playbook(directory, *command, environment=environment, seconds=300)


def file_names(directory: Path) -> set[str]:
    return {path.name for path in (directory / "pki").iterdir()}


@pytest.fixture(scope="module")
def created(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority that two balancers have just created. A test works with its own copy."""
    directory = tmp_path_factory.mktemp("created")
    create(directory, **SHORT)
    return directory / "pki"


def test_two_balancers_create_one_authority_and_leave_no_other_files(created: Path, tmp_path: Path) -> None:
    shutil.copytree(created, tmp_path / "pki")
    assert file_names(tmp_path) == {".gitignore", "ca.key", "ca.pem"}
    first = (tmp_path / "pki/ca.pem").read_bytes()
    assert "changed=0" in create(tmp_path, **SHORT)
    assert (tmp_path / "pki/ca.pem").read_bytes() == first


def test_a_renewal_replaces_the_certificate_and_a_later_run_removes_its_files(created: Path, tmp_path: Path) -> None:
    shutil.copytree(created, tmp_path / "pki")
    first = (tmp_path / "pki/ca.pem").read_bytes()
    create(tmp_path, **LONG)
    assert (tmp_path / "pki/ca.pem").read_bytes() != first
    left = file_names(tmp_path) - {".gitignore", "ca.key", "ca.pem"}
    assert len(left) == 1
    # Earlier versions left such a file.
    (tmp_path / "pki/ca.pem.after-none").write_bytes(first)
    for name in (*left, "ca.pem.after-none"):
        os.utime(tmp_path / "pki" / name, (1_700_000_000, 1_700_000_000))
    create(tmp_path, **LONG)
    assert file_names(tmp_path) == {".gitignore", "ca.key", "ca.pem"}


DAMAGED = {
    "empty": b"",
    "text": b"not a certificate\n",
    "bytes": b"\xff\xfe\x00-----BEGIN\x80",
    "no certificate": b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
}


def reject(directory: Path, trusted: bytes, **options: t.Any) -> subprocess.CompletedProcess[str]:
    """Run the check for a second authority on a host that trusts the authority of a file."""
    host = directory / "host"
    host.mkdir(exist_ok=True)
    (host / "ca.pem").write_bytes(trusted)
    entries = ("read_trusted_authority", "read_authority", "reject_second_authority")
    return play(directory, "lb1", entries, certificates_host_directory=str(host), **options)


@pytest.mark.parametrize("kind", DAMAGED)
def test_a_damaged_file_is_an_authority_of_which_the_key_is_unknown(tmp_path: Path, kind: str) -> None:
    """The controller has none either. Two unknown keys are not the same key."""
    ended = reject(tmp_path, DAMAGED[kind])
    assert ended.returncode == 2, ended.stdout + ended.stderr
    assert "ca.pem on lb1 contains no valid certificate" in " ".join(ended.stdout.split())
    assert not (tmp_path / "pki/ca.key").exists()


def pair(directory: Path) -> tuple[str, str]:
    """The public key on the host, and that of its certificate."""
    with (directory / "host/balancer.pem.key").open(encoding="ascii") as key:
        of_key = subprocess.run(
            ["openssl", "pkey", "-pubout"], stdin=key, check=True, capture_output=True, text=True
        ).stdout
    of_certificate = subprocess.run(
        ["openssl", "x509", "-noout", "-pubkey", "-in", str(directory / "host/balancer.pem")],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return of_key, of_certificate


@long
@pytest.mark.skipif(os.geteuid() != 0, reason="the files belong to root")
def test_a_renewal_replaces_key_and_certificate_together(created: Path, tmp_path: Path) -> None:
    shutil.copytree(created, tmp_path / "pki")
    (tmp_path / "host").mkdir()
    entries = ("read_authority", "create_authority", "sign_certificate")

    def sign(*arguments: str, **options: t.Any) -> str:
        directory = str(tmp_path / "host")
        ended = play(
            tmp_path,
            "lb1",
            entries,
            *arguments,
            certificates_host_directory=directory,
            certificates_lifetime_days=4,
            certificates_renew_before_days=1,
            **{**SHORT, **options},
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    sign()
    first = pair(tmp_path)
    authority = (tmp_path / "pki/ca.pem").read_bytes()
    assert first[0] == first[1]

    assert "changed=0" not in sign("--check", certificates_renew=True)
    assert pair(tmp_path) == first
    # An interrupted renewal leaves a key of which there is no certificate.
    (tmp_path / "host/balancer.pem.key.next").write_text("not a key\n", encoding="ascii")
    sign(certificates_renew=True)
    second = pair(tmp_path)
    assert second[0] == second[1] != first[0]
    assert {path.name for path in (tmp_path / "host").iterdir()} == {"balancer.pem", "balancer.pem.key"}
    assert (tmp_path / "pki/ca.pem").read_bytes() == authority
    assert "changed=0" in sign()

    sign(certificates_renew=True, certificates_renew_authority=True)
    assert (tmp_path / "pki/ca.pem").read_bytes() != authority
    verified = subprocess.run(
        ["openssl", "verify", "-CAfile", "/dev/stdin", str(tmp_path / "host/balancer.pem")],
        input=authority,
        check=False,
        capture_output=True,
    )
    assert verified.returncode == 0, "a client with the former certificate of the authority does not trust the new one"
