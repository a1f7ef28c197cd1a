# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import dataclasses
import hashlib
import io
import os
import time
import typing as t
import zipfile
from pathlib import Path

import pytest

from ansible_collections.ivy.cluster.plugins.plugin_utils.operations import application_files as sut

SECRET = "hunter2-and-more"
URL = f"https://kim:{SECRET}@repository.acme.ch/demo-1.2.zip?token={SECRET}"


def zipped(*names: str) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name in names:
            archive.writestr(name, f"content of {name}\n" * 20)
    return target.getvalue()


DEMO = zipped("shop.iar", "config/app.yaml")
DIGEST = hashlib.sha256(DEMO).hexdigest()


@dataclasses.dataclass
class Controller:
    """A directory of archives, and a server that answers with some bytes."""

    directory: Path
    answers: dict[str, bytes | Exception] = dataclasses.field(default_factory=dict)
    asked: list[str] = dataclasses.field(default_factory=list)

    def open(self, url: str) -> t.IO[bytes]:
        self.asked.append(url)
        answer = self.answers[url]
        if isinstance(answer, Exception):
            raise answer
        return io.BytesIO(answer)

    def file(self, name: str, data: bytes) -> str:
        (self.directory / name).write_bytes(data)
        return name

    def collect(self, *entries: t.Any) -> tuple[list[dict[str, t.Any]], list[str]]:
        place = sut.Place(self.directory / "cache", lambda name: self.directory / name, self.open, [SECRET])
        found, problems = sut.collect(list(entries), place)
        return [one.to_dict() for one in found], problems


@pytest.fixture
def controller(tmp_path: Path) -> Controller:
    return Controller(tmp_path)


def test_files_of_the_controller(controller: Controller) -> None:
    controller.file("a.zip", DEMO)
    controller.file("b.iar", zipped("pom.xml", "processes/one.p.json"))
    sha512 = f"sha512:{hashlib.sha512(DEMO).hexdigest()}"
    found, problems = controller.collect(
        {"name": "demo.zip", "archive": "a.zip", "checksum": sha512, "options": {"deployTestUsers": "FALSE"}},
        {"name": "demo/project-1.2.iar", "archive": "b.iar"},
    )
    assert problems == []
    assert found[0] == {
        "name": "demo.zip",
        "archive": str(controller.directory / "a.zip"),
        "sha256": DIGEST,
        "options": {"deployTestUsers": "FALSE"},
    }
    assert found[1]["name"] == "demo/project-1.2.iar"


def test_a_download_is_kept_and_not_repeated(controller: Controller) -> None:
    controller.answers[URL] = DEMO
    entry = {"name": "demo.zip", "url": URL, "checksum": f"sha256:{DIGEST}"}
    for _time in range(2):
        (found,), problems = controller.collect(entry)
        assert problems == []
        assert Path(found["archive"]).read_bytes() == DEMO
        assert found["sha256"] == DIGEST
    assert controller.asked == [URL]
    assert os.stat(controller.directory / "cache/applications").st_mode & 0o777 == 0o700
    # One that somebody damaged is downloaded again, and one that is not used any more is removed after some time.
    Path(found["archive"]).write_bytes(b"x")
    old = controller.directory / "cache/applications/old.zip"
    old.write_bytes(b"x")
    os.utime(old, (1, 1))
    assert controller.collect(entry)[1] == []
    assert Path(found["archive"]).read_bytes() == DEMO
    assert not old.exists()


