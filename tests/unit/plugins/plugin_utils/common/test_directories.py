# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No role takes a directory of the system, or one with a path that it cannot write into a unit."""

from __future__ import annotations

import pytest

from ansible_collections.ivy.cluster.plugins.filter.directory_problem import FilterModule
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.directories import directory_problem


@pytest.mark.parametrize(
    "path",
    [
        *("/opt/ivy", "/opt/ivy/", "/ivy", "/data", "/srv/ivy", "/var/lib/ivy-cluster", "/var/log/ivy", "/home/ivy"),
        *("/etc/ivy-cluster", "/usr/local/ivy", "/run/preflight", "/tmp/x", "/mnt/nas@1/a=b:c+d"),
    ],
)
def test_a_directory_of_its_own(path: str) -> None:
    assert directory_problem(path) == ""


@pytest.mark.parametrize(
    "path",
    [
        *("/", "/opt", "/opt/", "/etc", "/etc/ssl/private", "/etc/systemd/system", "/var", "/var/lib", "/var/log/"),
        *(
            "/var/lib/postgresql",
            "/var/tmp",
            "/tmp",
            "/root",
            "/home",
            "/srv",
            "/usr/local/bin",
            "/dev/shm/x",
            "/proc/1",
        ),
    ],
)
def test_a_directory_of_the_system(path: str) -> None:
    assert "belongs to the system" in directory_problem(path)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "opt/ivy",
        "~/ivy",
        "/opt//ivy",
        "/opt/a b",
        "/opt/a\n",
        "/opt/%h",
        "/opt/a'b",
        '/opt/"a',
        "/opt/$a",
        "/opt/ä",
        "/a;b",
    ],
)
def test_a_path_that_nothing_can_quote(path: str) -> None:
    assert "not an absolute path" in directory_problem(path)


@pytest.mark.parametrize("path", ["/srv/../etc", "/srv/.", "/srv/./a", "/srv/a/.."])
def test_a_path_that_leads_elsewhere(path: str) -> None:
    assert "contains . or .." in directory_problem(path)


def test_directories_with_different_uses() -> None:
    state = FilterModule().filters()["directory_problem"]
    assert state("/srv/ivy", ["/srv/ivy/data/"]) == "it and /srv/ivy/data lie in one another"
    assert state("/srv/ivy/data/x", ["", "/srv/ivy/data"]) == "it and /srv/ivy/data lie in one another"
    assert state("/srv/ivy/", ["/srv/ivy"]) == "/srv/ivy has another use"
    assert state("/srv/ivy-2", ["/srv/ivy"]) == ""
