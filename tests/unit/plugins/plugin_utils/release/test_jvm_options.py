# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The vendor's JVM options are kept unless the cluster sets the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ivy.cluster.plugins.plugin_utils.release.jvm_options import kept, setting

SHIPPED = """\
# Heap
-Xms512m
-Xmx2g

-XX:-OmitStackTraceInFastThrow
-XX:+UseG1GC
-XX:+UseStringDeduplication
-Djava.awt.headless=true
#-Dcom.sun.management.jmxremote.port=9003

"""


def test_what_the_cluster_sets_replaces_what_was_shipped() -> None:
    assert kept(SHIPPED, ["-Xms4g", "-Xmx4g", "-Djava.awt.headless=true", "# a comment"]) == [
        "# Heap",
        "",
        "-XX:-OmitStackTraceInFastThrow",
        "-XX:+UseG1GC",
        "-XX:+UseStringDeduplication",
        "#-Dcom.sun.management.jmxremote.port=9003",
    ]


@pytest.mark.parametrize(
    ("own", "lost"),
    [
        (["-XX:+UseZGC"], "-XX:+UseG1GC"),
        (["-XX:-UseG1GC"], "-XX:+UseG1GC"),
        (["-XX:+OmitStackTraceInFastThrow"], "-XX:-OmitStackTraceInFastThrow"),
        (["-Djava.awt.headless=false"], "-Djava.awt.headless=true"),
        ([" -Xmx1g"], "-Xmx2g"),
        (["-Dcom.sun.management.jmxremote.port=9999"], ""),
        (["-XX:+UseGCOverheadLimit"], ""),
        (["-XX:MaxGCPauseMillis=100"], ""),
    ],
)
def test_one_option_replaces_one(own: list[str], lost: str) -> None:
    before, after = kept(SHIPPED, []), kept(SHIPPED, own)
    assert [line for line in before if line not in after] == ([lost] if lost else [])


def test_windows_line_ends_and_nothing() -> None:
    assert kept("-Xmx1g\r\n-XX:+UseG1GC\r\n", ["-Xmx2g"]) == ["-XX:+UseG1GC"]
    assert kept("", ["-Xmx2g"]) == []


OPTIONS = st.sampled_from(
    [
        *("-Xms1g", "-Xmx1g", "-Xmx2g", "-Xss1m", "-XX:+A", "-XX:-A", "-XX:B=1", "-XX:B=2", "-Dx=1", "-Dx", "-Dxy=1"),
        *("-server", "-XX:+UseG1GC", "-XX:+UseZGC", "-XX:+UseSerialGC"),
    ]
)


@given(st.lists(OPTIONS), st.lists(OPTIONS))
def test_no_setting_is_lost_and_none_is_given_by_both(shipped: list[str], own: list[str]) -> None:
    left = kept("\n".join(shipped), own)
    assert not {setting(option) for option in left} & {setting(option) for option in own}
    assert {setting(option) for option in shipped} <= {setting(option) for option in (*left, *own)}
    # Again on what was written: nothing changes.
    assert kept("\n".join(left), own) == left
