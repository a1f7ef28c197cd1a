# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What OpenSSH, sudo, dash and Ansible print, and what is made of it."""

# ruff: noqa: E501 -- what programs print stands here as they print it

from __future__ import annotations

import pytest

from ansible_collections.ivy.cluster.plugins.plugin_utils.common.connection_errors import (
    BY_NAME,
    CAUSES,
    diagnose,
)
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.findings import Finding
from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight.model.finding_codes import KINDS
from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight.model.host_facts import merged
from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight.report import build, lines

VIA = "Failed to connect to the host via ssh: "
CHANGED = (
    f"{VIA}@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@\r\n"
    "@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\r\n"
    "@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@\r\n"
    "IT IS POSSIBLE THAT SOMEONE IS DOING SOMETHING NASTY!\r\n"
    "The fingerprint for the ED25519 key sent by the remote host is\nSHA256:8Ul0+AjEcCWKKUoNRvCq1dxMkGEPUGqHLoBq3C.\r\n"
    "Please contact your system administrator.\r\n"
    "Add correct host key in /root/.ssh/known_hosts to get rid of this message.\r\n"
    "Offending ED25519 key in /root/.ssh/known_hosts:3\r\n"
    "Host key for 172.30.0.21 has changed and you have requested strict checking.\r\nHost key verification failed."
)
UNPROTECTED = (
    f"{VIA}@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@\r\n@         WARNING: UNPROTECTED PRIVATE KEY FILE!          @\r\n"
    "Permissions 0644 for '/home/me/.ssh/ivy' are too open.\r\nThis private key will be ignored.\r\n"
    'Load key "/home/me/.ssh/ivy": bad permissions\r\nadmin@10.0.0.21: Permission denied (publickey).'
)
VERBOSE = (
    f"{VIA}OpenSSH_9.2p1 Debian-2+deb12u3, OpenSSL 3.0.15\r\ndebug1: connect to address ::1 port 22: Connection refused\r\n"
    "debug1: Authentications that can continue: publickey\r\nadmin@10.0.0.21: Permission denied (publickey)."
)
MUXED = 'Data could not be sent to remote host "10.0.0.21". Make sure this host can be reached over ssh: '
TTY = "Shared connection to 10.0.0.21 closed."

