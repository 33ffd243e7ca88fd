"""Who has seen or erased what, for a subject or an attempt: the register behind every reveal."""

import csv
import io
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from uuid import UUID

from django.contrib.auth.models import AbstractUser
from django.db.models import F, Func, IntegerField, Q, Value
from django.db.models.functions import Greatest, Least

from verification.ledger.canonical import Json, parse
from verification.ledger.errors import CanonicalError
from verification.models import Erasure, LedgerEntry, Reveal, StagedEntry, VerificationAttempt
from verification.models.erasure import ERASED, ERASURE_REFUSED, ERASURE_REQUESTED, Decision
from verification.models.reveal import REVEAL_REFUSED, REVEALED
from verification.selectors.export_columns import FORMULA_STARTS

KINDS = (REVEALED, REVEAL_REFUSED, ERASURE_REQUESTED, ERASURE_REFUSED, ERASED)
CSV_COLUMNS = (
    "when", "what", "who", "purpose", "reason", "item", "attempt", "biz_no", "entry_index",
)  # fmt: skip
UTC_FORMAT = "%Y-%m-%dT%H:%M:%S.%fZ"
UNREADABLE = "(cannot be read)"
"""Who, where an entry does not tell."""

EARLIEST, LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class AccessEvent:
    """One thing that was done with evidence, or refused; `what` is the kind of its entry.

    `purpose` is a reveal's purpose or an erasure's legal basis. `index` is None until the entry
    stands in the log.
    """

    at: datetime
    what: str
    who: str
    attempt_id: UUID
    biz_no: str | None
    purpose: str | None = None
    reason: str | None = field(default=None, repr=False)
    item: str | None = None
    index: int | None = None


@dataclass(frozen=True, slots=True)
class _Entry:
    """An entry about evidence, and its index if it has one; `said` is empty if it is damaged.

    `logged_at` is when it was staged, or came into the log.
    """

    kind: str
    attempt_id: UUID
    said: Mapping[str, Json]
    logged_at: datetime
    index: int | None


Told = Mapping[tuple[str, str | None], _Entry]


def access_events(
    *, subject: str | None = None, attempt_id: UUID | None = None
) -> list[AccessEvent]:
    """Return the events of the attempts that match all that is given, oldest first.

    Nothing matches if nothing is given. Six queries at most, however many events there are.
    """
    return access_to(_attempts(subject, attempt_id))


def access_to(attempts: Mapping[UUID, str | None]) -> list[AccessEvent]:
    """Return the events of attempts, given with their business numbers, oldest first."""
    if not attempts:
        return []
    entries = list(_entries(attempts))
    # Of two that tell of the same, the first: a copy that was staged later takes no one's place.
    told = {_identity(each): each for each in reversed(entries)}
    events = [
        *_reveals(attempts, told),
        *_erasures(attempts, told),
        *(_refusal(each, attempts) for each in entries if each.kind == REVEAL_REFUSED),
    ]
    return sorted(events, key=lambda each: each.at)


