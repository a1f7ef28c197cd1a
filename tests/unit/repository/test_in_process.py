# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs of tests share: templates that an earlier run has compiled, and modules that hosts have unpacked."""

from __future__ import annotations

import base64
import io
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from ansible_collections.ivy.cluster.tests.in_process import UNPACKED_MODULE, CompiledTemplates

KEY, OTHER = b"1" * 32, b"2" * 32


def compiled(text: str) -> object:
    return compile(text, "<template>", "eval")


def never() -> object:
    raise AssertionError("it was compiled before")


def test_a_later_run_compiles_nothing_again(tmp_path: Path) -> None:
    file = tmp_path / "all"
    first, beside = CompiledTemplates(file), CompiledTemplates(file)
    assert eval(first.get(KEY, lambda: compiled("1 + 1"))) == 2
    assert eval(beside.get(OTHER, lambda: compiled("2 + 2"))) == 4
    assert eval(first.get(KEY, never)) == 2

    later = CompiledTemplates(file)

    assert [eval(later.get(key, never)) for key in (KEY, OTHER)] == [2, 4]


@pytest.mark.parametrize("kept", [10, 80, -1])
def test_what_a_killed_run_has_written_in_part_is_compiled_again(tmp_path: Path, kept: int) -> None:
    file = tmp_path / "all"
    CompiledTemplates(file).get(KEY, lambda: compiled("1 + 1"))
    file.write_bytes(file.read_bytes()[:kept])
    left = file.stat().st_size

    later = CompiledTemplates(file)

    assert eval(later.get(KEY, lambda: compiled("3 + 3"))) == 6
    assert file.stat().st_size == left, "what follows a part cannot be found"


def call(directory: Path, content: str) -> subprocess.CompletedProcess[str]:
    """Run a packed module that consists of Ansible's loader only."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        loader = "ansible/module_utils/_internal/_ansiballz/_loader.py"
        for part in ("ansible", "ansible/module_utils", "ansible/module_utils/_internal", str(Path(loader).parent)):
            archive.writestr(zipfile.ZipInfo(f"{part}/__init__.py"), "")
        archive.writestr(zipfile.ZipInfo(loader), content)
    values = {
        "zip_data": base64.b64encode(packed.getvalue()).decode(),
        "module_fqn": "a.module",
        "params": "{}",
        "profile": "legacy",
        "extensions": {},
        "rlimit_nofile": 0,
    }
    code = UNPACKED_MODULE.replace('"/run/ivy-tests"', repr(str(directory)))
    code = code.replace('f"/tmp/ivy-tests-{os.getuid()}"', repr(str(directory)))
    program = f"{code}\n_ansiballz_main(**{values!r})"
    command = [sys.executable, "-I", "-S", "-"]
    return subprocess.run(command, input=program, capture_output=True, text=True, check=False)


def test_a_module_is_unpacked_and_compiled_once(tmp_path: Path) -> None:
    content = "def run_module(**values):\n    print(values['modlib_path'], values['json_params'], __file__)\n"
    kept = tmp_path / "kept"
    first = call(kept, content)
    (unpacked,) = kept.iterdir()
    assert first.stdout.split()[:2] == [str(unpacked), "b'{}'"], first.stderr
    (compiled_loader,) = unpacked.rglob("_loader*.pyc")
    before = compiled_loader.stat().st_mtime_ns

    assert call(kept, content).stdout == first.stdout
    assert compiled_loader.stat().st_mtime_ns == before
    assert call(kept, f"# another one\n{content}").stdout != first.stdout
    assert len(list(kept.iterdir())) == 2


def test_no_module_of_others_is_run(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    kept.chmod(0o770)
    refused = call(kept, "def run_module(**values):\n    print('ran')\n")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "belongs to others" in refused.stderr
