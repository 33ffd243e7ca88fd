"""What real clients put on the wire (bodies written by hand), and what is no request at all."""

import hashlib
import http.client
import json
from contextlib import closing
from urllib.parse import quote, urlencode

import pytest

from tests.integration.sandbox.speaking import PACKET, Speaker, read_all
from verification.faceid.contract import VERIFY_PATH

ODD_PACKET = b"\x00\xff\r\n--not the boundary\r\n\r\n\xfe--"


def text_part(boundary: str, name: str, value: str, headers: str = "") -> bytes:
    return (
        f'--{boundary}\r\n{headers}Content-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
    ).encode()


def file_part(boundary: str, disposition: str, headers: str, data: bytes) -> bytes:
    head = f"--{boundary}\r\nContent-Disposition: form-data; {disposition}\r\n{headers}\r\n"
    return head.encode() + data + b"\r\n"


def body_of(
    speaker: Speaker,
    token: str,
    *,
    boundary: str = "b",
    disposition: str = 'name="meglive_data"; filename="meglive_data"',
    headers: str = "",
    text_headers: str = "",
) -> bytes:
    texts = speaker.signed({"biz_token": token})
    parts = [text_part(boundary, name, text, text_headers) for name, text in texts.items()]
    packet = file_part(boundary, disposition, headers, ODD_PACKET)
    return b"".join(parts) + packet + f"--{boundary}--\r\n".encode()


def assert_taken(speaker: Speaker, body: bytes, content_type: str) -> None:
    said = speaker.send(VERIFY_PATH, content_type, body)
    assert (said.status, said.json.get("result_code")) == (200, 1000), said.body
    sent = speaker.server.requests.entries()[-1]
    assert sent.packet_sha256 == hashlib.sha256(ODD_PACKET).hexdigest()


@pytest.mark.parametrize(
    "headers",
    [
        "",
        "Content-Type: multipart/form-data\r\n",
        "Content-Type: text/html\r\n",
        "Content-Type: application/octet-stream\r\n",
        "Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: binary\r\n",
        f"Content-Length: {len(ODD_PACKET)}\r\n",
    ],
)
def test_a_packet_of_any_content_type_is_taken_byte_for_byte(
    headers: str, speaker: Speaker
) -> None:
    body = body_of(speaker, speaker.token(), headers=headers)
    assert_taken(speaker, body, "multipart/form-data; boundary=b")


@pytest.mark.parametrize(
    "file_name", ["meglive_data", "image", " ", "", "/data/tmp/upload8Zq.tmp", "C:\\\\a.bin", "Ü"]
)
def test_a_packet_with_any_file_name_is_taken(file_name: str, speaker: Speaker) -> None:
    disposition = f'name="meglive_data"; filename="{file_name}"'
    body = body_of(speaker, speaker.token(), disposition=disposition)
    assert_taken(speaker, body, "multipart/form-data; boundary=b")


@pytest.mark.parametrize(
    "headers",
    [
        "Content-Type: text/plain; charset=UTF-8\r\n",
        "Content-Type: text/plain\r\nContent-Transfer-Encoding: 8bit\r\n",
    ],
)
def test_text_parts_may_carry_headers(headers: str, speaker: Speaker) -> None:
    body = body_of(speaker, speaker.token(), text_headers=headers)
    assert_taken(speaker, body, "multipart/form-data; boundary=b")


def test_a_text_part_may_carry_its_length(speaker: Speaker) -> None:
    token = speaker.token()
    texts = speaker.signed({"biz_token": token})
    body = b"".join(
        text_part("b", name, text, f"Content-Length: {len(text)}\r\n")
        for name, text in texts.items()
    )
    body += file_part("b", 'name="meglive_data"; filename="x"', "", ODD_PACKET) + b"--b--\r\n"
    assert_taken(speaker, body, "multipart/form-data; boundary=b")


@pytest.mark.parametrize("boundary", ["----WebKitFormBoundary7MA", "-" * 26 + "9051", "=_a.b+c"])
def test_a_boundary_may_be_of_any_legal_kind(boundary: str, speaker: Speaker) -> None:
    body = body_of(speaker, speaker.token(), boundary=boundary)
    assert_taken(speaker, body, f'Multipart/Form-Data; charset=utf-8; boundary="{boundary}"')


def test_a_line_break_may_come_first_and_none_last(speaker: Speaker) -> None:
    body = b"\r\n" + body_of(speaker, speaker.token()).removesuffix(b"\r\n")
    assert_taken(speaker, body, "multipart/form-data; boundary=b")


def test_the_packet_may_come_before_the_token(speaker: Speaker) -> None:
    texts = speaker.signed({"biz_token": speaker.token()})
    body = file_part("b", 'name="meglive_data"; filename="x"', "", ODD_PACKET)
    body += b"".join(text_part("b", name, text) for name, text in texts.items()) + b"--b--"
    assert_taken(speaker, body, "multipart/form-data; boundary=b")


