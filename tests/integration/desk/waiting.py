"""Who sits at the desk, and what waits for them."""

from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib.auth.models import Group, Permission, User
from django.test import Client

from tests.factories import make_attempt
from verification.models import Review, VerificationAttempt
from verification.models.review import ReviewState
from verification.policy.terms import Decision
from verification.services.reviews import decide, second
from verification.services.runtime import Runtime

DUTIES = {
    "officer": ("view_review", "work_review"),
    "approver": (
        "view_review", "work_review", "second_review", "assign_review", "reopen_review",
        "break_glass",
    ),
    "auditor": ("view_review",),
}  # fmt: skip


def make_person(name: str, role: str) -> User:
    """Store a member of staff with the duties of a role at the desk."""
    user = User.objects.create_user(name, is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    user.user_permissions.add(*Permission.objects.filter(codename__in=DUTIES[role]))
    return user


def signed_in(user: User) -> Client:
    """Return a browser in which somebody has signed in."""
    browser = Client()
    browser.force_login(user)
    return browser


def make_review(
    attempt: VerificationAttempt | None = None, *, needs_second: bool = False, **overrides: Any
) -> Review:
    """Store an attempt that is to be reviewed, and its open review."""
    reasons = overrides.pop("reasons", ["device_tag"] if needs_second else ["near_threshold"])
    biz_no = overrides.pop("biz_no", "LOAN-1")
    attempt = attempt or make_attempt(
        "verified", biz_no=biz_no, policy_version=1, verdict="review", reasons=reasons,
        device_tags={"is_root": int(needs_second), "is_hook": 0},
    )  # fmt: skip
    now = datetime.now(UTC)
    values = {
        "attempt": attempt,
        "client": attempt.client,
        "reasons": reasons,
        "needs_second": needs_second,
        "state": "open",
        "round": 1,
        "priority": 3,
        "opened_at": now,
        "due_at": now + timedelta(hours=24),
    }
    return Review.objects.create(**{**values, **overrides})


def decide_all(officer: User, approver: User, runtime: Runtime) -> None:
    """Let two people decide all that waits for them."""
    for review in Review.objects.exclude(state=ReviewState.DECIDED):
        row = decide(
            attempt_id=review.pk, decision=Decision.REJECTED, reason_code="other",
            note="long past, and never looked at", by=officer, runtime=runtime,
        )  # fmt: skip
        if row.state != ReviewState.DECIDED:
            second(attempt_id=review.pk, note="", by=approver, runtime=runtime)
