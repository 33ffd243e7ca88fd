"""What comes back, what does not, and whether a byte had left."""

import gzip
import socket
import ssl
import time
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.unit.faceid.conftest import Authority
from tests.unit.faceid.peers import Peer, Script, Talk, answering, sending
from verification.faceid.deadline import Deadline
from verification.faceid.errors import InDoubt, NotSent
from verification.faceid.multipart import Body, encode
from verification.faceid.transport import Answer, Transport
from verification.faceid.types import Upload
from verification.faceid.wire import Exchange, ExchangeSocket, running

Serve = Callable[..., Peer]


def form(size: int = 100) -> Body:
    return encode({}, {"meglive_data": Upload(bytes(size))}, "b")


def post(transport: Transport, url: str, body: Body | None = None) -> Answer:
    return transport.post(url + "/path", {"X-A": "1"}, body or form(), Deadline.after(5))


def doubt(transport: Transport, url: str, body: Body | None = None) -> InDoubt:
    with pytest.raises(InDoubt) as doubted:
        post(transport, url, body)
    assert doubted.value.byte_left
    assert not doubted.value.repeat_is_safe
    return doubted.value


def failure(transport: Transport, url: str) -> str:
    with pytest.raises(NotSent) as failed:
        post(transport, url)
    assert not failed.value.byte_left
    assert failed.value.repeat_is_safe
    return failed.value.reason


def test_an_answer_comes_back_whole(serve: Serve, transport: Transport) -> None:
    peer = serve(sending(b"HTTP/1.1 418 T\r\nX-B: 2\r\nContent-Length: 3\r\n\r\n\0\xffx"))
    answer = post(transport, peer.url)
    assert (answer.status, answer.body, answer.headers["x-b"]) == (418, b"\0\xffx", "2")
    head, _, body = peer.requests[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /path HTTP/1.1\r\n")
    assert f"Content-Length: {len(form())}".encode() in head
    assert b"chunked" not in head
    assert body == b"".join(form())
    assert repr(answer.body) not in repr(answer)


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabc",
        b"HTTP/1.0 200 OK\r\n\r\nabc",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
    ],
)
def test_every_framing_of_an_answer_is_read(serve: Serve, transport: Transport, raw: bytes) -> None:
    answer = post(transport, serve(sending(raw)).url)
    assert (answer.status, answer.body) == (200, b"abc")


@pytest.mark.parametrize(
    ("raw", "reason", "body"),
    [
        (b"", "closed", None),
        (b"HTTP/1.1 2", "not_http", None),
        (b"HTTP/1.1 200 OK\r\n", "truncated", None),
        (b"HTTP/1.1 400 Bad\r\nContent-Le", "truncated", None),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", "truncated", b""),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", "truncated", b"abc"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", "truncated", b"ab"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "truncated", b""),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "not_http", None),
        (b"HTTP/1.1 abc\r\n\r\n", "not_http", None),
        (b"HTTP/1.1 200 OK\r\ncanary\r\nContent-Length: 0\r\n\r\n", "not_http", None),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000 + b"\r\n\r\n", "not_http", None),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n", "not_http", None),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", "not_http", None),
    ],
)
def test_a_broken_answer_is_in_doubt(
    serve: Serve, transport: Transport, raw: bytes, reason: str, body: bytes | None
) -> None:
    error = doubt(transport, serve(sending(raw)).url)
    assert (error.reason, error.raw) == (reason, body)
    assert error.http_status == (None if body is None else 200)


def test_an_answer_is_read_up_to_the_cap_and_no_further(serve: Serve) -> None:
    transport = Transport(max_answer_bytes=1000)
    assert len(post(transport, serve(answering(200, "x" * 998)).url).body) == 1000
    error = doubt(transport, serve(answering(200, "x" * 999)).url)
    assert (error.reason, error.http_status) == ("too_large", 200)
    assert error.raw == b'"' + b"x" * 999
    transport.close()


def test_a_compressed_answer_is_not_expanded(serve: Serve, transport: Transport) -> None:
    bomb = gzip.compress(bytes(50_000_000))

    def script(talk: Talk) -> None:
        talk.read_request()
        talk.answer(200, bomb, "Content-Encoding: gzip")

    peer = serve(script)
    tracemalloc.start()
    answer = post(transport, peer.url)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert answer.body == bomb
    assert peak < 2_000_000


