"""API clients in the admin: who may call us, with which keys."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from verification.admin.attempts import attempts_address
from verification.admin.fragments import brief_moment, code, moment, pill, plain, quiet, text
from verification.admin.listing import REFUSED
from verification.admin.readonly import ReadOnlyAdmin
from verification.models import ApiClient, ApiKey
from verification.models.client import Scope
from verification.selectors.record import clients_for_list, find_client


@dataclass(frozen=True, slots=True)
class ClientRow:
    """One client as the list shows it."""

    address: str
    name: SafeString
    standing: SafeString
    scopes: list[str]
    keys_in_force: int
    when: SafeString


@dataclass(frozen=True, slots=True)
class KeyRow:
    """One key: its public part, never its secret."""

    public_id: SafeString
    kind: str
    standing: SafeString
    created: SafeString
    expires: SafeString
    revoked: SafeString


def _row(client: ApiClient, now: datetime) -> ClientRow:
    return ClientRow(
        address=reverse("admin:verification_apiclient_change", args=[client.pk]),
        name=text(client.name),
        standing=_standing(client),
        scopes=_scopes(client),
        keys_in_force=sum(1 for key in client.keys.all() if _is_in_force(key, now)),
        when=brief_moment(client.created_at),
    )


def _key_rows(keys: Iterable[ApiKey], now: datetime) -> list[KeyRow]:
    never = quiet(_("never"))
    return [
        KeyRow(
            code(key.public_id),
            str(ApiKey.Kind(key.kind).label),
            _key_standing(key, now),
            brief_moment(key.created_at),
            brief_moment(key.expires_at) if key.expires_at else never,
            brief_moment(key.revoked_at) if key.revoked_at else never,
        )
        for key in keys
    ]


def _scopes(client: ApiClient) -> list[str]:
    return [str(Scope(each).label) for each in sorted(client.scopes)]


def _standing(client: ApiClient) -> SafeString:
    if client.is_active:
        return pill(_("Active"), tone="good", shape="check")
    return pill(_("Switched off"), tone="quiet", shape="dash")


def _key_standing(key: ApiKey, now: datetime) -> SafeString:
    if key.revoked_at:
        return pill(_("Revoked"), tone="warn", shape="cross")
    if not _is_in_force(key, now):
        return pill(_("Expired"), tone="quiet", shape="dash")
    return pill(pgettext("a key", "In force"), tone="good", shape="check")


def _is_in_force(key: ApiKey, now: datetime) -> bool:
    return key.revoked_at is None and (key.expires_at is None or key.expires_at > now)


@admin.register(ApiClient)
class ClientAdmin(ReadOnlyAdmin[ApiClient]):
    """Clients, by name."""

    def list_page(self, request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
        """Return every client; the list takes no parameters."""
        if set(request.GET) - {REFUSED}:
            return HttpResponseRedirect(f"{request.path}?{REFUSED}=1")
        now = timezone.now()
        rows = [_row(each, now) for each in clients_for_list()]
        return self.page(
            request,
            "client_list",
            _("API clients"),
            rows=rows,
            was_refused=REFUSED in request.GET,
            **context,
        )

    def record_page(self, request: HttpRequest, record_id: UUID) -> HttpResponse:
        """Return one client."""
        client = self.found(find_client(record_id))
        return self.page(
            request,
            "client",
            plain(client.name),
            client=client,
            heading=text(client.name),
            created=moment(client.created_at),
            standing=_standing(client),
            scopes=_scopes(client),
            keys=_key_rows(client.keys.all(), timezone.now()),
            identifier=code(str(client.pk)),
            attempts=attempts_address(client=str(client.pk)),
        )
