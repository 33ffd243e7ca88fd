"""Requests that our own rules refuse, each with a stable `code`.

ServiceError
|-- AttemptInFlightError        another request is sending this token now
|-- IdempotencyKeyReusedError   the key stands for another token or packet
|-- PacketMismatchError         nothing was sent yet, and the packet is another one
|-- ForeignTokenError           the token was issued to another client
|-- AttemptNotSentError         nothing was processed by the vendor; the same request may come again
|-- InvalidKeyError             the caller's key is unknown, expired or revoked
|-- NotInDoubtError             only an attempt in doubt can be reconciled
|-- UnknownAttemptError         there is no such attempt
|-- NotSealedError              no checkpoint covers it yet
|-- NotPermittedError           the person's role does not include it
|-- BadReasonError              a reason that would tell nobody why
|-- UnknownEvidenceError        there is no such item of evidence
|-- EvidenceErasedError         its key was destroyed on purpose
|-- RecordErasedError           the texts of the record are erased: nothing more is recorded
|-- EvidenceBrokenError         it does not open, though nobody erased it
|-- RevealLimitError            this person saw as much as an hour allows
|-- UnknownErasureError         there is no such request
|-- NothingToEraseError         no evidence was kept with the attempt
|-- ErasurePendingError         a request about the attempt waits for its decision
|-- ErasureDecidedError         the request was decided before
|-- FourEyesError               who asked for it cannot decide it
|-- UnknownPolicyError          there is no such version, or no such what-if
|-- BadPolicyError              the document is not a policy
|-- SamePolicyError             a version that says the same is in force or proposed
|-- PolicyDecidedError          the version was decided before, or the what-if has ended
|-- UnknownReviewError          the attempt has no review
|-- ReviewTakenError            somebody else works on it now
|-- ReviewStateError            it is not in the state in which that can be done
|-- BadDecisionError            the reason code does not explain the decision
|-- ExportsBusyError            as many exports are being read as may be at once
|-- UnknownExportError          there is no such request for an export
|-- LargeExportError            so many attempts leave only if a second person agrees
|-- ExportDecidedError          the request was decided before, or cannot be used any more
|-- UnprovableExportError       a bundle could not show that nothing was left out
|-- ExportPendingError          the same was asked for and waits for its decision
|-- UnmaskedExportError         what is not masked leaves only if a second person agrees
|-- ExportFilterError           a list narrowed by this can only be taken at once
|-- ExportFormError             no columns, layout, purpose or place of that name
|-- TooManyExportsError         as many files are being made for one as may be at once
|-- ExportStateError            the file is not in the state in which that can be done
|-- UnknownChangeError          there is no such request for rights
|-- NothingToGrowError          the account has these rights, or cannot get them
|-- ChangePendingError          the same was asked for and waits for its decision
|-- ChangeDecidedError          the request was decided before
|-- SealError                   rights cannot be put under two people yet
|-- WrongCodeError              the code of the second factor is wrong or was used
|-- TooManyTriesError           too many wrong passwords or codes in a row
|-- FactorStandsError           the account has a second factor already
|-- NoFactorError               the account has no second factor
|-- BadPriceError               no call, region, amount, currency or day
|-- BadRuleError                no data, kind, region or number of days
|-- UnknownRunError             no such retention run
|-- RunDecidedError             a retention run was decided on before, or has ended
|-- RunOpenError                a retention run waits or works already
|-- NothingDueError             nothing is due, so there is nothing to ask for
|-- RulesChangedError           the rules changed since a retention run was asked for
|-- UnknownHoldError            no such legal hold
|-- HoldStandsError             the attempt or the subject is under hold already
|-- HoldLiftedError             the hold was lifted before
|-- EvidenceHeldError           evidence under a legal hold is not erased
|-- LedgerRefusalError          the log must not be continued as it stands
`-- RoleRefusedError            a database role cannot be given its privileges
"""

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar
from uuid import UUID

from django.utils.translation import gettext_noop as _

from verification.errors import VerificationError
from verification.models import VerificationAttempt


class ServiceError(VerificationError):
    """Base; `code` is part of the API and never changes.

    `sentence` is English, `values` are what its places `%(name)s` hold. `str()` is English whatever
    the reader's language, for the API, commands and logs; pages translate the sentence first.
    """

    code: ClassVar[str] = "service_error"

    def __init__(self, sentence: str, values: Mapping[str, object] | None = None) -> None:
        self.sentence = sentence
        self.values = values or {}
        plain = {name: _plain(value) for name, value in self.values.items()}
        super().__init__(sentence % plain if plain else sentence)


