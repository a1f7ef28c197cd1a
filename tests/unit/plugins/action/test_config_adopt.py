# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller half of config_adopt, with a node that answers as the module does."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import types
import typing as t
from pathlib import Path

import pytest
from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import VaultLib, VaultSecret
from ansible.template import Templar

from ansible_collections.ivy.cluster.plugins.action import config_adopt
from ansible_collections.ivy.cluster.plugins.module_utils.node.config import encryption, payload
from ansible_collections.ivy.cluster.plugins.module_utils.node.files.digest import canonical

IVY = "configuration/ivy.yaml"
KEYSTORE = "configuration/keystore.p12"
CANARY = "canary-7f3a"
PASSWORD = VaultSecret(b"vault password")
TEMPLATE = 'A: 1  # kept\nB: {{ shared.b }}\nC: "${encrypt:{{ secret.c }}}"\n'
APPLIED = f'A: 1\nB: two\nC: "${{encrypt:{CANARY}}}"\n'


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


class Site:
    """A source on the controller, and what one node would answer."""

    def __init__(self, directory: Path) -> None:
        self.base = directory / "source"
        self.patch = directory / "adopt.patch"
        self.asked: list[dict[str, t.Any]] = []
        self.sent: list[dict[str, t.Any]] = []
        self.after = APPLIED.replace("A: 1", "A: 9")
        self.extra: list[str] = []
        self.contents: dict[str, bytes] = {}
        self.strange_kind = "extra"
        self.values: dict[str, t.Any] = {"ivy_shared_values": {"b": "two"}, "ivy_shared_secrets": {"c": CANARY}}
        entry = {"root": "engine", "path": IVY, "secret_keys": ["C"], "sha256": "b" * 64, "size": 1, "mode": "0640"}
        entry |= {"secret": False, "kind": "yaml", "restart": {}}
        manifest = {"format": 1, "id": "a" * 32, "entries": [entry]}
        self.answer: dict[str, t.Any] = {
            "applied": "a" * 32,
            "manifest": encoded(canonical(manifest)),
            "engine_owned": [KEYSTORE],
        }

    def write(self, name: str, data: bytes) -> None:
        path = self.base / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    def execute(self, module_args: dict[str, t.Any], task_vars: t.Any) -> dict[str, t.Any]:
        del task_vars
        self.sent.append(module_args)
        header, _blobs = payload.unpack(payload.from_text(module_args["payload"]))
        self.asked.append(header)
        finding = {"root": "engine", "path": IVY, "kind": "modified", "origin": "release", "yaml": True, "secret": True}
        sides = {"before": encoded(APPLIED.encode()), "after": encoded(self.after.encode())}
        strange = {"root": "engine", "kind": self.strange_kind, "before": None}
        extra = [
            {**strange, "path": path, "after": encoded(self.contents.get(path, b"planted\n"))} for path in self.extra
        ]
        answer = {**self.answer, "findings": [{**finding, **sides}, *extra]}
        return {"changed": False, "encrypted": encryption.encrypt(bytes.fromhex(header["key"]), answer)}

    def run(self, check: bool = False, **changes: t.Any) -> dict[str, t.Any]:
        loader = DataLoader()
        loader.set_vault_secrets([("default", PASSWORD)])
        args = {"source": str(self.base), "roots": {"engine": "/opt/ivy"}, "cluster_key": "CANARYKEY", **changes}
        task = types.SimpleNamespace(args=args, check_mode=check, diff=True, async_val=0, action="x", collections=[])
        action = config_adopt.ActionModule(
            task=task,
            connection=types.SimpleNamespace(_shell=types.SimpleNamespace(tmpdir=None)),
            play_context=None,
            loader=loader,
            templar=Templar(loader=loader, variables=self.values),
            shared_loader_obj=None,
        )
        action._execute_module = self.execute
        result = action.run(task_vars=self.values)
        text = json.dumps(result, default=str)
        assert CANARY not in text
        assert "CANARYKEY" not in text
        return result


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


