"""Who has seen or erased what: the page for a subject, and the section of an attempt."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop

from verification.admin.fragments import brief_moment, code, number_or_none, pill, text
from verification.admin.readonly import ReadOnlyAdmin
from verification.models import Reveal
from verification.models.erasure import ERASED, ERASURE_REFUSED, ERASURE_REQUESTED, LegalBasis
from verification.models.reveal import REVEAL_REFUSED, REVEALED, Purpose
from verification.selectors.access import AccessEvent, access_events

WHY = MappingProxyType({**dict(Purpose.choices), **dict(LegalBasis.choices)})
LABELS: Mapping[str, tuple[str, str, str]] = MappingProxyType(
    {
        REVEALED: (gettext_noop("Revealed"), "busy", "lock"),
        REVEAL_REFUSED: (gettext_noop("Refused: over the limit"), "warn", "cross"),
        ERASURE_REQUESTED: (gettext_noop("Erasure requested"), "doubt", "clock"),
        ERASURE_REFUSED: (gettext_noop("Erasure refused"), "quiet", "dash"),
        ERASED: (gettext_noop("Erased"), "bad", "cross"),
    }
)
"""What each kind of event is called, with the tone and the symbol of its pill."""


@dataclass(frozen=True, slots=True)
class AccessRow:
    """One event as it is shown; `entry` is its entry's address, None until it is in the log."""

    when: SafeString
    what: SafeString
    who: SafeString
    why: str | None
    reason: SafeString | None
    item: SafeString | None
    attempt: str
    biz_no: SafeString
    index: int | None
    entry: str | None


class AccessForm(forms.Form):
    """Whose evidence, and of which attempt."""

    subject = forms.CharField(required=False, max_length=128, strip=False)
    attempt = forms.UUIDField(
        required=False,
        error_messages={"invalid": gettext_lazy("This is not the ID of an attempt.")},
    )


def access_rows(events: Iterable[AccessEvent]) -> list[AccessRow]:
    """Return the rows of events, newest first."""
    return [_row(each) for each in reversed(list(events))]


def access_address(subject: str) -> str:
    """Return the path of the page about a subject."""
    return f"{reverse('admin:verification_reveal_changelist')}?{urlencode({'subject': subject})}"


def _row(event: AccessEvent) -> AccessRow:
    label, tone, shape = LABELS[event.what]
    entry = None
    if event.index is not None:
        entry = reverse("admin:verification_ledgerentry_change", args=[event.index])
    return AccessRow(
        when=brief_moment(event.at),
        what=pill(_(label), tone=tone, shape=shape),
        who=text(event.who),
        why=str(WHY[event.purpose]) if event.purpose and event.purpose in WHY else None,
        reason=text(event.reason) if event.reason else None,
        item=code(event.item) if event.item else None,
        attempt=reverse("admin:verification_verificationattempt_change", args=[event.attempt_id]),
        biz_no=number_or_none(event.biz_no),
        index=event.index,
        entry=entry,
    )


@admin.register(Reveal)
class RevealAdmin(ReadOnlyAdmin[Reveal]):
    """Who has seen what, by subject or attempt."""

    def get_urls(self) -> list[URLPattern]:
        """Route the one page."""
        view = self.admin_site.admin_view(self.changelist_view)
        return [path("", view, name="verification_reveal_changelist")]

    def list_page(self, request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
        """Return the events of the subject, or of the attempt, that the address names."""
        form = AccessForm(request.GET)
        is_valid = form.is_valid()
        wanted = {name: value for name, value in form.cleaned_data.items() if value}
        given = {"subject": wanted.get("subject"), "attempt_id": wanted.get("attempt")}
        rows = access_rows(access_events(**given)) if is_valid else []
        return self.page(
            request,
            "access",
            _("Who has seen what"),
            status=200 if is_valid else 400,
            form=form,
            rows=rows,
            is_asked=bool(wanted),
            **context,
        )
