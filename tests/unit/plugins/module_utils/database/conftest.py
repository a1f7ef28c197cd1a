# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import typing as t
from pathlib import Path

import pytest

from ansible_collections.ivy.cluster.tests.unit.plugins.module_utils.database.database_server import (
    PORT,
    PROGRAMS,
    Database,
)


@pytest.fixture(scope="module")
def database() -> t.Iterator[Database]:
    as_postgres = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    # The path of a socket is short.
    with tempfile.TemporaryDirectory(prefix="ivy") as directory:
        if as_postgres:
            shutil.chown(directory, "postgres")
        data = f"{directory}/data"

        def program(name: str, *arguments: str) -> None:
            command = [*as_postgres, str(PROGRAMS / name), *arguments]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=directory)

        program("initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N")
        rules = 'local all postgres trust\nlocal all +"ivy" scram-sha-256\n'
        Path(data, "pg_hba.conf").write_text(rules, encoding="ascii")
        options = f"-c listen_addresses= -c port={PORT} -c fsync=off -c unix_socket_directories={directory}"
        program("pg_ctl", "-D", data, "-w", "-l", f"{directory}/log", "-o", options, "start")
        try:
            made = Database(directory)
            base = ["psql", "--no-psqlrc", "-h", directory, "-U", "postgres", "-qAtc"]
            subprocess.run([*base, "CREATE DATABASE system"], check=True)
            yield made
        finally:
            program("pg_ctl", "-D", data, "-m", "immediate", "stop")
