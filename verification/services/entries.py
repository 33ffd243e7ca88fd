"""The entries of the log about attempts, built from what the record says. No effects.

docs/formats/events.md lists every kind. Services build an entry from what they are about to
store, the verification builds it again from what is stored, and the bytes must be the same: so
everything here takes texts as PostgreSQL gives them. They are written member by member, in
canonical order: a generic encoder would take five times as long, for every row there is.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from uuid import UUID

from django.utils.translation import gettext_noop as _

from verification.faceid.contract import COMPARISON_NAMES, THRESHOLD_NAMES
from verification.ledger.canonical import MAX_BYTES, Json, canonical, parse
from verification.ledger.commitment import Committer
from verification.ledger.errors import CanonicalError
from verification.models import erasure, reveal
from verification.models.attempt import VerificationAttempt, threshold_column
from verification.models.fields import jsonb_text, plain_text
from verification.services.errors import RecordErasedError

RESULT = (
    "http_status",
    "time_used_ms",
    "result_code",
    "result_message",
    "outcome",
    "billable",
    "error_code",
    "error_argument",
)
SCORES = (
    "attack_score",
    "attack_threshold",
    "is_attack",
    *(
        column
        for name in COMPARISON_NAMES
        for column in (
            f"{name}_confidence",
            *(threshold_column(name, rate) for rate in THRESHOLD_NAMES),
        )
    ),
)
RISK = ("device_level", "device_tags", "verify_tags", "visual_attributes", "unknown_fields")
JUDGEMENT = ("policy_version", "verdict", "reasons", "subject_failures", "biz_no_failures")
GROUPS: Mapping[str, tuple[str, ...]] = {
    "result": RESULT,
    "scores": SCORES,
    "risk": RISK,
    "judgement": JUDGEMENT,
}
"""Columns that are committed to together, as the text of one jsonb array in this order."""

ACCEPTED = "attempt.accepted"
SETTLED = "attempt.settled"
RECONCILED = "attempt.reconciled"
KEPT = "evidence.kept"
REVEALED = reveal.REVEALED
ERASED = erasure.ERASED
EXPORTED = "export.created"
ROTATED = "key.rotated"
POLICY = "policy.changed"
REVIEW = "review."
"""The kind of an entry about a review is this and the kind of its step."""

HEARTBEAT = "heartbeat"
REFUSED = "entry.refused"

KIND = re.compile(r"[a-z_.]{1,40}")

Texts = Mapping[str, str | None]
"""What is committed to, by the commitment's name; None where the record holds nothing."""


def key_of(attempt: VerificationAttempt) -> bytes:
    """Return the key of an attempt's commitments; RecordErasedError once its texts are erased."""
    if attempt.commitment_key is None:
        raise RecordErasedError(_("The texts of this record were erased. No more is recorded."))
    return bytes(attempt.commitment_key)


@dataclass(frozen=True, slots=True)
class KeptItem:
    """One item of evidence as an entry names it; `sha256` is the plaintext's, both in hex."""

    id: str
    kind: str
    size_bytes: int
    sha256: str
    sealed_sha256: str

    def listed(self) -> str:
        """Return what everyone may read of it, as canonical JSON."""
        return (
            f'{{"id":"{self.id}","kind":{plain_text(self.kind)},'
            f'"sealed_sha256":"{self.sealed_sha256}","size_bytes":{self.size_bytes}}}'
        )


@dataclass(frozen=True, slots=True)
class Added:
    """Evidence that comes with an entry, and the data key (hex) if it was made for it.

    Items stand in the order of their kinds, which are unique in an attempt.
    """

    items: Sequence[KeptItem] = ()
    data_key: str | None = field(default=None, repr=False)

    def texts(self) -> dict[str, str | None]:
        """Return what is committed to: which plaintext each item holds, under which key."""
        items = ", ".join(f'[{plain_text(each.kind)}, "{each.sha256}"]' for each in self.items)
        return {"evidence": f"[{items}]" if items else None, "evidence_key": self.data_key}

    def listed(self) -> str:
        """Return what everyone may read of the items, as canonical JSON."""
        return "[" + ",".join([each.listed() for each in self.items]) + "]"


NOTHING = Added()
Known = Mapping[str, str]
"""Commitments in hex by their names."""

NONE: Known = MappingProxyType({})


def utc_text(moment: datetime) -> str:
    """Return an aware time as entries have it: UTC, microseconds, a `Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def group_texts(columns: Mapping[str, object]) -> dict[str, str | None]:
    """Return the texts of the groups; a group of nothing but None is None."""
    return {
        group: group_text([columns.get(name) for name in names]) for group, names in GROUPS.items()
    }


def group_text(values: Iterable[object]) -> str | None:
    """Return one group's text."""
    listed = list(values)
    return jsonb_text(listed) if any(each is not None for each in listed) else None


