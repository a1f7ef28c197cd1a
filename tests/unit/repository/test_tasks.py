# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules for every task of the roles and playbooks, whoever runs them and whatever the state of the hosts."""

from __future__ import annotations

import dataclasses
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
FILES = sorted(
    [*ROOT.glob("roles/*/tasks/**/*.yml"), *ROOT.glob("roles/*/handlers/**/*.yml"), *ROOT.glob("playbooks/**/*.yml")]
)
_NESTED = ("tasks", "pre_tasks", "post_tasks", "handlers", "block", "rescue", "always")


@dataclasses.dataclass(frozen=True)
class Task:
    """A task, a block or a play, with the conditions of the blocks around it."""

    keys: dict[str, Any]
    conditions: tuple[str, ...]

    @property
    def name(self) -> str:
        return str(self.keys.get("name", self.keys))


def tasks_in(items: Any, around: tuple[str, ...] = ()) -> Iterator[Task]:
    for keys in items or []:
        found = keys.get("when", [])
        own = (*around, *(str(condition) for condition in (found if isinstance(found, list) else [found])))
        yield Task(keys, own)
        for nested in _NESTED:
            yield from tasks_in(keys.get(nested), own)


def unprivileged(task: Task) -> bool:
    """Whether the task becomes a user other than root.

    Without pipelining a module is a file of the login user, which another unprivileged user cannot read where the
    file system has no ACLs.
    """
    variables = task.keys.get("vars") or {}
    users = [task.keys.get("become_user", "root"), variables.get("ansible_become_user", "root")]
    return any(user != "root" for user in users)


def fails_without_unit(task: Task) -> bool:
    """Whether the task fails in check mode if its unit does not exist yet."""
    arguments = task.keys.get("ansible.builtin.systemd_service") or {}
    if "name" not in arguments or not (arguments.get("enabled") or arguments.get("state") in ("started", "reloaded")):
        return False
    tolerant = "Could not find the requested service" in str(task.keys.get("failed_when", ""))
    return not tolerant and not any(
        "ansible_check_mode" in condition or "ActiveState=active" in condition for condition in task.conditions
    )


def delegates_to_a_missing_host(task: Task) -> bool:
    """Whether an empty list fails the task although its condition skips it: delegate_to is evaluated first."""
    host = str(task.keys.get("delegate_to", ""))
    return "| first" in host and "default(" not in host


def overwrites_its_condition(task: Task, directory: Path) -> bool:
    """Whether an import depends on a variable that it registers: its skipped tasks would register that they were."""
    file = task.keys.get("ansible.builtin.import_tasks")
    if file is None:
        return False
    registered = {one.keys.get("register") for one in load(directory / str(file))}
    return any(name in registered for condition in task.conditions for name in re.findall(r"\w+", condition))


# Commands whose output is a log or an error message of a service.
_WITH_SECRETS = ("journalctl", "EngineConfigCli", ".log", "_log }}")

_BOUNDED = re.compile(
    r"(?:head|tail) --bytes=\d+ |/bin/sh -c timeout \d+ journalctl \"\$@\" [^|]*\| cut -b -\d{1,4} \| tail -n \"\$0\" "
)


def prints_raw(tasks: list[Task]) -> list[str]:
    """Tasks that read a log and let Ansible print it, and messages that contain a log without the filter masked."""
    found, registered = [], []
    for task in tasks:
        command = str({name: value for name, value in task.keys.items() if name.endswith((".command", ".shell"))})
        if any(word in command for word in _WITH_SECRETS):
            registered.append(str(task.keys.get("register", "")))
            if task.keys.get("no_log") is not True:
                found.append(task.name)
    for task in tasks:
        for arguments in task.keys.values():
            if isinstance(arguments, dict) and "msg" in arguments:
                expressions = re.findall(r"\{\{.*?\}\}", str(arguments["msg"]), re.DOTALL)
                # What a module reports of an error may be the output of a program.
                raw = (*(f"{name}.std" for name in registered if name), "ansible_failed_result.msg")
                found += [
                    task.name
                    for expression in expressions
                    if any(name in expression for name in raw)
                    and "ivy.cluster.masked(ivy_known_secrets)" not in expression
                ]
    return found