# name of the cause, a word that the detail has, what was printed
CONNECTION = [
    (
        "host-key-unknown",
        "ED25519",
        f"{VIA}No ED25519 host key is known for 10.0.0.21 and you have requested strict checking.\r\nHost key verification failed.",
    ),
    ("host-key-unknown", "verification", f"{VIA}Host key verification failed."),
    ("host-key-unknown", "verification", f"Task failed: {VIA}Host key verification failed."),
    (
        "host-key-unknown",
        "authenticity",
        f"{VIA}The authenticity of host '10.0.0.21 (10.0.0.21)' can't be established.\r\nED25519 key fingerprint is SHA256:x.\r\nHost key verification failed.",
    ),
    (
        "host-key-unknown",
        "sshpass",
        "Using a SSH password instead of a key is not possible because Host Key checking is enabled and sshpass does not "
        "support this.  Please add this host's fingerprint to your known_hosts file to manage this host.",
    ),
    ("host-key-changed", "known_hosts:3", CHANGED),
    (
        "host-key-changed",
        "does not match",
        "Host key for server '10.0.0.21' does not match: got 'AAAA', expected 'BBBB'",
    ),
    ("private-key", "bad permissions", UNPROTECTED),
    (
        "private-key",
        "no such identity",
        f"{VIA}no such identity: /home/me/.ssh/nowhere: No such file or directory\r\nadmin@10.0.0.21: Permission denied (publickey,password).",
    ),
    (
        "private-key",
        "error in libcrypto",
        f'{VIA}Load key "/home/me/key": error in libcrypto\r\nadmin@10.0.0.21: Permission denied (publickey).',
    ),
    ("login", "publickey", f"{VIA}admin@10.0.0.21: Permission denied (publickey)."),
    (
        "login",
        "publickey,password",
        f"{VIA}Warning: Permanently added '10.0.0.21' (ED25519) to the list of known hosts.\r\nadmin@10.0.0.21: Permission denied (publickey,password).",
    ),
    ("login", "publickey", VERBOSE),
    ("login", "Invalid", "Invalid/incorrect password: Permission denied, please try again."),
    (
        "login",
        "Too many",
        f"{VIA}Received disconnect from 10.0.0.21 port 22:2: Too many authentication failures\r\nDisconnected from 10.0.0.21 port 22",
    ),
    (
        "login-expired",
        "expired",
        f"{VIA}Your account has expired; please contact your system administrator.\r\nConnection closed by 10.0.0.21 port 22",
    ),
    (
        "ssh-configuration",
        "sshpass",
        "to use the 'ssh' connection type with passwords or pkcs11_provider, you must install the sshpass program",
    ),
    ("ssh-configuration", "config", f"{VIA}Bad owner or permissions on /home/me/.ssh/config"),
    ("name", "db1", f"{VIA}ssh: Could not resolve hostname db1: Name or service not known"),
    ("name", "db1", f"{VIA}ssh: Could not resolve hostname db1: Temporary failure in name resolution"),
    ("unreachable", "refused", f"{VIA}ssh: connect to host 10.0.0.21 port 22: Connection refused"),
    ("unreachable", "timed out", f"{VIA}ssh: connect to host 10.0.0.21 port 22: Connection timed out"),
    ("unreachable", "No route", f"{MUXED}ssh: connect to host 10.0.0.21 port 22: No route to host"),
    ("unreachable", "unreachable", f"{VIA}ssh: connect to host 10.0.0.21 port 22: Network is unreachable"),
    (
        "unreachable",
        "banner",
        f"{VIA}Connection timed out during banner exchange\r\nConnection to 10.0.0.21 port 22 timed out",
    ),
    (
        "ssh-closed",
        "kex",
        f"{VIA}kex_exchange_identification: Connection closed by remote host\r\nConnection closed by 10.0.0.21 port 22",
    ),
    (
        "ssh-closed",
        "negotiate",
        f"{VIA}Unable to negotiate with 10.0.0.21 port 22: no matching host key type found. Their offer: ssh-rsa",
    ),
    ("unreachable", "", ""),
    ("unreachable", "unheard of", f"{VIA}something unheard of"),
]
WORKING = [
    ("sudo-password-missing", "Missing", "Missing sudo password"),
    (
        "sudo-password-missing",
        "password",
        f"sudo: a terminal is required to read the password; either use the -S option\nsudo: a password is required\n{TTY}",
    ),
    ("sudo-password-missing", "privilege", "Timeout (12s) waiting for privilege escalation prompt: "),
    ("sudo-password-wrong", "Incorrect", "Incorrect sudo password"),
    ("sudo-password-wrong", "try again", f"Sorry, try again.\nsudo: 1 incorrect password attempt\n{TTY}"),
    ("sudo-not-allowed", "sudoers", f"admin is not in the sudoers file.\n{TTY}"),
    ("sudo-not-allowed", "may not", "Sorry, user admin may not run sudo on engine1."),
    ("sudo-not-allowed", "allowed", "Sorry, user admin is not allowed to execute '/bin/sh -c id' as root on engine1."),
    ("sudo-missing", "not found", f"/bin/sh: 1: sudo: not found\n{TTY}"),
    ("no-root", "policy", "sudo: error initializing audit plugin sudoers_policy"),
    ("no-python", "python3", f"/bin/sh: 1: /usr/bin/python3: not found\n{TTY}"),
    ("no-python", "python3", "/usr/bin/env: \u2018python3\u2019: No such file or directory"),
    ("no-python", "interpreter", "The module interpreter '/usr/bin/python9' was not found."),
    (
        "no-python",
        "python3",
        "sudo: unable to resolve host engine1: Name or service not known\n/bin/sh: 1: /usr/bin/python3: not found",
    ),
    (
        "remote-tmp",
        "temporary",
        "Failed to create temporary directory. In some cases, you may have been able to authenticate and did not have "
        "permissions on the target directory. Consider changing the remote tmp path in ansible.cfg to a path rooted in "
        '"/tmp", for more error information use -vvv. Failed command was: ( umask 77 && mkdir -p ...), exited with '
        "result 1",
    ),
    ("failed", "unheard of", "Traceback (most recent call last):\nRuntimeError: something unheard of"),
    ("failed", "", ""),
]


@pytest.mark.parametrize(("name", "word", "printed"), CONNECTION)
def test_why_there_is_no_connection(name: str, word: str, printed: str) -> None:
    found = diagnose(printed, connecting=True)
    assert found.cause.name == name
    assert word in found.detail
    assert "Failed to connect" not in found.detail
    assert found.detail.isprintable()


@pytest.mark.parametrize(("name", "word", "printed"), WORKING)
def test_why_ansible_cannot_work_there(name: str, word: str, printed: str) -> None:
    found = diagnose(printed)
    assert found.cause.name == name
    assert word in found.detail


def test_every_cause_is_tried_and_can_be_accepted() -> None:
    assert len(BY_NAME) == len(CAUSES)
    assert {cause.code for cause in CAUSES} <= KINDS
    assert {name for name, _word, _printed in (*CONNECTION, *WORKING)} == set(BY_NAME)


def test_one_problem_of_many_hosts_is_one_finding_with_the_details_of_each() -> None:
    found = []
    for number in range(1, 7):
        diagnosis = diagnose(f"{VIA}ssh: connect to host 10.0.0.{number} port 22: Connection refused", connecting=True)
        details = ((f"engine{number}", diagnosis.detail),)
        found.append(
            Finding(
                diagnosis.cause.code,
                "Hosts",
                f"engine{number}",
                diagnosis.cause.problem,
                diagnosis.cause.advice,
                details=details,
            )
        )
    report = build("demo", "all", [Finding.from_dict(one.to_dict()) for one in merged(found)])
    assert len(report.errors) == 1
    assert report.findings[0].to_dict()["details"]["engine6"].endswith("10.0.0.6 port 22: Connection refused")
    shown = [line for line in lines(report) if "[host-unreachable]" in line]
    assert len(shown) == 1
    assert (
        "engine1, engine2, engine3, engine4, engine5, engine6: it cannot be reached (engine1: ssh: connect" in shown[0]
    )
    assert "10.0.0.2" not in shown[0]
