"""The request log: the vendor's view of who sent what, and how much of it."""

import hashlib
import socket
import struct
from urllib.parse import quote

import pytest

from tests.integration.sandbox.conftest import NOW
from tests.integration.sandbox.speaking import CREDENTIALS, PACKET, Speaker
from verification.faceid.contract import BIZ_TOKEN_PATH, MAX_REQUEST_BYTES, VERIFY_PATH
from verification.sandbox.request_log import LoggedRequest

LOG = "/_sandbox/requests"


def sha256(data: str | bytes) -> str:
    return hashlib.sha256(data.encode() if isinstance(data, str) else data).hexdigest()


def last(speaker: Speaker) -> LoggedRequest:
    return speaker.server.requests.entries()[-1]


def test_a_flow_is_logged_with_digests_in_the_place_of_secrets(speaker: Speaker) -> None:
    token = speaker.token("ONB-1 sandbox:cancelled", uuid="person-of-canary")
    speaker.verify(token)
    asked, verified = speaker.server.requests.entries()
    assert (asked.path, verified.path) == (BIZ_TOKEN_PATH, VERIFY_PATH)
    for each in (asked, verified):
        assert (each.at, each.biz_no, each.scenario) == (
            NOW,
            "ONB-1 sandbox:cancelled",
            "cancelled",
        )
        assert (each.biz_token_sha256, each.status) == (sha256(token), 200)
        assert each.complete
        assert each.bytes_received == each.content_length
    assert (asked.packet_sha256, verified.packet_sha256) == (None, sha256(PACKET))


def test_the_log_is_json_filtered_by_biz_no_and_emptied_by_delete(speaker: Speaker) -> None:
    speaker.token("A & B")
    speaker.token()
    told = speaker.get(LOG).json["requests"]
    assert [each["biz_no"] for each in told] == ["A & B", ""]
    assert set(told[0]) == set(LoggedRequest.__slots__)
    for biz_no, count in (("A & B", 1), ("", 1), ("A", 0)):
        found = speaker.get(f"{LOG}?biz_no={quote(biz_no)}").json["requests"]
        assert len(found) == count
    assert speaker.send(LOG, "", b"", "DELETE").json == {}
    assert speaker.get(LOG).json == {"requests": []}


def test_no_credential_person_or_packet_stands_in_the_log(speaker: Speaker) -> None:
    token = speaker.token("ONB", uuid="person-of-canary")
    sign = speaker.signed({})["sign"]
    speaker.verify(token)
    speaker.verify("a token that was never issued")
    speaker.form(f"{VERIFY_PATH}?biz_token={token}&sign={quote(sign)}", {"sign": sign})
    speaker.get(f"/{token}")
    text = speaker.get(LOG).body.decode()
    secrets = [CREDENTIALS.api_key, CREDENTIALS.api_secret, "person-of-canary", PACKET.decode()]
    for secret in [*secrets, token, sign, quote(sign), "never issued"]:
        assert secret not in text
    assert sha256("a token that was never issued") in text


def test_a_refused_request_is_logged_with_what_it_carried(speaker: Speaker) -> None:
    speaker.ask_token("ONB-1 sandbox:atack")
    assert (last(speaker).biz_no, last(speaker).status) == ("ONB-1 sandbox:atack", 400)
    speaker.ask_token("ONB-2 sandbox:token-400-low-quality")
    assert (last(speaker).biz_no, last(speaker).scenario) == (
        "ONB-2 sandbox:token-400-low-quality",
        "token-400-low-quality",
    )
    token = speaker.token("ONB-3")
    speaker.verify(token, b"")
    assert (last(speaker).biz_no, last(speaker).status) == ("ONB-3", 400)
    assert last(speaker).biz_token_sha256 == sha256(token)
    speaker.form("/nowhere" + "x" * 300, {"biz_no": "ONB-4"})
    assert (len(last(speaker).path), last(speaker).status) == (200, 404)


def test_a_request_that_is_too_large_is_logged_unread(speaker: Speaker) -> None:
    with speaker.connect() as sock:
        sock.sendall(speaker.head(VERIFY_PATH, MAX_REQUEST_BYTES + 1, "multipart/form-data"))
        assert sock.recv(13) == b"HTTP/1.1 413 "
    sent = last(speaker)
    assert (sent.bytes_received, sent.complete, sent.status) == (0, False, 413)


@pytest.mark.parametrize("sent_bytes", [0, 1, 700, 64 * 1024, 300_000])
@pytest.mark.parametrize("ends_by_reset", [False, True])
def test_an_upload_that_breaks_off_is_logged_as_far_as_it_came(
    sent_bytes: int, ends_by_reset: bool, speaker: Speaker
) -> None:
    token = speaker.token("ONB-1")
    whole = speaker.whole(token, bytes(1_000_000))
    head_bytes = whole.index(b"\r\n\r\n") + 4
    with speaker.connect() as sock:
        sock.sendall(whole[: head_bytes + sent_bytes])
        if ends_by_reset:
            # What has arrived stays readable only until the reset does.
            speaker.server.requests.wait_for(lambda entries: len(entries) > 1, 0.2)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert speaker.server.requests.wait_for(lambda entries: len(entries) == 2, 5)
    sent = last(speaker)
    assert (sent.bytes_received, sent.complete, sent.status) == (sent_bytes, False, None)
    assert sent.content_length == len(whole) - head_bytes
    expected = ("ONB-1", sha256(token)) if sent_bytes >= 700 else (None, None)
    assert (sent.biz_no, sent.biz_token_sha256) == expected
    issued = speaker.server.vendor.memory.find(token)
    assert issued is not None
    assert not issued.is_spent
