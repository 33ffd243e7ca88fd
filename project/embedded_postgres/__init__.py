"""A private PostgreSQL for development and tests, when DATABASE_URL is not set.

    server = start(DEFAULT_HOME)
    server.url()                # for DATABASE_URL; as the web process: server.url(role="web")
    stop(DEFAULT_HOME)

The server outlives the process that started it. See docs/reference/embedded-postgresql.md.
"""

from pathlib import Path

from project.embedded_postgres.errors import EmbeddedPostgresError
from project.embedded_postgres.roles import USERS
from project.embedded_postgres.server import Server, start, status, stop

DEFAULT_HOME = Path(__file__).resolve().parents[2] / ".local" / "postgres"

__all__ = ["DEFAULT_HOME", "USERS", "EmbeddedPostgresError", "Server", "start", "status", "stop"]
