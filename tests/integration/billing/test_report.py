"""The report of a month: every call once, at the price of its day, to the last digit."""

import csv
import io
import stat
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.factories import ANSWERS, ERRORS, make_attempt, make_client, make_session
from tests.integration.billing.conftest import NOTE, SetPrice
from verification.billing.lines import Billed, Call, add_up, cost_line
from verification.billing.months import Month
from verification.billing.prices import CallKind
from verification.lifecycle import State
from verification.models import Price, VerificationAttempt, VerificationSession
from verification.selectors.costs import COLUMNS, MonthReport, month_report, report_csv
from verification.selectors.prices import recorded_prices

pytestmark = pytest.mark.django_db(transaction=True)

NOVEMBER = Month(2026, 11)
START = datetime(2026, 11, 1, tzinfo=UTC)


def totals_of(report: MonthReport) -> dict[str, tuple[str, str]]:
    return {
        each.currency: (f"{each.billed:f}", f"{each.not_known:f}")
        for each in report.totals.by_currency
    }


def billed_of(report: MonthReport) -> dict[tuple[object, ...], tuple[Billed, int, str | None]]:
    return {
        (row.group.state, row.group.result_code, row.group.result_message): (
            row.line.billed,
            row.line.calls,
            None if row.line.amount is None else f"{row.line.amount:f}",
        )
        for row in report.rows
        if row.group.kind == CallKind.VERIFY
    }


def test_each_result_and_state_is_billed_as_the_contract_says(put: SetPrice) -> None:
    put("0.085")
    client = make_client()
    for outcome in ANSWERS:
        make_attempt(outcome, client=client)
    for state in ("accepted", "sending", *ERRORS):
        make_attempt(None, state=state, client=client)
    # The comparison was forced and says an attack beside it: it is billed all the same.
    make_attempt(
        "liveness_failed",
        client=client,
        result_code=1000,
        result_message="SUCCESS",
        billable=True,
        is_attack=True,
    )
    report = month_report(NOVEMBER)
    answered = State.ANSWERED
    assert billed_of(report) == {
        (answered, 1000, "SUCCESS"): (Billed.YES, 2, "0.170"),
        (answered, 2000, "PASS_LIVING_NOT_THE_SAME"): (Billed.YES, 1, "0.085"),
        (answered, 4100, "FAIL_LIVING_FACE_ATTACK"): (Billed.NO, 1, "0"),
        (answered, 4200, "USER_CANCELLATION"): (Billed.NO, 1, "0"),
        (answered, 3000, "DATA_SOURCE_ERROR"): (Billed.NO, 1, "0"),
        (answered, 7321, None): (Billed.NOT_KNOWN, 1, "0.085"),
        (State.SENDING, None, None): (Billed.NOT_KNOWN, 1, "0.085"),
        (State.REJECTED, None, None): (Billed.NOT_KNOWN, 1, "0.085"),
        (State.IN_DOUBT, None, None): (Billed.NOT_KNOWN, 1, "0.085"),
        (State.CLOSED, None, None): (Billed.NOT_KNOWN, 1, "0.085"),
    }
    assert totals_of(report) == {"USD": ("0.255", "0.425")}


def test_a_try_that_never_left_costs_nothing(put: SetPrice) -> None:
    put("0.085")
    make_attempt(None, state="not_sent", send_no=2)
    report = month_report(NOVEMBER)
    assert [(row.line.billed, row.line.calls) for row in report.rows] == [(Billed.NO, 1)]
    assert report.totals.by_currency == ()


def test_the_time_of_sending_decides_which_month(put: SetPrice) -> None:
    put("1", "2020-01-01")
    tick = timedelta(microseconds=1)
    for sent_at in (START - tick, START, NOVEMBER.end - tick, NOVEMBER.end):
        make_attempt("verified", created_at=START - timedelta(days=1), sent_at=sent_at)
    assert month_report(Month(2026, 10)).totals.calls == 1
    assert month_report(NOVEMBER).totals.calls == 2
    assert month_report(Month(2026, 12)).totals.calls == 1


