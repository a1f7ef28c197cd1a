# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine's environment on the host: PostgreSQL, the search server, the kernel's sockets, systemd."""

from __future__ import annotations

import re
import subprocess
import urllib.request
from pathlib import Path

from engine import PATIENCE, wait_for

ACCOUNT = "ivy"
PASSWORD = "A b$%\\\"'ä"
SEARCH = "http://127.0.0.1:9200"


def command(*arguments: str, check: bool = True) -> str:
    done = subprocess.run(arguments, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(arguments)} ended with {done.returncode}: {done.stdout[-1500:]}")
    return done.stdout.strip()


class Database:
    """The PostgreSQL of this host."""

    def sql(self, statement: str, database: str = "postgres") -> str:
        done = subprocess.run(
            ["runuser", "-u", "postgres", "--", "psql", "-qAtX", "-v", "ON_ERROR_STOP=1", "-d", database],
            input=statement,
            check=False,
            capture_output=True,
            text=True,
            cwd="/",
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def account(self) -> None:
        """Create the engine's account, or reset its password. The account may create databases."""
        password = PASSWORD.replace("'", "''")
        self.sql(
            f"""DO $do$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{ACCOUNT}')
            THEN CREATE ROLE {ACCOUNT} LOGIN CREATEDB; END IF; END $do$;
            ALTER ROLE {ACCOUNT} PASSWORD '{password}';"""
        )

    def create(self, name: str, empty: bool = True) -> None:
        self.sql(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        if empty:
            self.sql(f'CREATE DATABASE "{name}" OWNER {ACCOUNT}')

    def url(self, name: str) -> str:
        return f"jdbc:postgresql://127.0.0.1:5432/{name}"

    def sessions(self, name: str) -> int:
        return int(self.sql(f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{name}'"))

    def ports(self, name: str) -> set[int]:
        """The client ports of the sessions, which identify their owner."""
        return {
            int(port)
            for port in self.sql(
                f"SELECT client_port FROM pg_stat_activity WHERE datname = '{name}' AND client_port > 0"
            ).splitlines()
        }

    def content(self, name: str) -> str:
        """The tables of a database with their number of rows, which shows whether something was recreated."""
        tables = self.sql(
            "SELECT quote_ident(schemaname) || '.' || quote_ident(relname) FROM pg_stat_user_tables ORDER BY 1", name
        ).splitlines()
        return "\n".join(f"{table} {self.sql(f'SELECT count(*) FROM {table}', name)}" for table in tables)

    def stop(self) -> None:
        command("systemctl", "stop", "postgresql")

    def start(self) -> None:
        command("systemctl", "start", "postgresql")
        wait_for(lambda: command("pg_isready", check=False).endswith("accepting connections"), "the database server")


def search_answers() -> bool:
    try:
        with urllib.request.urlopen(SEARCH, timeout=PATIENCE) as response:
            return bool(response.status == 200)
    except OSError:
        return False


def connections(peer: str = "", port: int = 0, local: str = "") -> int:
    """The number of established TCP connections to a port, or from an address."""
    found = command("ss", "-Htn", "state", "established").splitlines()
    pairs = [line.split()[2:4] for line in found]
    return sum(
        1
        for here, there in ((clean(a), clean(b)) for a, b in pairs)
        if there.endswith(f"{peer}:{port}") and (not local or here.startswith(f"{local}:"))
    )


def clean(address: str) -> str:
    """The plain form of an IPv4 address, which a dual-stack socket shows as IPv6."""
    return address.replace("[::ffff:", "").replace("]:", ":") if "ffff" in address else address


def client_ports(session: int) -> set[int]:
    """The local ports of the database connections of a session's processes."""
    members = set(command("ps", "-o", "pid=", "-s", str(session), check=False).split())
    found = set()
    # Runs as the engine's user: without SYS_PTRACE, a container hides the owners of sockets even from root.
    for line in command("runuser", "-u", "ivy", "--", "ss", "-Htnp", "state", "established").splitlines():
        fields = line.split()
        owners = set(re.findall(r"pid=(\d+)", line))
        if owners & members and clean(fields[3]).endswith(":5432"):
            found.add(int(fields[2].rsplit(":", maxsplit=1)[1]))
    return found


def listens(address: str, port: int) -> bool:
    candidates = {f"{host}:{port}" for host in (address, "*", "0.0.0.0", "[::]")}
    return any(clean(line.split()[3]) in candidates for line in command("ss", "-Htln").splitlines())


def remove(path: Path) -> None:
    command("rm", "-rf", str(path))
