"""Sessions in the admin: the biz_tokens issued, and what became of them."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from verification.admin.attempts import attempt_rows
from verification.admin.facts import Fact, opaque_members
from verification.admin.filters import SessionFilterForm
from verification.admin.fragments import (
    brief_moment,
    code,
    figure,
    moment,
    number_as_heading,
    number_or_none,
    pill,
    plain,
    text,
)
from verification.admin.listing import list_rows, way_back
from verification.admin.pills import outcome_pill, state_pill
from verification.admin.readonly import ReadOnlyAdmin
from verification.models import VerificationSession
from verification.selectors.record import client_names, find_session, sessions_for_list


@dataclass(frozen=True, slots=True)
class SessionRow:
    """One session as the list shows it."""

    address: str
    when: SafeString
    biz_no: SafeString
    subject: SafeString | None
    client: SafeString
    liveness_type: SafeString
    region: SafeString
    use: SafeString


def _row(session: VerificationSession) -> SessionRow:
    return SessionRow(
        address=reverse("admin:verification_verificationsession_change", args=[session.pk]),
        when=brief_moment(session.created_at),
        biz_no=number_or_none(session.biz_no),
        subject=text(session.subject) if session.subject else None,
        client=text(session.client.name),
        liveness_type=code(session.liveness_type),
        region=code(session.region),
        use=_use(session),
    )


def _use(session: VerificationSession) -> SafeString:
    """Say what became of the token: the attempt made of it, or its time."""
    for attempt in session.attempts.all():
        return outcome_pill(attempt) or state_pill(attempt)
    if session.expires_at <= timezone.now():
        return pill(_("Expired unused"), tone="quiet", shape="dash")
    return pill(pgettext("a session", "Open"), tone="busy", shape="clock")


def _facts(session: VerificationSession) -> list[Fact]:
    return [
        Fact(_("Business number"), text(session.biz_no)),
        Fact(_("Subject"), text(session.subject)),
        Fact(_("Liveness type"), code(session.liveness_type)),
        Fact(_("Region"), code(session.region)),
        Fact(_("Opened"), moment(session.created_at)),
        Fact(_("Token valid until"), moment(session.expires_at)),
        Fact(_("Time used by FaceID"), figure(session.time_used_ms, _("ms"))),
        Fact(_("Request ID"), code(session.request_id)),
        Fact(_("Session ID"), code(str(session.pk))),
    ]


@admin.register(VerificationSession)
class SessionAdmin(ReadOnlyAdmin[VerificationSession]):
    """Sessions, newest first."""

    def list_page(self, request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
        """Return the list that the address asks for."""
        names = [(str(each), plain(name)) for each, name in client_names()]
        form = SessionFilterForm(request.GET, names)
        if elsewhere := way_back(request, form):
            return elsewhere
        listing = list_rows(
            request, form, lambda: sessions_for_list(form.which(timezone.localdate()))
        )
        return self.page(
            request,
            "session_list",
            _("Sessions"),
            status=200 if form.is_valid() else 400,
            form=form,
            listing=listing,
            rows=[_row(each) for each in listing.page.rows],
            **context,
        )

    def record_page(self, request: HttpRequest, record_id: UUID) -> HttpResponse:
        """Return one session."""
        session = self.found(find_session(record_id))
        return self.page(
            request,
            "session",
            plain(str(session)),
            session=session,
            heading=number_as_heading(session.biz_no),
            created=moment(session.created_at),
            client_name=text(session.client.name),
            use=_use(session),
            facts=_facts(session),
            options=opaque_members(session.options),
            rows=attempt_rows(session.attempts.all()),
        )
