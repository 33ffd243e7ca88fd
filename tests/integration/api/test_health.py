"""Health: alive without a database, ready with one and all its migrations."""

import pytest
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client, override_settings

from tests.integration.api.conftest import LiveSite

pytestmark = pytest.mark.django_db


def test_healthz_and_readyz_answer_without_a_key(live: LiveSite) -> None:
    alive, ready = live.call("GET", "/healthz", key=None), live.call("GET", "/readyz", key=None)
    assert (alive.status_code, alive.json()) == (200, {"status": "ok"})
    assert ready.json() == {"status": "ready", "database": "ok", "migrations": "applied"}
    assert "no-store" in alive.headers["Cache-Control"]


def test_healthz_asks_the_database_nothing(client: Client) -> None:
    with connection.execute_wrapper(_no_queries):
        assert client.get("/healthz").status_code == 200


def _no_queries(*_: object) -> object:
    raise AssertionError("healthz used the database")


def test_a_missing_migration_is_not_ready(client: Client) -> None:
    MigrationRecorder(connection).record_unapplied("verification", "0001_initial")
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["code"] == "not_ready"
    assert answer.json()["detail"] == "1 migrations are not applied yet."


def test_the_debug_setting_changes_no_answer(client: Client) -> None:
    with override_settings(DEBUG=True):
        answer = client.get("/api/v1/nothing/")
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == "not_found"
