"""Faults of the line and the server, as the project's client and a bare socket see them."""

import gzip
import json
import socket
import struct
import time
from typing import Any

import pytest

from tests.integration.sandbox.speaking import NONCES, Speaker, read_all
from verification.faceid.contract import VERIFY_PATH
from verification.faceid.errors import FaceIdError, InDoubt, NotProcessed, Rejected
from verification.sandbox.scenarios import FAULTS, TOKEN_FAULTS

MIB = 1024 * 1024
# What becomes of verify: the error, its reason, whether the token is spent, the logged status.
AT_VERIFY: dict[str, tuple[type[FaceIdError], str, bool, int | None]] = {
    "slow:9": (InDoubt, "read_timeout", True, 200),
    "drip-headers:0.05": (InDoubt, "read_timeout", True, 200),
    "drip-body:0.05": (InDoubt, "read_timeout", True, 200),
    "timeout-before": (InDoubt, "read_timeout", False, None),
    "timeout-after": (InDoubt, "read_timeout", True, None),
    "reset-upload": (InDoubt, "reset", False, None),
    "reset-after": (InDoubt, "reset", True, None),
    "close-after": (InDoubt, "closed", True, None),
    "truncated": (InDoubt, "truncated", True, 200),
    "empty": (InDoubt, "invalid_json", True, 200),
    "invalid-json": (InDoubt, "invalid_json", True, 200),
    "wrong-shape": (InDoubt, "unexpected_shape", True, 200),
    "nan": (InDoubt, "invalid_json", True, 200),
    "out-of-range": (InDoubt, "unexpected_shape", True, 200),
    "duplicate-keys": (InDoubt, "invalid_json", True, 200),
    "deep-json": (InDoubt, "invalid_json", True, 200),
    "huge-json": (InDoubt, "too_large", True, 200),
    "nul": (InDoubt, "invalid_json", True, 200),
    "gzip-bomb": (InDoubt, "encoded", True, 200),
    "429-once": (NotProcessed, "concurrency_limit", False, 429),
    "429": (NotProcessed, "concurrency_limit", False, 429),
    "503-once": (NotProcessed, "unavailable", False, 503),
    "503": (NotProcessed, "unavailable", False, 503),
    "500": (InDoubt, "server_error", True, 500),
    "502-html": (InDoubt, "server_error", True, 502),
    "redirect": (InDoubt, "redirect", True, 307),
    "413-early": (Rejected, "refused", False, 413),
}
AT_GET_BIZ_TOKEN: dict[str, tuple[type[FaceIdError], str]] = {
    "token-slow:9": (InDoubt, "read_timeout"),
    "token-timeout": (InDoubt, "read_timeout"),
    "token-429-once": (NotProcessed, "concurrency_limit"),
    "token-500": (InDoubt, "server_error"),
    "token-502-html": (InDoubt, "server_error"),
    "token-invalid-json": (InDoubt, "invalid_json"),
}


def test_the_tables_of_this_module_know_every_fault() -> None:
    assert [name.partition(":")[0] for name in AT_VERIFY] == [each.name for each in FAULTS]
    asked = [name.partition(":")[0] for name in AT_GET_BIZ_TOKEN]
    assert asked == [each.name for each in TOKEN_FAULTS]


@pytest.mark.parametrize("name", AT_VERIFY)
def test_a_fault_at_verify_looks_as_documented_and_spends_the_token_or_not(
    name: str, speaker: Speaker
) -> None:
    error, reason, is_spent, status = AT_VERIFY[name]
    token = speaker.token(f"ONB-17 sandbox:{name}")
    patience_s = 0.3 if reason == "read_timeout" else 5
    with pytest.raises(error) as raised:
        speaker.read(token, bytes(4_000_000), patience_s)
    assert raised.value.reason == reason
    issued = speaker.server.vendor.memory.find(token)
    assert issued is not None
    assert issued.is_spent == is_spent
    sent = speaker.server.requests.entries()[-1]
    assert (sent.path, sent.status, sent.scenario) == (
        VERIFY_PATH,
        status,
        name.partition(":")[0],
    )
    assert sent.complete == (name not in {"reset-upload", "413-early"})


