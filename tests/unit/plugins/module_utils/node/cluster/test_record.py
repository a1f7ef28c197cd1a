# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import os
import tempfile
import typing as t
from pathlib import Path

import pytest

from ansible_collections.ivy.cluster.plugins.module_utils.node.cluster import fence, record
from ansible_collections.ivy.cluster.plugins.module_utils.node.files import bounded
from ansible_collections.ivy.cluster.plugins.module_utils.node.files.errors import NodeError
from ansible_collections.ivy.cluster.tests.timing import Clock

A, B, C = "a" * 32, "b" * 32, "c" * 32


def change(state: t.Any, release: t.Any = "", operation: t.Any = "site", **more: t.Any) -> t.Any:
    values = {
        "engine_version": "",
        "owner": "admin",
        "step": "",
        "node": "n1",
        "take_over": "",
        "reason": "",
        "drained": None,
        **more,
    }
    return record.Change(state=state, release=release, operation=operation, **values)


def after(*changes: t.Any, start: t.Any = None) -> t.Any:
    value = start or record.empty("demo")
    for one in changes:
        value = record.apply(value, one)
    return value


def ids() -> tuple[int, int]:
    return os.geteuid(), os.getegid()


def test_after_a_rollback_that_was_cut_off_the_way_on_is_named() -> None:
    cut_off = after(change("opened", A), change("closed", A), change("opened", B), change("opened", A, "rollback"))
    with pytest.raises(NodeError, match=r"run ivy\.cluster\.rollback again"):
        after(change("opened", A), start=cut_off)


def test_a_rollout_from_nothing_to_its_end() -> None:
    opened = after(change("opened", A, engine_version="11.3.0"))
    assert opened["desired_release"] == A
    assert opened["operation"]["name"] == "site"
    assert opened["engine_version"] == "11.3.0"
    closed = after(change("closed", A), start=opened)
    assert closed["operation"] is None
    assert [one["operation"] for one in closed["history"]] == ["site", "site done"]


def test_the_same_again_changes_nothing() -> None:
    done = after(change("opened", A), change("closed", A))
    assert after(change("opened", A), start=done) == done
    assert after(change("closed", A), start=done) == done
    assert after(change("schema_created", engine_version="11.3.0"), start=done) != done
    made = after(change("schema_created", engine_version="11.3.0"), start=done)
    assert after(change("schema_created", engine_version="11.3.0"), start=made) == made


def test_while_open_every_replaced_release_may_start_and_none_afterwards() -> None:
    done = after(change("opened", A), change("closed", A))
    rolling = after(change("opened", B), change("opened", C), start=done)
    assert rolling["previous_release"] == A
    for release in (A, B, C):
        assert fence.refusal(release, rolling, "demo", "n1") == ""
    closed = after(change("closed", C), start=rolling)
    assert closed["previous_release"] is None
    assert fence.refusal(C, closed, "demo", "n1") == ""
    for release in (A, B):
        assert "the cluster wants" in fence.refusal(release, closed, "demo", "n1")


def test_the_fence_says_why_and_what_to_run() -> None:
    closed = after(change("opened", A), change("closed", A))
    assert "no cluster record" in fence.refusal(A, None, "demo", "n1")
    assert "No release was ever applied" in fence.refusal(None, closed, "demo", "n1")
    assert "--limit n1" in fence.refusal(B, closed, "demo", "n1")
    assert "belongs to cluster demo" in fence.refusal(A, closed, "other", "n1")


def test_another_operation_is_not_overrun() -> None:
    opened = after(change("opened", A, operation="upgrade", owner="kim"))
    with pytest.raises(NodeError, match=r"upgrade of kim, since .*step: none"):
        after(change("opened", B), start=opened)
    with pytest.raises(NodeError, match="upgrade of kim"):
        after(change("closed", A), start=opened)
    taken = after(change("opened", B, take_over="kim is on holiday"), start=opened)
    assert taken["operation"]["name"] == "site"
    assert any(one.get("reason") == "kim is on holiday" for one in taken["history"])


def test_the_step_of_an_operation_is_kept() -> None:
    opened = after(change("opened", A), change("opened", A, step="restart engine2"))
    assert opened["operation"]["step"] == "restart engine2"


def test_a_rollout_that_somebody_else_overtook_is_not_closed() -> None:
    opened = after(change("opened", A), change("opened", B))
    with pytest.raises(NodeError, match="Another run was faster"):
        after(change("closed", A), start=opened)


