# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``ansible-playbook`` for tests, with less of the processor's time.

ansible-playbook starts a process for each task and host, though most are skipped or contact no host. It packs each
module with all that the module imports, and the host unpacks and compiles them. This program runs the same code, but

- `LIVE`, for tests with real hosts, starts a process only for a task that contacts its host, and packs a module once
  for all runs of the same code, which a host unpacks and compiles once,
- `PLAYBOOK`, for tests of plays and roles whose hosts are this machine, starts none, so it has one host after the
  other, and its modules import what they need where it is, what all of them import only once,
- neither copies texts that cannot change, when Ansible copies what it has read from a file,
- neither compiles the collection again in each process, which Ansible does and Python does not,
- neither compiles a template that an earlier run of the same code has compiled,
- neither parses the former names of Ansible's plugins again.

``make test-all`` runs the same tests in the usual way (docs/long-tests.md).
"""

from __future__ import annotations

import atexit
import copy
import functools
import gc
import hashlib
import json
import marshal
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time
import typing as t
from importlib.machinery import SourceFileLoader
from pathlib import Path

FOR_HOSTS = "--processes-for-hosts"
USUAL = [str(Path(sys.executable).with_name("ansible-playbook"))]
# The beginnings of command lines; arguments of ansible-playbook follow.
if os.environ.get("IVY_PLAYBOOK_PROCESSES") == "1":
    PLAYBOOK = LIVE = USUAL
else:
    PLAYBOOK = [sys.executable, str(Path(__file__).resolve())]
    LIVE = [*PLAYBOOK, FOR_HOSTS]
# No run takes as long, so what is older than this is not in use.
KEPT_SECONDS = 86400
# To read them takes less time than to look for what is kept of them.
LONG_ROUTES = 10_000
# They contact no host, nor do the collection's actions that say so.
ON_CONTROLLER = {
    f"ansible.builtin.{name}"
    for name in (
        *("add_host", "assert", "debug", "fail", "group_by", "include_role", "include_tasks", "include_vars"),
        *("set_fact", "set_stats", "validate_argument_spec"),
    )
}


def run_playbook(
    directory: Path,
    *arguments: str,
    environment: t.Mapping[str, str],
    known: t.Mapping[str, str] = os.environ,
    seconds: float | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a playbook in a directory with the checkout's settings and collection, and with this environment."""
    root = Path(__file__).resolve().parents[1]
    settings = {
        "ANSIBLE_CONFIG": str(root / "ansible.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": str(root / "collections"),
        "ANSIBLE_NOCOLOR": "1",
        "LC_ALL": "C.UTF-8",
    }
    return subprocess.run(
        [*PLAYBOOK, *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=seconds,
        cwd=directory,
        env={**known, **settings, **environment},
    )


def run_play(
    directory: Path, values: t.Mapping[str, t.Any], *arguments: str, inventory: str = "localhost,", **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run play.yml in a directory with these variables."""
    command = ["-i", inventory, "play.yml", "-e", json.dumps(values), *arguments]
    return run_playbook(directory, *command, environment=environment)


class ContactsHostError(BaseException):
    """Ends the execution of a task within this process. No exception, since Ansible would make it the task's result."""


def run_within(processes_for_hosts: bool) -> None:
    """Replace the start of a worker's process. See WorkerProcess of ansible-core 2.19 for what it would do there."""
    from ansible._internal import _task
    from ansible.executor.process import worker
    from ansible.executor.task_executor import TaskExecutor
    from ansible.plugins.loader import action_loader

    ended = "_ivy_ended"
    start_process = worker.WorkerProcess.start

    class UntilContact(TaskExecutor):
        def _get_connection(self, *_unused: t.Any) -> t.Any:
            raise ContactsHostError

    def stays(task: t.Any) -> bool:
        if task.action in ON_CONTROLLER:
            return True
        found = action_loader.get(task.action, class_only=True) if task.action.startswith("ivy.cluster.") else None
        return found is not None and not getattr(found, "_requires_connection", True)

    def start(self: t.Any) -> None:
        executor_class = TaskExecutor
        if processes_for_hosts and not stays(self._task):
            if not self._task.when or self._task.loop is not None:
                start_process(self)
                return
            # It may be skipped.
            executor_class = UntilContact
        # A task's values replace its templates while it runs, which would be seen by the next host.
        task = self._task.copy(exclude_parent=True, exclude_tasks=True)
        task._parent = self._task._parent
        before = worker.current_worker
        worker.current_worker = self
        try:
            with _task.TaskContext(task):
                executor = executor_class(
                    self._host,
                    task,
                    self._task_vars,
                    self._play_context,
                    self._loader,
                    self._shared_loader_obj,
                    self._final_q,
                    self._variable_manager,
                )
                result = executor.run()
                fields = task.dump_attrs()
        except ContactsHostError:
            worker.current_worker = before
            start_process(self)
            return
        finally:
            worker.current_worker = before
        setattr(self, ended, True)
        raw = worker._RawTaskResult(host=self._host, task=task, return_data=result, task_fields=fields)
        self._final_q.send_task_result(raw)

    is_alive, exitcode, terminate = (getattr(worker.WorkerProcess, n) for n in ("is_alive", "exitcode", "terminate"))
    worker.WorkerProcess.start = start
    worker.WorkerProcess.is_alive = lambda self: not hasattr(self, ended) and is_alive(self)
    worker.WorkerProcess.exitcode = property(lambda self: 0 if hasattr(self, ended) else exitcode.fget(self))
    worker.WorkerProcess.terminate = lambda self: None if hasattr(self, ended) else terminate(self)


# What is sent to the host instead of the packed module: the same call, with this machine's directories as its path.
MODULE = """
import datetime

def _ansiballz_main(module_fqn, params, profile, extensions, **_unused):
    import sys
    sys.path[:] = [*(path for path in sys.path if path not in ("", ".")), *PATHS]
    from ansible.module_utils._internal._ansiballz import _loader
    _loader.run_module(
        json_params=params.encode(), profile=profile, module_fqn=module_fqn, modlib_path="", extensions=extensions
    )
"""


def import_in_place() -> None:
    """Replace what packs a module. See _find_module_utils of ansible-core 2.19."""
    from ansible.executor import module_common
    from ansible.utils.collection_loader import AnsibleCollectionConfig

    def metadata(name: str, _full_name: str, source: t.Any, *_unused: t.Any) -> t.Any:
        return module_common._get_module_metadata(module_common._compile_module_ast(name, source))

    def code(shebang: str) -> str:
        paths = [str(Path(module_common.__file__).parents[2])]
        paths += [path for path in AnsibleCollectionConfig.collection_paths if path not in paths]
        return f"{shebang}\n{MODULE.replace('PATHS', repr(paths))}"

    module_common.recursive_finder = metadata
    module_common._add_module_to_zip = lambda *_unused: None
    module_common._get_ansiballz_code = code


# The same for hosts, with an unpacked module as its path. Python keeps there what it has compiled, which it does not do
# with a packed one. A host that stops loses both.
UNPACKED_MODULE = """
import datetime

def _ansiballz_main(zip_data, module_fqn, params, profile, extensions, rlimit_nofile, **_unused):
    import os, sys
    from _blake2 import blake2b
    if rlimit_nofile:
        raise NotImplementedError("PYTHON_MODULE_RLIMIT_NOFILE")
    try:
        os.getcwd()
    except OSError:
        os.chdir("/")
    parent = "/run/ivy-tests" if os.getuid() == 0 else f"/tmp/ivy-tests-{os.getuid()}"
    unpacked = f"{parent}/{blake2b(zip_data.encode(), digest_size=16).hexdigest()}"
    if not os.path.isdir(unpacked):
        import base64, io, tempfile, zipfile
        os.makedirs(parent, mode=0o700, exist_ok=True)
        found = os.lstat(parent)
        if found.st_uid != os.getuid() or found.st_mode & 0o077:
            raise PermissionError(f"{parent} belongs to others")
        new = tempfile.mkdtemp(dir=parent)
        zipfile.ZipFile(io.BytesIO(base64.b64decode(zip_data))).extractall(new)
        try:
            os.rename(new, unpacked)
        except OSError:
            # Another module of the same content was faster.
            import shutil
            shutil.rmtree(new)
    sys.path[:] = [unpacked, *(path for path in sys.path if path not in ("", "."))]
    from ansible.module_utils._internal._ansiballz import _loader
    _loader.run_module(
        json_params=params.encode(), profile=profile, module_fqn=module_fqn, modlib_path=unpacked, extensions=extensions
    )
"""


def unpack_once() -> None:
    """Replace what unpacks a module on a host. See _ansiballz_main of ansible-core 2.19."""
    from ansible.executor import module_common

    module_common._get_ansiballz_code = lambda shebang: f"{shebang}\n{UNPACKED_MODULE}"


def kept_for_this_code(what: str) -> Path:
    """The directory of what runs of the same code share. Ansible is the same too: it is in the tool environment."""
    root = Path(__file__).resolve().parents[1]
    state = hashlib.sha256()
    for file in sorted((root / "plugins").rglob("*.py")):
        found = file.stat()
        state.update(f"{file} {found.st_size} {found.st_mtime_ns}\n".encode())
    # The environment is made again when Ansible or a collection changes.
    parent = Path(sys.prefix) / what
    kept = parent / state.hexdigest()
    if not kept.exists() and parent.exists():
        for other in parent.iterdir():
            if other.stat().st_mtime < time.time() - KEPT_SECONDS:
                shutil.rmtree(other, ignore_errors=True)
    kept.mkdir(parents=True, exist_ok=True)
    return kept


def share_packed_modules() -> None:
    """Put the directory of a run's packed modules where the next run finds it. See _find_module_utils."""
    from ansible import constants

    # Ansible removes the link with the run's other temporary files.
    (Path(constants.DEFAULT_LOCAL_TMP) / "ansiballz_cache").symlink_to(kept_for_this_code("packed_modules"))


# A process that has imported what each module imports. For each call, a copy of it runs the program that is the call's
# input. It ends with the run, whose end of a pipe is closed then.
PREPARED = """
import marshal, os, select, signal, socket, sys, types
from ansible.module_utils._internal._ansiballz import _loader
run, calls = int(sys.argv.pop()), socket.socket(fileno=int(sys.argv.pop()))
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
while True:
    if run in select.select([run, calls], [], [])[0]:
        os._exit(0)
    call = calls.accept()[0]
    if os.fork() == 0:
        break
    call.close()
calls.close()
os.close(run)
signal.signal(signal.SIGCHLD, signal.SIG_DFL)
request, descriptors, *_unused = socket.recv_fds(call, 1 << 20, 3)
child = os.fork() if request else 0
if child or not request:
    for descriptor in descriptors:
        os.close(descriptor)
    if child:
        call.send(str(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])).encode())
    os._exit(0)
call.close()
for number, descriptor in enumerate(descriptors):
    os.dup2(descriptor, number)
    os.close(descriptor)
directory, environment = marshal.loads(request)
os.chdir(directory)
os.environ.clear()
os.environ.update(environment)
sys.argv[:] = [""]
sys.modules["__main__"] = types.ModuleType("__main__")
exec(compile(sys.stdin.buffer.read(), "<stdin>", "exec"), sys.modules["__main__"].__dict__)
"""
# Takes the place of Python where a module is started: calls the prepared process and ends as the module does.
CALL = """
import marshal, os, socket, sys
call = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
call.connect(os.path.join(os.path.dirname(sys.argv[0]), "calls"))
socket.send_fds(call, [marshal.dumps((os.getcwd(), dict(os.environ)))], [0, 1, 2])
code = int(call.recv(100))
sys.exit(code if code >= 0 else 128 - code)
"""


@functools.cache
def prepared_python() -> str:
    """Start the prepared process of this run, and return the command that calls it."""
    directory = Path(tempfile.mkdtemp(prefix="ivy-prepared-"))
    (directory / "call.py").write_text(CALL, encoding="utf-8")
    calls = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    calls.bind(str(directory / "calls"))
    calls.listen(64)
    run, end_of_run = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-c", PREPARED, str(calls.fileno()), str(run)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        pass_fds=[calls.fileno(), run],
    )
    calls.close()
    os.close(run)

    def end() -> None:
        os.close(end_of_run)
        process.wait()
        shutil.rmtree(directory)

    atexit.register(end)
    # Without what Python imports for packages: it starts in a fifth of the time.
    return f"{sys.executable} -I -S {directory}/call.py"


def prepare_modules() -> None:
    """Replace the start of a module, unless it has another user, another Python or an environment."""
    from ansible.plugins.connection import local, ssh

    beginning = f"/bin/sh -c '{sys.executable} && sleep 0'"

    def replace(connection: t.Any) -> None:
        usual = connection.exec_command

        def exec_command(self: t.Any, cmd: str, in_data: bytes | None = None, sudoable: bool = True) -> t.Any:
            if cmd == beginning and in_data and MODULE.partition("PATHS")[0].encode() in in_data:
                cmd = cmd.replace(sys.executable, prepared_python())
            return usual(self, cmd, in_data, sudoable)

        connection.exec_command = exec_command

    # What tests use in place of ssh runs the command on this machine, too.
    for connection in (local.Connection, ssh.Connection):
        replace(connection)


def copy_no_texts() -> None:
    """Ansible's texts with tags are copied part by part, although no part can change."""
    from ansible.module_utils._internal import _datatag

    dispatch: dict[type, t.Any] = copy._deepcopy_dispatch  # type: ignore[attr-defined]
    for name in ("Str", "Int", "Float"):
        dispatch[getattr(_datatag, f"_AnsibleTagged{name}")] = lambda value, _memo: value


def keep_compiled() -> None:
    """Ansible imports a collection without Python's compiled files. Each process would compile all that it imports."""
    from ansible.utils.collection_loader import _collection_finder

    loader = _collection_finder._AnsibleCollectionPkgLoaderBase
    compiled = loader.get_code

    def get_code(self: t.Any, name: str) -> t.Any:
        path = self._source_code_path
        if not self._compiled_code and path and os.path.isfile(path):
            self._compiled_code = SourceFileLoader(name, path).get_code(name)
        return compiled(self, name)

    loader.get_code = get_code


def parse_routes_once() -> None:
    """Each process parses ten thousand lines with the former names of Ansible's plugins, a tenth of a short run."""
    from ansible.utils.collection_loader import _collection_finder

    parse = _collection_finder._meta_yml_to_dict

    def parse_once(data: bytes | str, content_id: t.Any) -> t.Any:
        text = data.encode() if isinstance(data, str) else data
        if len(text) < LONG_ROUTES:
            return parse(data, content_id)
        kept = Path(sys.prefix) / f"routes-{hashlib.sha256(text).hexdigest()}.json"
        try:
            return json.loads(kept.read_bytes())
        except FileNotFoundError:
            routes = parse(data, content_id)
        # Others may do the same at this moment.
        with tempfile.NamedTemporaryFile("w", dir=kept.parent, delete=False) as file:
            json.dump(routes, file)
        os.replace(file.name, kept)
        return routes

    _collection_finder._meta_yml_to_dict = parse_once


class CompiledTemplates:
    """Compiled templates of all runs, in a file that every process of a run appends to."""

    # What each one begins with: length and digest, and the digest of what was compiled.
    HEAD = struct.Struct(">I32s32s")
    BYTES_AT_MOST = 1 << 27

    def __init__(self, file: Path) -> None:
        self._file = file
        self._found: dict[bytes, bytes] = {}
        self._loaded: dict[bytes, t.Any] = {}
        stored = file.read_bytes() if file.exists() else b""
        position = 0
        while position + self.HEAD.size <= len(stored):
            length, digest, key = self.HEAD.unpack_from(stored, position)
            compiled = stored[position + self.HEAD.size : position + self.HEAD.size + length]
            # A process may have ended while it wrote. What follows cannot be found then.
            if hashlib.sha256(compiled).digest() != digest:
                break
            self._found[key] = compiled
            position += self.HEAD.size + length
        self._appendable = position == len(stored) and position < self.BYTES_AT_MOST

    def get(self, key: bytes, compile_it: t.Callable[[], t.Any]) -> t.Any:
        if key not in self._loaded:
            if key in self._found:
                self._loaded[key] = marshal.loads(self._found[key])
            else:
                self._loaded[key] = compile_it()
                self._append(key, marshal.dumps(self._loaded[key]))
        return self._loaded[key]

    def _append(self, key: bytes, compiled: bytes) -> None:
        if self._appendable:
            head = self.HEAD.pack(len(compiled), hashlib.sha256(compiled).digest(), key)
            # In one write, so that those of other processes stay before or behind it.
            with self._file.open("ab", buffering=0) as stream:
                stream.write(head + compiled)


def compile_templates_once() -> None:
    """Most templates are the same for each host, and Ansible compiles them again for each task."""
    from ansible._internal._templating import _jinja_bits

    environment = _jinja_bits.AnsibleEnvironment
    compile_template = environment.compile
    templates = CompiledTemplates(kept_for_this_code("compiled_templates") / "all")

    def compile_once(self: t.Any, source: t.Any, *rest: t.Any, **options: t.Any) -> t.Any:
        context = _jinja_bits._TemplateCompileContext.current(optional=True)
        # All that changes what is compiled. An expression comes parsed.
        values = (
            *(type(self).__name__, context and context.escape_backslashes),
            *(getattr(self, name) for name in _jinja_bits._TEMPLATE_OVERRIDE_FIELD_NAMES),
            *(str(source) if isinstance(source, str) else f"parsed {source!r}", rest, *options.items()),
        )
        key = hashlib.sha256(repr(values).encode("utf-8", "surrogatepass")).digest()
        return templates.get(key, lambda: compile_template(self, source, *rest, **options))

    environment.compile = compile_once


if __name__ == "__main__":
    # Most of what Ansible creates is kept, and is searched for garbage after each 700 objects otherwise.
    gc.set_threshold(100_000)
    from ansible.cli.playbook import main

    live = sys.argv[1:2] == [FOR_HOSTS]
    if live:
        del sys.argv[1]
        share_packed_modules()
        unpack_once()
    else:
        import_in_place()
        prepare_modules()
    copy_no_texts()
    keep_compiled()
    parse_routes_once()
    compile_templates_once()
    run_within(processes_for_hosts=live)
    main()
