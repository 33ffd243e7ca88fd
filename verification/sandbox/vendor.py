"""What the vendor decides: from one received form to a reply, or to a fault of the line."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl

from verification.faceid import multipart, signing
from verification.faceid.contract import (
    BIZ_TOKEN_PATH,
    PARAMETERS,
    SIGNATURE_FIELDS,
    TOO_LARGE_TEXT,
    VERIFY_PATH,
    Endpoint,
    ErrorRow,
    Parameter,
    ResultRow,
)
from verification.sandbox import answers
from verification.sandbox.scenarios import (
    SUCCESS,
    Asked,
    UnknownScenarioError,
    argument_of,
    asked_by,
)
from verification.sandbox.tokens import Issued, Memory

JSON = "application/json;charset=utf-8"
IMAGE_STARTS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")
ONCE = frozenset({"429-once", "503-once"})
PARAMETER_NAMES = frozenset(parameter.name for parameter in PARAMETERS)
DENIED = ResultRow(4200, "BIZ_TOKEN_DENIED", "token invalid: wrong, used or expired", billed=False)


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer as the vendor would send it."""

    status: int
    body: bytes = field(repr=False)
    content_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent a request, as far as it was read: its token, the biz_no and scenario that the
    token or the request itself carries, its packet."""

    token: str | None = field(default=None, repr=False)
    biz_no: str | None = None
    scenario: str | None = None
    packet: memoryview | None = field(default=None, repr=False)

    @classmethod
    def of(cls, issued: Issued | None) -> "Caller":
        """Return the caller that a token was issued to; an unknown one for None."""
        if issued is None:
            return cls()
        return cls(issued.token, issued.biz_no, issued.asked.scenario.name)


@dataclass(frozen=True, slots=True)
class Verdict:
    """A reply, the fault under which it is to be sent (None: none), and to whom."""

    reply: Reply
    fault: Asked | None = None
    caller: Caller = field(default_factory=Caller)


@dataclass(frozen=True, slots=True)
class Received:
    """The fields of a form; `texts` holds text parts, `files` parts with a file name."""

    texts: dict[str, str] = field(repr=False)
    files: dict[str, memoryview] = field(repr=False)


class RefusedError(Exception):
    """The request ends here, with this error of the contract."""

    def __init__(self, status: int, code: str, argument: str | None = None) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.argument = argument


class Vendor:
    """The endpoints of the contract, over credentials and a memory."""

    def __init__(
        self, *, credentials: Mapping[str, str], memory: Memory, clock: Callable[[], float]
    ) -> None:
        self._credentials = credentials
        self.memory = memory
        self._clock = clock
        self._endpoints = {BIZ_TOKEN_PATH: self._get_biz_token, VERIFY_PATH: self._verify}

    def decide(self, path: str, content_type: str, body: memoryview) -> Verdict:
        """Return what one POST leads to."""
        form = read_form(content_type, body)
        try:
            verdict = self._serve(self._endpoints.get(path), form)
        except RefusedError as refused:
            reply = self.refuse(refused.status, refused.code, refused.argument)
            verdict = Verdict(reply, None, self._caller(form))
        packet = form.files.get("meglive_data")
        return replace(verdict, caller=replace(verdict.caller, packet=packet))

    def _caller(self, form: Received) -> Caller:
        token = form.texts.get("biz_token")
        issued = None if token is None else self.memory.find(token)
        if issued is None:
            return Caller(token, form.texts.get("biz_no"))
        return Caller.of(issued)

    def _serve(self, endpoint: Callable[[Received], Verdict] | None, form: Received) -> Verdict:
        if endpoint is None:
            raise RefusedError(404, "API_NOT_FOUND")
        self._check_sign(form.texts)
        return endpoint(form)

    def refuse(self, status: int, code: str | None, argument: str | None = None) -> Reply:
        """Return an error reply; without a code it is the plain-text 413."""
        if code is None:
            return Reply(status, TOO_LARGE_TEXT.encode(), "text/plain")
        return Reply(status, answers.encode(answers.error(code, argument, self._clock())))

    def _check_sign(self, texts: Mapping[str, str]) -> None:
        for name in SIGNATURE_FIELDS:
            if not texts.get(name):
                raise RefusedError(400, "MISSING_ARGUMENTS", name)
        if texts["sign_version"] != signing.SIGN_VERSION:
            raise RefusedError(400, "BAD_ARGUMENTS", "sign_version")
        try:
            checked = signing.check(
                texts["sign"], secret_for=self._credentials.get, now=self._clock()
            )
        except signing.SignError as error:
            raise RefusedError(403, "AUTHORIZATION_ERROR", error.reason) from None
        if checked.single_use and not self.memory.first_use(checked.digest):
            raise RefusedError(403, "AUTHORIZATION_ERROR", "INVALID_SIGN")

    def _get_biz_token(self, form: Received) -> Verdict:
        for parameter in PARAMETERS:
            _check_parameter(parameter, form)
        asked = _asked(form.texts)
        scenario = asked.scenario
        biz_no = form.texts.get("biz_no", "")
        if scenario.endpoint == "get_biz_token" and isinstance(scenario.row, ErrorRow):
            refusal = self._documented(scenario.row, "get_biz_token")
            return Verdict(refusal, None, Caller(None, biz_no, scenario.name))
        given = form.texts | dict.fromkeys(form.files, "file")
        options = {name: text for name, text in given.items() if name in PARAMETER_NAMES}
        issued = self.memory.issue(options, asked)
        reply = Reply(200, answers.encode(answers.token(issued, self._clock())))
        is_fault = scenario.endpoint == "get_biz_token" and (
            scenario.name != "token-429-once" or self.memory.first_ask(biz_no, options["uuid"])
        )
        return Verdict(reply, asked if is_fault else None, Caller.of(issued))

    def _verify(self, form: Received) -> Verdict:
        token = form.texts.get("biz_token")
        if not token:
            raise RefusedError(400, "MISSING_ARGUMENTS", "biz_token")
        issued = self.memory.find(token)
        packet = form.files.get("meglive_data")
        is_raw_image = issued is not None and issued.options.get("liveness_type") == "raw_image"
        if packet is None and "meglive_data" not in form.texts:
            if not is_raw_image:
                raise RefusedError(400, "MISSING_ARGUMENTS", "meglive_data")
        elif not packet:
            # Nothing, or bytes that a form without a file name has turned into text.
            raise RefusedError(400, "MEGLIVE_DATA_ERROR")
        if issued is None or not self.memory.is_usable(issued):
            return Verdict(self._denied(issued), None, self._caller(form))
        return self._play(issued)

    def _play(self, issued: Issued) -> Verdict:
        """Act out the token's scenario."""
        scenario, caller = issued.asked.scenario, Caller.of(issued)
        has_recovered = not self.memory.first_try(issued) and scenario.name in ONCE
        if (scenario.spends or has_recovered) and not self.memory.spend(issued):
            return Verdict(self._denied(issued), None, caller)
        if isinstance(scenario.row, ErrorRow):
            return Verdict(self._documented(scenario.row, "verify"), None, caller)
        is_fault = scenario.row is None and scenario.endpoint == "verify" and not has_recovered
        return Verdict(self._result(issued), issued.asked if is_fault else None, caller)

    def _result(self, issued: Issued) -> Reply:
        row = issued.asked.scenario.row
        known = row if isinstance(row, ResultRow) else ResultRow(1000, "SUCCESS", "", billed=True)
        makers: dict[str, Callable[[Issued, ResultRow, float], dict[str, Any]]] = {
            "hostile-strings": answers.hostile,
            "unknown-fields": answers.with_unknown_fields,
        }
        make = makers.get(issued.asked.scenario.name, answers.result)
        return Reply(200, answers.encode(make(issued, known, self._clock())))

    def _denied(self, issued: Issued | None) -> Reply:
        nobody = Issued("", {}, SUCCESS, 0.0)
        return Reply(200, answers.encode(answers.result(issued or nobody, DENIED, self._clock())))

    def _documented(self, row: ErrorRow, endpoint: Endpoint) -> Reply:
        return self.refuse(row.http_status, row.code, argument_of(row, endpoint))


