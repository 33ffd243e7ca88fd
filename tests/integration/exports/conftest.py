"""Fixtures of the export's tests: attempts with chosen columns, and a reader of CSV."""

import csv
import hashlib
import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest

from tests.factories import store_attempt
from verification.identifiers import uuid7
from verification.models import ApiClient, VerificationAttempt
from verification.selectors.attempts import AttemptQuery
from verification.selectors.exports import attempts_file

STARTED_AT = datetime(2026, 3, 29, 0, 30, 0, 120_000, tzinfo=UTC)

RecordAttempt = Callable[..., VerificationAttempt]


@pytest.fixture
def record_attempt(client_app: ApiClient) -> RecordAttempt:
    """Return a function that stores an answered attempt; each is a second after the last."""
    numbers = count()

    def record(**columns: Any) -> VerificationAttempt:
        number = next(numbers)
        at = STARTED_AT + timedelta(seconds=number)
        values: dict[str, Any] = {
            "id": uuid7(at),
            "client": client_app,
            "region": "sandbox",
            "token_digest": hashlib.sha256(b"token %d" % number).digest(),
            "packet_sha256": hashlib.sha256(b"packet").digest(),
            "packet_size_bytes": 6,
            "commitment_key": hashlib.sha256(b"commitment %d" % number).digest(),
            "state": "answered",
            "send_no": 1,
            "created_at": at,
            "settled_at": at + timedelta(milliseconds=1400),
            "result_code": 1000,
            "outcome": "verified",
        }
        return store_attempt(**{**values, **columns})

    return record


def export(**filters: Any) -> str:
    """Return the whole CSV of a query."""
    return b"".join(attempts_file(AttemptQuery(**filters))).decode()


def rows(text: str) -> list[dict[str, str]]:
    """Read CSV the way any reader of RFC 4180 does."""
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
