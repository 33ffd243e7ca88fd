"""The records of attempts as texts, ordered by attempt, streamed from one snapshot.

Everything comes as PostgreSQL writes it, ready to be built into entries again. Several streams are
read side by side, each ordered by the attempt's id, so that memory does not grow with the log.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, Literal, NamedTuple

import psycopg
from django.db import connection, transaction

from verification.ledger.canonical import Json, parse
from verification.ledger.commitment import KEY_BYTES
from verification.ledger.errors import CanonicalError, LedgerError
from verification.services.entries import GROUPS, read_labels

FETCH = 2000
UTC_FORMAT = """'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'"""


FIRST = "timestamptz '0001-01-01 00:00:00+00'"
LAST = "timestamptz '9999-12-31 23:59:59.999999+00'"


def utc_sql(column: str) -> str:
    """Return the SQL that writes a time as `entries.utc_text` does.

    One that no entry can have comes as PostgreSQL spells it: to_char gives nothing for infinity,
    and the same text for a year before Christ as for the one after.
    """
    utc = f"pg_catalog.to_char({column} AT TIME ZONE 'UTC', {UTC_FORMAT})"
    return f"CASE WHEN {column} BETWEEN {FIRST} AND {LAST} THEN {utc} ELSE {column}::text END"


def group_sql(names: Sequence[str]) -> str:
    """Return the SQL of what a group of columns is committed to by; null if all of them are."""
    columns = ", ".join(names)
    text = f"pg_catalog.jsonb_build_array({columns})::text"
    return f"CASE WHEN pg_catalog.num_nonnulls({columns}) > 0 THEN {text} END"


class Record(NamedTuple):
    """The row of an attempt; digests in hex, times and groups as texts."""

    id: str
    state: str
    send_no: int
    created_at: str
    sent_at: str | None
    settled_at: str | None
    reconciled_at: str | None
    client: str
    session: str | None
    region: str
    packet_sha256: str
    packet_size_bytes: int
    commitment_key: bytes | None
    biz_no: str | None
    subject: str | None
    idempotency_key: str | None
    token_digest: str
    request_id: str | None
    closing_reason: str | None
    result: str | None
    scores: str | None
    risk: str | None
    judgement: str | None
    verdict: str | None

    @property
    def key(self) -> bytes:
        """The key of its commitments; LedgerError where it is gone."""
        if self.commitment_key is None:
            raise LedgerError("the key of its commitments is gone")
        return self.commitment_key

    @property
    def fold_key(self) -> bytes:
        """The key, or one that stands in for it: what it makes is held by `tells` only."""
        return self.commitment_key or bytes(KEY_BYTES)

    def tells(self, expected: bytes, entry: bytes) -> bool:
        """Return whether an entry is what the row folds to; of an erased one, as far as it can."""
        if self.commitment_key is not None:
            return expected == entry
        return _in_the_clear(expected) == _in_the_clear(entry)

    def acceptance_texts(self) -> dict[str, str | None]:
        """Return what the entry of its acceptance commits to."""
        return {
            "biz_no": self.biz_no,
            "subject": self.subject,
            "idempotency_key": self.idempotency_key,
            "token_digest": self.token_digest,
        }

    def settlement_texts(self) -> dict[str, str | None]:
        """Return what the entry of its settlement commits to, beside evidence."""
        return {
            "request_id": self.request_id,
            "result": self.result,
            "scores": self.scores,
            "risk": self.risk,
            "judgement": self.judgement,
        }


def _in_the_clear(raw: bytes) -> Mapping[str, Json]:
    """Return what an entry says without a key; nothing for what is no entry."""
    try:
        said = parse(raw)
    except CanonicalError:
        return {}
    return {name: each for name, each in said.items() if name != "commitments"}


class EntryRow(NamedTuple):
    """An entry about an attempt; `place` is its index, None while it is staged."""

    attempt: str
    place: int | None
    kind: str
    raw: bytes


class EvidenceRow(NamedTuple):
    """An item of evidence, with the digest of its ciphertext computed where it is stored."""

    attempt: str
    id: str
    kind: str
    size_bytes: int
    sha256: str
    sealed_sha256: str
    created_at: str


class KeyRow(NamedTuple):
    """The wrapped key of an attempt's evidence, `sealed` None when it was erased."""

    attempt: str
    kek_id: str
    sealed: bytes | None
    created_at: str
    erased_at: str | None


class RevealRow(NamedTuple):
    """A reveal as the table has it."""

    attempt: str
    id: str
    evidence: str
    kind: str
    officer: str
    officer_id: str
    purpose: str
    reason: str
    revealed_at: str


