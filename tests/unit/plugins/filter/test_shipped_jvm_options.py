# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.ivy.cluster.plugins.filter.shipped_jvm_options import FilterModule


@pytest.mark.parametrize(("shipped", "left"), [("-Xmx2g\n-XX:+UseG1GC\n", ["-XX:+UseG1GC"]), ("", []), (None, [])])
def test_the_filter(shipped: str | None, left: list[str]) -> None:
    assert FilterModule().filters()["shipped_jvm_options"](shipped, ["-Xmx4g"]) == left
