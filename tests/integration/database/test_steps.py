"""Rows that change in known steps: all pairs of states, every column, in every step."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.contrib.postgres.fields import ArrayField
from django.db import IntegrityError, models, transaction

from tests.factories import NOON, erase, make_attempt, make_bearer_key, make_client, make_evidence
from tests.integration.database.conftest import RESTRICT_VIOLATION, refusal
from verification.conf import get_conf
from verification.lifecycle import TRANSITIONS, State
from verification.models import ApiKey, Erasure, EvidenceKey, VerificationAttempt
from verification.services.clients import issue_key_pair, revoke_key

pytestmark = pytest.mark.django_db

CHECK_VIOLATION = "23514"
LATER = NOON + timedelta(hours=6)
SEND = ("send_no", "sent_at", "deadline_at")
ERROR = ("http_status", "request_id", "error_code", "error_argument")
AFTERWARDS = ("settled_at", "reconciled_at", "closing_reason")
FIXED = (
    "id",
    "client_id",
    "session_id",
    "region",
    "token_digest",
    "idempotency_key",
    "packet_sha256",
    "packet_size_bytes",
    "commitment_key",
    "created_at",
    "biz_no",
    "subject",
)
FIELDS: Mapping[str, Any] = {
    field.attname: field for field in VerificationAttempt._meta.local_concrete_fields
}
RESULT = tuple(set(FIELDS) - {*FIXED, *SEND, *ERROR, *AFTERWARDS, "state"})
OTHERS: Mapping[Any, object] = {
    models.UUIDField: uuid4(),
    models.ForeignKey: uuid4(),
    models.DateTimeField: NOON - timedelta(days=9),
    models.BinaryField: b"\x09" * 32,
    models.BooleanField: True,
    models.CharField: "other",
    models.IntegerField: 9,
    models.BigIntegerField: 9,
    models.PositiveIntegerField: 9,
    models.PositiveSmallIntegerField: 9,
    ArrayField: ["other"],
}


def own_columns(before: State, after: State) -> dict[str, Any]:
    """Return what a step writes."""
    result = {"result_code": 1000, "outcome": "verified", "attack_score": Decimal("0.10")}
    if after is State.SENDING:
        cleared = dict.fromkeys(ERROR)
        return {"send_no": models.F("send_no") + 1, "sent_at": NOON, "deadline_at": NOON, **cleared}
    if after is State.CLOSED:
        return {"reconciled_at": LATER, "closing_reason": "no trace"}
    if before is State.IN_DOUBT:
        return {"reconciled_at": LATER, **(result if after is State.ANSWERED else {})}
    if after is State.NOT_SENT:
        return {"error_code": "connect_timeout"}
    settled = {"settled_at": NOON, "error_code": "reset"}
    return {**settled, **(result if after is State.ANSWERED else {})}


def other_value(name: str) -> object:
    """Return a value that differs from what the factory stores."""
    field = FIELDS[name]
    if "Decimal" in type(field).__name__:
        return Decimal("0.7")
    return {"odd": 1} if "JSON" in type(field).__name__ else OTHERS[type(field)]


def step(attempt: VerificationAttempt, after: State, **columns: Any) -> str:
    """Try a step and undo it; return the SQLSTATE of its refusal."""
    rows = VerificationAttempt.objects.filter(pk=attempt.pk)
    return refusal(partial(rows.update, state=after.value, **columns))


def in_state(state: State) -> VerificationAttempt:
    """Store an attempt in a state, by the legal steps."""
    return make_attempt("verified" if state is State.ANSWERED else None, state=state.value)


LEGAL = [(before, after) for before in State for after in sorted(TRANSITIONS[before])]


@pytest.mark.parametrize("after", State)
@pytest.mark.parametrize("before", State)
def test_only_the_ways_of_the_lifecycle_are_open(before: State, after: State) -> None:
    attempt = in_state(before)
    columns = own_columns(before, after)
    if after in TRANSITIONS[before]:
        assert step(attempt, after, **columns) == ""
    else:
        assert step(attempt, after) == RESTRICT_VIOLATION
        assert step(attempt, after, **columns) == RESTRICT_VIOLATION


@pytest.mark.parametrize(("before", "after"), LEGAL)
def test_no_step_changes_what_was_accepted(before: State, after: State) -> None:
    attempt = in_state(before)
    for name in FIXED:
        changed = own_columns(before, after) | {name: other_value(name)}
        assert step(attempt, after, **changed) == RESTRICT_VIOLATION, name


@pytest.mark.parametrize(("before", "after"), LEGAL)
def test_only_a_send_writes_the_send(before: State, after: State) -> None:
    attempt = in_state(before)
    for name in SEND:
        wrong = own_columns(before, after)
        if after is State.SENDING:
            wrong |= {name: models.F("send_no") if name == "send_no" else None}
        else:
            wrong |= {name: other_value(name)}
        assert step(attempt, after, **wrong) == RESTRICT_VIOLATION, name


@pytest.mark.parametrize(
    ("before", "after"), [pair for pair in LEGAL if pair[1] in {State.SENDING, State.NOT_SENT}]
)
def test_a_step_before_the_answer_brings_no_result(before: State, after: State) -> None:
    attempt = in_state(before)
    for name in (*RESULT, *AFTERWARDS):
        wrong = own_columns(before, after) | {name: other_value(name)}
        assert step(attempt, after, **wrong) == RESTRICT_VIOLATION, name


def test_closing_rewrites_nothing_not_even_the_digits_of_a_figure() -> None:
    attempt = make_attempt(None, state="sending")
    rows = VerificationAttempt.objects.filter(pk=attempt.pk)
    known = {"attack_score": Decimal("0.10"), "unknown_fields": {"a": Decimal("1.0")}}
    rows.update(state="in_doubt", settled_at=NOON, error_code="reset", **known)
    closing = own_columns(State.IN_DOUBT, State.CLOSED)
    for name in (*RESULT, *ERROR, "settled_at"):
        wrong = closing | {name: other_value(name)}
        assert step(attempt, State.CLOSED, **wrong) == RESTRICT_VIOLATION, name
    for rounded in ({"attack_score": Decimal("0.1")}, {"unknown_fields": {"a": 1}}):
        assert step(attempt, State.CLOSED, **closing, **rounded) == RESTRICT_VIOLATION
    assert step(attempt, State.CLOSED, **closing) == ""


def test_a_reconciliation_needs_its_time_and_leaves_the_settlement() -> None:
    attempt = in_state(State.IN_DOUBT)
    for after in (State.ANSWERED, State.CLOSED):
        columns = own_columns(State.IN_DOUBT, after)
        for wrong in ({"reconciled_at": None}, {"settled_at": LATER}):
            assert step(attempt, after, **columns | wrong) == RESTRICT_VIOLATION


@pytest.mark.parametrize("state", [each for each in State if not TRANSITIONS[each]])
def test_what_is_final_keeps_every_column(state: State) -> None:
    attempt = in_state(state)
    for name in FIELDS:
        value = State.ACCEPTED.value if name == "state" else other_value(name)
        rows = VerificationAttempt.objects.filter(pk=attempt.pk)
        assert refusal(partial(rows.update, **{name: value})) == RESTRICT_VIOLATION, name


@pytest.mark.parametrize("state", [each for each in State if each is not State.ACCEPTED])
def test_an_attempt_begins_as_accepted(state: State) -> None:
    source = in_state(state)
    source.pk, source.token_digest, source.idempotency_key = uuid4(), b"\x08" * 32, None
    assert refusal(partial(source.save, force_insert=True)) == RESTRICT_VIOLATION


def test_an_attempt_begins_without_anything_of_later() -> None:
    source = in_state(State.ACCEPTED)
    for name in (*SEND, *ERROR, *RESULT, *AFTERWARDS):
        values = {each: getattr(source, each) for each in FIELDS} | {name: other_value(name)}
        values |= {"id": uuid4(), "token_digest": b"\x08" * 32}
        begin = partial(VerificationAttempt.objects.create, **values)
        assert refusal(begin) == RESTRICT_VIOLATION, name


@pytest.fixture
def key() -> EvidenceKey:
    """Return the wrapped key of an attempt with evidence."""
    attempt = make_attempt("verified")
    make_evidence(attempt, "image_best")
    return attempt.evidence_key


def key_step(key: EvidenceKey, **columns: Any) -> str:
    """Try to change an evidence key."""
    return refusal(partial(EvidenceKey.objects.filter(pk=key.pk).update, **columns))


def test_a_key_is_wrapped_anew_under_another_key_only(key: EvidenceKey) -> None:
    anew = b"\x02" * 61
    assert key_step(key, kek_id="next", sealed=anew) == ""
    assert key_step(key, sealed=anew) == RESTRICT_VIOLATION
    assert key_step(key, kek_id="next") == RESTRICT_VIOLATION
    assert key_step(key, kek_id="next", sealed=anew, created_at=LATER) == RESTRICT_VIOLATION
    other = make_attempt("verified")
    assert key_step(key, kek_id="next", sealed=anew, attempt=other) == RESTRICT_VIOLATION


def test_a_key_is_destroyed_after_the_approval_of_another_and_for_ever(key: EvidenceKey) -> None:
    gone = {"sealed": None, "erased_at": LATER}
    assert key_step(key, **gone) == RESTRICT_VIOLATION
    request = ask(key.attempt)
    assert key_step(key, **gone) == RESTRICT_VIOLATION
    decide(request, "refused", "second")
    assert key_step(key, **gone) == RESTRICT_VIOLATION
    assert key_step(key, kek_id="next", **gone) == RESTRICT_VIOLATION
    decide(ask(key.attempt), "approved", "third")
    assert key_step(key, kek_id="next", **gone) == RESTRICT_VIOLATION
    assert key_step(key, erased_at=LATER) == CHECK_VIOLATION
    EvidenceKey.objects.filter(pk=key.pk).update(**gone)
    back: list[dict[str, Any]] = [
        {"sealed": b"\x01" * 61, "erased_at": None},
        {"sealed": b"\x01" * 61, "erased_at": None, "kek_id": "next"},
        {"erased_at": NOON},
        {"kek_id": "next"},
    ]
    for columns in back:
        assert key_step(key, **columns) == RESTRICT_VIOLATION


def test_a_key_does_not_begin_as_erased() -> None:
    make = partial(
        EvidenceKey.objects.create,
        attempt=make_attempt("verified"),
        kek_id="test-1",
        created_at=NOON,
        erased_at=NOON,
    )
    assert refusal(make) == RESTRICT_VIOLATION


def superuser(name: str) -> User:
    """Return an account that may do all."""
    return User.objects.get_or_create(username=name, is_staff=True, is_superuser=True)[0]


def ask(attempt: VerificationAttempt) -> Erasure:
    """Request an erasure."""
    return Erasure.objects.create(
        id=uuid4(),
        attempt=attempt,
        legal_basis="subject_request",
        reason="asked by letter",
        requested_by=superuser("first"),
        requested_at=NOON,
    )


def decide(request: Erasure, decision: str, name: str) -> None:
    """Decide as somebody."""
    person = superuser(name)
    Erasure.objects.filter(pk=request.pk).update(
        decision=decision, decided_by=person, decided_at=LATER
    )


@pytest.mark.parametrize("decision", ["approved", "refused"])
def test_a_request_is_decided_once_and_by_another(decision: str) -> None:
    request = ask(make_attempt("verified"))
    assert refusal(partial(decide, request, decision, "first")) == CHECK_VIOLATION
    decide(request, decision, "second")
    rows = Erasure.objects.filter(pk=request.pk)
    undecided = {"decision": None, "decided_by": None, "decided_at": None}
    changes: list[dict[str, Any]] = [
        undecided,
        {"decision": "refused" if decision == "approved" else "approved"},
        {"decided_by": superuser("third")},
        {"decided_at": NOON},
    ]
    for columns in changes:
        assert refusal(partial(rows.update, **columns)) == RESTRICT_VIOLATION


def test_a_request_says_what_it_said_also_when_it_is_decided() -> None:
    request = ask(make_attempt("verified"))
    second = superuser("second")
    decided = {"decision": "approved", "decided_by": second, "decided_at": LATER}
    changes: dict[str, Any] = {
        "id": uuid4(),
        "attempt": make_attempt("verified"),
        "legal_basis": "unlawful",
        "reason": "something else",
        "requested_by": superuser("third"),
        "requested_at": LATER,
    }
    rows = Erasure.objects.filter(pk=request.pk)
    for name, value in changes.items():
        for columns in ({name: value}, {name: value, **decided}):
            assert refusal(partial(rows.update, **columns)) == RESTRICT_VIOLATION, name


def test_a_request_begins_undecided() -> None:
    request = ask(make_attempt("verified"))
    request.pk, request.attempt = uuid4(), make_attempt("verified")
    request.decision, request.decided_at = "approved", LATER
    request.decided_by = superuser("second")
    assert refusal(partial(request.save, force_insert=True)) == RESTRICT_VIOLATION


def test_an_approval_for_one_attempt_destroys_no_other_key(key: EvidenceKey) -> None:
    other = make_attempt("verified")
    make_evidence(other, "image_best")
    erase(other, at=LATER)
    assert key_step(key, sealed=None, erased_at=LATER) == RESTRICT_VIOLATION


Make = Callable[[], ApiKey]
KEYS: dict[str, Make] = {
    "bearer": lambda: make_bearer_key(make_client()),
    "sign": lambda: issue_key_pair(client=make_client(), keyring=get_conf().keyring, now=NOON).key,
}


@pytest.mark.parametrize("make", KEYS.values(), ids=KEYS)
def test_an_api_key_is_revoked_once_and_else_stays(make: Make) -> None:
    key = make()
    rows = ApiKey.objects.filter(pk=key.pk)
    changes: dict[str, Any] = {
        "id": uuid4(),
        "client": make_client(),
        "kind": "other",
        "public_id": "other",
        "secret_sha256": b"\x09" * 32,
        "secret_sealed": b"\x09" * 61,
        "kek_id": "next",
        "created_at": LATER,
        "expires_at": LATER,
    }
    for name, value in changes.items():
        expected = {RESTRICT_VIOLATION}
        if name in {"secret_sealed", "kek_id"} and key.kind == "bearer":
            expected = {RESTRICT_VIOLATION, CHECK_VIOLATION}
        assert refusal(partial(rows.update, **{name: value})) in expected, name
    revoke_key(key=key, now=LATER)
    for again in (None, NOON):
        assert refusal(partial(rows.update, revoked_at=again)) == RESTRICT_VIOLATION
    revoke_key(key=key, now=NOON)
    assert rows.get().revoked_at == LATER


def test_a_key_pair_is_wrapped_anew_also_after_its_end() -> None:
    key = KEYS["sign"]()
    revoke_key(key=key, now=LATER)
    assert ApiKey.objects.filter(pk=key.pk).update(kek_id="next", secret_sealed=b"\x09" * 61) == 1


def test_a_client_stays_who_it_is_and_may_be_renamed_or_switched_off() -> None:
    client = make_client()
    rows = type(client).objects.filter(pk=client.pk)
    changes: list[dict[str, Any]] = [{"id": uuid4()}, {"created_at": NOON}]
    for columns in changes:
        assert refusal(partial(rows.update, **columns)) == RESTRICT_VIOLATION
    assert rows.update(name="renamed", is_active=False, scopes=[]) == 1


def test_nobody_decides_on_their_own_request_by_becoming_its_author(key: EvidenceKey) -> None:
    request = ask(key.attempt)
    decide(request, "approved", "second")
    with pytest.raises(IntegrityError), transaction.atomic():
        Erasure.objects.filter(pk=request.pk).update(requested_by=request.decided_by)


def test_time_zones_change_nothing() -> None:
    attempt = in_state(State.IN_DOUBT)
    same_moment = datetime.fromisoformat("2026-11-20T14:00:00.123+02:00")
    columns = own_columns(State.IN_DOUBT, State.CLOSED) | {"created_at": same_moment}
    assert step(attempt, State.CLOSED, **columns) == ""
