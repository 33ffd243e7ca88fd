"""Rows for tests that do not go through a submission: each state, each outcome, any override."""

import hashlib
import itertools
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.contrib.auth.models import User

from verification.identifiers import uuid7
from verification.models import (
    ApiClient,
    ApiKey,
    Erasure,
    Evidence,
    EvidenceKey,
    VerificationAttempt,
    VerificationSession,
)
from verification.models.client import Scope

NOON = datetime(2026, 11, 20, 12, 0, 0, 123_000, tzinfo=UTC)
_numbers = itertools.count(1)

SCORES: dict[str, Any] = {
    "ref1_confidence": Decimal("84.305"),
    "ref1_threshold_1e3": Decimal("62.169"),
    "ref1_threshold_1e4": Decimal("69.315"),
    "ref1_threshold_1e5": Decimal("74.399"),
    "ref1_threshold_1e6": Decimal("78.038"),
}
RISK: dict[str, Any] = {
    "is_attack": False,
    "attack_score": Decimal("0.021"),
    "attack_threshold": Decimal("0.500"),
    "device_level": "2",
    "device_tags": {"is_root": 0, "is_hook": 0, "is_injection": 0, "is_virtual_environment": 0},
}


def _said(code: int, message: str, *, billable: bool | None, **more: Any) -> dict[str, Any]:
    return {"result_code": code, "result_message": message, "billable": billable, **more}


ANSWERS: dict[str, dict[str, Any]] = {
    "verified": _said(1000, "SUCCESS", billable=True, **SCORES, **RISK),
    "different_person": _said(
        2000,
        "PASS_LIVING_NOT_THE_SAME",
        billable=True,
        **{**SCORES, **RISK, "ref1_confidence": Decimal("41.77")},
    ),
    "liveness_failed": _said(
        4100,
        "FAIL_LIVING_FACE_ATTACK",
        billable=False,
        is_attack=True,
        attack_score=Decimal("0.913"),
        attack_threshold=Decimal("0.500"),
        device_level="2",
        device_tags={"is_root": 1, "is_hook": 0, "is_injection": 1, "is_virtual_environment": 0},
    ),
    "not_completed": _said(4200, "USER_CANCELLATION", billable=False),
    "source_failed": _said(3000, "DATA_SOURCE_ERROR", billable=False),
    "unrecognised": _said(7321, "SOMETHING_NEW", billable=None),
}
"""What an answer of each outcome brings."""

ERRORS: dict[str, dict[str, Any]] = {
    "rejected": {
        "http_status": 400,
        "error_code": "BAD_ARGUMENTS",
        "error_argument": "meglive_data",
    },
    "not_sent": {"error_code": "connect_timeout"},
    "in_doubt": {"error_code": "read_timeout"},
    "closed": {"error_code": "reset", "closing_reason": "no trace of it at the vendor"},
}
"""What the other settled states bring."""

DOUBT = ("error_code", "error_argument", "http_status", "request_id")
BEGIN = {
    "id",
    "client",
    "client_id",
    "session",
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
}
"""What is written when an attempt is accepted."""

SENT = {"sending", "answered", "rejected", "in_doubt", "closed"}
SETTLED = SENT - {"sending"}


def make_client(name: str = "", **overrides: Any) -> ApiClient:
    """Store a client with every scope."""
    number = next(_numbers)
    values = {
        "id": uuid7(NOON),
        "name": name or f"client-{number}",
        "scopes": sorted(Scope.values),
        "created_at": NOON - timedelta(days=30),
    }
    return ApiClient.objects.create(**{**values, **overrides})


def make_bearer_key(client: ApiClient, **overrides: Any) -> ApiKey:
    """Store a key whose secret nobody knows."""
    values = {
        "id": uuid7(NOON),
        "client": client,
        "kind": "bearer",
        "public_id": f"prefix{next(_numbers):06}",
        "secret_sha256": hashlib.sha256(b"unknown").digest(),
        "created_at": NOON,
    }
    return ApiKey.objects.create(**{**values, **overrides})


def make_session(client: ApiClient | None = None, **overrides: Any) -> VerificationSession:
    """Store an unused session."""
    number = next(_numbers)
    created_at = overrides.get("created_at", NOON)
    values = {
        "id": uuid7(created_at),
        "client": client or make_client(),
        "region": "sandbox",
        "token_digest": hashlib.sha256(b"session %d" % number).digest(),
        "biz_no": f"ONB-{number:06}",
        "subject": f"person-{number:06}",
        "liveness_type": "still",
        "options": {"verbose": "1", "security_level": "2"},
        "request_id": f"1700000000,session-{number}",
        "time_used_ms": 212,
        "created_at": created_at,
        "expires_at": created_at + timedelta(hours=1),
    }
    return VerificationSession.objects.create(**{**values, **overrides})


