"""One decision on many reviews: what the form asks for, and what comes of it for each."""

from dataclasses import dataclass
from typing import Any, TypedDict
from uuid import UUID

from django.http import QueryDict
from django.utils.html import format_html
from django.utils.translation import gettext as _

from verification.admin.attempts import attempt_address
from verification.admin.fragments import text
from verification.admin.refusals import sentence_of
from verification.admin.review_acts import read_decision
from verification.admin.review_desk import NO_NUMBER
from verification.admin.review_fragments import decided_pill
from verification.admin.review_panel import code_label
from verification.models.review import ReviewState
from verification.policy.terms import Decision
from verification.services.errors import BadReasonError
from verification.services.review_bulk import MOST, Bulk, BulkItem


class Chosen(TypedDict):
    """What both services of a bulk decision take."""

    attempt_ids: list[UUID]
    decision: Decision
    reason_code: str


@dataclass(frozen=True, slots=True)
class Asked:
    """A bulk decision as it was asked for."""

    chosen: Chosen
    note: str
    seen: dict[UUID, str]


def read_bulk(form: QueryDict) -> Asked:
    """Read the form. Raises BadReasonError or BadDecisionError."""
    try:
        ids = [UUID(each) for each in form.getlist("attempt")]
    except ValueError:
        raise BadReasonError(_("Choose reviews from the list.")) from None
    if not 1 <= len(ids) <= MOST:
        raise BadReasonError(_("Tick 1 to %(most)d reviews.") % {"most": MOST})
    decision, code = read_decision(form)
    chosen: Chosen = {"attempt_ids": ids, "decision": decision, "reason_code": code}
    return Asked(chosen, form.get("note", ""), _seen(ids, form.getlist("seen")))


def _seen(ids: list[UUID], given: list[str]) -> dict[UUID, str]:
    """Return how each stood in the preview; what names none of them is left out."""
    said = dict(each.split(" ", 1) for each in given if " " in each)
    return {each: said[str(each)] for each in ids if str(each) in said}


def bulk_context(bulk: Bulk, asked: Asked) -> dict[str, Any]:
    """Return the context of `review_bulk.html`."""
    return {
        "items": [_item(each) for each in bulk.items],
        "counts": {"decided": bulk.decided, "proposed": bulk.proposed, "refused": bulk.refused},
        "can_go_on": bulk.decided + bulk.proposed > 0,
        "decision": decided_pill(asked.chosen["decision"]),
        "reason": code_label(asked.chosen["reason_code"]),
        "asked": asked,
    }


def _item(item: BulkItem) -> dict[str, Any]:
    return {
        "id": item.attempt_id,
        "seen": item.seen,
        "address": attempt_address(item.attempt_id),
        "biz_no": text(item.biz_no, absent=format_html("{}", NO_NUMBER)),
        "is_proposed": item.becomes == ReviewState.PROPOSED,
        "refused": sentence_of(item.refused) if item.refused else None,
    }
