"""A record on which people must still decide keeps its texts, and no note outlives them."""

import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from django.db import connection, transaction

from tests.integration.database.conftest import RESTRICT_VIOLATION, refusal, waits_for_a_lock
from tests.integration.desk.waiting import decide_all
from tests.integration.ledger.lives import Lives, ahead, attempt, seal
from tests.integration.reveals.conftest import make_person
from tests.integration.subjects.test_erasing import files_of, outcomes
from tests.integration.subjects.test_record_erasure import (
    CANARIES,
    WHO,
    WHY,
    YEARS,
    Ours,
    closed,
    lives_of,
    places,
    record_alone,
)
from verification.models import ApiClient, SubjectErasure
from verification.services.errors import RecordErasedError
from verification.services.reviews import note, reopen
from verification.services.runtime import Runtime
from verification.services.subject_answer import subject_answer
from verification.services.subject_erasing import continue_subject_erasures

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def old(client_app: ApiClient, runtime: Runtime) -> Lives:
    """Return what leads lives of more than five years ago."""
    return lives_of(client_app, ahead(runtime, -YEARS))


@pytest.fixture
def people(runtime: Runtime, transactional_db: None) -> Ours:
    return Ours(make_person("olga", "officer"), make_person("anna", "approver"), runtime)


def reopened(old: Lives, people: Ours) -> SubjectErasure:
    """Return an approved request, about a record that was opened again after it was asked."""
    attempt_id = closed(old)
    row = people.decide(people.ask())
    reopen(attempt_id=attempt_id, note=WHY, by=people.anna, runtime=people.runtime)
    return row


def test_what_somebody_must_decide_keeps_its_texts(
    old: Lives, people: Ours, runtime: Runtime
) -> None:
    row = reopened(old, people)
    [attempt_id] = outcomes(row)
    by_hand = partial(record_alone, attempt_id, row, runtime)
    assert refusal(by_hand) == RESTRICT_VIOLATION
    assert not continue_subject_erasures(runtime=runtime)
    assert attempt(attempt_id).subject == WHO
    seal(runtime)
    letter = files_of(subject_answer(erasure_id=row.pk, runtime=runtime))["letter.en.txt"]
    assert "the check has not come to its end" in letter
    assert people.done().records.get().attempt_id == attempt_id
    assert places(*CANARIES) == {}


def test_a_note_that_is_being_written_goes_with_the_rest(
    old: Lives, people: Ours, runtime: Runtime
) -> None:
    attempt_id = closed(old)
    row = people.decide(people.ask())

    def work() -> None:
        try:
            continue_subject_erasures(runtime=runtime)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            note(attempt_id=attempt_id, text=WHY, by=people.olga, runtime=runtime)
            worker = pool.submit(work)
            while not waits_for_a_lock():
                assert not worker.done()
                time.sleep(0.01)
        worker.result()
    assert row.records.exists()
    assert places(*CANARIES) == {}


def test_a_note_that_comes_too_late_is_refused(old: Lives, people: Ours, runtime: Runtime) -> None:
    attempt_id = closed(old)
    people.done()
    for act in (note, reopen):
        text = {"text" if act is note else "note": WHY}
        with pytest.raises(RecordErasedError):
            act(attempt_id=attempt_id, by=people.anna, runtime=runtime, **text)
    decide_all(people.olga, people.anna, runtime)
    assert places(*CANARIES) == {}
