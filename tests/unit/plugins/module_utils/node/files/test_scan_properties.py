# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Properties over random trees: what was applied is found again, and every edit is reported once and by its name."""

from __future__ import annotations

import os
import shutil
import tempfile
import typing as t
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

NAMES = st.text(
    st.characters(codec="utf-8", exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=8
).filter(lambda name: name not in (".", "..") and len(name.encode()) < 100 and not name.startswith(".ivy-cluster-"))
PATHS = st.builds(
    lambda area, rest: "/".join([area, *rest]),
    st.sampled_from(["configuration", "dropins", "patches"]),
    st.lists(NAMES, min_size=1, max_size=3),
)


@st.composite
def trees(draw: t.Any) -> t.Any:
    """Paths of which none is a directory of another, with contents and modes."""
    chosen: dict[str, tuple[bytes, str]] = {}
    for path in draw(st.lists(PATHS, min_size=1, max_size=6)):
        parts = path.split("/")
        above = {"/".join(parts[:depth]) for depth in range(1, len(parts))}
        if (
            above & set(chosen)
            or any(other.startswith(path + "/") for other in chosen)
            or path.startswith("configuration/applications")
        ):
            continue
        chosen[path] = (draw(st.binary(max_size=40)), draw(st.sampled_from(["0640", "0600", "0644"])))
    return chosen


def release_of(node: t.Any, tree: t.Any) -> t.Any:
    return node.build({f"engine:{path}": node.File(content, mode=mode) for path, (content, mode) in tree.items()})


@pytest.fixture
def fresh(node: t.Any) -> t.Any:
    """Makes nodes like the fixture's, one for each example."""
    made = []

    def make() -> t.Any:
        base = Path(tempfile.mkdtemp(dir=node.base))
        one = type(node)(base)
        made.append(base)
        one.record_baseline()
        return one

    yield make
    for base in made:
        shutil.rmtree(base)


CHEAP = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@CHEAP
@given(tree=trees().filter(bool))
def test_apply_then_scan_is_the_identity(fresh: t.Any, tree: t.Any) -> None:
    one = fresh()
    one.apply(release_of(one, tree))
    assert {path: (one.engine / path).read_bytes() for path in tree} == {
        path: content for path, (content, _mode) in tree.items()
    }
    found = one.inspect()
    assert (found["drift"], found["pending"], found["conflict"]) == ([], [], [])
    assert not one.apply(release_of(one, tree))["changed"]


@CHEAP
@given(tree=trees().filter(bool), data=st.data())
def test_any_edit_is_reported_once_and_by_its_name(fresh: t.Any, tree: t.Any, data: t.Any) -> None:
    one = fresh()
    one.apply(release_of(one, tree))
    path = data.draw(st.sampled_from(sorted(tree)))
    place = one.engine / path
    kind = data.draw(st.sampled_from(["modified", "missing", "attributes", "extra", "link", "directory"]))
    wanted = {"link": "modified", "directory": "modified"}.get(kind, kind)
    if kind == "modified":
        place.write_bytes(tree[path][0] + b"x")
    elif kind == "missing":
        place.unlink()
    elif kind == "attributes":
        place.chmod(0o604)
    elif kind == "extra":
        place = place.with_name(place.name[:3] + "-extra")
        if place.exists():
            return
        place.write_bytes(b"x")
        path = str(place.relative_to(one.engine))
    elif kind == "link":
        place.unlink()
        place.symlink_to("/etc/hostname")
    else:
        place.unlink()
        place.mkdir()
        (place / "inner").write_bytes(b"x")
    (finding,) = one.inspect()["drift"]
    assert (finding["path"], finding["kind"]) == (path, wanted)
    result = one.apply(release_of(one, tree))
    assert [(item["path"], item["kind"]) for item in result["drift"]] == [(path, wanted)]
    assert {name: (one.engine / name).read_bytes() for name in tree} == {
        name: content for name, (content, _mode) in tree.items()
    }
    assert one.inspect()["drift"] == []


def put(place: Path, kind: str, content: bytes) -> str:
    """Do something to an applied file; returns as what it is to be reported."""
    if kind == "modified":
        place.write_bytes(content + b"x")
    elif kind == "missing":
        place.unlink()
    elif kind == "attributes":
        place.chmod(0o606)
    elif kind != "untouched":
        place.unlink()
        if kind == "link":
            place.symlink_to("/etc/hostname")
        elif kind == "pipe":
            os.mkfifo(place)
        else:
            place.mkdir()
            (place / "inner").write_bytes(b"x")
        return "modified"
    return kind


@CHEAP
@given(tree=trees().filter(bool), data=st.data())
def test_any_number_of_edits_is_reported_each_once(fresh: t.Any, tree: t.Any, data: t.Any) -> None:
    one = fresh()
    one.apply(release_of(one, tree))
    kinds = ["untouched", "modified", "missing", "attributes", "link", "pipe", "directory"]
    wanted = []
    for path, (content, _mode) in tree.items():
        kind = put(one.engine / path, data.draw(st.sampled_from(kinds)), content)
        if kind != "untouched":
            wanted.append((path, kind))
    for number in range(data.draw(st.integers(0, 3))):
        extra = one.engine / "dropins" / "new by hand" / f"{number}"
        extra.parent.mkdir(exist_ok=True)
        extra.write_bytes(b"x")
        wanted.append((f"dropins/new by hand/{number}", "extra"))
    found = one.inspect()
    assert sorted((item["path"], item["kind"]) for item in found["drift"]) == sorted(wanted)
    assert (found["pending"], found["conflict"], found["engine_owned"]) == ([], [], [])
    one.apply(release_of(one, tree))
    assert one.inspect()["drift"] == []


CONTENTS = st.sampled_from([None, b"1", b"2", b"3"])


@CHEAP
@given(
    st.dictionaries(st.sampled_from(["a", "b/c", "d", "e/f/g"]), st.tuples(CONTENTS, CONTENTS, CONTENTS), min_size=1)
)
def test_each_file_is_in_the_list_where_it_belongs(fresh: t.Any, files: dict[str, t.Any]) -> None:
    """Applied files, files on disk and requested files: all are reported, and each once."""
    one = fresh()

    def release(index: int) -> t.Any:
        return one.build(
            {f"engine:patches/{path}": one.File(all3[index]) for path, all3 in files.items() if all3[index] is not None}
        )

    one.apply(release(0))
    wanted: dict[str, list[str]] = {"drift": [], "pending": [], "conflict": []}
    for path, (applied, actual, new) in files.items():
        place = one.engine / "patches" / path
        if actual is None:
            place.unlink(missing_ok=True)
        else:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(actual)
            place.chmod(0o640)
        if applied != actual and applied != new:
            if actual != new:
                wanted["conflict"].append(f"patches/{path}")
        elif applied != actual:
            wanted["drift"].append(f"patches/{path}")
        elif applied != new:
            wanted["pending"].append(f"patches/{path}")
    found = one.inspect(release(2))
    assert {name: sorted(item["path"] for item in found[name]) for name in wanted} == {
        name: sorted(paths) for name, paths in wanted.items()
    }


@CHEAP
@given(before=trees(), after=trees(), data=st.data())
def test_from_any_release_to_any_other(fresh: t.Any, before: t.Any, after: t.Any, data: t.Any) -> None:
    one = fresh()
    one.apply(release_of(one, before))
    edited = data.draw(st.sets(st.sampled_from(sorted(before)))) if before else set()
    for path in edited:
        (one.engine / path).write_bytes(before[path][0] + b"edited")
    reported = one.inspect(release_of(one, after))
    keys = [[item["path"] for item in reported[name]] for name in ("drift", "pending", "conflict")]
    flat = [path for part in keys for path in part]
    assert len(flat) == len(set(flat))
    assert set(keys[0]) | set(keys[2]) == {
        path for path in edited if before[path][0] + b"edited" != after.get(path, (None,))[0]
    }
    result = one.apply(release_of(one, after))
    assert result["changed"] is (bool(result["actions"]) or release_of(one, before).id != release_of(one, after).id)
    present = {str(path.relative_to(one.engine)) for path in one.engine.rglob("*") if path.is_file()}
    vendor = {"configuration/web.xml", "configuration/log4j2.xml"}
    assert present == set(after) | {
        path for path in vendor if path not in after and not any(p.startswith(path + "/") for p in after)
    }


def test_a_walk_is_not_led_out_by_links(node: t.Any, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_bytes(b"x")
    os.symlink(outside, node.engine / "configuration/link")
    result = node.apply(node.build({}))
    assert "secret" not in str(result)
