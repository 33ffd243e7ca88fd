"""The drop-in endpoints, called as clients that were written for the vendor call it."""

import json
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import pytest
import requests

from tests.integration.api.conftest import FACE, LiveSite
from tests.integration.api.wire import content_type, form, part
from verification.faceid.contract import ERRORS, RESULTS
from verification.faceid.signing import sign
from verification.faceid.types import Credentials
from verification.sandbox.scenarios import SCENARIOS

pytestmark = pytest.mark.django_db

VERIFY = "/faceid/v3/sdk/verify"
GET_TOKEN = "/faceid/v3/sdk/get_biz_token"
JPEG = ("face.jpg", FACE)


def signature(
    live: LiveSite, *, life_s: int = 100, random: int = 7, **changed: str
) -> dict[str, str]:
    """Return the two signature fields; a `life_s` of 0 makes a single-use sign."""
    now = int(time.time())
    made = sign(
        Credentials(*live.key_pair),
        current_time=now,
        expire_time=now + life_s if life_s else 0,
        random=random,
    )
    return {"sign": made, "sign_version": "hmac_sha1", **changed}


def get_token(live: LiveSite, biz_no: str, **options: str) -> requests.Response:
    """Ask for a token as a client of the vendor does."""
    texts = {"liveness_type": "meglive", "comparison_type": "0", "uuid": "u", "biz_no": biz_no}
    texts |= {**signature(live), **options}
    files = {"image_ref1": JPEG}
    return live.call("POST", GET_TOKEN, key=None, data=texts, files=files)


def verify(
    live: LiveSite, token: str, packet: bytes = b"packet", **texts: str
) -> requests.Response:
    """Verify as a client of the vendor does."""
    data = {"biz_token": token, **signature(live), **texts}
    files = {"meglive_data": ("meglive_data", packet)}
    return live.call("POST", VERIFY, key=None, data=data, files=files)


def assert_vendor_error(answer: requests.Response, status: int, error: str) -> None:
    """Hold an answer against the vendor's shape of an error."""
    body = answer.json()
    assert (answer.status_code, body["error"]) == (status, error)
    assert set(body) == {"error", "request_id", "time_used"}
    assert isinstance(body["time_used"], int)
    unix, _, identity = body["request_id"].partition(",")
    assert unix.isdigit()
    assert identity == answer.headers["X-Request-Id"]


def test_the_vendors_flow_works_and_is_recorded(live: LiveSite) -> None:
    issued = get_token(live, "D-1", verbose="1")
    assert issued.status_code == 200
    assert set(issued.json()) == {"request_id", "time_used", "biz_token"}
    answer = verify(live, issued.json()["biz_token"])
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("application/json")
    result = answer.json()
    assert (result["result_code"], result["biz_no"]) == (1000, "D-1")
    assert result["images"]["image_best"]


def test_a_repeated_verify_gets_the_same_bytes_and_is_not_sent_again(live: LiveSite) -> None:
    token = get_token(live, "D-2").json()["biz_token"]
    first, second = verify(live, token), verify(live, token)
    assert first.content == second.content
    sent = [e for e in live.sandbox.requests.for_biz_no("D-2") if e.path == VERIFY]
    assert len(sent) == 1


@pytest.mark.parametrize("row", RESULTS, ids=lambda row: f"{row.code}-{row.message}")
def test_every_result_of_the_contract_passes_through(live: LiveSite, row: Any) -> None:
    name = next(name for name, scenario in SCENARIOS.items() if scenario.row == row)
    token = get_token(live, f"sandbox:{name}").json()["biz_token"]
    result = verify(live, token).json()
    assert (result["result_code"], result["result_message"]) == (row.code, row.message)


@pytest.mark.parametrize(
    "scenario",
    [
        each
        for each in SCENARIOS.values()
        if each.row in ERRORS and each.endpoint == "verify" and each.row.http_status != 429
    ],
    ids=lambda each: each.name,
)
def test_every_error_of_verify_passes_through(live: LiveSite, scenario: Any) -> None:
    token = get_token(live, f"sandbox:{scenario.name}").json()["biz_token"]
    answer, again = verify(live, token), verify(live, token)
    assert answer.status_code == again.status_code == scenario.row.http_status
    if scenario.row.code is None:
        assert answer.text == "Request Entity Too Large"
        assert answer.headers["Content-Type"] == "text/plain"
        assert again.text == answer.text
    else:
        assert answer.json()["error"].startswith(scenario.row.code)
    if scenario.row.http_status != 500:
        assert again.content == answer.content


@pytest.mark.parametrize(
    "scenario",
    [
        each
        for each in SCENARIOS.values()
        if each.row in ERRORS and each.endpoint == "get_biz_token"
    ],
    ids=lambda each: each.name,
)
def test_every_error_of_get_biz_token_passes_through(live: LiveSite, scenario: Any) -> None:
    answer = get_token(live, f"sandbox:{scenario.name}")
    assert answer.status_code == scenario.row.http_status
    if scenario.row.code is None:
        assert answer.text == "Request Entity Too Large"
    else:
        assert answer.json()["error"].startswith(scenario.row.code)