# What is on the file share, and what the role of the share makes of it.
_ON_SHARE = re.compile(
    r"ivy_(share|data|record|shared_applications)_directory|__file_share_(directories|inspected|protection)"
)
# They touch no file of a host. Those of this collection limit their time themselves (test_share_access.py).
_NO_FILES = re.compile(
    r"(ansible\.builtin\.(fail|debug|assert|set_fact|set_stats|include_\w+|import_\w+|group|user)|ivy\.cluster\.\w+)\Z"
)


def may_hang(task: Task) -> bool:
    """Whether the task accesses the file share without a time limit, so that a dead mount would hold it for ever."""
    accesses = any("." in name and not _NO_FILES.match(name) for name in task.keys)
    used = {name: value for name, value in task.keys.items() if name not in ("name", "when", *_NESTED)}
    return accesses and "timeout" not in task.keys and _ON_SHARE.search(str(used)) is not None


def validates_raw(task: Task) -> bool:
    """Whether Ansible prints what a program says about a file that it rejects. Rules of nftables have no secrets."""
    arguments = (value for value in task.keys.values() if isinstance(value, dict))
    commands = [str(value["validate"]) for value in arguments if "validate" in value]
    return any(">" not in command and "nft " not in command and "item[" not in command for command in commands)


# With --diff Ansible prints what these write, and with -v the items of a loop.
_WRITERS = ("template", "copy", "blockinfile", "lineinfile", "replace", "assemble")
# What is printed although it has variables, by the role's file and the task, and why it has no secret.
_SHOWN = {
    ("backup/tasks/install.yml", "Install the program, its settings, the service and the timer"): (
        "names, directories and public keys in files that everybody can read"
    ),
    (
        "certificates/tasks/create_authority_certificate.yml",
        "Install the certificate of the certificate authority on the controller",
    ): ("certificates are public"),
    ("certificates/tasks/trust_authority.yml", "Install the certificate of the certificate authority"): (
        "certificates are public"
    ),
    ("certificates/tasks/verify_chain.yml", "Write the root"): "certificates are public",
    ("config_guard/tasks/install.yml", "Install the program"): "a file of the role",
    (
        "config_guard/tasks/install.yml",
        "Install the service",
    ): "names and directories in a unit that everybody can read",
    ("config_guard/tasks/install.yml", "Install the timer"): "a calendar expression in a unit that everybody can read",
    ("elasticsearch/tasks/bootstrap.yml", "Name the members that elect the first master"): "names of hosts",
    ("elasticsearch/tasks/configure.yml", "Write the program that records the files read at a start"): (
        "directories in a program that everybody can read"
    ),
    ("elasticsearch/tasks/configure.yml", "Write the unit"): "names and directories in a unit that everybody can read",
    ("engine/tasks/limit_logs_and_dumps.yml", "Configure systemd to remove old logs and dumps"): "directories and ages",
    ("etcd/tasks/configure.yml", "Write the configuration"): "names, addresses and directories",
    ("etcd/tasks/permit_first_start.yml", "Permit a start without data"): "names and addresses of the members",
    ("etcd/tasks/write_unit.yml", "Write the drop-in and the program that records the files read at a start"): (
        "directories in a unit and a program that everybody can read"
    ),
    ("firewall/tasks/close.yml", "Write the rules and the unit that loads them"): "addresses and ports",
    (
        "haproxy/tasks/trust_authorities.yml",
        "Trust the authority of your own certificates of the engine nodes",
    ): ("certificates are public"),
    (
        "haproxy/tasks/write_configuration.yml",
        "Install the programs that save the server states, export the certificate expiry dates, "
        "and end the sessions of lost nodes",
    ): "files of the role",
    (
        "haproxy/tasks/write_configuration.yml",
        "Install the units that save the server states and write certificate expiry metrics",
    ): "directories and times in units that everybody can read",
    (
        "haproxy/tasks/write_configuration.yml",
        "Create the files of saved states, of closed and preferred nodes, and of the maintenance",
    ): "names and addresses of nodes, and addresses of administrators",
    ("haproxy/tasks/write_configuration.yml", "Write the error pages"): "the balancer sends them to everybody",
    (
        "keepalived/tasks/write_configuration.yml",
        "Write the configuration, the check of HAProxy and the drop-in of the unit",
    ): "addresses, and a file of the role; VRRP has no password",
    ("postgres/tasks/configure.yml", "Map root to the administrator for the socket"): "a text of the role",
    ("postgres/tasks/configure_member.yml", "Write the unit and its programs"): (
        "directories in a unit and programs that everybody can read"
    ),
    ("postgres/tasks/install.yml", "Prevent the package from creating a cluster"): "a text of the role",
    ("postgres/tasks/set_up_archive.yml", "Install the program, the service and the timers"): (
        "a file of the role, names and directories in units that everybody can read"
    ),
    ("postgres/tasks/start.yml", "Make the unit wait for its addresses"): "addresses, and a file of the role",
    ("rollout/tasks/copy_applications.yml", "Copy the applications to the node"): (
        "archives, which the module copies as files and Ansible does not print"
    ),
}


