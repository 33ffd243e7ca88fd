"""Attempts in the admin: the list, and one attempt laid out for a reader."""

from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from verification.admin import facts
from verification.admin.disclosure import disclosure
from verification.admin.filters import AttemptFilterForm
from verification.admin.fragments import (
    brief_moment,
    code,
    figure,
    moment,
    number_as_heading,
    number_or_none,
    plain,
    text,
)
from verification.admin.listing import list_rows, way_back
from verification.admin.pills import (
    decided_by,
    decision_pill,
    outcome_pill,
    risk_pills,
    state_pill,
)
from verification.admin.readonly import ReadOnlyAdmin
from verification.admin.record_check import check_context
from verification.admin.review_panel import Trouble, review_context
from verification.admin.review_related import related_groups
from verification.admin.review_story import story_of
from verification.admin.scores import Comparison, attack_scale, comparisons_of
from verification.admin.verdict import verdict_of
from verification.models import VerificationAttempt
from verification.selectors.record import (
    attempts_for_list,
    client_names,
    find_attempt,
)
from verification.selectors.reviews import steps_of
from verification.services.errors import UnknownAttemptError
from verification.services.record_proof import prove_record
from verification.services.runtime import get_runtime


@dataclass(frozen=True, slots=True)
class AttemptRow:
    """One attempt as a list shows it."""

    address: str
    when: SafeString
    biz_no: SafeString
    subject: SafeString | None
    client: SafeString
    outcome: SafeString | None
    reason: SafeString | None
    risks: list[SafeString]
    comparison: Comparison | None
    confidence: SafeString | None
    decision: SafeString | None
    decided_by: str | None
    state: SafeString


def attempt_address(attempt_id: UUID) -> str:
    """Return the path of an attempt's page."""
    return reverse("admin:verification_verificationattempt_change", args=[attempt_id])


def attempts_address(**filters: str) -> str:
    """Return the path of the list, narrowed."""
    return f"{reverse('admin:verification_verificationattempt_changelist')}?{urlencode(filters)}"


def attempt_rows(attempts: Iterable[VerificationAttempt]) -> list[AttemptRow]:
    """Return the rows of a list."""
    return [_row(each) for each in attempts]


def _row(attempt: VerificationAttempt) -> AttemptRow:
    reason = attempt.result_message or attempt.error_code
    compared = next((c for c in comparisons_of(attempt) if c.confidence is not None), None)
    return AttemptRow(
        address=attempt_address(attempt.pk),
        when=brief_moment(attempt.created_at),
        biz_no=number_or_none(attempt.biz_no),
        subject=text(attempt.subject) if attempt.subject else None,
        client=text(attempt.client.name),
        outcome=outcome_pill(attempt),
        reason=text(reason) if reason else None,
        risks=risk_pills(attempt),
        comparison=compared,
        confidence=figure(compared.confidence) if compared else None,
        decision=decision_pill(attempt),
        decided_by=decided_by(attempt),
        state=state_pill(attempt),
    )


