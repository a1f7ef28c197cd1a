# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Acts as a new user: follows the README's chapter "Your own hosts", block by block, in an empty directory.

Usage: readme_way.py follow | again | newest | application
       readme_way.py runbook NAME

With `runbook` it types the commands of a runbook in docs/runbooks/ instead, in the order of the text.

Writes the files and types the commands at a terminal exactly as in the README, with a separate home directory.
Replaced are: the repository (by the checkout), passwords, archives and licence, and, through inventories that are read
after the README's (OVERLAY), addresses and settings that containers do not support; and ansible-playbook by a program
that does the same with less of the processor's time (tests/in_process.py), unless IVY_PLAYBOOK_PROCESSES is 1. The
newest ansible-core always runs as it is.
"""

from __future__ import annotations

import os
import pty
import re
import secrets
import shlex
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fcntl import ioctl
from pathlib import Path

from blocks import Block, blocks

ROOT = Path(__file__).resolve().parents[1]
CHAPTER = "Your own hosts"
HERE = ROOT / ".cache" / "readme"
# The directory that the README's first command creates.
WORK = HERE / "ivy"
HOME = HERE / "home"
VAULT_PASSWORD_FILE = HERE / "vault_password"
NEWEST = ROOT / ".cache" / "newest"
LAB = ROOT / ".cache" / "lab" / "ivy-molecule"
ARCHIVES = ROOT / ".cache" / "archives"
LOG = ROOT / ".cache" / "log" / "readme.log"
SCENARIO = ROOT / "molecule" / "default"
INVENTORY = "-i inventory/hosts.yml"
OVERLAY = [SCENARIO / "inventory" / "hosts.yml", SCENARIO / "lab" / "hosts.yml"]
APPLICATION = SCENARIO / "application" / "hosts.yml"
CHEAPER = ROOT / "tests" / "bin"
VAULT = "inventory/group_vars/all/vault.yml"
# The files that the README asks the user to provide. The overlay names the search engine's.
PROVIDED = {
    "AxonIvyEngine11.3.0.zip": "AxonIvyEngine11.3.0.*_All_x64.zip",
    "elasticsearch-7.17.28.zip": "elasticsearch-7.17.28.zip",
}
# The playbooks that a user runs most, besides site.
OTHER_PLAYBOOKS = {
    "verify": "",
    "status": "",
    "drift": "",
    "adopt": "-e adopt_node=engine1",
    "rollout": "",
}
PROMPT = re.compile(rb"[Vv]ault password[^\n]*: $")
LINES_OF_A_FAILURE = 80

# Not in the home directory: with a long path of the checkout, the path of a socket would be too long.
CONTROL_PATHS = str(Path(tempfile.gettempdir()) / f"ivy-readme-{os.getuid()}")

# Blocks of the README that are not followed, and why. A unit test requires that every other block is.
NOT_FOLLOWED = {
    "ivy.cluster": "a diagram",
    "Try it: two commands": "make demo is interactive, and make test runs this program",
}


def log(text: str) -> None:
    print(text, flush=True)
    with LOG.open("a", encoding="utf-8") as stream:
        stream.write(f"{text}\n")


def replaced(command: str) -> str:
    """The command, with replacements for what a test cannot use."""
    # Use the checkout, not the published repository.
    command = re.sub(r"^git clone (\S+/)(\S+)$", rf"ln -s {shlex.quote(str(ROOT))} \2", command)
    overlay = "".join(f" -i {shlex.quote(str(path))}" for path in OVERLAY)
    return command.replace(INVENTORY, INVENTORY + overlay)


@dataclass(frozen=True)
class Secrets:
    """The passwords that replace the README's placeholders."""

    cluster_key: str
    database_password: str
    admin_password: str

    def fill_in(self, text: str) -> str:
        text = re.sub(r'(ivy_cluster_key: )"<.*>"', rf'\1"{self.cluster_key}"', text)
        text = re.sub(r'(ivy_database_password: )"<.*>"', rf'\1"{self.database_password}"', text)
        text = re.sub(r'(Administrators\.admin\.Password: )"<.*>"', rf'\1"{self.admin_password}"', text)
        if "<" in text:
            raise ValueError(f"a placeholder of the README is not filled in:\n{text}")
        return text