def prints_content(task: Task) -> bool:
    """Whether --diff prints what the task writes, or -v prints an item that has the content, and it is not constant."""
    writes = [value for name, value in task.keys.items() if name.startswith("ansible.builtin.") and _writes(name)]
    if not writes or task.keys.get("no_log") is True:
        return False
    content = " ".join(str(arguments) for arguments in writes)
    in_item = "loop" in task.keys and re.search(r"item(\['content'\]|\.content)", content) is not None
    constant = all(
        isinstance(arguments, dict) and "src" not in arguments and "{{" not in _content(arguments)
        for arguments in writes
    )
    return in_item or (task.keys.get("diff") is not False and not constant)


def _writes(name: str) -> bool:
    return name.rpartition(".")[2] in _WRITERS


def _content(arguments: dict[str, Any]) -> str:
    return " ".join(str(arguments.get(name, "")) for name in ("content", "block", "line", "replace"))


def load(path: Path) -> list[Task]:
    return list(tasks_in(yaml.safe_load(path.read_text(encoding="utf-8"))))


def test_there_are_tasks() -> None:
    assert len([task for path in FILES for task in load(path)]) > 300


def test_violations_are_found() -> None:
    (play, block, first, second) = tasks_in(
        yaml.safe_load("""
            - hosts: all
              tasks:
                - when: there
                  block:
                    - become_user: postgres
                    - ansible.builtin.systemd_service: {name: a.service, state: started}
        """)
    )
    assert [unprivileged(task) for task in (play, block, first, second)] == [False, False, True, False]
    assert unprivileged(Task({"vars": {"ansible_become_user": "{{ ivy_user }}"}}, ()))
    assert [fails_without_unit(task) for task in (play, block, first, second)] == [False, False, False, True]
    assert second.conditions == ("there",)
    assert not fails_without_unit(Task(second.keys, ("not ansible_check_mode",)))
    assert delegates_to_a_missing_host(Task({"delegate_to": "{{ nodes | first }}"}, ()))
    assert not delegates_to_a_missing_host(Task({"delegate_to": "{{ nodes | first | default('x') }}"}, ()))


