"""The words of a policy: verdicts, decisions, reasons, priorities."""

from enum import IntEnum, StrEnum

from verification.lifecycle import State
from verification.outcomes import Outcome


class Decision(StrEnum):
    """What was concluded about a person: by the policy alone, or by officers."""

    APPROVED = "approved"
    REJECTED = "rejected"
    RETRY = "retry"


class Verdict(StrEnum):
    """What the policy says of an attempt: a decision, or that officers must look."""

    APPROVED = "approved"
    REJECTED = "rejected"
    RETRY = "retry"
    REVIEW = "review"


class Reason(StrEnum):
    """Why an attempt was not simply approved: where it ended, or what speaks against it."""

    DIFFERENT_PERSON = Outcome.DIFFERENT_PERSON.value
    LIVENESS_FAILED = Outcome.LIVENESS_FAILED.value
    NOT_COMPLETED = Outcome.NOT_COMPLETED.value
    SOURCE_FAILED = Outcome.SOURCE_FAILED.value
    UNRECOGNISED = Outcome.UNRECOGNISED.value
    REFUSED = "refused"
    IN_DOUBT = State.IN_DOUBT.value
    ATTACK_BESIDE_COMPARISON = "attack_beside_comparison"
    BELOW_THRESHOLD = "below_threshold"
    NEAR_THRESHOLD = "near_threshold"
    DEVICE_TAG = "device_tag"
    DEVICE_LEVEL = "device_level"
    VERIFY_TAG = "verify_tag"
    SUBJECT_FAILURES = "subject_failures"
    BIZ_NO_FAILURES = "biz_no_failures"
    UNREAD_RISK = "unread_risk"


class Priority(IntEnum):
    """How soon a review is due; the lower, the sooner."""

    URGENT = 1
    HIGH = 2
    NORMAL = 3
