# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A backup gives the engine's password to no server that the engine would not trust."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ansible_collections.ivy.cluster.plugins.module_utils.node.backup.place import read_place


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        (None, {}),
        ({}, {}),
        ({"tcpKeepAlive": "true"}, {}),
        (
            {"sslmode": "verify-full", "sslrootcert": "/etc/ssl/db.pem", "channelBinding": "require"},
            {"PGSSLMODE": "verify-full", "PGSSLROOTCERT": "/etc/ssl/db.pem", "PGCHANNELBINDING": "require"},
        ),
        # As the JDBC driver reads it.
        ({"ssl": "true"}, {"PGSSLMODE": "verify-full"}),
        ({"ssl": "true", "sslmode": "verify-ca"}, {"PGSSLMODE": "verify-ca"}),
        ({"ssl": "false"}, {}),
    ],
)
def test_the_clients_of_postgresql_trust_whom_the_engine_trusts(
    tmp_path: Path, parameters: dict[str, str] | None, expected: dict[str, str]
) -> None:
    database: dict[str, object] = {"address": "db.example.com", "port": 5432, "name": "ivy", "user": "ivy"}
    if parameters is not None:
        database["parameters"] = parameters
    (tmp_path / "shared.env").write_text('IVY_SYSTEMDB_PASSWORD="x"\n', encoding="utf-8")
    settings = tmp_path / "node.json"
    settings.write_text(json.dumps({"user": "root", "group": "root", "database": database}), encoding="utf-8")

    environment = read_place(str(settings), {}).database.environment()

    trust = ("PGSSLMODE", "PGSSLROOTCERT", "PGCHANNELBINDING")
    assert {name: value for name, value in environment.items() if name in trust} == expected
    assert environment["PGHOST"] == "db.example.com"
