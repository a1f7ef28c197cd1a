# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest
import yaml

from ansible_collections.ivy.cluster.plugins.plugin_utils.release.jgroups import render
from ansible_collections.ivy.cluster.plugins.plugin_utils.release.restart import (
    KeyedDigest,
    describe,
    needed,
    rule_for,
)
from ansible_collections.ivy.cluster.plugins.plugin_utils.yaml import tree

KEY = KeyedDigest("k" * 32)
Profile = dict[str, t.Any]


def of(path: str, text: str, profile: Profile, read_only: bool = False, key: KeyedDigest = KEY) -> dict[str, t.Any]:
    document = tree.parse(text) if path.endswith(".yaml") else None
    return describe(path, text.encode(), document, profile, key, read_only)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("configuration/ivy.yaml", "keys"),
        ("configuration/ivy.webserver.yaml", "keys"),
        ("configuration/log4j2.xml", "never"),
        ("configuration/applications/demo/app.yaml", "never"),
        ("configuration/applications/demo/Variables/deep/x.json", "never"),
        ("configuration/jgroups.xml", "always"),
        ("configuration/web.xml", "always"),
        ("configuration/sub/ivy.yaml", "always"),
        ("configuration/some.lic", "always"),
        ("dropins/x.jar", "always"),
        ("patches/x.jar", "always"),
    ],
)
def test_kinds(profile_11: Profile, path: str, kind: str) -> None:
    assert of(path, "a: 1", profile_11)["kind"] == kind


def test_never_has_nothing_to_compare(profile_11: Profile) -> None:
    assert of("configuration/log4j2.xml", "<a/>", profile_11) == {"kind": "never", "digest": ""}


def test_formatting_and_hot_keys_need_no_restart(profile_11: Profile) -> None:
    first = of("configuration/ivy.yaml", "SystemDb:\n  Url: x\nEMail.Server.Host: a\n", profile_11)
    same = of("configuration/ivy.yaml", '# c\nEMail: {Server: {Host: b}}\nSystemDb.Url: "x"\n', profile_11)
    assert first == same
    assert set(first["keys"]) == {"SystemDb.Url"}


def test_a_changed_key_can_be_named(profile_11: Profile) -> None:
    first = of("configuration/ivy.yaml", "A: 1\nB: 2\n", profile_11)
    second = of("configuration/ivy.yaml", "A: 1\nB: 3\nC: 4\n", profile_11)
    assert first["digest"] != second["digest"]
    assert first["keys"]["A"] == second["keys"]["A"]
    assert {key for key, value in second["keys"].items() if first["keys"].get(key) != value} == {"B", "C"}


def test_a_prefix_is_a_whole_name(profile_11: Profile) -> None:
    assert set(of("configuration/ivy.yaml", "EMailArchive: 1\n", profile_11)["keys"]) == {"EMailArchive"}


def test_hot_keys_are_hot_in_ivy_yaml_only(profile_11: Profile) -> None:
    assert set(of("configuration/ivy.webserver.yaml", "BaseUrl: x\n", profile_11)["keys"]) == {"BaseUrl"}


def test_a_new_host_of_the_list_needs_no_restart(profile_11: Profile) -> None:
    path = "configuration/jgroups.xml"
    two, three = (
        of(path, render("tcp", "c", 7800, 7900, hosts), profile_11) for hosts in (["a", "b"], ["a", "b", "c"])
    )
    assert two == three
    assert two != of(path, render("tcp", "c", 7801, 7900, ["a", "b"]), profile_11)


def test_read_only_makes_everything_wait_for_a_restart(profile_11: Profile) -> None:
    yaml_file = of("configuration/ivy.yaml", "EMail.Server.Host: a\n", profile_11, read_only=True)
    assert set(yaml_file["keys"]) == {"EMail.Server.Host"}
    assert of("configuration/applications/a/app.yaml", "a: 1", profile_11, read_only=True)["kind"] == "always"


def test_equal_values_of_other_keys_have_other_digests(profile_11: Profile) -> None:
    keys = of("configuration/ivy.yaml", "A: 1\nB: 1\n", profile_11)["keys"]
    assert keys["A"] != keys["B"]


def test_without_the_key_nobody_can_try_a_guess(profile_11: Profile) -> None:
    other = of("configuration/ivy.yaml", "A: 1\n", profile_11, key=KeyedDigest("x" * 32))
    assert of("configuration/ivy.yaml", "A: 1\n", profile_11)["keys"] != other["keys"]


def test_an_unknown_file_needs_a_restart() -> None:
    assert rule_for("x", [])["restart"] == "always"


def test_the_first_rule_counts_and_a_star_stays_in_its_directory() -> None:
    rules = [{"pattern": "a/*.x", "restart": "never"}, {"pattern": "**", "restart": "always"}]
    assert rule_for("a/b.x", rules)["restart"] == "never"
    assert rule_for("a/b/c.x", rules)["restart"] == "always"
    assert rule_for("a/bxx", rules)["restart"] == "always"
    assert yaml.safe_dump(rules)


REASON = "configuration/ivy.yaml changed since the engine started"
HOT = ["EMail", "SecuritySystems"]


def edited(*keys: str, **more: t.Any) -> dict[str, t.Any]:
    found = [{"key": key, "change": "changed"} for key in keys]
    return {"root": "engine", "path": "configuration/ivy.yaml", "kind": "modified", "keys": found, **more}


@pytest.mark.parametrize(
    ("changes", "counts"),
    [
        ([edited("EMail.Server.Host")], False),
        ([edited("SecuritySystems.default.Users[0].Name", "EMail.Server.Host")], False),
        ([edited("EMail.Server.Host", "SystemDb.Url")], True),
        ([edited("EMailer.Host")], True),
        # Nothing is known of the keys.
        ([edited()], True),
        ([{**edited("EMail"), "keys": [{"key": "EMail", "change": "unreadable"}]}], True),
        ([edited("EMail.Server.Host", kind="missing")], True),
        ([edited("EMail.Server.Host", path="configuration/web.xml")], True),
        ([edited("EMail.Server.Host", root="copy")], True),
        ([], True),
    ],
)
def test_a_local_change_of_keys_that_the_engine_reloads_needs_no_restart(
    changes: list[dict[str, t.Any]], counts: bool
) -> None:
    node = {"restart_reasons": [REASON], "restart_undecided": {"configuration/ivy.yaml": REASON}}
    assert needed(node, changes, HOT) == ([REASON] if counts else [])
    # Other reasons stay, and so does this one if there is more to it.
    assert needed({**node, "restart_reasons": ["Java", REASON]}, changes, HOT)[0] == "Java"
    assert needed({"restart_reasons": [REASON]}, changes, HOT) == [REASON]
    assert needed(node, changes, []) == [REASON]
