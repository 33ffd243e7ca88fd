"""Who may call, and how often: signs and tokens, by a clock that the tests set."""

import base64
import re
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.integration.sandbox.conftest import NOW
from tests.integration.sandbox.speaking import (
    CREDENTIALS,
    PACKET,
    PHOTO,
    TEXTS,
    Clock,
    Said,
    Speaker,
)
from verification.faceid.contract import BIZ_TOKEN_PATH, TOKEN_LIFE_S, VERIFY_PATH
from verification.faceid.signing import sign
from verification.faceid.types import Credentials

C = int(NOW)
# The known answers of the contract, for its invented key pair.
KNOWN_REUSABLE = (
    "9GYCt53DdU+5wYKyxEWb1k/+5FBhPWRlbW9fa2V5XzAxMjM0NTY3ODlhYmNkZWYmYj0xNzAwMDAwMTAwJmM9MTcwMDAwMD"
    "AwMCZkPTEyMzQ1Njc4OTA="
)
KNOWN_SINGLE_USE = (
    "rWiUVrAP1qCqzOYj9pf8hFDQ2HthPWRlbW9fa2V5XzAxMjM0NTY3ODlhYmNkZWYmYj0wJmM9MTcwMDAwMDAwMCZkPTA3OT"
    "k2ODcwNjY="
)


def with_sign(speaker: Speaker, given: str, version: str = "hmac_sha1") -> Said:
    texts = {**TEXTS, "sign": given, "sign_version": version}
    return speaker.form(BIZ_TOKEN_PATH, texts, {"image_ref1": PHOTO})


def made(expire_time: int, random: int, credentials: Credentials = CREDENTIALS) -> str:
    return sign(credentials, current_time=C, expire_time=expire_time, random=random)


def test_a_reusable_sign_serves_until_its_time_is_over(speaker: Speaker, clock: Clock) -> None:
    for now in (C, C, C + 100):
        clock.now = now
        assert with_sign(speaker, KNOWN_REUSABLE).status == 200
    clock.now = C + 101
    assert with_sign(speaker, KNOWN_REUSABLE).error == "403 AUTHORIZATION_ERROR: EXPIRED_SIGN"


def test_a_single_use_sign_serves_once_at_any_time(speaker: Speaker, clock: Clock) -> None:
    clock.now = C + 10 * TOKEN_LIFE_S
    assert with_sign(speaker, KNOWN_SINGLE_USE).status == 200
    again = with_sign(speaker, KNOWN_SINGLE_USE)
    assert again.error == "403 AUTHORIZATION_ERROR: INVALID_SIGN"


def test_a_single_use_sign_sent_many_times_at_once_serves_once(speaker: Speaker) -> None:
    single = made(0, 42)
    with ThreadPoolExecutor(8) as pool:
        said = list(pool.map(lambda _: with_sign(speaker, single).status, range(16)))
    assert sorted(said) == [200, *[403] * 15]


def test_a_sign_that_expires_in_its_own_second_serves_in_it(speaker: Speaker, clock: Clock) -> None:
    assert with_sign(speaker, made(C, 7)).status == 200
    clock.now = C + 1
    assert with_sign(speaker, made(C, 7)).error.endswith("EXPIRED_SIGN")


def test_a_time_in_milliseconds_serves_for_ever(speaker: Speaker, clock: Clock) -> None:
    clock.now = NOW * 100
    assert with_sign(speaker, made(C * 1000, 7)).status == 200


@pytest.mark.parametrize(
    "given",
    [
        "nonsense",
        "A" * 300,
        "ü",
        KNOWN_REUSABLE[:-1],
        KNOWN_REUSABLE.replace("+", " "),
        KNOWN_REUSABLE + "\n",
        base64.b64encode(bytes(20)).decode(),
        base64.b64encode(bytes(20) + base64.b64decode(KNOWN_REUSABLE)[20:]).decode(),
        made(C + 9, 1, Credentials(CREDENTIALS.api_key, "another secret")),
        made(C + 9, 1, Credentials("another_key", CREDENTIALS.api_secret)),
    ],
)
def test_a_malformed_or_forged_sign_is_invalid(given: str, speaker: Speaker) -> None:
    assert with_sign(speaker, given).error == "403 AUTHORIZATION_ERROR: INVALID_SIGN"