def test_a_price_that_changes_within_the_month_parts_it(put: SetPrice) -> None:
    put("0.10")
    put("0.20", "2026-11-15")
    put("0.30", "2026-11-20", currency="SGD")
    client = make_client()
    for day in (1, 14, 15, 19, 20, 30):
        make_attempt("verified", client=client, created_at=datetime(2026, 11, day, tzinfo=UTC))
    report = month_report(NOVEMBER)
    assert totals_of(report) == {"USD": ("0.60", "0"), "SGD": ("0.60", "0")}
    assert [(row.line.calls, row.line.currency) for row in report.rows] == [(2, "SGD"), (4, "USD")]


def test_a_price_recorded_later_for_an_earlier_day_holds_from_that_day(put: SetPrice) -> None:
    put("0.10")
    make_attempt("verified", created_at=datetime(2026, 11, 10, tzinfo=UTC))
    assert totals_of(month_report(NOVEMBER)) == {"USD": ("0.10", "0")}
    put("0.07", "2026-11-10")
    assert totals_of(month_report(NOVEMBER)) == {"USD": ("0.07", "0")}
    put("0.01", "2026-11-11")
    assert totals_of(month_report(NOVEMBER)) == {"USD": ("0.07", "0")}


def test_what_has_no_price_is_counted_and_not_valued(put: SetPrice) -> None:
    put("0.10", "2026-11-20")
    make_attempt("verified", created_at=datetime(2026, 11, 19, tzinfo=UTC))
    make_session(created_at=datetime(2026, 11, 19, tzinfo=UTC))
    totals = month_report(NOVEMBER).totals
    assert totals.by_currency == ()
    assert (totals.billed_without_price, totals.not_known_without_price) == (1, 1)


def test_of_a_biz_token_it_is_not_known(put: SetPrice) -> None:
    put("0.02", kind="biz_token")
    make_session()
    (row,) = month_report(NOVEMBER).rows
    assert (row.group.kind, row.line.billed, row.line.amount) == (
        CallKind.BIZ_TOKEN,
        Billed.NOT_KNOWN,
        Decimal("0.02"),
    )


def test_messages_without_end_share_a_row(put: SetPrice) -> None:
    client = make_client()
    for number in range(5):
        make_attempt("unrecognised", client=client, result_message=f"NEW {number}")
    assert [row.line.calls for row in month_report(NOVEMBER).rows] == [5]


def _calls() -> Iterator[Call]:
    for each in VerificationAttempt.objects.filter(sent_at__isnull=False):
        assert each.sent_at is not None
        yield Call(
            CallKind.VERIFY,
            each.region,
            each.sent_at.astimezone(UTC).date(),
            State(each.state),
            each.result_code,
            each.result_message,
        )
    for token in VerificationSession.objects.all():
        yield Call(CallKind.BIZ_TOKEN, token.region, token.created_at.astimezone(UTC).date())


def test_the_report_is_the_sum_of_its_lines(put: SetPrice) -> None:
    put("0.085001")
    put("0.1", "2026-11-09", region="idn")
    put("1200.5", "2026-11-17", region="idn", currency="IDR")
    put("0.003", "2026-11-05", kind="biz_token")
    clients = [make_client() for _ in range(3)]
    whats: list[dict[str, Any]] = [
        *({"outcome": each} for each in ANSWERS),
        *({"outcome": None, "state": each} for each in ERRORS),
    ]
    for number in range(90):
        at = START + timedelta(days=number % 29, hours=number % 24)
        make_attempt(
            **whats[number % len(whats)],
            client=clients[number % 3],
            created_at=at,
            region=("sgp", "idn")[number % 2],
        )
        if number % 3 == 0:
            make_session(clients[number % 3], created_at=at)
    report = month_report(NOVEMBER)
    prices = recorded_prices()
    assert report.totals == add_up(cost_line(each, prices) for each in _calls())
    assert report.totals == add_up(row.line for row in report.rows)
    assert len(report.totals.by_currency) == 2
    written = list(csv.DictReader(io.StringIO(b"".join(report_csv(report)).decode())))
    for total in report.totals.by_currency:
        sums = {
            billed: sum(
                (
                    Decimal(line["amount"])
                    for line in written
                    if line["currency"] == total.currency and line["billed"] == billed
                ),
                Decimal(0),
            )
            for billed in Billed
        }
        assert sums[Billed.YES] == total.billed
        assert sums[Billed.NOT_KNOWN] == total.not_known
    never_sent = VerificationAttempt.objects.filter(sent_at=None).count()
    assert sum(int(line["calls"]) for line in written) == report.totals.calls == 120 - never_sent


