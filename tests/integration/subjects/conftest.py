"""Fixtures of the tests of persons' requests."""

from tests.integration.database.conftest import roles
from tests.integration.ledger.conftest import lives

__all__ = ["lives", "roles"]
