"""Values that cross the border of this package. All are frozen; what is secret or biometric is
left out of every `repr`.

Scores are `Decimal` with the vendor's exact digits: confidence and thresholds of a comparison
lie in 0..100, attack score and threshold in 0..1.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TypeAlias

Json: TypeAlias = "bool | int | Decimal | str | list[Json] | dict[str, Json] | None"


@dataclass(frozen=True, slots=True)
class Credentials:
    """A key pair issued by the vendor. The secret signs and is never sent."""

    api_key: str
    api_secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Upload:
    """One file part. The bytes are sent as they are and are not copied."""

    data: bytes | bytearray | memoryview = field(repr=False)


@dataclass(frozen=True, slots=True)
class BizTokenRequest:
    """Parameters of get_biz_token, by the vendor's names (`contract.PARAMETERS`).

    `texts` holds the text parameters without the signature, `files` the images `image_ref1`,
    `image_ref2` and `image`. Ranges are the vendor's to check: a wrong one comes back as
    `Rejected` with `BAD_ARGUMENTS`.
    """

    texts: Mapping[str, str]
    files: Mapping[str, Upload]


@dataclass(frozen=True, slots=True)
class BizToken:
    """A single-use token, valid for `contract.TOKEN_LIFE_S` seconds. It is a credential."""

    biz_token: str = field(repr=False)
    request_id: str | None
    time_used_ms: int | None
    raw: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Similarity to one reference, 0..100, and the thresholds of this very answer, by the
    false-accept rate they stand for ("1e-3" to "1e-6"). They may differ from call to call."""

    confidence: Decimal | None
    thresholds: Mapping[str, Decimal]


@dataclass(frozen=True, slots=True)
class Attack:
    """The vendor's presentation-attack figure, 0..1; above the threshold `is_attack` is true."""

    score: Decimal | None
    threshold: Decimal | None
    is_attack: bool | None


@dataclass(frozen=True, slots=True)
class VerifyAnswer:
    """A verify answer of HTTP 200 that fits the contract, for known and unknown codes alike.

    `comparisons` is keyed by reference name (ref1, ref2, idcard, or one we do not know yet),
    `images` by image name and holds decoded bytes. `unknown` keeps every field the contract does
    not name, and every advisory field that was not of the documented type, under its dotted path
    (`risk_info.new_tag`). `raw` is the answer's body, byte for byte.
    """

    result_code: int
    result_message: str
    request_id: str | None
    biz_no: str | None
    time_used_ms: int | None
    comparisons: Mapping[str, Comparison]
    attack: Attack | None
    images: Mapping[str, bytes] = field(repr=False)
    video_key: str | None = field(repr=False)
    device_level: str | None
    device_tags: Mapping[str, Json] | None
    verify_tags: Mapping[str, Json] | None
    visual_attributes: Mapping[str, Json] | None
    unknown: Mapping[str, Json]
    raw: bytes = field(repr=False)
