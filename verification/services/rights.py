"""Give rights: one person asks, another decides, and the account has them at once.

The database checks all of it again once the installation is sealed (migration 0016), for whoever
writes to the tables of accounts and roles. Taking rights away is the act of one person.
"""

import logging
from collections.abc import Mapping
from uuid import UUID

from django.contrib.auth.models import AbstractUser
from django.db import transaction
from django.utils.translation import gettext_noop as _

from verification.identifiers import uuid7
from verification.models import RightsChange, RightsSeal
from verification.models.rights import Growth, RightsDecision
from verification.selectors.colleagues import may_change_rights
from verification.selectors.rights_changes import find_account, is_sealed, possible_growth
from verification.services.errors import (
    ChangeDecidedError,
    ChangePendingError,
    FourEyesError,
    NothingToGrowError,
    NotPermittedError,
    SealError,
    UnknownChangeError,
)
from verification.services.reasons import check_permission, read_reason
from verification.services.rights_entries import (
    decided_entry,
    glass_reviewed_entry,
    requested_entry,
    sealed_entry,
)
from verification.services.runtime import Runtime
from verification.services.staging import stage

alerts = logging.getLogger("verification.alerts")

DECIDED: Mapping[RightsDecision, str] = {
    RightsDecision.APPROVED: _("The request was approved before."),
    RightsDecision.REFUSED: _("The request was refused before."),
    RightsDecision.WITHDRAWN: _("The request was taken back before."),
}


def request_rights(
    *,
    account_id: str,
    growth: Growth,
    role_id: int | None,
    reason: str,
    by: AbstractUser,
    runtime: Runtime,
) -> RightsChange:
    """Ask that somebody gets more rights; gives none.

    Raises NotPermittedError, BadReasonError, NothingToGrowError, and ChangePendingError if the
    same waits already: so repeating does no harm.
    """
    check_permission(by, "request_rights")
    said = read_reason(reason)
    with transaction.atomic():
        return _request(account_id, growth, role_id, said, by, runtime)


def decide_rights(
    *, change_id: UUID, approve: bool, by: AbstractUser, runtime: Runtime
) -> RightsChange:
    """Give what was asked for, or refuse it. All or nothing.

    Raises NotPermittedError, UnknownChangeError, NothingToGrowError if it cannot be given any
    more, FourEyesError for one's own request or rights, and ChangeDecidedError if it was decided
    before: so repeating does no harm.
    """
    check_permission(by, "decide_rights")
    with transaction.atomic():
        row = _lock(change_id)
        _check_open(row)
        if by.pk in (row.requested_by_id, row.account_id):
            raise FourEyesError(_("You asked for this, or it is about you: somebody else decides."))
        decision = RightsDecision.APPROVED if approve else RightsDecision.REFUSED
        _decide(row, decision, by, runtime)
    return row


def withdraw_rights(*, change_id: UUID, by: AbstractUser, runtime: Runtime) -> RightsChange:
    """Take one's own request back; errors as in `decide_rights`."""
    check_permission(by, "request_rights")
    with transaction.atomic():
        row = _lock(change_id)
        _check_open(row)
        if row.requested_by_id != by.pk:
            raise NotPermittedError(_("Only who asked can take it back."))
        _decide(row, RightsDecision.WITHDRAWN, by, runtime)
    return row


def break_glass_for_rights(
    *,
    account_id: str,
    growth: Growth,
    role_id: int | None,
    reason: str,
    by: AbstractUser,
    runtime: Runtime,
) -> RightsChange:
    """Give rights alone, where nobody else can be reached. It raises an alert and waits for
    somebody else to look at it.

    Raises as `request_rights`.
    """
    check_permission(by, "request_rights")
    check_permission(by, "break_glass")
    said = read_reason(reason)
    with transaction.atomic():
        row = _request(account_id, growth, role_id, said, by, runtime)
        row.glass_broken = True
        _decide(row, RightsDecision.APPROVED, by, runtime)
    alerts.critical("glass broken: rights of account %s given alone by %s", account_id, by.pk)
    return row


