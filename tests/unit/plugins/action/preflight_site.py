# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An inventory that is right, of hosts that do not exist, and ways to plant faults in it.

As a program, it inspects many such inventories in one process, by the collection's own action: cases come in as JSON
and what was found goes out as JSON.
"""

from __future__ import annotations

import datetime
import gc
import hashlib
import io
import json
import sys
import tarfile
import types
import typing as t
import zipfile
from pathlib import Path

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

ROOT = Path(__file__).resolve().parents[4]
HEADER = "# yaml-language-server: $schema=https://json-schema.axonivy.com/ivy/11.3.0/ivy.json\n"
LICENCE = """[Begin Licence]
licence.type=Enterprise
licence.valid.until=2199-12-31
licence.keyversion=axonivy/11000
server.nodes.limit=3
public.urls=ivy.acme.ch
[End Licence]
"""
ENGINE = "AxonIvyEngine11.3.0.1_All_x64.zip"
SEARCH = "elasticsearch-7.17.28.zip"

Vars = dict[str, t.Any]


def zip_file(*names: str) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name in names:
            # With a fixed time, so that the same names give the same bytes.
            archive.writestr(zipfile.ZipInfo(name), "content " * 100)
    return data.getvalue()


def tar_file() -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as archive:
        for number in range(20):
            info = tarfile.TarInfo(f"opensearch/file{number}")
            content = hashlib.sha512(str(number).encode()).digest() * 500
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return data.getvalue()


def certificate(first: int = -1, last: int = 100, names: t.Sequence[str] = ("ivy.acme.ch",)) -> tuple[str, str]:
    """A certificate that signs itself, valid between two days from now, and its key; both as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.timezone.utc)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "acme")])
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now + datetime.timedelta(days=first))
        .not_valid_after(now + datetime.timedelta(days=last))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(one) for one in names]), critical=False)
        .sign(key, hashes.SHA256())
    )
    form = serialization.PrivateFormat.PKCS8
    private = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    return signed.public_bytes(serialization.Encoding.PEM).decode(), private.decode()


def groups() -> dict[str, dict[str, Vars]]:
    return {
        "load_balancers": {"lb1": {"ansible_host": "192.0.2.10"}},
        "engine_nodes": {f"engine{one}": {"ansible_host": f"192.0.2.2{one}"} for one in (1, 2, 3)},
        "database_servers": {"db1": {"ansible_host": "192.0.2.30"}},
        "search_servers": {"search1": {"ansible_host": "192.0.2.40"}},
    }


def variables() -> Vars:
    here = "{{ inventory_dir }}"
    return {
        "ivy_cluster_name": "acme",
        "ivy_engine_version": "11.3.0",
        "ivy_public_url": "https://ivy.acme.ch/",
        "ivy_cluster_key": "0f1e2d3c4b5a69788796a5b4c3d2e1f0" * 2,
        "ivy_database_password": "CANARY-database-7",
        "ivy_licence_file": f"{here}/acme.lic",
        "ivy_controller_cache": f"{here}/cache",
        "engine_http_firewall": True,
        "ivy_shared_values": {"mail_host": "mail.acme.ch"},
        "ivy_shared_secrets": {"mail_password": "CANARY-mail-7", "engine_keys": {"EMail.Server.User": "CANARY-user-7"}},
        "engine_archive": f"{here}/{ENGINE}",
        "elasticsearch_archive": f"{here}/{SEARCH}",
    }


def files() -> dict[str, bytes]:
    return {
        "acme.lic": LICENCE.encode(),
        ENGINE: zip_file("bin/AxonIvyEngine", "system/lib/boot.jar"),
        SEARCH: zip_file("elasticsearch-7.17.28/bin/elasticsearch"),
        "shared_config/configuration/ivy.yaml.j2": (
            HEADER + "EMail:\n  Server:\n    Host: {{ shared.mail_host }}\n"
            "    Password: '${encrypt:{{ secret.mail_password }}}'\n"
        ).encode(),
    }


def write_site(directory: Path, case: t.Mapping[str, t.Any]) -> Path:
    """Write the inventory with what a case changes: ``vars`` (None removes), ``hosts``, ``groups``, ``files``."""
    hosts = groups()
    for group, members in case.get("groups", {}).items():
        hosts[group] = members
    for host, values in case.get("hosts", {}).items():
        for members in hosts.values():
            if host in members:
                members[host] = {**members[host], **values}
    given = {**variables(), **case.get("vars", {})}
    for name in [name for name, value in given.items() if value == "REMOVED"]:
        del given[name]
    data = {
        "all": {
            "vars": given,
            "children": {group: {"hosts": members} for group, members in hosts.items()},
        }
    }
    content: dict[str, bytes] = {**files(), "hosts.yml": yaml.safe_dump(data, sort_keys=False).encode()}
    for name, text in case.get("files", {}).items():
        if text is None:
            content.pop(name, None)
        elif text == "TRUNCATED":
            content[name] = content[name][: len(content[name]) // 2]
        elif text == "TAR":
            content[name] = tar_file()
        elif text == "TRUNCATED TAR":
            content[name] = tar_file()[:-2000]
        elif text == "ENGINE":
            content[name] = files()[ENGINE]
        elif text == "ZIP":
            content[name] = zip_file("some/file")
        else:
            content[name] = text.encode()
    for name, content_of in content.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content_of)
    return directory / "hosts.yml"


