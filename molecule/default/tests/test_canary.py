# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A canary in every place that can hold a secret appears in no output, no world-readable file and no process list.

A run in check mode with all the canaries writes nothing.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import html
import json
import os
import re
import secrets
import shlex
import subprocess
import tempfile
import urllib.parse
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import shared_source

from ansible_collections.ivy.cluster.tests import canaries as kinds

if TYPE_CHECKING:
    from conftest import Lab


# Runs as an unprivileged user: collects every command line until the standard input ends.
WATCH = """
import glob, select, sys
seen = set()
while not select.select([sys.stdin], [], [], 0.05)[0]:
    for name in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            with open(name, "rb") as stream:
                seen.add(stream.read())
        except OSError:
            pass
sys.stdout.buffer.write(b"\\n".join(seen))
"""
APP = "/opt/ivy/current/configuration/applications/demo"
# Everything that the collection writes on a host, except logs and the services' own data.
WRITTEN = (
    "/etc /opt/ivy/versions/*/configuration /opt/ivy/versions/*/deploy /usr/local/lib/ivy-cluster /var/lib/ivy-cluster "
    "/srv/ivy/cluster /run/ivy-cluster"
)
# Where the collection, the services and Ansible leave files.
PLACES = ("/etc", "/home", "/opt", "/root", "/run", "/srv", "/tmp", "/usr/local", "/var")


def forms(value: str) -> set[str]:
    """The forms of a value: encodings, quotings and digests without a key."""
    data = value.encode()
    found = {value, urllib.parse.quote(value), urllib.parse.quote_plus(value), html.escape(value), data.hex()}
    found.update({json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1], shlex.quote(value)})
    found.update({data.decode("latin-1"), value.replace("\\", "\\\\").replace('"', '\\"')})
    for lead in range(3):
        # Inside a longer text its base64 has one of three alignments; both ends depend on the neighbouring bytes.
        encoded = base64.b64encode(b"x" * lead + data).decode()
        found.add(encoded[4 if lead else 0 : len(encoded) - 4])
    found.update(hashlib.new(name, data).hexdigest() for name in ("md5", "sha1", "sha256", "sha512"))
    found.add(base64.b64encode(hashlib.sha256(data).digest()).decode())
    return {form for form in found if len(form) >= 12}


_ENCODED = re.compile(r"[A-Za-z0-9+/]{64,}={0,2}")


def unpacked(encoded: str) -> str:
    """The text in something that may be compressed and encoded for transport."""
    try:
        data = base64.b64decode(encoded + "=" * (-len(encoded) % 4))
        with contextlib.suppress(zlib.error):
            data = zlib.decompressobj().decompress(data)
    except binascii.Error:
        return ""
    return data.decode("latin-1")


def new_secret(name: str) -> str:
    """A random value without special characters, which is recognized wherever it appears."""
    return f"canary{name}{secrets.token_hex(8)}"


