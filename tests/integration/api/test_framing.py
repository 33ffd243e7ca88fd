"""HTTP framing at the shipped server: refused in JSON, or served, but never hung."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from pathlib import Path

import pytest

from tests.integration.api.conftest import LiveSite
from tests.integration.api.test_bad_inputs import PACKET, assert_problem
from tests.integration.api.wire import content_type, form, head, hear, part, talk

pytestmark = pytest.mark.django_db

LIST = "/api/v1/attempts/"
BODY_TIMEOUT_S = 2.0
FLOOD = 200
LIMIT = 10 * 1024 * 1024


def post_head(live: LiveSite, *lines: str, path: str = LIST) -> bytes:
    """Return the head of a submission with the client's key."""
    kind = f"Content-Type: {content_type()}"
    return head("POST", path, f"Authorization: Bearer {live.bearer}", kind, *lines)


LENGTHS = {
    "none": ((), "length_required"),
    "chunked": (("Transfer-Encoding: chunked",), "length_required"),
    "negative": (("Content-Length: -1",), "malformed_request"),
    "not a number": (("Content-Length: ten",), "malformed_request"),
    "arabic": (("Content-Length: \xb2",), "malformed_request"),
    "10^20": (("Content-Length: 1" + "0" * 20,), "body_too_large"),
    "5000 digits": (("Content-Length: " + "9" * 5000,), "malformed_request"),
    "one over": ((f"Content-Length: {LIMIT + 1}",), "body_too_large"),
    "doubled": (("Content-Length: 3", "Content-Length: 3"), "malformed_request"),
    "and chunked": (("Content-Length: 3", "Transfer-Encoding: chunked"), "malformed_request"),
    "gzip": (("Transfer-Encoding: gzip",), "malformed_request"),
    "expected and over": (
        (f"Content-Length: {LIMIT + 1}", "Expect: 100-continue"),
        "body_too_large",
    ),
    "another expectation": (("Content-Length: 3", "Expect: magic"), "expectation_failed"),
}


@pytest.mark.parametrize(("lines", "code"), LENGTHS.values(), ids=LENGTHS)
def test_a_bad_length_is_refused_before_the_body(
    live: LiveSite, lines: tuple[str, ...], code: str
) -> None:
    heard = talk(live.port, post_head(live, *lines))
    assert_problem(heard, code)
    assert heard.took_s < 1.5


@pytest.mark.parametrize("chunks", [b"5\r\nhello\r\n0\r\n\r\n", b"zz\r\n", b"5\r\nhel", b""])
def test_a_chunked_body_is_refused_unread(live: LiveSite, chunks: bytes) -> None:
    heard = talk(live.port, post_head(live, "Transfer-Encoding: chunked"), chunks)
    assert_problem(heard, "length_required")
    assert heard.headers["connection"] == "close"


HEADS = {
    "bare line feeds": (b"GET /healthz HTTP/1.1\nHost: x\n\n", "malformed_request"),
    "a folded header": (head("GET", "/healthz", "X-A: b\r\n c"), "malformed_request"),
    "TLS": (b"\x16\x03\x01\x00\xa5\x01\r\n\r\n", "malformed_request"),
    "no version": (b"GET /healthz\r\n\r\n", "malformed_request"),
    "HTTP/9.9": (b"GET /healthz HTTP/9.9\r\n\r\n", "malformed_request"),
    "a small method": (b"get /healthz HTTP/1.1\r\nHost: a\r\n\r\n", "malformed_request"),
    "a NUL in a header": (head("GET", "/healthz", "X-A: a\0b"), "malformed_request"),
    "a header without a colon": (head("GET", "/healthz", "X-A"), "malformed_request"),
    "a header of 20 KB": (head("GET", "/healthz", "X-A: " + "b" * 20_000), "headers_too_large"),
    "150 headers": (
        head("GET", "/healthz", *[f"X-{i}: b" for i in range(150)]),
        "headers_too_large",
    ),
    "a head of 200 KB without an end": (
        b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X-A: b\r\n" * 25_000,
        "headers_too_large",
    ),
    "a long address": (head("GET", "/" + "a" * 9000), "uri_too_long"),
    "two keys": (
        head("GET", LIST, "Authorization: Bearer a", "Authorization: Bearer b"),
        "malformed_request",
    ),
    "two content types": (
        head("POST", LIST, "Content-Type: a/b", "Content-Type: c/d"),
        "malformed_request",
    ),
    "two idempotency keys": (
        head("POST", LIST, "Idempotency-Key: a", "Idempotency-Key: a"),
        "malformed_request",
    ),
    "two hosts": (head("GET", "/healthz", "Host: localhost"), "malformed_request"),
}


