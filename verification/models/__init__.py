"""Tables, one module per aggregate."""

from verification.models.attempt import VerificationAttempt
from verification.models.client import ApiClient, ApiKey, SpentSign
from verification.models.control import ControlResult, ControlRun
from verification.models.erasure import Erasure
from verification.models.evidence import Evidence, EvidenceKey
from verification.models.export import Export, ExportRequest
from verification.models.export_job import ExportJob
from verification.models.hold import LegalHold
from verification.models.ledger import (
    LedgerCheckpoint,
    LedgerCosignature,
    LedgerEntry,
    LedgerNode,
    LedgerVerification,
    StagedEntry,
)
from verification.models.login import LoginMinute, LoginTry, RecoveryCode, SecondFactor
from verification.models.past import PastRow
from verification.models.policy import PolicyReplay, ReviewPolicy
from verification.models.preference import Preference
from verification.models.price import Price
from verification.models.retention import Expiry, RetentionRule, RetentionRun
from verification.models.reveal import Reveal
from verification.models.review import Mention, Review, ReviewStep, SavedFilter
from verification.models.rights import RightsChange, RightsSeal
from verification.models.rollup import (
    Rollup,
    RollupDay,
    RollupHandlingDay,
    RollupMinute,
    RollupPosition,
    RollupReviewDay,
)
from verification.models.session import VerificationSession
from verification.models.subject import (
    RecordErasure,
    SubjectErasure,
    SubjectErasureItem,
    SubjectReport,
)

__all__ = [
    "ApiClient",
    "ApiKey",
    "ControlResult",
    "ControlRun",
    "Erasure",
    "Evidence",
    "EvidenceKey",
    "Expiry",
    "Export",
    "ExportJob",
    "ExportRequest",
    "LedgerCheckpoint",
    "LedgerCosignature",
    "LedgerEntry",
    "LedgerNode",
    "LedgerVerification",
    "LegalHold",
    "LoginMinute",
    "LoginTry",
    "Mention",
    "PastRow",
    "PolicyReplay",
    "Preference",
    "Price",
    "RecordErasure",
    "RecoveryCode",
    "RetentionRule",
    "RetentionRun",
    "Reveal",
    "Review",
    "ReviewPolicy",
    "ReviewStep",
    "RightsChange",
    "RightsSeal",
    "Rollup",
    "RollupDay",
    "RollupHandlingDay",
    "RollupMinute",
    "RollupPosition",
    "RollupReviewDay",
    "SavedFilter",
    "SecondFactor",
    "SpentSign",
    "StagedEntry",
    "SubjectErasure",
    "SubjectErasureItem",
    "SubjectReport",
    "VerificationAttempt",
    "VerificationSession",
]
