# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The archive before the first start."""

from __future__ import annotations

import os
import re
import zipfile
from pathlib import Path

from assumptions import assumption
from conftest import Record
from engine import Known

AREA = "Archive"


@assumption(
    AREA,
    "the zip has no top folder; bin/, configuration/, deploy/, system/ and webapps/ are at its top level",
    fact="`unzip engine.zip -d DIR` gives DIR/bin",
    certainty="stated",
    source="documentation, files and directories; docker-image, Dockerfiles of 10 to 14",
)
def test_archive_has_no_top_folder(known: Known) -> None:
    with zipfile.ZipFile(known.archive) as archive:
        tops = {name.split("/", maxsplit=1)[0] for name in archive.namelist()}
    assert {"bin", "configuration", "deploy", "system", "webapps"} <= tops, sorted(tops)


@assumption(
    AREA,
    "the file name contains the version",
    fact="AxonIvyEngine<version>.<build>_All_x64.zip",
    certainty="observed",
    source="dev.axonivy.com, ArtifactFactory",
)
def test_name_of_the_archive_carries_the_version(known: Known) -> None:
    assert re.match(rf"AxonIvyEngine{re.escape(known.version)}\.\d+_(Slim_)?All_x64\.zip$", known.archive.name)


@assumption(
    AREA,
    "applications/, data/, logs/ and configuration/applications/ are missing, so they have to be created",
    fact="the Dockerfiles create these directories after unpacking",
    certainty="observed",
    source="docker-image, Dockerfiles of 10, 12 and 14",
)
def test_directories_of_run_time_are_not_in_the_archive(pristine: Path, record: Record) -> None:
    there = [
        name for name in ("applications", "data", "logs", "configuration/applications") if (pristine / name).exists()
    ]
    record.see(f"in the archive: {', '.join(there) or 'none of them'}")
    assert not there


@assumption(
    AREA,
    "bin/AxonIvyEngine and bin/EngineConfigCli are executable after unzip",
    fact="both programs are in bin/ and are called right after unzip",
    certainty="inferred",
    source="documentation, files and directories; docker-image, Dockerfiles",
)
def test_programs_are_executable(pristine: Path) -> None:
    for name in ("AxonIvyEngine", "EngineConfigCli"):
        assert os.access(pristine / "bin" / name, os.X_OK), name


@assumption(
    AREA,
    "configuration/ivy.webserver.yaml exists before 12.0 only",
    fact="its keys moved to ivy.yaml in 12.0",
    certainty="stated",
    source="documentation 10.0 to 12.0, file reference",
)
def test_file_of_the_web_server(pristine: Path, known: Known) -> None:
    expected = known.place("http_port")[0] == "configuration/ivy.webserver.yaml"
    assert (pristine / "configuration/ivy.webserver.yaml").exists() == expected


@assumption(
    AREA,
    "the archive contains no licence and no jgroups.xml",
    fact="both are optional files of configuration/ that an operator adds",
    certainty="inferred",
    source="documentation, file reference; cluster, communication",
)
def test_no_licence_and_no_stack_in_the_archive(pristine: Path) -> None:
    assert not list((pristine / "configuration").glob("*.lic"))
    assert not (pristine / "configuration/jgroups.xml").exists()


@assumption(
    AREA,
    "which JGroups version the archive contains",
    fact="JGroups 5 since 9.3; the minor version is not known",
    certainty="unknown",
    source="documentation, cluster, communication",
)
def test_version_of_jgroups(pristine: Path, record: Record) -> None:
    found = sorted(path.name for path in pristine.rglob("*jgroups*.jar"))
    record.see(", ".join(found) or "no file of that name")


@assumption(
    AREA,
    "the settings of the vendor's own unit",
    fact="bin/AxonIvyEngine.service is a template; its content is not known",
    certainty="unknown",
    source="documentation, Linux, service",
)
def test_shipped_unit(pristine: Path, record: Record) -> None:
    unit = pristine / "bin/AxonIvyEngine.service"
    lines = unit.read_text(encoding="utf-8").splitlines() if unit.exists() else []
    wanted = (
        "Type=",
        "ExecStart=",
        "ExecStop=",
        "KillMode=",
        "TimeoutStop",
        "SuccessExitStatus=",
        "PIDFile=",
        "Restart=",
    )
    record.see("; ".join(line for line in lines if line.startswith(wanted)) or "no such file")


@assumption(
    AREA,
    "which keys of the profile's settings are missing from the vendor's reference, and what it states about clusters",
    fact="configuration/reference/ describes all keys; the keys of cluster and node name are published nowhere",
    certainty="unknown",
    source="documentation, files and directories; roles/topology/vars/main/profiles.yml, settings",
)
def test_keys_in_the_reference(pristine: Path, known: Known, record: Record) -> None:
    files = sorted((pristine / "configuration/reference").glob("*.yaml"))
    text = "\n".join(path.read_text(encoding="utf-8", errors="replace") for path in files)
    keys = sorted({setting["key"] for setting in known.profile["settings"].values()})
    missing = [key for key in keys if not re.search(rf"\b{re.escape(key.rsplit('.', maxsplit=1)[-1])}\b", text)]
    record.see(f"not named: {', '.join(missing) or 'none'}")
    record.see("; ".join(line.strip("# ") for line in text.splitlines() if "cluster" in line.lower()) or "no cluster")


@assumption(
    AREA,
    "which JVM options the archive contains; the collection rewrites the file",
    fact="jvm.options has one option a line; the default heap is not known",
    certainty="unknown",
    source="documentation, jvm.options",
)
def test_shipped_options_of_the_virtual_machine(pristine: Path, record: Record) -> None:
    path = pristine / "configuration/jvm.options"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    record.see(" ".join(line for line in lines if line.startswith("-")) or "none")