@pytest.mark.parametrize(
    ("biz_no", "status", "error"),
    [
        ("sandbox:429", 429, "CONCURRENCY_LIMIT_EXCEEDED"),
        ("sandbox:close-after", 500, "INTERNAL_ERROR"),
        ("sandbox:invalid-json", 500, "INTERNAL_ERROR"),
    ],
)
def test_an_answer_that_nobody_has_is_the_vendors_own_error(
    live: LiveSite, biz_no: str, status: int, error: str
) -> None:
    token = get_token(live, biz_no).json()["biz_token"]
    assert_vendor_error(verify(live, token), status, error)
    assert_vendor_error(verify(live, token), status, error)


def test_a_busy_vendor_that_recovers_answers_the_next_try(live: LiveSite) -> None:
    token = get_token(live, "sandbox:429-once").json()["biz_token"]
    assert verify(live, token).json()["result_code"] == 1000


@pytest.mark.parametrize(
    ("texts", "status", "error"),
    [
        ({"sign": ""}, 400, "MISSING_ARGUMENTS:sign"),
        ({"sign_version": ""}, 400, "MISSING_ARGUMENTS:sign_version"),
        ({"sign_version": "hmac_sha256"}, 400, "BAD_ARGUMENTS:sign_version"),
        ({"sign": "nonsense"}, 403, "AUTHORIZATION_ERROR:INVALID_SIGN"),
        ({"sign": "A" * 300}, 403, "AUTHORIZATION_ERROR:INVALID_SIGN"),
        ({"sign": "ü" * 20}, 403, "AUTHORIZATION_ERROR:INVALID_SIGN"),
        ({"biz_token": ""}, 400, "MISSING_ARGUMENTS:biz_token"),
        ({"biz_token": "x" * 600}, 400, "BAD_ARGUMENTS:biz_token"),
        ({"biz_token": "a\nb"}, 400, "BAD_ARGUMENTS:biz_token"),
        ({"surprise": "1"}, 400, "BAD_ARGUMENTS:body"),
    ],
)
def test_what_is_wrong_with_a_verify_is_said_as_the_vendor_says_it(
    live: LiveSite, texts: Mapping[str, str], status: int, error: str
) -> None:
    fields = {"biz_token": "1,unused", **signature(live), **texts}
    files = {"meglive_data": ("m", b"packet")}
    answer = live.call("POST", VERIFY, key=None, data=fields, files=files)
    assert_vendor_error(answer, status, error)


def test_a_sign_of_another_secret_is_invalid_and_one_of_yesterday_expired(live: LiveSite) -> None:
    forged = sign(
        Credentials(live.key_pair[0], "another secret"),
        current_time=int(time.time()),
        expire_time=int(time.time()) + 100,
        random=1,
    )
    assert_vendor_error(verify(live, "1,x", sign=forged), 403, "AUTHORIZATION_ERROR:INVALID_SIGN")
    old = signature(live, life_s=-86_400)["sign"]
    assert_vendor_error(verify(live, "1,x", sign=old), 403, "AUTHORIZATION_ERROR:EXPIRED_SIGN")


def test_a_single_use_sign_works_once(live: LiveSite) -> None:
    once = signature(live, life_s=0, random=123)["sign"]
    first, second = get_token(live, "D-3", sign=once), get_token(live, "D-3", sign=once)
    assert first.status_code == 200
    assert_vendor_error(second, 403, "AUTHORIZATION_ERROR:INVALID_SIGN")


def test_a_bearer_key_is_no_signature(live: LiveSite) -> None:
    answer = live.call("POST", VERIFY, files={"meglive_data": ("m", b"x")})
    assert_vendor_error(answer, 400, "MISSING_ARGUMENTS:sign")


def post(live: LiveSite, path: str, body: bytes, kind: str) -> requests.Response:
    """Post a body made by hand."""
    return live.call("POST", path, key=None, data=body, headers={"Content-Type": kind})


def parts_of(texts: Mapping[str, str]) -> list[bytes]:
    """Return text parts."""
    return [part(name, text.encode()) for name, text in texts.items()]


