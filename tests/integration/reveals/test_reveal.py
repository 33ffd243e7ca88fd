"""A reveal is on record before a byte is decrypted, or nothing is."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError, connection, connections, transaction

from tests.integration.database.roles import acting_as, granted_roles
from tests.integration.erasing.erasures import erase
from tests.integration.ledger.lives import Lives, ahead, seal
from tests.integration.reveals.conftest import make_person
from tests.owner import unguarded
from verification.ledger.canonical import parse
from verification.ledger.commitment import opens
from verification.models import (
    Evidence,
    EvidenceKey,
    Reveal,
    StagedEntry,
    VerificationAttempt,
)
from verification.models.evidence import RAW_ANSWER
from verification.models.reveal import REVEAL_REFUSED, REVEALED, Purpose
from verification.selectors.access import access_events
from verification.services.entries import key_of
from verification.services.errors import (
    BadReasonError,
    EvidenceBrokenError,
    EvidenceErasedError,
    NotPermittedError,
    RevealLimitError,
    UnknownEvidenceError,
)
from verification.services.privileges import Kind
from verification.services.record_audit import check_attempt
from verification.services.reveals import Revealed, reveal
from verification.services.runtime import Runtime
from verification.vault.keyring import parse_keyring

pytestmark = pytest.mark.django_db(transaction=True)

REASON = "the customer disputes the decision"
JPEG = b"\xff\xd8\xff\xd9"


def _reveal(image: Evidence, officer: User, runtime: Runtime, reason: str = REASON) -> Revealed:
    return reveal(
        evidence_id=image.pk,
        officer=officer,
        purpose=Purpose.DISPUTE,
        reason=reason,
        runtime=runtime,
    )


def _staged(kind: str) -> list[dict[str, Any]]:
    said = [parse(bytes(each)) for each in StagedEntry.objects.values_list("raw", flat=True)]
    return [each for each in said if each["kind"] == kind]


@contextmanager
def _failing(table: str) -> Iterator[None]:
    """Make every INSERT into a table fail, by a trigger of the owner."""
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION refuse_all() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'no room'; END $$"
        )
        cursor.execute(
            f"CREATE CONSTRAINT TRIGGER zz_refuse_all AFTER INSERT ON {table} "
            "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse_all()"
        )
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"DROP TRIGGER zz_refuse_all ON {table}")
            cursor.execute("DROP FUNCTION refuse_all()")


def test_a_reveal_shows_the_plaintext_and_leaves_row_and_entry(
    image: Evidence, officer: User, runtime: Runtime
) -> None:
    shown = _reveal(image, officer, runtime, f"  {REASON}\r\n")
    assert (shown.kind, shown.content, shown.content_type) == ("image_best", JPEG, "image/jpeg")
    row = Reveal.objects.get()
    assert (row.officer, row.officer_name, row.purpose) == (officer, "olga", "dispute")
    assert (row.evidence_id, row.attempt_id, row.reason) == (image.pk, image.attempt_id, REASON)
    [entry] = _staged(REVEALED)
    assert set(entry) == {
        "at", "attempt", "by", "by_id", "commitments",
        "evidence", "item", "kind", "purpose", "reveal",
    }  # fmt: skip
    assert (entry["by"], entry["item"], entry["reveal"]) == ("olga", "image_best", str(row.pk))
    key = key_of(VerificationAttempt.objects.get(pk=image.attempt_id))
    commitment = bytes.fromhex(entry["commitments"]["reason"])
    assert opens(key, "reason", REASON.encode(), commitment)
    seal(runtime)
    assert check_attempt(attempt_id=image.attempt_id, runtime=runtime) == ()


@pytest.mark.parametrize(
    "tampering", ["purpose = 'audit'", "reason = 'some other reason'", "officer_name = 'somebody'"]
)
def test_a_reveal_that_was_changed_later_is_found(
    tampering: str, image: Evidence, officer: User, runtime: Runtime
) -> None:
    _reveal(image, officer, runtime)
    with unguarded("verification_reveal"), connection.cursor() as cursor:
        cursor.execute(f"UPDATE verification_reveal SET {tampering}")
    assert check_attempt(attempt_id=image.attempt_id, runtime=runtime) != ()


def test_the_raw_answer_is_shown_as_text(lives: Lives, officer: User, runtime: Runtime) -> None:
    raw = Evidence.objects.get(attempt_id=lives.settled(), kind=RAW_ANSWER)
    assert _reveal(raw, officer, runtime).content_type == "text/plain; charset=utf-8"


@pytest.mark.parametrize("table", ["verification_ledger_stage", "verification_reveal"])
def test_what_cannot_be_recorded_is_not_shown(
    table: str, image: Evidence, officer: User, runtime: Runtime
) -> None:
    # The fault comes with the COMMIT itself: the last moment at which it can.
    nothing_opens = replace(runtime, conf=replace(runtime.conf, keyring=None))  # type: ignore[arg-type]
    with _failing(table), pytest.raises(DatabaseError):
        _reveal(image, officer, nothing_opens)
    assert not Reveal.objects.exists()
    assert _staged(REVEALED) == []


def test_a_role_that_may_not_stage_may_not_reveal(
    image: Evidence, officer: User, runtime: Runtime
) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE ROLE no_stage")
        cursor.execute("GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO no_stage")
        cursor.execute("REVOKE INSERT ON verification_ledger_stage FROM no_stage")
        cursor.execute("SET ROLE no_stage")
    try:
        with pytest.raises(DatabaseError, match="permission denied"):
            _reveal(image, officer, runtime)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("RESET ROLE")
            cursor.execute("DROP OWNED BY no_stage")
            cursor.execute("DROP ROLE no_stage")
    assert not Reveal.objects.exists()


def test_a_reveal_must_not_run_inside_a_transaction(
    image: Evidence, officer: User, runtime: Runtime
) -> None:
    with transaction.atomic(), pytest.raises(RuntimeError, match="durable"):
        _reveal(image, officer, runtime)


@pytest.mark.parametrize(
    "reason",
    ["", "too short", " " * 20, "x" * 501, "with a NUL \0 in it", "turned \u202e around it",
     "with a bell \a in it", "half a pair \ud800 in it"],
)  # fmt: skip
def test_a_reason_that_tells_nothing_is_refused(
    reason: str, image: Evidence, officer: User, runtime: Runtime
) -> None:
    with pytest.raises(BadReasonError):
        _reveal(image, officer, runtime, reason)
    assert not Reveal.objects.exists()


@pytest.mark.parametrize("reason", ["x" * 10, "\u4e2d" * 500, "two\nlines of it"])
def test_a_reason_at_the_limits_is_taken(
    reason: str, image: Evidence, officer: User, runtime: Runtime
) -> None:
    _reveal(image, officer, runtime, reason)
    assert Reveal.objects.get().reason == reason.replace("\n", " ")


@pytest.mark.parametrize("roles", [(), ("auditor",)])
def test_who_may_not_reveal_is_refused_by_the_service(
    roles: tuple[str, ...], image: Evidence, runtime: Runtime
) -> None:
    with pytest.raises(NotPermittedError):
        _reveal(image, make_person("anna", *roles), runtime)
    assert not Reveal.objects.exists()


def test_who_has_left_is_refused(image: Evidence, officer: User, runtime: Runtime) -> None:
    User.objects.update(is_active=False)
    with pytest.raises(NotPermittedError):
        _reveal(image, User.objects.get(pk=officer.pk), runtime)


def test_an_unknown_item_is_refused(officer: User, runtime: Runtime) -> None:
    with pytest.raises(UnknownEvidenceError):
        reveal(
            evidence_id=uuid4(),
            officer=officer,
            purpose=Purpose.AUDIT,
            reason=REASON,
            runtime=runtime,
        )


def test_over_the_limit_nothing_is_shown_and_the_refusal_is_on_record(
    image: Evidence, officer: User, runtime: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    few = replace(runtime, conf=replace(runtime.conf, reveals_per_hour=2))
    for _ in range(2):
        _reveal(image, officer, few)
    with caplog.at_level(logging.ERROR, "verification.alerts"), pytest.raises(RevealLimitError):
        _reveal(image, officer, few)
    assert Reveal.objects.count() == 2
    [entry] = _staged(REVEAL_REFUSED)
    assert (entry["by"], entry["why"], entry["evidence"]) == ("olga", "limit", str(image.pk))
    [alert] = caplog.messages
    assert str(officer.pk) in alert
    assert "olga" not in alert
    assert str(image.attempt_id) not in alert
    _reveal(image, make_person("otto", "officer"), few)  # each officer has their own
    _reveal(image, officer, ahead(few, timedelta(hours=1).total_seconds()))
    seal(runtime)
    assert check_attempt(attempt_id=image.attempt_id, runtime=runtime) == ()


def test_fifty_at_once_get_exactly_as_many_as_the_limit(
    image: Evidence, officer: User, runtime: Runtime
) -> None:
    few = replace(runtime, conf=replace(runtime.conf, reveals_per_hour=7))
    gate = threading.Barrier(50)
    outcomes: list[str] = []

    def one() -> None:
        gate.wait()
        try:
            _reveal(image, officer, few)
            outcomes.append("shown")
        except RevealLimitError:
            outcomes.append("refused")
        finally:
            connections.close_all()

    threads = [threading.Thread(target=one) for _ in range(50)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(outcomes) == ["refused"] * 43 + ["shown"] * 7
    assert Reveal.objects.count() == len(_staged(REVEALED)) == 7
    assert len(_staged(REVEAL_REFUSED)) == 43


def test_evidence_that_does_not_open_is_on_record_and_says_so(
    image: Evidence, officer: User, runtime: Runtime
) -> None:
    other = parse_keyring("test-1:" + "C" * 43 + "=")
    with pytest.raises(EvidenceBrokenError, match="on record"):
        _reveal(image, officer, replace(runtime, conf=replace(runtime.conf, keyring=other)))
    assert Reveal.objects.count() == 1


def test_erased_evidence_is_refused_with_the_date_and_without_a_record(
    image: Evidence, officer: User, runtime: Runtime
) -> None:
    with unguarded("verification_evidence_key"):
        EvidenceKey.objects.update(sealed=None, erased_at=image.created_at)
    with pytest.raises(EvidenceErasedError, match=f"{image.created_at:%Y-%m-%d}"):
        _reveal(image, officer, runtime)
    assert not Reveal.objects.exists()


def test_evidence_erased_in_the_moment_after_the_record_says_erased(
    image: Evidence, officer: User, runtime: Runtime
) -> None:
    """A deferred trigger of the owner erases the key with the very commit of the reveal."""
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION erase_all() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            "UPDATE verification_evidence_key SET sealed = NULL, erased_at = now(); "
            "RETURN NULL; END $$"
        )
        cursor.execute(
            "CREATE CONSTRAINT TRIGGER zz_erase_all AFTER INSERT ON verification_reveal "
            "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION erase_all()"
        )
    try:
        with (
            unguarded("verification_evidence_key"),
            pytest.raises(EvidenceErasedError, match=r"on record, but .* erased"),
        ):
            _reveal(image, officer, runtime)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP TRIGGER zz_erase_all ON verification_reveal")
            cursor.execute("DROP FUNCTION erase_all()")
    assert Reveal.objects.count() == 1


def test_no_log_tells_what_was_revealed_or_why(
    image: Evidence, officer: User, runtime: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        shown = _reveal(image, officer, runtime)
    assert REASON not in caplog.text
    assert "\\xff\\xd8" not in caplog.text
    assert repr(JPEG) not in repr(shown)


def test_a_reveal_row_stays_as_it_was_written(
    image: Evidence, officer: User, runtime: Runtime
) -> None:
    _reveal(image, officer, runtime)
    for statement in (
        "UPDATE verification_reveal SET reason = 'x'",
        "DELETE FROM verification_reveal",
    ):
        with pytest.raises(DatabaseError), connection.cursor() as cursor:
            cursor.execute(statement)
    assert Reveal.objects.get().reason == REASON


def test_the_role_of_the_web_process_can_do_what_staff_do(
    lives: Lives, officer: User, runtime: Runtime
) -> None:
    approver = make_person("anna", "approver")
    attempt_id = lives.settled()
    image = Evidence.objects.get(attempt_id=attempt_id, kind="image_best")
    with granted_roles() as roles, acting_as(roles[Kind.WEB]):
        assert _reveal(image, officer, runtime).content == JPEG
        erase(attempt_id, officer, approver, runtime)
        assert len(access_events(attempt_id=attempt_id)) == 3
    seal(runtime)
    assert check_attempt(attempt_id=attempt_id, runtime=runtime) == ()