@pytest.mark.parametrize("name", AT_GET_BIZ_TOKEN)
def test_a_fault_at_get_biz_token_looks_as_documented(name: str, speaker: Speaker) -> None:
    error, reason = AT_GET_BIZ_TOKEN[name]
    with pytest.raises(error) as raised:
        speaker.read_token(f"ONB sandbox:{name}", 0.3 if reason == "read_timeout" else 5)
    assert raised.value.reason == reason
    assert speaker.server.requests.entries()[-1].scenario == name.partition(":")[0]


def test_what_is_slow_comes_in_the_end(speaker: Speaker) -> None:
    before = time.monotonic()
    token = speaker.read_token("sandbox:token-slow:0.1")
    assert time.monotonic() - before >= 0.1
    assert speaker.read(token).result_code == 1000
    assert speaker.read(speaker.token("sandbox:slow:0.1")).result_code == 1000


def test_what_drips_comes_in_the_end(speaker: Speaker) -> None:
    for name in ("drip-headers:0", "drip-body:0"):
        assert speaker.read(speaker.token(f"sandbox:{name}")).result_code == 1000


@pytest.mark.parametrize("name", ["429-once", "503-once:2"])
def test_a_vendor_that_was_busy_once_takes_the_next_try_and_no_third(
    name: str, speaker: Speaker
) -> None:
    token = speaker.token(f"sandbox:{name}")
    assert speaker.verify(token).status in {429, 503}
    answers = [speaker.verify(token).json["result_code"] for _ in range(2)]
    assert answers == [1000, 4200]


@pytest.mark.parametrize("name", ["429", "503"])
def test_a_vendor_that_is_always_busy_stays_so(name: str, speaker: Speaker) -> None:
    token = speaker.token(f"sandbox:{name}")
    assert [speaker.verify(token).status for _ in range(3)] == [int(name)] * 3


@pytest.mark.parametrize(
    ("name", "seconds"), [("503", "1"), ("503:7", "7"), ("503-once", "0"), ("503-once:3", "3")]
)
def test_a_503_says_when_to_come_back(name: str, seconds: str, speaker: Speaker) -> None:
    said = speaker.verify(speaker.token(f"sandbox:{name}"))
    assert (said.status, said.headers["Retry-After"]) == (503, seconds)


def test_get_biz_token_is_busy_once_for_each_biz_no_and_uuid(speaker: Speaker) -> None:
    magic, person = "sandbox:token-429-once", f"person {next(NONCES)}"
    said = [speaker.ask_token(magic, uuid=person).status for _ in range(3)]
    assert said == [429, 200, 200]
    assert [speaker.ask_token(uuid=f"{magic} {person}").status for _ in range(2)] == [429, 200]


def body_after(speaker: Speaker, name: str) -> bytes:
    return speaker.verify(speaker.token(f"sandbox:{name}")).body


def test_the_spoilt_bodies_are_spoilt_in_the_way_they_say(speaker: Speaker) -> None:
    assert body_after(speaker, "empty") == b""
    assert json.loads(body_after(speaker, "invalid-json") + b"}")["result_code"] == 1000
    assert b'"confidence": NaN' in body_after(speaker, "nan")
    assert b'"confidence": 101' in body_after(speaker, "out-of-range")
    assert body_after(speaker, "duplicate-keys").count(b'"result_code"') == 2
    assert body_after(speaker, "deep-json").count(b"[") == 100_000
    assert json.loads(body_after(speaker, "nul"))["text"] == "a\0b"
    assert isinstance(json.loads(body_after(speaker, "wrong-shape")), list)


def test_a_huge_answer_is_as_large_as_asked(speaker: Speaker) -> None:
    assert len(body_after(speaker, "huge-json:2")) // MIB == 2
    assert len(json.loads(body_after(speaker, "huge-json:0.5"))["padding"]) == MIB // 2


def test_a_bomb_is_small_until_it_is_unpacked(speaker: Speaker) -> None:
    said = speaker.verify(speaker.token("sandbox:gzip-bomb"))
    assert said.headers["Content-Encoding"] == "gzip"
    assert len(said.body) < 1.1 * MIB
    member_size = len(said.body) // 64
    assert gzip.decompress(said.body[:member_size]) == bytes(16 * MIB)
    assert said.body == said.body[:member_size] * 64