def make_attempt(
    outcome: str | None = "verified", *, state: str | None = None, **overrides: Any
) -> VerificationAttempt:
    """Store an attempt: an outcome makes it answered, else give `outcome=None` and a state."""
    number = next(_numbers)
    state = state or ("answered" if outcome else "accepted")
    created_at = overrides.get("created_at", NOON)
    values: dict[str, Any] = {
        "id": uuid7(created_at),
        "region": "sandbox",
        "token_digest": hashlib.sha256(b"token %d" % number).digest(),
        "packet_sha256": hashlib.sha256(b"packet %d" % number).digest(),
        "packet_size_bytes": 412_345,
        "commitment_key": hashlib.sha256(b"commitment %d" % number).digest(),
        "state": state,
        "send_no": 1 if state in SENT else 0,
        "created_at": created_at,
        "biz_no": f"ONB-{number:06}",
        "subject": f"person-{number:06}",
        **_times(state, created_at),
        **ERRORS.get(state, {}),
    }
    if state == "answered" and outcome:
        values |= {"outcome": outcome, "http_status": 200, "time_used_ms": 1_204}
        values |= {"request_id": f"1700000000,attempt-{number}", **ANSWERS[outcome]}
    if "client" not in overrides and "client_id" not in overrides:
        values["client"] = make_client()
    return store_attempt(**{**values, **overrides})


def store_attempt(**values: Any) -> VerificationAttempt:
    """Store an attempt by the steps that the database allows, and return it as it then stands."""
    begin = {name: value for name, value in values.items() if name in BEGIN}
    VerificationAttempt.objects.create(**begin, state="accepted", send_no=0)
    row = VerificationAttempt.objects.filter(pk=values["id"])
    later = {name: value for name, value in values.items() if name not in BEGIN}
    sent_at = later.setdefault("sent_at", values["created_at"])
    send = {"sent_at": sent_at, "deadline_at": later.setdefault("deadline_at", sent_at)}
    for send_no in range(1, later.get("send_no", 0) + 1):
        if send_no > 1:
            row.update(state="not_sent")
        row.update(state="sending", send_no=send_no, **send)
    if later["state"] == "closed" or later.get("reconciled_at"):
        known = {name: later.get(name) for name in ("settled_at", *DOUBT)}
        row.update(state="in_doubt", **known)
    if not later.get("send_no", 0):
        del later["sent_at"], later["deadline_at"]
    if later["state"] not in {"accepted", "sending"}:
        row.update(**later)
    return row.select_related("client", "session").get()


def make_evidence(attempt: VerificationAttempt, *kinds: str, erased: bool = False) -> None:
    """Store evidence whose envelope nobody can open; `erased` destroys its key."""
    EvidenceKey.objects.create(
        attempt=attempt, kek_id="test-1", sealed=b"\x01" * 61, created_at=attempt.created_at
    )
    if erased:
        erase(attempt, at=attempt.created_at + timedelta(days=90))
    for kind in kinds:
        Evidence.objects.create(
            id=uuid7(attempt.created_at),
            attempt=attempt,
            kind=kind,
            size_bytes=48_213,
            sha256=hashlib.sha256(kind.encode()).digest(),
            sealed=b"\x01" * (48_213 + 29),
            created_at=attempt.created_at,
        )


def erase(attempt: VerificationAttempt, *, at: datetime) -> None:
    """Destroy the key as two people would."""
    number = next(_numbers)
    first, second = (
        User.objects.create(username=f"{name}-{number}", is_staff=True, is_superuser=True)
        for name in ("asks", "approves")
    )
    Erasure.objects.create(
        id=uuid7(at),
        attempt=attempt,
        legal_basis="retention_ended",
        reason="ninety days are over",
        requested_by=first,
        requested_at=at,
    )
    Erasure.objects.filter(attempt=attempt).update(
        decision="approved", decided_by=second, decided_at=at
    )
    EvidenceKey.objects.filter(attempt=attempt).update(sealed=None, erased_at=at)


def _times(state: str, created_at: datetime) -> dict[str, Any]:
    times: dict[str, Any] = {}
    if state in SENT:
        sent_at = created_at + timedelta(milliseconds=14)
        times |= {"sent_at": sent_at, "deadline_at": sent_at + timedelta(seconds=25)}
    if state in SETTLED:
        times["settled_at"] = created_at + timedelta(milliseconds=1_431)
    if state == "closed":
        times["reconciled_at"] = created_at + timedelta(hours=5, minutes=12)
    return times
