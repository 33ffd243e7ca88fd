"""What a biz_no or uuid can ask of the sandbox: `sandbox:NAME` or `sandbox:NAME:ARGUMENT`.

A magic value begins anywhere and ends at a blank or with the text. One table serves the server, its
index page and the documentation's test.
"""

import re
from dataclasses import dataclass
from typing import Final, Literal

from verification.faceid.contract import ERRORS, RESULTS, ErrorRow, ResultRow

Endpoint = Literal["verify", "get_biz_token"]

MAGIC: Final = re.compile(r"sandbox:([^\s:]*)(?::(\S*))?")
ARGUMENT: Final = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3})?")
MAX_ARGUMENT: Final = 120.0
UNKNOWN_CODE: Final = ResultRow(5100, "SOMETHING_NEW", "a code no document names", billed=None)


@dataclass(frozen=True, slots=True)
class Scenario:
    """`row` is what the contract documents for it, None for a fault of the line or the server.

    `spends` tells whether verify spends the token. `default` is the argument when none is given,
    None where a scenario takes none.
    """

    name: str
    does: str
    endpoint: Endpoint = "verify"
    row: ResultRow | ErrorRow | None = None
    spends: bool = True
    default: float | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """A scenario with its argument, 0..MAX_ARGUMENT."""

    scenario: Scenario
    argument: float = 0.0


class UnknownScenarioError(ValueError):
    """A magic value that names no scenario, or an argument that is none for it."""


def _result_name(row: ResultRow) -> str:
    message = row.message.lower().replace("_", "-")
    return f"{row.code}-{message}" if message else str(row.code)


def _result(row: ResultRow) -> Scenario:
    told = f"{row.code} {row.message}".rstrip()
    return Scenario(_result_name(row), f"answers {told}: {row.meaning}", row=row)


def _refusal(row: ErrorRow, endpoint: Endpoint) -> Scenario:
    words = ["token"] if endpoint == "get_biz_token" else []
    words += [str(row.http_status), row.code or "too-large"]
    argument = argument_of(row, endpoint)
    if argument is not None and argument == row.argument:
        words.append(argument)
    told = row.code or "in plain text"
    told += "" if argument is None else f": {argument}"
    does = f"refuses {endpoint} with HTTP {row.http_status} {told}"
    return Scenario("-".join(words).lower().replace("_", "-"), does, endpoint, row, spends=False)


def argument_of(row: ErrorRow, endpoint: Endpoint) -> str | None:
    """Return what stands after the colon of an error; an example where that varies."""
    examples = {
        "<param>": "image_ref1",
        "<key>": "meglive_data" if endpoint == "verify" else "liveness_type",
    }
    return None if row.argument is None else examples.get(row.argument, row.argument)


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
    Scenario(
        "attack-integer",
        "4100: an attack, told by the number 1 instead of true",
        row=_row(4100, "FAIL_LIVING_FACE_ATTACK"),
    ),
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
        "asks once to come back in ARGUMENT whole seconds, then succeeds",
        spends=False,
        default=0.0,
    ),
    Scenario(
        "503", "always asks to come back in ARGUMENT whole seconds", spends=False, default=1.0
    ),
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
    Scenario(
        "token-429-once",
        "get_biz_token is busy once for each biz_no and uuid, then succeeds",
        "get_biz_token",
    ),
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
SUCCESS: Final = Asked(SCENARIOS["success"])


def asked_by(text: str) -> Asked | None:
    """Return the scenario that a text asks for, None if it asks for none.

    Raises UnknownScenarioError: a misspelt scenario must not look like a success.
    """
    found = MAGIC.search(text)
    if found is None:
        return None
    scenario = SCENARIOS.get(found[1])
    if scenario is None:
        raise UnknownScenarioError
    if found[2] is None:
        return Asked(scenario, scenario.default or 0.0)
    if scenario.default is None or not ARGUMENT.fullmatch(found[2]):
        raise UnknownScenarioError
    argument = float(found[2])
    if argument > MAX_ARGUMENT:
        raise UnknownScenarioError
    return Asked(scenario, argument)
