"""Facts of a record as label and value, ready to show."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from django.template.defaultfilters import filesizeformat
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from verification.admin import wording
from verification.admin.fragments import code, figure, text
from verification.admin.numbers import grouped
from verification.models import Evidence, VerificationAttempt
from verification.models.fields import dump_exact

MAX_VALUE_CHARS = 1_000


@dataclass(frozen=True, slots=True)
class Fact:
    """A label and what stands beside it."""

    label: str
    value: SafeString


@dataclass(frozen=True, slots=True)
class Tag:
    """A name and value as the vendor sent them.

    `is_raised` is True for 1 and False for 0 where the contract documents such tags, else None.
    """

    name: SafeString
    value: SafeString
    is_raised: bool | None


@dataclass(frozen=True, slots=True)
class EvidenceItem:
    """One sealed item, described and not shown."""

    id: UUID
    kind: SafeString
    size: SafeString
    sha256: SafeString


def request_facts(attempt: VerificationAttempt) -> list[Fact]:
    """Return who asked for what."""
    return [
        Fact(_("Business number"), text(attempt.biz_no)),
        Fact(_("Subject"), text(attempt.subject)),
        Fact(_("Request ID"), code(attempt.request_id)),
        Fact(_("Attempt ID"), code(str(attempt.id))),
        Fact(_("Region"), code(attempt.region)),
        Fact(_("Idempotency key"), code(attempt.idempotency_key)),
        Fact(_("Packet"), size_of(attempt.packet_size_bytes)),
        Fact(_("Packet SHA-256"), code(bytes(attempt.packet_sha256).hex())),
    ]


def answer_facts(attempt: VerificationAttempt) -> list[Fact]:
    """Return what came back, beside scores and risks."""
    return [
        Fact(_("Result code"), figure(attempt.result_code, grouped=False)),
        Fact(_("Result message"), code(attempt.result_message)),
        Fact(_("HTTP status"), figure(attempt.http_status, grouped=False)),
        Fact(_("Time used by FaceID"), figure(attempt.time_used_ms, _("ms"))),
        Fact(_("Billing"), format_html("{}", _(wording.BILLING[attempt.billable]))),
    ]


def size_of(size_bytes: int) -> SafeString:
    """Show a size for people and to the byte."""
    exact = ngettext("%(n)s byte", "%(n)s bytes", size_bytes) % {"n": grouped(size_bytes)}
    return format_html("{} ({})", filesizeformat(size_bytes), exact)


def device_tags(attempt: VerificationAttempt) -> list[Tag]:
    """Return the device tags: the contract says that each is 0 or 1."""
    return [
        _tag(name, value, is_bit=value in (0, 1)) for name, value in members(attempt.device_tags)
    ]


def opaque_members(value: object) -> list[Tag]:
    """Return names and values whose meaning no document gives."""
    return [_tag(name, each, is_bit=False) for name, each in members(value)]


def evidence_items(attempt: VerificationAttempt) -> list[EvidenceItem]:
    """Return what is sealed for an attempt; nothing is opened."""
    return [_item(each) for each in attempt.evidence.all()]


def members(value: object) -> list[tuple[str, object]]:
    """Return a JSON object's members by name; nothing for any other value."""
    return sorted(value.items()) if isinstance(value, Mapping) else []


def _tag(name: str, value: object, *, is_bit: bool) -> Tag:
    shown = value if isinstance(value, str) else dump_exact(value)
    is_cut = len(shown) > MAX_VALUE_CHARS
    return Tag(
        code(name),
        code(shown[:MAX_VALUE_CHARS] + "…" * is_cut),
        bool(value) if is_bit else None,
    )


def _item(evidence: Evidence) -> EvidenceItem:
    return EvidenceItem(
        evidence.pk,
        code(evidence.kind),
        size_of(evidence.size_bytes),
        code(bytes(evidence.sha256).hex()),
    )