def look(inventory_file: Path, stage: str, facts: t.Mapping[str, Vars]) -> dict[str, t.Any]:
    """What the action finds, as a task of a play of all hosts."""
    from ansible.inventory.manager import InventoryManager
    from ansible.parsing.dataloader import DataLoader
    from ansible.playbook.play import Play
    from ansible.plugins.loader import action_loader
    from ansible.template import Templar
    from ansible.vars.manager import VariableManager

    loader = DataLoader()
    loader.set_basedir(str(inventory_file.parent))
    inventory = InventoryManager(loader=loader, sources=[str(inventory_file)])
    manager = VariableManager(loader=loader, inventory=inventory)
    for host, known in facts.items():
        # What a inspection of the host registered is beside the facts.
        registered = {name: value for name, value in known.items() if name.startswith("preflight_")}
        manager.set_nonpersistent_facts(host, registered)
        manager.set_host_facts(host, {name: value for name, value in known.items() if name not in registered})
    tasks = [{"ivy.cluster.preflight_inventory": {"stage": stage}}]
    play = Play.load({"hosts": "all", "gather_facts": "no", "tasks": tasks}, manager, loader)
    task = next(task for block in play.compile() for task in block.block if "preflight" in task.action)
    first = manager.get_vars(play=play, host=inventory.get_hosts()[0], task=task)
    action = action_loader.get(
        "ivy.cluster.preflight_inventory",
        task=task,
        # Nothing but the name of a directory that is never made: no connection is used.
        connection=types.SimpleNamespace(_shell=types.SimpleNamespace(tmpdir=None)),
        play_context=None,
        loader=loader,
        templar=Templar(loader=loader, variables=first),
        shared_loader_obj=None,
    )
    result: dict[str, t.Any] = action.run(task_vars=first)
    return result


def _plugin_found_once(find: t.Callable[..., t.Any]) -> t.Callable[..., t.Any]:
    known: dict[t.Any, t.Any] = {}

    def find_once(loader: t.Any, name: str, *rest: t.Any, **options: t.Any) -> t.Any:
        key = (loader.type, name, rest, *options.items())
        if key not in known:
            known[key] = find(loader, name, *rest, **options)
        return known[key]

    return find_once


def _listed_once(list_modules: t.Callable[..., t.Iterable[t.Any]]) -> t.Callable[..., t.Iterator[t.Any]]:
    known: dict[t.Any, list[t.Any]] = {}

    def list_once(paths: t.Iterable[str], prefix: str = "") -> t.Iterator[t.Any]:
        key = (*paths, prefix)
        if key not in known:
            known[key] = list(list_modules(paths, prefix))
        return iter(known[key])

    return list_once


def main() -> None:
    from ansible.plugins.loader import Jinja2Loader, init_plugin_loader
    from ansible.utils.collection_loader import _collection_finder

    # Evaluating templates creates many objects and hardly any cycles.
    gc.set_threshold(50_000, 20, 50)
    # No plugin is added while this runs, and Ansible lists the directories of plugins for each template.
    _collection_finder._iter_modules_impl = _listed_once(_collection_finder._iter_modules_impl)

    # Each case has filters and tests of its own, and Ansible searches for each of them.
    Jinja2Loader.get_with_context = _plugin_found_once(Jinja2Loader.get_with_context)
    init_plugin_loader([str(ROOT / "collections")])
    from ansible_collections.ivy.cluster.tests import in_process

    # Most templates are the same in each case, and half of the time goes into compiling them.
    in_process.compile_templates_once()
    in_process.copy_no_texts()
    in_process.keep_compiled()
    directory = Path(sys.argv[1])
    results = {}
    for number, (name, case) in enumerate(json.load(sys.stdin).items()):
        inventory = write_site(directory / str(number), case)
        try:
            results[name] = look(inventory, case.get("stage", "inventory"), case.get("facts", {}))
        except Exception as error:
            results[name] = {"failed": True, "msg": f"{type(error).__name__}: {error}"}
    json.dump(results, sys.stdout, default=str)


if __name__ == "__main__":
    main()