def environment() -> dict[str, str]:
    """The environment of a user without the checkout: no Ansible settings, none of the checkout's programs."""
    kept = {
        key: value for key, value in os.environ.items() if not re.match(r"ANSIBLE_|MOLECULE_|PYTHON|VIRTUAL_ENV", key)
    }
    path = [part for part in os.environ["PATH"].split(os.pathsep) if not Path(part).is_relative_to(ROOT)]
    return {
        **kept,
        "HOME": str(HOME),
        "PATH": os.pathsep.join([str(HERE / "bin"), *path]),
        "LC_ALL": "C.UTF-8",
        "TERM": "dumb",
        "ANSIBLE_NOCOLOR": "1",
        # Saves compiling thousands of files that are never imported. PIP_NO_COMPILE=1 would do the opposite: pip takes
        # the variable for the value of the option behind --no-compile, and that value means "compile".
        "PIP_COMPILE": "0",
        "ANSIBLE_SSH_CONTROL_PATH_DIR": CONTROL_PATHS,
    }


def typed(argv: list[str], directory: Path, env: Mapping[str, str], password: str) -> tuple[int, str]:
    """Runs a command at a terminal and types the vault password when prompted."""
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(directory)
        os.execvpe(argv[0], argv, dict(env))
    ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 200, 0, 0))
    output = b""
    with LOG.open("ab") as stream:
        while True:
            try:
                part = os.read(terminal, 65536)
            except OSError:
                break
            if not part:
                break
            stream.write(part.replace(b"\r\n", b"\n"))
            stream.flush()
            output += part
            if PROMPT.search(output[-200:]):
                os.write(terminal, f"{password}\n".encode())
                output += b"\n"
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), output.decode("utf-8", "replace").replace("\r\n", "\n")


@dataclass(frozen=True)
class Shell:
    """Where commands are typed: a directory, an environment, and for a container the command that starts it."""

    directory: Path
    env: dict[str, str]
    prologue: str = ""
    container: tuple[str, ...] = ()

    def run(self, command: str, **extra: str) -> str:
        """Runs one or more lines of commands. Exits if one fails."""
        started = time.monotonic()
        password = VAULT_PASSWORD_FILE.read_text(encoding="utf-8").strip()
        argv = [*self.container, "bash", "-c", f"set -e\n{self.prologue}\n{command}"]
        log(f"$ {command}")
        status, output = typed(argv, self.directory, {**self.env, **extra}, password)
        if status != 0:
            print("\n".join(output.splitlines()[-LINES_OF_A_FAILURE:]))
            log(f"FAILED with status {status} after {time.monotonic() - started:.1f} s. Complete log: {LOG}")
            raise SystemExit(1)
        log(f"ok ({time.monotonic() - started:.1f} s)")
        return output

    def run_without_a_change(self, command: str) -> None:
        output = self.run(command)
        recap = re.findall(r"^(\S+) +: .*\bchanged=(\d+)", output.partition("PLAY RECAP")[2], re.MULTILINE)
        changed = [host for host, count in recap if int(count)]
        if changed or not recap:
            tasks = re.split(r"^(?=TASK |RUNNING HANDLER )", output, flags=re.MULTILINE)
            print("\n".join(task for task in tasks if re.search(r"^changed: ", task, re.MULTILINE)))
            log(f"Expected no change. Changed: {', '.join(changed) or 'nothing, but the run matched no host'}.")
            raise SystemExit(1)


def user() -> Shell:
    """The user's shell, in the directory and the environment that the first block created."""
    return Shell(WORK, environment(), f". .venv/bin/activate\nPATH={shlex.quote(str(CHEAPER))}:$PATH")


