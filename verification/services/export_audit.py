"""Hold exports that staff took, requests for them and files against the entries about them."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import psycopg

from verification.ledger.canonical import Json, parse
from verification.ledger.errors import CanonicalError
from verification.models.export import (
    EXPORT_APPROVED,
    EXPORT_COMPLETED,
    EXPORT_ENDED,
    EXPORT_REFUSED,
    EXPORT_REQUESTED,
    EXPORT_WITHDRAWN,
    ExportDecision,
)
from verification.models.fields import load_exact
from verification.services.entries import EXPORTED
from verification.services.export_entries import filters_text
from verification.services.faults import Fault, FaultCode
from verification.services.policy_entries import text_sha256
from verification.services.record_streams import utc_sql

DECISIONS = {
    EXPORT_APPROVED: ExportDecision.APPROVED.value,
    EXPORT_REFUSED: ExportDecision.REFUSED.value,
    EXPORT_WITHDRAWN: ExportDecision.WITHDRAWN.value,
}
KINDS = (EXPORTED, EXPORT_REQUESTED, *DECISIONS, EXPORT_ENDED, EXPORT_COMPLETED)

REQUESTS = f"""
    SELECT id::text, filters::text, rows, reason, requested_by_id::text,
        {utc_sql("requested_at")}, decision, decided_by_id::text, {utc_sql("decided_at")},
        {utc_sql("expires_at")}, form::text, purpose, repeats, place, ended_by_id::text,
        {utc_sql("ended_at")}
    FROM verification_export_request ORDER BY id
"""  # noqa: S608 - our own columns
NAMES = (
    "filters_sha256", "rows", "reason_sha256", "requested_by", "requested_at", "decision",
    "decided_by", "decided_at", "expires", "form", "purpose", "repeats", "place", "ended_by",
    "ended_at",
)  # fmt: skip
OPENLY = ("rows", "form", "purpose", "repeats", "place")
"""What a request's entry tells as it is; a request of before that knew no form has an empty one."""
EXPORTS = f"""
    SELECT id::text, {utc_sql("at")}, request_id::text, rows, is_large
    FROM verification_export ORDER BY id
"""  # noqa: S608 - our own columns
FILES = """
    SELECT id::text, rows, sha256, size_bytes FROM verification_export_job
    WHERE state IN ('done', 'expired') ORDER BY id
"""

Facts = dict[str, Json]


def export_faults(connection: psycopg.Connection[Any], entries: Iterable[bytes]) -> Iterator[Fault]:
    """Yield what does not hold; `entries` are those of KINDS, in order."""
    requests: dict[str, Facts] = {}
    exports: dict[str, Mapping[str, Json]] = {}
    completed: dict[str, tuple[Json, ...]] = {}
    for raw in entries:
        try:
            entry = parse(raw)
        except CanonicalError:
            continue
        kind = entry.get("kind")
        if kind == EXPORTED and entry.get("interface") == "admin":
            exports[str(entry.get("export"))] = entry
        elif kind == EXPORT_COMPLETED:
            said = tuple(entry.get(each) for each in ("rows", "sha256", "size_bytes"))
            completed[str(entry.get("export"))] = said
        elif kind in KINDS and kind != EXPORTED:
            _fold(requests, str(kind), entry)
    yield from _requests(connection, requests)
    yield from _exports(connection, exports)
    for id_, *found in connection.execute(FILES):
        if completed.get(id_) != tuple(found):
            yield _fault(f"the file of export {id_} differs from what was recorded")


def _fold(requests: dict[str, Facts], kind: str, entry: Mapping[str, Json]) -> None:
    facts = requests.setdefault(str(entry.get("request")), {})
    by, at = entry.get("by_id"), entry.get("at")
    if kind == EXPORT_REQUESTED:
        facts |= {name: entry.get(name) for name in ("filters_sha256", "reason_sha256", *OPENLY)}
        facts |= {"requested_by": by, "requested_at": at, "form": entry.get("form", {})}
    elif kind == EXPORT_ENDED:
        facts |= {"ended_by": by, "ended_at": at}
    else:
        facts |= {"decision": DECISIONS[kind], "decided_by": by, "decided_at": at}
        facts["expires"] = entry.get("expires")


def _requests(connection: psycopg.Connection[Any], said: dict[str, Facts]) -> Iterator[Fault]:
    for id_, filters, rows, reason, *rest in connection.execute(REQUESTS):
        texts = filters_text(load_exact(filters)), reason
        digests = [text_sha256(each) for each in texts]
        found = dict(zip(NAMES, (digests[0], rows, digests[1], *rest), strict=True))
        found["form"] = load_exact(str(found["form"]))
        known = said.pop(id_, None)
        if known is None:
            yield _fault(f"request for an export {id_} is in no entry")
        elif differing := sorted(name for name in NAMES if found[name] != known.get(name)):
            what = ", ".join(differing)
            yield _fault(f"request for an export {id_} differs from what was recorded: {what}")
        if found["decision"] != ExportDecision.WITHDRAWN and (
            found["decided_by"] is not None and found["decided_by"] == found["requested_by"]
        ):
            sentence = f"one person asked for and agreed to the export {id_}"
            yield Fault(FaultCode.FOUR_EYES, sentence)
    for id_ in said:
        yield _fault(f"request for an export {id_} was recorded, but is gone")


def _exports(
    connection: psycopg.Connection[Any], said: dict[str, Mapping[str, Json]]
) -> Iterator[Fault]:
    for id_, at, request, rows, is_large in connection.execute(EXPORTS):
        entry = said.pop(id_, None)
        if entry is None:
            yield _fault(f"export {id_} is in no entry")
            continue
        known = entry.get("at"), entry.get("request"), entry.get("rows")
        if known != (at, request, rows) or is_large != bool(request):
            yield _fault(f"export {id_} differs from what was recorded")
    for id_ in said:
        yield _fault(f"export {id_} was recorded, but is gone")


def _fault(sentence: str) -> Fault:
    return Fault(FaultCode.REGISTER, sentence)