def _plain(value: object) -> object:
    return f"{value:%Y-%m-%d at %H:%M} UTC" if isinstance(value, datetime) else value


class _AboutAttemptError(ServiceError):
    """Carries which attempt it is about."""

    def __init__(self, sentence: str, *, attempt_id: UUID) -> None:
        super().__init__(sentence)
        self.attempt_id = attempt_id


class AttemptInFlightError(_AboutAttemptError):
    """Repeat a little later: the answer will then be there."""

    code = "attempt_in_flight"


class IdempotencyKeyReusedError(_AboutAttemptError):
    """Repeating is useless: a key stands for one token and one packet for ever."""

    code = "idempotency_key_reused"


class PacketMismatchError(_AboutAttemptError):
    """Repeat with the original packet: the record names the packet that was accepted."""

    code = "packet_mismatch"


class ForeignTokenError(ServiceError):
    """Repeating is useless: a token is a credential of the client it was issued to."""

    code = "foreign_token"


class AttemptNotSentError(ServiceError):
    """The vendor processed nothing: repeating the same request is safe and continues it."""

    def __init__(self, attempt: VerificationAttempt, *, code: str, retry_after_s: float) -> None:
        super().__init__("The verification service did not take the attempt; nothing was spent.")
        self.attempt = attempt
        self.reason = code
        self.retry_after_s = retry_after_s


class InvalidKeyError(ServiceError):
    """Repeating is useless with this key."""

    code = "invalid_key"


class NotInDoubtError(_AboutAttemptError):
    """The attempt has an outcome already, or is still being sent."""

    code = "not_in_doubt"


class UnknownAttemptError(ServiceError):
    """Repeating is useless."""

    code = "not_found"


class NotSealedError(ServiceError):
    """Repeat a little later: a checkpoint is made every half minute."""

    code = "not_sealed"


class NotPermittedError(ServiceError):
    """Repeating is useless until an operator gives the permission."""

    code = "not_permitted"


class BadReasonError(ServiceError):
    """Repeat with a reason that says why."""

    code = "bad_reason"


class UnknownEvidenceError(ServiceError):
    """Repeating is useless."""

    code = "not_found"


class EvidenceErasedError(ServiceError):
    """Nothing is broken, and nobody can open it any more; `erased_at`, `at` in the sentence."""

    code = "evidence_erased"

    def __init__(self, sentence: str, *, erased_at: datetime) -> None:
        super().__init__(sentence, {"at": erased_at})
        self.erased_at = erased_at


class RecordErasedError(ServiceError):
    """The texts of a record are erased, and with them the key by which more could be recorded."""

    code = "record_erased"


class EvidenceBrokenError(ServiceError):
    """An operator must look: the keyring lacks a key, or bytes were altered."""

    code = "evidence_broken"


class RevealLimitError(ServiceError):
    """Repeat later: the refusal is on record."""

    code = "reveal_limit"


class UnknownErasureError(ServiceError):
    """Repeating is useless."""

    code = "not_found"


class NothingToEraseError(ServiceError):
    """Repeating is useless."""

    code = "nothing_to_erase"


class ErasurePendingError(ServiceError):
    """Repeating is useless until the open request is decided."""

    code = "erasure_pending"


class ErasureDecidedError(ServiceError):
    """Repeating is useless: a request is decided once."""

    code = "erasure_decided"


class FourEyesError(ServiceError):
    """Somebody else must decide, superusers included."""

    code = "four_eyes"


class UnknownPolicyError(ServiceError):
    """Repeating is useless."""

    code = "not_found"


class BadPolicyError(ServiceError):
    """Repeating is useless: the sentence names the member and what is wrong with it."""

    code = "bad_policy"


class SamePolicyError(ServiceError):
    """Repeating is useless: nothing would change."""

    code = "policy_unchanged"


class PolicyDecidedError(ServiceError):
    """Repeating is useless: a version is decided once, and a what-if ends once."""

    code = "policy_decided"


class UnknownReviewError(ServiceError):
    """Repeating is useless: nobody has to decide on this attempt."""

    code = "not_found"


class ReviewTakenError(ServiceError):
    """Repeat after `until`, when the other person's lease has ended, or ask them."""

    code = "review_taken"

    def __init__(self, by_name: str, until: datetime) -> None:
        super().__init__(
            _("%(name)s works on it until %(until)s."), {"name": by_name, "until": until}
        )
        self.by_name = by_name
        self.until = until


