"""Attempts as API clients and exports read them: filters, keyset pages, one record."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from django.db.models import Prefetch, Q, QuerySet

from verification.lifecycle import State
from verification.models import ApiClient, Evidence, LedgerEntry, VerificationAttempt
from verification.models.review import ReviewState
from verification.outcomes import Outcome
from verification.policy.terms import Decision, Verdict
from verification.selectors.decisions import decided_as

LOOKUPS = {
    "created_from": "created_at__gte",
    "created_before": "created_at__lt",
    "review_state": "review__state",
}


@dataclass(frozen=True, slots=True)
class AttemptQuery:
    """Which attempts: every filter that is not None must hold.

    `created_from` is inclusive, `created_before` exclusive; both are aware times. Texts are
    compared exactly, case included. `decision` is the current one: `decisions.current_decision`.
    """

    client: ApiClient | None = None
    state: State | None = None
    outcome: Outcome | None = None
    decision: Decision | None = None
    verdict: Verdict | None = None
    review_state: ReviewState | None = None
    result_code: int | None = None
    biz_no: str | None = None
    request_id: str | None = None
    subject: str | None = None
    created_from: datetime | None = None
    created_before: datetime | None = None


class Position(NamedTuple):
    """Where a page ends: the last attempt shown on it."""

    created_at: datetime
    id: UUID


@dataclass(frozen=True, slots=True)
class LogPlace:
    """Where an entry stands in the log, and its leaf's hash (32 bytes)."""

    index: int
    leaf_hash: bytes


@dataclass(frozen=True, slots=True)
class Page:
    """Attempts, newest first, and where the next page starts, if there is one."""

    attempts: list[VerificationAttempt]
    next_after: Position | None


def matching(query: AttemptQuery) -> QuerySet[VerificationAttempt]:
    """Return the attempts of a query, newest first, nothing prefetched."""
    given = {each.name: getattr(query, each.name) for each in fields(query)}
    decision = given.pop("decision")
    lookups = {LOOKUPS.get(name, name): value for name, value in given.items() if value is not None}
    found = VerificationAttempt.objects.filter(**lookups).order_by("-created_at", "-id")
    return found.filter(decided_as(decision)) if decision else found


def list_page(query: AttemptQuery, *, after: Position | None, size: int) -> Page:
    """Return up to `size` attempts that come after a position: two queries at any depth."""
    found = _shown(matching(query))
    if after is not None:
        # The first condition is implied by the second; it is the one that an index can range on.
        found = found.filter(created_at__lte=after.created_at).filter(
            Q(created_at__lt=after.created_at) | Q(id__lt=after.id)
        )
    attempts = list(found[: size + 1])
    if len(attempts) <= size:
        return Page(attempts, None)
    last = attempts[size - 1]
    return Page(attempts[:size], Position(last.created_at, last.id))


def find_attempt(*, client: ApiClient, attempt_id: UUID) -> VerificationAttempt | None:
    """Return a client's own attempt with all that is shown of it, in two queries."""
    return _shown(VerificationAttempt.objects.filter(client=client, id=attempt_id)).first()


def read_attempt(*, client: ApiClient, attempt_id: UUID) -> VerificationAttempt:
    """Return an attempt that is known to be this client's, in two queries."""
    return _shown(VerificationAttempt.objects.filter(client=client)).get(pk=attempt_id)


def is_own(*, client: ApiClient, attempt_id: UUID) -> bool:
    """Return whether there is an attempt of this id, and the client made it."""
    return VerificationAttempt.objects.filter(client=client, id=attempt_id).exists()


def newest_places(attempt_ids: Iterable[UUID]) -> Mapping[UUID, LogPlace]:
    """Return where the newest entry about each attempt stands, in one query.

    An attempt whose entries all wait for the sequencer is not in it.
    """
    entries = LedgerEntry.objects.filter(attempt_id__in=list(attempt_ids))
    newest = entries.order_by("attempt_id", "-index").distinct("attempt_id")
    rows = newest.values_list("attempt_id", "index", "leaf_hash")
    return {about: LogPlace(index, bytes(hash_)) for about, index, hash_ in rows if about}


def _shown(attempts: QuerySet[VerificationAttempt]) -> QuerySet[VerificationAttempt]:
    """Load what the API shows and leave sealed bytes and tokens' digests in the database."""
    evidence = Evidence.objects.defer("sealed").order_by("kind")
    return (
        attempts.select_related("client", "evidence_key", "review")
        .defer("token_digest", "evidence_key__sealed")
        # The model declares the attribute, and the type checker's plugin would declare it again.
        .prefetch_related(Prefetch("evidence", queryset=evidence, to_attr="shown_evidence"))  # type: ignore[no-redef]  # see above
    )
