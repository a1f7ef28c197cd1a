# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs SQL as the administrator of the local PostgreSQL server, through its socket and with psql."""

from __future__ import annotations

import os
import typing as t

from ..node import commands
from ..node.files.errors import NodeError
from .options import AS_ADMINISTRATOR

_TIMEOUT = 60.0
# A statement with a password must not be logged, even if it fails.
_SESSION = (
    f"{AS_ADMINISTRATOR} -c log_statement=none -c log_min_duration_statement=-1 -c log_min_error_statement=panic "
    "-c password_encryption=scram-sha-256 -c standard_conforming_strings=on -c lock_timeout=10s"
)


class DatabaseError(NodeError):
    """PostgreSQL does not answer, or rejects a statement."""


class Server(t.NamedTuple):
    """A server on this host."""

    socket_directory: str
    port: int


def run(
    server: Server,
    sql: str,
    variables: t.Mapping[str, str] | None = None,
    secrets: t.Sequence[str] = (),
    *,
    database: str = "postgres",
    transaction: bool = True,
    seconds: float = _TIMEOUT,
) -> str:
    """The output of a script, which runs as one transaction unless it contains statements that cannot.

    psql quotes the variables. ``secrets`` are taken out of messages of errors. ``seconds`` is the longest time without
    an output.
    """
    environment = commands.environment(
        PGHOST=server.socket_directory,
        PGPORT=str(server.port),
        PGUSER="postgres",
        PGDATABASE=database,
        PGCONNECT_TIMEOUT="10",
        PGOPTIONS=_SESSION,
    )
    # psql replaces variables only in what it reads.
    reading, writing = os.pipe()
    try:
        with os.fdopen(writing, "wb") as stream:
            stream.write(sql.encode("utf-8"))
        arguments = [
            *(commands.client_program("psql"), "--no-psqlrc", "--quiet", "--tuples-only", "--no-align"),
            *("--no-password", *(["--single-transaction"] if transaction else [])),
            *("--set=ON_ERROR_STOP=1", "--set=VERBOSITY=terse"),
            *(f"--set={name}={value}" for name, value in (variables or {}).items()),
            "--file=-",
        ]
        return commands.output_of(arguments, environment, seconds=seconds, stdin=reading)
    except (NodeError, OSError) as error:
        text = _without(str(error), secrets)
        raise DatabaseError(f"PostgreSQL on port {server.port} does not do what is needed: {text}") from None
    finally:
        os.close(reading)


def _without(text: str, secrets: t.Sequence[str]) -> str:
    for secret in filter(None, secrets):
        for form in (secret, secret.replace("'", "''")):
            # Messages of programs are printed on one line.
            text = text.replace(form, "********").replace(" ".join(form.split()) or form, "********")
    return text


def identifier(name: str) -> str:
    _check(name)
    return '"' + name.replace('"', '""') + '"'


def literal(value: str) -> str:
    _check(value)
    return "'" + value.replace("'", "''") + "'"


def _check(text: str) -> None:
    if "\0" in text:
        raise DatabaseError("A name or password with a zero byte cannot be used.")