@admin.register(VerificationAttempt)
class AttemptAdmin(ReadOnlyAdmin[VerificationAttempt]):
    """Attempts, newest first."""

    def get_urls(self) -> list[URLPattern]:
        """Add the check of one record against the log."""
        check = path(
            "<uuid:record_id>/verify/",
            self.admin_site.admin_view(self.verify_view),
            name="verification_verificationattempt_verify",
        )
        return [check, *super().get_urls()]

    def list_page(self, request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
        """Return the list that the address asks for."""
        names = [(str(each), plain(name)) for each, name in client_names()]
        form = AttemptFilterForm(request.GET, names)
        if elsewhere := way_back(request, form):
            return elsewhere
        listing = list_rows(
            request, form, lambda: attempts_for_list(form.which(timezone.localdate()))
        )
        return self.page(
            request,
            "attempt_list",
            _("Attempts"),
            status=200 if form.is_valid() else 400,
            form=form,
            listing=listing,
            rows=attempt_rows(listing.page.rows),
            **context,
        )

    def record_page(self, request: HttpRequest, record_id: UUID) -> HttpResponse:
        """Return one attempt."""
        return self._show(request, record_id, None, HTTPStatus.OK)

    def troubled(
        self, request: HttpRequest, record_id: UUID, trouble: Trouble, status: HTTPStatus
    ) -> HttpResponse:
        """Return one attempt's page, saying why something was not done with its review."""
        self._check(request)
        return self._show(request, record_id, trouble, status)

    def _show(
        self, request: HttpRequest, record_id: UUID, trouble: Trouble | None, status: HTTPStatus
    ) -> HttpResponse:
        attempt = self.found(find_attempt(record_id))
        # Who may not see reviews, such as a role of another site, reads the attempt alone.
        sees = request.user.has_perm("verification.view_review")
        steps = list(steps_of(record_id)) if sees else []
        context = {
            **_record(attempt),
            **disclosure(attempt, request.user),
            **(review_context(attempt, steps, request.user, trouble) if sees else {}),
            "story": story_of(attempt, steps),
        }
        return self.page(request, "attempt", plain(str(attempt)), status=status, **context)

    def verify_view(self, request: HttpRequest, record_id: UUID) -> HttpResponse:
        """Check one record against the log: by POST, because it reads all of its evidence."""
        self._check(request)
        if request.method != "POST":
            return HttpResponseRedirect(attempt_address(record_id))
        try:
            proof = prove_record(attempt_id=record_id, runtime=get_runtime())
        except UnknownAttemptError as error:
            raise Http404(str(error)) from error
        attempt = find_attempt(record_id)
        biz_no = attempt.biz_no if attempt else str(record_id)
        return self.page(
            request,
            "record_check",
            _("Check of a record"),
            heading=number_as_heading(biz_no),
            attempt_id=code(str(record_id)),
            attempt_address=attempt_address(record_id) if attempt else None,
            **check_context(proof),
        )


def _record(attempt: VerificationAttempt) -> dict[str, Any]:
    return {
        "attempt": attempt,
        "heading": number_as_heading(attempt.biz_no),
        "created": moment(attempt.created_at),
        "client_name": text(attempt.client.name),
        "state": state_pill(attempt),
        "verdict": verdict_of(attempt),
        "risks": risk_pills(attempt),
        "comparisons": comparisons_of(attempt),
        "attack": attack_scale(attempt),
        "attack_score": figure(attempt.attack_score),
        "attack_threshold": figure(attempt.attack_threshold),
        "device_level": code(attempt.device_level),
        "device_tags": facts.device_tags(attempt),
        "verify_tags": facts.opaque_members(attempt.verify_tags),
        "attributes": facts.opaque_members(attempt.visual_attributes),
        "unknown": facts.opaque_members(attempt.unknown_fields),
        "request_facts": _left(attempt, facts.request_facts(attempt)),
        "answer_facts": _left(attempt, facts.answer_facts(attempt)),
        "evidence": facts.evidence_items(attempt),
        "erased": _erased(attempt),
        "texts_erased": _texts_erased(attempt),
        "related": [(label, attempt_rows(rows)) for label, rows in related_groups(attempt)],
        "of_subject": attempts_address(q=attempt.subject) if attempt.subject else None,
        "of_biz_no": attempts_address(q=attempt.biz_no) if attempt.biz_no else None,
    }


def _erased(attempt: VerificationAttempt) -> SafeString | None:
    key = getattr(attempt, "evidence_key", None)
    return moment(key.erased_at) if key and key.erased_at else None


def _left(attempt: VerificationAttempt, found: list[facts.Fact]) -> list[facts.Fact]:
    """Return the facts; of an erased record those that are there, because none was never given."""
    if attempt.commitment_key is not None:
        return found
    return [each for each in found if each.value not in {text(None), code(None)}]


def _texts_erased(attempt: VerificationAttempt) -> SafeString | None:
    record = getattr(attempt, "erased_record", None)
    return moment(record.erased_at) if record else None
