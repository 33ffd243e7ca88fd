"""Hold the versions of the review policy against the entries about them.

Version 1 came with the installation: what it says is known from the entries that name the version
in force, and from the one that has retired it.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import psycopg

from verification.ledger.canonical import Json, parse
from verification.ledger.errors import CanonicalError
from verification.models.policy import (
    BUILT_IN_VERSION,
    POLICY_ACTIVATED,
    POLICY_PROPOSED,
    POLICY_REFUSED,
    POLICY_WITHDRAWN,
    PolicyState,
)
from verification.services.entries import POLICY
from verification.services.faults import Fault, FaultCode
from verification.services.record_streams import utc_sql

KINDS = (POLICY_PROPOSED, POLICY_ACTIVATED, POLICY_REFUSED, POLICY_WITHDRAWN, POLICY)


def _digest(column: str) -> str:
    text = f"pg_catalog.convert_to({column}, 'UTF8')"
    return f"pg_catalog.encode(pg_catalog.sha256({text}), 'hex')"


ROWS = f"""
    SELECT version, {_digest("document")}, {_digest("note")}, state,
        proposed_by_id::text, {utc_sql("proposed_at")},
        decided_by_id::text, {utc_sql("decided_at")}, {_digest("decision_note")},
        {utc_sql("retired_at")}
    FROM verification_review_policy ORDER BY version
"""  # noqa: S608 - our own columns
NAMES = (
    "sha256",
    "note_sha256",
    "state",
    "proposed_by",
    "proposed_at",
    "decided_by",
    "decided_at",
    "decision_note_sha256",
    "retired_at",
)
UNSAID_OF_FIRST = {"note_sha256", "proposed_by", "proposed_at", "decided_by", "decided_at"}
STATES = {
    POLICY_ACTIVATED: PolicyState.ACTIVE,
    POLICY_REFUSED: PolicyState.REFUSED,
    POLICY_WITHDRAWN: PolicyState.WITHDRAWN,
}

Facts = dict[str, Json]


def policy_faults(connection: psycopg.Connection[Any], entries: Iterable[bytes]) -> Iterator[Fault]:
    """Yield each version that is not as was recorded; `entries` are those of KINDS, in order."""
    said = _said(entries)
    for version, *values in connection.execute(ROWS):
        found = dict(zip(NAMES, values, strict=True))
        known = said.pop(version, None)
        if known is None and version != BUILT_IN_VERSION:
            yield _fault(version, "is in no entry")
            continue
        known = known or {"state": PolicyState.ACTIVE.value}
        names = [name for name in NAMES if name in known or not _is_unsaid(version, name, known)]
        if differing := sorted(name for name in names if found[name] != known.get(name)):
            yield _fault(version, f"differs from what was recorded: {', '.join(differing)}")
    for version in said:
        yield _fault(version, "was recorded, but is gone")


def _is_unsaid(version: int, name: str, known: Facts) -> bool:
    """Return whether nobody ever said this: of version 1 little, in a new log not even its text."""
    if version != BUILT_IN_VERSION:
        return False
    return name in UNSAID_OF_FIRST or (name == "sha256" and "sha256" not in known)


def _said(entries: Iterable[bytes]) -> dict[int, Facts]:
    """Fold the entries about each version; the first one that tells its text fixes it."""
    folded: dict[int, Facts] = {}
    for raw in entries:
        try:
            entry = parse(raw)
        except CanonicalError:
            continue
        kind = entry.get("kind")
        if kind == POLICY:
            _fold_in_force(folded, entry.get("policy"))
        elif kind in KINDS:
            _fold(folded, entry)
    return folded


def _fold_in_force(folded: dict[int, Facts], policy: Json) -> None:
    named = policy.get("review_policy") if isinstance(policy, dict) else None
    if isinstance(named, dict):
        _facts(folded, named).setdefault("state", PolicyState.ACTIVE.value)


def _fold(folded: dict[int, Facts], entry: Facts) -> None:
    facts = _facts(folded, entry)
    kind, by, at = entry.get("kind"), entry.get("by_id"), entry.get("at")
    if kind == POLICY_PROPOSED:
        facts |= {"state": PolicyState.PROPOSED.value, "proposed_by": by, "proposed_at": at}
        facts["note_sha256"] = entry.get("note_sha256")
        return
    facts |= {"state": STATES[str(kind)].value, "decided_by": by, "decided_at": at}
    facts["decision_note_sha256"] = entry.get("note_sha256")
    retired = entry.get("retired")
    if isinstance(retired, dict):
        _facts(folded, retired).update(state=PolicyState.RETIRED.value, retired_at=at)


def _facts(folded: dict[int, Facts], named: Facts) -> Facts:
    """Return what is known of the version that is named, its text included.

    Two entries that tell different texts of one version give a text that no row has, and so does
    one that names no version.
    """
    version, sha256 = named.get("version"), named.get("sha256")
    if not isinstance(version, int):
        version = 0
    facts = folded.setdefault(version, {})
    if facts.setdefault("sha256", sha256) != sha256:
        facts["sha256"] = None
    return facts


def _fault(version: int, sentence: str) -> Fault:
    return Fault(FaultCode.REGISTER, f"policy version {version} {sentence}")
