# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs SQL as the administrator of the local PostgreSQL server, through its socket and with psql."""

from __future__ import annotations

import subprocess
import typing as t

_TIMEOUT = 60
_MOST_ERRORS = 2000
# A statement with a password must not be logged, even if it fails.
_SESSION = (
    "-c log_statement=none -c log_min_duration_statement=-1 -c log_min_error_statement=panic "
    "-c password_encryption=scram-sha-256 -c standard_conforming_strings=on -c lock_timeout=10s"
)


class DatabaseError(RuntimeError):
    """PostgreSQL does not answer, or rejects a statement."""


class Server(t.NamedTuple):
    """A server on this host."""

    socket_directory: str
    port: int


def run(server: Server, sql: str, variables: t.Mapping[str, str] | None = None, secrets: t.Sequence[str] = ()) -> str:
    """The output of a script, which runs as one transaction. ``secrets`` are taken out of messages of errors."""
    arguments = [
        *("psql", "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--no-password", "--single-transaction"),
        *("--set=ON_ERROR_STOP=1", "--set=VERBOSITY=terse"),
        *(f"--set={name}={value}" for name, value in (variables or {}).items()),
        "--file=-",
    ]
    environment = {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "LC_ALL": "C.UTF-8",
        "PGHOST": server.socket_directory,
        "PGPORT": str(server.port),
        "PGUSER": "postgres",
        "PGDATABASE": "postgres",
        "PGCONNECT_TIMEOUT": "10",
        "PGOPTIONS": _SESSION,
    }
    try:
        done = subprocess.run(
            arguments, check=False, input=sql.encode("utf-8"), capture_output=True, env=environment, timeout=_TIMEOUT
        )
    except subprocess.TimeoutExpired:
        raise DatabaseError(f"PostgreSQL has not answered within {_TIMEOUT} seconds.") from None
    except OSError as error:
        raise DatabaseError(f"psql cannot be run: {error.strerror}.") from None
    if done.returncode != 0:
        text = done.stderr.decode("utf-8", "replace")[:_MOST_ERRORS].strip()
        for secret in filter(None, secrets):
            text = text.replace(secret, "********").replace(secret.replace("'", "''"), "********")
        raise DatabaseError(f"PostgreSQL on port {server.port} does not do what is needed: {text}")
    return done.stdout.decode("utf-8", "replace")


def identifier(name: str) -> str:
    _check(name)
    return '"' + name.replace('"', '""') + '"'


def literal(value: str) -> str:
    _check(value)
    return "'" + value.replace("'", "''") + "'"


def _check(text: str) -> None:
    if "\0" in text:
        raise DatabaseError("A name or password with a zero byte cannot be used.")
