"""People who set prices or may not, and a price list."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group, User

from verification.models import Price
from verification.services.prices import set_price
from verification.services.roles import ROLES
from verification.services.runtime import Runtime

NOTE = "by the contract of 2026"

SetPrice = Callable[..., Price]


@pytest.fixture
def people(db: None) -> dict[str, User]:
    """Return one of each role, by its name, and a superuser."""
    made = {"root": User.objects.create_superuser("root")}
    for role in ROLES:
        made[role] = User.objects.create_user(role, is_staff=True)
        made[role].groups.add(Group.objects.get(name=role))
    return made


@pytest.fixture
def put(people: dict[str, User], runtime: Runtime) -> SetPrice:
    """Return a function that sets a price of every verify call: `put("0.085", "2026-01-01")`."""

    def go(amount: str, valid_from: str = "2026-01-01", **given: Any) -> Price:
        default: dict[str, Any] = {
            "kind": "verify",
            "region": None,
            "currency": "USD",
            "note": NOTE,
        }
        default |= {"by": people["administrator"], "runtime": runtime}
        return set_price(**{**default, "amount": amount, "valid_from": valid_from, **given})

    return go
