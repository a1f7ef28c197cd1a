# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Operating system, memory, time zone, locale and accounts."""

from __future__ import annotations

from ansible_collections.ivy.cluster.plugins.module_utils.preflight import system


def test_the_distribution() -> None:
    text = 'PRETTY_NAME="Debian"\nID=debian\nVERSION_ID="12"\n# a comment\n'
    assert system.release(text) == {"id": "debian", "version": "12"}
    assert system.release("") == {"id": "", "version": ""}


def test_memory_and_time_zone() -> None:
    assert system.memory_mb("MemFree: 1 kB\nMemTotal:       8048576 kB\n") == 7859
    assert system.memory_mb("") == 0
    assert system.time_zone("/usr/share/zoneinfo/Europe/Zurich", "") == "Europe/Zurich"
    assert system.time_zone("../usr/share/zoneinfo/Etc/UTC", "") == "Etc/UTC"
    assert system.time_zone("", "Asia/Tokyo\n") == "Asia/Tokyo"


def test_locales() -> None:
    assert system.has_locale("C")
    assert not system.has_locale("xx_NOWHERE.UTF-8")


def test_accounts() -> None:
    found = system.accounts("root", "no-such-group", 0, 4294967)
    assert found == {"uid": 0, "gid": None, "name_of_uid": "root", "name_of_gid": ""}