@pytest.mark.parametrize(("sent", "code"), HEADS.values(), ids=HEADS)
def test_a_bad_head_is_refused_in_json(live: LiveSite, sent: bytes, code: str) -> None:
    heard = talk(live.port, sent)
    assert_problem(heard, code)
    assert heard.headers["connection"] == "close"


def test_what_follows_a_declared_body_is_the_next_request_or_refused(live: LiveSite) -> None:
    with socket.create_connection(("127.0.0.1", live.port)) as peer:
        peer.settimeout(5)
        peer.sendall(post_head(live, "Content-Length: 3") + b"abc" + b"more than declared\r\n\r\n")
        answers = b"".join(iter(lambda: peer.recv(65536), b""))
    assert answers.count(b"HTTP/1.1 400 ") == 2
    assert answers.index(b'"malformed_body"') < answers.index(b'"malformed_request"')


def test_a_body_shorter_than_declared_is_refused_when_the_sender_is_done(live: LiveSite) -> None:
    with socket.create_connection(("127.0.0.1", live.port)) as peer:
        peer.settimeout(5)
        peer.sendall(post_head(live, "Content-Length: 1000") + b"short")
        peer.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: peer.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b'"code": "incomplete_body"' in answer


@pytest.mark.parametrize("path", [LIST, "/api/v1/sessions/"])
def test_an_upload_over_the_limit_can_read_its_refusal(live: LiveSite, path: str) -> None:
    size = 12 * 1024 * 1024
    heard = talk(live.port, post_head(live, f"Content-Length: {size}", path=path), bytes(size))
    assert_problem(heard, "body_too_large")
    assert heard.headers["connection"] == "close"


def test_continue_is_said_when_the_body_is_wanted(live: LiveSite) -> None:
    body = form(part("biz_token", live.token("EXPECTED").encode()), PACKET)
    with socket.create_connection(("127.0.0.1", live.port)) as peer:
        peer.settimeout(5)
        lines = (f"Content-Length: {len(body)}", "Expect: 100-continue")
        peer.sendall(post_head(live, *lines))
        assert peer.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        peer.sendall(body)
        assert peer.recv(65536).startswith(b"HTTP/1.1 201 ")


def test_one_connection_serves_many_requests(live: LiveSite) -> None:
    with socket.create_connection(("127.0.0.1", live.port)) as peer:
        peer.settimeout(5)
        for _ in range(3):
            peer.sendall(head("GET", "/healthz"))
            assert hear(peer).startswith(b"HTTP/1.1 200 ")


def test_requests_sent_ahead_are_answered_in_order(live: LiveSite) -> None:
    with socket.create_connection(("127.0.0.1", live.port)) as peer:
        peer.settimeout(5)
        peer.sendall(head("GET", "/healthz") + head("GET", "/readyz", "Connection: close"))
        answers = b"".join(iter(lambda: peer.recv(65536), b""))
    assert answers.count(b"HTTP/1.1 200 ") == 2
    assert answers.index(b'"ok"') < answers.index(b'"ready"')


def test_a_head_that_comes_byte_by_byte_is_served(live: LiveSite) -> None:
    request = head("GET", "/healthz", "Connection: close")
    heard = talk(live.port, *[bytes([byte]) for byte in request], pause_s=0.005)
    assert heard.status == 200


@pytest.mark.parametrize("path", [LIST, "/api/v1/sessions/", "/faceid/v3/sdk/verify"])
def test_a_body_that_stops_is_408_at_the_deadline(live: LiveSite, path: str) -> None:
    top = post_head(live, "Content-Length: 5000", path=path)
    heard = talk(live.port, top, b"x" * 100)
    assert heard.status == 408
    assert BODY_TIMEOUT_S - 0.1 < heard.took_s < BODY_TIMEOUT_S + 1.5


def test_a_body_that_drips_is_408_at_the_same_deadline(live: LiveSite) -> None:
    drops = [b"x"] * 25
    heard = talk(live.port, post_head(live, "Content-Length: 5000"), *drops, pause_s=0.2)
    assert_problem(heard, "request_timeout")


