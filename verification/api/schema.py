"""The OpenAPI description: components written by hand, exact, and the documents' addresses.

A test holds real answers against these schemas, so they cannot drift from the code.
"""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse

from verification.api.filters import BUNDLE, DEFAULT_PAGE_SIZE, EXPORT_READERS, MAX_PAGE_SIZE
from verification.api.log_ranges import MAX_ENTRIES, MAX_NUMBER
from verification.api.problems import KINDS
from verification.faceid.contract import COMPARISON_NAMES, PARAMETERS, THRESHOLD_NAMES, Parameter
from verification.lifecycle import State
from verification.models.export_job import JobState
from verification.models.review import ReviewState
from verification.outcomes import Outcome
from verification.policy.terms import Decision, Reason, Verdict
from verification.selectors.export_form import STREAMED, Layout

Schema = dict[str, Any]

PROBLEM_TYPE = "application/problem+json"
SHA256 = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
TIME = {"type": "string", "format": "date-time"}
UUID = {"type": "string", "format": "uuid"}
TEXT = {"type": "string"}
PERCENT = {"type": "number", "minimum": 0, "maximum": 100}
FRACTION = {"type": "number", "minimum": 0, "maximum": 1}


def nullable(schema: Schema) -> Schema:
    """Return a schema that also allows null."""
    return {**schema, "nullable": True}


def closed(properties: Schema) -> Schema:
    """Return an object that has exactly these members, all of them always."""
    return {
        "type": "object",
        "properties": properties,
        "required": sorted(properties),
        "additionalProperties": False,
    }


def reference(name: str) -> Schema:
    """Return a reference to a component."""
    return {"$ref": f"#/components/schemas/{name}"}


