"""What is refused: every row of the error table, at both endpoints, and every parameter's range."""

import pytest

from tests.integration.sandbox.speaking import PACKET, PHOTO, TEXTS, Speaker
from verification.faceid.contract import (
    BIZ_TOKEN_PATH,
    ERRORS,
    MAX_REQUEST_BYTES,
    PARAMETERS,
    VERIFY_PATH,
    ErrorRow,
    Parameter,
)
from verification.faceid.multipart import Body, encode
from verification.faceid.types import Upload
from verification.sandbox.scenarios import ROWS, argument_of

VARYING = {
    ("verify", "<key>"): "meglive_data",
    ("verify", "<param>"): "image_ref1",
    ("get_biz_token", "<key>"): "liveness_type",
    ("get_biz_token", "<param>"): "image_ref1",
}
CHOICES = [each for each in PARAMETERS if each.kind == "choice"]
INTEGERS = [each for each in PARAMETERS if each.kind == "integer"]
BOUNDED = [each for each in PARAMETERS if each.max_bytes is not None]
REQUIRED = [each for each in PARAMETERS if each.required]
FILES = [each.name for each in PARAMETERS if each.kind == "file"]


def name_of(parameter: Parameter) -> str:
    return parameter.name


@pytest.mark.parametrize(
    ("row", "endpoint"),
    [(row, endpoint) for row in ERRORS for endpoint in row.endpoints],
    ids=lambda value: f"{value.code}-{value.argument}" if isinstance(value, ErrorRow) else value,
)
def test_every_row_of_the_error_table_has_a_scenario_that_answers_it(
    row: ErrorRow, endpoint: str, speaker: Speaker
) -> None:
    name = next(each.name for each in ROWS if each.row == row and each.endpoint == endpoint)
    if endpoint == "verify":
        said = speaker.verify(speaker.token(f"sandbox:{name}"))
    else:
        said = speaker.ask_token(f"sandbox:{name}")
    if row.code is None:
        assert (said.status, said.body) == (413, b"Request Entity Too Large")
        assert said.headers["Content-Type"] == "text/plain"
    else:
        argument = VARYING.get((endpoint, row.argument or ""), row.argument)
        told = row.code if argument is None else f"{row.code}: {argument}"
        assert said.error == f"{row.http_status} {told}"


def test_a_documented_refusal_does_not_spend_its_token(speaker: Speaker) -> None:
    token = speaker.token("sandbox:bad-packet")
    assert [speaker.verify(token).status for _ in range(2)] == [400, 400]


def test_an_argument_of_the_table_stands_as_it_is() -> None:
    row = next(row for row in ERRORS if row.argument == "EXPIRED_SIGN")
    assert argument_of(row, "verify") == "EXPIRED_SIGN"


@pytest.mark.parametrize("parameter", REQUIRED, ids=name_of)
def test_a_required_parameter_that_is_missing_is_named(
    parameter: Parameter, speaker: Speaker
) -> None:
    texts = {name: text for name, text in TEXTS.items() if name != parameter.name}
    files = {} if parameter.kind == "file" else {"image_ref1": PHOTO}
    said = speaker.form(BIZ_TOKEN_PATH, speaker.signed(texts), files)
    assert said.error == f"400 MISSING_ARGUMENTS: {parameter.name}"


@pytest.mark.parametrize("name", [each.name for each in REQUIRED if each.kind != "file"])
def test_a_required_parameter_that_is_empty_is_missing(name: str, speaker: Speaker) -> None:
    assert speaker.ask_token(**{name: ""}).error == f"400 MISSING_ARGUMENTS: {name}"


@pytest.mark.parametrize("parameter", CHOICES, ids=name_of)
def test_a_choice_takes_each_of_its_values_and_no_other(
    parameter: Parameter, speaker: Speaker
) -> None:
    for value in parameter.choices:
        assert speaker.ask_token(**{parameter.name: value}).status == 200
    for value in ("2", "-1", "meglive ", "MEGLIVE", "true"):
        said = speaker.ask_token(**{parameter.name: value})
        assert said.error == f"400 BAD_ARGUMENTS: {parameter.name}"


@pytest.mark.parametrize("parameter", INTEGERS, ids=name_of)
def test_an_integer_takes_its_range_and_nothing_beyond(
    parameter: Parameter, speaker: Speaker
) -> None:
    assert parameter.low is not None
    assert parameter.high is not None
    for value in (parameter.low, parameter.high):
        assert speaker.ask_token(**{parameter.name: str(value)}).status == 200
    beyond = [str(parameter.low - 1), str(parameter.high + 1), "9" * 400]
    for text in [*beyond, "", "1.5", " 5", "+5", "-5", "\u0665", "five"]:
        said = speaker.ask_token(**{parameter.name: text})
        assert said.error == f"400 BAD_ARGUMENTS: {parameter.name}"


@pytest.mark.parametrize("parameter", BOUNDED, ids=name_of)
def test_a_text_is_bounded_in_bytes(parameter: Parameter, speaker: Speaker) -> None:
    assert parameter.max_bytes == 128
    assert speaker.ask_token(**{parameter.name: "é" * 64}).status == 200
    said = speaker.ask_token(**{parameter.name: "é" * 64 + "x"})
    assert said.error == f"400 BAD_ARGUMENTS: {parameter.name}"