def access_csv(events: Iterable[AccessEvent]) -> bytes:
    """Return the events as CSV: UTF-8, LF, times in UTC, cells safe from running as formulas."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for each in events:
        row = (
            each.at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
            each.what, each.who, each.purpose, each.reason, each.item, str(each.attempt_id),
            each.biz_no, each.index,
        )  # fmt: skip
        writer.writerow([_guarded(cell) for cell in row])
    return text.getvalue().encode()


def _guarded(cell: str | int | None) -> str | int | None:
    is_formula = isinstance(cell, str) and cell.startswith(tuple(FORMULA_STARTS))
    return f"'{cell}" if is_formula else cell


def _attempts(subject: str | None, attempt_id: UUID | None) -> dict[UUID, str | None]:
    """Return the ids of what matches, with the business numbers."""
    wanted = Q()
    if subject is not None:
        wanted &= Q(subject=subject)
    if attempt_id is not None:
        wanted &= Q(pk=attempt_id)
    if not wanted:
        return {}
    return dict(VerificationAttempt.objects.filter(wanted).values_list("id", "biz_no"))


def _entries(attempts: Collection[UUID]) -> Iterator[_Entry]:
    """Yield those in the log, in their order, then the staged ones.

    Anybody who may stage can stage what only looks like one of ours, and who owns the table can
    damage one: neither may hide the others.
    """
    stored = LedgerEntry.objects.filter(attempt_id__in=attempts, kind__in=KINDS).order_by("index")
    columns = ("index", "kind", "attempt_id", "raw", _bounded("sequenced_at"))
    for index, kind, attempt_id, raw, at in stored.values_list(*columns):
        yield _Entry(kind, attempt_id, _read(raw), at, index)
    place = Func(
        F("raw"),
        Value(b'"kind":"evidence.'),
        function="pg_catalog.position",
        output_field=IntegerField(),
    )
    ids = {str(each): each for each in attempts}
    staged = StagedEntry.objects.alias(place=place).filter(place__gt=0).order_by("no")
    for raw, at in staged.values_list("raw", _bounded("staged_at")):
        said = _read(raw)
        attempt_id = ids.get(_text(said, "attempt") or "")
        kind = _text(said, "kind")
        if attempt_id and kind in KINDS:
            yield _Entry(kind, attempt_id, said, at, None)


def _bounded(column: str) -> Greatest:
    """Return a time that Python has too: the owner of a table can write `infinity`."""
    return Greatest(Least(column, Value(LATEST)), Value(EARLIEST))


def _read(raw: bytes) -> Mapping[str, Json]:
    try:
        return parse(bytes(raw))
    except CanonicalError:
        return {}


def _text(said: Mapping[str, Json], name: str) -> str | None:
    value = said.get(name)
    return value if isinstance(value, str) else None


def _identity(entry: _Entry) -> tuple[str, str | None]:
    return entry.kind, _text(entry.said, "reveal") or _text(entry.said, "erasure")


def _reveals(attempts: Mapping[UUID, str | None], told: Told) -> Iterator[AccessEvent]:
    for row in Reveal.objects.filter(attempt_id__in=attempts):
        yield AccessEvent(
            at=row.revealed_at,
            what=REVEALED,
            who=row.officer_name,
            attempt_id=row.attempt_id,
            biz_no=attempts[row.attempt_id],
            purpose=row.purpose,
            reason=row.reason,
            item=row.kind,
            index=_index(told, REVEALED, row.pk),
        )


def _erasures(attempts: Mapping[UUID, str | None], told: Told) -> Iterator[AccessEvent]:
    rows = Erasure.objects.select_related("requested_by", "decided_by")
    for row in rows.filter(attempt_id__in=attempts):
        asked = AccessEvent(
            at=row.requested_at,
            what=ERASURE_REQUESTED,
            who=_who(told.get((ERASURE_REQUESTED, str(row.pk))), "by", row.requested_by),
            attempt_id=row.attempt_id,
            biz_no=attempts[row.attempt_id],
            purpose=row.legal_basis,
            reason=row.reason,
            index=_index(told, ERASURE_REQUESTED, row.pk),
        )
        yield asked
        if row.decided_by is not None and row.decided_at is not None:
            is_erased = row.decision == Decision.APPROVED
            what, name = (ERASED, "approved_by") if is_erased else (ERASURE_REFUSED, "by")
            yield replace(
                asked,
                at=row.decided_at,
                what=what,
                who=_who(told.get((what, str(row.pk))), name, row.decided_by),
                index=_index(told, what, row.pk),
            )


def _index(told: Told, kind: str, identity: UUID) -> int | None:
    entry = told.get((kind, str(identity)))
    return entry.index if entry else None


def _who(entry: _Entry | None, name: str, person: AbstractUser) -> str:
    """Return what the account was called when it acted, and what it is called now if not so."""
    now = person.get_username()
    then = _text(entry.said, name) if entry else None
    return f"{then} (now {now})" if then and then != now else now


def _refusal(entry: _Entry, attempts: Mapping[UUID, str | None]) -> AccessEvent:
    """Return a reveal that was refused: there is no row of it, only the entry."""
    return AccessEvent(
        at=_moment(_text(entry.said, "at")) or entry.logged_at,
        what=REVEAL_REFUSED,
        who=_text(entry.said, "by") or UNREADABLE,
        attempt_id=entry.attempt_id,
        biz_no=attempts[entry.attempt_id],
        item=_text(entry.said, "item"),
        index=entry.index,
    )


def _moment(text: str | None) -> datetime | None:
    """Return a time as our entries spell it, if it can be."""
    try:
        at = datetime.strptime(text or "", UTC_FORMAT).replace(tzinfo=UTC)
    except ValueError:
        return None
    return at if EARLIEST <= at <= LATEST else None
