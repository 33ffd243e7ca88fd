"""Everything that is held about one person, as it is stored; of evidence the list, never a byte."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import F, Func, IntegerField, Model, TextField, Value
from django.db.models.functions import Cast

from verification.ledger.canonical import Json, parse
from verification.ledger.errors import CanonicalError
from verification.models import (
    Evidence,
    LedgerEntry,
    LegalHold,
    PastRow,
    Review,
    ReviewStep,
    StagedEntry,
    SubjectReport,
    VerificationAttempt,
    VerificationSession,
)
from verification.models.fields import load_exact
from verification.selectors.access import AccessEvent, access_to
from verification.selectors.holds import covered_by, open_holds
from verification.selectors.retention import Rules, rules_in_force

EXPORTED = "export.created"
SHOWN = 200
INTERNAL = frozenset({"token_digest", "commitment_key", "packet_sha256", "session_id"})
"""Columns of an attempt or a session that tell nothing of the person: keys, digests, links."""
REVIEW_COLUMNS = ("state", "decision", "reason_code", "reasons", "opened_at", "decided_at")
STEP_COLUMNS = ("at", "kind", "by_name", "decision", "reason_code", "note")

Facts = dict[str, Any]
"""Columns by their names."""


@dataclass(frozen=True, slots=True)
class Held:
    """What is held about a person: plain values, times and decimals as they are stored."""

    attempts: list[Facts]
    sessions: list[Facts]
    exports: int
    reports: int


@dataclass(frozen=True, slots=True)
class Found:
    """Which attempts and sessions a reference leads to."""

    attempts: tuple[UUID, ...]
    sessions: tuple[UUID, ...]


def find_subject(subject: str, client_id: UUID | None) -> Found:
    """Return what is stored under exactly this reference, of one client or of all."""
    wanted: dict[str, object] = {"subject": subject}
    if client_id is not None:
        wanted["client_id"] = client_id
    attempts = VerificationAttempt.objects.filter(**wanted).order_by("created_at", "id")
    sessions = VerificationSession.objects.filter(**wanted).order_by("created_at", "id")
    return Found(
        tuple(attempts.values_list("id", flat=True)), tuple(sessions.values_list("id", flat=True))
    )


def reports_taken() -> list[SubjectReport]:
    """Return the last reports, newest first, with their clients."""
    return list(SubjectReport.objects.select_related("client")[:SHOWN])


def held_about(found: Found, subject_digest: bytes) -> Held:
    """Read everything; a number of queries that does not grow with what there is."""
    rows = list(
        VerificationAttempt.objects.filter(pk__in=found.attempts)
        .select_related("client", "evidence_key")
        .defer("commitment_key", "evidence_key__sealed")
        .order_by("created_at", "id")
    )
    return Held(
        attempts=list(_attempts(rows)),
        sessions=[
            _columns(each)
            for each in VerificationSession.objects.filter(pk__in=found.sessions)
            .select_related("client")
            .order_by("created_at", "id")
        ],
        exports=_exports(rows),
        reports=SubjectReport.objects.filter(subject_digest=subject_digest).count(),
    )


def _attempts(rows: list[VerificationAttempt]) -> Iterator[Facts]:
    ids = [each.pk for each in rows]
    evidence, reviews, former = _evidence(ids), _reviews(ids), _former(ids)
    access, holds, rules = _access(rows), _holds(ids), rules_in_force()
    for row in rows:
        key = getattr(row, "evidence_key", None)
        items = [{**each, "erased_at": key and key.erased_at} for each in evidence[row.pk]]
        yield {
            **_columns(row),
            "evidence": items,
            "seen_by": [_told(each) for each in access[row.pk]],
            "review": reviews.get(row.pk),
            "former_states": former[row.pk],
            "retention": _due(row, [each["kind"] for each in items], rules),
            "legal_holds": holds[row.pk],
        }


def _columns(row: Model) -> Facts:
    """Return the columns that are about the person, the client by its name."""
    deferred = row.get_deferred_fields()
    names = [each.attname for each in row._meta.concrete_fields]  # noqa: SLF001 - Django's documented API
    kept = {
        each: getattr(row, each) for each in names if each not in INTERNAL and each not in deferred
    }
    client = kept.pop("client_id")
    return {**kept, "client": row.client.name if client else None}  # type: ignore[attr-defined]


def _evidence(ids: Collection[UUID]) -> Mapping[UUID, list[Facts]]:
    found: dict[UUID, list[Facts]] = defaultdict(list)
    rows = Evidence.objects.filter(attempt_id__in=ids).order_by("kind")
    for attempt, *said in rows.values_list("attempt_id", "kind", "size_bytes", "created_at"):
        found[attempt].append(dict(zip(("kind", "size_bytes", "created_at"), said, strict=True)))
    return found


def _reviews(ids: Collection[UUID]) -> Mapping[UUID, Facts]:
    """Return each review with its steps: who concluded what, and why."""
    steps: dict[UUID, list[Facts]] = defaultdict(list)
    for step in ReviewStep.objects.filter(review_id__in=ids).values("review_id", *STEP_COLUMNS):
        steps[step.pop("review_id")].append(step)
    rows = Review.objects.filter(pk__in=ids).values("attempt_id", *REVIEW_COLUMNS)
    return {row.pop("attempt_id"): {**row, "steps": steps[row_id]} for row_id, row in _keyed(rows)}


def _keyed(rows: Iterable[Facts]) -> Iterator[tuple[UUID, Facts]]:
    for row in rows:
        yield row["attempt_id"], row


def _former(ids: Collection[UUID]) -> Mapping[UUID, list[Facts]]:
    """Return what the records said before they changed, digits kept."""
    found: dict[UUID, list[Facts]] = defaultdict(list)
    rows = PastRow.objects.filter(attempt_id__in=ids).order_by("id")
    texts = rows.annotate(text=Cast("said", TextField())).values_list("attempt_id", "text")
    for attempt, text in texts:
        said = load_exact(text)
        found[attempt].append({name: said[name] for name in said if name not in INTERNAL})
    return found


def _access(rows: Iterable[VerificationAttempt]) -> Mapping[UUID, list[AccessEvent]]:
    found: dict[UUID, list[AccessEvent]] = defaultdict(list)
    for event in access_to({each.pk: each.biz_no for each in rows}):
        found[event.attempt_id].append(event)
    return found


def _told(event: AccessEvent) -> Facts:
    return {
        "at": event.at,
        "what": event.what,
        "who": event.who,
        "purpose": event.purpose,
        "reason": event.reason,
        "item": event.item,
        "entry": event.index,
    }


def _due(row: VerificationAttempt, kinds: Iterable[str], rules: Rules) -> Mapping[str, datetime]:
    evidence = rules.longest(set(kinds) or {""}, row.region)
    return {
        "evidence_until": row.created_at + timedelta(days=evidence.days),
        "record_until": row.created_at + timedelta(days=rules.record(row.region).days),
    }


def _holds(ids: Collection[UUID]) -> Mapping[UUID, list[datetime]]:
    """Return since when each attempt is held; why may concern others, and is not told."""
    found: dict[UUID, list[datetime]] = defaultdict(list)
    holds: Iterable[LegalHold] = open_holds()
    for hold in holds:
        for attempt in covered_by(hold).filter(pk__in=ids).values_list("pk", flat=True):
            found[attempt].append(hold.placed_at)
    return found


def _exports(rows: Collection[VerificationAttempt]) -> int:
    """Count the exports that may have held one of the attempts: made later, and not narrowed to
    another client or region. Which attempts an export held is nowhere stored."""
    if not rows:
        return 0
    first = min(each.created_at for each in rows)
    clients = {str(each.client_id) for each in rows}
    regions = {each.region for each in rows}
    return sum(_may_hold(each, clients, regions) for each in _told_exports(first))


def _told_exports(since: datetime) -> Iterator[Mapping[str, Json]]:
    """Yield the entries of exports, those in the log and those on the stage."""
    place = Func(
        F("raw"),
        Value(f'"kind":"{EXPORTED}"'.encode()),
        function="pg_catalog.position",
        output_field=IntegerField(),
    )
    stored = LedgerEntry.objects.filter(kind=EXPORTED, sequenced_at__gte=since)
    staged = StagedEntry.objects.alias(place=place).filter(place__gt=0, staged_at__gte=since)
    for rows in (stored, staged):
        for raw in rows.values_list("raw", flat=True).iterator():
            try:
                said = parse(bytes(raw))
            except CanonicalError:
                continue
            if said.get("kind") == EXPORTED:
                yield said


def _may_hold(said: Mapping[str, Json], clients: set[str], regions: set[str]) -> bool:
    filters = said.get("filters")
    told = filters if isinstance(filters, dict) else {}
    named = {said.get("client"), told.get("client"), told.get("client_id")} - {None}
    region = told.get("region")
    return named <= clients and (region is None or region in regions)
