"""Erase the texts of a record whose time is over: what tells of the person, wherever it stands.

What stays is what months long past are counted by: when, where, for which client, with which
result. The log says of it what it says in the clear; the commitments can be opened by nobody.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, quote_plus
from uuid import UUID

from django.contrib.postgres.fields import ArrayField
from django.db.models import Exists, F, Func, OuterRef, Q, QuerySet, TextField, Value

from verification.ledger.canonical import canonical
from verification.lifecycle import OPEN, State
from verification.models import (
    PastRow,
    RecordErasure,
    RetentionRun,
    Review,
    ReviewStep,
    SavedFilter,
    SubjectErasure,
    VerificationAttempt,
    VerificationSession,
)
from verification.models.attempt import ERASED_COLUMNS
from verification.models.review import ReviewState
from verification.models.subject import RECORD_ERASED
from verification.selectors.retention import rules_in_force
from verification.services.entries import utc_text
from verification.services.staging import stage

SAID = PastRow._meta.get_field("said")  # noqa: SLF001 - Django's documented API
EMPTY_SESSION: Mapping[str, Any] = {"biz_no": "", "subject": "", "options": {}, "request_id": None}
KEPT_STATES = frozenset({*OPEN, State.IN_DOUBT})
"""States in which something may still come of an attempt."""


def erase_record(*, attempt_id: UUID, basis: SubjectErasure | RetentionRun, at: datetime) -> bool:
    """Erase the texts of an attempt, for an approved request or in an approved run; return whether.

    False, and nothing done, while its record must be kept or somebody must decide on it, or if it
    was done before. Belongs inside the transaction that counts it, behind the shared lock, when the
    key of the evidence is gone and nothing holds the attempt: the database refuses it otherwise.
    """
    attempt = VerificationAttempt.objects.select_for_update(of=("self",)).get(pk=attempt_id)
    rule = rules_in_force().record(attempt.region)
    before = at - timedelta(days=rule.days)
    if attempt.commitment_key is None or attempt.state in KEPT_STATES:
        return False
    if attempt.created_at > before or _is_in_review(attempt_id):
        return False
    agreed = {"run" if isinstance(basis, RetentionRun) else "request": basis}
    row = RecordErasure.objects.create(attempt=attempt, rule=rule, erased_at=at, **agreed)
    sessions = _empty_sessions(attempt, before)
    _empty_copies(attempt)
    is_closed = attempt.closing_reason is not None
    VerificationAttempt.objects.filter(pk=attempt_id).update(
        **dict.fromkeys(ERASED_COLUMNS), closing_reason="" if is_closed else None
    )
    stage([erased_entry(row, sessions)])
    return True


def erased_entry(row: RecordErasure, sessions: Sequence[UUID]) -> bytes:
    """Say whose texts were erased, by which rule, by what agreement; and of which sessions."""
    agreed = {"request": row.request_id} if row.request_id else {"run": row.run_id}
    return canonical(
        {
            "at": utc_text(row.erased_at),
            "attempt": str(row.attempt_id),
            "kind": RECORD_ERASED,
            **{name: str(each) for name, each in agreed.items()},
            "rule": str(row.rule_id),
            "sessions": [str(each) for each in sessions],
        }
    )


def _is_in_review(attempt_id: UUID) -> bool:
    """Return whether people must decide. A review is locked, so that no note slips in behind."""
    review = Review.objects.select_for_update().filter(pk=attempt_id).first()
    return review is not None and review.state != ReviewState.DECIDED


def _empty_sessions(attempt: VerificationAttempt, before: datetime) -> list[UUID]:
    """Empty the attempt's session, and those of its subject to which no other record belongs."""
    of_person = Q(subject=attempt.subject) if attempt.subject else Q()
    of_person |= Q(pk=attempt.session_id)
    sessions = VerificationSession.objects.filter(
        of_person, client_id=attempt.client_id, created_at__lte=before
    )
    staying = VerificationAttempt.objects.filter(session_id=OuterRef("pk"), erased_record=None)
    told = sessions.exclude(**EMPTY_SESSION).exclude(Exists(staying)).order_by("pk")
    found = list(told.select_for_update(of=("self",)).values_list("pk", flat=True))
    VerificationSession.objects.filter(pk__in=found).update(**EMPTY_SESSION)
    return found


def _empty_copies(attempt: VerificationAttempt) -> None:
    """Empty what stands of the texts elsewhere: former states, notes, searches that were kept."""
    gone = Value([*ERASED_COLUMNS, "closing_reason"], ArrayField(TextField()))
    less = Func(F("said"), gone, template="%(expressions)s", arg_joiner=" - ", output_field=SAID)
    former = PastRow.objects.filter(attempt_id=attempt.pk, said__has_any_keys=gone.value)
    former.update(said=less)
    ReviewStep.objects.filter(review_id=attempt.pk).exclude(note=None).update(note=None)
    for text in filter(None, (attempt.subject, attempt.biz_no, attempt.request_id)):
        _searches(text).delete()


def _searches(text: str) -> QuerySet[SavedFilter]:
    """Return the filters that somebody keeps in which a text is looked for."""
    near = SavedFilter.objects.filter(query__contains=quote_plus(text))
    found = [each.pk for each in near if text in dict(parse_qsl(each.query)).values()]
    return SavedFilter.objects.filter(pk__in=found)