COMPARISON = closed(
    {
        "confidence": nullable(PERCENT),
        "thresholds": nullable(closed({rate: nullable(PERCENT) for rate in THRESHOLD_NAMES})),
    }
)
TAGS = nullable({"type": "object", "additionalProperties": True})
POLICY = {
    **closed(
        {
            "version": {"type": "integer", "minimum": 1},
            "verdict": {"type": "string", "enum": [each.value for each in Verdict]},
            "reasons": {
                "type": "array",
                "items": {"type": "string", "enum": [each.value for each in Reason]},
            },
        }
    ),
    "description": "How the review policy judged it; null before it did.",
}
REVIEW = {
    **closed(
        {
            "state": {"type": "string", "enum": ReviewState.values},
            "due_at": TIME,
            "decided_at": nullable(TIME),
            "reason_code": nullable({**TEXT, "description": "Of the decision: the policy's."}),
        }
    ),
    "description": "Where people are with it; null if they need not look.",
}
ATTEMPT = closed(
    {
        "id": UUID,
        "state": {"type": "string", "enum": [each.value for each in State]},
        "outcome": nullable({"type": "string", "enum": [*[o.value for o in Outcome], None]}),
        "decision": nullable(
            {
                "type": "string",
                "enum": [*[each.value for each in Decision], None],
                "description": "What holds now; null before, and as long as people must decide.",
            }
        ),
        "policy": nullable(POLICY),
        "client": TEXT,
        "region": TEXT,
        "biz_no": nullable(TEXT),
        "subject": nullable(TEXT),
        "request_id": nullable({**TEXT, "description": "The vendor's serial number."}),
        "result_code": nullable({"type": "integer"}),
        "result_message": nullable(TEXT),
        "error": nullable(closed({"code": nullable(TEXT), "argument": nullable(TEXT)})),
        "billable": nullable({"type": "boolean"}),
        "time_used_ms": nullable({"type": "integer", "minimum": 0}),
        "attack": nullable(
            closed(
                {
                    "score": nullable(FRACTION),
                    "threshold": nullable(FRACTION),
                    "is_attack": nullable({"type": "boolean"}),
                }
            )
        ),
        "comparisons": nullable(
            {
                "type": "object",
                "properties": dict.fromkeys(COMPARISON_NAMES, COMPARISON),
                "additionalProperties": False,
            }
        ),
        "risk": nullable(
            closed({"device_level": nullable(TEXT), "device_tags": TAGS, "verify_tags": TAGS})
        ),
        "visual_attributes": TAGS,
        "evidence": {
            "type": "array",
            "items": closed(
                {
                    "kind": TEXT,
                    "size_bytes": {"type": "integer", "minimum": 0},
                    "sha256": SHA256,
                    "erased_at": nullable(TIME),
                }
            ),
        },
        "packet": closed({"sha256": SHA256, "size_bytes": {"type": "integer", "minimum": 1}}),
        "review": nullable(REVIEW),
        "ledger": nullable(
            {
                **closed({"leaf_hash": SHA256, "index": {"type": "integer", "minimum": 0}}),
                "description": "The newest entry about it in the log; null while it is staged.",
            }
        ),
        "created_at": TIME,
        "settled_at": nullable(TIME),
    }
)
SESSION = closed(
    {
        "id": UUID,
        "biz_token": {**TEXT, "description": "A credential, single-use; it is shown only here."},
        "biz_no": nullable(TEXT),
        "subject": nullable(TEXT),
        "liveness_type": TEXT,
        "request_id": nullable(TEXT),
        "created_at": TIME,
        "expires_at": TIME,
    }
)
PAGE = closed(
    {
        "results": {"type": "array", "items": reference("Attempt")},
        "next_cursor": nullable({**TEXT, "description": "Null on the last page."}),
    }
)
PROBLEM: Schema = {
    "type": "object",
    "properties": {
        "type": TEXT,
        "title": TEXT,
        "status": {"type": "integer"},
        "detail": TEXT,
        "code": {"type": "string", "enum": sorted(KINDS)},
        "request_id": UUID,
        "field": {**TEXT, "description": "The field of the form it is about."},
        "parameter": {**TEXT, "description": "The query parameter it is about."},
        "attempt_id": {**UUID, "description": "The attempt that it is about."},
        "error": closed({"code": nullable(TEXT), "argument": nullable(TEXT)}),
    },
    "required": ["type", "title", "status", "detail", "code", "request_id"],
    "additionalProperties": False,
}
NUMBER: Schema = {"type": "integer", "minimum": 0, "maximum": MAX_NUMBER}
BASE64: Schema = {"type": "string", "pattern": "^[A-Za-z0-9+/]{43}=$"}
ENTRIES = closed(
    {
        "size": {**NUMBER, "description": "How many entries the log has."},
        "entries": {
            "type": "array",
            "maxItems": MAX_ENTRIES,
            "items": closed(
                {
                    "index": NUMBER,
                    "leaf_hash": SHA256,
                    "raw": {**TEXT, "description": "The canonical text, byte for byte."},
                }
            ),
        },
        "next": nullable({**TEXT, "description": "Where the range goes on; null at its end."}),
    }
)
CONSISTENCY = closed(
    {
        "old": NUMBER,
        "new": NUMBER,
        "proof": {"type": "array", "items": {**BASE64, "description": "A hash, RFC 6962."}},
    }
)
PROOF = closed(
    {
        "format": TEXT,
        "checkpoint": {**TEXT, "description": "The newest checkpoint, a signed note."},
        "attempts": {
            "type": "array",
            "items": closed(
                {
                    "id": UUID,
                    "key": nullable({**SHA256, "description": "Opens the commitments."}),
                    "entries": {
                        "type": "array",
                        "items": closed(
                            {
                                "index": NUMBER,
                                "raw": TEXT,
                                "proof": {"type": "array", "items": BASE64},
                                "values": {"type": "object", "additionalProperties": TEXT},
                            }
                        ),
                    },
                }
            ),
        },
        "consistency": nullable({"type": "object", "description": "Null in this answer."}),
    }
)
COUNT = {"type": "integer", "minimum": 0}
EXPORT = closed(
    {
        "id": UUID,
        "state": {"type": "string", "enum": JobState.values},
        "problem": nullable({"type": "string"}),
        "layout": {"type": "string", "enum": [*(each.value for each in Layout), BUNDLE]},
        "gzip": {"type": "boolean"},
        "as_of": nullable(COUNT),
        "created_at": TIME,
        "done": COUNT,
        "total": nullable(COUNT),
        "rows": nullable(COUNT),
        "size_bytes": nullable(COUNT),
        "sha256": nullable(SHA256),
        "finished_at": nullable(TIME),
        "expires_at": nullable(TIME),
        "file": nullable(TEXT),
    }
)
EXPORTS = closed({"results": {"type": "array", "items": reference("Export")}})
COMPONENTS = {
    "Attempt": ATTEMPT,
    "AttemptPage": PAGE,
    "Consistency": CONSISTENCY,
    "Export": EXPORT,
    "ExportList": EXPORTS,
    "LedgerEntries": ENTRIES,
    "Problem": PROBLEM,
    "Proof": PROOF,
    "Session": SESSION,
}


def _problems(*statuses: int) -> dict[Any, Schema]:
    return {(status, PROBLEM_TYPE): reference("Problem") for status in statuses}


def _form(properties: Schema, required: list[str]) -> Schema:
    body = {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }
    return {"multipart/form-data": body}


