"""The one door for HTTP: one POST, one total deadline, one answer of bounded size.

The adapter of `requests` is used without its session: sessions are where redirects, cookies,
proxies and credentials from the environment come from, and none of them may touch these requests.
"""

import http.client
import socket
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3 import HTTPResponse
from urllib3.exceptions import HTTPError, NameResolutionError
from urllib3.poolmanager import PoolManager

from verification.faceid.deadline import Deadline
from verification.faceid.errors import FaceIdError, InDoubt, NotSent
from verification.faceid.multipart import Body
from verification.faceid.wire import Exchange, PlainPool, Resolve, TlsPool, running

MAX_ANSWER_BYTES = 16 * 1024 * 1024

_READ_BYTES = 64 * 1024
_FAILURES = (requests.RequestException, HTTPError, http.client.HTTPException, OSError)

__all__ = ["MAX_ANSWER_BYTES", "Answer", "Deadline", "Transport"]


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer. Header names are compared without case; `body` is what came over the wire,
    never decompressed."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


class Transport:
    """A pool of connections that many threads may share. Make it after forking, close it at the
    end.

    pool_size:         connections kept open to one host; more are opened when needed
    max_answer_bytes:  the largest body that is read
    idle_s:            a connection silent for longer is not used again, for the peer may be about
                       to close it
    connect_timeout_s: bounds name resolution, connecting and the TLS handshake together, so that
                       the rest of a deadline is left for another try
    ca_file:           certificates to trust, PEM; None for those of `requests`
    resolve:           the system's name resolution
    """

    def __init__(
        self,
        *,
        pool_size: int = 64,
        max_answer_bytes: int = MAX_ANSWER_BYTES,
        idle_s: float = 4.0,
        connect_timeout_s: float = 5.0,
        ca_file: str | None = None,
        resolve: Resolve = socket.getaddrinfo,
    ) -> None:
        trust = ssl.create_default_context(cafile=ca_file or DEFAULT_CA_BUNDLE_PATH)
        self._adapter = _Adapter(trust, pool_size)
        self._max_answer_bytes = max_answer_bytes
        self._idle_s = idle_s
        self._connect_timeout_s = connect_timeout_s
        self._resolve = resolve

    def post(self, url: str, headers: Mapping[str, str], body: Body, deadline: Deadline) -> Answer:
        """Send one POST and read its answer, whatever the status; redirects are answers too.

        Connecting, sending and reading end at `deadline` together. Raises NotSent or InDoubt,
        never anything else that a network can cause.
        """
        if deadline.expired:
            raise NotSent("deadline")
        connect_by = min(deadline.at, deadline.monotonic() + self._connect_timeout_s)
        exchange = Exchange(
            deadline=deadline,
            connect_by=Deadline(connect_by, deadline.monotonic),
            idle_s=self._idle_s,
            resolve=self._resolve,
        )
        request = requests.PreparedRequest()
        request.prepare(method="POST", url=url, headers=dict(headers), data=body)
        with running(exchange):
            try:
                response = self._adapter.send(request, stream=True)
            except _FAILURES as error:
                raise _failure(exchange, error) from None
            with response:
                return self._read(exchange, response.raw)

    def close(self) -> None:
        """Close the connections that are not in use."""
        self._adapter.close()

    def _read(self, exchange: Exchange, response: HTTPResponse) -> Answer:
        body = bytearray()
        try:
            while chunk := response.read1(_READ_BYTES, decode_content=False):
                body += chunk
                if len(body) > self._max_answer_bytes:
                    del body[self._max_answer_bytes :]
                    raise InDoubt("too_large", http_status=response.status, raw=bytes(body))
        except _FAILURES as error:
            reason = _lost_answer(exchange, error)
            raise InDoubt(reason, http_status=response.status, raw=bytes(body)) from None
        return Answer(response.status, response.headers, bytes(body))


class _Adapter(HTTPAdapter):
    def __init__(self, trust: ssl.SSLContext, pool_size: int) -> None:
        super().__init__(max_retries=0)
        self.poolmanager = PoolManager(maxsize=pool_size, ssl_context=trust)
        self.poolmanager.pool_classes_by_scheme = {"http": PlainPool, "https": TlsPool}

    def cert_verify(self, *_: Any, **__: Any) -> None:
        """The trusted certificates were loaded once, into the context; the default would load
        them again for each connection."""


def _failure(exchange: Exchange, error: Exception) -> FaceIdError:
    if exchange.bytes_sent:
        return InDoubt(_lost_answer(exchange, error))
    return NotSent(_lost_connection(error))


def _lost_connection(error: Exception) -> str:
    for cause in _causes(error):
        if isinstance(cause, socket.gaierror | UnicodeError | NameResolutionError):
            return "dns"
        if isinstance(cause, TimeoutError):
            return "connect_timeout"
        if isinstance(cause, ssl.SSLError):
            return "tls"
        if isinstance(cause, ConnectionRefusedError):
            return "refused"
    return "unreachable"


def _lost_answer(exchange: Exchange, error: Exception) -> str:
    if exchange.deadline.expired:
        return "read_timeout"
    if exchange.was_reset:
        return "reset"
    for cause in _causes(error):
        if isinstance(cause, http.client.RemoteDisconnected):
            return "closed"
        if isinstance(cause, http.client.IncompleteRead):
            return "truncated"
        if isinstance(cause, OSError) and not isinstance(cause, requests.RequestException):
            return "reset"
    return "not_http"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error and what led to it: the libraries wrap the socket's error several times."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__
