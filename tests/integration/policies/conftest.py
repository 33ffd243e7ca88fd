"""Two people who may change the policy, documents to propose, and attempts to judge."""

import pytest
from django.contrib.auth.models import Permission, User

from tests.conftest import OpenToken
from tests.integration.ledger.lives import Lives
from verification.models import ApiClient
from verification.services.runtime import Runtime


def make_person(name: str, *codenames: str) -> User:
    """Store a member of staff with these permissions of our app."""
    user = User.objects.create_user(name, is_staff=True)
    user.user_permissions.set(
        Permission.objects.filter(content_type__app_label="verification", codename__in=codenames)
    )
    return user


@pytest.fixture
def paula(transactional_db: None) -> User:
    """Return who may propose, and decide on what others propose."""
    return make_person("paula", "propose_policy", "decide_policy", "view_reviewpolicy")


@pytest.fixture
def dora(transactional_db: None) -> User:
    """Return who may do the same."""
    return make_person("dora", "propose_policy", "decide_policy", "view_reviewpolicy")


@pytest.fixture
def nobody(transactional_db: None) -> User:
    """Return a member of staff who may only look."""
    return make_person("nobody", "view_reviewpolicy")


@pytest.fixture
def lives(client_app: ApiClient, runtime: Runtime, open_token: OpenToken) -> Lives:
    """Return what leads attempts through their lives."""
    return Lives(client_app, runtime, open_token)
