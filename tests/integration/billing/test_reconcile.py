"""The vendor's bill held against the record: every difference is found, and nothing else is."""

import csv
import hashlib
import io
import stat
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from tests.factories import make_attempt, make_client, make_session
from tests.integration.billing.conftest import SetPrice
from tests.integration.staff_exports.test_staff_exports import entries
from verification.models import VerificationAttempt
from verification.services.reconciling import COLUMNS

pytestmark = pytest.mark.django_db(transaction=True)

START, END = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)
NAMED = (
    "--month=2026-11", "--request-id-column=id", "--billed-column=billed", "--amount-column=cost",
    "--currency=USD", "--code-column=code",
)  # fmt: skip
HEADER = ("id", "billed", "cost", "code")


class Run:
    """What a run of the command said, and what it wrote."""

    def __init__(self, folder: Path) -> None:
        self.file, self.output = folder / "bill.csv", folder / "found.csv"
        self.exit, self.said = 0, ""
        self.found: list[dict[str, str]] = []

    def __call__(self, *rows: tuple[object, ...], options: tuple[str, ...] = NAMED) -> "Run":
        out = io.StringIO()
        csv.writer(out, lineterminator="\n").writerows([HEADER, *rows])
        self.file.write_text(out.getvalue())
        return self.again(*options)

    def again(self, *options: str) -> "Run":
        """Run it over the file as it is."""
        out = io.StringIO()
        output = f"--output={self.output}"
        try:
            call_command("billing_reconcile", self.file, output, "--force", *options, stdout=out)
            self.exit = 0
        except SystemExit as end:
            self.exit = int(str(end.code))
        self.said = out.getvalue()
        self.found = list(csv.DictReader(io.StringIO(self.output.read_text())))
        return self

    @property
    def findings(self) -> list[tuple[str, str]]:
        return [(each["findings"], each["request_id"]) for each in self.found]


@pytest.fixture
def run(put: SetPrice, tmp_path: Path) -> Run:
    """Return the command; a billed call costs 0.085 USD."""
    put("0.085")
    return Run(tmp_path)


def theirs(attempt: VerificationAttempt) -> tuple[object, ...]:
    """Return the line of a bill that agrees."""
    cost = "0.085" if attempt.billable else "0"
    return (attempt.request_id, "yes" if attempt.billable else "no", cost, attempt.result_code)


def test_they_agree(run: Run) -> None:
    ones = [make_attempt(each) for each in ("verified", "different_person", "not_completed")]
    ended = run(*map(theirs, ones))
    assert (ended.exit, ended.found) == (0, [])
    assert ended.said.splitlines()[:3] == [
        "           3  lines of theirs",
        "           3  calls of ours in the month",
        "           3  agree",
    ]
    assert ended.output.read_text() == ",".join(COLUMNS) + "\n"
    assert stat.S_IMODE(ended.output.stat().st_mode) == 0o600


def test_what_only_one_of_us_has(run: Run) -> None:
    mine = make_attempt("verified")
    ended = run(("1700000000,unheard", "yes", "0.085", 1000))
    assert ended.exit == 1
    assert ended.findings == [("only_theirs", "1700000000,unheard"), ("only_ours", mine.request_id)]
    assert ended.found[0]["line"] == "2"
    assert ended.found[1]["id"] == str(mine.pk)


def test_what_they_bill_twice(run: Run) -> None:
    mine = make_attempt("verified")
    ended = run(theirs(mine), theirs(mine), theirs(mine))
    assert ended.exit == 1
    assert [(each["findings"], each["line"]) for each in ended.found] == [
        ("twice", "3"),
        ("twice", "4"),
    ]


def test_one_id_of_two_calls_is_no_duplicate_of_theirs(run: Run) -> None:
    client = make_client()
    one, _two = (make_attempt("verified", client=client, request_id="same") for _ in range(2))
    assert run(theirs(one), theirs(one)).exit == 0
    ended = run(theirs(one))
    assert ended.findings == [("only_ours", "same")]


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({1: "no"}, "billed"),
        ({2: "0.09"}, "amount"),
        ({3: 2000}, "code"),
        ({3: ""}, "code"),
        ({1: "no", 2: "0", 3: 4200}, "billed amount code"),
    ],
)
def test_what_differs(run: Run, change: dict[int, object], found: str) -> None:
    line = list(theirs(make_attempt("verified")))
    for place, value in change.items():
        line[place] = value
    ended = run(tuple(line))
    assert ended.exit == 1
    assert [each["findings"] for each in ended.found] == [found]


def test_a_call_that_is_not_billed_by_the_contract_and_is_by_them(run: Run) -> None:
    mine = make_attempt("liveness_failed")
    ended = run((mine.request_id, "yes", "0.085", 4100))
    assert [each["findings"] for each in ended.found] == ["billed amount"]


def test_a_forced_comparison_beside_an_attack_is_billed_rightly(run: Run) -> None:
    mine = make_attempt(
        "liveness_failed", result_code=1000, result_message="SUCCESS", billable=True
    )
    assert run((mine.request_id, "yes", "0.085", 1000)).exit == 0


def test_what_is_not_known_is_shown_when_they_bill_it(run: Run) -> None:
    mine = make_attempt("unrecognised")
    assert run((mine.request_id, "no", "0", 7321)).exit == 0
    ended = run((mine.request_id, "yes", "0.085", 7321))
    assert (ended.exit, ended.findings) == (1, [("billed_not_known", mine.request_id)])