def test_accesses_to_the_share_without_a_limit_are_found() -> None:
    text = """
        - ansible.builtin.stat: {path: "{{ ivy_record_directory }}/record.json"}
        - ansible.builtin.file: {path: "{{ item }}"}
          loop: "{{ __file_share_directories }}"
        - ansible.builtin.stat: {path: "{{ ivy_record_directory }}/record.json"}
          timeout: 60
        - ansible.builtin.fail: {msg: "{{ ivy_share_directory }}"}
        - ivy.cluster.share_probe: {directory: "{{ ivy_data_directory }}"}
        - ansible.builtin.stat: {path: "{{ ivy_engine_home }}"}
    """
    found = [may_hang(task) for task in tasks_in(yaml.safe_load(text))]
    assert found == [True, True, False, False, False, False]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_task_waits_for_the_share_without_end(path: Path) -> None:
    assert [task.name for task in load(path) if may_hang(task)] == []


def test_raw_logs_are_found() -> None:
    text = """
        - name: read
          ansible.builtin.command: {argv: [journalctl, -u, x]}
          register: log
        - name: silent
          ansible.builtin.command: {argv: [journalctl, -u, x]}
          no_log: true
          register: more
        - name: print
          ansible.builtin.fail: {msg: "{{ log.stdout }} {{ more.stdout | ivy.cluster.masked(ivy_known_secrets) }}"}
        - name: failed
          ansible.builtin.fail: {msg: "{{ ansible_failed_result.msg }}"}
    """
    assert prints_raw(list(tasks_in(yaml.safe_load(text)))) == ["read", "print", "failed"]


def logs_without_limit(tasks: list[Task]) -> list[str]:
    """Tasks that read a log whose lines may be of any length, since what it contains comes from others."""
    found = []
    for task in tasks:
        for name, command in task.keys.items():
            argv = command.get("argv", []) if isinstance(command, dict) else []
            words = str(command)
            if not name.endswith((".command", ".shell")) or not any(word in words for word in _WITH_SECRETS):
                continue
            if "EngineConfigCli" not in words and _BOUNDED.match(" ".join(argv)) is None:
                found.append(task.name)
    return found