def test_a_packet_without_a_file_name_is_destroyed_and_refused(speaker: Speaker) -> None:
    body = body_of(speaker, speaker.token(), disposition='name="meglive_data"')
    said = speaker.send(VERIFY_PATH, "multipart/form-data; boundary=b", body)
    assert said.error == "400 MEGLIVE_DATA_ERROR"


def test_an_urlencoded_sign_must_be_escaped(speaker: Speaker) -> None:
    texts = speaker.signed({"biz_token": speaker.token(liveness_type="raw_image")})
    while "+" not in texts["sign"]:
        texts["sign"] = speaker.sign()
    raw = "&".join(f"{name}={quote(text, safe='+/=,')}" for name, text in texts.items())
    kind = "Application/X-WWW-Form-urlencoded; charset=utf-8"
    said = speaker.send(VERIFY_PATH, kind, raw.encode())
    assert said.error == "403 AUTHORIZATION_ERROR: INVALID_SIGN"
    said = speaker.send(VERIFY_PATH, kind, urlencode(texts).encode())
    assert said.json["result_code"] == 1000


def test_an_urlencoded_packet_is_destroyed_and_refused(speaker: Speaker) -> None:
    texts = speaker.signed({"biz_token": speaker.token(), "meglive_data": "gone"})
    said = speaker.send(VERIFY_PATH, "application/x-www-form-urlencoded", urlencode(texts).encode())
    assert said.error == "400 MEGLIVE_DATA_ERROR"


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", json.dumps({"sign": "x", "sign_version": "hmac_sha1"}).encode()),
        ("", b""),
        ("text/plain", b"hello"),
        ("multipart/form-data", b"--b--"),
        ("multipart/form-data; boundary=b", b""),
        ("multipart/form-data; boundary=b", b"--other--\r\n"),
        ("multipart/form-data; boundary=b", b"--b\r\n\r\n\r\n--b--\r\n"),
        ("multipart/form-data; boundary=\xff", bytes(range(256))),
        ("application/x-www-form-urlencoded", b"%ff=%00&&&=;"),
    ],
)
def test_what_is_no_form_of_the_contract_lacks_a_sign(
    content_type: str, body: bytes, speaker: Speaker
) -> None:
    said = speaker.send(VERIFY_PATH, content_type, body)
    assert said.error == "400 MISSING_ARGUMENTS: sign"


@pytest.mark.parametrize(
    "head",
    [
        "Transfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 3",
        "Content-Length: -1",
        "Content-Length: three",
        "Content-Length: \u00b2",
        f"Content-Length: {10**20}",
        "X-Nothing: 1",
    ],
)
def test_a_body_of_unknown_length_is_refused(head: str, speaker: Speaker) -> None:
    with speaker.connect() as sock:
        sock.sendall(f"POST {VERIFY_PATH} HTTP/1.1\r\n{head}\r\n\r\n3\r\nabc".encode("latin-1"))
        assert read_all(sock).startswith(b"HTTP/1.1 411 ")
    sent = speaker.server.requests.entries()[-1]
    assert (sent.content_length, sent.complete, sent.status) == (None, False, 411)


def test_what_is_no_http_is_refused_without_a_page(speaker: Speaker) -> None:
    with speaker.connect() as sock:
        sock.sendall(b"one two three four\r\n\r\n")
        answer = read_all(sock)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"<" not in answer


def test_several_requests_share_a_connection(speaker: Speaker) -> None:
    with closing(http.client.HTTPConnection("127.0.0.1", speaker.server.port)) as connection:
        for _ in range(3):
            body = body_of(speaker, speaker.token())
            kind = {"Content-Type": "multipart/form-data; boundary=b"}
            connection.request("POST", VERIFY_PATH, body, kind)
            answer = connection.getresponse()
            assert (answer.status, answer.headers["Connection"]) == (200, "keep-alive")
            answer.read()
            assert connection.sock is not None


def test_a_client_that_wants_to_hang_up_is_hung_up_on(speaker: Speaker) -> None:
    request = speaker.whole(speaker.token()).replace(b"Host:", b"Connection: close\r\nHost:", 1)
    with speaker.connect() as sock:
        sock.sendall(request)
        assert b"\r\nConnection: close\r\n" in read_all(sock)


def test_a_client_that_asks_before_it_sends_is_told_to_go_on(speaker: Speaker) -> None:
    request = speaker.whole(speaker.token(), PACKET)
    head, _, body = request.partition(b"\r\n\r\n")
    with speaker.connect() as sock:
        sock.sendall(head + b"\r\nExpect: 100-continue\r\n\r\n")
        assert sock.recv(1024).startswith(b"HTTP/1.1 100 ")
        sock.sendall(body)
        assert sock.recv(1 << 16).startswith(b"HTTP/1.1 200 ")


def test_a_body_that_a_page_does_not_expect_is_no_request(speaker: Speaker) -> None:
    hidden = b"DELETE /_sandbox/requests HTTP/1.1\r\n\r\n"
    with speaker.connect() as sock:
        head = f"GET /healthz HTTP/1.1\r\nContent-Length: {len(hidden)}\r\n\r\n"
        sock.sendall(head.encode() + hidden)
        assert read_all(sock).count(b"HTTP/1.1") == 1
