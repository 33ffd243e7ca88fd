"""The sample attempts: what is sent, and what the contract says must come of it."""

from dataclasses import dataclass

KB = 1000
MB = 1000 * KB


@dataclass(frozen=True, slots=True)
class Expected:
    """What must hold of one sample; None for a figure that the contract leaves open.

    `status` is the HTTP status of our answer, `upstream_requests` how often verify was called
    at the vendor. `code` and `message` are the vendor's pair, `error` its code when it refused.
    `attack` is the verdict of the attack detection, None where the contract has none.
    """

    status: int
    state: str
    outcome: str | None
    code: int | None = None
    message: str | None = None
    error: str | None = None
    attack: bool | None = False
    has_risk_tags: bool = False
    upstream_requests: int = 1


@dataclass(frozen=True, slots=True)
class Sample:
    """One attempt: its packet's size, and the sandbox scenario named in its biz_no."""

    title: str
    scenario: str | None
    packet_bytes: int
    expected: Expected
    is_posted_twice: bool = False


SAMPLES: tuple[Sample, ...] = (
    Sample(
        "the same person",
        None,
        100 * KB,
        Expected(201, "answered", "verified", 1000, "SUCCESS"),
        is_posted_twice=True,
    ),
    Sample(
        "the same person, large packet",
        None,
        8 * MB,
        Expected(201, "answered", "verified", 1000, "SUCCESS"),
    ),
    Sample(
        "the same person, risk tags",
        "risk-tags",
        1500 * KB,
        Expected(201, "answered", "verified", 1000, "SUCCESS", has_risk_tags=True),
    ),
    Sample(
        "another person",
        "different-person",
        900 * KB,
        Expected(201, "answered", "different_person", 2000, "PASS_LIVING_NOT_THE_SAME"),
    ),
    Sample(
        "a suspected attack",
        "attack",
        3 * MB,
        Expected(201, "answered", "liveness_failed", 4100, "FAIL_LIVING_FACE_ATTACK", attack=True),
    ),
    Sample(
        "a risky device",
        "device-risk",
        700 * KB,
        Expected(201, "answered", "liveness_failed", 4100, "DEVICE_RISK", has_risk_tags=True),
    ),
    Sample(
        "the person cancelled",
        "cancelled",
        250 * KB,
        Expected(201, "answered", "not_completed", 4200, "USER_CANCELLATION", attack=None),
    ),
    Sample(
        "a code we do not know",
        "unknown-code",
        400 * KB,
        Expected(201, "answered", "unrecognised", 5100, "SOMETHING_NEW", attack=None),
    ),
    Sample(
        "a refused packet",
        "bad-packet",
        120 * KB,
        Expected(201, "rejected", None, error="MEGLIVE_DATA_ERROR", attack=None),
    ),
    Sample(
        "a busy vendor, then success",
        "429-once",
        600 * KB,
        Expected(201, "answered", "verified", 1000, "SUCCESS", upstream_requests=2),
    ),
    Sample(
        "a connection lost before the answer",
        "reset-after",
        2 * MB,
        Expected(202, "in_doubt", None, attack=None),
    ),
    Sample(
        "an answer that never came",
        "timeout-after",
        300 * KB,
        Expected(202, "in_doubt", None, attack=None),
    ),
)
