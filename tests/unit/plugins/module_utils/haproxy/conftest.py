# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A process that answers like HAProxy, and the answers of versions 2.6 and 3.0."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

# Answer by command.
Answers = dict[str, str]


@pytest.fixture(name="haproxy")
def fixture_haproxy(tmp_path: Path) -> Iterator[Callable[[Answers], str]]:
    """A process that answers on a UNIX socket and closes the connection, as HAProxy does."""
    listeners: list[socket.socket] = []

    def serve(listener: socket.socket, answers: Answers) -> None:
        while True:
            try:
                connection, _peer = listener.accept()
            except OSError:
                return
            with connection:
                command = connection.makefile().readline().strip()
                connection.sendall(answers.get(command, f"Unknown command: {command!r}.\n").encode())

    def start(answers: Answers) -> str:
        path = str(tmp_path / f"admin{len(listeners)}.sock")
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen()
        listeners.append(listener)
        threading.Thread(target=serve, args=(listener, answers), daemon=True).start()
        return path

    yield start
    for listener in listeners:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