@contextmanager
def half_sent(live: LiveSite, sent: bytes, count: int) -> Iterator[list[socket.socket]]:
    """Hold many connections open that sent so much and no more."""
    with ExitStack() as stack:
        peers = []
        for _ in range(count):
            address = ("127.0.0.1", live.port)
            peer = stack.enter_context(socket.create_connection(address))
            peer.settimeout(10)
            peer.sendall(sent)
            peers.append(peer)
        yield peers


def latencies(live: LiveSite, path: str, *, for_s: float) -> list[float]:
    """Return how long each of many requests took, sorted; all must be served."""
    end = time.monotonic() + for_s
    took: list[float] = []
    while time.monotonic() < end:
        started = time.monotonic()
        assert live.call("GET", path).status_code == 200
        took.append(time.monotonic() - started)
    return sorted(took)


@pytest.mark.parametrize(
    ("path", "kind"), [(LIST, "with a key"), ("/faceid/v3/sdk/verify", "drop-in"), ("", "heads")]
)
def test_200_half_sent_requests_hold_up_nobody(live: LiveSite, path: str, kind: str) -> None:
    sent = post_head(live, "Content-Length: 1000000", path=path or LIST)
    sent = sent + b"x" * 50_000 if path else sent[:-2]
    with half_sent(live, sent, FLOOD) as peers:
        # The arrival of 200 requests at once is ordinary load; their lingering is what is tried.
        live.call("GET", "/healthz")
        healthy = latencies(live, f"{LIST}?page_size=1", for_s=1.5)
        token = live.token(f"FLOOD {kind}")
        assert live.submit(token).status_code == 201
        if path:
            assert all(peer.recv(100).startswith(b"HTTP/1.1 408 ") for peer in peers)
    assert healthy[int(len(healthy) * 0.99)] < 0.5


def test_the_bytes_in_flight_have_a_limit_that_sheds_and_recovers(live: LiveSite) -> None:
    sent = post_head(live, "Content-Length: 9000000") + b"x" * 300_000
    with half_sent(live, sent, 12) as peers:
        answers = [peer.recv(4096) for peer in peers]
    assert sum(answer.startswith(b"HTTP/1.1 503 ") for answer in answers) >= 4
    assert all(b"Retry-After: 1\r\n" in each for each in answers if b" 503 " in each[:20])
    assert live.submit(live.token("AFTER"), bytes(9_000_000)).status_code == 201


def worker_of(live: LiveSite) -> Path:
    """Return where the kernel tells about the web process's worker."""
    children = Path(f"/proc/{live.pid}/task/{live.pid}/children").read_text().split()
    return Path("/proc") / children[0]


def peak_kb(worker: Path) -> int:
    """Return the most memory the worker held since its peak was reset."""
    lines = (worker / "status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def peak_kb_while_submitting(live: LiveSite, size: int, times: int) -> int:
    """Return the worker's peak while it takes packets of one size."""
    worker = worker_of(live)
    (worker / "clear_refs").write_text("5")  # proc(5): resets the peak
    for _ in range(times):
        assert live.submit(live.token(f"SIZE-{size}"), bytes(size)).status_code == 201
    return peak_kb(worker)


def test_a_packet_of_10_mb_raises_the_process_by_less_than_25_mb(live: LiveSite) -> None:
    with live.reloaded():
        pass
    small = peak_kb_while_submitting(live, 100_000, 20)
    large = peak_kb_while_submitting(live, LIMIT - 2000, 3)
    assert 5_000 < large - small < 25_000


def test_calls_in_flight_finish_when_the_server_is_told_to_stop(live: LiveSite) -> None:
    statuses: list[int] = []
    token = live.token("GRACE sandbox:slow:0.8")
    sender = threading.Thread(target=lambda: statuses.append(live.submit(token).status_code))
    sender.start()
    time.sleep(0.3)
    with live.reloaded():
        sender.join()
    assert statuses == [201]


def test_answers_come_at_once_on_a_kept_connection(live: LiveSite) -> None:
    """Guards against an answer in two packets that waits for the peer's delayed ACK (40 ms)."""
    moments = [time.monotonic()]
    with socket.create_connection(("127.0.0.1", live.port)) as peer:
        peer.settimeout(5)
        for _ in range(10):
            peer.sendall(head("GET", "/healthz"))
            assert hear(peer)
            moments.append(time.monotonic())
    fastest = min(after - before for before, after in pairwise(moments))
    assert fastest < 0.03