def test_a_log_without_limit_is_found() -> None:
    text = """
        - name: journal
          ansible.builtin.command: {argv: [journalctl, -u, x]}
        - name: file
          ansible.builtin.command: {argv: [cat, /run/x.log]}
        - name: good
          ansible.builtin.command: {argv: [head, --bytes=65536, /run/x.log]}
    """
    assert logs_without_limit(list(tasks_in(yaml.safe_load(text)))) == ["journal", "file"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_each_log_is_read_with_a_limit(path: Path) -> None:
    assert logs_without_limit(load(path)) == []


def test_the_end_of_a_journal_is_short_whatever_it_contains(tmp_path: Path) -> None:
    """The command of the roles, with a journal that has a very long line and very many lines."""
    commands = {
        task.keys["ansible.builtin.command"]["argv"][2]
        for path in FILES
        for task in load(path)
        if "journalctl" in str(task.keys.get("ansible.builtin.command", ""))
    }
    assert commands
    journalctl = tmp_path / "journalctl"
    journalctl.write_text(
        "#!/bin/sh\nhead -c 50000000 /dev/zero\necho\nyes a | head -n 999\necho $*\n", encoding="utf-8"
    )
    journalctl.chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    for command in commands:
        argv = ["/bin/sh", "-c", command, "30", "--unit=x"]
        done = subprocess.run(argv, env=environment, stdout=subprocess.PIPE, check=True, timeout=120)
        lines = done.stdout.decode().splitlines()
        assert lines == ["a"] * 29 + ["--unit=x --no-pager --output=cat"]
        argv[3] = "1001"
        done = subprocess.run(argv, env=environment, stdout=subprocess.PIPE, check=True, timeout=120)
        assert 2000 <= len(done.stdout.splitlines()[0]) <= 4000


def test_content_that_is_printed_is_found() -> None:
    text = """
        - ansible.builtin.template: {src: a.j2, dest: /a}
        - ansible.builtin.copy: {content: "{{ words }}", dest: /a}
        - ansible.builtin.copy: {src: "{{ file }}", dest: /a}
        - ansible.builtin.blockinfile: {block: "{{ words }}", path: /a}
        - ansible.builtin.copy: {content: "{{ item['content'] }}", dest: /a}
          loop: "{{ files }}"
          diff: false
        - ansible.builtin.template: {src: a.j2, dest: /a}
          diff: false
        - ansible.builtin.copy: {content: "{{ item.content }}", dest: /a}
          loop: "{{ files }}"
          no_log: true
        - ansible.builtin.copy: {content: "text", dest: "{{ path }}"}
        - ansible.builtin.file: {path: "{{ path }}"}
    """
    found = [prints_content(task) for task in tasks_in(yaml.safe_load(text))]
    assert found == [True] * 5 + [False] * 4


def test_no_option_is_printed_with_the_file_that_contains_it() -> None:
    found = {
        (str(path.relative_to(ROOT / "roles")) if path.is_relative_to(ROOT / "roles") else path.name, task.name)
        for path in FILES
        for task in load(path)
        if prints_content(task)
    }
    assert found == set(_SHOWN)


def test_checks_that_print_are_found() -> None:
    silent = "/bin/sh -c 'haproxy -c -f \"$0\" >/run/log 2>&1' %s"
    commands = {"/usr/sbin/haproxy -c -f %s": True, silent: False, "nft --check --file %s": False}
    for command, expected in commands.items():
        assert validates_raw(Task({"ansible.builtin.template": {"src": "x", "validate": command}}, ())) is expected


def prints_an_address(task: Task) -> bool:
    """Whether a module prints, as argument or in a message, the address of an archive with its password."""
    if task.keys.get("no_log") is True:
        return False
    for name, arguments in task.keys.items():
        if not name.startswith("ansible.builtin.") or name.endswith((".set_fact", ".assert")):
            continue
        for expression in re.findall(r"\{\{.*?\}\}", str(arguments), re.DOTALL):
            if (
                "_archive_url" in re.sub(r"'[^']*'", "", expression)
                and "ivy.cluster.masked(ivy_known_secrets)" not in expression
            ):
                return True
    return False


def test_addresses_that_are_printed_are_found() -> None:
    text = """
        - ansible.builtin.get_url: {url: "{{ engine_archive_url }}", dest: /a}
        - ansible.builtin.fail: {msg: "{{ a_archive or a_archive_url }} is damaged. Correct a_archive_url."}
        - ansible.builtin.get_url: {url: "{{ engine_archive_url }}", dest: /a}
          no_log: true
        - ansible.builtin.fail: {msg: "{{ a_archive_url | ivy.cluster.masked(ivy_known_secrets) }}: a_archive_url"}
        - ansible.builtin.stat: {path: "{{ cache }}/a.zip"}
          when: a_archive_url != ''
    """
    found = [prints_an_address(task) for task in tasks_in(yaml.safe_load(text))]
    assert found == [True, True, False, False, False]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_address_of_an_archive_is_printed_with_its_password(path: Path) -> None:
    assert [task.name for task in load(path) if prints_an_address(task)] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_rejected_file_is_printed_with_its_secrets(path: Path) -> None:
    assert [task.name for task in load(path) if validates_raw(task)] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_log_of_a_host_is_printed_with_its_secrets(path: Path) -> None:
    assert prints_raw(load(path)) == []


def test_what_the_engines_own_tool_rewrites_is_accepted_before_the_engine_starts() -> None:
    """Otherwise the start is recorded with other content than the release has, and a hot change restarts the engine."""
    found = []
    for path in FILES:
        tasks = load(path)
        for number, task in enumerate(tasks):
            if "bin/EngineConfigCli" in str(task.keys.get("ansible.builtin.command", "")):
                later = [
                    one
                    for one in tasks[number + 1 :]
                    if one.keys.get("ansible.builtin.include_tasks") == "set_configuration.yml"
                    and (one.keys.get("vars") or {}).get("__rollout_configuration_state") == "accepted"
                ]
                found.append((path.name, len(later), [one.keys.get("run_once") for one in later]))
    assert found == [("create_schema.yml", 1, [True]), ("run_migration.yml", 1, [None])]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_task_becomes_an_unprivileged_user(path: Path) -> None:
    assert [task.name for task in load(path) if unprivileged(task)] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_check_mode_works_before_a_unit_exists(path: Path) -> None:
    assert [task.name for task in load(path) if fails_without_unit(task)] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_skipped_task_needs_no_host_to_delegate_to(path: Path) -> None:
    assert [task.name for task in load(path) if delegates_to_a_missing_host(task)] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_import_overwrites_its_condition(path: Path) -> None:
    assert [task.name for task in load(path) if overwrites_its_condition(task, path.parent)] == []


def test_an_import_that_overwrites_its_condition_is_found(tmp_path: Path) -> None:
    (tmp_path / "gather.yml").write_text("- ansible.builtin.setup:\n  register: facts\n", encoding="utf-8")
    keys = {"ansible.builtin.import_tasks": "gather.yml"}
    assert overwrites_its_condition(Task(keys, ("facts is not defined",)), tmp_path)
    assert not overwrites_its_condition(Task(keys, ("other is not defined",)), tmp_path)


def compares_nothing(task: Task) -> list[str]:
    """Variables of a task that are null if their template has no output, and that a condition takes for a text."""
    silent = [
        name
        for name, value in (task.keys.get("vars") or {}).items()
        if isinstance(value, str) and value.strip().startswith("{%") and value.strip().endswith("%}")
    ]
    conditions = [re.sub(r"\| default\('', true\)", "|| ", condition) for condition in task.conditions]
    return [name for name in silent if any(re.search(rf"\b{name} \| (?!\|)", condition) for condition in conditions)]


def test_conditions_that_take_null_for_a_text_are_found() -> None:
    text = """
        - fail:
          vars:
            a: "{% for x in y %}{{ x }}{% endfor %}"
            b: "{% for x in y %}{{ x }}{% endfor %}"
          when: [a | trim != '', "b | default('', true) | trim != ''"]
    """
    assert [compares_nothing(task) for task in tasks_in(yaml.safe_load(text))] == [["a"]]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_condition_takes_null_for_a_text(path: Path) -> None:
    assert {task.name: found for task in load(path) if (found := compares_nothing(task))} == {}


def mappings(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    for one in value if isinstance(value, list) else []:
        yield from mappings(one)


def logins_of_administrator(content: Any) -> list[dict[str, Any]]:
    return [found for found in mappings(content) if found.get("login_user") == "postgres"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_administrator_of_the_database_calls_no_function_of_its_owner(path: Path) -> None:
    """See plugins/module_utils/database/options.py."""
    for login in logins_of_administrator(yaml.safe_load(path.read_text(encoding="utf-8"))):
        assert login.get("connect_params") == {"options": "-c search_path=pg_catalog"}, login


def test_the_logins_of_the_administrator_are_found() -> None:
    found = [path for path in FILES if logins_of_administrator(yaml.safe_load(path.read_text(encoding="utf-8")))]
    assert len(found) >= 5
    modules = [path for path in FILES if "community.postgresql.postgresql_" in path.read_text(encoding="utf-8")]
    assert {path.parts[-3] for path in modules} == {path.parts[-3] for path in found}, "a role without such a login"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_answer_of_a_server_is_read_without_limits(path: Path) -> None:
    """ansible.builtin.uri reads all of it, as long as a byte comes now and then, and may take a login elsewhere."""
    assert [task for task in load(path) if "ansible.builtin.uri" in task.keys] == []


def test_the_requests_to_search_servers_are_made_by_a_module_with_limits() -> None:
    asking = [path.name for path in FILES for task in load(path) if "ivy.cluster.search_request" in task.keys]
    assert sorted(asking) == [
        "check_health.yml",
        "check_search.yml",
        "check_search_login.yml",
        "gather_clients.yml",
        "gather_status_search.yml",
    ]