def review_rights_glass(*, change_id: UUID, by: AbstractUser, runtime: Runtime) -> RightsChange:
    """Say that rights given by broken glass were looked at. They stay as they are."""
    check_permission(by, "decide_rights")
    with transaction.atomic():
        row = _lock(change_id)
        if not row.glass_broken:
            raise ChangeDecidedError(_("No glass was broken here."))
        if row.glass_reviewed_at is not None:
            raise ChangeDecidedError(_("Somebody has looked at it meanwhile."))
        if by.pk in (row.decided_by_id, row.account_id):
            raise FourEyesError(_("You broke the glass, or it is about you: somebody else looks."))
        row.glass_reviewed_by_id, row.glass_reviewed_at = by.pk, runtime.now()
        row.save(update_fields=["glass_reviewed_by", "glass_reviewed_at"])
        stage([glass_reviewed_entry(row, by=by.get_username())])
    return row


def seal_rights(*, runtime: Runtime) -> tuple[list[str], list[str]]:
    """From now on let rights grow by two people only; return who may ask, and who may decide.

    For the owner of the tables. It cannot be undone. Raises SealError if it was done before, or
    unless two different people could go on.
    """
    with transaction.atomic():
        asking, deciding = may_change_rights()
        if is_sealed():
            raise SealError(_("Rights take two people here already."))
        if not asking or not deciding or len({*asking, *deciding}) < 2:  # noqa: PLR2004 - two people
            raise SealError(
                _(
                    "One account must be allowed to ask for rights, and another one to decide: "
                    "give two people the role administrator, or one administrator and one approver."
                )
            )
        row = RightsSeal.objects.create(sealed_at=runtime.now())
        stage([sealed_entry(row)])
    return asking, deciding


def _request(
    account_id: str,
    growth: Growth,
    role_id: int | None,
    reason: str,
    by: AbstractUser,
    runtime: Runtime,
) -> RightsChange:
    account = find_account(account_id)
    if account is None:
        raise UnknownChangeError(_("There is no such account."))
    _check_possible(account, growth, role_id)
    if growth == Growth.SUPERUSER and not by.is_superuser:
        raise NotPermittedError(_("Only a superuser can ask for another one."))
    waiting = RightsChange.objects.filter(
        account_id=account.pk, growth=growth, role_id=role_id, decision=None
    )
    if waiting.exists():
        raise ChangePendingError(_("The same was asked for and waits for its decision."))
    now = runtime.now()
    row = RightsChange.objects.create(
        id=uuid7(now),
        account_id=account.pk,
        growth=growth.value,
        role_id=role_id,
        reason=reason,
        requested_by_id=by.pk,
        requested_at=now,
    )
    stage([requested_entry(row, by=by.get_username())])
    return row


def _check_possible(account: AbstractUser, growth: Growth, role_id: int | None) -> None:
    possible = [(way, role.pk if role else None) for way, role in possible_growth(account)]
    if (growth, role_id) not in possible:
        raise NothingToGrowError(_("The account has that already, or there is no such role."))


def _lock(change_id: UUID) -> RightsChange:
    row = (
        RightsChange.objects.select_for_update(of=("self",))
        .select_related("account", "role")
        .filter(pk=change_id)
        .first()
    )
    if row is None:
        raise UnknownChangeError(_("There is no such request."))
    return row


def _check_open(row: RightsChange) -> None:
    if row.decision is not None:
        raise ChangeDecidedError(DECIDED[RightsDecision(row.decision)])


def _decide(
    row: RightsChange, decision: RightsDecision, by: AbstractUser, runtime: Runtime
) -> None:
    row.decision, row.decided_by_id, row.decided_at = decision.value, by.pk, runtime.now()
    row.save(update_fields=["decision", "decided_by", "decided_at", "glass_broken"])
    stage([decided_entry(row, by=by.get_username())])
    if decision == RightsDecision.APPROVED:
        _give(row)


def _give(row: RightsChange) -> None:
    """Do what was approved; the database notes that it was used."""
    account = find_account(str(row.account_id))
    assert account is not None  # noqa: S101 - the row refers to it
    _check_possible(account, Growth(row.growth), row.role_id)
    if row.growth == Growth.SUPERUSER:
        account.is_superuser = True
        account.save(update_fields=["is_superuser"])
    elif row.growth == Growth.RETURN:
        account.is_active = account.is_staff = True
        account.save(update_fields=["is_active", "is_staff"])
    elif row.role is not None:
        if not account.is_staff and not account.is_superuser and not account.groups.exists():
            # A new account becomes staff with its first role; one that was switched off has its
            # own way back.
            account.is_staff = True
            account.save(update_fields=["is_staff"])
        account.groups.add(row.role)
