"""What a biz_no or uuid can ask of the sandbox: `sandbox:NAME` or `sandbox:NAME:ARGUMENT`.

One table serves the server, its index page, the command's help and the documentation's test.
"""

import re
from dataclasses import dataclass
from typing import Final, Literal

from verification.faceid.contract import ERRORS, RESULTS, ErrorRow, ResultRow

Endpoint = Literal["verify", "get_biz_token"]

MAGIC = re.compile(r"sandbox:([a-z0-9-]+)(?::([0-9.]+))?")
UNKNOWN_CODE: Final = ResultRow(5100, "SOMETHING_NEW", "a code no document names", billed=None)


@dataclass(frozen=True, slots=True)
class Scenario:
    """`row` is what the contract documents for it, None for a fault of the line or the server.

    `spends` tells whether verify spends the token. `default` is the argument when none is given.
    """

    name: str
    does: str
    endpoint: Endpoint = "verify"
    row: ResultRow | ErrorRow | None = None
    spends: bool = True
    default: float = 0.0


@dataclass(frozen=True, slots=True)
class Asked:
    """A scenario with its argument."""

    scenario: Scenario
    argument: float


def _result_name(row: ResultRow) -> str:
    message = row.message.lower().replace("_", "-")
    return f"{row.code}-{message}" if message else str(row.code)


def _result(row: ResultRow) -> Scenario:
    return Scenario(_result_name(row), f"answers {row.code} {row.message}: {row.meaning}", row=row)


def _refusal(row: ErrorRow, endpoint: Endpoint) -> Scenario:
    told = (row.argument or row.code or "too-large").lower()
    code = "" if row.argument is None or told.startswith("<") else f"{row.code}-".lower()
    word = (row.code or told).lower() if told.startswith("<") else f"{code}{told}"
    prefix = "token-" if endpoint == "get_biz_token" else ""
    name = f"{prefix}{row.http_status}-{word}".replace("_", "-")
    does = f"refuses {endpoint} with HTTP {row.http_status} {row.code or 'in plain text'}"
    return Scenario(name, does, endpoint, row, spends=False)


def _row(code: int, message: str) -> ResultRow:
    return next(row for row in RESULTS if (row.code, row.message) == (code, message))


def _error(code: str) -> ErrorRow:
    return next(row for row in ERRORS if row.code == code and "verify" in row.endpoints)


FRIENDLY: Final = (
    Scenario("success", "the default: 1000 SUCCESS", row=_row(1000, "SUCCESS")),
    Scenario(
        "different-person",
        "2000: live, but somebody else",
        row=_row(2000, "PASS_LIVING_NOT_THE_SAME"),
    ),
    Scenario("attack", "4100: an attack", row=_row(4100, "FAIL_LIVING_FACE_ATTACK")),
    Scenario("device-risk", "4100: a risky device", row=_row(4100, "DEVICE_RISK")),
    Scenario("cancelled", "4200: the person gave up", row=_row(4200, "USER_CANCELLATION")),
    Scenario("risk-tags", "1000, with device and capture tags set", row=_row(1000, "SUCCESS")),
    Scenario("unknown-code", "a result code that no document names", row=UNKNOWN_CODE),
    Scenario(
        "unknown-fields", "1000, with fields that no document names", row=_row(1000, "SUCCESS")
    ),
    Scenario(
        "hostile-strings", "scripts, line breaks, bidi and formulas in every text", row=UNKNOWN_CODE
    ),
    Scenario("bad-packet", "refuses the packet", row=_error("MEGLIVE_DATA_ERROR"), spends=False),
)

FAULTS: Final = (
    Scenario("slow", "answers after ARGUMENT seconds", default=2.0),
    Scenario("drip-headers", "sends its headers a byte every ARGUMENT seconds", default=1.0),
    Scenario("drip-body", "sends its body a byte every ARGUMENT seconds", default=1.0),
    Scenario("timeout-before", "never answers, and processes nothing", spends=False),
    Scenario("timeout-after", "processes, and never answers"),
    Scenario("reset-upload", "resets the connection in mid-upload", spends=False),
    Scenario("reset-after", "processes, then resets the connection"),
    Scenario("close-after", "processes, then hangs up without an answer"),
    Scenario("truncated", "cuts its answer in the middle"),
    Scenario("empty", "answers HTTP 200 with an empty body"),
    Scenario("invalid-json", "answers something that is not JSON"),
    Scenario("wrong-shape", "answers JSON of another shape"),
    Scenario("nan", "answers a NaN as a score"),
    Scenario("out-of-range", "answers a confidence of 101"),
    Scenario("duplicate-keys", "answers result_code twice"),
    Scenario("deep-json", "answers JSON nested 100,000 deep"),
    Scenario("huge-json", "answers ARGUMENT MiB of JSON", default=32.0),
    Scenario("nul", "answers a NUL inside a text"),
    Scenario("gzip-bomb", "answers 1 MiB that unpacks to 1 GiB, unasked"),
    Scenario("429-once", "is busy once, then succeeds", spends=False),
    Scenario("429", "is always busy", spends=False),
    Scenario(
        "503-once",
        "asks to come back in ARGUMENT seconds, then succeeds",
        spends=False,
    ),
    Scenario("503", "always asks to come back in ARGUMENT seconds", spends=False, default=1.0),
    Scenario("500", "fails with INTERNAL_ERROR"),
    Scenario("502-html", "fails with a gateway's HTML page"),
    Scenario("redirect", "redirects the packet to another host"),
    Scenario("413-early", "refuses the size in mid-upload and hangs up", spends=False),
)

TOKEN_FAULTS: Final = (
    Scenario(
        "token-slow", "get_biz_token answers after ARGUMENT seconds", "get_biz_token", default=2.0
    ),
    Scenario("token-timeout", "get_biz_token never answers", "get_biz_token"),
    Scenario("token-429-once", "get_biz_token is busy once, then succeeds", "get_biz_token"),
    Scenario("token-500", "get_biz_token fails with INTERNAL_ERROR", "get_biz_token"),
    Scenario("token-502-html", "get_biz_token fails with HTML", "get_biz_token"),
    Scenario(
        "token-invalid-json", "get_biz_token answers something that is not JSON", "get_biz_token"
    ),
)

ROWS: Final = (
    *(_result(row) for row in RESULTS),
    *(_refusal(row, "verify") for row in ERRORS if "verify" in row.endpoints),
    *(_refusal(row, "get_biz_token") for row in ERRORS if "get_biz_token" in row.endpoints),
)

SCENARIOS: Final = {
    scenario.name: scenario for scenario in (*FRIENDLY, *ROWS, *FAULTS, *TOKEN_FAULTS)
}
SUCCESS: Final = Asked(SCENARIOS["success"], 0.0)


def asked_by(*texts: str) -> Asked:
    """Return the scenario that the first text with a known magic value asks for, else success."""
    for text in texts:
        found = MAGIC.search(text)
        scenario = SCENARIOS.get(found[1]) if found else None
        if found and scenario:
            return Asked(scenario, float(found[2]) if found[2] else scenario.default)
    return SUCCESS