class ErasureRow(NamedTuple):
    """An erasure request as the table has it; the two people by the ids of their accounts."""

    attempt: str
    id: str
    legal_basis: str
    reason: str
    requested_by: str
    requested_at: str
    decision: str | None
    decided_by: str | None
    decided_at: str | None


class ExpiryRow(NamedTuple):
    """A key that expired: by which run and rule, and whether those let it.

    `is_approved`: two people agreed on the run; `is_due`: by the rule, when it was asked for.
    """

    attempt: str
    run: str
    rule: str
    expired_at: str
    is_approved: bool
    is_due: bool


class RecordErasureRow(NamedTuple):
    """That the texts of an attempt were erased: for which request, or in which run; by which rule.

    `is_approved`: two people agreed on it; `is_due`: the rule had run out by then, or when the run
    was asked for.
    """

    attempt: str
    request: str | None
    run: str | None
    rule: str
    erased_at: str
    is_approved: bool
    is_due: bool


class ReviewRow(NamedTuple):
    """Where a review stands, and what its attempt says of it; people by the ids of their accounts.

    `is_asked`: the attempt's verdict is `review`; `has_reasons`: its reasons are those of the
    review; `is_flagged`: by its policy and the review's reasons two people are due, or by its new
    ones where an answer came before the decision. `is_pressing`: priority and due time are as that
    policy asks for the reasons.
    """

    attempt: str
    client: str
    needs_second: bool
    state: str
    round_no: int
    priority: int
    opened_at: str
    assignee: str | None
    snoozed_until: str | None
    decision: str | None
    reason_code: str | None
    proposed_by: str | None
    proposed_at: str | None
    decided_by: str | None
    decided_at: str | None
    glass_broken: bool
    is_asked: bool
    has_reasons: bool
    is_flagged: bool
    is_pressing: bool


class StepRow(NamedTuple):
    """A step of a review as the table has it, in the order of its entry's members."""

    attempt: str
    step: str
    kind: str
    round_no: int
    at: str
    by: str
    by_id: str
    decision: str | None
    reason_code: str | None
    note: str | None
    assignee: str | None
    priority: int | None
    until: str | None


ATTEMPTS = f"""
    SELECT id::text, state, send_no, {utc_sql("created_at")}, {utc_sql("sent_at")},
        {utc_sql("settled_at")}, {utc_sql("reconciled_at")}, client_id::text, session_id::text,
        region, pg_catalog.encode(packet_sha256, 'hex'), packet_size_bytes, commitment_key,
        biz_no, subject, idempotency_key, pg_catalog.encode(token_digest, 'hex'), request_id,
        closing_reason,
        {", ".join(group_sql(names) for names in GROUPS.values())}, verdict
    FROM verification_attempt AS row {{where}} ORDER BY row.id
"""  # noqa: S608 - our own columns
ENTRIES = """
    SELECT attempt_id::text, index, kind, raw FROM verification_ledger_entry AS row
    WHERE attempt_id IS NOT NULL {where} ORDER BY row.attempt_id, index
"""
EVIDENCE = f"""
    SELECT attempt_id::text, id::text, kind, size_bytes, pg_catalog.encode(sha256, 'hex'),
        pg_catalog.encode(pg_catalog.sha256(sealed), 'hex'), {utc_sql("created_at")}
    FROM verification_evidence AS row {{where}} ORDER BY row.attempt_id, kind COLLATE "C"
"""  # noqa: S608 - our own columns
KEYS = f"""
    SELECT attempt_id::text, kek_id, sealed, {utc_sql("created_at")}, {utc_sql("erased_at")}
    FROM verification_evidence_key AS row {{where}} ORDER BY row.attempt_id
"""  # noqa: S608 - our own columns
REVEALS = f"""
    SELECT attempt_id::text, id::text, evidence_id::text, kind, officer_name, officer_id::text,
        purpose, reason,
        {utc_sql("revealed_at")}
    FROM verification_reveal AS row {{where}} ORDER BY row.attempt_id, id
"""  # noqa: S608 - our own columns
ERASURES = f"""
    SELECT attempt_id::text, id::text, legal_basis, reason, requested_by_id::text,
        {utc_sql("requested_at")}, decision, decided_by_id::text, {utc_sql("decided_at")}
    FROM verification_erasure AS row {{where}} ORDER BY row.attempt_id, row.id
"""  # noqa: S608 - our own columns


