"""Answer a repeated drop-in request with the very bytes of the first answer."""

from dataclasses import dataclass, field

from verification.models import Evidence, VerificationAttempt
from verification.models.evidence import LATE_ANSWER, RAW_ANSWER
from verification.services.runtime import Runtime
from verification.services.sealing import open_evidence

KINDS = (RAW_ANSWER, LATE_ANSWER)


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """The vendor's answer as it was received."""

    http_status: int
    body: bytes = field(repr=False)


def stored_answer(*, attempt: VerificationAttempt, runtime: Runtime) -> StoredAnswer | None:
    """Return the answer kept with an attempt, None if there is none or it was erased.

    It goes back to the client that made the attempt, which had it already: not a reveal.
    """
    kept = (
        Evidence.objects.filter(attempt=attempt, kind__in=KINDS)
        .select_related("attempt__evidence_key")
        .order_by("created_at", "id")
        .last()
    )
    if kept is None or attempt.http_status is None or kept.attempt.evidence_key.erased_at:
        return None
    body = open_evidence(evidence=kept, keyring=runtime.conf.keyring)
    return StoredAnswer(attempt.http_status, body)