def newest() -> Shell:
    """A container with the newest ansible-core, which needs a newer Python than this machine may have."""
    image = subprocess.run(
        [str(ROOT / "molecule/shared/image/build.sh"), "trixie"], check=True, capture_output=True, text=True
    ).stdout.split()[-1]
    settings = {
        "HOME": str(NEWEST / "home"),
        "PATH": f"{NEWEST / 'bin'}:/usr/bin:/bin",
        "PYTHONPATH": str(NEWEST / "site"),
        "LC_ALL": "C.UTF-8",
        "TERM": "dumb",
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_SSH_CONTROL_PATH_DIR": CONTROL_PATHS,
    }
    container = [
        *("docker", "run", "--rm", "--interactive", "--tty", "--network", "host", "--label", "ivy-lab=ivy-molecule"),
        # The same paths and the same user as outside.
        *("--volume", f"{ROOT}:{ROOT}", "--workdir", str(WORK), "--user", f"{os.getuid()}:{os.getgid()}"),
        *("--volume", "/etc/passwd:/etc/passwd:ro", "--volume", "/etc/group:/etc/group:ro"),
        *(word for key, value in settings.items() for word in ("--env", f"{key}={value}")),
        image,
    ]
    return Shell(WORK, dict(os.environ), container=tuple(container))


def readme() -> list[Block]:
    """The blocks of the chapter, in the order in which the user works through them."""
    found = blocks((ROOT / "README.md").read_text(encoding="utf-8"))
    return [block for block in found if block.heading == CHAPTER]


def commands_of(playbook: str, check: bool = False) -> list[str]:
    """The README's commands for a playbook, with or without --check."""
    found = [replaced(command) for block in readme() if block.language == "sh" for command in block.commands]
    return [one for one in found if f" ivy.cluster.{playbook} " in one and (" --check" in one) == check]


def prepare() -> None:
    """Creates an empty directory, a home, passwords, and a python3 that is the Python of make."""
    shutil.rmtree(HERE, ignore_errors=True)
    HERE.mkdir(mode=0o700, parents=True)
    for directory in (HERE / "bin", HOME, LAB / "secrets", LOG.parent):
        directory.mkdir(parents=True, exist_ok=True)
    LOG.write_text("", encoding="utf-8")
    python = HERE / "bin" / "python3"
    python.write_text(
        f'#!/bin/sh\nexec {shlex.quote(os.environ.get("PYTHON") or sys.executable)} "$@"\n', encoding="utf-8"
    )
    python.chmod(0o755)
    for file in (VAULT_PASSWORD_FILE, *(LAB / "secrets" / name for name in Secrets.__annotations__)):
        file.write_text(f"{secrets.token_hex(32)}\n", encoding="utf-8")
        file.chmod(0o600)


def provide_files() -> None:
    """Provides the user's files: the vendors' archives and a licence for the README's public name."""
    files = WORK / "inventory" / "files"
    files.mkdir()
    for name, pattern in PROVIDED.items():
        (files / name).symlink_to(sorted(ARCHIVES.glob(pattern))[-1])
    (url,) = re.findall(
        r"ivy_public_url: https://([\w.]+)/", (WORK / "inventory/group_vars/all/cluster.yml").read_text()
    )
    licence = [str(ROOT / "tests/engine_stand_in/make-licence.sh"), "--nodes", "5", "--public-urls", url]
    subprocess.run([*licence, str(files / "prod.lic")], check=True)


