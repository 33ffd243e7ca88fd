"""Rows and filter of the page of recent logins."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from django import forms
from django.contrib.auth import get_user_model
from django.http import QueryDict
from django.utils.functional import Promise
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from verification.admin.fragments import brief_moment, pill, text
from verification.admin.log_fragments import entry_address, kind_label
from verification.ledger.canonical import Json, parse
from verification.ledger.errors import CanonicalError
from verification.models import LedgerEntry
from verification.services.second_factor import Way
from verification.services.staff import (
    FACTOR_CHANGED,
    LOGGED_IN,
    LOGGED_OUT,
    LOGIN_REFUSED,
    LOGINS_REFUSED,
    PASSWORD_GIVEN,
    FactorChange,
    Step,
)

LONGEST_NAME = 150
Words = str | Promise

LABELS: Mapping[str, tuple[Words, str, str]] = MappingProxyType(
    {
        PASSWORD_GIVEN: (gettext_lazy("Password given"), "busy", "clock"),
        LOGGED_IN: (gettext_lazy("Logged in"), "good", "check"),
        LOGIN_REFUSED: (gettext_lazy("Refused"), "bad", "cross"),
        LOGINS_REFUSED: (gettext_lazy("Many refused"), "bad", "cross"),
        LOGGED_OUT: (gettext_lazy("Logged out"), "quiet", "dash"),
        FACTOR_CHANGED: (gettext_lazy("Second factor changed"), "warn", "lock"),
    }
)
"""What each kind is called, with the tone and the symbol of its pill."""

DETAILS: Mapping[str, Words] = MappingProxyType(
    {
        Step.PASSWORD.value: gettext_lazy("password"),
        Step.CODE.value: gettext_lazy("wrong code"),
        Step.LOCKED.value: gettext_lazy("too many tries"),
        Way.APP.value: gettext_lazy("password and app"),
        Way.RECOVERY_CODE.value: gettext_lazy("password and recovery code"),
        FactorChange.ENROLLED.value: gettext_lazy("set up"),
        FactorChange.CODES_RENEWED.value: gettext_lazy("new recovery codes"),
        FactorChange.RESET.value: gettext_lazy("reset"),
    }
)
"""What the members `step`, `proved_by` and `change` say."""


@dataclass(frozen=True, slots=True)
class LoginRow:
    """One entry as the page shows it; `whom` is whose factor was changed by another."""

    when: SafeString
    who: SafeString
    what: SafeString
    detail: SafeString | None
    whom: SafeString | None
    index: str
    address: str


class LoginsForm(forms.Form):
    """Whose logins; the name must be whole, so that nobody reads a list of names here."""

    q = forms.CharField(label=gettext_lazy("Person"), required=False, max_length=LONGEST_NAME)

    def __init__(self, data: QueryDict) -> None:
        super().__init__(data, auto_id="filter_%s", label_suffix="")

    @property
    def given(self) -> dict[str, str]:
        """The parameters that narrow the list, as they stand in the address."""
        return {"q": self.data["q"]} if self.data.get("q") else {}

    def clean_q(self) -> str | None:
        """Find the account of a name."""
        typed = self.cleaned_data["q"]
        if not typed:
            return None
        user = get_user_model()
        person = user.objects.filter(**{user.USERNAME_FIELD: typed}).first()
        if person is None:
            raise forms.ValidationError(_("No account has this name. Type all of it."))
        return str(person.pk)

    def person_id(self) -> str | None:
        """Return the id of the account, None for everybody; the form must be valid."""
        found: str | None = self.cleaned_data["q"]
        return found


def login_rows(entries: Iterable[LedgerEntry]) -> list[LoginRow]:
    """Return the rows of entries, in their order."""
    return [_row(each) for each in entries]


def _row(entry: LedgerEntry) -> LoginRow:
    said = _said(entry)
    label, tone, shape = LABELS.get(entry.kind, (kind_label(entry.kind), "plain", "dash"))
    of = said.get("of")
    return LoginRow(
        when=brief_moment(_at(said, entry)),
        who=_who(entry.kind, said),
        what=pill(str(label), tone=tone, shape=shape),
        detail=_detail(said),
        whom=text(str(of)) if of and of != said.get("by") else None,
        index=f"{entry.index:,}",
        address=entry_address(entry.index),
    )


def _said(entry: LedgerEntry) -> dict[str, Json]:
    """Read an entry; whoever owns the tables can have put there what is none."""
    try:
        return parse(bytes(entry.raw))
    except CanonicalError:
        return {}


def _at(said: dict[str, Json], entry: LedgerEntry) -> datetime:
    try:
        return datetime.fromisoformat(str(said.get("at")))
    except ValueError:
        return entry.sequenced_at


def _who(kind: str, said: dict[str, Json]) -> SafeString:
    if by := said.get("by"):
        return text(str(by))
    if kind == LOGIN_REFUSED:
        return text(_("a name that no account has"))
    return text(_("several"))


def _detail(said: dict[str, Json]) -> SafeString | None:
    if count := said.get("count"):
        return text(_("%(count)s in one minute") % {"count": count})
    words = said.get("step") or said.get("proved_by") or said.get("change")
    detail = str(DETAILS.get(str(words), "")) if words else ""
    reason = said.get("reason")
    if reason:
        return text(f"{detail}: {reason}")
    return text(detail) if detail else None
