# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests with JSON to a service of the cluster, with the certificate of the host."""

from __future__ import annotations

import http.client
import json
import ssl
import typing as t
import urllib.parse

from ..node.engine.deadline import Deadline

_LONGEST = 1 << 20


class NoAnswerError(RuntimeError):
    """The service does not answer, or with something else than HTTP."""


class JsonClient:
    """Sends requests. Without a certificate only to URLs that begin with http."""

    def __init__(self, certificate: str = "", key: str = "", authority: str = "", seconds: float = 5.0) -> None:
        self._certificate, self._key, self._authority = certificate, key, authority
        self._seconds = seconds

    def request(
        self, url: str, method: str, path: str, body: t.Mapping[str, t.Any] | None = None, seconds: float = 0
    ) -> tuple[int, dict[str, t.Any], str]:
        """The status, the object in the answer, empty if there is none, and the answer as text."""
        limit = seconds or self._seconds
        try:
            connection = self._connection(urllib.parse.urlsplit(url), limit)
            try:
                Deadline(limit).connect(connection)
                connection.request(method, path, None if body is None else json.dumps(body))
                response = connection.getresponse()
                content = response.read(_LONGEST)
            finally:
                connection.close()
        except (OSError, ValueError, http.client.HTTPException) as exc:
            raise NoAnswerError(f"{url} does not answer ({exc or type(exc).__name__})") from exc
        try:
            answer = json.loads(content)
        except (ValueError, RecursionError):
            answer = {}
        text = content[:500].decode("utf-8", "replace")
        return response.status, answer if isinstance(answer, dict) else {}, text

    def _connection(self, parts: urllib.parse.SplitResult, seconds: float) -> http.client.HTTPConnection:
        host, port = parts.hostname or "", parts.port or 0
        if parts.scheme != "https":
            return http.client.HTTPConnection(host, port, timeout=seconds)
        context = ssl.create_default_context(cafile=self._authority)
        context.load_cert_chain(self._certificate, self._key)
        return http.client.HTTPSConnection(host, port, timeout=seconds, context=context)