EXPIRIES = f"""
    SELECT row.attempt_id::text, row.run_id::text, row.rule_id::text, {utc_sql("row.expired_at")},
        coalesce(run.decided_by_id <> run.asked_by_id AND run.state <> 'refused', false),
        coalesce(a.created_at + rule.days * interval '24 hours' <= run.asked_at, false)
    FROM verification_expiry AS row
    LEFT JOIN verification_retention_run AS run ON run.id = row.run_id
    LEFT JOIN verification_retention_rule AS rule ON rule.id = row.rule_id
    LEFT JOIN verification_attempt AS a ON a.id = row.attempt_id
    {{where}} ORDER BY row.attempt_id
"""  # noqa: S608 - our own columns

RECORD_ERASURES = f"""
    SELECT row.attempt_id::text, row.request_id::text, row.run_id::text, row.rule_id::text,
        {utc_sql("row.erased_at")}, coalesce(request.decided_by_id <> request.requested_by_id
            AND request.decision = 'approved', run.decided_by_id <> run.asked_by_id
            AND run.state <> 'refused' AND run.what = 'record', false),
        coalesce(a.created_at + rule.days * interval '24 hours'
            <= coalesce(run.asked_at, row.erased_at) AND rule.what = 'record', false)
    FROM verification_record_erasure AS row
    LEFT JOIN verification_subject_erasure AS request ON request.id = row.request_id
    LEFT JOIN verification_retention_run AS run ON run.id = row.run_id
    LEFT JOIN verification_retention_rule AS rule ON rule.id = row.rule_id
    LEFT JOIN verification_attempt AS a ON a.id = row.attempt_id
    {{where}} ORDER BY row.attempt_id
"""  # noqa: S608 - our own columns

RANKS = "ARRAY['urgent', 'high', 'normal']"
"""Priorities as a policy names them; their places are the numbers of the rows."""

REVIEWS = f"""
    SELECT row.attempt_id::text, row.client_id::text, row.needs_second, row.state, row.round,
        row.priority, {utc_sql("row.opened_at")}, row.assignee_id::text,
        {utc_sql("row.snoozed_until")}, row.decision, row.reason_code, row.proposed_by_id::text,
        {utc_sql("row.proposed_at")}, row.decided_by_id::text, {utc_sql("row.decided_at")},
        row.glass_broken, coalesce(a.verdict = 'review', false),
        a.reasons IS NOT DISTINCT FROM row.reasons,
        EXISTS (
            SELECT FROM verification_review_policy AS p,
                pg_catalog.json_array_elements_text(p.document::json->'second_person') AS s (reason)
            WHERE p.version = a.policy_version AND s.reason = ANY (CASE
                WHEN a.reconciled_at IS NULL OR a.state <> 'answered' THEN row.reasons
                WHEN row.decided_at < a.reconciled_at THEN NULL
                ELSE a.reasons END)),
        coalesce((
            SELECT row.priority = coalesce((
                    SELECT min(pg_catalog.array_position({RANKS}, named.value))
                    FROM pg_catalog.json_each_text(p.document::json->'priorities') AS named
                    WHERE named.key = ANY (row.reasons)), 3)
                AND row.due_at = row.opened_at + pg_catalog.make_interval(mins =>
                    (p.document::json->'sla_minutes'->>({RANKS})[row.priority])::int)
            FROM verification_review_policy AS p WHERE p.version = a.policy_version), true)
    FROM verification_review AS row LEFT JOIN verification_attempt AS a ON a.id = row.attempt_id
    {{where}} ORDER BY row.attempt_id
"""  # noqa: S608 - our own columns
STEPS = f"""
    SELECT review_id::text, id::text, kind, round, {utc_sql("at")}, by_name, by_id::text, decision,
        reason_code, note, assignee_id::text, priority, {utc_sql("until")}
    FROM verification_review_step AS row {{where}} ORDER BY row.review_id, at, id
"""  # noqa: S608 - our own columns


@dataclass(slots=True)
class Dossier:
    """All there is about one attempt."""

    attempt: str
    record: Record | None = None
    entries: list[EntryRow] = field(default_factory=list)
    evidence: list[EvidenceRow] = field(default_factory=list)
    keys: list[KeyRow] = field(default_factory=list)
    reveals: list[RevealRow] = field(default_factory=list)
    erasures: list[ErasureRow] = field(default_factory=list)
    expiries: list[ExpiryRow] = field(default_factory=list)
    erased: list[RecordErasureRow] = field(default_factory=list)
    reviews: list[ReviewRow] = field(default_factory=list)
    steps: list[StepRow] = field(default_factory=list)


