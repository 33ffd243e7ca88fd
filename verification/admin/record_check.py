"""What a check of one record says, laid out for a reader."""

from dataclasses import dataclass
from typing import Any

from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from verification.admin.fragments import code, moment, text
from verification.admin.log_fragments import (
    checkpoint_address,
    entry_address,
    kind_label,
    kind_shown,
    short_hash,
    whole_hash,
)
from verification.admin.log_listing import entries_counted
from verification.admin.log_wording import FAULTS
from verification.admin.numbers import grouped
from verification.admin.proof_drawing import Ladder, draw_proof
from verification.ledger.keys import encode_base64
from verification.services.faults import Fault, FaultCode
from verification.services.record_proof import ProvedLeaf, RecordProof, Seal, Standing

MAX_DRAWN = 12

TITLES = {
    Standing.HOLDS: (gettext_noop("This record is as it was written"), "good", "check"),
    Standing.DIFFERS: (gettext_noop("This record does NOT match its entries"), "bad", "cross"),
    Standing.UNSEALED: (gettext_noop("Not sealed yet"), "busy", "clock"),
    Standing.ABSENT: (gettext_noop("This record is not in the log"), "bad", "question"),
}
UNTRUSTED = gettext_noop("The checkpoint that should seal this record does NOT hold")
SENTENCES = {
    Standing.HOLDS: gettext_noop(
        "Everything it holds was built into log entries again, and they are the stored ones. Each "
        "stands in the log, under the root that the signed checkpoint names."
    ),
    Standing.UNSEALED: gettext_noop(
        "What is stored matches its entries, but no signed checkpoint covers all of them yet. One "
        "is made about every half minute: check again in a minute. If this stays, tell an operator."
    ),
    Standing.ABSENT: gettext_noop(
        "No entry of the log tells of it, so nothing shows that it was never changed, or that "
        "it came through the service at all. Tell an operator: ledger_verify will name it too."
    ),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that does not hold, and the entry where it shows.

    `meaning` is for every reader, `sentence` what `ledger_verify` says, too.
    """

    code: SafeString
    meaning: str
    sentence: SafeString
    index: str | None
    address: str | None


@dataclass(frozen=True, slots=True)
class SealFacts:
    """The checkpoint that everything is held against."""

    address: str
    size: str
    entries: str
    root: SafeString
    root_short: SafeString
    log: SafeString
    witnesses: list[SafeString]
    made: SafeString


@dataclass(frozen=True, slots=True)
class LeafDrawing:
    """One entry and its way to the root; `ladder` is None where there is nothing to draw."""

    index: str
    address: str
    kind: SafeString
    label: str
    whole: SafeString
    steps: int
    broken: str | None
    ladder: Ladder | None


def check_context(proof: RecordProof) -> dict[str, Any]:
    """Return what the page of a check shows."""
    title, tone, icon = TITLES[proof.standing]
    if proof.faults and proof.faults[0].code == FaultCode.CHECKPOINT:
        title = UNTRUSTED
    return {
        "verdict_title": _(title),
        "verdict_tone": tone,
        "verdict_icon": icon,
        "sentence": _(SENTENCES[proof.standing]) if proof.standing in SENTENCES else None,
        "entries_stand": _stands(proof),
        "findings": [_finding(each) for each in proof.faults],
        "checked": moment(proof.checked_at),
        "seal": seal_facts(proof.seal) if proof.seal else None,
        "leaves": [
            draw_leaf(each, proof.seal, is_drawn=number < MAX_DRAWN)
            for number, each in enumerate(proof.leaves)
            if proof.seal
        ],
        "waiting": [kind_label(each) for each in proof.waiting],
    }


def seal_facts(seal: Seal) -> SealFacts:
    """Return the facts of a checkpoint that was verified."""
    checkpoint = seal.checkpoint
    return SealFacts(
        checkpoint_address(checkpoint.size),
        grouped(checkpoint.size),
        entries_counted(checkpoint.size),
        code(encode_base64(checkpoint.root)),
        short_hash(checkpoint.root),
        code(checkpoint.origin),
        [code(each) for each in seal.witnesses],
        moment(seal.made_at),
    )


def draw_leaf(leaf: ProvedLeaf, seal: Seal, *, is_drawn: bool = True) -> LeafDrawing:
    """Draw one entry's way to the root of a verified checkpoint."""
    ladder = draw_proof(
        index=leaf.index, size=seal.checkpoint.size, leaf=leaf.leaf, proof=leaf.proof
    )
    return LeafDrawing(
        grouped(leaf.index),
        entry_address(leaf.index),
        kind_shown(leaf.kind),
        kind_label(leaf.kind),
        whole_hash(leaf.leaf),
        len(leaf.proof),
        leaf.broken,
        ladder if is_drawn else None,
    )


def _stands(proof: RecordProof) -> bool:
    """Return whether every entry stands in the signed log, whatever became of the record."""
    is_whole = bool(proof.leaves) and not proof.waiting
    return is_whole and not any(each.broken for each in proof.leaves)


def _finding(fault: Fault) -> Finding:
    meaning = _(FAULTS[fault.code])
    sentence = text(fault.sentence[:1].upper() + fault.sentence[1:])
    if fault.index is None:
        return Finding(code(fault.code), meaning, sentence, None, None)
    return Finding(
        code(fault.code), meaning, sentence, grouped(fault.index), entry_address(fault.index)
    )
