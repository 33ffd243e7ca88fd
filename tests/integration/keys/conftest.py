"""Fixtures of the tests about keys."""

import pytest

from tests.conftest import OpenToken
from tests.integration.ledger.lives import Lives
from verification.models import ApiClient
from verification.services.runtime import Runtime


@pytest.fixture
def lives(client_app: ApiClient, runtime: Runtime, open_token: OpenToken) -> Lives:
    """Return what leads attempts through their lives, under the old key."""
    return Lives(client_app, runtime, open_token)
