"""The vendor's tables: regions, paths, results, errors, parameters.

Source of each row: APP_VERIFY is the English reference "App-Verify 3.0.0", OTHER_EDITION another
edition or page of the vendor's documentation. What no document says is not here; codes, messages
and errors will be added by the vendor, so an absent row never means that an answer is wrong.
"""

from dataclasses import dataclass
from typing import Final, Literal

APP_VERIFY: Final = "App-Verify 3.0.0"
OTHER_EDITION: Final = "other edition"

REGIONS: Final = {
    "sgp": "https://api-sgp.megvii.com",
    "idn": "https://api-idn.megvii.com",
}

VERIFY_PATH: Final = "/faceid/v3/sdk/verify"
BIZ_TOKEN_PATH: Final = "/faceid/v3/sdk/get_biz_token"  # noqa: S105  a path, not a password

MAX_REQUEST_BYTES: Final = 10 * 1024 * 1024
TOO_LARGE_TEXT: Final = "Request Entity Too Large"
TOKEN_LIFE_S: Final = 3600
MAX_IMAGE_SIDE_PX: Final = 4096


@dataclass(frozen=True, slots=True)
class ResultRow:
    """One documented pair of result_code and result_message. `billed` is None where no document
    tells; `message` is empty where none is listed."""

    code: int
    message: str
    meaning: str
    billed: bool | None
    source: str = APP_VERIFY


RESULTS: Final = (
    ResultRow(1000, "SUCCESS", "live, and the same person as the reference", billed=True),
    ResultRow(
        2000,
        "PASS_LIVING_NOT_THE_SAME",
        "live, but not the same person as at least one reference",
        billed=True,
    ),
    ResultRow(4100, "FAIL_LIVING_FACE_ATTACK", "presentation attack suspected", billed=False),
    ResultRow(4100, "VIDEO_LACK_FRAMES", "faulty capture, try another phone", billed=False),
    ResultRow(4100, "FAIL_EYES_CLOSE_DETECTION", "eyes-closed check failed", billed=False),
    ResultRow(4100, "DEVICE_RISK", "device attack detected", billed=False),
    ResultRow(4200, "BIZ_TOKEN_DENIED", "token invalid: wrong, used or expired", billed=False),
    ResultRow(4200, "AUTHENTICATION_FAIL", "authentication failed", billed=False),
    ResultRow(4200, "MOBILE_PHONE_NOT_SUPPORT", "phone not supported", billed=False),
    ResultRow(4200, "SDK_TOO_OLD", "SDK too old", billed=False),
    ResultRow(
        4200, "MOBILE_PHONE_NO_AUTHORITY", "a permission was missing on the phone", billed=False
    ),
    ResultRow(4200, "USER_CANCELLATION", "the person gave up", billed=False),
    ResultRow(4200, "USER_TIMEOUT", "the person took too long", billed=False),
    ResultRow(4200, "VERIFICATION_FAILURE", "the person did not complete it", billed=False),
    ResultRow(4200, "UNDETECTED_FACE", "no face was seen", billed=False),
    ResultRow(4200, "ACTION_ERROR", "a wrong action was made", billed=False),
    ResultRow(
        3000,
        "NO_ID_CARD_NUMBER",
        "data source: number not found",
        billed=True,
        source=OTHER_EDITION,
    ),
    ResultRow(
        3000,
        "ID_NUMBER_NAME_NOT_MATCH",
        "data source: name does not match",
        billed=True,
        source=OTHER_EDITION,
    ),
    ResultRow(
        3000,
        "NO_FACE_FOUND",
        "data source: photo without a face",
        billed=True,
        source=OTHER_EDITION,
    ),
    ResultRow(3000, "NO_ID_PHOTO", "data source: no photo", billed=True, source=OTHER_EDITION),
    ResultRow(
        3000,
        "PHOTO_FORMAT_ERROR",
        "data source: photo not readable",
        billed=True,
        source=OTHER_EDITION,
    ),
    ResultRow(3000, "DATA_SOURCE_ERROR", "data source failed", billed=False, source=OTHER_EDITION),
    ResultRow(9000, "", "has priority over other codes; no message is listed", billed=None),
)

Endpoint = Literal["verify", "get_biz_token"]
BOTH: Final[tuple[Endpoint, ...]] = ("verify", "get_biz_token")
VERIFY: Final[tuple[Endpoint, ...]] = ("verify",)
BIZ_TOKEN: Final[tuple[Endpoint, ...]] = ("get_biz_token",)


@dataclass(frozen=True, slots=True)
class ErrorRow:
    """One documented error. `argument` is the word after the colon, `<key>` or `<param>` where it
    varies, None where nothing follows. `code` is None for the plain-text 413."""

    http_status: int
    code: str | None
    argument: str | None = None
    endpoints: tuple[Endpoint, ...] = BOTH
    source: str = APP_VERIFY