def _parameter_schema(parameter: Parameter) -> Schema:
    if parameter.kind == "file":
        return {"type": "string", "format": "binary", "minLength": 1}
    if parameter.kind == "integer":
        return {"type": "integer", "minimum": parameter.low, "maximum": parameter.high}
    if parameter.choices:
        return {"type": "string", "enum": list(parameter.choices)}
    return {
        "type": "string",
        "minLength": int(parameter.required),
        "maxLength": parameter.max_bytes or 128,
    }


def _query(name: str, schema: Schema, description: str) -> OpenApiParameter:
    return OpenApiParameter(name, schema, OpenApiParameter.QUERY, description=description)


FILTERS = [
    _query(
        "state", {"type": "string", "enum": [s.value for s in State]}, "Where it is in its life."
    ),
    _query("outcome", {"type": "string", "enum": [o.value for o in Outcome]}, "Our reading."),
    _query("decision", {"type": "string", "enum": [d.value for d in Decision]}, "As it holds now."),
    _query("verdict", {"type": "string", "enum": [v.value for v in Verdict]}, "The policy's."),
    _query("review_state", {"type": "string", "enum": ReviewState.values}, "Where people are."),
    _query(
        "result_code",
        {"type": "integer", "minimum": -(2**31), "maximum": 2**31 - 1},
        "The vendor's code.",
    ),
    _query("biz_no", {**TEXT, "minLength": 1, "maxLength": 512}, "Exactly this."),
    _query("request_id", {**TEXT, "minLength": 1, "maxLength": 200}, "Exactly this."),
    _query("subject", {**TEXT, "minLength": 1, "maxLength": 128}, "Exactly this."),
    _query("created_from", TIME, "At or after."),
    _query("created_before", TIME, "Before."),
]
PAGING = [
    _query("cursor", {**TEXT, "minLength": 1}, "`next_cursor` of the page before."),
    _query(
        "page_size",
        {
            "type": "integer",
            "minimum": 1,
            "maximum": MAX_PAGE_SIZE,
            "default": DEFAULT_PAGE_SIZE,
        },
        "Attempts in a page.",
    ),
]
IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
    OpenApiParameter.HEADER,
    description="Optional: the biz_token alone makes repeating safe.",
)
LOCATION = OpenApiParameter(
    "Location", TEXT, OpenApiParameter.HEADER, response=[200, 201, 202], description="The attempt."
)
REPLAYED = OpenApiParameter(
    "Idempotent-Replayed",
    {"type": "string", "enum": ["true"]},
    OpenApiParameter.HEADER,
    response=[200, 202],
    description="Nothing was sent now.",
)
BODY_PROBLEMS = _problems(400, 401, 403, 405, 408, 411, 413, 415, 422, 500, 503)
READ_PROBLEMS = _problems(400, 401, 403, 405, 500, 503)

