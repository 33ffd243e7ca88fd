"""Fixtures of the acceptance tests."""

import os
from collections.abc import Iterator
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from django.db import connection
from psycopg import sql

DATABASE = "test_of_another_host"


@pytest.fixture
def database_url() -> Iterator[str]:
    """A database of its own, beside the suite's."""
    settings = connection.settings_dict
    url = urlsplit(os.environ["DATABASE_URL"])
    server = {
        "host": settings["HOST"],
        "port": settings["PORT"] or None,
        "user": settings["USER"],
        "password": settings["PASSWORD"],
        "dbname": "postgres",
    }
    with psycopg.connect(**server, autocommit=True) as admin:
        drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(DATABASE))
        admin.execute(drop)
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))
        yield urlunsplit(url._replace(path=f"/{DATABASE}"))
        admin.execute(drop)
