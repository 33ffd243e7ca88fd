"""Change the review policy: one person proposes a version, another puts it in force or refuses it.

Documents never change; what is in force changes in one transaction, and every step is an entry.
"""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType

from django.contrib.auth.models import AbstractUser
from django.db import connection, transaction
from django.db.models import Max
from django.utils.translation import gettext_noop as _

from verification.ledger.canonical import Json
from verification.ledger.errors import CanonicalError
from verification.models import ReviewPolicy
from verification.models.policy import PolicyState
from verification.policy.document import PolicyError, read_policy, write_document
from verification.selectors.policies import read_document
from verification.services.errors import (
    BadPolicyError,
    FourEyesError,
    NotPermittedError,
    PolicyDecidedError,
    SamePolicyError,
    UnknownPolicyError,
)
from verification.services.policy_entries import decided_entry, proposed_entry
from verification.services.reasons import check_permission, read_reason
from verification.services.runtime import Runtime
from verification.services.staging import stage

LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('verification.review_policy', 0))"
LIVING = (PolicyState.PROPOSED, PolicyState.ACTIVE)
DECIDED: Mapping[PolicyState, str] = MappingProxyType(
    {
        PolicyState.ACTIVE: _("Version %(version)s is in force already."),
        PolicyState.RETIRED: _("Version %(version)s is retired already."),
        PolicyState.REFUSED: _("Version %(version)s is refused already."),
        PolicyState.WITHDRAWN: _("Version %(version)s is withdrawn already."),
    }
)


def propose_policy(
    *, document: Mapping[str, Json] | bytes, note: str, by: AbstractUser, runtime: Runtime
) -> ReviewPolicy:
    """Store a new version, which judges nothing before somebody else puts it in force.

    `document` is what a policy says, or its canonical bytes. Raises NotPermittedError,
    BadReasonError for the note, BadPolicyError, and SamePolicyError if the version in force or
    another proposal says the same: so repeating does no harm.
    """
    check_permission(by, "propose_policy")
    said = read_reason(note)
    text = _text(document)
    with transaction.atomic():
        _lock()
        _check_news(text)
        newest = ReviewPolicy.objects.aggregate(newest=Max("version"))["newest"] or 0
        row = ReviewPolicy.objects.create(
            version=newest + 1,
            document=text,
            note=said,
            state=PolicyState.PROPOSED,
            proposed_by_id=by.pk,
            proposed_at=runtime.now(),
        )
        try:
            stage([proposed_entry(row, by=by.get_username())])
        except CanonicalError as error:
            raise BadPolicyError(
                _("The document does not fit into an entry: %(fault)s."), {"fault": str(error)}
            ) from error
    return row


def decide_policy(
    *, version: int, approve: bool, by: AbstractUser, runtime: Runtime, note: str = ""
) -> ReviewPolicy:
    """Put a proposed version in force, which retires the one before, or refuse it.

    Attempts that are sent from then on are judged by it. A note may say why; its digest is in the
    entry. Raises NotPermittedError, BadReasonError for the note, UnknownPolicyError, FourEyesError,
    and PolicyDecidedError if it was decided before: so repeating does no harm.
    """
    check_permission(by, "decide_policy")
    said = read_reason(note) if note.strip() else None
    with transaction.atomic():
        row = _lock_proposed(version)
        if row.proposed_by_id == by.pk:
            raise FourEyesError(_("You proposed this version: somebody else must decide."))
        now = runtime.now()
        retired = None
        if approve:
            retired = ReviewPolicy.objects.filter(state=PolicyState.ACTIVE).first()
            ReviewPolicy.objects.filter(state=PolicyState.ACTIVE).update(
                state=PolicyState.RETIRED, retired_at=now
            )
        row.decision_note = said
        _decide(row, PolicyState.ACTIVE if approve else PolicyState.REFUSED, by, now)
        stage([decided_entry(row, by=by.get_username(), retired=retired)])
    return row


def withdraw_policy(*, version: int, by: AbstractUser, runtime: Runtime) -> ReviewPolicy:
    """Take one's own proposal back.

    Raises NotPermittedError, also for a proposal of somebody else, UnknownPolicyError, and
    PolicyDecidedError if it was decided before.
    """
    check_permission(by, "propose_policy")
    with transaction.atomic():
        row = _lock_proposed(version)
        if row.proposed_by_id != by.pk:
            raise NotPermittedError(_("Only who proposed a version can withdraw it."))
        _decide(row, PolicyState.WITHDRAWN, by, runtime.now())
        stage([decided_entry(row, by=by.get_username())])
    return row


def _text(document: Mapping[str, Json] | bytes) -> str:
    try:
        if isinstance(document, bytes):
            read_policy(document)
            return document.decode()
        return write_document(document).decode()
    except PolicyError as error:
        raise BadPolicyError(_("This is not a policy: %(fault)s."), {"fault": error}) from error


def _lock() -> None:
    """Let one change of versions follow another: numbers have no gaps, documents no twins."""
    with connection.cursor() as cursor:
        cursor.execute(LOCK)


def _check_news(text: str) -> None:
    """Refuse a document that says what a living version says, in whatever order."""
    policy = read_document(text)
    for each in ReviewPolicy.objects.filter(state__in=LIVING):
        if read_document(each.document) == policy:
            said = (
                _("Version %(version)s, which is in force, says the same.")
                if each.state == PolicyState.ACTIVE
                else _("Version %(version)s, which is proposed, says the same.")
            )
            raise SamePolicyError(said, {"version": each.version})


def _lock_proposed(version: int) -> ReviewPolicy:
    _lock()
    row = ReviewPolicy.objects.select_for_update().filter(pk=version).first()
    if row is None:
        raise UnknownPolicyError(_("There is no such version."))
    if row.state != PolicyState.PROPOSED:
        raise PolicyDecidedError(DECIDED[PolicyState(row.state)], {"version": version})
    return row


def _decide(row: ReviewPolicy, state: PolicyState, by: AbstractUser, at: datetime) -> None:
    row.state = state
    row.decided_by_id = by.pk
    row.decided_at = at
    row.save(update_fields=["state", "decided_by", "decided_at", "decision_note"])