@pytest.fixture
def adopting(site: Site) -> Site:
    site.write(f"{IVY}.j2", TEMPLATE.encode())
    return site


def source(site: Site) -> str:
    return (site.base / f"{IVY}.j2").read_text(encoding="utf-8")


def test_it_is_shown_and_nothing_is_written(adopting: Site) -> None:
    result = adopting.run()
    assert result["taken"] == [{"path": IVY, "source": f"{IVY}.j2", "how": "edited", "keys": ["A"]}]
    assert "+A: 9  # kept" in result["text"]
    assert (result["changed"], result["written"], result["first"]) == (False, False, False)
    assert source(adopting) == TEMPLATE
    assert [one["path"] for one in result["named"]] == [KEYSTORE]


def test_it_is_written_when_reported_to_and_not_in_check_mode(adopting: Site) -> None:
    selection: dict[str, t.Any] = {"write": True, "patch_file": str(adopting.patch)}
    predicted = adopting.run(check=True, **selection)
    assert (predicted["changed"], predicted["written"]) == (True, False)
    assert source(adopting) == TEMPLATE
    assert not adopting.patch.exists()
    result = adopting.run(**selection)
    assert (result["changed"], result["written"]) == (True, True)
    assert source(adopting) == TEMPLATE.replace("A: 1", "A: 9")
    assert "+A: 9  # kept" in adopting.patch.read_text(encoding="utf-8")
    again = adopting.run(write=True)
    assert (again["changed"], again["taken"]) == (False, [])


def test_secrets_and_expressions_are_named(adopting: Site) -> None:
    adopting.after = "A: 1\nB: three\nC: hunter2\n"
    result = adopting.run(write=True)
    assert {one["key"]: one["reason"] for one in result["named"] if one["key"]} == {
        "B": f"its line in the template {IVY}.j2 is {{{{ shared.b }}}}",
        "C": "it is or holds a secret",
    }
    assert "hunter2" not in json.dumps(result)
    assert source(adopting) == TEMPLATE


def test_the_node_request_goes_to_the_node_and_the_controllers_part_does_not(adopting: Site) -> None:
    adopting.run(files=[KEYSTORE], keys=["X"])
    assert (adopting.asked[0]["take"], adopting.asked[0]["everything"]) == ([KEYSTORE], False)
    assert not {"cluster_key", "keys", "write", "profile"} & adopting.sent[0].keys()


def test_only_the_chosen_node_is_inspected_where_there_is_a_source(adopting: Site) -> None:
    result = adopting.run(chosen=False)
    assert (result["taken"], result["first"], adopting.sent) == ([], False, [])


def test_without_a_source_every_node_reports_and_the_chosen_one_gives_the_first(site: Site) -> None:
    other = site.run(chosen=False)
    assert other["first"]
    assert list(other["files"]) == [IVY]
    assert other["taken"] == []
    site.after = "A: 1\nPassword: hunter2\n"
    result = site.run(write=True)
    assert site.asked[-1]["everything"]
    assert source(site) == "A: 1\nPassword: {{ ('${encrypt:' ~ secret.ivy_password ~ '}') | to_json }}\n"
    assert result["secrets"] == ["ivy_password"]
    assert "hunter2" not in json.dumps(result)
    assert other["files"][IVY]["keys"]["A"][0] == "9"


def test_what_the_vault_encrypts_is_read_with_its_password_and_not_overwritten(site: Site) -> None:
    encrypted = VaultLib([("default", PASSWORD)]).encrypt(APPLIED, PASSWORD)
    site.write(IVY, encrypted)
    result = site.run(write=True)
    assert result["taken"] == []
    assert "ansible-vault edit" in json.dumps(result["named"])
    assert (site.base / IVY).read_bytes() == encrypted


