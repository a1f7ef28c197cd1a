# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why Ansible cannot work on a host, from what ssh, sudo, the shell and Ansible itself print, and what to do."""

from __future__ import annotations

import dataclasses
import re
import typing as t


@dataclasses.dataclass(frozen=True)
class Cause:
    """``code`` is the kind of the finding, which causes may share. The texts name no host, so they can be grouped."""

    name: str
    code: str
    problem: str
    advice: str
    patterns: tuple[str, ...] = ()

    def line(self, lines: t.Sequence[str]) -> str | None:
        """The line that shows this cause."""
        for pattern in self.patterns:
            found = re.compile(pattern, re.IGNORECASE)
            line = next((line for line in lines if found.search(line)), None)
            if line is not None:
                return line
        return None


@dataclasses.dataclass(frozen=True)
class Diagnosis:
    cause: Cause
    detail: str


_OFF = "An engine node that is to stay off goes into ivy_proceed_without"
UNREACHABLE = Cause(
    "unreachable",
    "host-unreachable",
    "it cannot be reached",
    f"Check that the host is up and that ansible_host and ansible_port are right. {_OFF}",
    (
        r"connection refused",
        r"connection timed out",
        r"operation timed out",
        r"no route to host",
        r"network is unreachable",
        r"host is down",
        r"timed out during banner exchange",
    ),
)
FAILED = Cause(
    "failed",
    "host-not-inspected",
    "it could not be inspected",
    "Fix what the message says, and run preflight again",
    (),
)

