"""People, and attempts of which some are older than their rules allow."""

import pytest
from django.contrib.auth.models import User

from tests.conftest import OpenToken
from tests.integration.database.conftest import roles
from tests.integration.ledger.lives import Lives, ahead
from tests.integration.retention.runs import People
from tests.integration.reveals.conftest import make_person
from verification.models import ApiClient
from verification.services.runtime import Runtime

__all__ = ["roles"]

DAY_S = 86_400


@pytest.fixture
def lives(client_app: ApiClient, runtime: Runtime, open_token: OpenToken) -> Lives:
    """Return what leads attempts through their lives, today."""
    return Lives(client_app, runtime, open_token)


@pytest.fixture
def old(client_app: ApiClient, runtime: Runtime, open_token: OpenToken) -> Lives:
    """Return what led attempts through their lives a hundred days ago."""
    return Lives(client_app, ahead(runtime, -100 * DAY_S), open_token)


@pytest.fixture
def people(transactional_db: None) -> People:
    """Return one of each role."""
    return People(
        officer=make_person("olga", "officer"),
        approver=make_person("anna", "approver"),
        second=make_person("bela", "approver"),
        administrator=make_person("adam", "administrator"),
    )


@pytest.fixture
def root(transactional_db: None) -> User:
    """Return a superuser."""
    return User.objects.create_superuser("root")
