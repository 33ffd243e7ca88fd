"""Tables, one module per aggregate."""

from verification.models.attempt import VerificationAttempt
from verification.models.client import ApiClient, ApiKey, SpentSign
from verification.models.erasure import Erasure
from verification.models.evidence import Evidence, EvidenceKey
from verification.models.ledger import (
    LedgerCheckpoint,
    LedgerCosignature,
    LedgerEntry,
    LedgerNode,
    LedgerVerification,
    StagedEntry,
)
from verification.models.reveal import Reveal
from verification.models.session import VerificationSession

__all__ = [
    "ApiClient",
    "ApiKey",
    "Erasure",
    "Evidence",
    "EvidenceKey",
    "LedgerCheckpoint",
    "LedgerCosignature",
    "LedgerEntry",
    "LedgerNode",
    "LedgerVerification",
    "Reveal",
    "SpentSign",
    "StagedEntry",
    "VerificationAttempt",
    "VerificationSession",
]