# In this order: what comes earlier says more, and its text often contains that of a later one.
CAUSES: tuple[Cause, ...] = (
    Cause(
        "host-key-changed",
        "host-key-changed",
        "its SSH host key is not the one in known_hosts",
        "If the host was reinstalled, compare the fingerprint with the one on its console (ssh-keygen -lf "
        "/etc/ssh/ssh_host_ed25519_key.pub), then remove the old key (ssh-keygen -R <address>) and connect once with "
        "ssh. Otherwise another machine answers at this address: find out why first",
        (
            r"offending .* key in",
            r"host key for .* has changed",
            r"remote host identification has changed",
            r"host key for server .* does not match",
            r"possible dns spoofing",
        ),
    ),
    Cause(
        "host-key-unknown",
        "host-key-unknown",
        "its SSH host key is not in known_hosts on the controller",
        "Connect once with ssh <user>@<address> as the user that runs Ansible, compare the fingerprint with the one on "
        "the host's console, and accept it. For many hosts: ssh-keyscan <address> >> ~/.ssh/known_hosts, and compare "
        "the fingerprints (ssh-keygen -lf ~/.ssh/known_hosts)",
        (
            r"no \S+ host key is known for",
            r"authenticity of host .* can't be established",
            r"host key checking is enabled and sshpass does not support",
            r"server .* not found in known_hosts",
            r"host key verification failed",
        ),
    ),
    Cause(
        "private-key",
        "host-login-refused",
        "the private key of the controller cannot be used",
        "Correct ansible_ssh_private_key_file or --private-key, give the key's passphrase to ssh-agent (ssh-add), and "
        "make the file readable for its owner only (chmod 600)",
        (
            r"load key .*: ",
            r"unprotected private key file",
            r"bad permissions",
            r"no such identity",
            r"identity file .* not accessible",
            r"passphrase .* (incorrect|required|encrypted)",
        ),
    ),
    Cause(
        "ssh-configuration",
        "host-ssh",
        "ssh on the controller cannot be run as it is configured",
        "Correct ~/.ssh/config and ansible_ssh_common_args; a password for SSH needs the program sshpass there",
        (
            r"must install the sshpass program",
            r"bad owner or permissions on",
            r"bad configuration option",
            r"terminating, \d+ bad configuration",
            r"no such file or directory: b?['\"]?(ssh|sshpass)\b",
            r"unable to find .*\bssh\b",
        ),
    ),
    Cause(
        "login-expired",
        "host-login-refused",
        "the account or its password has expired",
        "Log in there once and set a new password, or correct ansible_user",
        (
            r"account has expired",
            r"password has expired",
            r"password change required",
            r"account is currently not available",
        ),
    ),
    Cause(
        "login",
        "host-login-refused",
        "it refuses the login",
        "Correct ansible_user, and put its public key on the host (ssh-copy-id), name the private key with "
        "ansible_ssh_private_key_file or --private-key, or enter the password with --ask-pass",
        (
            r"permission denied \([a-z0-9,@.-]+\)",
            r"permission denied, please try again",
            r"invalid/incorrect password",
            r"too many authentication failures",
            r"authentication failed",
            r"no (more|supported) authentication methods",
        ),
    ),
    Cause(
        "name",
        "host-name-unknown",
        "the name of its address cannot be resolved on the controller",
        "Correct ansible_host, or use the address; check the controller's DNS where the name is right",
        (
            r"could not resolve hostname",
            r"name or service not known",
            r"temporary failure in name resolution",
            r"nodename nor servname",
            r"no address associated with",
        ),
    ),
    UNREACHABLE,
    Cause(
        "ssh-closed",
        "host-ssh",
        "it closes the SSH connection",
        "See the host's log (journalctl -u ssh). Usual causes are MaxStartups (use fewer --forks), an address that is "
        "banned (fail2ban), and the algorithms of an old or hardened sshd",
        (
            r"unable to negotiate with",
            r"no matching .* found",
            r"(kex|ssh)_exchange_identification",
            r"connection (to \S+ )?closed by",
            r"connection reset by",
            r"connection closed",
            r"broken pipe",
            r"mux_client|muxclient",
        ),
    ),
    Cause(
        "sudo-password-missing",
        "host-no-root",
        "its user does not become root: sudo wants a password and got none",
        "Add --ask-become-pass, or allow the user to run sudo without one (NOPASSWD)",
        (
            r"missing \S+ password",
            r"sudo: (interactive authentication|a password|a terminal) is required",
            r"no password was provided",
            r"timeout .* waiting for privilege escalation prompt",
        ),
    ),
    Cause(
        "sudo-password-wrong",
        "host-no-root",
        "its user does not become root: the password is wrong",
        "Enter the password of the user there, not of root, with --ask-become-pass, or correct ansible_become_password",
        (
            r"incorrect \S+ password",
            r"duplicate become password prompt",
            r"sorry, try again",
            r"\d+ incorrect password attempt",
            r"su: authentication failure",
        ),
    ),
    Cause(
        "sudo-not-allowed",
        "host-no-root",
        "its user does not become root: it is not allowed to",
        "Add the user to sudoers there (on Debian to the group sudo), or correct ansible_user",
        (
            r"not in the sudoers",
            r"may not run sudo",
            r"is not allowed to (run|execute)",
            r"sudo: (sorry, )?you must have a tty",
            r"no new privileges",
            r"must be owned by uid 0",
        ),
    ),
    Cause(
        "sudo-missing",
        "host-no-root",
        "its user does not become root: the program for it is not there",
        "Install the package sudo there, or correct ansible_become_method",
        (r"(sudo|su|doas|pbrun): (command )?not found", r"(sudo|doas): no such file"),
    ),
    Cause(
        "no-python",
        "host-no-python",
        "it has no Python that Ansible finds",
        "Install the package python3 there, or correct ansible_python_interpreter",
        (
            r"python\S*['\u2019\u2018\"]?: (command )?not found",
            r"python\S*['\u2019\u2018\"]?: no such file",
            r"module interpreter .* was not found",
            r"no python interpreters",
        ),
    ),
    Cause(
        "remote-tmp",
        "host-not-inspected",
        "Ansible cannot write its temporary files there",
        "Make room, make the home directory of the user writable, or set ansible_remote_tmp",
        (
            r"failed to create temporary directory",
            r"no space left on device",
            r"read-only file system",
            r"disk quota exceeded",
        ),
    ),
    # The rest of what sudo may complain about; last, because its warnings accompany other failures.
    Cause(
        "no-root",
        "host-no-root",
        "its user does not become root",
        "Allow it in sudoers, enter the password with --ask-become-pass, or correct ansible_become_method",
        (
            r"^(sudo|su|doas): ",
            r"failed to set permissions on the temporary files",
            r"\bbecome\b",
        ),
    ),
    FAILED,
)
BY_NAME: t.Mapping[str, Cause] = {cause.name: cause for cause in CAUSES}
_LONGEST = 200
# With -vvv ssh prints every step that it tries, failures of no importance included; sudo warns of a name in any case.
_NOISE = re.compile(r"debug\d: |sudo: unable to resolve host", re.IGNORECASE)
_LEADING = re.compile(
    r"^(Task failed: )?(Failed to connect to the host via \w+: |Data could not be sent to remote host .* over ssh: )"
)


def diagnose(text: str, connecting: bool = False) -> Diagnosis:
    """The first cause that some line shows, or the default: without a connection, that the host is away."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    lines = [line for line in lines if not _NOISE.match(line)]
    for cause in CAUSES:
        line = cause.line(lines)
        if line is not None:
            return Diagnosis(cause, _shortened(line))
    meaningful = [line for line in lines if re.search(r"\w", line)]
    return Diagnosis(UNREACHABLE if connecting else FAILED, _shortened(meaningful[-1]) if meaningful else "")


def _shortened(line: str) -> str:
    line = _LEADING.sub("", line)
    return line[:_LONGEST].rstrip(". ")
