"""Exports on record: before the first byte, sealed if the sequencer keeps up, or not at all."""

import base64
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.test import Client

from tests.integration.exports.conftest import RecordAttempt, rows
from tests.sequencing import sequencing
from verification.ledger.canonical import Json, parse
from verification.ledger.checkpoint import open_checkpoint
from verification.ledger.errors import CanonicalError
from verification.lifecycle import State
from verification.models import ApiClient, LedgerCheckpoint, LedgerEntry, StagedEntry
from verification.models.review import ReviewState
from verification.outcomes import Outcome
from verification.policy.terms import Decision, Verdict
from verification.selectors.attempts import AttemptQuery
from verification.selectors.export_form import FileForm, choose_columns
from verification.services.export_slots import EXPORTS, MAX_AT_ONCE
from verification.services.exporting import POLL_S, POLLS, ExportRecord, record_export
from verification.services.runtime import Runtime, get_runtime
from verification.services.sequencing import tend_log

pytestmark = pytest.mark.django_db(transaction=True)

EXPORT = "/api/v1/attempts/export.csv"
COLUMNS = ["id", "state"]
MIDNIGHT = datetime(2026, 1, 31, tzinfo=UTC)


def staged() -> list[dict[str, Json]]:
    """Return the entries that wait for the sequencer."""
    return [parse(bytes(each.raw)) for each in StagedEntry.objects.order_by("no")]


def staged_exports() -> list[dict[str, Json]]:
    """Return those that tell of exports."""
    return [each for each in staged() if each["kind"] == "export.created"]


def record(
    runtime: Runtime,
    query: AttemptQuery | None = None,
    *,
    sleep: Callable[[float], None] = lambda _: None,
    by: str = "anna",
) -> ExportRecord:
    """Record an export of two columns by a person."""
    return record_export(
        by=by,
        interface="command",
        client_id=None,
        query=query or AttemptQuery(),
        form=FileForm(choose_columns(COLUMNS)),
        runtime=runtime,
        sleep=sleep,
    )


def test_an_entry_tells_who_took_what(runtime: Runtime, client_app: ApiClient) -> None:
    query = AttemptQuery(
        client=client_app,
        state=State.ANSWERED,
        outcome=Outcome.VERIFIED,
        decision=Decision.APPROVED,
        review_state=ReviewState.DECIDED,
        result_code=1000,
        created_from=MIDNIGHT,
    )
    made = record(runtime, query)
    [entry] = staged_exports()
    assert entry == {
        "at": made.at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "by": "anna",
        "client": None,
        "as_of": None,
        "columns": COLUMNS,
        "layout": "csv",
        "masked": [],
        "export": str(made.id),
        "filters": {
            "client": str(client_app.pk),
            "created_from": "2026-01-31T00:00:00.000000Z",
            "decision": "approved",
            "outcome": "verified",
            "result_code": "1000",
            "review_state": "decided",
            "state": "answered",
        },
        "interface": "command",
        "kind": "export.created",
        "request": None,
        "rows": None,
    }


def test_of_filters_about_a_person_only_the_name_is_told(runtime: Runtime) -> None:
    record(runtime, AttemptQuery(biz_no="ONB-secret", subject="secret", request_id="1,secret"))
    [entry] = staged_exports()
    assert entry["filters"] == {"biz_no": None, "subject": None, "request_id": None}
    assert "secret" not in str(entry)


def test_every_filter_there_is_appears(runtime: Runtime, client_app: ApiClient) -> None:
    query = AttemptQuery(
        client=client_app,
        state=State.ANSWERED,
        outcome=Outcome.VERIFIED,
        decision=Decision.APPROVED,
        verdict=Verdict.REVIEW,
        review_state=ReviewState.DECIDED,
        result_code=-5,
        biz_no="b",
        request_id="r",
        subject="s",
        created_from=MIDNIGHT,
        created_before=MIDNIGHT,
    )
    record(runtime, query)
    filters = staged_exports()[0]["filters"]
    assert isinstance(filters, dict)
    assert set(filters) == set(AttemptQuery.__dataclass_fields__)


