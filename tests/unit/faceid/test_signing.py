import base64
import hmac
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verification.faceid.signing import RANDOM_RANGE, SignError, check, sign
from verification.faceid.types import Credentials

VECTORS = json.loads((Path(__file__).parents[2] / "vectors/faceid_sign.json").read_text())
CREDENTIALS = Credentials(VECTORS["api_key"], VECTORS["api_secret"])
NOW = 1_700_000_000


def secret_for(api_key: str) -> str | None:
    return CREDENTIALS.api_secret if api_key == CREDENTIALS.api_key else None


def sign_of(raw: str, secret: str = CREDENTIALS.api_secret) -> str:
    """A sign over any message, with the right MAC."""
    mac = hmac.digest(secret.encode(), raw.encode(), "sha1")
    return base64.b64encode(mac + raw.encode()).decode()


@pytest.mark.parametrize("vector", VECTORS["signs"], ids=lambda vector: vector["random"])
def test_a_sign_equals_the_known_answer(vector: dict[str, Any]) -> None:
    made = sign(
        CREDENTIALS,
        current_time=int(vector["current_time"]),
        expire_time=int(vector["expire_time"]),
        random=int(vector["random"]),
    )
    assert made == vector["sign"]


@pytest.mark.parametrize("vector", VECTORS["signs"], ids=lambda vector: vector["random"])
def test_a_known_answer_is_accepted(vector: dict[str, Any]) -> None:
    checked = check(vector["sign"], secret_for=secret_for, now=NOW)
    assert checked.api_key == CREDENTIALS.api_key
    assert checked.random == vector["random"]
    assert checked.single_use == (int(vector["expire_time"]) == 0)
    assert len(checked.digest) == 64


@given(
    now=st.integers(0, 10**12),
    life_s=st.integers(0, 10**4),
    random=st.integers(0, RANDOM_RANGE - 1),
    secret=st.text(st.characters(codec="utf-8"), min_size=1),
)
def test_what_was_signed_is_accepted_until_it_expires(
    now: int, life_s: int, random: int, secret: str
) -> None:
    made = sign(
        Credentials("key", secret), current_time=now, expire_time=now + life_s, random=random
    )
    checked = check(made, secret_for=lambda _: secret, now=now + life_s)
    assert (checked.current_time, int(checked.random)) == (now, random)
    if now + life_s:
        with pytest.raises(SignError) as refused:
            check(made, secret_for=lambda _: secret, now=now + life_s + 1)
        assert refused.value.reason == "EXPIRED_SIGN"


@given(st.one_of(st.text(), st.binary()))
def test_junk_is_an_invalid_sign(junk: str | bytes) -> None:
    with pytest.raises(SignError) as refused:
        check(junk, secret_for=secret_for, now=NOW)
    assert refused.value.reason == "INVALID_SIGN"


@pytest.mark.parametrize(
    "raw",
    [
        f"a=unknown&b={NOW + 9}&c={NOW}&d=1",
        f"a={CREDENTIALS.api_key}&c={NOW}&b={NOW + 9}&d=1",
        f"a={CREDENTIALS.api_key}&b={NOW + 9}&c={NOW}&d=12345678901",
        f"a={CREDENTIALS.api_key}&b=-1&c={NOW}&d=1",
        f"a={CREDENTIALS.api_key}&b={NOW + 9}&c={NOW}&d=1&e=2",
        f"a={CREDENTIALS.api_key}&b={NOW + 9}&c={NOW}&d=1\n",
        f"a={CREDENTIALS.api_key}&b=\u0661\u0667&c={NOW}&d=1",
    ],
)
def test_a_message_of_another_shape_is_an_invalid_sign(raw: str) -> None:
    with pytest.raises(SignError) as refused:
        check(sign_of(raw), secret_for=secret_for, now=NOW)
    assert refused.value.reason == "INVALID_SIGN"


@pytest.mark.parametrize(
    "raw",
    [
        f"a={CREDENTIALS.api_key}&b={NOW}&c={NOW}&d=1",
        f"a={CREDENTIALS.api_key}&b={NOW}000&c={NOW}&d=1",
    ],
    ids=["expires-at-once", "milliseconds"],
)
def test_shapes_that_real_clients_send_are_accepted(raw: str) -> None:
    assert check(sign_of(raw), secret_for=secret_for, now=NOW).current_time == NOW


def test_another_secret_and_a_blank_for_a_plus_are_refused() -> None:
    raw = f"a={CREDENTIALS.api_key}&b={NOW + 9}&c={NOW}&d=1"
    known = VECTORS["signs"][0]["sign"]
    assert "+" in known
    for bad in (sign_of(raw, "another secret"), known.replace("+", " "), "A" * 2000):
        with pytest.raises(SignError) as refused:
            check(bad, secret_for=secret_for, now=NOW)
        assert refused.value.reason == "INVALID_SIGN"


@pytest.mark.parametrize(
    ("key", "random"), [("key&b=0", 1), ("", 1), ("key", RANDOM_RANGE), ("key", -1), ("ключ", 1)]
)
def test_what_cannot_stand_in_the_message_is_not_signed(key: str, random: int) -> None:
    with pytest.raises(ValueError):
        sign(Credentials(key, "secret"), current_time=NOW, expire_time=0, random=random)


def test_no_secret_is_shown() -> None:
    checked = check(VECTORS["signs"][1]["sign"], secret_for=secret_for, now=NOW)
    assert CREDENTIALS.api_secret not in repr(CREDENTIALS)
    assert checked.digest not in repr(checked)
