"""Versions of the review policy."""

from dataclasses import dataclass
from functools import lru_cache

from django.db.models import QuerySet

from verification.models import PolicyReplay, ReviewPolicy
from verification.models.policy import PolicyState
from verification.policy.document import Policy, read_policy

SHOWN = 200


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


def versions_for_list() -> QuerySet[ReviewPolicy]:
    """Return the versions with their people, newest first, at most SHOWN."""
    return _whole().order_by("-version")[:SHOWN]


def find_version(version: int) -> ReviewPolicy | None:
    """Return a version with its people."""
    return _whole().filter(pk=version).first()


def replays_of(version: int) -> QuerySet[PolicyReplay]:
    """Return a version's what-ifs with who asked, newest first, at most SHOWN."""
    found = PolicyReplay.objects.filter(policy_id=version).defer("result")
    return found.select_related("asked_by").order_by("-asked_at", "-id")[:SHOWN]


def _whole() -> QuerySet[ReviewPolicy]:
    return ReviewPolicy.objects.select_related("proposed_by", "decided_by")
