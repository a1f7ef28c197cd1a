# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs ansible-lint, in half of its time.

Most of its time goes into three things that change no result: copies of texts that cannot change, the kind of the same
file found again and again, and a syntax check for each import of a playbook. tools/readme_way.py checks the syntax of
all playbooks.
"""

from __future__ import annotations

import copy
import functools
import sys
import typing as t

from ansible.module_utils._internal import _datatag
from ansible_compat.runtime import Runtime
from ansiblelint import __main__, file_utils

IMMUTABLE = ("Str", "Int", "Float", "Bytes", "Date", "Time", "DateTime")


def main() -> None:
    dispatch: dict[type, t.Any] = copy._deepcopy_dispatch  # type: ignore[attr-defined]
    for name in IMMUTABLE:
        dispatch[getattr(_datatag, f"_AnsibleTagged{name}")] = lambda value, _memo: value
    file_utils.kind_from_path = functools.lru_cache(None)(file_utils.kind_from_path)
    Runtime.has_playbook = lambda *_unused, **_more: True  # type: ignore[method-assign]
    sys.argv[0] = "ansible-lint"
    sys.exit(__main__.main())


if __name__ == "__main__":
    main()