def test_all_problems_of_all_entries_are_reported_at_once_and_without_secrets(controller: Controller) -> None:
    controller.answers[URL] = b"something else"
    away = "https://away.acme.ch/demo.zip"
    controller.answers[away] = OSError(f"cannot reach {away} with {SECRET}")
    sha256 = f"sha256:{DIGEST}"
    cases: list[tuple[t.Any, str]] = [
        ({"name": "none.zip", "archive": "none.zip"}, "there is no such file on the controller"),
        ({"name": "broken.zip", "archive": controller.file("broken", DEMO[:-30])}, "not a complete zip file"),
        ({"name": "text.zip", "archive": controller.file("text", b"no archive")}, "not a complete zip file"),
        ({"name": "foreign.zip", "archive": controller.file("foreign", zipped("bin/x"))}, "no .iar file at its top"),
        ({"name": "folder.zip", "archive": controller.file("folder", zipped("x/a.iar"))}, "in the folder x"),
        ({"name": "foreign.iar", "archive": "foreign"}, "it is not a project"),
        ({"name": "demo.iar", "archive": controller.file("demo", DEMO)}, "Its name must end in .zip"),
        ({"name": "wrong.zip", "archive": "demo", "checksum": f"sha256:{'0' * 64}"}, f"the checksum {sha256}"),
        ({"name": "replaced.zip", "url": URL, "checksum": sha256}, "the file was replaced. Correct url or checksum."),
        ({"name": "away.zip", "url": away, "checksum": sha256}, "https://away.acme.ch/demo.zip cannot be downloaded"),
        ({"name": "unchecked.zip", "url": URL}, "a url needs a checksum"),
        ({"name": "file.zip", "url": "file:///etc/passwd", "checksum": sha256}, "Use archive for a file."),
        ({"name": "host.zip", "url": "https://[x", "checksum": sha256}, "url must begin with https://"),
        ({"name": "short.zip", "archive": "demo", "checksum": "sha256:abc"}, "checksum must be sha256: and 64 digits"),
        ({"name": "md5.zip", "archive": "demo", "checksum": f"md5:{'0' * 32}"}, "checksum must be sha256:"),
        ({"name": "both.zip", "archive": "demo", "url": URL, "checksum": sha256}, "both archive and url"),
        ({"name": "nothing.zip"}, "name a file on the controller (archive), or url and checksum"),
        ({"name": "options.zip", "archive": "demo", "options": "deployTestUsers"}, "options must be a dictionary"),
        ({"name": "../up.zip", "archive": "demo"}, "the name must be a file name in deploy/"),
        ({"name": "a/b/c.zip", "archive": "demo"}, "the name must be a file name in deploy/"),
        ({"name": "demo.war", "archive": "demo"}, "the name must be a file name in deploy/"),
        ({"name": "twice.zip", "archive": "demo"}, ""),
        ({"name": "twice.zip", "archive": "demo"}, "two applications have this name"),
        ("demo.zip", "entry 24 must have name and archive"),
    ]
    found, problems = controller.collect(*(entry for entry, _words in cases))
    for entry, words in cases:
        name = entry["name"] if isinstance(entry, dict) else "entry 24"
        assert any(name in problem and words in problem for problem in problems), (name, words, problems)
    assert len(problems) == len(cases) - 1
    assert SECRET not in str(problems)
    assert {one["name"] for one in found} == {"twice.zip"}
    # What is not what was declared is not kept.
    assert list((controller.directory / "cache/applications").iterdir()) == []


@pytest.mark.parametrize("value", ["demo.zip", '[{"name": "demo.zip"}]', {"name": "demo.zip"}, 7, None])
def test_a_text_of_a_survey_is_not_a_list(controller: Controller, value: t.Any) -> None:
    place = sut.Place(controller.directory, Path, controller.open)
    found, problems = sut.collect(value, place)
    assert found == []
    assert len(problems) == 1
    assert "must be a list of applications" in problems[0]


def test_a_download_has_a_limit(controller: Controller, monkeypatch: pytest.MonkeyPatch) -> None:
    controller.answers[URL] = DEMO
    monkeypatch.setattr(sut, "LARGEST", len(DEMO) - 1)
    _found, (problem,) = controller.collect({"name": "demo.zip", "url": URL, "checksum": f"sha256:{DIGEST}"})
    assert "the download was ended" in problem
    monkeypatch.setattr(sut, "LARGEST", len(DEMO))
    moments = iter((0.0, sut.LONGEST_SECONDS + 1))
    monkeypatch.setattr(time, "monotonic", lambda: next(moments))
    _found, (problem,) = controller.collect({"name": "demo.zip", "url": URL, "checksum": f"sha256:{DIGEST}"})
    assert "the download was ended" in problem
