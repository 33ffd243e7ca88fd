"""Versions of the review policy."""

from dataclasses import dataclass
from functools import lru_cache

from verification.models import ReviewPolicy
from verification.models.policy import PolicyState
from verification.policy.document import Policy, read_policy


@dataclass(frozen=True, slots=True)
class PolicyInForce:
    """A version and what it says."""

    version: int
    policy: Policy


def policy_in_force() -> PolicyInForce | None:
    """Return the version in force; None where the database holds none."""
    row = ReviewPolicy.objects.filter(state=PolicyState.ACTIVE).first()
    return PolicyInForce(row.version, read_document(row.document)) if row else None


@lru_cache(maxsize=64)
def read_document(document: str) -> Policy:
    """Return what a stored document says; each is read once in a process."""
    return read_policy(document.encode())
