# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node hands over to be adopted."""

from __future__ import annotations

import base64
import typing as t

import pytest

from ansible_collections.ivy.cluster.plugins.module_utils.node.config import collect

IVY = "configuration/ivy.yaml"
KEYSTORE = "configuration/keystore.p12"


def by_path(answer: dict[str, t.Any]) -> dict[str, dict[str, t.Any]]:
    return {item["path"]: item for item in answer["findings"]}


def put(node: t.Any, key: str, data: bytes) -> None:
    path = node.path(key)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def content(text: str | None) -> bytes | None:
    return None if text is None else base64.b64decode(text)


@pytest.fixture
def site(node: t.Any) -> t.Any:
    node.record_baseline()
    node.release = node.build(
        {
            f"engine:{IVY}": node.File(b"A: 1\n", "yaml", "keys"),
            "engine:configuration/gone.xml": node.File(b"<a/>"),
            "environment:shared.env": node.File(b"canary", secret=True, mode="0600"),
        }
    )
    node.apply(node.release)
    return node


def gather(node: t.Any, **more: t.Any) -> dict[str, t.Any]:
    return collect.collect(node.request(node.release, check=True)._replace(release=""), **more)


def test_a_clean_node_hands_over_nothing(site: t.Any) -> None:
    answer = gather(site)
    assert answer["findings"] == []
    assert answer["applied"] == site.release.id
    assert content(answer["manifest"]) == site.release.manifest
    before = site.snapshot()
    gather(site)
    assert site.snapshot() == before


def test_hidden_files_are_reported_like_any_other(site: t.Any) -> None:
    put(site, "engine:configuration/.git/config", b"[core]\n")
    assert [(item["path"], item["kind"]) for item in gather(site)["findings"]] == [
        ("configuration/.git/config", "extra")
    ]
    assert "configuration/.git/config" in by_path(gather(site, everything=True))


def test_both_contents_of_what_drifted(site: t.Any) -> None:
    put(site, f"engine:{IVY}", b"A: 2\n")
    put(site, "engine:configuration/log4j2.xml", b"<mine/>")
    put(site, "engine:configuration/new.xml", b"<new/>")
    site.path("engine:configuration/gone.xml").unlink()
    put(site, "environment:shared.env", b"changed canary")
    found = by_path(gather(site))
    sides = {
        path: (item["kind"], item["origin"], content(item["before"]), content(item["after"]))
        for path, item in found.items()
    }
    assert sides == {
        IVY: ("modified", "release", b"A: 1\n", b"A: 2\n"),
        "configuration/log4j2.xml": ("modified", "baseline", b"<log4j/>", b"<mine/>"),
        "configuration/new.xml": ("extra", "", None, b"<new/>"),
        "configuration/gone.xml": ("missing", "release", b"<a/>", None),
        # Where only secrets are, nothing leaves the node.
        "shared.env": ("modified", "release", None, None),
    }


def test_the_engines_own_files_only_when_they_are_asked_for(site: t.Any) -> None:
    put(site, f"engine:{KEYSTORE}", b"\0keys")
    assert gather(site)["findings"] == []
    assert gather(site)["engine_owned"] == [KEYSTORE]
    answer = gather(site, take=["configuration/*.p12"])
    assert content(by_path(answer)[KEYSTORE]["after"]) == b"\0keys"
    assert answer["engine_owned"] == []


def test_a_too_long_or_irregular_file_is_reported_without_content(site: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collect, "GREATEST_FILE", 3)
    put(site, "engine:configuration/long.xml", b"<long/>")
    site.path("engine:configuration/link.xml").symlink_to("/etc/shadow")
    found = by_path(gather(site))
    assert found["configuration/long.xml"]["too_long"]
    assert found["configuration/link.xml"]["irregular"]
    assert {item["after"] for item in found.values()} == {None}


def test_applied_content_counts_and_leaves_room_for_the_others(site: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    site.release = site.build(
        {f"engine:{IVY}": site.File(b"A: 1\n"), "engine:configuration/gone.xml": site.File(b"<a/>" * 50)}
    )
    site.apply(site.release)
    put(site, f"engine:{IVY}", b"A: 2\n")
    put(site, "engine:configuration/gone.xml", b"<b/>")
    monkeypatch.setattr(collect, "GREATEST_ANSWER", 100)
    found = by_path(gather(site))
    long = found["configuration/gone.xml"]
    assert (long["too_long"], long["before"], long["after"]) == (True, None, None)
    assert (content(found[IVY]["before"]), content(found[IVY]["after"])) == (b"A: 1\n", b"A: 2\n")


def test_everything_is_what_the_vendor_did_not_deliver_so(site: t.Any) -> None:
    put(site, "engine:configuration/log4j2.xml", b"<mine/>")
    put(site, "engine:configuration/reference/ivy.yaml", b"A: 1\n")
    put(site, "engine:configuration/applications/demo/app.yaml", b"A: 1\n")
    answer = gather(site, everything=True)
    assert sorted(by_path(answer)) == ["configuration/gone.xml", IVY, "configuration/log4j2.xml"]
    assert answer["engine_owned"] == ["configuration/applications/demo/app.yaml"]


def test_a_node_that_was_never_managed(node: t.Any) -> None:
    put(node, f"engine:{IVY}", b"A: 1\n")
    node.release = node.build({})
    answer = gather(node, everything=True)
    # Without a baseline nobody knows what the vendor delivered.
    assert sorted(by_path(answer)) == [IVY, "configuration/log4j2.xml", "configuration/web.xml"]
    assert (answer["applied"], answer["baseline"]) == (None, False)
