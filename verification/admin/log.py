"""The log in the admin: its entries and its checkpoints, to read and to hold against each other."""

from dataclasses import dataclass
from typing import Any, ClassVar

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from verification.admin.attempts import attempt_address
from verification.admin.fragments import brief_moment, code, moment, pill, text
from verification.admin.log_entry import entry_context
from verification.admin.log_fragments import (
    age,
    checkpoint_address,
    entry_address,
    kind_label,
    kind_shown,
)
from verification.admin.log_listing import (
    EntryFilterForm,
    LogListing,
    entries_counted,
    list_rows,
    way_back,
)
from verification.admin.numbers import grouped
from verification.admin.readonly import ReadOnlyAdmin
from verification.conf import Conf, get_conf
from verification.ledger.errors import LedgerError
from verification.ledger.keys import encode_base64
from verification.models import LedgerCheckpoint, LedgerEntry, LedgerVerification
from verification.selectors.ledger import last_checkpoint, log_size
from verification.selectors.log_pages import (
    checkpoints_for_list,
    entries_for_list,
    find_checkpoint,
    find_entry,
    kinds_in_log,
    size_before,
)
from verification.services.proving import signed_note
from verification.services.record_proof import Seal, open_seal

SHOWN_ROOT = 16


@dataclass(frozen=True, slots=True)
class EntryRow:
    """One entry as the list shows it."""

    index: str
    address: str
    kind: SafeString
    attempt: SafeString | None
    attempt_address: str | None
    when: SafeString
    seal: SafeString


@dataclass(frozen=True, slots=True)
class CheckpointRow:
    """One checkpoint as the list shows it; `added` counts the entries since the one before."""

    size: str
    address: str
    root: SafeString
    when: SafeString
    age: str
    added: str
    witnesses: list[SafeString]


@admin.register(LedgerEntry)
class EntryAdmin(ReadOnlyAdmin[LedgerEntry]):
    """Entries, newest first."""

    id_converter: ClassVar[str] = "int"

    def list_page(self, request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
        """Return the list that the address asks for."""
        form = EntryFilterForm(request.GET, kinds_in_log())
        if elsewhere := way_back(request, form.fields):
            return elsewhere
        found = entries_for_list(form.which()) if form.is_valid() else LedgerEntry.objects.none()
        listing = list_rows(request, found, form.given, entries_counted(log_size()))
        return self.page(
            request,
            "entry_list",
            _("Log entries"),
            status=200 if form.is_valid() else 400,
            form=form,
            listing=listing,
            rows=_entry_rows(listing),
            **context,
        )

    def record_page(self, request: HttpRequest, record_id: int) -> HttpResponse:
        """Return one entry."""
        entry = self.found(find_entry(record_id))
        title = _("Entry %(index)s: %(kind)s") % {
            "index": grouped(entry.index),
            "kind": kind_label(entry.kind),
        }
        return self.page(request, "entry", title, **entry_context(entry, get_conf()))


@admin.register(LedgerCheckpoint)
class CheckpointAdmin(ReadOnlyAdmin[LedgerCheckpoint]):
    """Checkpoints, newest first."""

    id_converter: ClassVar[str] = "int"

    def list_page(self, request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
        """Return the page that the address asks for, and how the last verification ended."""
        if elsewhere := way_back(request):
            return elsewhere
        listing = list_rows(request, checkpoints_for_list(), {}, "")
        return self.page(
            request,
            "checkpoint_list",
            _("Checkpoints"),
            listing=listing,
            rows=_checkpoint_rows(listing),
            verification=_last_verification(),
            **context,
        )

    def record_page(self, request: HttpRequest, record_id: int) -> HttpResponse:
        """Return one checkpoint."""
        checkpoint = self.found(find_checkpoint(record_id))
        title = _("Checkpoint of size %(size)s") % {"size": grouped(checkpoint.size)}
        return self.page(
            request, "checkpoint", title, **_checkpoint_context(checkpoint, get_conf())
        )


def _entry_rows(listing: LogListing[LedgerEntry]) -> list[EntryRow]:
    newest = last_checkpoint()
    sealed = newest.size if newest else 0
    return [
        EntryRow(
            grouped(each.index),
            entry_address(each.index),
            kind_shown(each.kind),
            code(str(each.attempt_id)) if each.attempt_id else None,
            attempt_address(each.attempt_id) if each.attempt_id else None,
            brief_moment(each.sequenced_at),
            _seal_pill(is_sealed=each.index < sealed),
        )
        for each in listing.rows
    ]


def _seal_pill(*, is_sealed: bool) -> SafeString:
    if is_sealed:
        return pill(_("Sealed"), tone="plain", shape="lock")
    return pill(_("Not sealed yet"), tone="busy", shape="clock")


def _checkpoint_rows(listing: LogListing[LedgerCheckpoint]) -> list[CheckpointRow]:
    rows = listing.rows
    below = [each.size for each in rows[1:]] + [size_before(rows[-1].size)] if rows else []
    return [
        CheckpointRow(
            grouped(each.size),
            checkpoint_address(each.size),
            code(f"{encode_base64(bytes(each.root))[:SHOWN_ROOT]}…"),
            brief_moment(each.made_at),
            age(each.made_at),
            grouped(each.size - before),
            [text(one.witness) for one in each.cosignatures.all()],
        )
        for each, before in zip(rows, below, strict=True)
    ]


def _checkpoint_context(checkpoint: LedgerCheckpoint, conf: Conf) -> dict[str, Any]:
    seal, broken = _opened(checkpoint, conf)
    return {
        "size": grouped(checkpoint.size),
        "made": moment(checkpoint.made_at),
        "age": age(checkpoint.made_at),
        "added": grouped(checkpoint.size - size_before(checkpoint.size)),
        "root_base64": code(encode_base64(bytes(checkpoint.root))),
        "root_hex": code(bytes(checkpoint.root).hex()),
        "note": signed_note(checkpoint).decode("utf-8", "backslashreplace"),
        "standing": _signed_pill(broken),
        "broken": broken,
        "origin": code(seal.checkpoint.origin) if seal else None,
        "vkeys": [str(each) for each in conf.ledger_vkeys],
        "trusted": [text(each) for each in seal.witnesses] if seal else [],
        "cosigned": [
            (text(each.witness), moment(each.cosigned_at)) for each in checkpoint.cosignatures.all()
        ],
        "last_index": grouped(checkpoint.size - 1) if checkpoint.size else None,
        "last_entry": entry_address(checkpoint.size - 1) if checkpoint.size else None,
    }


def _opened(checkpoint: LedgerCheckpoint, conf: Conf) -> tuple[Seal | None, str | None]:
    try:
        return open_seal(checkpoint, conf), None
    except LedgerError as error:
        return None, str(error)


def _signed_pill(broken: str | None) -> SafeString:
    if broken:
        return pill(_("Does not verify"), tone="bad", shape="cross")
    return pill(_("Signature verified"), tone="good", shape="check")


def _last_verification() -> dict[str, Any] | None:
    found = LedgerVerification.objects.order_by("-id").first()
    if found is None:
        return None
    return {
        "holds": found.result == LedgerVerification.Result.HELD,
        "when": moment(found.finished_at),
        "size": grouped(found.size),
        "attempts": grouped(found.attempts),
        "finding": text(found.finding) if found.finding else None,
    }
