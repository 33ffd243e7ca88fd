"""Staff roles as Django groups: who may open which pages of the admin."""

from collections.abc import Mapping
from types import MappingProxyType

from django.contrib.auth.models import Group, Permission
from django.db import transaction

RECORDS = (
    "verificationattempt", "verificationsession", "apiclient", "apikey", "evidence",
    "ledgerentry", "ledgercheckpoint", "ledgerverification", "review", "reviewpolicy", "rollup",
)  # fmt: skip

ROLES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "officer": RECORDS,
        "approver": RECORDS,
        "auditor": RECORDS,
    }
)
"""Each role and the models it may view. No role may add, change or delete a record."""

REGISTERS = ("view_reveal", "view_erasure")
DUTIES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "officer": (*REGISTERS, "reveal_evidence", "request_erasure", "work_review"),
        "approver": (
            *REGISTERS, "reveal_evidence", "request_erasure", "decide_erasure", "work_review",
            "second_review", "assign_review", "reopen_review", "propose_policy", "decide_policy",
        ),
        "auditor": REGISTERS,
    }
)  # fmt: skip
"""What each role may do with evidence, reviews and policies, and that it may read who did what."""


def ensure_roles() -> None:
    """Make the groups and give them their permissions; safe to repeat.

    Permissions that an operator added to a group stay. The permissions of our models must exist
    (Django makes them after `migrate`).
    """
    with transaction.atomic():
        for role, models in ROLES.items():
            group, _ = Group.objects.get_or_create(name=role)
            codenames = [*(f"view_{model}" for model in models), *DUTIES[role]]
            group.permissions.add(
                *Permission.objects.filter(
                    content_type__app_label="verification", codename__in=codenames
                )
            )