def follow() -> None:
    """Follows the chapter from the first block to the last."""
    prepare()
    words = Secrets(*((LAB / "secrets" / name).read_text(encoding="utf-8").strip() for name in Secrets.__annotations__))
    steps = readme()
    vault = next(block for block in steps if block.file == VAULT)
    # ansible-vault opens this editor, in which the user would type what the README shows.
    (HERE / "vault.txt").write_text(words.fill_in(vault.content), encoding="utf-8")
    editor = f"cp {shlex.quote(str(HERE / 'vault.txt'))}"
    for block in steps:
        if not WORK.exists():
            # One script, because it changes the directory and the environment.
            Shell(HERE, environment()).run("\n".join(map(replaced, block.commands)))
        elif block.language == "sh":
            for command in block.commands:
                if " ivy.cluster." in command and not (WORK / "inventory" / "files").exists():
                    provide_files()
                user().run(replaced(command), EDITOR=editor)
        elif block is not vault and block.file is not None:
            file = WORK / block.file
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(block.content, encoding="utf-8")
            log(f"wrote {block.file}")
        elif block is not vault:
            raise SystemExit(f"README.md:{block.line}: the text does not name the file of this block")
    (HERE / "vault.txt").unlink()
    mark = shlex.quote(str(ROOT / "molecule/shared/mark_first_run.yml"))
    user().run(f"ansible-playbook {inventories()} {mark} --ask-vault-pass")


def inventories(*more: Path) -> str:
    return " ".join([replaced(INVENTORY), *(f"-i {shlex.quote(str(path))}" for path in more)])


def again() -> None:
    """Repeats site with an empty ansible.cfg: nothing changes. Runs some other playbooks likewise, and loads all."""
    settings = WORK / "ansible.cfg"
    kept = settings.read_text(encoding="utf-8")
    settings.write_text("", encoding="utf-8")
    try:
        for command in commands_of("site"):
            user().run_without_a_change(command)
        (command,) = commands_of("verify")
        for playbook, arguments in OTHER_PLAYBOOKS.items():
            other = command.replace("ivy.cluster.verify", f"ivy.cluster.{playbook}")
            user().run(f"{other} {arguments}".rstrip())
        every = " ".join(f"ivy.cluster.{path.stem}" for path in sorted((ROOT / "playbooks").glob("*.yml")))
        user().run(command.replace("ivy.cluster.verify", f"--syntax-check {every}"))
    finally:
        settings.write_text(kept, encoding="utf-8")


def again_with_the_newest() -> None:
    """Repeats site with the newest ansible-core, whose ansible-galaxy installs the archive: nothing changes."""
    shell = newest()
    shutil.rmtree(NEWEST / "home", ignore_errors=True)
    (NEWEST / "home").mkdir()
    output = shell.run("ansible-playbook --version && ansible-galaxy collection install --force ivy-cluster-*.tar.gz")
    if "was installed successfully" not in output or "Downloading" in output:
        raise SystemExit("The archive does not accept the collections of the newest `ansible`.")
    for command in commands_of("preflight"):
        if "preflight_scope=inventory" in command:
            shell.run(command)
    for command in commands_of("site"):
        shell.run_without_a_change(command)


def application() -> None:
    """Adds what the outside tests need. Engine 11.3 takes a new application only while no node is running."""
    (WORK / "inventory" / "files" / "demo.zip").symlink_to(ARCHIVES / "demo.zip")
    more = inventories(APPLICATION)
    stop = "ansible.builtin.systemd_service -a 'name=axonivy-engine state=stopped'"
    user().run(f"ansible {more} engine_nodes --become -m {stop} --ask-vault-pass")
    user().run(f"ansible-playbook {more} ivy.cluster.site --ask-vault-pass")
    user().run(f"ansible-playbook {more} ivy.cluster.verify --ask-vault-pass")


def runbook(name: str) -> None:
    """Types every command of a runbook. The directory must be the one that `follow` and `application` left."""
    text = (ROOT / "docs" / "runbooks" / f"{name}.md").read_text(encoding="utf-8")
    commands = [command for block in blocks(text) if block.language == "sh" for command in block.commands]
    for command in commands:
        if "<" in command:
            raise SystemExit(f"{name}.md: a user has to fill in a placeholder: {command}")
    for command in commands:
        user().run(command.replace(INVENTORY, inventories(APPLICATION)))


STAGES: dict[str, Callable[[], None]] = {
    "follow": follow,
    "again": again,
    "newest": again_with_the_newest,
    "application": application,
}


if __name__ == "__main__":
    if sys.argv[1:2] == ["runbook"]:
        runbook(sys.argv[2])
    else:
        for stage in sys.argv[1:]:
            STAGES[stage]()
