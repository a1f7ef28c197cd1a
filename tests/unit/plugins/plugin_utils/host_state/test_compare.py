# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import copy
import hashlib
import typing as t

import pytest

from ansible_collections.ivy.cluster.plugins.plugin_utils.host_state import compare, expected

CONTENT = "listen: 8080\n"
UNIT = {"LoadState": "loaded", "ActiveState": "active", "UnitFileState": "enabled", "NeedDaemonReload": "no"}
STATE = expected.validated(
    {
        "packages": [{"name": "haproxy", "held": True}, {"name": "unzip"}],
        "paths": [
            {"path": "/etc/a", "owner": "root", "group": "haproxy", "mode": "0640", "content": CONTENT},
            {"path": "/etc/d", "state": "directory", "owner": 1000, "group": 1000, "mode": "750"},
            {"path": "/etc/l", "state": "link", "target": "versions/1"},
            {"path": "/etc/gone", "state": "absent"},
            {"path": "/etc/ident", "contains": "ivy root"},
        ],
        "units": [{"name": "haproxy.service", "drop_in": "/etc/x.conf"}, {"name": "a.timer"}],
        "users": [{"name": "ivy", "uid": 1500, "shell": "/usr/sbin/nologin"}],
        "groups": [{"name": "ivy", "gid": 1500}, {"name": "search"}],
        "chains": [{"chain": "inet ivy input", "contains": "0123abcd"}],
        "parameters": [{"name": "vm.max_map_count", "minimum": 262144}],
        "services": {
            "balancer": {"gather": {}, "expect": {}},
            "search": {"gather": {}, "expect": {}},
            "share": {
                "gather": {},
                "expect": {"mount": "", "accept_local": False, "directories": {"/srv/d": "directory:1:1:0750"}},
            },
            "database": {
                "gather": {},
                "expect": {
                    "files": ["/etc/a"],
                    "user": {"superuser": False},
                    "login": {"login": True, "superuser": False, "password": True},
                    "database": {"owner": "ivy", "public": False},
                    "schema": {"owner": "ivy", "public": False},
                    "extensions": ["pgstattuple"],
                    "memberships": ["pg_stat_scan_tables"],
                },
            },
        },
    }
)
ROOT = {"uid": 0, "gid": 0, "owner": "root", "group": "root", "mode": "0644"}
FILE = {**ROOT, "state": "file", "sha256": hashlib.sha256(CONTENT.encode()).hexdigest(), "changed": 100.5}
OBSERVED: dict[str, t.Any] = {
    "packages": {"haproxy": ["hold", "ok", "installed"], "unzip": ["install", "ok", "installed"]},
    "paths": {
        "/etc/a": {**FILE, "group": "haproxy", "mode": "0640"},
        "/etc/d": {
            **ROOT,
            "state": "directory",
            "uid": 1000,
            "gid": 1000,
            "owner": "ivy",
            "group": "ivy",
            "mode": "0750",
        },
        "/etc/l": {**ROOT, "state": "link", "target": "versions/1"},
        "/etc/gone": {"state": "absent"},
        "/etc/ident": {**FILE, "contains": True},
    },
    "units": {"haproxy.service": {**UNIT, "DropInPaths": "/run/b.conf /etc/x.conf"}, "a.timer": UNIT},
    "users": {"ivy": {"uid": 1500, "gid": 1500, "comment": "", "home": "/", "shell": "/usr/sbin/nologin"}},
    "groups": {"ivy": 1500, "search": 900},
    "chains": {"inet ivy input": 'tcp dport 1 jump cluster comment "0123abcd"'},
    "parameters": {"vm.max_map_count": "262144"},
    "balancer": {"reload_required": False},
    "search": {"health": "green", "current": True},
    "share": {
        "mount": "/srv",
        "protected": True,
        "directories": {"/srv/d": "directory:1:1:0750"},
        "writable": ["/srv/d"],
    },
    "database": {
        "loaded": 101,
        "invalid_rules": 0,
        "overridden": 0,
        "pending": 0,
        "user": {"superuser": False},
        "login": {"login": True, "superuser": False, "password": True},
        "database": {"owner": "ivy", "public": False},
        "schema": {"owner": "ivy", "public": False},
        "extensions": ["plpgsql", "pgstattuple"],
        "memberships": ["pg_stat_scan_tables"],
    },
}


def test_a_host_in_the_expected_state_has_no_differences() -> None:
    assert compare.differences(STATE, OBSERVED) == []