class Canaries:
    """The secrets of this run, including the demo's own."""

    def __init__(self, lab: Lab) -> None:
        names = ("mail", "file", "key", "dash", "search", "quoted", "app", "line")
        self.new = {name: new_secret(name) for name in names}
        kept = {path.name: path.read_text(encoding="utf-8").strip() for path in (lab.directory / "secrets").iterdir()}
        assert {"cluster_key", "database_password", "admin_password", "mail_password"} <= set(kept)
        self.kept = kept
        self.values = [*self.new.values(), *kept.values()]
        self.forms = sorted({form for value in self.values for form in forms(value)})

    def add_digests(self, lab: Lab) -> None:
        """Adds digests of files: secrets could be guessed from them if the rest of the file is known."""
        node = lab.host(lab.nodes[0])
        files = f"/etc/ivy-cluster/*.env {APP}/canary.*"
        for tool in ("md5sum", "sha1sum", "sha256sum"):
            listed = node.check_output(f"{tool} {files}").split()[::2]
            assert len(listed) == 4
            self.forms = sorted({*self.forms, *listed})

    def found_in(self, text: str) -> list[str]:
        # Tasks print the same text for each host.
        pieces = [(line[:300], line) for line in dict.fromkeys(text.splitlines())]
        # Modules and their arguments are compressed for transport.
        pieces += [(f"encoded: {run[:100]}", unpacked(run)) for run in dict.fromkeys(_ENCODED.findall(text))]
        assert not any("\n" in form for form in self.forms), "grep compares line by line"
        lines = "\n".join(piece.replace("\n", " ").replace("\0", " ") for _shown, piece in pieces)
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", errors="surrogateescape") as patterns:
            patterns.write("\n".join(self.forms) + "\n")
            patterns.flush()
            # Hundreds of forms in megabytes of text take minutes in Python.
            done = subprocess.run(
                ["grep", "--text", "--line-number", "--fixed-strings", f"--file={patterns.name}"],
                input=lines.encode("utf-8", "surrogateescape"),
                capture_output=True,
                env={**os.environ, "LC_ALL": "C"},
                check=False,
            )
        assert done.returncode in (0, 1), done.stderr
        return [pieces[int(hit.partition(b":")[0]) - 1][0] for hit in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def canaries(lab: Lab) -> Canaries:
    return Canaries(lab)


@pytest.fixture(scope="module")
def values(canaries: Canaries, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A change with new secrets in templates of every kind, which needs no restart."""
    source = shared_source.copy(tmp_path_factory.mktemp("canary"))
    app = source / "configuration/applications/demo"
    (app / "canary.properties.j2").write_text("token={{ secret.file }}\n", encoding="utf-8")
    (app / "canary.xml.j2").write_text("<a><b c='{{ secret.file }}'/></a>\n", encoding="utf-8")
    with (app / "app.yaml.j2").open("a", encoding="utf-8") as stream:
        stream.write('  Canary: "${encrypt:{{ secret.app }}}"\n')
    new = canaries.new
    return {
        "ivy_shared_config_source": str(source),
        "ivy_shared_secrets": {
            "mail_password": new["mail"],
            "file": new["file"],
            "app": new["app"],
            "engine_keys": {"Administrators.admin.Password": canaries.kept["admin_password"]},
        },
    }


def options_with_lines(secret: str) -> dict[str, Any]:
    """Options whose lines go into the configuration of a service as they are."""
    lines = {name: [f"# {secret}"] for name in ("global", "frontend", "backend")}
    return {
        **{f"haproxy_{name}_lines": value for name, value in lines.items()},
        "haproxy_extra_sections": f"userlist admins\n    user admin insecure-password {secret}",
        "elasticsearch_settings": {"node.attr.canary": secret},
        "postgres_settings": {"ivy.canary": secret},
    }


def arguments(values: dict[str, Any], directory: Path) -> list[str]:
    """The arguments of a run. The values are in a file, since every user can read a command line."""
    file = directory / "values.json"
    file.write_text(json.dumps(values), encoding="utf-8")
    file.chmod(0o600)
    return ["-e", f"@{file}", "-vvv", "--diff"]


def ssh(lab: Lab, name: str, command: str) -> list[str]:
    return ["ssh", "-F", str(lab.directory / "ssh_config"), name, command]


class Watch:
    """An unprivileged user who observes the processes of every host."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self.seen: dict[str, str] = {}

    def __enter__(self) -> Watch:
        command = f"python3 -c {shlex.quote(WATCH)}"
        self._watchers = {
            name: subprocess.Popen(ssh(self._lab, name, command), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            for name in self._lab.addresses
        }
        return self

    def __exit__(self, *_exc: object) -> None:
        for name, watcher in self._watchers.items():
            self.seen[name] = watcher.communicate(b"\n", timeout=120)[0].decode("utf-8", "replace")


def moment(lab: Lab, name: str) -> str:
    return lab.host(name).check_output("date '+%Y-%m-%d %H:%M:%S'")


def files(lab: Lab) -> dict[str, list[str]]:
    """Mode, owner, time and digest of each file that the collection writes, except logs and data."""
    command = (
        f"find {WRITTEN} -xdev -printf '%p %m %U %G %T@ %l\\n' 2>/dev/null | sort; "
        f"find {WRITTEN} -xdev -type f -print0 2>/dev/null | sort -z | xargs -0 sha256sum"
    )
    return {name: lab.host(name).run(command).stdout.splitlines() for name in lab.addresses}


def test_1_check_mode_shows_no_secret_and_writes_nothing(
    lab: Lab, canaries: Canaries, values: dict[str, Any], tmp_path: Path
) -> None:
    """Includes secrets in keys, in secret files and for the search server, which would restart the engines."""
    processes, before = lab.pids(), files(lab)
    assert all(before.values())
    new = canaries.new
    keys = {
        **values["ivy_shared_secrets"]["engine_keys"],
        "EMail.Server.SSL.KeyStorePassword": new["key"],
        "EMail.Server.Canary-Dash.Password": new["dash"],
        "EMail.Server.Quoted.Password": f"{new['quoted']} \"'$x%n\\ü",
    }
    all_values = {
        **values,
        "ivy_search_user": "searcher",
        "ivy_search_password": new["search"],
        "ivy_shared_secrets": {**values["ivy_shared_secrets"], "engine_keys": keys},
        **options_with_lines(new["line"]),
    }

    run = lab.playbook("site.yml", *arguments(all_values, tmp_path), "--check").succeeded()

    assert set(lab.nodes) <= set(run.changed()), "check mode does not predict the change"
    assert {"lb1", "search1", "db1"} <= set(run.changed())
    assert "(new secret content)" in run.output
    assert canaries.found_in(run.output) == []
    assert files(lab) == before
    assert lab.pids() == processes


def test_2_a_run_shows_no_secret(lab: Lab, canaries: Canaries, values: dict[str, Any], tmp_path: Path) -> None:
    since = {name: moment(lab, name) for name in lab.addresses}
    with Watch(lab) as watch:
        run = lab.playbook("site.yml", *arguments(values, tmp_path)).succeeded()
    canaries.add_digests(lab)

    assert canaries.found_in(run.output) == []
    for name, seen in watch.seen.items():
        assert "python3" in seen, f"no process was observed on {name}"
        assert canaries.found_in(seen) == [], name
    patterns = "\n".join(canaries.forms) + "\n"
    for name in lab.addresses:
        # As nobody, so that the modes of directories count as well as those of files.
        search = f"sudo -n -u nobody grep -rlsF -D skip -f - {' '.join(PLACES)}"
        done = subprocess.run(ssh(lab, name, search), input=patterns, capture_output=True, text=True, check=False)
        assert done.returncode in (1, 2), done.stdout + done.stderr
        assert done.stdout == "", name
        journal = lab.host(name).check_output(f"journalctl --no-pager -o cat --since '{since[name]}'")
        assert journal, name
        assert canaries.found_in(journal) == [], name
    # The secrets have reached the engines; otherwise their absence elsewhere would prove nothing.
    for name in lab.nodes:
        content = lab.host(name).check_output(f"cat {APP}/canary.* /etc/ivy-cluster/shared.env")
        assert canaries.new["file"] in content
        assert canaries.kept["database_password"] in content


def test_3_the_report_of_local_changes_shows_no_secret(lab: Lab, canaries: Canaries, tmp_path: Path) -> None:
    """Drift in files with secrets, and the run that reverts it."""
    node = lab.host(lab.nodes[0])
    node.check_output(f"sed -i s/token=/token=x/ {APP}/canary.properties")
    node.check_output("printf 'IVY_X=1\\n' >> /etc/ivy-cluster/shared.env")
    report = lab.playbook("playbooks/drift.yml", "-vvv", "--diff")
    run = lab.roll_out("-vvv", "--diff").succeeded()

    assert "canary.properties" in report.output
    assert canaries.found_in(report.output) == []
    assert canaries.found_in(run.output) == []
    assert not node.file(f"{APP}/canary.properties").exists
    assert "IVY_X" not in node.file("/etc/ivy-cluster/shared.env").content_string


# Kinds that fit into the last lines of a log; unit tests have them all.
LOGGED = (
    *("url-slash", "url-at", "url-token", "api-key", "sas", "account-key", "jdbc-oracle", "name-pw", "xml-attribute"),
    *("json", "bearer", "pem"),
)


def test_4_the_evidence_of_a_failed_start_shows_no_secret(lab: Lab, canaries: Canaries, tmp_path: Path) -> None:
    """An engine writes secrets of all kinds into its log and its journal, and does not start."""
    name = lab.nodes[0]
    node = lab.host(name)
    secret = new_secret("log")
    known = canaries.kept["mail_password"]
    text = "".join(f"{one}\n" for _kind, one in kinds.texts(secret, {kind: kinds.ALL[kind] for kind in LOGGED}))
    text += f"the password is {known}\n"
    for line in text.splitlines():
        # Journald takes such a message for one of the unit if root sends it.
        message = f"MESSAGE={line}\nOBJECT_SYSTEMD_UNIT=axonivy-engine.service\n"
        node.check_output(f"printf %s {shlex.quote(message)} | logger --journald")
    node.check_output(f"printf %s {shlex.quote(text)} >> /opt/ivy/current/logs/ivy.log")

    # The engine appends some lines, so that the secrets are in the last ones.
    values = {"engine_jvm_options": ["-Dstandin.crash=start"], "engine_start_timeout": 60}
    run = lab.playbook("playbooks/rollout.yml", *arguments(values, tmp_path))
    clean = lab.roll_out("-vvv", "--diff")

    assert run.status != 0
    assert "did not pass the gate" in run.output
    assert "Crash requested" in run.output
    assert "elastic:********@search" in run.output
    assert secret not in run.output
    assert known not in run.output
    assert secret not in clean.succeeded().output
