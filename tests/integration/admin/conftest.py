"""The cast of the admin's tests: everyone who may come to the door."""

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client

from tests.factories import make_attempt, make_bearer_key, make_client, make_evidence, make_session
from verification.models import ApiClient, VerificationAttempt, VerificationSession

STAFF = ("officer", "approver", "auditor")


def _signed_in(user: User) -> Client:
    browser = Client(raise_request_exception=False)
    browser.force_login(user)
    return browser


@pytest.fixture
def cast(db: None) -> dict[str, Client]:
    """Return a browser for each person: three roles, a superuser, and three who may see nothing."""
    people = {"anonymous": Client(raise_request_exception=False)}
    for role in STAFF:
        user = User.objects.create_user(role, is_staff=True)
        user.groups.add(Group.objects.get(name=role))
        people[role] = _signed_in(user)
    people["superuser"] = _signed_in(User.objects.create_superuser("superuser"))
    people["stranger"] = _signed_in(User.objects.create_user("stranger", is_staff=True))
    outsider = User.objects.create_user("outsider", is_staff=False)
    outsider.groups.add(Group.objects.get(name="officer"))
    people["outsider"] = _signed_in(outsider)
    return people


@pytest.fixture
def officer(cast: dict[str, Client]) -> Client:
    """Return an officer's browser."""
    return cast["officer"]


@pytest.fixture
def records(
    db: None,
) -> tuple[ApiClient, VerificationSession, VerificationAttempt]:
    """Return a client with a key, its session, and the attempt made of it with evidence."""
    client = make_client("Mobile onboarding")
    make_bearer_key(client)
    session = make_session(client)
    attempt = make_attempt("verified", client=client, session=session, biz_no="LOAN-1")
    make_evidence(attempt, "raw_answer", "image_best", "video_key")
    return client, session, attempt