def read_form(content_type: str, body: memoryview) -> Received:
    """Read a form as leniently as real clients need; what is no form has no fields."""
    if content_type.lower().startswith("application/x-www-form-urlencoded"):
        pairs = parse_qsl(bytes(body).decode("utf-8", "replace"), keep_blank_values=True)
        return Received(dict(reversed(pairs)), {})
    try:
        parts = multipart.parse(body, content_type, max_parts=100, max_files=20)
    except multipart.MultipartError:
        return Received({}, {})
    received = Received({}, {})
    for part in reversed(parts):
        if part.is_file:
            received.files[part.name] = part.data
        else:
            received.texts[part.name] = str(part.data, "utf-8", "replace")
    return received


def _asked(texts: Mapping[str, str]) -> Asked:
    """Return the scenario that biz_no, or else uuid, asks for."""
    for name in ("biz_no", "uuid"):
        try:
            asked = asked_by(texts.get(name, ""))
        except UnknownScenarioError:
            raise RefusedError(400, "BAD_ARGUMENTS", name) from None
        if asked is not None:
            return asked
    return SUCCESS


def _check_parameter(parameter: Parameter, form: Received) -> None:
    if parameter.kind == "file":
        _check_image(parameter, form)
        return
    text = form.texts.get(parameter.name)
    if text is None or (text == "" and parameter.required):
        if parameter.required:
            raise RefusedError(400, "MISSING_ARGUMENTS", parameter.name)
        return
    is_wrong = (
        (parameter.kind == "choice" and text not in parameter.choices)
        or (parameter.kind == "integer" and not _is_within(text, parameter))
        or (parameter.max_bytes is not None and len(text.encode()) > parameter.max_bytes)
    )
    if is_wrong:
        raise RefusedError(400, "BAD_ARGUMENTS", parameter.name)


def _check_image(parameter: Parameter, form: Received) -> None:
    image = form.files.get(parameter.name)
    if image is None:
        if parameter.required or parameter.name in form.texts:
            raise RefusedError(400, "MISSING_ARGUMENTS", parameter.name)
        return
    if not bytes(image[:8]).startswith(IMAGE_STARTS):
        raise RefusedError(400, "IMAGE_ERROR_UNSUPPORTED_FORMAT", parameter.name)


def _is_within(text: str, parameter: Parameter) -> bool:
    if not (text.isascii() and text.isdecimal() and len(text) <= 9):  # noqa: PLR2004  any int32
        return False
    low, high = parameter.low, parameter.high
    return (low is None or int(text) >= low) and (high is None or int(text) <= high)


def sha256_of(data: str | memoryview | None) -> str | None:
    """Return the SHA-256 (hex) of a token or packet, None of nothing."""
    if data is None:
        return None
    return hashlib.sha256(data.encode() if isinstance(data, str) else data).hexdigest()
