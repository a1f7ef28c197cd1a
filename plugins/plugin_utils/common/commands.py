# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands in messages, as the user has to type them: derived from how this run was called.

Values of ``-e`` may be secrets, so they are never repeated; the names of files (``-e @file``) are.
"""

from __future__ import annotations

import dataclasses
import os
import shlex
import typing as t
from pathlib import Path

from ansible import constants, context

COLLECTION = "ivy.cluster"
ROOT = Path(__file__).resolve().parents[3]
# Set by AWX and ansible-runner, whose command line is not the user's and whose paths exist in a container only.
_RUNNERS = ("AWX_HOST", "AWX_PRIVATE_DATA_DIR", "RUNNER_OMIT_EVENTS", "RUNNER_ONLY_FAILED_EVENTS")
# Options that name a file or a user, with what they are by configuration: those need not be repeated.
_WITH_VALUE = (
    ("--vault-password-file", "vault_password_files", ""),
    ("--vault-id", "vault_ids", ""),
    ("--private-key", "private_key_file", "DEFAULT_PRIVATE_KEY_FILE"),
    ("-u", "remote_user", "DEFAULT_REMOTE_USER"),
    ("--connection-password-file", "connection_password_file", "CONNECTION_PASSWORD_FILE"),
    ("--become-password-file", "become_password_file", "BECOME_PASSWORD_FILE"),
)
_FLAGS = (
    ("--ask-vault-pass", "ask_vault_pass", "DEFAULT_ASK_VAULT_PASS"),
    ("-k", "ask_pass", "DEFAULT_ASK_PASS"),
    ("--ask-become-pass", "become_ask_pass", "DEFAULT_BECOME_ASK_PASS"),
)
_PROMPTS = ("prompt", "prompt_ask_vault_pass")
# For commands of playbooks that need a reason; it is to be replaced.
REASON = " -e \"rollback_reason='<why>'\""
# Operations that stay open in the cluster record if they are interrupted, and what the playbook of the same name needs
# to complete them. site and rollout complete each other, and nothing else.
_COMPLETING = {
    "site": "",
    "rollout": "",
    "rollback": REASON,
    "restore": " -e 'restore_backup=<id>'",
    "restore_database": " -e 'restore_database_target=<time>' -e \"restore_database_reason='<why>'\"",
    "upgrade": " -e engine_accept_downtime=true",
}


@dataclasses.dataclass(frozen=True)
class Call:
    """How a run was called: the playbooks as they were named, and the options that the next command needs again."""

    playbooks: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    directory: str = "."

    def command(self, playbook: str, *arguments: str) -> str:
        words = [*self.options, self.name(playbook), *arguments]
        return " ".join(["ansible-playbook", *(_quote(word) for word in words)])

    def ad_hoc(self, hosts: str, module: str, *arguments: str) -> str:
        """The command that calls one of the collection's modules on hosts, as root."""
        words = [*self.options, hosts, "--become", "-m", f"{COLLECTION}.{module}", "-a", " ".join(arguments)]
        return " ".join(["ansible", *(_quote(word) for word in words)])

    def completing(self, operation: str) -> str:
        """The command that completes an operation, which an interrupted run has left open in the cluster record."""
        # The record is data of the engine's user, and a playbook of that name need not exist.
        name = operation if operation in _COMPLETING else "site"
        return f"{self.command(name)}{_COMPLETING[name]}"

    def prefix(self) -> str:
        """The command without a playbook, for reports that go on by themselves."""
        return " ".join(["ansible-playbook", *(_quote(word) for word in self.options)])

    def name(self, playbook: str) -> str:
        """The playbook by its path where this run used one of the collection's own files, else by its full name."""
        for given in self.playbooks:
            file = Path(self.directory, given)
            if file.suffix not in (".yml", ".yaml") or not file.is_file():
                continue
            where = os.path.dirname(given)
            if file.resolve().parent == ROOT / "playbooks":
                return os.path.join(where, f"{playbook}.yml")
            if file.resolve() == ROOT / "site.yml":
                return given if playbook == "site" else os.path.join(where, "playbooks", f"{playbook}.yml")
        return f"{COLLECTION}.{playbook}"


def call_from(
    arguments: t.Mapping[str, t.Any],
    defaults: t.Callable[[str], t.Any],
    environment: t.Mapping[str, str],
    directory: str,
) -> Call:
    """What Ansible understood of its command line."""
    if any(name in environment for name in _RUNNERS):
        return Call(directory=directory)
    options: list[str] = []
    inventories = list(arguments.get("inventory") or ())
    if inventories != list(defaults("DEFAULT_HOST_LIST") or ()):
        for one in inventories:
            options += ["-i", one if "," in one else _near(one, directory)]
    for flag, name, default in _FLAGS:
        if arguments.get(name) and not defaults(default):
            options.append(flag)
    for flag, name, default in _WITH_VALUE:
        found = arguments.get(name)
        if not found or (default and found == defaults(default)):
            continue
        for value in [found] if isinstance(found, str) else found:
            options += _with_value(flag, str(value), directory)
    for extra in arguments.get("extra_vars") or ():
        if str(extra).startswith("@"):
            options += ["-e", f"@{_near(str(extra)[1:], directory)}"]
    return Call(tuple(map(str, arguments.get("args") or ())), tuple(options), directory)


def current() -> Call:
    return call_from(
        t.cast("t.Mapping[str, t.Any]", context.CLIARGS),
        lambda name: getattr(constants, name, None),
        os.environ,
        os.getcwd(),
    )


def command(playbook: str, *arguments: str) -> str:
    """The command for another playbook of this collection, with the options of this run."""
    return current().command(playbook, *arguments)


def ad_hoc(hosts: str, module: str, *arguments: str) -> str:
    """The command that calls one module of this collection on hosts, with the options of this run."""
    return current().ad_hoc(hosts, module, *arguments)


def completing(operation: str) -> str:
    """The command that completes an operation, which an interrupted run has left open in the cluster record."""
    return current().completing(operation)


def playbook(name: str) -> str:
    """Another playbook of this collection as this run would name it, quoted for a shell."""
    return _quote(current().name(name))


def _with_value(flag: str, value: str, directory: str) -> list[str]:
    if flag == "-u":
        return [flag, value]
    if flag == "--vault-id":
        label, found, source = value.rpartition("@")
        return [flag, value if source in _PROMPTS else f"{label}{found}{_near(source, directory)}"]
    return [flag, _near(value, directory)]


def _near(path: str, directory: str) -> str:
    """Relative where that is short; a path that the user wrote relative is absolute by now."""
    if not os.path.isabs(path):
        return path
    near = os.path.relpath(path, directory)
    return path if near.startswith(os.path.join("..", "..")) or near == ".." else near


def _quote(word: str) -> str:
    # <node> and the like are there to be replaced.
    return word if word.startswith("<") and word.endswith(">") else shlex.quote(word)