class ReviewStateError(ServiceError):
    """Look again: somebody has moved it on meanwhile."""

    code = "review_state"


class BadDecisionError(ServiceError):
    """Repeat with a reason code of the policy in force that explains the decision."""

    code = "bad_decision"


class ExportsBusyError(ServiceError):
    """Repeat a little later."""

    code = "overloaded"


class UnknownExportError(ServiceError):
    """Nobody asked for that."""

    code = "unknown_export"


class LargeExportError(ServiceError):
    """Ask for it; somebody else decides."""

    code = "large_export"


class ExportDecidedError(ServiceError):
    """Ask anew."""

    code = "export_decided"


class UnprovableExportError(ServiceError):
    """A bundle of it could not show that nothing was left out."""

    code = "export_unprovable"


class ExportPendingError(ServiceError):
    """Repeating is useless until the open request is decided."""

    code = "export_pending"


class UnmaskedExportError(ServiceError):
    """Ask for it with a purpose; somebody else decides."""

    code = "unmasked_export"


class ExportFilterError(ServiceError):
    """Narrow the list in another way."""

    code = "export_filter"


class ExportFormError(ServiceError):
    """Choose what there is."""

    code = "export_form"


class TooManyExportsError(ServiceError):
    """Wait for one of them, or cancel it."""

    code = "too_many_exports"


class ExportStateError(ServiceError):
    """Not written yet, or gone."""

    code = "export_state"


class DeliveryError(ServiceError):
    """Try again later."""

    code = "delivery"


class DeliveryRefusedError(ServiceError):
    """A person must look."""

    code = "delivery_refused"


class UnknownChangeError(ServiceError):
    """Nobody asked for that."""

    code = "unknown_change"


class NothingToGrowError(ServiceError):
    """Repeating does not help."""

    code = "nothing_to_grow"


class ChangePendingError(ServiceError):
    """Repeating is useless until the open request is decided."""

    code = "change_pending"


class ChangeDecidedError(ServiceError):
    """Repeating does not help."""

    code = "change_decided"


class SealError(ServiceError):
    """There are not two people yet, or it was done before."""

    code = "not_sealed_rights"


class WrongCodeError(ServiceError):
    """Repeat with the next code."""

    code = "wrong_code"


class TooManyTriesError(ServiceError):
    """Repeat after `until`; what is tried before is not looked at."""

    code = "too_many_tries"

    def __init__(self, until: datetime) -> None:
        super().__init__(_("Too many tries in a row failed."))
        self.until = until


class FactorStandsError(ServiceError):
    """Repeating is useless until somebody has reset it."""

    code = "factor_stands"


class NoFactorError(ServiceError):
    """Repeating is useless: there is nothing to check or to take away."""

    code = "no_factor"


class BadPriceError(ServiceError):
    """Repeat with what the sentence asks for."""

    code = "bad_price"


class BadSubjectError(ServiceError):
    """Repeat with a reference as the onboarding application gave it."""

    code = "bad_subject"


class BadRuleError(ServiceError):
    """Repeat with what the sentence asks for."""

    code = "bad_rule"


class UnknownRunError(ServiceError):
    """Repeating is useless."""

    code = "not_found"


class RunDecidedError(ServiceError):
    """Repeating is useless."""

    code = "run_decided"


class RunOpenError(ServiceError):
    """Repeat when the run that is open has ended."""

    code = "run_open"


class NothingDueError(ServiceError):
    """Repeat when time has passed."""

    code = "nothing_due"


class RulesChangedError(ServiceError):
    """Ask for another run: its figures are made with the rules of today."""

    code = "rules_changed"


class UnknownHoldError(ServiceError):
    """Repeating is useless."""

    code = "not_found"


class HoldStandsError(ServiceError):
    """Nothing is to be done: the hold is in place."""

    code = "hold_stands"


class HoldLiftedError(ServiceError):
    """Repeating is useless."""

    code = "hold_lifted"


class EvidenceHeldError(ServiceError):
    """Repeat when the hold is lifted."""

    code = "evidence_held"


class LedgerRefusalError(ServiceError):
    """A person must look: entries stay staged, and nothing is signed, until it is cleared up."""

    code = "ledger_refusal"


class RoleRefusedError(ServiceError):
    """Nothing was granted."""

    code = "role_refused"
