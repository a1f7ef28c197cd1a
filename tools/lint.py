# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs ansible-lint, in a quarter of its time.

Most of its time goes into work that changes no result: copies of texts that cannot change, the tasks of a file and the
kind and place of a file, which each rule finds again, and the syntax check of each playbook, of each import of one, and
of each role. tools/readme_way.py checks the syntax of all playbooks.
"""

from __future__ import annotations

import copy
import functools
import sys
import typing as t

from ansible.module_utils._internal import _datatag
from ansible_compat.runtime import Runtime
from ansiblelint import __main__, file_utils, utils
from ansiblelint.runner import Runner

IMMUTABLE = ("Str", "Int", "Float", "Bytes", "Date", "Time", "DateTime")
# They depend on nothing but the files, which do not change meanwhile.
OF_FILES = ("kind_from_path", "normpath_path", "find_role_dir")


def share_texts() -> None:
    dispatch: dict[type, t.Any] = copy._deepcopy_dispatch  # type: ignore[attr-defined]
    for name in IMMUTABLE:
        dispatch[getattr(_datatag, f"_AnsibleTagged{name}")] = lambda value, _memo: value


def find_tasks_once() -> None:
    find = utils.task_in_list
    # With the data, so that the number is not given to other data.
    found: dict[int, tuple[t.Any, list[utils.Task]]] = {}

    def task_in_list(data: t.Any, file: t.Any, kind: str, position: str = ".") -> t.Iterator[utils.Task]:
        if id(data) not in found:
            found[id(data)] = (data, list(find(data, file, kind, position)))
        for task in found[id(data)][1]:
            # Only the rules that ask for it may see it.
            task.normalized_task.pop("__raw_task__", None)
            yield task

    utils.task_in_list = task_in_list


def main() -> None:
    share_texts()
    find_tasks_once()
    for name in OF_FILES:
        setattr(file_utils, name, functools.lru_cache(None)(getattr(file_utils, name)))
    Runtime.has_playbook = lambda *_unused, **_more: True  # type: ignore[method-assign]
    Runner._map_syntax_check_workers = lambda *_unused: []  # type: ignore[method-assign]
    sys.argv[0] = "ansible-lint"
    sys.exit(__main__.main())


if __name__ == "__main__":
    main()
