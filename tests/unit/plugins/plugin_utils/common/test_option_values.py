# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values of options that other programs read later are judged before anything is changed."""

from __future__ import annotations

import shutil
import subprocess
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ivy.cluster.plugins.plugin_utils.common import option_values as sut

SCHEDULES = [
    "minutely", "Daily", "semi-annually", "*:0/5", "*-*-* 02:30:00", "02:30", "Mon..Fri 08:00", "sat,sun 10:00 UTC",
    "Mon", "2030-01-01", "*-02-29", "Mon *-*-1..7 03:00:00 Europe/Zurich", "*-*~1", "*:*:30.5", "10..12/2:15",
    "*-1,7-1 0:00", "Mon..Wed,Fri *:*", "30-1-1",
]  # fmt: skip
NO_SCHEDULES = [
    "", " ", "every minute", "daily at 2", "25:00", "*:60", "*-13-01", "1:2:3:4", "02:30 Nowhere Else",
    "Europe/Zurich", "*:x", "Moon", "daily\nExecStart=/x", "02:30; reboot", "1,:00",
]  # fmt: skip


@pytest.mark.parametrize("value", SCHEDULES)
def test_a_schedule_is_accepted(value: str) -> None:
    assert sut.calendar_problem(value) == ""


@pytest.mark.parametrize("value", NO_SCHEDULES)
def test_another_text_is_refused(value: str) -> None:
    assert sut.calendar_problem(value) != ""


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_agrees() -> None:
    assert subprocess.run(["systemd-analyze", "calendar", *SCHEDULES], check=False, capture_output=True).returncode == 0
    taken = [
        value
        for value in NO_SCHEDULES
        if subprocess.run(["systemd-analyze", "calendar", "--", value], check=False, capture_output=True).returncode
        == 0
    ]
    assert taken == []


@pytest.mark.parametrize("pattern", ["/(login", "/login)", "[a-", "*a", "a{2,1}", "[z-a]", "a\\", ""])
def test_a_pattern_that_nobody_understands_is_refused(pattern: str) -> None:
    assert sut.regex_problem(pattern) != ""


@pytest.mark.parametrize(
    "pattern", ["(^|/)[^/]*log-?in[^/]*$", "/j_security_check$", r"\A/x\z", "(?|a|b)", "a*+", r"\h+", "(?<n>a)"]
)
def test_a_pattern_that_only_pcre_may_understand_is_accepted(pattern: str) -> None:
    assert sut.regex_problem(pattern) == ""


@given(st.text(max_size=60))
def test_any_text_is_judged(value: str) -> None:
    assert isinstance(sut.calendar_problem(value), str)
    assert isinstance(sut.regex_problem(value), str)


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        ({}, []),
        ({"a.b": 1, "c": {"d": {"e": 1}, "f": [{"g": 1}]}}, ["a.b", "c", "c.d", "c.d.e", "c.f"]),
        ({"a.b": 1, "a": {"b": 2}}, ["a.b", "a", "a.b"]),
        ("text", []),
    ],
)
def test_nested_settings_have_the_names_of_the_flat_ones(settings: t.Any, names: list[str]) -> None:
    assert sut.flat_keys(settings) == names
