"""Small pieces of markup about the log: addresses, kinds, hashes, ages."""

from datetime import datetime, timedelta

from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from verification.admin.fragments import code, joined, text
from verification.admin.log_wording import KINDS
from verification.admin.timeline import MINUTE_S, duration

SHORT_HEX = 8


def entry_address(index: int) -> str:
    """Return the path of an entry's page."""
    return reverse("admin:verification_ledgerentry_change", args=[index])


def checkpoint_address(size: int) -> str:
    """Return the path of a checkpoint's page."""
    return reverse("admin:verification_ledgercheckpoint_change", args=[size])


def kind_label(kind: str) -> str:
    """Return a kind as words: `attempt.accepted` -> `Attempt accepted`."""
    if kind in KINDS:
        return _(KINDS[kind])
    return kind.replace(".", " ").replace("_", " ").capitalize()


def kind_shown(kind: str) -> SafeString:
    """Show a kind as words, with its name in the log."""
    return joined(
        [text(kind_label(kind)), format_html('<span class="under">{}</span>', code(kind))]
    )


def short_hash(value: bytes) -> SafeString:
    """Show the beginning of a hash in hexadecimal; the whole of it is in the title."""
    shown = value.hex()
    return format_html('<code class="hash" title="{}">{}…</code>', shown, shown[:SHORT_HEX])


def whole_hash(value: bytes) -> SafeString:
    """Show all of a hash in hexadecimal."""
    return format_html('<code class="hash-whole">{}</code>', value.hex())


def age(at: datetime) -> str:
    """Return how long ago a moment was, for people; a clock that is behind makes it no age."""
    since = max(timezone.now() - at, timedelta())
    seconds = int(since.total_seconds())
    span = _("%(n)d s") % {"n": seconds} if seconds < MINUTE_S else duration(since)
    return _("%(span)s ago") % {"span": span}