@pytest.mark.parametrize("name", FILES)
def test_an_image_must_begin_as_a_jpeg_or_png_does(name: str, speaker: Speaker) -> None:
    for data, status in ((PHOTO, 200), (b"\x89PNG\r\n\x1a\n", 200), (b"GIF89a", 400), (b"", 400)):
        files = {"image_ref1": PHOTO, name: data}
        said = speaker.form(BIZ_TOKEN_PATH, speaker.signed(TEXTS), files)
        assert said.status == status
        if status == 400:
            assert said.error == f"400 IMAGE_ERROR_UNSUPPORTED_FORMAT: {name}"


@pytest.mark.parametrize("name", FILES)
def test_an_image_sent_as_text_is_missing(name: str, speaker: Speaker) -> None:
    files = {} if name == "image_ref1" else {"image_ref1": PHOTO}
    said = speaker.form(BIZ_TOKEN_PATH, speaker.signed({**TEXTS, name: "destroyed"}), files)
    assert said.error == f"400 MISSING_ARGUMENTS: {name}"


@pytest.mark.parametrize("name", ["device_risk", "verify_risk_detect", "face_quality_threshold"])
def test_a_parameter_without_a_documented_range_takes_anything(name: str, speaker: Speaker) -> None:
    assert speaker.ask_token(**{name: "whatever"}).status == 200


@pytest.mark.parametrize("name", ["biz_no", "uuid"])
@pytest.mark.parametrize(
    "magic",
    [
        *("sandbox:", "sandbox:atack", "sandbox:attack:1", "sandbox:slow:", "sandbox:slow:.5"),
        *("sandbox:slow:1.2.3", "sandbox:slow:121", "sandbox:slow:9999", "sandbox:slow:1s"),
        *("sandbox:slow:NaN", "sandbox:slow:-1", "sandbox:ATTACK", "sandbox:attack,"),
    ],
)
def test_a_misspelt_scenario_is_refused_instead_of_succeeding(
    name: str, magic: str, speaker: Speaker
) -> None:
    said = speaker.ask_token(**{name: f"ONB-1 {magic}"})
    assert said.error == f"400 BAD_ARGUMENTS: {name}"


def test_the_biz_no_asks_before_the_uuid(speaker: Speaker) -> None:
    token = speaker.token("sandbox:cancelled", uuid="sandbox:attack")
    assert speaker.verify(token).json["result_code"] == 4200
    assert speaker.verify(speaker.token("ONB", uuid="sandbox:attack")).json["result_code"] == 4100


@pytest.mark.parametrize(
    ("texts", "files", "error"),
    [
        ({}, {"meglive_data": PACKET}, "400 MISSING_ARGUMENTS: biz_token"),
        ({"biz_token": ""}, {"meglive_data": PACKET}, "400 MISSING_ARGUMENTS: biz_token"),
        ({"biz_token": "no token of ours"}, {}, "400 MISSING_ARGUMENTS: meglive_data"),
        ({"biz_token": "x"}, {"meglive_data": b""}, "400 MEGLIVE_DATA_ERROR"),
        ({"biz_token": "x", "meglive_data": "text"}, {}, "400 MEGLIVE_DATA_ERROR"),
    ],
)
def test_a_verify_that_lacks_something_is_told_what(
    texts: dict[str, str], files: dict[str, bytes], error: str, speaker: Speaker
) -> None:
    assert speaker.form(VERIFY_PATH, speaker.signed(texts), files).error == error


@pytest.mark.parametrize("path", ["/", "/faceid/v3/sdk/verify/", "/faceid/v3/sdk/VERIFY", "//x["])
def test_a_path_that_is_none_of_the_contracts_is_not_found(path: str, speaker: Speaker) -> None:
    assert speaker.form(path, speaker.signed({})).error == "404 API_NOT_FOUND"


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
def test_an_endpoint_has_no_other_method_than_post(method: str, speaker: Speaker) -> None:
    assert speaker.send(VERIFY_PATH, "", b"", method).error == "404 API_NOT_FOUND"


def test_the_largest_request_is_taken_and_one_byte_more_is_refused_in_plain_text(
    speaker: Speaker,
) -> None:
    token = speaker.token()
    texts = speaker.signed({"biz_token": token})

    def sized(size: int) -> Body:
        empty = encode(texts, {"meglive_data": Upload(b"")}, "b")
        return encode(texts, {"meglive_data": Upload(bytes(size - len(empty)))}, "b")

    sent = [MAX_REQUEST_BYTES + 1, MAX_REQUEST_BYTES]
    too_large, largest = (
        speaker.send(VERIFY_PATH, body.content_type, b"".join(map(bytes, body)))
        for body in map(sized, sent)
    )
    assert (too_large.status, too_large.body) == (413, b"Request Entity Too Large")
    assert (too_large.headers["Content-Type"], too_large.headers["Connection"]) == (
        "text/plain",
        "close",
    )
    assert largest.json["result_code"] == 1000
    assert [each.content_length for each in speaker.server.requests.entries()[1:]] == sent
