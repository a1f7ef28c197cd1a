# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a cluster keeps what a backup contains, as node.json and the applied release describe it."""

from __future__ import annotations

import os
import re
import typing as t
from types import MappingProxyType

from ..files import accounts
from ..files.errors import NodeError
from ..store.store import read_json_file
from .trees import Account

SETTINGS = "/etc/ivy-cluster/node.json"
_PASSWORD_KEY = "SystemDb.Password"
_LIMIT = 1 << 20
# Parameters of the engine's connection that decide whom it trusts, and what the clients of PostgreSQL call them.
_TRUST = {"sslmode": "PGSSLMODE", "sslrootcert": "PGSSLROOTCERT", "channelBinding": "PGCHANNELBINDING"}
_LINE = re.compile(r'([A-Z0-9_]+)="((?:[^"\\]|\\.)*)"\Z')


class Database(t.NamedTuple):
    """The system database, and how the engine logs in."""

    address: str
    port: int
    name: str
    user: str
    password: str
    # Parameters of the engine's connection.
    parameters: t.Mapping[str, str] = MappingProxyType({})

    def environment(self, name: str = "") -> dict[str, str]:
        """For the clients of PostgreSQL. The environment of a process is readable by its user only.

        They trust no other server than the engine does: they give it the engine's password.
        """
        given = dict(self.parameters)
        if given.get("ssl", "false").lower() not in ("false", ""):
            # The meaning that the JDBC driver gives to it.
            given.setdefault("sslmode", "verify-full")
        return {
            **{name: given[parameter] for parameter, name in _TRUST.items() if parameter in given},
            "PGHOST": self.address,
            "PGPORT": str(self.port),
            "PGDATABASE": name or self.name,
            "PGUSER": self.user,
            "PGPASSWORD": self.password,
            "PGCONNECT_TIMEOUT": "10",
            "PGAPPNAME": "ivy-cluster-backup",
        }


class Place(t.NamedTuple):
    """This node and its cluster."""

    cluster: str
    node: str
    store: str
    record_directory: str
    account: Account
    database: Database
    trees: dict[str, str]


def read_place(settings: str, trees: t.Mapping[str, str]) -> Place:
    values = read_json_file(settings)
    if values is None:
        raise NodeError(f"{settings} is missing or damaged. Run: ansible-playbook ivy.cluster.site --limit <this node>")
    database = values.get("database") or {}
    return Place(
        cluster=str(values.get("cluster", "")),
        node=str(values.get("node", "")),
        store=str(values.get("store") or "/var/lib/ivy-cluster"),
        record_directory=str(values.get("record_directory") or ""),
        account=Account(
            accounts.uid_of(str(values.get("user") or "ivy")), accounts.gid_of(str(values.get("group") or "ivy"))
        ),
        database=Database(
            str(database.get("address", "")),
            int(database.get("port") or 5432),
            str(database.get("name", "")),
            str(database.get("user", "")),
            database_password(os.path.dirname(settings)),
            {str(name): str(value) for name, value in (database.get("parameters") or {}).items()},
        ),
        trees={name: path for name, path in trees.items() if path},
    )


def database_password(directory: str) -> str:
    """The engine's password, from the variables or the secret files with which systemd starts the engine."""
    variable = f"IVY_{_PASSWORD_KEY.replace('.', '_').upper()}"
    for line in _text(os.path.join(directory, "shared.env")).splitlines():
        found = _LINE.match(line)
        if found and found[1] == variable:
            return re.sub(r"\\(.)", r"\1", found[2])
    secret = _text(os.path.join(directory, "secrets", f"ivy.{_PASSWORD_KEY}"))
    if not secret:
        raise NodeError(
            f"The password of the database is not in {directory}. Roll the release out first: ansible-playbook "
            "ivy.cluster.site"
        )
    return secret


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as stream:
            return stream.read(_LIMIT)
    except FileNotFoundError:
        return ""