def test_a_pin_holds_until_it_is_lifted() -> None:
    done = after(change("opened", A), change("closed", A), change("pinned", reason="incident 7"))
    with pytest.raises(NodeError, match="incident 7"):
        after(change("opened", B), start=done)
    assert after(change("opened", A), start=done) == done
    assert after(change("opened", B, operation="rollback"), start=done)["desired_release"] == B
    assert after(change("unpinned"), change("opened", B), start=done)["desired_release"] == B
    with pytest.raises(NodeError, match="no release to pin"):
        after(change("pinned"))


def test_a_rollback_pins_with_its_reason_in_the_same_step() -> None:
    done = after(change("opened", A), change("closed", A), change("opened", B), change("closed", B))
    back = after(change("opened", A, operation="rollback", reason="incident 7", pin=True), start=done)
    assert back["desired_release"] == A
    assert back["operation"]["name"] == "rollback"
    assert (back["pin"]["release"], back["pin"]["reason"], back["pin"]["owner"]) == (A, "incident 7", "admin")
    assert (back["history"][-1]["operation"], back["history"][-1]["reason"]) == ("rollback", "incident 7")
    assert after(change("opened", A, operation="rollback", reason="again", pin=True), start=back) == back
    closed = after(change("closed", A, operation="rollback"), start=back)
    with pytest.raises(NodeError, match="incident 7"):
        after(change("opened", B), start=closed)


def test_pinning_what_runs_already_is_in_the_history() -> None:
    done = after(change("opened", A), change("closed", A))
    pinned = after(change("opened", A, operation="rollback", reason="freeze", pin=True), start=done)
    assert pinned["operation"] is None
    assert (pinned["history"][-1]["operation"], pinned["history"][-1]["reason"]) == ("pin", "freeze")


def test_a_rollback_takes_over_the_rollout_that_it_undoes_and_nothing_else() -> None:
    done = after(change("opened", A), change("closed", A))
    failed = after(change("opened", B, owner="kim"), start=done)
    back = after(change("opened", A, operation="rollback", reason="B is broken", pin=True), start=failed)
    assert back["operation"]["name"] == "rollback"
    assert back["desired_release"] == A
    assert B in back["allowed_releases"]
    assert any(one["operation"] == "take over" and one["from_owner"] == "kim" for one in back["history"])
    upgrading = after(change("opened", B, operation="upgrade", owner="kim"), start=done)
    with pytest.raises(NodeError, match="upgrade of kim"):
        after(change("opened", A, operation="rollback", pin=True), start=upgrading)


def test_applications_are_remembered_once() -> None:
    value = after(change("deployed", applications={"b.zip": "2", "a.zip": "1"}))
    assert list(value["applications"].items()) == [("a.zip", "1"), ("b.zip", "2")]
    assert value["history"][-1]["applications"] == "a.zip, b.zip"
    again = record.apply(value, change("deployed", applications={"a.zip": "1", "b.zip": "2"}))
    assert again == value


def test_drained_nodes_and_the_length_of_history() -> None:
    value = after(change("drained", drained=["b", "a", "b"]))
    assert value["drained"] == ["a", "b"]
    for number in range(150):
        value = after(change("opened", f"{number:032x}"), start=value)
    assert len(value["history"]) == record.HISTORY


def test_written_and_read(tmp_path: Path) -> None:
    assert record.read(str(tmp_path), *ids()) is None
    assert record.read(str(tmp_path / "away"), *ids()) is None
    value = after(change("opened", A))
    with record.locked(str(tmp_path), *ids()):
        record.write(str(tmp_path), value, *ids())
    assert record.read(str(tmp_path), *ids()) == value
    text = (tmp_path / "record.json").read_text()
    assert text == json.dumps(value, indent=2, sort_keys=True) + "\n"
    assert not list(tmp_path.glob(".ivy*"))


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b'{"format": 1, "history": 5}', b'{"format": 1'])
def test_a_damaged_record_is_refused_in_words(tmp_path: Path, content: t.Any) -> None:
    (tmp_path / "record.json").write_bytes(content)
    with pytest.raises(NodeError, match=r"damaged|format"):
        record.read(str(tmp_path), *ids())


def test_a_record_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / "record.json").write_text('{"format": 2}')
    with pytest.raises(NodeError, match="newer version"):
        record.read(str(tmp_path), *ids())