def test_an_upload_of_10_mb_costs_no_memory(serve: Serve, transport: Transport) -> None:
    body = form(10_000_000)

    def script(talk: Talk) -> None:
        while not talk.read_some(65536).endswith(b"--b--\r\n"):
            continue
        talk.answer(200)

    peer = serve(script)
    tracemalloc.start()
    status = post(transport, peer.url, body).status
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert status == 200
    assert peak < 1_000_000


def test_a_redirect_is_an_answer_and_is_not_followed(serve: Serve, transport: Transport) -> None:
    other = serve(answering(200, {}))
    peer = serve(answering(307, {}, f"Location: {other.url}/path"))
    assert post(transport, peer.url).status == 307
    assert other.connections == 0


def test_the_environment_names_no_proxy_and_cookies_are_not_kept(
    serve: Serve, transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = serve(answering(200, {}))
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, proxy.url)
    monkeypatch.delenv("NO_PROXY", raising=False)
    peer = serve(answering(200, {}, "Set-Cookie: a=b"))
    for _ in range(2):
        post(transport, peer.url)
    assert proxy.connections == 0
    assert not any(b"ookie" in request for request in peer.requests)


def test_a_connection_is_kept_and_used_again(serve: Serve, transport: Transport) -> None:
    peer = serve(answering(200, {}))
    for _ in range(5):
        assert post(transport, peer.url).status == 200
    assert (peer.connections, len(peer.requests)) == (1, 5)


def test_a_connection_the_peer_has_closed_is_replaced_without_a_doubt(
    serve: Serve, transport: Transport
) -> None:
    def script(talk: Talk) -> None:
        talk.read_request()
        talk.answer(200)

    peer = serve(script)
    for _ in range(3):
        assert post(transport, peer.url).status == 200
        time.sleep(0.1)
    assert peer.connections == 3


def test_a_connection_silent_for_long_is_not_used_again(serve: Serve) -> None:
    transport = Transport(idle_s=0.1)
    peer = serve(answering(200, {}))
    for _ in range(2):
        post(transport, peer.url)
        time.sleep(0.2)
    assert peer.connections == 2
    transport.close()


def early(talk: Talk) -> None:
    """Answer at the first bytes; then neither read nor hang up."""
    talk.read_some()
    talk.answer(413, b"Request Entity Too Large")
    talk.wait()


def early_and_away(talk: Talk) -> None:
    """Answer at the first bytes and hang up, while the upload is running."""
    talk.read_some()
    talk.answer(413, b"Request Entity Too Large")


@pytest.mark.parametrize("script", [early, early_and_away], ids=["stays", "closes"])
@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
def test_an_answer_that_comes_during_the_upload_is_read(
    serve: Serve, authority: Authority, script: Script, secure: bool
) -> None:
    transport = Transport(ca_file=authority.ca_file)
    peer = serve(script, authority.server() if secure else None)
    url = peer.url.replace("http:", "https:") if secure else peer.url
    for _ in range(2):
        answer = post(transport, url, form(10_000_000))
        assert (answer.status, answer.body) == (413, b"Request Entity Too Large")
    # Half a request was sent: the connection is of no more use.
    assert peer.connections == 2
    transport.close()


class WornOut(socket.socket):
    """A socket whose TLS cannot write any more."""

    def send(self, *_: Any) -> int:
        raise ssl.SSLEOFError(8, "EOF occurred in violation of protocol")


def test_when_tls_cannot_write_any_more_the_answer_is_still_looked_for() -> None:
    deadline = Deadline.after(5)
    exchange = Exchange(deadline, deadline, idle_s=5, resolve=socket.getaddrinfo)
    ours, theirs = socket.socketpair()
    with theirs, WornOut(fileno=ours.detach()) as worn_out, running(exchange):
        sock = ExchangeSocket(worn_out)
        with pytest.raises(BrokenPipeError):
            sock.sendall(b"x")
        theirs.sendall(b"answer")
        theirs.close()
        with sock.makefile("rb") as incoming:
            assert incoming.read() == b"answer"
        assert not sock.is_reusable()
    assert exchange.bytes_sent == 0