CHANGES: list[tuple[str, t.Any, str]] = [
    ("packages/haproxy", ["install", "ok", "installed"], "package haproxy: not on hold"),
    ("packages/haproxy", ["hold", "ok", "config-files"], "package haproxy: not installed"),
    ("packages/haproxy", ["hold", "reinstreq", "installed"], "package haproxy: not installed"),
    ("packages/unzip", None, "package unzip: not installed"),
    ("packages/unzip", "installed", "package unzip: not installed"),
    ("paths/|etc|a/owner", "ivy", "/etc/a: another owner"),
    ("paths/|etc|a/group", "root", "/etc/a: another group"),
    ("paths/|etc|a/mode", "0644", "/etc/a: another mode"),
    ("paths/|etc|a/mode", "4640", "/etc/a: another mode"),
    ("paths/|etc|a/sha256", "", "/etc/a: another content"),
    ("paths/|etc|a/state", "link", "/etc/a: not a file"),
    ("paths/|etc|a", {"state": "absent"}, "/etc/a: not a file"),
    ("paths/|etc|a", None, "/etc/a: not a file"),
    ("paths/|etc|d/state", "file", "/etc/d: not a directory"),
    ("paths/|etc|d/uid", 1001, "/etc/d: another owner"),
    ("paths/|etc|d/gid", 0, "/etc/d: another group"),
    ("paths/|etc|l/target", "versions/2", "/etc/l: another target"),
    ("paths/|etc|gone/state", "file", "/etc/gone: present"),
    ("paths/|etc|ident/contains", False, "/etc/ident: without the lines of the role"),
    ("units/haproxy.service/ActiveState", "activating", "unit haproxy.service: not running"),
    ("units/haproxy.service/UnitFileState", "disabled", "unit haproxy.service: not enabled"),
    ("units/haproxy.service/UnitFileState", "masked", "unit haproxy.service: not enabled"),
    ("units/haproxy.service/NeedDaemonReload", "yes", "unit haproxy.service: changed on disk since systemd loaded it"),
    ("units/haproxy.service/DropInPaths", "/run/b.conf", "unit haproxy.service: loaded without its drop-in"),
    ("units/a.timer/LoadState", "not-found", "unit a.timer: not loaded"),
    ("units", {}, "unit a.timer: not loaded"),
    ("users/ivy/shell", "/bin/bash", "user ivy: another shell"),
    ("users/ivy/uid", 0, "user ivy: another uid"),
    ("users/ivy", None, "user ivy: missing"),
    ("groups/ivy", 1501, "group ivy: another gid"),
    ("groups/search", None, "group search: missing"),
    ("chains/inet ivy input", "", "nftables chain inet ivy input: rules of the role not in force"),
    ("parameters/vm.max_map_count", "65530", "kernel parameter vm.max_map_count: too small"),
    ("parameters/vm.max_map_count", "", "kernel parameter vm.max_map_count: too small"),
    ("balancer/reload_required", True, "HAProxy: the process has not loaded what is on disk"),
    ("balancer", {}, "HAProxy: the process has not loaded what is on disk"),
    ("search/health", "red", "search engine: not healthy"),
    ("search/current", False, "search engine: the process has read other files than those on disk"),
    ("share/mount", "/", "share: on the root file system"),
    ("share/protected", False, "share: the directory below the mount is writable"),
    ("share/directories/|srv|d", "directory:0:0:0755", "/srv/d: another owner or mode"),
    ("share/writable", [], "/srv/d: not writable for the engine's user"),
    ("database/user/superuser", True, "PostgreSQL: user: another superuser"),
    ("database/login/password", False, "PostgreSQL: login: another password"),
    ("database/login", None, "PostgreSQL: login missing"),
    ("database/user", None, "PostgreSQL: user missing"),
    ("database/database/owner", "postgres", "PostgreSQL: database: another owner"),
    ("database/schema/public", True, "PostgreSQL: schema: another public"),
    ("database/extensions", ["plpgsql"], "PostgreSQL: extensions: without pgstattuple"),
    ("database/memberships", [], "PostgreSQL: memberships: without pg_stat_scan_tables"),
    ("database/invalid_rules", 1, "PostgreSQL: invalid access rules"),
    ("database/overridden", 1, "PostgreSQL: settings changed with ALTER SYSTEM"),
    ("database/pending", 2, "PostgreSQL: settings that wait for a restart"),
    ("database/loaded", 100, "PostgreSQL: configuration changed since the server loaded it"),
    ("database", {}, "PostgreSQL: database missing"),
]


@pytest.mark.parametrize(
    ("place", "value", "text"), CHANGES, ids=[f"{place} {value}" for place, value, _text in CHANGES]
)
def test_each_change_is_a_difference(place: str, value: t.Any, text: str) -> None:
    observed = copy.deepcopy(OBSERVED)
    *way, last = [part.replace("|", "/") for part in place.split("/")]
    parent = observed
    for key in way:
        parent = parent[key]
    parent[last] = value

    assert text in compare.differences(STATE, observed)


@pytest.mark.parametrize("value", [None, [], {}, "text", 7, {"paths": 3, "units": [], "packages": "x", "database": []}])
def test_a_report_of_another_form_differs_in_everything(value: t.Any) -> None:
    found = compare.differences(STATE, value)

    assert len(found) >= len(STATE["packages"]) + len(STATE["units"]) + len(STATE["services"])


def test_a_reason_why_the_description_is_incomplete_is_a_difference() -> None:
    state = expected.validated({"unknown": ["only the host can resolve db.example.com"]})

    assert compare.differences(state, OBSERVED) == ["only the host can resolve db.example.com"]


def test_the_subjects_contain_no_content() -> None:
    subjects = expected.subjects(STATE)

    assert CONTENT not in repr(subjects)
    assert subjects["paths"] == ["/etc/a", "/etc/d", "/etc/l", "/etc/gone", "/etc/ident"]
    assert subjects["contains"] == {"/etc/ident": "ivy root"}
    assert subjects["services"]["balancer"] == {}


@pytest.mark.parametrize("state", [[], {"file": []}, {"paths": {}}, {"services": []}])
def test_an_invalid_description_is_rejected(state: t.Any) -> None:
    with pytest.raises(expected.StateError):
        expected.validated(state)


def test_descriptions_are_merged() -> None:
    one = expected.validated({"packages": [{"name": "a"}], "passwords": {"database": "x"}})
    two = expected.validated({"packages": [{"name": "b"}], "unknown": ["why"]})

    total = expected.merged([one, two])

    assert [item["name"] for item in total["packages"]] == ["a", "b"]
    assert total["passwords"] == {"database": "x"}
    assert total["unknown"] == ["why"]