def test_it_waits_for_the_checkpoint_over_its_own_entry(runtime: Runtime) -> None:
    tend_log(runtime=runtime)
    older = LedgerCheckpoint.objects.get()
    pauses: list[float] = []

    def sleep(pause_s: float) -> None:
        pauses.append(pause_s)
        if len(pauses) == 3:
            tend_log(runtime=runtime)

    made = record(runtime, sleep=sleep)
    assert made.is_sealed
    assert made.checkpoint is not None
    sealed = open_checkpoint(made.checkpoint, log_keys=runtime.conf.ledger_vkeys).checkpoint
    index = LedgerEntry.objects.get(kind="export.created").index
    assert older.size <= index < sealed.size
    assert pauses == [POLL_S] * 3


def test_without_a_sequencer_it_waits_two_seconds_and_hands_out_an_older_checkpoint(
    runtime: Runtime,
) -> None:
    tend_log(runtime=runtime)
    pauses: list[float] = []
    made = record(runtime, sleep=pauses.append)
    assert not made.is_sealed
    assert made.checkpoint == bytes(LedgerCheckpoint.objects.get().note)
    assert sum(pauses) == pytest.approx(2.0)
    assert len(pauses) == POLLS


def test_a_log_that_nobody_signs_is_not_waited_for(runtime: Runtime) -> None:
    pauses: list[float] = []
    unsigned = replace(runtime, conf=replace(runtime.conf, ledger_key=None, ledger_vkeys=()))
    made = record(unsigned, sleep=pauses.append)
    assert (made.checkpoint, made.is_sealed, pauses) == (None, False, [])
    assert len(staged_exports()) == 1


def test_while_it_waits_it_holds_no_connection(runtime: Runtime) -> None:
    def sleep(_: float) -> None:
        assert connection.connection is None

    record(runtime, sleep=sleep)


def test_it_is_committed_or_refused_never_part_of_something_else(runtime: Runtime) -> None:
    with pytest.raises(RuntimeError, match="durable"), transaction.atomic():
        record(runtime)
    assert staged_exports() == []


def test_a_name_that_no_entry_can_hold_is_refused(runtime: Runtime) -> None:
    with pytest.raises(CanonicalError):
        record(runtime, by="\ud800")
    assert staged_exports() == []


@contextmanager
def closed_stage() -> Iterator[None]:
    """Let the database refuse every new entry."""
    with connection.cursor() as cursor:
        cursor.execute(
            "ALTER TABLE verification_ledger_stage ADD CONSTRAINT closed CHECK (false) NOT VALID"
        )
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE verification_ledger_stage DROP CONSTRAINT closed")


def get(client: Client, key: str, query: str = "") -> Any:
    """Ask for an export; nothing of it is read yet."""
    return client.get(EXPORT + query, headers={"Authorization": f"Bearer {key}"})


@pytest.fixture
def onlooker() -> Iterator[psycopg.Connection]:
    """Return a connection of its own to the same database, which sees what is committed."""
    given = connection.get_connection_params()
    names = ("host", "port", "user", "password", "dbname")
    login = {name: given[name] for name in names if name in given}
    with psycopg.connect(**login, autocommit=True) as session:
        yield session


def test_the_api_commits_the_entry_before_the_first_byte(
    client: Client,
    bearer: str,
    client_app: ApiClient,
    record_attempt: RecordAttempt,
    onlooker: psycopg.Connection,
) -> None:
    record_attempt()
    answer = get(client, bearer, "?state=answered&biz_no=")
    assert answer.status_code == 400
    answer = get(client, bearer, "?state=answered")
    found = onlooker.execute("SELECT raw FROM verification_ledger_stage").fetchall()
    [entry] = [entry for (raw,) in found if (entry := parse(raw))["kind"] == "export.created"]
    assert entry["export"] == answer["Verification-Export"]
    assert (entry["by"], entry["interface"]) == ("onboarding", "api")
    assert entry["client"] == str(client_app.pk)
    assert entry["filters"] == {"client": str(client_app.pk), "state": "answered"}
    assert isinstance(entry["columns"], list)
    text = answer.getvalue().decode()
    assert text.splitlines()[0].split(",") == entry["columns"]
    assert len(rows(text)) == 1
    assert "Verification-Checkpoint" not in answer


