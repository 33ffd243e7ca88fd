"""Prices stay as they were recorded, by who may, and the log tells of each."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date
from decimal import Decimal

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, connection, transaction

from tests.integration.billing.conftest import NOTE, SetPrice
from tests.integration.database.conftest import RESTRICT_VIOLATION, refusal
from tests.integration.ledger.lives import seal
from tests.integration.staff_exports.test_staff_exports import entries
from tests.owner import unguarded
from verification.billing.prices import CallKind
from verification.models import Price
from verification.selectors.prices import prices_as_recorded, recorded_prices
from verification.services.errors import BadPriceError, BadReasonError, NotPermittedError
from verification.services.faults import FaultCode
from verification.services.policy_entries import text_sha256
from verification.services.runtime import Runtime
from verification.services.verifying import verify

pytestmark = pytest.mark.django_db(transaction=True)

INSERT = """
    INSERT INTO verification_price (id, kind, region, amount, currency, valid_from,
        recorded_by_id, recorded_at, note)
    VALUES (gen_random_uuid(), {kind}, {region}, {amount}, {currency}, '2026-01-01', {by}, {at},
        {note})
"""
GOOD = {
    "kind": "'verify'", "region": "NULL", "amount": "0.1", "currency": "'USD'", "at": "now()",
    "note": "'x'",
}  # fmt: skip


def insert(by: User, **given: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(INSERT.format(**{**GOOD, "by": by.pk, **given}))


def amount_on(day: date, region: str = "sgp") -> Decimal | None:
    held = recorded_prices().price_of(CallKind.VERIFY, region, day)
    return None if held is None else held.amount


def test_a_price_is_on_record_and_in_the_log(put: SetPrice, people: dict[str, User]) -> None:
    row = put("0.0850", "2026-03-01", region="idn")
    (entry,) = entries("price.set")
    assert {name: entry[name] for name in entry if name != "at"} == {
        "amount": "0.0850",
        "by": "administrator",
        "by_id": str(people["administrator"].pk),
        "call": "verify",
        "currency": "USD",
        "kind": "price.set",
        "note_sha256": text_sha256(NOTE),
        "price": str(row.pk),
        "region": "idn",
        "valid_from": "2026-03-01",
    }
    assert str(Price.objects.get().amount) == "0.0850"


def test_a_correction_holds_and_what_it_corrects_stays(put: SetPrice) -> None:
    put("0.5", "2026-03-01")
    put("0.2", "2026-06-01")
    put("0.05", "2026-03-01")
    put("0.01", "2026-01-01")
    days = (date(2026, 1, 1), date(2026, 3, 1), date(2026, 6, 1))
    assert [amount_on(each) for each in days] == [Decimal("0.01"), Decimal("0.05"), Decimal("0.2")]
    assert amount_on(date(2025, 12, 31)) is None
    shown = [(str(row.amount), holds) for row, holds in prices_as_recorded(10)]
    assert shown == [("0.01", True), ("0.05", True), ("0.2", True), ("0.5", False)]


@pytest.mark.parametrize("role", ["officer", "approver", "auditor", "engineer"])
def test_only_administrators_set_prices(role: str, put: SetPrice, people: dict[str, User]) -> None:
    with pytest.raises(NotPermittedError):
        put("0.1", by=people[role])
    assert refusal(lambda: insert(people[role])) == RESTRICT_VIOLATION
    assert refusal(lambda: insert(people["administrator"])) == ""


@pytest.mark.parametrize(
    "given",
    [
        {"kind": "compare"},
        {"region": "mars"},
        {"region": ""},
        {"currency": "usd"},
        {"amount": "-1"},
        {"amount": "NaN"},
        {"amount": "0.0000001"},
        {"valid_from": "2026-02-30"},
        {"valid_from": "20260201"},
        {"valid_from": "0001-01-01"},
    ],
)
def test_what_is_no_price_is_refused(given: dict[str, str], put: SetPrice) -> None:
    with pytest.raises(BadPriceError):
        put(**{"amount": "0.1", **given})
    assert not Price.objects.exists()
    assert entries("price.set") == []


def test_a_price_needs_a_note(put: SetPrice) -> None:
    with pytest.raises(BadReasonError):
        put("0.1", note=" " * 20)


@pytest.mark.parametrize(
    "given",
    [
        {"amount": "'NaN'"}, {"amount": "'Infinity'"}, {"amount": "-0.1"}, {"amount": "0.0000001"},
        {"amount": "1000000000"}, {"currency": "'usd'"}, {"currency": "'US'"}, {"kind": "'other'"},
        {"region": "''"}, {"note": "''"},
    ],
)  # fmt: skip
def test_the_database_refuses_what_is_no_price(
    given: dict[str, str], people: dict[str, User]
) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        insert(people["administrator"], **given)


@pytest.mark.parametrize(
    "at", ["now() - interval '6 minutes'", "now() + interval '2 minutes'", "'infinity'"]
)
def test_a_price_is_recorded_now(at: str, people: dict[str, User]) -> None:
    assert refusal(lambda: insert(people["administrator"], at=at)) == RESTRICT_VIOLATION


def test_none_is_slipped_in_before_a_newer_one(put: SetPrice, people: dict[str, User]) -> None:
    put("0.1")
    older = "now() - interval '1 minute'"
    assert refusal(lambda: insert(people["root"], at=older)) == RESTRICT_VIOLATION
    same = "(SELECT max(recorded_at) FROM verification_price)"
    assert refusal(lambda: insert(people["root"], at=same)) == RESTRICT_VIOLATION
    assert refusal(lambda: insert(people["root"], at=older, region="'idn'")) == ""


def test_prices_set_at_the_same_moment_follow_each_other(put: SetPrice) -> None:
    def one(number: int) -> None:
        try:
            put(f"0.{number}")
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(one, range(1, 13)))
    times = list(Price.objects.values_list("recorded_at", flat=True))
    assert len(set(times)) == 12
    assert amount_on(date(2026, 1, 1)) == Price.objects.order_by("recorded_at").reverse()[0].amount
    assert len(entries("price.set")) == 12


EDITS = {
    "another amount": ("UPDATE verification_price SET amount = 0.01", "amount"),
    "other digits": ("UPDATE verification_price SET amount = 0.085", "amount"),
    "another currency": ("UPDATE verification_price SET currency = 'IDR'", "currency"),
    "an earlier day": ("UPDATE verification_price SET valid_from = '2025-01-01'", "valid_from"),
    "every region": ("UPDATE verification_price SET region = NULL", "region"),
    "another call": ("UPDATE verification_price SET kind = 'biz_token'", "call"),
    "another note": ("UPDATE verification_price SET note = 'x'", "note_sha256"),
    "another time": (
        "UPDATE verification_price SET recorded_at = recorded_at - interval '1 s'",
        "at",
    ),
    "another person": ("UPDATE verification_price SET recorded_by_id = {root}", "by_id"),
    "gone": ("DELETE FROM verification_price", "is gone"),
    "slipped in": (
        (
            "INSERT INTO verification_price SELECT gen_random_uuid(), kind, region, amount,"
            " currency, valid_from, recorded_at, note, recorded_by_id FROM verification_price"
        ),
        "in no entry",
    ),
}


@pytest.mark.parametrize("what", EDITS)
def test_an_edited_price_is_refused_and_named(
    what: str, put: SetPrice, people: dict[str, User], runtime: Runtime
) -> None:
    put("0.0850", "2026-03-01", region="idn")
    seal(runtime)
    assert verify(runtime=runtime).faults == ()
    statement = EDITS[what][0].format(root=people["root"].pk)
    if what != "slipped in":
        assert refusal(lambda: _run(statement)) == RESTRICT_VIOLATION
    with unguarded("verification_price"):
        _run(statement)
    found = verify(runtime=runtime).faults
    assert {each.code for each in found} == {FaultCode.REGISTER}
    assert EDITS[what][1] in found[0].sentence


def _run(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)