def test_an_interim_answer_does_not_stop_the_upload(serve: Serve, transport: Transport) -> None:
    def script(talk: Talk) -> None:
        # By now the upload fills every buffer on the way.
        talk.wait(0.2)
        talk.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        talk.wait(0.2)
        talk.read_request()
        talk.answer(200)

    peer = serve(script)
    body = form(10_000_000)
    assert post(transport, peer.url, body).status == 200
    assert len(peer.requests[0]) > len(body)


@pytest.mark.parametrize("size", [100, 10_000_000])
def test_a_reset_after_the_first_byte_is_in_doubt(
    serve: Serve, transport: Transport, size: int
) -> None:
    def script(talk: Talk) -> None:
        talk.read_some(10)
        talk.reset()

    assert doubt(transport, serve(script).url, form(size)).reason == "reset"


def test_a_reset_in_the_answer_is_in_doubt(serve: Serve, transport: Transport) -> None:
    def script(talk: Talk) -> None:
        talk.read_request()
        talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")
        talk.wait(0.2)
        talk.reset()

    error = doubt(transport, serve(script).url)
    assert (error.reason, error.http_status, error.raw) == ("reset", 200, b"abc")


def test_nobody_listening_is_not_sent(transport: Transport) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert failure(transport, f"http://127.0.0.1:{port}") == "refused"


def test_the_next_address_is_tried(serve: Serve) -> None:
    peer = serve(answering(200, {}))
    addresses = [
        (socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", port)) for port in (1, peer.port)
    ]
    transport = Transport(resolve=lambda *_: addresses)
    assert post(transport, peer.url).status == 200
    transport.close()


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (socket.gaierror(socket.EAI_NONAME, "unknown"), "dns"),
        (UnicodeError("label too long"), "dns"),
        (OSError("network is down"), "unreachable"),
    ],
)
def test_a_name_that_does_not_resolve_is_not_sent(error: Exception, reason: str) -> None:
    def resolve(*_: object) -> list[object]:
        raise error

    assert failure(Transport(resolve=resolve), "http://localhost") == reason


def test_a_name_without_addresses_is_not_sent() -> None:
    assert failure(Transport(resolve=lambda *_: []), "http://localhost") == "dns"


def test_a_certificate_of_the_authority_is_trusted(serve: Serve, authority: Authority) -> None:
    transport = Transport(ca_file=authority.ca_file)
    peer = serve(answering(200, {}), authority.server())
    url = f"https://localhost:{peer.port}"
    for _ in range(3):
        assert post(transport, url, form(10_000_000)).status == 200
    assert peer.connections == 1
    transport.close()


@pytest.mark.parametrize(
    ("trusted", "host", "days"),
    [(False, "localhost", 1), (True, "elsewhere.test", 1), (True, "localhost", -1)],
    ids=["unknown authority", "wrong host", "expired"],
)
def test_a_certificate_that_proves_nothing_is_not_sent_to(
    serve: Serve, authority: Authority, trusted: bool, host: str, days: int
) -> None:
    transport = Transport(ca_file=authority.ca_file if trusted else None)
    peer = serve(answering(200, {}), authority.server(host=host, days=days))
    assert failure(transport, f"https://localhost:{peer.port}") == "tls"
    assert peer.requests == []
    transport.close()


def test_plain_http_where_tls_was_expected_is_not_sent_to(
    serve: Serve, transport: Transport
) -> None:
    peer = serve(lambda talk: talk.answer(400))
    assert failure(transport, f"https://localhost:{peer.port}") == "tls"


def test_threads_share_a_transport_without_mixing_answers(
    serve: Serve, transport: Transport
) -> None:
    def echo(talk: Talk) -> None:
        while request := talk.read_request():
            talk.answer(200, request.partition(b"\r\n\r\n")[2])

    peer = serve(echo)

    def once(number: int) -> bool:
        body = encode({"number": str(number)}, {}, "b")
        return post(transport, peer.url, body).body == b"".join(body)

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(once, range(200)))
    assert peer.connections <= 16