def test_the_api_hands_out_a_checkpoint_over_the_export(client: Client, bearer: str) -> None:
    runtime = get_runtime()
    with sequencing(runtime):
        answer = get(client, bearer)
        answer.getvalue()
    note = base64.b64decode(answer["Verification-Checkpoint"], validate=True)
    sealed = open_checkpoint(note, log_keys=runtime.conf.ledger_vkeys).checkpoint
    entry = LedgerEntry.objects.get(kind="export.created")
    assert parse(bytes(entry.raw))["export"] == answer["Verification-Export"]
    assert entry.index < sealed.size


def test_what_cannot_be_recorded_is_not_exported(
    client: Client, bearer: str, record_attempt: RecordAttempt, tmp_path: Path
) -> None:
    attempt = record_attempt()
    with closed_stage():
        answer = get(client, bearer)
        assert answer["Content-Type"] == "application/problem+json"
        assert str(attempt.id) not in answer.getvalue().decode()
        assert "Verification-Export" not in answer
        with pytest.raises(CommandError, match="did not complete"):
            call_command("attempts_export", "--output", str(tmp_path / "a.csv"))
    assert list(tmp_path.iterdir()) == []
    assert str(attempt.id) in get(client, bearer).getvalue().decode()


def test_an_export_that_finds_no_slot_is_not_recorded(client: Client, bearer: str) -> None:
    held = [EXPORTS.stream(lambda: (block for block in [b"x"])) for _ in range(MAX_AT_ONCE)]
    try:
        assert get(client, bearer).status_code == 503
    finally:
        for each in held:
            each.close()
    assert staged_exports() == []


def test_the_command_writes_the_checkpoint_beside_the_file(
    record_attempt: RecordAttempt, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    record_attempt()
    runtime = get_runtime()
    with sequencing(runtime):
        call_command("attempts_export", "--output", str(tmp_path / "a.csv"), "--by", "anna")
    beside = tmp_path / "a.csv.checkpoint"
    sealed = open_checkpoint(beside.read_bytes(), log_keys=runtime.conf.ledger_vkeys).checkpoint
    entry = LedgerEntry.objects.get(kind="export.created")
    told = parse(bytes(entry.raw))
    assert (told["by"], told["interface"], told["filters"]) == ("anna", "command", {})
    assert entry.index < sealed.size
    said = capfd.readouterr().err
    assert str(beside) in said
    assert str(told["export"]) in said
    assert base64.b64encode(sealed.root).decode() in said
    assert len(rows((tmp_path / "a.csv").read_text("utf-8"))) == 1
    assert UUID(str(told["export"])).version == 7


def test_a_checkpoint_of_that_name_is_kept_without_force(
    record_attempt: RecordAttempt, tmp_path: Path
) -> None:
    record_attempt()
    (tmp_path / "a.csv.checkpoint").write_text("precious")
    arguments = ["attempts_export", "--output", str(tmp_path / "a.csv")]
    with sequencing(get_runtime()):
        with pytest.raises(CommandError, match="--force"):
            call_command(*arguments)
        assert [each.name for each in tmp_path.iterdir()] == ["a.csv.checkpoint"]
        assert (tmp_path / "a.csv.checkpoint").read_text() == "precious"
        call_command(*arguments, "--force")
    assert (tmp_path / "a.csv.checkpoint").read_text() != "precious"


@pytest.mark.parametrize("name", ["", "x" * 151, "two\nlines", "\ud800"])
def test_a_name_must_be_one_line_of_text(transactional_db: None, name: str) -> None:
    with pytest.raises(CommandError, match="printable"):
        call_command("attempts_export", "--by", name)
    assert staged_exports() == []
