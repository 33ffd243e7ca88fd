"""Legal holds: which are open, and which attempts they cover."""

from collections.abc import Iterable
from uuid import UUID

from django.db.models import F, Q, QuerySet
from django.db.models.expressions import RawSQL

from verification.models import LegalHold, VerificationAttempt

SHOWN = 200
COVERS = "%s = pg_catalog.sha256(%s || pg_catalog.convert_to(verification_attempt.subject, 'UTF8'))"
"""Whether a hold on a subject covers an attempt, as the guard of the keys finds it."""


def held_attempts(ids: Iterable[UUID]) -> set[UUID]:
    """Return those of the attempts that are under an open hold, on themselves or their subject."""
    wanted = list(ids)
    found = set(open_holds().filter(attempt_id__in=wanted).values_list("attempt_id", flat=True))
    for hold in open_holds().filter(attempt=None):
        found |= set(covered_by(hold).filter(pk__in=wanted).values_list("pk", flat=True))
    return found


def open_holds() -> QuerySet[LegalHold]:
    """Return the holds that are not lifted, newest first, with who placed them."""
    return LegalHold.objects.select_related("placed_by").filter(lifted_at=None)


def lifted_holds() -> QuerySet[LegalHold]:
    """Return the holds that were lifted, the last one first, with their people."""
    rows = LegalHold.objects.select_related("placed_by", "lifted_by").exclude(lifted_at=None)
    return rows.order_by(F("lifted_at").desc(), "-id")


def covered_by(hold: LegalHold) -> QuerySet[VerificationAttempt]:
    """Return the attempts that a hold covers."""
    if hold.attempt_id is not None:
        return VerificationAttempt.objects.filter(pk=hold.attempt_id)
    digests = (bytes(hold.subject_check or b""), bytes(hold.subject_digest or b""))
    # Our own columns, and the values are bound.
    covered = RawSQL(COVERS, digests)  # noqa: S611  # nosec B611
    return (
        VerificationAttempt.objects.exclude(subject=None)
        .alias(covered=covered)
        .filter(covered=True)
    )


def holds_on(attempt: VerificationAttempt, subject_digest: bytes | None) -> QuerySet[LegalHold]:
    """Return the open holds that cover an attempt; its subject's keyed digest, if it has one."""
    covers = Q(attempt=attempt)
    if subject_digest is not None:
        covers |= Q(subject_digest=subject_digest)
    return open_holds().filter(covers)


def find_hold(hold_id: UUID) -> LegalHold | None:
    """Return a hold with its people."""
    rows = LegalHold.objects.select_related("attempt", "placed_by", "lifted_by")
    return rows.filter(pk=hold_id).first()
