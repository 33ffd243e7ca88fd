"""Months of UTC, and what is none."""

from datetime import UTC, date, datetime

import pytest

from verification.billing.months import Month, MonthError, read_month


def test_a_month_begins_and_ends() -> None:
    month = read_month("2026-11")
    assert (str(month), month.first) == ("2026-11", date(2026, 11, 1))
    assert month.start == datetime(2026, 11, 1, tzinfo=UTC)
    assert month.end == datetime(2026, 12, 1, tzinfo=UTC)
    assert read_month("2026-12").following == Month(2027, 1)
    assert read_month("2199-12").end == datetime(2200, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    ["", "2026", "2026-13", "2026-00", "2026-1", "26-11", "2026-11-01", "2026-11\n", "1999-01"],
)
def test_what_is_no_month_is_refused(text: str) -> None:
    with pytest.raises(MonthError):
        read_month(text)
