"""Tables, one module per aggregate."""

from verification.models.attempt import VerificationAttempt
from verification.models.client import ApiClient, ApiKey, SpentSign
from verification.models.evidence import Evidence, EvidenceKey
from verification.models.session import VerificationSession

__all__ = [
    "ApiClient",
    "ApiKey",
    "Evidence",
    "EvidenceKey",
    "SpentSign",
    "VerificationAttempt",
    "VerificationSession",
]
