"""What staff see of attempts, sessions and clients: one queryset for each list and each record.

Sealed bytes, token digests and packets' digests stay in the database unless a page shows them.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from django.db.models import Prefetch, Q, QuerySet

from verification.lifecycle import State
from verification.models import (
    ApiClient,
    ApiKey,
    Evidence,
    VerificationAttempt,
    VerificationSession,
)
from verification.outcomes import Outcome
from verification.policy.terms import Decision, Verdict
from verification.selectors.decisions import decided_as

Row = TypeVar("Row", VerificationAttempt, VerificationSession)

LIST_COLUMNS = (
    "id", "created_at", "biz_no", "subject", "client__name", "region", "state", "outcome",
    "result_code", "result_message", "error_code", "is_attack", "device_tags", "commitment_key",
    "verdict", "review__state", "review__decision",
    *(f"{reference}_confidence" for reference in ("ref1", "ref2", "idcard")),
    *(
        f"{reference}_threshold_{rate}"
        for reference in ("ref1", "ref2", "idcard")
        for rate in ("1e3", "1e4", "1e5", "1e6")
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class AttemptFilter:
    """Which attempts: every field that is not None must hold.

    `identifier` is compared exactly with the business number, the request id, the subject and,
    where it is a UUID, the id. `decision` is the current one: `decisions.current_decision`.
    `created_from` is inclusive, `created_before` exclusive.
    """

    identifier: str | None = None
    state: State | None = None
    outcome: Outcome | None = None
    verdict: Verdict | None = None
    decision: Decision | None = None
    is_attack: bool | None = None
    error_code: str | None = None
    client_id: UUID | None = None
    region: str | None = None
    created_from: datetime | None = None
    created_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class SessionFilter:
    """Which sessions; fields as in AttemptFilter, `identifier` is the business number or id."""

    identifier: str | None = None
    client_id: UUID | None = None
    created_from: datetime | None = None
    created_before: datetime | None = None


def listed_attempts(*more: str) -> QuerySet[VerificationAttempt]:
    """Return all attempts, each with what a list's row shows and the columns of these names."""
    found = VerificationAttempt.objects.select_related("client", "review")
    return found.only(*LIST_COLUMNS, *more)


def attempts_for_list(which: AttemptFilter) -> QuerySet[VerificationAttempt]:
    """Return attempts with the columns of the list and nothing heavier."""
    return _narrowed(listed_attempts(), which)


def whole_attempts(which: AttemptFilter) -> QuerySet[VerificationAttempt]:
    """Return the attempts of a list with all their columns, for an export."""
    return _narrowed(VerificationAttempt.objects.all(), which)


def _narrowed(
    found: QuerySet[VerificationAttempt], which: AttemptFilter
) -> QuerySet[VerificationAttempt]:
    if which.identifier is not None:
        found = found.filter(_identified(which.identifier, "biz_no", "request_id", "subject"))
    equal = {
        "state": which.state,
        "outcome": which.outcome,
        "verdict": which.verdict,
        "is_attack": which.is_attack,
        "error_code__exact": which.error_code,
        "region": which.region,
    }
    found = found.filter(**{name: value for name, value in equal.items() if value is not None})
    if which.decision is not None:
        found = found.filter(decided_as(which.decision))
    return _of_client_and_time(found, which)


def sessions_for_list(which: SessionFilter) -> QuerySet[VerificationSession]:
    """Return sessions with the attempts made of them, in two queries however many there are."""
    attempts = VerificationAttempt.objects.only("id", "session_id", "state", "outcome")
    found = (
        VerificationSession.objects.select_related("client")
        .defer("token_digest", "options")
        .prefetch_related(Prefetch("attempts", queryset=attempts))
    )
    if which.identifier is not None:
        found = found.filter(_identified(which.identifier, "biz_no"))
    return _of_client_and_time(found, which)


def find_attempt(attempt_id: UUID) -> VerificationAttempt | None:
    """Return an attempt with its client, review, evidence and key's fate, in two queries."""
    evidence = Evidence.objects.defer("sealed").order_by("kind")
    return (
        VerificationAttempt.objects.select_related(
            "client", "session", "evidence_key", "review", "erased_record"
        )
        .defer("token_digest", "session__token_digest", "evidence_key__sealed")
        .prefetch_related(Prefetch("evidence", queryset=evidence))
        .filter(pk=attempt_id)
        .first()
    )


def find_session(session_id: UUID) -> VerificationSession | None:
    """Return a session with its client and attempts, in two queries."""
    attempts = listed_attempts("session_id")
    return (
        VerificationSession.objects.select_related("client")
        .defer("token_digest")
        .prefetch_related(Prefetch("attempts", queryset=attempts))
        .filter(pk=session_id)
        .first()
    )


def clients_for_list() -> QuerySet[ApiClient]:
    """Return every client by name, with its keys' public parts, in two queries."""
    keys = ApiKey.objects.defer("secret_sha256", "secret_sealed")
    return ApiClient.objects.order_by("name").prefetch_related(Prefetch("keys", queryset=keys))


def find_client(client_id: UUID) -> ApiClient | None:
    """Return a client with its keys' public parts, in two queries."""
    return clients_for_list().filter(pk=client_id).first()


def client_names() -> list[tuple[UUID, str]]:
    """Return id and name of every client, by name."""
    return list(ApiClient.objects.order_by("name").values_list("id", "name"))


def _identified(text: str, *columns: str) -> Q:
    same = Q()
    for column in columns:
        same |= Q(**{f"{column}__exact": text})
    try:
        return same | Q(id=UUID(text))
    except ValueError:
        return same


def _of_client_and_time(
    found: QuerySet[Row], which: AttemptFilter | SessionFilter
) -> QuerySet[Row]:
    given = {
        "client_id": which.client_id,
        "created_at__gte": which.created_from,
        "created_at__lt": which.created_before,
    }
    return found.filter(**{name: value for name, value in given.items() if value is not None})
