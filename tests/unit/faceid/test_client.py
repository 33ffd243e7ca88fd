import json
import re
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.faceid.conftest import CREDENTIALS, NOW
from tests.unit.faceid.peers import SUCCESS, Peer, Script, Talk, answering
from verification.faceid import contract
from verification.faceid.client import SIGN_LIFE_S, FaceIdClient
from verification.faceid.deadline import Deadline
from verification.faceid.errors import FaceIdError, InDoubt, NotProcessed, NotSent, Rejected
from verification.faceid.multipart import Form, fields, parse
from verification.faceid.signing import check
from verification.faceid.transport import Transport
from verification.faceid.types import BizTokenRequest, Upload

Serve = Callable[..., Peer]
ClientOf = Callable[[str], FaceIdClient]

REQUEST = BizTokenRequest(
    {"liveness_type": "meglive", "comparison_type": "0", "uuid": "p-1"},
    {"image_ref1": Upload(b"face canary")},
)
BUSY = {"error": "CONCURRENCY_LIMIT_EXCEEDED"}


def verify(client: FaceIdClient) -> Any:
    return client.verify(
        biz_token="1700000000,c0ffee",
        packet=Upload(memoryview(b"packet canary")),
        deadline=Deadline.after(5),
    )


def get_biz_token(client: FaceIdClient) -> Any:
    return client.get_biz_token(REQUEST, deadline=Deadline.after(5))


CALLS = {"verify": verify, "get_biz_token": get_biz_token}


def received(request: bytes, texts: frozenset[str], files: frozenset[str]) -> tuple[str, Form]:
    head, _, body = request.partition(b"\r\n\r\n")
    content_type = re.search(rb"Content-Type: ([^\r]*)", head)
    assert content_type is not None
    parts = parse(body, content_type[1].decode())
    return head.decode(), fields(parts, texts=texts, files=files)


def error_of(call: Callable[[FaceIdClient], Any], client: FaceIdClient) -> FaceIdError:
    with pytest.raises(FaceIdError) as failed:
        call(client)
    return failed.value


def check_sign(form: Form) -> None:
    assert form.texts["sign_version"] == "hmac_sha1"
    checked = check(form.texts["sign"], secret_for=lambda _: CREDENTIALS.api_secret, now=NOW)
    assert checked.api_key == CREDENTIALS.api_key
    assert (checked.current_time, checked.expire_time) == (NOW, NOW + SIGN_LIFE_S)
    assert checked.random == "1234567890"


def test_verify_sends_what_the_contract_says(serve: Serve, client_of: ClientOf) -> None:
    peer = serve(answering(200, SUCCESS))
    assert verify(client_of(peer.url + "/")).result_message == "SUCCESS"
    head, form = received(peer.requests[0], contract.VERIFY_TEXTS, contract.VERIFY_FILES)
    assert head.startswith("POST /faceid/v3/sdk/verify HTTP/1.1\r\n")
    assert "Accept-Encoding: identity\r\n" in head
    assert form.texts["biz_token"] == "1700000000,c0ffee"
    assert bytes(form.files["meglive_data"]) == b"packet canary"
    check_sign(form)


def test_get_biz_token_sends_what_the_contract_says(serve: Serve, client_of: ClientOf) -> None:
    peer = serve(answering(200, {"biz_token": "1700000000,c0ffee", "request_id": "r"}))
    assert get_biz_token(client_of(peer.url)).biz_token == "1700000000,c0ffee"
    head, form = received(peer.requests[0], contract.BIZ_TOKEN_TEXTS, contract.BIZ_TOKEN_FILES)
    assert head.startswith("POST /faceid/v3/sdk/get_biz_token HTTP/1.1\r\n")
    assert form.texts.items() >= REQUEST.texts.items()
    assert bytes(form.files["image_ref1"]) == b"face canary"
    check_sign(form)