SUBMIT_ATTEMPT: Schema = {
    "operation_id": "submit_attempt",
    "request": _form(
        {
            "biz_token": {**TEXT, "minLength": 1, "maxLength": 512},
            "meglive_data": {
                "type": "string",
                "format": "binary",
                "minLength": 1,
                "description": "The bytes of the MegLiveStill SDK, unchanged.",
            },
        },
        ["biz_token", "meglive_data"],
    ),
    "parameters": [IDEMPOTENCY_KEY, LOCATION, REPLAYED],
    "responses": {
        (201, "application/json"): reference("Attempt"),
        (200, "application/json"): reference("Attempt"),
        (202, "application/json"): reference("Attempt"),
        **BODY_PROBLEMS,
        **_problems(409),
    },
}
LIST_ATTEMPTS: Schema = {
    "operation_id": "list_attempts",
    "parameters": [*FILTERS, *PAGING],
    "responses": {(200, "application/json"): reference("AttemptPage"), **READ_PROBLEMS},
}
READ_ATTEMPT: Schema = {
    "operation_id": "read_attempt",
    "responses": {
        (200, "application/json"): reference("Attempt"),
        **READ_PROBLEMS,
        **_problems(404),
    },
}
PROVE_ATTEMPT: Schema = {
    "operation_id": "prove_attempt",
    "responses": {
        (200, "application/json"): reference("Proof"),
        **READ_PROBLEMS,
        **_problems(404, 409),
    },
}
EXPORT_ATTEMPTS: Schema = {
    "operation_id": "export_attempts",
    "parameters": [
        *FILTERS,
        _query("as_of", TEXT, "What held when the log had this size, a checkpoint's; or `latest`."),
        _query("columns", TEXT, "Names of columns, with commas between; without it all."),
        _query("layout", {**TEXT, "enum": list(STREAMED)}, "`csv` without it."),
        OpenApiParameter(
            "Verification-As-Of",
            NUMBER,
            OpenApiParameter.HEADER,
            response=[200],
            description="The size of the log as of which the file is, if `as_of` was given.",
        ),
        OpenApiParameter(
            "Verification-Export",
            UUID,
            OpenApiParameter.HEADER,
            response=[200],
            description="The export's id: its entry in the log names it.",
        ),
        OpenApiParameter(
            "Verification-Checkpoint",
            {**TEXT, "format": "byte"},
            OpenApiParameter.HEADER,
            response=[200],
            description="The newest checkpoint, a signed note; absent while the log has none.",
        ),
    ],
    "responses": {
        (200, "text/csv"): OpenApiTypes.STR,
        (200, "application/jsonl"): OpenApiTypes.STR,
        **READ_PROBLEMS,
    },
}
JOB_FILTERS = [each for each in FILTERS if each.name in EXPORT_READERS]
EXPORT_HEADERS = [
    OpenApiParameter(name, kind, OpenApiParameter.HEADER, response=[200], description=description)
    for name, kind, description in (
        ("Verification-Export", UUID, "The export's id."),
        ("Verification-SHA256", TEXT, "The digest of the file."),
    )
]
START_EXPORT: Schema = {
    "operation_id": "start_export",
    "request": None,
    "parameters": [
        *JOB_FILTERS,
        _query("columns", TEXT, "Names of columns, with commas between; without it all."),
        _query(
            "layout",
            {**TEXT, "enum": [*(each.value for each in Layout), BUNDLE]},
            "`csv` without it; `bundle` proves itself.",
        ),
        _query("gzip", {**TEXT, "enum": ["true", "false"]}, "`false` without it."),
        OpenApiParameter(
            "Location", TEXT, OpenApiParameter.HEADER, response=[202], description="The export."
        ),
    ],
    "responses": {202: reference("Export"), **READ_PROBLEMS, **_problems(429)},
}
LIST_EXPORTS: Schema = {
    "operation_id": "list_exports",
    "responses": {200: reference("ExportList"), **READ_PROBLEMS},
}
READ_EXPORT: Schema = {
    "operation_id": "read_export",
    "responses": {200: reference("Export"), **READ_PROBLEMS, **_problems(404)},
}
CANCEL_EXPORT: Schema = {
    "operation_id": "cancel_export",
    "responses": {200: reference("Export"), **READ_PROBLEMS, **_problems(404, 409)},
}
READ_EXPORT_FILE: Schema = {
    "operation_id": "read_export_file",
    "parameters": EXPORT_HEADERS,
    "responses": {
        (200, "text/csv"): OpenApiTypes.STR,
        (200, "application/jsonl"): OpenApiTypes.STR,
        (200, "application/gzip"): OpenApiTypes.BINARY,
        (200, "application/zip"): OpenApiTypes.BINARY,
        (200, "application/vnd.apache.parquet"): OpenApiTypes.BINARY,
        **READ_PROBLEMS,
        **_problems(404, 409),
    },
}
READ_CHECKPOINT: Schema = {
    "operation_id": "read_checkpoint",
    "parameters": [_query("size", NUMBER, "The one of this size; without it the newest.")],
    "responses": {
        (200, "text/plain"): OpenApiTypes.STR,
        304: OpenApiResponse(description="It is still the one of `If-None-Match`."),
        **READ_PROBLEMS,
        **_problems(404),
    },
}
LIST_ENTRIES: Schema = {
    "operation_id": "list_entries",
    "parameters": [
        _query("start", {**NUMBER, "default": 0}, "The first index."),
        _query("end", NUMBER, "The index after the last; without it the log's size."),
    ],
    "responses": {(200, "application/json"): reference("LedgerEntries"), **READ_PROBLEMS},
}
PROVE_CONSISTENCY: Schema = {
    "operation_id": "prove_consistency",
    "parameters": [
        OpenApiParameter(
            "old", NUMBER, OpenApiParameter.QUERY, required=True, description="The earlier size."
        ),
        _query("new", NUMBER, "The later size; without it that of the newest checkpoint."),
    ],
    "responses": {
        (200, "application/json"): reference("Consistency"),
        **READ_PROBLEMS,
        **_problems(404),
    },
}
OPEN_SESSION: Schema = {
    "operation_id": "open_session",
    "request": _form(
        {each.name: _parameter_schema(each) for each in PARAMETERS},
        [each.name for each in PARAMETERS if each.required],
    ),
    "responses": {
        (201, "application/json"): reference("Session"),
        **BODY_PROBLEMS,
        **_problems(504),
    },
}
