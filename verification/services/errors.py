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
`-- LedgerRefusalError          the log must not be continued as it stands
"""

from typing import ClassVar
from uuid import UUID

from verification.errors import VerificationError
from verification.models import VerificationAttempt


class ServiceError(VerificationError):
    """Base; `code` is part of the API and never changes."""

    code: ClassVar[str] = "service_error"


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


class LedgerRefusalError(ServiceError):
    """A person must look: entries stay staged, and nothing is signed, until it is cleared up."""

    code = "ledger_refusal"