def test_a_signature_among_the_parameters_is_replaced(serve: Serve, client_of: ClientOf) -> None:
    peer = serve(answering(200, {"biz_token": "t"}))
    request = BizTokenRequest({"sign": "forged", "sign_version": "none"}, {})
    client_of(peer.url).get_biz_token(request, deadline=Deadline.after(5))
    check_sign(received(peer.requests[0], contract.BIZ_TOKEN_TEXTS, frozenset())[1])


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize(
    "row", contract.ERRORS, ids=lambda row: f"{row.http_status}-{row.code}-{row.argument}"
)
@pytest.mark.parametrize("separator", [":", ": "])
def test_every_documented_error_keeps_its_code_and_argument(
    serve: Serve, client_of: ClientOf, name: str, row: contract.ErrorRow, separator: str
) -> None:
    def script(talk: Talk) -> None:
        talk.read_request()
        if row.code is None:
            talk.answer(row.http_status, contract.TOO_LARGE_TEXT.encode())
        else:
            error = row.code + (separator + row.argument if row.argument else "")
            talk.answer_json(row.http_status, {"error": error, "request_id": "r"})

    error = error_of(CALLS[name], client_of(serve(script).url))
    assert (error.http_status, error.code, error.argument) == (
        row.http_status,
        row.code,
        row.argument,
    )
    assert error.request_id == (None if row.code is None else "r")
    assert error.byte_left
    if name in row.endpoints:
        busy, broken = row.code == "CONCURRENCY_LIMIT_EXCEEDED", row.http_status == 500
        assert type(error) is (NotProcessed if busy else InDoubt if broken else Rejected)
        assert error.repeat_is_safe is busy


@pytest.mark.parametrize(
    ("status", "value", "kind", "reason"),
    [
        (400, {"error": "X"}, Rejected, "refused"),
        (400, "text", Rejected, "refused"),
        (401, {"error": 5, "request_id": 5}, Rejected, "refused"),
        (403, BUSY, Rejected, "refused"),
        (404, {}, Rejected, "refused"),
        (413, {}, Rejected, "refused"),
        (429, {}, NotProcessed, "concurrency_limit"),
        (200, {"error": "BAD_ARGUMENTS: x"}, InDoubt, "unexpected_shape"),
        (201, SUCCESS, InDoubt, "unexpected_status"),
        (301, SUCCESS, InDoubt, "redirect"),
        (307, SUCCESS, InDoubt, "redirect"),
        (402, {}, InDoubt, "unexpected_status"),
        (408, {}, InDoubt, "unexpected_status"),
        (409, {}, InDoubt, "unexpected_status"),
        (500, {"error": "INTERNAL_ERROR"}, InDoubt, "server_error"),
        (502, "<html>", InDoubt, "server_error"),
        (503, {}, InDoubt, "server_error"),
        (504, {}, InDoubt, "server_error"),
    ],
)
def test_every_status_has_its_meaning(
    serve: Serve,
    client_of: ClientOf,
    status: int,
    value: Any,
    kind: type[FaceIdError],
    reason: str,
) -> None:
    error = error_of(verify, client_of(serve(answering(status, value)).url))
    assert (type(error), error.reason, error.http_status) == (kind, reason, status)
    assert error.raw == json.dumps(value).encode()


@pytest.mark.parametrize(
    ("status", "header", "retry_after_s"),
    [
        (503, "7", 7.0),
        (503, "Tue, 14 Nov 2023 22:14:20 GMT", 60.0),
        (503, "Tue, 14 Nov 2023 22:14:20 -0000", 60.0),
        (503, "Tue, 14 Nov 2000 22:14:20 GMT", 0.0),
        (429, "3", 3.0),
        (429, "soon", None),
    ],
)
def test_a_busy_vendor_may_say_when_to_come_back(
    serve: Serve, client_of: ClientOf, status: int, header: str, retry_after_s: float | None
) -> None:
    error = error_of(
        verify, client_of(serve(answering(status, BUSY, f"Retry-After: {header}")).url)
    )
    assert isinstance(error, NotProcessed)
    assert error.retry_after_s == retry_after_s
    assert error.repeat_is_safe


@pytest.mark.parametrize(
    "header", ["", "soon", "-1", "9" * 20, f"Tue, 14 Nov {'9' * 20} 22:14:20 GMT"]
)
def test_an_unavailable_vendor_that_names_no_time_is_in_doubt(
    serve: Serve, client_of: ClientOf, header: str
) -> None:
    peer = serve(answering(503, {}, f"Retry-After: {header}"))
    assert type(error_of(verify, client_of(peer.url))) is InDoubt


