"""What a what-if reads: judged attempts, newest first, with what a policy looks at."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
from django.db import connection
from django.db.models import QuerySet

from verification.faceid.contract import COMPARISON_NAMES
from verification.lifecycle import State
from verification.models import PolicyReplay, ReviewPolicy
from verification.models.attempt import threshold_column
from verification.models.policy import ENDED
from verification.outcomes import Outcome
from verification.policy.document import Policy
from verification.selectors.policies import read_document

JUDGED = [each.value for each in (State.ANSWERED, State.REJECTED, State.IN_DOUBT, State.CLOSED)]
"""States of attempts that a policy has judged, or would have."""

LABELS = ("created_at", "id", "client_id", "policy_version", "verdict", "reasons")
"""What stands in a row before the facts."""

FACTS = (
    "state",
    "outcome",
    "result_code",
    "is_attack",
    *(f"{name}_confidence" for name in COMPARISON_NAMES),
    "device_level",
)
DOCUMENTS = ("device_tags", "verify_tags", "unknown_fields")
COUNTS = ("subject_failures", "biz_no_failures")

RANGE = """
    FROM verification_attempt AS a
    WHERE a.created_at >= %(since)s AND a.created_at < %(until)s AND a.state = ANY(%(judged)s)
"""
COUNT = f"SELECT count(*) {RANGE}"
PAGE = """
    SELECT {columns} {range}
        AND (a.created_at, a.id) < (%(before_at)s, %(before_id)s)
    ORDER BY a.created_at DESC, a.id DESC LIMIT %(size)s
"""
# Counted when an attempt was sent: this is the same count, of a window of another length. Failures
# stand there by name, so that any plan can use the index that holds them only.
FAILURES = """
    CASE WHEN a.policy_version = ANY(%(same)s)
            OR a.policy_version IS NOT NULL AND a.{stored} IS NULL
        THEN a.{stored}
        ELSE (SELECT count(*) FROM (
            SELECT FROM verification_attempt AS f
            WHERE f.client_id = a.client_id AND f.{same} = a.{same} AND f.id <> a.id
                AND f.outcome IN ({failures})
                AND f.settled_at > a.sent_at - %(window)s AND f.settled_at <= a.sent_at
            LIMIT %(most)s) AS failed)
    END
"""


def threshold_columns(policy: Policy) -> tuple[str, ...]:
    """Return the thresholds that a policy compares with."""
    return tuple(threshold_column(name, policy.threshold) for name in COMPARISON_NAMES)


def fact_names(policy: Policy) -> tuple[str, ...]:
    """Return the names of a row's values after LABELS; those of DOCUMENTS are JSON texts."""
    return (*FACTS, *threshold_columns(policy), *DOCUMENTS, *COUNTS)


def count_judged(since: datetime, until: datetime) -> int:
    """Return how many attempts a what-if reads."""
    with connection.cursor() as cursor:
        cursor.execute(COUNT, {"since": since, "until": until, "judged": JUDGED})
        return int(cursor.fetchone()[0])


def judged_page(
    policy: Policy,
    *,
    since: datetime,
    until: datetime,
    before: tuple[datetime, UUID] | None,
    failures: Collection[Outcome],
    most: int,
    size: int,
) -> list[Sequence[Any]]:
    """Return the next attempts, newest first: LABELS, then `fact_names` of the policy.

    Earlier failures are as they were counted when the attempt was sent, if that was in a window as
    long as this policy's, and are counted anew else.
    """
    values = {
        "since": since,
        "until": until,
        "judged": JUDGED,
        "before_at": before[0] if before else until,
        "before_id": before[1] if before else UUID(int=0),
        "same": versions_of_window(policy.failures.hours),
        "window": timedelta(hours=policy.failures.hours),
        "most": most,
        "size": size,
    }
    connection.ensure_connection()
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        # Binary: reading a time from its text would take as long as judging the attempt.
        statement = PAGE.format(columns=_columns(policy, failures), range=RANGE)
        return cursor.execute(statement, values, binary=True).fetchall()


def versions_of_window(hours: int) -> list[int]:
    """Return the versions that count failures over so many hours."""
    rows = ReviewPolicy.objects.values_list("version", "document")
    return [version for version, text in rows if read_document(text).failures.hours == hours]


def open_replays() -> QuerySet[PolicyReplay]:
    """Return the what-ifs that have not ended, oldest first."""
    found = PolicyReplay.objects.exclude(state__in=ENDED).select_related("policy")
    return found.order_by("asked_at", "id")


def find_replay(replay_id: UUID) -> PolicyReplay | None:
    """Return a what-if with its version and who asked."""
    return PolicyReplay.objects.select_related("policy", "asked_by").filter(pk=replay_id).first()


def _columns(policy: Policy, failures: Collection[Outcome]) -> str:
    failed = ", ".join(f"'{each.value}'" for each in failures)
    plain = [*LABELS, *FACTS, *threshold_columns(policy)]
    return ", ".join(
        [
            *(f"a.{name}" for name in plain),
            *(f"a.{name}::text" for name in DOCUMENTS),
            FAILURES.format(stored="subject_failures", same="subject", failures=failed),
            FAILURES.format(stored="biz_no_failures", same="biz_no", failures=failed),
        ]
    )
