"""Fixtures of the log's tests."""

import pytest

from tests.conftest import OpenToken
from tests.integration.ledger.lives import Lives
from verification.models import ApiClient
from verification.services.runtime import Runtime


@pytest.fixture
def lives(client_app: ApiClient, runtime: Runtime, open_token: OpenToken) -> Lives:
    """Return what leads attempts through their lives."""
    return Lives(client_app, runtime, open_token)
