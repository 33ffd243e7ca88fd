"""Staff roles as Django groups: who may open which pages of the admin."""

from collections.abc import Mapping
from types import MappingProxyType

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.db import transaction
from django.db.models import Q

OPERATION = ("verificationattempt", "verificationsession", "apiclient", "apikey", "rollup")
DECISIONS = (
    *OPERATION, "ledgerentry", "ledgercheckpoint", "ledgerverification", "review", "reviewpolicy",
)  # fmt: skip
RECORDS = (*DECISIONS, "evidence")

ROLES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "officer": RECORDS,
        "approver": RECORDS,
        "auditor": RECORDS,
        "engineer": OPERATION,
        "administrator": DECISIONS,
    }
)
"""Each role and the models it may view. No role may add, change or delete a record."""

REGISTERS = ("view_reveal", "view_erasure")
COSTS = ("view_costs",)
HOLDS = ("view_retention", "hold_evidence")
PURGES = ("request_purge", "decide_purge")
EXPORTS = ("export_attempts", "view_exportrequest")
DUTIES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "officer": (
            *REGISTERS, "reveal_evidence", "request_erasure", "work_review", *HOLDS,
        ),
        "approver": (
            *REGISTERS, "reveal_evidence", "request_erasure", "decide_erasure", "work_review",
            "second_review", "assign_review", "reopen_review", "decide_policy", "decide_rights",
            "view_rightschange", *EXPORTS, "decide_export", *COSTS, "view_controls",
            *HOLDS, *PURGES, "subject_report",
        ),
        "auditor": (
            *REGISTERS, "view_rightschange", *EXPORTS, "view_logins", *COSTS, "view_controls",
            "view_retention", "subject_report",
        ),
        "engineer": (),
        "administrator": (
            "assign_review", "break_glass", "propose_policy", "decide_policy", "request_rights",
            "decide_rights", "view_rightschange", "view_exportrequest", "decide_export",
            "view_logins", "set_price", *COSTS, "view_controls", "view_retention",
            "set_retention", *PURGES,
        ),
    }
)  # fmt: skip
"""What each role may do with evidence, reviews and policies, and that it may read who did what."""

STAFF: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"administrator": ("view_user", "add_user", "change_user", "view_group")}
)
"""What a role may do with accounts. None may change what a role includes, or delete an account."""


def permissions_of(role: str) -> tuple[str, ...]:
    """Return the names of all permissions that a role has."""
    return (*(f"view_{model}" for model in ROLES[role]), *DUTIES[role], *STAFF.get(role, ()))


def ensure_roles() -> None:
    """Make the groups and give them their permissions; safe to repeat.

    Permissions that an operator added to a group stay. The permissions of our models, of accounts
    and of groups must exist (Django makes them after `migrate`).
    """
    with transaction.atomic():
        for role in ROLES:
            group, _ = Group.objects.get_or_create(name=role)
            group.permissions.add(*_stored(role))


def _stored(role: str) -> list[Permission]:
    """Read a role's permissions; models of other apps may have some of the same name."""
    user = get_user_model()._meta  # noqa: SLF001 - Django's documented API
    ours = Q(content_type__app_label="verification")
    accounts = Q(content_type__app_label=user.app_label, content_type__model=user.model_name)
    groups = Q(content_type__app_label="auth", content_type__model="group")
    named = Q(codename__in=permissions_of(role))
    return list(Permission.objects.filter(named & (ours | accounts | groups)))
