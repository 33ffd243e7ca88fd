"""How many queries an answer costs: a few, and as many for a full page as for an empty one."""

from datetime import UTC, datetime

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.factories import make_attempt
from verification.models import ApiClient

pytestmark = pytest.mark.django_db

AT_MOST = 3
"""Beside the one that recognises the key, which reads `verification_api_key`."""


def queries_of(client: Client, path: str, bearer: str) -> int:
    """Return how many queries an answer costs beside the key's."""
    with CaptureQueriesContext(connection) as queries:
        answer = client.get(path, headers={"Authorization": f"Bearer {bearer}"})
    assert answer.status_code == 200
    return sum("verification_api_key" not in each["sql"] for each in queries)


def test_a_detail_costs_three_queries(client: Client, client_app: ApiClient, bearer: str) -> None:
    attempt = make_attempt(client=client_app, created_at=datetime.now(UTC))
    assert 0 < queries_of(client, f"/api/v1/attempts/{attempt.pk}/", bearer) <= AT_MOST


@pytest.mark.parametrize("count", [1, 40])
def test_a_page_costs_three_queries_however_full(
    client: Client, client_app: ApiClient, bearer: str, count: int
) -> None:
    for _ in range(count):
        make_attempt(client=client_app, created_at=datetime.now(UTC))
    assert 0 < queries_of(client, "/api/v1/attempts/?page_size=200", bearer) <= AT_MOST