def test_a_busy_vendor_refuses_tokens_with_403(serve: Serve, client_of: ClientOf) -> None:
    error = error_of(get_biz_token, client_of(serve(answering(403, BUSY)).url))
    assert type(error) is NotProcessed


@pytest.mark.parametrize("status", [200, 400])
def test_an_encoded_answer_is_in_doubt(serve: Serve, client_of: ClientOf, status: int) -> None:
    peer = serve(answering(status, SUCCESS, "Content-Encoding: gzip"))
    error = error_of(verify, client_of(peer.url))
    assert (type(error), error.reason) == (InDoubt, "encoded")
    plain = serve(answering(200, SUCCESS, "Content-Encoding: Identity"))
    assert verify(client_of(plain.url)).result_code == 1000


def test_one_call_is_one_request(serve: Serve, client_of: ClientOf) -> None:
    peer = serve(answering(503, {}, "Retry-After: 0"))
    error_of(verify, client_of(peer.url))
    assert len(peer.requests) == 1


def canaries(talk: Talk) -> None:
    talk.read_request()
    talk.answer_json(500, {"error": "canary: canary", "request_id": "canary"})


@pytest.mark.parametrize(
    "script",
    [
        canaries,
        answering(400, "canary"),
        answering(200, {"canary": "canary"}),
        answering(403, {"error": "canary:canary"}),
    ],
    ids=["server error", "text", "unexpected shape", "refusal"],
)
def test_nothing_of_a_call_stands_in_its_error_or_the_log(
    serve: Serve, client_of: ClientOf, caplog: pytest.LogCaptureFixture, script: Script
) -> None:
    caplog.set_level("DEBUG")
    error = error_of(verify, client_of(serve(script).url))
    assert error.raw is not None
    for shown in (str(error), repr(error), str(error.args), caplog.text):
        for secret in ("canary", "c0ffee", CREDENTIALS.api_secret):
            assert secret not in shown
    assert error.__context__ is None or error.__suppress_context__


@pytest.mark.parametrize(
    "base_url",
    [
        "http://api-sgp.megvii.com",
        "http://127.0.0.1.example.com",
        "http://10.0.0.1",
        "ftp://127.0.0.1",
        "api-sgp.megvii.com",
        "https://",
        "https://user:pass@api-sgp.megvii.com",
        "https://api-sgp.megvii.com/?a=b",
        "https://api-sgp.megvii.com/#a",
    ],
)
def test_a_base_url_that_would_send_in_the_clear_or_is_none_is_refused(
    client_of: ClientOf, base_url: str
) -> None:
    with pytest.raises(ValueError):
        client_of(base_url)


@pytest.mark.parametrize(
    "base_url",
    [*contract.REGIONS.values(), "http://localhost:8", "http://127.1.2.3", "http://[::1]:8"],
)
def test_https_and_loopback_hosts_are_accepted(client_of: ClientOf, base_url: str) -> None:
    assert isinstance(client_of(base_url), FaceIdClient)


def test_boundaries_are_made_of_the_nonce(serve: Serve, transport: Transport) -> None:
    peer = serve(answering(200, SUCCESS))
    numbers = iter(range(9_999_999_990, 10**10))
    client = FaceIdClient(
        base_url=peer.url,
        credentials=CREDENTIALS,
        transport=transport,
        nonce=lambda: next(numbers),
    )
    before = int(time.time())
    verify(client)
    head, form = received(peer.requests[0], contract.VERIFY_TEXTS, contract.VERIFY_FILES)
    assert "boundary=9999999991999999999299999999939999999994" in head
    checked = check(
        form.texts["sign"], secret_for=lambda _: CREDENTIALS.api_secret, now=time.time()
    )
    assert before <= checked.current_time <= time.time()


def test_errors_tell_whether_repeating_is_safe() -> None:
    safe = {kind: kind("x").repeat_is_safe for kind in (NotSent, NotProcessed, Rejected, InDoubt)}
    assert safe == {NotSent: True, NotProcessed: True, Rejected: False, InDoubt: False}
    assert not NotSent("x").byte_left
