"""People, and an attempt with real evidence."""

import pytest
from django.contrib.auth.models import Group, User

from tests.conftest import OpenToken
from tests.integration.ledger.lives import Lives
from verification.models import ApiClient, Evidence
from verification.services.runtime import Runtime


def make_person(name: str, *roles: str) -> User:
    """Store a member of staff with these roles."""
    user = User.objects.create_user(name, is_staff=True)
    user.groups.set(Group.objects.filter(name__in=roles))
    return user


@pytest.fixture
def lives(client_app: ApiClient, runtime: Runtime, open_token: OpenToken) -> Lives:
    """Return what leads attempts through their lives."""
    return Lives(client_app, runtime, open_token)


@pytest.fixture
def officer(transactional_db: None) -> User:
    """Return an officer."""
    return make_person("olga", "officer")


@pytest.fixture
def image(lives: Lives) -> Evidence:
    """Return the best image of an answered attempt."""
    return Evidence.objects.get(attempt_id=lives.settled(), kind="image_best")