ERRORS: Final = (
    ErrorRow(400, "MISSING_ARGUMENTS", "<key>"),
    ErrorRow(400, "BAD_ARGUMENTS", "<key>"),
    ErrorRow(400, "IMAGE_ERROR_UNSUPPORTED_FORMAT", "<param>"),
    ErrorRow(400, "NO_FACE_FOUND", "<param>"),
    ErrorRow(400, "INVALID_IMAGE_SIZE", "<param>"),
    ErrorRow(400, "LOW_QUALITY", None, BIZ_TOKEN, OTHER_EDITION),
    ErrorRow(400, "MULTIPLE_FACES", None, BIZ_TOKEN, OTHER_EDITION),
    ErrorRow(400, "MEGLIVE_DATA_ERROR", None, VERIFY),
    ErrorRow(400, "MEGLIVE_DATA_BIZ_TOKEN_NOT_MATCH", None, VERIFY),
    ErrorRow(403, "AUTHORIZATION_ERROR", "API_KEY_BE_DISCONTINUED", BOTH, OTHER_EDITION),
    ErrorRow(403, "AUTHORIZATION_ERROR", "IP_NOT_ALLOWED", BOTH, OTHER_EDITION),
    ErrorRow(403, "AUTHORIZATION_ERROR", "MORE_RETRY_TIMES", BOTH, OTHER_EDITION),
    ErrorRow(403, "AUTHORIZATION_ERROR", "EXPIRED_SIGN", BOTH, OTHER_EDITION),
    ErrorRow(403, "AUTHORIZATION_ERROR", "INVALID_SIGN", BOTH, OTHER_EDITION),
    ErrorRow(403, "AUTHORIZATION_ERROR", "LIMIT_REACHED", BIZ_TOKEN, OTHER_EDITION),
    ErrorRow(403, "AUTHORIZATION_ERROR", "NO_VERIFY_PERMISSION", BIZ_TOKEN, OTHER_EDITION),
    ErrorRow(403, "AUTHORIZATION_ERROR", "NO_DATA_SOURCE_PERMISSION", BIZ_TOKEN, OTHER_EDITION),
    ErrorRow(403, "AUTHORIZATION_ERROR", "DENIED", BIZ_TOKEN, OTHER_EDITION),
    ErrorRow(403, "AUTHENTICATION_ERROR", None, BIZ_TOKEN, OTHER_EDITION),
    ErrorRow(429, "CONCURRENCY_LIMIT_EXCEEDED", None, VERIFY),
    ErrorRow(403, "CONCURRENCY_LIMIT_EXCEEDED", None, BIZ_TOKEN, OTHER_EDITION),
    ErrorRow(404, "API_NOT_FOUND"),
    ErrorRow(413, None),
    ErrorRow(500, "INTERNAL_ERROR"),
)

LivenessType = Literal["meglive", "still", "flash", "raw_image"]
LIVENESS_TYPES: Final[tuple[LivenessType, ...]] = ("meglive", "still", "flash", "raw_image")


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of get_biz_token beside the signature.

    `choices` lists the values of a choice, `low` and `high` bound an integer, `max_bytes` a text.
    `default` is what the vendor takes when it is absent, None where that depends or is not told.
    `liveness_types` are the kinds of liveness it has a meaning for.
    """

    name: str
    kind: Literal["choice", "integer", "text", "file"]
    required: bool = False
    choices: tuple[str, ...] = ()
    low: int | None = None
    high: int | None = None
    max_bytes: int | None = None
    default: str | None = None
    liveness_types: tuple[LivenessType, ...] = LIVENESS_TYPES
    source: str = OTHER_EDITION


OFF_ON: Final = ("0", "1")
RAW_IMAGE: Final[tuple[LivenessType, ...]] = ("raw_image",)

PARAMETERS: Final = (
    Parameter("liveness_type", "choice", required=True, choices=LIVENESS_TYPES),
    # Overseas regions take 0 only: a comparison with images of one's own.
    Parameter("comparison_type", "choice", required=True, choices=("0",)),
    Parameter("uuid", "text", required=True, max_bytes=128),
    Parameter("image_ref1", "file", required=True),
    Parameter("image_ref2", "file"),
    Parameter("biz_no", "text", max_bytes=128, default=""),
    # Seconds. Default: 10 for each action (meglive), 60 (still).
    Parameter("liveness_timeout", "integer", low=5, high=60),
    Parameter(
        "liveness_action_count", "integer", low=1, high=3, default="3", liveness_types=("meglive",)
    ),
    Parameter("eyes_close_detection", "choice", choices=OFF_ON, default="0"),
    Parameter("image", "file", liveness_types=RAW_IMAGE),
    Parameter(
        "fail_when_multiple_faces", "choice", choices=OFF_ON, default="1", liveness_types=RAW_IMAGE
    ),
    # No range is documented; the figure is a percentage.
    Parameter("face_quality_threshold", "text", default="30", liveness_types=RAW_IMAGE),
    Parameter("return_faces", "choice", choices=OFF_ON, default="0", liveness_types=RAW_IMAGE),
    Parameter("verbose", "choice", choices=OFF_ON, default="0"),
    Parameter("security_level", "integer", low=1, high=4, default="2"),
    Parameter("force_compare", "choice", choices=OFF_ON, default="0"),
    Parameter("multi_oriented_detection", "choice", choices=OFF_ON, default="1"),
    # "1" turns the detection on; no other value is documented, so none is refused.
    Parameter("device_risk", "text", source=APP_VERIFY),
    Parameter("verify_risk_detect", "text", source=APP_VERIFY),
)

SIGNATURE_FIELDS: Final = ("sign", "sign_version")
VERIFY_TEXTS: Final = frozenset({*SIGNATURE_FIELDS, "biz_token"})
VERIFY_FILES: Final = frozenset({"meglive_data"})
BIZ_TOKEN_TEXTS: Final = frozenset(
    {*SIGNATURE_FIELDS, *(row.name for row in PARAMETERS if row.kind != "file")}
)
BIZ_TOKEN_FILES: Final = frozenset(row.name for row in PARAMETERS if row.kind == "file")

DEVICE_TAGS: Final = ("is_root", "is_hook", "is_injection", "is_virtual_environment")
THRESHOLD_NAMES: Final = ("1e-3", "1e-4", "1e-5", "1e-6")
COMPARISON_NAMES: Final = ("ref1", "ref2", "idcard")