@contextmanager
def snapshot(access: Literal["READ ONLY", "READ WRITE"]) -> Iterator[psycopg.Connection[Any]]:
    """Lend this thread's connection in a transaction that sees one moment of the database."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(f"SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, {access}")
            # Nobody's operators before those of PostgreSQL. Functions are called by their full
            # names: one of other types could be taken for the better match.
            cursor.execute("SHOW search_path")
            path = f"pg_catalog, {cursor.fetchone()[0]}"
            cursor.execute("SELECT pg_catalog.set_config('search_path', %s, true)", [path])
        yield connection.connection


def dossiers(connection: psycopg.Connection[Any], attempt: str | None = None) -> Iterator[Dossier]:
    """Yield what is stored about each attempt, in the order of ids; about one, if one is named.

    Attempts appear as well that have entries or evidence only. The connection must be in a
    REPEATABLE READ transaction, so that all streams tell of the same moment.
    """
    with ExitStack() as stack:
        streams = _streams(_Reader(connection, attempt, stack))
        while (current := min(each.head for each in streams)) != END:
            records, entries, staged, *others = (each.take(current) for each in streams)
            yield Dossier(current, records[0] if records else None, [*entries, *staged], *others)


def _streams(reader: "_Reader") -> "list[_Stream]":
    by_id, by_attempt = ("row.id", "row.attempt_id") if reader.attempt else (None, None)
    return [
        _Stream(reader.rows(Record, ATTEMPTS, by_id)),
        _Stream(reader.rows(EntryRow, ENTRIES, by_attempt, joined="AND")),
        _Stream(iter(_staged(reader.connection, reader.attempt))),
        _Stream(reader.rows(EvidenceRow, EVIDENCE, by_attempt)),
        _Stream(reader.rows(KeyRow, KEYS, by_attempt)),
        _Stream(reader.rows(RevealRow, REVEALS, by_attempt)),
        _Stream(reader.rows(ErasureRow, ERASURES, by_attempt)),
        _Stream(reader.rows(ExpiryRow, EXPIRIES, by_attempt)),
        _Stream(reader.rows(RecordErasureRow, RECORD_ERASURES, by_attempt)),
        _Stream(reader.rows(ReviewRow, REVIEWS, by_attempt)),
        _Stream(reader.rows(StepRow, STEPS, "row.review_id" if reader.attempt else None)),
    ]


@dataclass(frozen=True, slots=True)
class _Reader:
    """Opens cursors on the server; `attempt` narrows them all to one."""

    connection: psycopg.Connection[Any]
    attempt: str | None
    stack: ExitStack

    def rows(
        self,
        make: type[Any],
        statement: str,
        column: str | None,
        *,
        joined: str = "WHERE",
    ) -> Iterator[Any]:
        where = f"{joined} {column} = %(attempt)s" if column else ""
        name = f"audit_{make.__name__.lower()}"
        cursor = self.stack.enter_context(self.connection.cursor(name, row_factory=_as(make)))
        cursor.itersize = FETCH
        cursor.execute(statement.format(where=where), {"attempt": self.attempt})
        return iter(cursor)


def _as(make: type[Any]) -> Any:
    """Return a row factory that makes named tuples without asking for the columns' names."""

    def factory(_cursor: Any) -> Any:
        return make._make

    return factory


def _staged(connection: psycopg.Connection[Any], attempt: str | None) -> list[EntryRow]:
    """Return what is not sequenced yet, by attempt; what is no entry is the sequencer's matter."""
    found = []
    for (raw,) in connection.execute("SELECT raw FROM verification_ledger_stage ORDER BY no"):
        try:
            kind, about = read_labels(raw)
        except (CanonicalError, ValueError):
            continue
        if about is not None and attempt in {None, str(about)}:
            found.append(EntryRow(str(about), None, kind, raw))
    return sorted(found, key=itemgetter(0))


END = "~"
"""Sorts behind every id."""


class _Stream:
    """Rows that begin with an attempt's id, in its order, to be taken attempt by attempt."""

    def __init__(self, rows: Iterator[Any]) -> None:
        self._rows = rows
        self._next: Any = next(rows, None)
        self.head: str = self._next[0] if self._next else END

    def take(self, attempt: str) -> list[Any]:
        """Return the rows of this attempt, which is the head or comes before it."""
        taken: list[Any] = []
        while self.head == attempt:
            taken.append(self._next)
            self._next = next(self._rows, None)
            self.head = self._next[0] if self._next else END
        return taken
