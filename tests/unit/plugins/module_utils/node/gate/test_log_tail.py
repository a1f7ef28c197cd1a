# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

from ansible_collections.ivy.cluster.plugins.module_utils.node.gate import log_tail as sut


def test_the_last_lines_of_the_engine_log(node: t.Any) -> None:
    node.vendor("logs/ivy.log", b"line 1\nline 2\n" * 100)
    lines = sut.log_tail(node.settings())
    assert lines[-1] == "line 2"
    assert len(lines) < 60