def accepted_entry(
    *,
    key: bytes,
    at: str,
    attempt: str,
    client: str,
    region: str,
    session: str | None,
    packet_sha256: str,
    packet_size_bytes: int,
    texts: Texts,
) -> bytes:
    """Say that an attempt was accepted; `texts` has biz_no, subject, idempotency_key, token."""
    return _bounded(
        f'{{"at":"{at}","attempt":"{attempt}","client":"{client}",'
        f'"commitments":{_commitments(key, texts)},"kind":"{ACCEPTED}",'
        f'"packet":{{"sha256":"{packet_sha256}","size_bytes":{packet_size_bytes}}},'
        f'"region":{plain_text(region)},"session":{plain_text(session)}}}'
    )


def settled_entry(
    *,
    key: bytes,
    at: str,
    attempt: str,
    send_no: int,
    sent_at: str | None,
    state: str,
    texts: Texts,
    added: Added = NOTHING,
    known: Known = NONE,
) -> bytes:
    """Say what came of a send; `texts` has request_id and the groups.

    `known` are commitments to what cannot be told any more.
    """
    return _bounded(
        f'{{"at":"{at}","attempt":"{attempt}",'
        f'"commitments":{_commitments(key, {**texts, **added.texts()}, known)},'
        f'"evidence":{added.listed()},"kind":"{SETTLED}","send_no":{send_no},'
        f'"sent_at":{plain_text(sent_at)},"state":"{state}"}}'
    )


def reconciled_entry(
    *,
    key: bytes,
    at: str,
    attempt: str,
    state: str,
    texts: Texts,
    added: Added = NOTHING,
    known: Known = NONE,
) -> bytes:
    """Say how an attempt left doubt; `texts` as for a settlement, or the closing_reason."""
    return _bounded(
        f'{{"at":"{at}","attempt":"{attempt}",'
        f'"commitments":{_commitments(key, {**texts, **added.texts()}, known)},'
        f'"evidence":{added.listed()},"kind":"{RECONCILED}","state":"{state}"}}'
    )


def kept_entry(*, key: bytes, at: str, attempt: str, added: Added, known: Known = NONE) -> bytes:
    """Say that evidence was added to an attempt without a change of its state."""
    return _bounded(
        f'{{"at":"{at}","attempt":"{attempt}",'
        f'"commitments":{_commitments(key, added.texts(), known)},'
        f'"evidence":{added.listed()},"kind":"{KEPT}"}}'
    )


def review_entry(
    *,
    key: bytes,
    at: str,
    attempt: str,
    step: str,
    kind: str,
    round_no: int,
    by: str,
    by_id: str,
    decision: str | None,
    reason_code: str | None,
    note: str | None,
    assignee: str | None,
    priority: int | None,
    until: str | None,
) -> bytes:
    """Say what somebody did with a review; what they wrote is only committed to."""
    return canonical(
        {
            "assignee": assignee,
            "at": at,
            "attempt": attempt,
            "by": by,
            "by_id": by_id,
            "commitments": commitments(key, {"note": note}),
            "decision": decision,
            "kind": REVIEW + kind,
            "priority": priority,
            "reason_code": reason_code,
            "round": round_no,
            "step": step,
            "until": until,
        }
    )


def commitments(key: bytes, texts: Texts) -> dict[str, Json]:
    """Return the commitments to what is there, in hex."""
    committer = Committer(key)
    return {
        name: committer.commit(name, text.encode()).hex()
        for name, text in texts.items()
        if text is not None
    }


def _commitments(key: bytes, texts: Texts, known: Known = NONE) -> str:
    made = {**commitments(key, texts), **known}
    return "{" + ",".join([f'"{name}":"{made[name]}"' for name in sorted(made)]) + "}"


def _bounded(text: str) -> bytes:
    """Return the bytes of an entry; they are canonical, because every part is (and a test)."""
    try:
        raw = text.encode()
    except UnicodeEncodeError:
        raise CanonicalError("a text holds half of a surrogate pair") from None
    if len(raw) > MAX_BYTES:
        raise CanonicalError(f"an entry is longer than {MAX_BYTES} bytes")
    return raw


def read_labels(raw: bytes) -> tuple[str, UUID | None]:
    """Return the kind of an entry and the attempt it is about; CanonicalError or ValueError."""
    entry = parse(raw)
    kind, attempt = entry.get("kind"), entry.get("attempt")
    if not isinstance(kind, str) or not KIND.fullmatch(kind):
        raise CanonicalError("an entry has a kind")
    return kind, UUID(attempt) if isinstance(attempt, str) else None