@pytest.mark.parametrize("first", [True, False])
def test_a_node_cannot_have_anything_written_beside_the_source(tmp_path: Path, first: bool) -> None:
    site = Site(tmp_path / "controller")
    site.base.mkdir(parents=True)
    if first:
        # Whatever a node says of it.
        site.strange_kind = "attributes"
    else:
        site.write(f"{IVY}.j2", TEMPLATE.encode())
    site.extra = [
        "configuration/../../outside",
        str(tmp_path / "absolute"),
        "../outside",
        ".git/hooks/post-commit",
        "configuration/.git/config",
        "configuration/.gitattributes",
        "configuration/\u200c.GIT/config",
        "configuration/HEAD",
        "configuration/a\n+++ b/forged",
        "configuration/\udcff.xml",
        "configuration//double",
    ]
    result = site.run(write=True, patch_file=str(site.patch))
    assert [one["path"] for one in result["taken"]] == [IVY]
    named = [one["path"] for one in result["named"] if one["path"] not in (IVY, KEYSTORE)]
    assert len(named) == len(site.extra)
    assert "planted" not in site.patch.read_text(encoding="utf-8")
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert sorted(written) == sorted([site.base / f"{IVY}.j2", site.patch])
    assert all(one["path"].isprintable() for one in result["named"])


REPOSITORY = {
    "config": b'[core]\nrepositoryformatversion = 0\nbare = false\nworktree = %s\nfsmonitor = "touch %s; false"\n',
    "HEAD": b"ref: refs/heads/x\n",
    "objects/x": b"",
    "refs/heads/x": b"",
}


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("place", ["configuration/.git/", "configuration/", "dropins/.GIT/", "patches/\u200c.git/"])
def test_git_runs_nothing_that_a_node_made(tmp_path: Path, first: bool, place: str) -> None:
    """A repository in a repository, with or without a .git: its settings name a command for each git status."""
    site = Site(tmp_path / "controller")
    site.base.mkdir(parents=True)
    if not first:
        site.write(f"{IVY}.j2", TEMPLATE.encode())
    subprocess.run(["git", "init", "-q"], cwd=site.base, check=True)
    proof = tmp_path / "proof"
    site.extra = [f"{place}{name}" for name in REPOSITORY]
    settings = REPOSITORY["config"] % (os.fsencode(site.base), os.fsencode(proof))
    site.contents = {f"{place}{name}": data for name, data in {**REPOSITORY, "config": settings}.items()}

    def git_status_everywhere() -> bool:
        for directory in (site.base, *(path for path in site.base.rglob("*") if path.is_dir())):
            subprocess.run(["git", "status"], cwd=directory, check=False, capture_output=True)
        return proof.exists()

    result = site.run(write=True)
    assert result["written"]
    assert not git_status_everywhere()
    assert f"{place}HEAD".replace("\u200c", "\\u200c") in [one["path"] for one in result["named"]]
    assert sorted(result["local_changes"]) == result["local_changes"]
    # The attack itself works, so its absence proves something.
    for name, data in site.contents.items():
        site.write(name.replace("\u200c", "").replace("GIT", "git"), data)
    assert git_status_everywhere()


def test_nothing_is_written_where_ansible_reads_it_as_inventory(adopting: Site) -> None:
    adopting.values["ansible_inventory_sources"] = [str(adopting.base.parent)]
    assert adopting.run()["taken"]
    for check in (True, False):
        with pytest.raises(AnsibleError, match="ignore_patterns"):
            adopting.run(write=True, check=check)
    assert source(adopting) == TEMPLATE


def test_errors_are_reported(adopting: Site) -> None:
    adopting.answer["applied"] = None
    with pytest.raises(AnsibleError, match="No release was ever applied"):
        adopting.run()
    adopting.answer["applied"] = "a" * 32
    (adopting.base / "configuration/link").symlink_to("/etc/passwd")
    with pytest.raises(AnsibleError, match="symbolic link"):
        adopting.run()
    (adopting.base / "configuration/link").unlink()
    adopting.values["ivy_shared_values"] = ["no", "dictionary"]
    with pytest.raises(AnsibleError, match="ivy_shared_values is not a dictionary"):
        adopting.run()


def test_a_node_that_failed_is_reported_as_such(adopting: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = {"failed": True, "msg": "The store is damaged."}
    monkeypatch.setattr(adopting, "execute", lambda **_kwargs: failed)
    assert adopting.run() == failed
