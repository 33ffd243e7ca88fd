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
from verification.models.policy import PolicyReplay, ReviewPolicy
from verification.models.preference import Preference
from verification.models.reveal import Reveal
from verification.models.review import Mention, Review, ReviewStep, SavedFilter
from verification.models.rollup import Rollup, RollupDay, RollupMinute, RollupPosition
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
    "Mention",
    "PolicyReplay",
    "Preference",
    "Reveal",
    "Review",
    "ReviewPolicy",
    "ReviewStep",
    "Rollup",
    "RollupDay",
    "RollupMinute",
    "RollupPosition",
    "SavedFilter",
    "SpentSign",
    "StagedEntry",
    "VerificationAttempt",
    "VerificationSession",
]