def test_what_is_planted_instead_of_a_record_is_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("{}")
    share = tmp_path / "share"
    share.mkdir()
    (share / "record.json").symlink_to(secret)
    with pytest.raises(NodeError, match="cannot be read"):
        record.read(str(share), *ids())
    (share / "record.json").unlink()
    os.mkfifo(share / "record.json")
    with pytest.raises(NodeError, match="not a regular file"):
        record.read(str(share), *ids())


def test_two_writers_do_not_meet(tmp_path: Path, clock: Clock) -> None:
    held = record.locked(str(tmp_path), *ids())
    with held, pytest.raises(NodeError, match="another run"), record.locked(str(tmp_path), *ids(), seconds=60):
        pass
    assert sum(clock.naps) == pytest.approx(60, abs=0.2)


def test_a_share_that_is_away_is_named(tmp_path: Path) -> None:
    with pytest.raises(NodeError, match="Is the file share mounted"), record.locked(str(tmp_path / "away"), *ids()):
        pass


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as somebody else")
def test_root_writes_as_the_engines_user() -> None:
    # pytest's own directories are closed to other users.
    with tempfile.TemporaryDirectory() as base:
        os.chmod(base, 0o755)
        share = Path(base) / "share"
        share.mkdir(mode=0o700)
        os.chown(share, 12345, 12345)
        with record.locked(str(share), 12345, 12345):
            record.write(str(share), after(change("opened", A)), 12345, 12345)
        assert os.geteuid() == 0
        assert (share / "record.json").stat().st_uid == 12345
        assert (record.read(str(share), 12345, 12345) or {})["desired_release"] == A


class TestFenceAtTheStart:
    """The step before the engine's start, on real files."""

    def apply(self, node: t.Any, text: t.Any = b"1") -> t.Any:
        release = node.build({"engine:configuration/ivy.yaml": node.File(b"A: " + text + b"\n", "yaml", "keys")})
        node.apply(release)
        node.record.mkdir(exist_ok=True)
        return release

    def roll(self, node: t.Any, *changes: t.Any) -> t.Any:
        value = record.read(str(node.record), *ids()) or record.empty("demo")
        record.write(str(node.record), after(*changes, start=value), *ids())

    def test_without_a_record_nobody_starts(self, node: t.Any) -> None:
        self.apply(node)
        assert "no cluster record" in node.start(fence=True)
        assert not (node.run / "started.json").exists()

    def test_the_wanted_release_starts(self, node: t.Any) -> None:
        release = self.apply(node)
        self.roll(node, change("opened", release.id), change("closed", release.id))
        assert node.start(fence=True) == ""

    def test_a_node_that_was_away_does_not_start_until_it_is_brought_up_to_date(self, node: t.Any) -> None:
        release = self.apply(node)
        self.roll(node, change("opened", release.id), change("closed", release.id))
        self.roll(node, change("opened", B), change("closed", B))
        assert f"has release {release.id}, the cluster wants {B}" in node.start(fence=True)

    def test_during_a_rollout_the_old_one_may_start(self, node: t.Any) -> None:
        release = self.apply(node)
        self.roll(node, change("opened", release.id), change("closed", release.id), change("opened", B))
        assert node.start(fence=True) == ""

    def test_a_damaged_record_keeps_everybody_out(self, node: t.Any, capsys: pytest.CaptureFixture[str]) -> None:
        self.apply(node)
        (node.record / "record.json").write_text("{")
        assert "damaged" in node.start(fence=True)

    def test_a_node_to_which_nothing_was_applied(self, node: t.Any) -> None:
        node.environment.mkdir()
        assert "No release was ever applied" in node.start()


def test_no_more_is_read_than_a_record_can_have(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (tmp_path / record.FILE_NAME).open("wb") as stream:
        stream.truncate(8 << 20)
    lengths: list[int] = []
    real = os.read

    def read(fd: int, length: int) -> bytes:
        block = real(fd, length)
        lengths.append(len(block))
        return block

    monkeypatch.setattr(os, "read", read)
    monkeypatch.setattr(bounded, "call", lambda function, _seconds: function())
    with pytest.raises(NodeError, match="larger than any record"):
        record.read(str(tmp_path), os.geteuid(), os.getegid())
    assert sum(lengths) < 2 << 20
