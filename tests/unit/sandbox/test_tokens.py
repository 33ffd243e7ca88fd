"""Spending is atomic: of the calls that name a token, one gets its result."""

import itertools
import json
from typing import Any

import pytest

from verification.faceid.contract import BIZ_TOKEN_PATH, TOKEN_LIFE_S, VERIFY_PATH
from verification.faceid.multipart import encode
from verification.faceid.signing import sign
from verification.faceid.types import Credentials, Upload
from verification.sandbox.scenarios import SUCCESS
from verification.sandbox.tokens import Issued, Memory
from verification.sandbox.vendor import Vendor, Verdict

NOW = 1_700_000_000
KEY, SECRET = "demo_key_0123456789abcdef", "demo_secret_fedcba9876543210"
NONCES = itertools.count()


class OvertakenMemory(Memory):
    """Another call spends the token between the look at it and our own spending."""

    is_overtaken = False

    def is_usable(self, issued: Issued) -> bool:
        was_usable = super().is_usable(issued)
        if self.is_overtaken:
            self.spend(issued)
        return was_usable


def post(vendor: Vendor, path: str, texts: dict[str, str], files: dict[str, bytes]) -> Verdict:
    signature = sign(
        Credentials(KEY, SECRET), current_time=NOW, expire_time=NOW + 60, random=next(NONCES)
    )
    signed = {"sign": signature, "sign_version": "hmac_sha1", **texts}
    body = encode(signed, {name: Upload(data) for name, data in files.items()}, "b")
    return vendor.decide(path, body.content_type, memoryview(b"".join(map(bytes, body))))


def ask_token(vendor: Vendor, scenario: str) -> str:
    texts = {"liveness_type": "still", "comparison_type": "0", "uuid": "p"}
    texts["biz_no"] = f"sandbox:{scenario}"
    verdict = post(vendor, BIZ_TOKEN_PATH, texts, {"image_ref1": b"\xff\xd8\xff"})
    return str(json.loads(verdict.reply.body)["biz_token"])


def verify(vendor: Vendor, token: str) -> Any:
    verdict = post(vendor, VERIFY_PATH, {"biz_token": token}, {"meglive_data": b"packet"})
    return verdict, json.loads(verdict.reply.body)


@pytest.mark.parametrize("scenario", ["success", "slow", "timeout-after", "429-once", "503-once"])
def test_a_call_that_is_overtaken_gets_no_second_result(scenario: str) -> None:
    memory = OvertakenMemory(lambda: NOW)
    vendor = Vendor(credentials={KEY: SECRET}, memory=memory, clock=lambda: NOW)
    token = ask_token(vendor, scenario)
    if scenario.endswith("once"):
        assert verify(vendor, token)[0].fault is not None
    memory.is_overtaken = True
    verdict, told = verify(vendor, token)
    assert (told["result_code"], told["result_message"]) == (4200, "BIZ_TOKEN_DENIED")
    assert verdict.fault is None


def test_a_token_is_spent_once_and_not_after_its_hour() -> None:
    now = [float(NOW)]
    memory = Memory(lambda: now[0])
    issued, late = memory.issue({}, SUCCESS), memory.issue({}, SUCCESS)
    assert [memory.spend(issued) for _ in range(3)] == [True, False, False]
    now[0] += TOKEN_LIFE_S
    assert not memory.is_usable(late)
    assert not memory.spend(late)


def test_a_token_that_was_issued_shows_in_no_repr() -> None:
    memory = Memory(lambda: NOW)
    vendor = Vendor(credentials={KEY: SECRET}, memory=memory, clock=lambda: NOW)
    token = ask_token(vendor, "success")
    assert token not in repr(memory.find(token))
    assert token not in repr(verify(vendor, token)[0])
