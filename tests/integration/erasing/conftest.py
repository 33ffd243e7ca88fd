"""People of every role, and what leads attempts through their lives."""

import pytest
from django.contrib.auth.models import User

from tests.conftest import OpenToken
from tests.integration.ledger.lives import Lives
from tests.integration.reveals.conftest import make_person
from verification.models import ApiClient
from verification.services.runtime import Runtime


@pytest.fixture
def lives(client_app: ApiClient, runtime: Runtime, open_token: OpenToken) -> Lives:
    """Return what leads attempts through their lives."""
    return Lives(client_app, runtime, open_token)


@pytest.fixture
def officer(transactional_db: None) -> User:
    """Return who may ask."""
    return make_person("olga", "officer")


@pytest.fixture
def approver(transactional_db: None) -> User:
    """Return who may ask and decide."""
    return make_person("anna", "approver")
