# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.ivy.cluster.plugins.plugin_utils.common.findings import Finding, FindingsError

ONE = Finding.in_file("b.yaml", 12, "it is wrong", "Correct it.")
TWO = Finding.in_file("a.yaml", 0, "it is missing", "Add it.")
THREE = Finding.in_file("", 0, "a value differs", "Remove it.")


def test_one_error_lists_all_once_and_sorted() -> None:
    error = FindingsError([ONE, TWO, ONE, THREE])
    assert str(error) == (
        "The shared configuration cannot be built, 3 problems:\n"
        "  - a value differs. Remove it.\n"
        "  - a.yaml: it is missing. Add it.\n"
        "  - b.yaml:12: it is wrong. Correct it."
    )
    assert error.findings[2].to_dict() == {
        "code": "release",
        "severity": "error",
        "area": "Shared configuration",
        "subject": "b.yaml:12",
        "message": "it is wrong",
        "fix": "Correct it.",
        "file": "b.yaml",
        "line": 12,
    }


def test_one_problem() -> None:
    with pytest.raises(FindingsError, match="1 problem:"):
        raise FindingsError([ONE])
