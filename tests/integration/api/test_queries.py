"""How many queries an answer costs: a few, and as many for a full page as for an empty one."""

from datetime import UTC, datetime

import pytest
from django.test import Client
from pytest_django.fixtures import DjangoAssertNumQueries

from tests.factories import make_attempt
from verification.models import ApiClient, VerificationAttempt

pytestmark = pytest.mark.django_db

AUTHENTICATE = 1


def make_attempts(client_app: ApiClient, count: int) -> list[VerificationAttempt]:
    """Return new attempts of one client."""
    return [make_attempt(client=client_app, created_at=datetime.now(UTC)) for _ in range(count)]


def test_a_detail_costs_two_queries_beside_the_key(
    client: Client,
    client_app: ApiClient,
    bearer: str,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    attempt = make_attempts(client_app, 1)[0]
    with django_assert_num_queries(AUTHENTICATE + 2):
        answer = client.get(
            f"/api/v1/attempts/{attempt.pk}/", headers={"Authorization": f"Bearer {bearer}"}
        )
    assert answer.json()["id"] == str(attempt.pk)


@pytest.mark.parametrize("count", [1, 40])
def test_a_page_costs_two_queries_however_full(
    client: Client,
    client_app: ApiClient,
    bearer: str,
    django_assert_num_queries: DjangoAssertNumQueries,
    count: int,
) -> None:
    make_attempts(client_app, count)
    with django_assert_num_queries(AUTHENTICATE + 2):
        answer = client.get("/api/v1/attempts/", headers={"Authorization": f"Bearer {bearer}"})
    assert len(answer.json()["results"]) == count
