"""People of every role, a clock that stands, and reviews of attempts."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

import pytest
from django.contrib.auth.models import User

from tests.factories import NOON, make_attempt
from tests.integration.reveals.conftest import make_person
from tests.reviewing import open_review
from verification.models import Review
from verification.services.runtime import Runtime


@pytest.fixture
def at(runtime: Runtime) -> Callable[[datetime], Runtime]:
    """Return what sets the clock of a runtime."""
    return lambda moment: replace(runtime, now=lambda: moment)


@pytest.fixture
def noon(at: Callable[[datetime], Runtime]) -> Runtime:
    """Return a runtime in which it is always noon."""
    return at(NOON)


@pytest.fixture
def officer(db: None) -> User:
    """Return who works on reviews."""
    return make_person("olga", "officer")


@pytest.fixture
def colleague(db: None) -> User:
    """Return another of the kind."""
    return make_person("carl", "officer")


@pytest.fixture
def approver(db: None) -> User:
    """Return who seconds, assigns and reopens."""
    return make_person("anna", "approver")


@pytest.fixture
def auditor(db: None) -> User:
    """Return who only reads."""
    return make_person("aude", "auditor")


@pytest.fixture
def chief(db: None) -> User:
    """Return who may break the glass."""
    return User.objects.create_superuser("boss")


def make_review(*reasons: str, needs_second: bool = False, **overrides: object) -> Review:
    """Store an attempt that the policy wants reviewed, and its open review."""
    attempt = make_attempt(
        "verified",
        policy_version=1,
        verdict="review",
        reasons=list(reasons) or ["near_threshold"],
    )
    open_review(attempt, needs_second=needs_second)
    if overrides:
        Review.objects.filter(pk=attempt.pk).update(**overrides)
    return Review.objects.get(pk=attempt.pk)


def settled_by_policy(verdict: str = "approved") -> Review | None:
    """Store an attempt that the policy decided alone; it has no review."""
    make_attempt("verified", policy_version=1, verdict=verdict, reasons=[])
    return None
