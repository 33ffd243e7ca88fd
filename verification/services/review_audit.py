"""Hold the review of an attempt against its steps, and each step against its entry."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from verification.ledger.canonical import Json, parse
from verification.ledger.errors import CanonicalError
from verification.lifecycle import State
from verification.models.review import StepKind
from verification.services.entries import REVIEW, review_entry
from verification.services.faults import FaultCode
from verification.services.record_streams import Dossier, EntryRow, Record, ReviewRow, StepRow

Found = tuple[FaultCode, str, EntryRow | None]
"""What does not hold, and the entry that says otherwise, if one does."""

DECIDING = frozenset({StepKind.DECIDED, StepKind.GLASS_BROKEN})


@dataclass(slots=True)
class _Folded:
    """Where the steps lead: the columns of the row that only steps change."""

    state: str = "open"
    round_no: int = 1
    assignee: str | None = None
    snoozed_until: str | None = None
    decision: str | None = None
    reason_code: str | None = None
    proposed_by: str | None = None
    proposed_at: str | None = None
    decided_by: str | None = None
    decided_at: str | None = None
    glass_broken: bool = False

    def take(self, step: StepRow) -> None:
        match step.kind:
            case StepKind.ASSIGNED:
                self.assignee = step.assignee
            case StepKind.SNOOZED:
                self.snoozed_until = step.until
            case StepKind.PROPOSED:
                self.state, self.decision, self.reason_code = (
                    "proposed", step.decision, step.reason_code,
                )  # fmt: skip
                self.proposed_by, self.proposed_at = step.by_id, step.at
            case StepKind.RETURNED:
                self._undecide()
            case StepKind.DECIDED | StepKind.GLASS_BROKEN:
                self.state, self.decision, self.reason_code = (
                    "decided", step.decision, step.reason_code,
                )  # fmt: skip
                self.decided_by, self.decided_at = step.by_id, step.at
                self.glass_broken = step.kind == StepKind.GLASS_BROKEN
            case StepKind.REOPENED:
                self._undecide()
                self.round_no, self.glass_broken, self.snoozed_until = step.round_no, False, None

    def _undecide(self) -> None:
        self.state, self.decision, self.reason_code = "open", None, None
        self.proposed_by = self.proposed_at = self.decided_by = self.decided_at = None


FOLDED = tuple(_Folded.__slots__)


def reviews_found(dossier: Dossier, record: Record) -> Iterator[Found]:
    """Yield what a review, its steps and its entries do not agree on."""
    yield from _entries(dossier, record)
    if not dossier.reviews:
        if record.verdict == "review":
            yield FaultCode.REVIEW, "the policy asked for a review, and there is none", None
        if dossier.steps:
            yield FaultCode.REVIEW, "there are steps of a review that is not there", None
        return
    review = dossier.reviews[0]
    yield from _opening(review, dossier.steps, record)
    yield from _fold(review, dossier.steps)
    yield from _four_eyes(review, dossier.steps, record)


def _entries(dossier: Dossier, record: Record) -> Iterator[Found]:
    """Write each step's entry again; it must be the stored one."""
    told = {
        str(_read(each).get("step")): each
        for each in dossier.entries
        if each.kind.startswith(REVIEW)
    }
    for row in dossier.steps:
        entry = told.pop(row.step, None)
        if entry is None:
            yield FaultCode.REVIEW, f"a step ({row.kind}) is in no entry", None
        elif not record.tells(_expected(row, record), entry.raw):
            yield FaultCode.REVIEW, f"a step ({row.kind}) is not what was written", entry
    for entry in told.values():
        yield FaultCode.REVIEW, "the row of a step is missing", entry


def _expected(row: StepRow, record: Record) -> bytes:
    return review_entry(
        key=record.fold_key,
        at=row.at,
        attempt=row.attempt,
        step=row.step,
        kind=row.kind,
        round_no=row.round_no,
        by=row.by,
        by_id=row.by_id,
        decision=row.decision,
        reason_code=row.reason_code,
        note=row.note,
        assignee=row.assignee,
        priority=row.priority,
        until=row.until,
    )


def _opening(review: ReviewRow, steps: list[StepRow], record: Record) -> Iterator[Found]:
    """Hold a review against what opened it: the policy's verdict, or a step."""
    by_hand = {each.at for each in steps if each.kind == StepKind.OPENED}
    opened = {record.settled_at, record.reconciled_at, *by_hand}
    if not (review.is_asked or by_hand or record.reconciled_at):
        yield FaultCode.REVIEW, "nothing asked for its review", None
    if review.opened_at not in opened:
        yield FaultCode.REVIEW, "its review was not opened then", None
    # A reconciliation has judged the attempt anew; the review keeps why it was opened.
    if not (review.has_reasons or record.reconciled_at):
        yield FaultCode.REVIEW, "its review has other reasons than its judgement", None
    was_judged_anew = record.reconciled_at not in {None, review.opened_at}
    is_ours = by_hand or was_judged_anew or StepKind.PRIORITISED in {each.kind for each in steps}
    if not (review.is_pressing or is_ours):
        yield FaultCode.REVIEW, "its review is not due when the policy says", None
    if review.client != record.client:
        yield FaultCode.REVIEW, "its review is said to be another client's", None


def _fold(review: ReviewRow, steps: Iterable[StepRow]) -> Iterator[Found]:
    folded = _Folded()
    priority = None
    for step in steps:
        folded.take(step)
        priority = step.priority if step.kind == StepKind.PRIORITISED else priority
    differing = [name for name in FOLDED if getattr(review, name) != getattr(folded, name)]
    if priority not in {None, review.priority}:
        differing.append("priority")
    if differing:
        names = ", ".join(sorted(differing))
        yield FaultCode.REVIEW, f"its review is not where the steps lead: {names}", None


def _four_eyes(review: ReviewRow, steps: Iterable[StepRow], record: Record) -> Iterator[Found]:
    """Say where one person did what two were due for, or was said to be enough."""
    kinds = {each.kind for each in steps}
    if not review.needs_second and (
        review.is_flagged or kinds & {StepKind.OPENED, StepKind.REOPENED, StepKind.PROPOSED}
    ):
        yield FaultCode.FOUR_EYES, "two people are due for its review, and the row says one", None
    proposer: str | None = None
    breaker: str | None = None
    for step in steps:
        if step.kind in {StepKind.RETURNED, StepKind.REOPENED}:
            proposer = None
        elif step.kind == StepKind.PROPOSED:
            proposer = step.by_id
        elif step.kind == StepKind.GLASS_BROKEN:
            breaker = step.by_id
        elif step.kind == StepKind.GLASS_REVIEWED and breaker in {None, step.by_id}:
            yield FaultCode.FOUR_EYES, "nobody else has looked at the broken glass", None
        elif step.kind == StepKind.DECIDED and proposer == step.by_id:
            yield FaultCode.FOUR_EYES, "one person proposed and decided", None
        elif step.kind == StepKind.DECIDED and proposer is None and _was_due(review, step, record):
            yield FaultCode.FOUR_EYES, "one person decided what two were due for", None


def _was_due(review: ReviewRow, step: StepRow, record: Record) -> bool:
    """Return whether two were due in the round of a step: the first one goes by the policy.

    What an answer that came later asks for was not due before it came.
    """
    came = record.reconciled_at if record.state == State.ANSWERED else None
    was_known = came is None or step.at >= came
    return (review.is_flagged and was_known) or step.round_no > 1


def _read(entry: EntryRow) -> dict[str, Json]:
    try:
        return parse(entry.raw)
    except CanonicalError:
        return {}
