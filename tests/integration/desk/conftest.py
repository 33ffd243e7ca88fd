"""The desk's tests: an officer and an approver."""

import pytest
from django.contrib.auth.models import User

from tests.integration.desk.waiting import make_person


@pytest.fixture
def officer(db: None) -> User:
    """Return an officer."""
    return make_person("ines", "officer")


@pytest.fixture
def approver(db: None) -> User:
    """Return an approver."""
    return make_person("amir", "approver")