def test_it_costs_the_same_number_of_queries_at_any_size(put: SetPrice) -> None:
    for day in range(1, 20):
        put("0.1", f"2026-11-{day:02}")
        make_attempt("verified")
    with CaptureQueriesContext(connection) as queries:
        month_report(NOVEMBER)
    assert len(queries) == 3


def test_a_name_that_is_a_formula_is_disarmed(put: SetPrice) -> None:
    make_attempt("verified", client=make_client("=HYPERLINK(1)"))
    _, line = b"".join(report_csv(month_report(NOVEMBER))).decode().splitlines()
    assert ",'=HYPERLINK(1)," in line


def test_the_command_writes_a_private_file_once(put: SetPrice, tmp_path: Path) -> None:
    put("0.085")
    make_attempt("verified")
    path = tmp_path / "costs.csv"
    err = io.StringIO()
    call_command("billing_report", month=NOVEMBER, output=path, stderr=err)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    header, line = path.read_text().splitlines()
    assert header == ",".join(COLUMNS)
    assert line.endswith("sandbox,answered,1000,SUCCESS,yes,1,USD,0.085")
    assert "USD: 0.085 for 1 billed calls" in err.getvalue()
    with pytest.raises(CommandError, match="--force replaces it"):
        call_command("billing_report", month=NOVEMBER, output=path)
    call_command("billing_report", month=NOVEMBER, output=path, force=True, stderr=err)


@pytest.mark.parametrize("month", ["2026", "2026-13", "last"])
def test_what_is_no_month_is_refused(month: str) -> None:
    with pytest.raises(CommandError, match="is no month"):
        call_command("billing_report", f"--month={month}")


def test_the_command_sets_a_price_and_lists_them(people: dict[str, User]) -> None:
    given = ("--call=verify", "--currency=USD", "--valid-from=2026-11-01", f"--note={NOTE}")
    out = io.StringIO()
    call_command("billing_price", "0.0850", *given, "--by=administrator", stdout=out)
    call_command("billing_price", "0.0900", *given, "--by=administrator", stdout=out)
    call_command("billing_price", stdout=out)
    assert out.getvalue().splitlines()[2:] == [
        "verify 0.0900 USD from 2026-11-01, every region",
        "verify 0.0850 USD from 2026-11-01, every region, corrected since",
    ]
    assert Price.objects.filter(valid_from=date(2026, 11, 1)).count() == 2


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (("--by=auditor",), "does not include"),
        (("--by=nobody",), "no account"),
        ((), "needs --by"),
        (("--by=administrator", "--note=x"), "reason"),
        (("--by=administrator", "--currency=usd"), "amount such as"),
    ],
)
def test_the_command_keeps_to_the_rules(
    given: tuple[str, ...], sentence: str, people: dict[str, User]
) -> None:
    base = ("--call=verify", "--currency=USD", "--valid-from=2026-11-01", f"--note={NOTE}")
    with pytest.raises(CommandError, match=sentence):
        call_command("billing_price", "0.085", *base, *given)
    assert not Price.objects.exists()
