"""What differs between a call of ours and a line of theirs, case by case."""

from decimal import Decimal

import pytest

from verification.billing.bills import BillLine
from verification.billing.comparing import Finding, Terms, compare, is_missed
from verification.billing.lines import Billed, CostLine

PRICED = Decimal("0.085")
YES = CostLine(Billed.YES, PRICED, "USD")
NO = CostLine(Billed.NO, Decimal(0), None)
UNKNOWN = CostLine(Billed.NOT_KNOWN, PRICED, "USD")
BARE = CostLine(Billed.YES, None, None)
TERMS = Terms(has_amount=True, has_code=True, currency="USD")


def theirs(
    amount: str | None = "0.0850", code: int | None = 1000, *, billed: bool | None = True
) -> BillLine:
    return BillLine(2, "a", billed, None if amount is None else Decimal(amount), code)


@pytest.mark.parametrize(
    ("ours", "line", "found"),
    [
        (YES, theirs(), ()),
        (YES, theirs("0.08"), (Finding.AMOUNT,)),
        (YES, theirs("0", billed=False), (Finding.BILLED, Finding.AMOUNT)),
        (YES, theirs(code=2000), (Finding.CODE,)),
        (YES, theirs(code=None), (Finding.CODE,)),
        (NO, theirs(), (Finding.BILLED, Finding.AMOUNT)),
        (NO, theirs("0", billed=False), ()),
        (NO, theirs("0"), (Finding.BILLED,)),
        (UNKNOWN, theirs("0", billed=False), ()),
        (UNKNOWN, theirs(), (Finding.BILLED_NOT_KNOWN,)),
        (UNKNOWN, theirs(billed=None), (Finding.BILLED_NOT_KNOWN,)),
        (UNKNOWN, theirs("0.1", billed=None), (Finding.BILLED_NOT_KNOWN, Finding.AMOUNT)),
        (BARE, theirs(), (Finding.NO_PRICE,)),
        (CostLine(Billed.YES, PRICED, "SGD"), theirs(), (Finding.CURRENCY,)),
    ],
)
def test_each_case(ours: CostLine, line: BillLine, found: tuple[Finding, ...]) -> None:
    assert compare(ours, 1000, line, TERMS) == found


def test_what_the_file_does_not_say_does_not_differ() -> None:
    line = BillLine(2, "a")
    for ours in (YES, NO, UNKNOWN, BARE):
        assert compare(ours, 1000, line, Terms()) == ()


def test_in_a_list_of_billed_calls_each_line_is_billed() -> None:
    terms = Terms(lists_billed_only=True)
    line = BillLine(2, "a")
    assert compare(YES, 1000, line, terms) == ()
    assert compare(NO, 4200, line, terms) == (Finding.BILLED,)
    assert compare(UNKNOWN, None, line, terms) == (Finding.BILLED_NOT_KNOWN,)


@pytest.mark.parametrize(
    ("ours", "was_sent", "has_id", "everything", "billed_only"),
    [
        (YES, True, True, Finding.ONLY_OURS, Finding.ONLY_OURS),
        (NO, True, True, Finding.ONLY_OURS, None),
        (UNKNOWN, True, True, Finding.ONLY_OURS, None),
        (UNKNOWN, True, False, Finding.WITHOUT_ID, Finding.WITHOUT_ID),
        (NO, False, True, None, None),
        (NO, False, False, None, None),
    ],
)
def test_what_it_means_to_be_missing(
    ours: CostLine,
    was_sent: bool,
    has_id: bool,
    everything: Finding | None,
    billed_only: Finding | None,
) -> None:
    for terms, found in ((Terms(), everything), (Terms(lists_billed_only=True), billed_only)):
        assert is_missed(ours, terms, was_sent=was_sent, has_id=has_id) is found
