"""Fixtures of the tests of controls."""

from tests.integration.controls.breaking import house
from tests.integration.database.conftest import roles

__all__ = ["house", "roles"]
