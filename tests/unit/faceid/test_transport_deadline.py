"""One deadline bounds everything, whatever a peer does."""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.unit.faceid.conftest import Authority
from tests.unit.faceid.peers import Peer, Script, Talk, answering
from verification.faceid.deadline import Deadline
from verification.faceid.errors import InDoubt, NotSent
from verification.faceid.multipart import Body, encode
from verification.faceid.transport import Transport
from verification.faceid.types import Upload
from verification.faceid.wire import Exchange, ExchangeSocket, running

DEADLINE_S = 0.6
TOLERANCE_S = 0.2
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"


def form(size: int = 100) -> Body:
    return encode({}, {"meglive_data": Upload(bytes(size))}, "b")


@contextmanager
def ending_at_the_deadline(deadline_s: float = DEADLINE_S) -> Iterator[Deadline]:
    started = time.monotonic()
    yield Deadline.after(deadline_s)
    elapsed_s = time.monotonic() - started
    assert deadline_s - 0.01 <= elapsed_s <= deadline_s + TOLERANCE_S


def silence(talk: Talk) -> None:
    talk.read_request()
    talk.wait()


def drip_status(talk: Talk) -> None:
    talk.read_request()
    talk.drip(b"HTTP/1.1 200 " + b"O" * 1000)


def drip_headers(talk: Talk) -> None:
    talk.read_request()
    talk.send(b"HTTP/1.1 200 OK\r\n")
    talk.drip(b"X: y\r\n" * 1000)


def drip_interim(talk: Talk) -> None:
    talk.read_request()
    for _ in range(1000):
        talk.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        talk.wait(0.05)


def drip_body(talk: Talk) -> None:
    talk.read_request()
    talk.send(HEAD)
    talk.drip(b"x" * 1000)


def drip_chunks(talk: Talk) -> None:
    talk.read_request()
    talk.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    talk.drip(b"1\r\nx\r\n" * 1000)


def read_slowly(talk: Talk) -> None:
    while talk.read_some(1000):
        talk.wait(0.05)


@pytest.mark.parametrize(
    "script",
    [silence, drip_status, drip_headers, drip_interim, drip_body, drip_chunks, read_slowly],
    ids=lambda script: script.__name__,
)
@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
def test_a_slow_peer_is_cut_at_the_deadline(
    serve: Callable[..., Peer], authority: Authority, script: Script, secure: bool
) -> None:
    transport = Transport(ca_file=authority.ca_file)
    peer = serve(script, authority.server() if secure else None)
    url = peer.url.replace("http:", "https:") if secure else peer.url
    with ending_at_the_deadline() as deadline, pytest.raises(InDoubt) as doubted:
        transport.post(url, {}, form(10_000_000), deadline)
    assert doubted.value.reason == "read_timeout"
    assert doubted.value.byte_left
    transport.close()


def test_what_was_read_before_the_deadline_is_kept(
    serve: Callable[..., Peer], transport: Transport
) -> None:
    peer = serve(drip_body)
    with pytest.raises(InDoubt) as doubted:
        transport.post(peer.url, {}, form(), Deadline.after(DEADLINE_S))
    assert doubted.value.http_status == 200
    assert doubted.value.raw
    assert set(doubted.value.raw) == {ord("x")}


def test_a_silent_tls_handshake_is_cut_at_the_deadline(
    serve: Callable[..., Peer], transport: Transport
) -> None:
    peer = serve(lambda talk: talk.wait())
    with ending_at_the_deadline() as deadline, pytest.raises(NotSent) as failed:
        transport.post(peer.url.replace("http:", "https:"), {}, form(), deadline)
    assert failed.value.reason == "connect_timeout"


@pytest.fixture
def full_backlog() -> Iterator[int]:
    """The port of a listener that accepts nobody any more."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        waiting = [socket.socket() for _ in range(4)]
        for sock in waiting:
            sock.setblocking(False)
            sock.connect_ex(listener.getsockname())
        time.sleep(0.1)
        yield listener.getsockname()[1]
        for sock in waiting:
            sock.close()


def test_connecting_in_vain_is_cut_at_the_deadline(full_backlog: int, transport: Transport) -> None:
    with ending_at_the_deadline() as deadline, pytest.raises(NotSent) as failed:
        transport.post(f"http://127.0.0.1:{full_backlog}", {}, form(), deadline)
    assert failed.value.reason == "connect_timeout"
    assert not failed.value.byte_left
    assert failed.value.repeat_is_safe


def test_connecting_has_a_limit_of_its_own(full_backlog: int) -> None:
    transport = Transport(connect_timeout_s=0.3)
    with ending_at_the_deadline(0.3), pytest.raises(NotSent):
        transport.post(f"http://127.0.0.1:{full_backlog}", {}, form(), Deadline.after(5))
    transport.close()


def test_a_silent_address_leaves_time_for_the_next(
    serve: Callable[..., Peer], full_backlog: int
) -> None:
    peer = serve(answering(200, {}))
    addresses = [
        (socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", port))
        for port in (full_backlog, peer.port)
    ]
    transport = Transport(resolve=lambda *_: addresses)
    assert transport.post(peer.url, {}, form(), Deadline.after(1)).status == 200
    transport.close()


def test_a_slow_name_resolution_is_cut_at_the_deadline() -> None:
    def resolve(*_: object) -> list[object]:
        time.sleep(DEADLINE_S * 2)
        return []

    transport = Transport(resolve=resolve)
    with ending_at_the_deadline() as deadline, pytest.raises(NotSent) as failed:
        transport.post("http://localhost:1", {}, form(), deadline)
    assert failed.value.reason == "connect_timeout"


def test_nothing_is_tried_after_the_deadline(
    serve: Callable[..., Peer], transport: Transport
) -> None:
    peer = serve(answering(200, {}))
    with pytest.raises(NotSent) as failed:
        transport.post(peer.url, {}, form(), Deadline.after(0))
    assert failed.value.reason == "deadline"
    assert peer.connections == 0


def test_no_operation_begins_after_the_deadline() -> None:
    deadline = Deadline.after(0)
    exchange = Exchange(deadline, deadline, idle_s=5, resolve=socket.getaddrinfo)
    ours, theirs = socket.socketpair()
    with ours, theirs, running(exchange), pytest.raises(TimeoutError):
        ExchangeSocket(ours).sendall(b"x")
    assert exchange.bytes_sent == 0
