"""UUIDv7: the layout of RFC 9562, ordered by time."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from verification.identifiers import RANDOM_BITS, uuid7

TIMES = st.datetimes(
    min_value=datetime(1970, 1, 2),  # noqa: DTZ001 - the strategy adds the zone
    max_value=datetime(9999, 1, 1),  # noqa: DTZ001 - likewise
    timezones=st.just(UTC),
)


def test_the_example_of_the_standard() -> None:
    # RFC 9562, appendix A.6: 2022-02-22T19:22:22.00Z, rand_a 0xCC3, rand_b 0x18C4DC0C0C07398F
    at = datetime(2022, 2, 22, 19, 22, 22, tzinfo=UTC)
    made = uuid7(at, lambda _bits: 0xCC3 << 62 | 0x18C4DC0C0C07398F)
    assert str(made) == "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"


@given(at=TIMES, random=st.integers(0, 2**RANDOM_BITS - 1))
def test_version_and_variant_stand_whatever_the_bits(at: datetime, random: int) -> None:
    made = uuid7(at, lambda _bits: random)
    assert (made.version, made.variant) == (7, "specified in RFC 4122")


@given(at=TIMES)
def test_a_later_millisecond_sorts_later(at: datetime) -> None:
    later = at + timedelta(milliseconds=1)
    assert uuid7(at, lambda bits: 2**bits - 1) < uuid7(later, lambda _bits: 0)


def test_ids_of_one_instant_differ() -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    assert len({uuid7(at) for _ in range(1000)}) == 1000