TYPED = "Content-Type: {}\r\n"
SHAPES = {
    "form-data": {"file": "meglive_data", "headers": TYPED.format("multipart/form-data")},
    "html": {"file": "image", "headers": TYPED.format("text/html")},
    "named by a blank": {"file": " ", "headers": TYPED.format("application/octet-stream")},
    "without a type": {"file": "tmp8x2k1.bin"},
    "8bit": {"file": "m", "headers": "Content-Transfer-Encoding: 8bit\r\n"},
    "with a length": {"file": "m", "headers": "Content-Length: 6\r\n"},
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_every_known_shape_of_the_packet_is_taken(live: LiveSite, shape: dict[str, str]) -> None:
    token = get_token(live, "D-4").json()["biz_token"]
    texts = parts_of({"biz_token": token, **signature(live)})
    body = form(*texts, part("meglive_data", b"packet", **shape))
    answer = post(live, VERIFY, body, content_type())
    assert answer.json()["result_code"] == 1000


@pytest.mark.parametrize(
    ("before", "boundary", "end"),
    [
        (b"\r\n", "boundary-of-tests", b"--\r\n"),
        (b"", '"boundary-of-tests"', b"--\r\n"),
        (b"", "boundary-of-tests", b"--"),
    ],
    ids=["preamble", "quoted boundary", "no last line break"],
)
def test_every_known_framing_of_the_form_is_taken(
    live: LiveSite, before: bytes, boundary: str, end: bytes
) -> None:
    token = get_token(live, "D-5").json()["biz_token"]
    texts = parts_of({"biz_token": token, **signature(live)})
    body = before + form(*texts, part("meglive_data", b"packet", file="m"), end=end)
    assert post(live, VERIFY, body, content_type(boundary)).json()["result_code"] == 1000


@pytest.mark.parametrize("packet", [b"text", b"\x00\xff\xfe"])
def test_a_packet_without_a_file_name_is_meglive_data_error(live: LiveSite, packet: bytes) -> None:
    texts = parts_of({"biz_token": "1,x", **signature(live)})
    answer = post(live, VERIFY, form(*texts, part("meglive_data", packet)), content_type())
    assert_vendor_error(answer, 400, "MEGLIVE_DATA_ERROR")


def test_an_empty_packet_is_meglive_data_error_and_none_is_missing(live: LiveSite) -> None:
    assert_vendor_error(verify(live, "1,x", b""), 400, "MEGLIVE_DATA_ERROR")
    body = form(*parts_of({"biz_token": "1,x", **signature(live)}))
    answer = post(live, VERIFY, body, content_type())
    assert_vendor_error(answer, 400, "MISSING_ARGUMENTS:meglive_data")


@pytest.mark.parametrize("path", [VERIFY, GET_TOKEN])
@pytest.mark.parametrize("body", [b"{}", b'{"sign": "x"}', b"", b"\xff\xfe"])
def test_a_json_body_lacks_a_sign(live: LiveSite, path: str, body: bytes) -> None:
    answer = post(live, path, body, "application/json")
    assert_vendor_error(answer, 400, "MISSING_ARGUMENTS:sign")


def test_a_plus_that_became_a_blank_makes_the_sign_invalid(live: LiveSite) -> None:
    signed = signature(live)
    body = urlencode({**signed, "sign": "a b" + signed["sign"]}).encode()
    answer = post(live, VERIFY, body, "application/x-www-form-urlencoded")
    assert_vendor_error(answer, 403, "AUTHORIZATION_ERROR:INVALID_SIGN")


def test_a_good_sign_in_an_urlencoded_form_only_lacks_the_rest(live: LiveSite) -> None:
    body = urlencode({**signature(live), "biz_token": "1,x"}).encode()
    answer = post(live, VERIFY, body, "application/x-www-form-urlencoded")
    assert_vendor_error(answer, 400, "MISSING_ARGUMENTS:meglive_data")


@pytest.mark.parametrize("path", ["/faceid", "/faceid/v3/sdk/nope", f"{VERIFY}/", "/faceid/%00"])
def test_an_unknown_path_is_the_vendors_404(live: LiveSite, path: str) -> None:
    assert_vendor_error(live.call("POST", path, key=None), 404, "API_NOT_FOUND")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS"])
def test_another_method_is_405_in_the_vendors_shape(live: LiveSite, method: str) -> None:
    answer = live.call(method, VERIFY, key=None)
    assert_vendor_error(answer, 405, "API_NOT_FOUND")
    assert answer.headers["Allow"] == "POST"


def test_a_body_over_the_limit_is_413_in_plain_text(live: LiveSite) -> None:
    answer = verify(live, "1,x", bytes(11 * 1024 * 1024))
    assert answer.status_code == 413
    assert answer.headers["Content-Type"] == "text/plain"
    assert answer.text == "Request Entity Too Large"


def test_a_broken_form_is_a_400_in_the_vendors_shape(live: LiveSite) -> None:
    bodies = [b"", b"--", form(), b"x" * 100, form(part("sign", b"a"), part("sign", b"b"))]
    for body in bodies:
        answer = post(live, VERIFY, body, content_type())
        assert answer.status_code == 400, body
        assert json.loads(answer.content)["error"].split(":")[0] in {
            "BAD_ARGUMENTS",
            "MISSING_ARGUMENTS",
        }