def test_a_sign_is_required_with_the_only_version_there_is(speaker: Speaker) -> None:
    assert with_sign(speaker, "").error == "400 MISSING_ARGUMENTS: sign"
    assert with_sign(speaker, KNOWN_REUSABLE, "").error == "400 MISSING_ARGUMENTS: sign_version"
    said = with_sign(speaker, KNOWN_REUSABLE, "hmac_sha256")
    assert said.error == "400 BAD_ARGUMENTS: sign_version"


def test_verify_checks_signs_too(speaker: Speaker) -> None:
    texts = {"sign": "nonsense", "sign_version": "hmac_sha1", "biz_token": speaker.token()}
    said = speaker.form(VERIFY_PATH, texts, {"meglive_data": PACKET})
    assert said.error == "403 AUTHORIZATION_ERROR: INVALID_SIGN"


def test_a_token_holds_its_second_and_a_uuid(speaker: Speaker) -> None:
    told = speaker.ask_token().json
    shape = rf"{C},[0-9a-f]{{8}}-[0-9a-f]{{4}}-4[0-9a-f]{{3}}-[89ab][0-9a-f]{{3}}-[0-9a-f]{{12}}"
    assert re.fullmatch(shape, told["biz_token"])
    assert re.fullmatch(shape, told["request_id"])
    assert type(told["time_used"]) is int


def denied(said: Said, biz_no: str) -> None:
    told = said.json
    assert (said.status, told["result_code"]) == (200, 4200)
    assert (told["result_message"], told["biz_no"]) == ("BIZ_TOKEN_DENIED", biz_no)
    assert "attack_result" not in told


def test_a_token_serves_once(speaker: Speaker) -> None:
    token = speaker.token("ONB-1")
    assert speaker.verify(token).json["result_code"] == 1000
    denied(speaker.verify(token), "ONB-1")


@pytest.mark.parametrize(
    "age_and_code", [(TOKEN_LIFE_S - 1, 1000), (TOKEN_LIFE_S, 4200), (2 * TOKEN_LIFE_S, 4200)]
)
def test_a_token_lives_for_an_hour(
    age_and_code: tuple[int, int], speaker: Speaker, clock: Clock
) -> None:
    token = speaker.token("ONB-1")
    clock.now = NOW + age_and_code[0]
    said = speaker.verify(token)
    assert said.json["result_code"] == age_and_code[1]
    if age_and_code[1] == 4200:
        denied(said, "ONB-1")


def test_a_token_that_nobody_issued_is_denied(speaker: Speaker) -> None:
    denied(speaker.verify(f"{C},00000000-0000-4000-8000-000000000000"), "")
    denied(speaker.verify("x"), "")


def test_a_refused_packet_does_not_spend_the_token(speaker: Speaker) -> None:
    token = speaker.token()
    assert speaker.verify(token, b"").error == "400 MEGLIVE_DATA_ERROR"
    assert speaker.verify(token).json["result_code"] == 1000


@pytest.mark.parametrize("scenario", ["success", "slow:0.05", "429-once", "503-once"])
def test_verify_calls_that_race_for_a_token_get_one_result(scenario: str, speaker: Speaker) -> None:
    token = speaker.token(f"sandbox:{scenario}")
    if scenario.endswith("once"):
        assert speaker.verify(token).status in {429, 503}
    start = threading.Barrier(8)

    def verify(_: int) -> int:
        start.wait(5)
        return int(speaker.verify(token).json["result_code"])

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(verify, range(8))) == [1000, *[4200] * 7]


def test_a_raw_image_token_needs_no_packet_and_others_do(speaker: Speaker) -> None:
    raw_image = speaker.token(liveness_type="raw_image")
    said = speaker.form(VERIFY_PATH, speaker.signed({"biz_token": raw_image}))
    assert said.json["result_code"] == 1000
    said = speaker.form(VERIFY_PATH, speaker.signed({"biz_token": speaker.token()}))
    assert said.error == "400 MISSING_ARGUMENTS: meglive_data"


def test_a_raw_image_tokens_packet_is_looked_at_if_it_is_there(speaker: Speaker) -> None:
    token = speaker.token(liveness_type="raw_image")
    as_text = speaker.signed({"biz_token": token, "meglive_data": "destroyed"})
    assert speaker.form(VERIFY_PATH, as_text).error == "400 MEGLIVE_DATA_ERROR"
    assert speaker.verify(token, b"").error == "400 MEGLIVE_DATA_ERROR"
    assert speaker.verify(token).json["result_code"] == 1000