@pytest.mark.parametrize(
    ("name", "status", "kind"),
    [("502-html", 502, "text/html"), ("redirect", 307, "text/plain")],
)
def test_a_gateway_answers_in_its_own_way(
    name: str, status: int, kind: str, speaker: Speaker
) -> None:
    said = speaker.verify(speaker.token(f"sandbox:{name}"))
    assert (said.status, said.headers["Content-Type"]) == (status, kind)
    assert ("Location" in said.headers) == (status == 307)


@pytest.mark.parametrize("name", ["500", "429"])
def test_an_error_may_lack_time_used(name: str, speaker: Speaker) -> None:
    assert set(json.loads(body_after(speaker, name))) == {"request_id", "error"}


def test_a_truncated_answer_promises_more_than_comes(speaker: Speaker) -> None:
    with speaker.connect() as sock:
        sock.sendall(speaker.whole(speaker.token("sandbox:truncated")))
        head, _, body = read_all(sock).partition(b"\r\n\r\n")
    promised = int(head.split(b"Content-Length: ")[1].split(b"\r\n")[0])
    assert 0 < len(body) == promised // 2


@pytest.mark.parametrize("name", ["reset-after", "reset-upload"])
def test_a_reset_is_one_and_not_a_hang_up(name: str, speaker: Speaker) -> None:
    with speaker.connect() as sock:
        sock.sendall(speaker.whole(speaker.token(f"sandbox:{name}")))
        with pytest.raises(ConnectionResetError):
            read_all(sock)


def test_a_hang_up_is_one_and_not_a_reset(speaker: Speaker) -> None:
    with speaker.connect() as sock:
        sock.sendall(speaker.whole(speaker.token("sandbox:close-after")))
        assert read_all(sock) == b""


@pytest.mark.parametrize("name", ["reset-upload", "413-early"])
def test_an_upload_can_end_before_it_is_whole(name: str, speaker: Speaker) -> None:
    whole = speaker.whole(speaker.token(f"sandbox:{name}"), bytes(MIB))
    with speaker.connect() as sock:
        sock.sendall(whole[: 256 * 1024])
        answer = _until_the_end(sock)
    assert answer[:13] == (b"HTTP/1.1 413 " if name == "413-early" else b"")
    sent = speaker.server.requests.entries()[-1]
    assert not sent.complete
    assert 0 < sent.bytes_received <= 256 * 1024


def _until_the_end(sock: socket.socket) -> bytes:
    try:
        return read_all(sock)
    except ConnectionResetError:
        return b""


def test_an_upload_that_is_whole_at_once_is_refused_in_the_same_words(speaker: Speaker) -> None:
    said = speaker.verify(speaker.token("sandbox:413-early"))
    assert (said.status, said.body) == (413, b"Request Entity Too Large")


def test_a_spent_token_ends_no_upload(speaker: Speaker) -> None:
    """A fault strikes once: afterwards the token is spent, whatever it asked for."""
    token = speaker.token("sandbox:reset-after")
    with pytest.raises(InDoubt):
        speaker.read(token)
    assert speaker.verify(token).json["result_message"] == "BIZ_TOKEN_DENIED"


def test_a_silent_server_notices_that_its_peer_has_gone(speaker: Speaker) -> None:
    with speaker.connect() as sock:
        sock.sendall(speaker.whole(speaker.token("sandbox:timeout-after")) + b"\r\nmore")
        sock.shutdown(socket.SHUT_WR)
        sock.settimeout(0.3)
        assert _what_comes(sock) in {None, b""}
    with speaker.connect() as sock:
        sock.sendall(speaker.whole(speaker.token("sandbox:timeout-after")))
        sock.shutdown(socket.SHUT_WR)
        assert read_all(sock) == b""


def _what_comes(sock: socket.socket) -> Any:
    try:
        return sock.recv(1)
    except TimeoutError:
        return None


def test_an_impatient_reader_ends_a_drip(speaker: Speaker) -> None:
    with speaker.connect() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.sendall(speaker.whole(speaker.token("sandbox:drip-body:0.01")))
        assert sock.recv(1) == b"H"
    assert speaker.get("/healthz").body == b"ok"
