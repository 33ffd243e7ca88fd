"""Fixtures of the tests of controls."""

from tests.integration.controls.breaking import house
from tests.integration.database.conftest import roles
from tests.integration.ledger.conftest import lives

__all__ = ["house", "lives", "roles"]