def test_what_is_in_doubt_cannot_be_told_and_is_no_difference(run: Run) -> None:
    mine = make_attempt(None, state="in_doubt")
    make_attempt(None, state="not_sent")
    make_attempt(None, state="not_sent", send_no=1)
    ended = run()
    assert ended.exit == 0
    assert [(each["findings"], each["id"]) for each in ended.found] == [
        ("without_id", str(mine.pk))
    ]
    assert "no request id" in ended.said


def test_a_call_of_the_month_before_is_found_there(run: Run) -> None:
    early = START - timedelta(minutes=1)
    mine = make_attempt("verified", created_at=early)
    late = make_attempt("verified", created_at=END)
    ended = run(theirs(mine), theirs(late))
    assert ended.findings == [("other_month", mine.request_id), ("other_month", late.request_id)]
    assert " 0  calls of ours in the month" in ended.said
    assert run().exit == 0


def test_a_file_of_billed_calls_only(run: Run) -> None:
    billed, missing = make_attempt("verified"), make_attempt("verified")
    make_attempt("not_completed")
    wrong = make_attempt("not_completed")
    options = ("--month=2026-11", "--request-id-column=id", "--lists=billed")
    ended = run(theirs(billed), theirs(wrong), options=options)
    assert ended.findings == [("billed", wrong.request_id), ("only_ours", missing.request_id)]


def test_tokens_are_compared_where_the_file_lists_them(run: Run) -> None:
    mine, token = make_attempt("verified"), make_session()
    line = (token.request_id, "no", "0", "")
    assert run(theirs(mine), line).findings == [("only_theirs", token.request_id)]
    assert run(theirs(mine), line, options=(*NAMED, "--calls=both")).exit == 0
    assert run(line, options=(*NAMED, "--calls=biz_token")).exit == 0


def test_prices_of_their_days_are_compared_and_currencies_never(run: Run, put: SetPrice) -> None:
    put("0.09", "2026-11-15")
    put("0.09", "2026-11-20", currency="SGD")
    ones = [
        make_attempt("verified", created_at=datetime(2026, 11, day, tzinfo=UTC))
        for day in (14, 15, 20)
    ]
    costs = ("0.085", "0.090", "0.09")
    lines = [(each.request_id, "yes", cost, 1000) for each, cost in zip(ones, costs, strict=True)]
    assert run(*lines).findings == [("currency", ones[2].request_id)]


def test_without_a_price_an_amount_is_not_agreed_to(run: Run) -> None:
    mine = make_attempt("verified", created_at=datetime(2025, 11, 3, tzinfo=UTC))
    ended = run(theirs(mine), options=("--month=2025-11", *NAMED[1:]))
    assert ended.findings == [("no_price", mine.request_id)]


def test_the_run_is_on_record(run: Run) -> None:
    mine = make_attempt("verified")
    ended = run(theirs(mine), ("else", "yes", "1", 1000))
    (entry,) = entries("billing.reconciled")
    assert entry["month"] == "2026-11"
    assert entry["calls"] == "verify"
    assert entry["file_sha256"] == hashlib.sha256(ended.file.read_bytes()).hexdigest()
    assert entry["counts"] == {"agree": 1, "calls": 1, "lines": 2, "only_theirs": 1}
    assert entry["by"].startswith("command:")
    assert entry["file_sha256"] in ended.said


def test_a_formula_of_theirs_is_disarmed(run: Run) -> None:
    ended = run(("=cmd|' /C calc'!A0", "yes", "0", 1000))
    assert ended.findings == [("only_theirs", "'=cmd|' /C calc'!A0")]


def _edited(text: str) -> Callable[[Path], Any]:
    return lambda path: path.write_bytes(text.encode("latin-1"))


@pytest.mark.parametrize(
    ("file", "options", "sentence"),
    [
        ("", NAMED, "line 1: the file is empty"),
        ("a,b\n", NAMED, "line 1: there is no column 'id'"),
        ("id,billed,cost,code\na,maybe,1,1000\n", NAMED, "line 2: billed is neither"),
        ("id,billed,cost,code\n\xe9,yes,1,1000\n", NAMED, "line 2: it is not UTF-8"),
        (None, NAMED, "FileNotFoundError"),
        ("", (*NAMED[:4], "--code-column=code"), "--amount-column and --currency"),
        ("", (*NAMED, "--currency=usd"), "no currency"),
        ("", (*NAMED, "--lists=billed"), "leave --billed-column out"),
        ("", (*NAMED, "--billed-yes=no"), "are the same"),
    ],
)
def test_what_is_not_understood_ends_with_2_and_leaves_nothing(
    file: str | None, options: tuple[str, ...], sentence: str, run: Run
) -> None:
    if file is not None:
        _edited(file)(run.file)
    with pytest.raises(CommandError, match=sentence) as refused:
        call_command("billing_reconcile", run.file, f"--output={run.output}", *options)
    assert refused.value.returncode == 2
    assert not run.output.exists()
    assert entries("billing.reconciled") == []
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('pg_temp.verification_bill')")
        assert cursor.fetchone() == (None,)


def test_an_output_is_not_replaced_by_accident(run: Run) -> None:
    run.file.write_text("id\n")
    run.output.write_text("mine")
    with pytest.raises(CommandError, match="--force replaces it") as refused:
        call_command("billing_reconcile", run.file, f"--output={run.output}", *NAMED[:2])
    assert refused.value.returncode == 2
    assert run.output.read_text() == "mine"
    assert entries("billing.reconciled") == []
