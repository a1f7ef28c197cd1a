# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A PostgreSQL server of a test, where this machine has the programs."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from ansible_collections.ivy.cluster.plugins.module_utils.database import psql
from ansible_collections.ivy.cluster.plugins.module_utils.database.psql import Server

PROGRAMS = max(Path("/usr/lib/postgresql").glob("*/bin"), default=Path("/nowhere"))
needs_server = pytest.mark.skipif(
    not (PROGRAMS / "initdb").exists() or shutil.which("psql") is None, reason="this machine has no PostgreSQL"
)
PORT = 5432


class Database:
    """A PostgreSQL server with a database, in a temporary directory."""

    def __init__(self, directory: str) -> None:
        self.server = Server(directory, PORT)

    def connect(self, user: str, password: str, query: str) -> str:
        """The output of a query of an engine, with a password."""
        command = ["psql", "--no-psqlrc", "-h", self.server.socket_directory, "-U", user, "-d", "system", "-Atc", query]
        environment = {**os.environ, "PGPASSWORD": password}
        done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
        return (done.stdout + done.stderr).strip()

    def administrate(self, sql: str) -> None:
        psql.run(self.server, sql)
