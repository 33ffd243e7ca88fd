"""One entry of the log, laid out for a reader: its text, what it says, and its place."""

import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from verification.admin.attempts import attempt_address
from verification.admin.facts import Fact
from verification.admin.fragments import code, joined, moment, quiet
from verification.admin.log_fragments import kind_label, kind_shown, whole_hash
from verification.admin.numbers import grouped
from verification.admin.record_check import draw_leaf, seal_facts
from verification.conf import Conf
from verification.ledger.canonical import Json, parse
from verification.ledger.errors import CanonicalError, LedgerError
from verification.ledger.merkle import leaf_hash
from verification.models import LedgerEntry
from verification.selectors.ledger import last_checkpoint
from verification.services.entries import read_labels
from verification.services.record_proof import Seal, open_seal, prove_leaf


def entry_context(entry: LedgerEntry, conf: Conf) -> dict[str, Any]:
    """Return what the page of an entry shows."""
    raw = bytes(entry.raw)
    seal, unsealed = _seal(entry, conf)
    drawn = draw_leaf(prove_leaf(entry.index, entry.kind, raw, seal), seal) if seal else None
    return {
        "index": grouped(entry.index),
        "label": kind_label(entry.kind),
        "kind": kind_shown(entry.kind),
        "attempt": code(str(entry.attempt_id)) if entry.attempt_id else None,
        "attempt_address": attempt_address(entry.attempt_id) if entry.attempt_id else None,
        "sequenced": moment(entry.sequenced_at),
        "canonical": raw.decode("utf-8", "backslashreplace"),
        "size_bytes": grouped(len(raw)),
        "members": _members(raw),
        "leaf_hash": whole_hash(leaf_hash(raw)),
        "cautions": list(_cautions(entry, raw)),
        "seal": seal_facts(seal) if seal else None,
        "unsealed": unsealed,
        "leaf": drawn,
    }


def _seal(entry: LedgerEntry, conf: Conf) -> tuple[Seal | None, str | None]:
    """Return the newest checkpoint if it is over the entry; else why there is nothing to show."""
    newest = last_checkpoint()
    if newest is None or newest.size <= entry.index:
        return None, _("No checkpoint covers this entry yet. Look again in a minute.")
    try:
        return open_seal(newest, conf), None
    except LedgerError as error:
        return None, _("The newest checkpoint does NOT hold: %(fault)s.") % {"fault": error}


def _cautions(entry: LedgerEntry, raw: bytes) -> Iterator[str]:
    if bytes(entry.leaf_hash) != leaf_hash(raw):
        yield _("The stored leaf hash is NOT that of the stored text.")
    try:
        labels = read_labels(raw)
    except (CanonicalError, ValueError):
        yield _("The stored text is NOT an entry in canonical form.")
        return
    if labels != (entry.kind, entry.attempt_id):
        yield _("Kind or attempt, by which it was found, are NOT those of its text.")


def _members(raw: bytes) -> list[Fact]:
    """Return name and value of everything that an entry says, inner names after a dot."""
    try:
        return list(_walk("", parse(raw)))
    except CanonicalError:
        return []


def _walk(name: str, value: Json) -> Iterator[Fact]:
    if isinstance(value, dict):
        for key, member in value.items():
            yield from _walk(f"{name}.{key}" if name else key, member)
    elif isinstance(value, list):
        for number, member in enumerate(value, 1):
            yield from _walk(f"{name}.{number}", member)
    else:
        yield Fact(code(name), _shown(name, value))


def _shown(name: str, value: Json) -> SafeString:
    if name == "attempt" and isinstance(value, str) and _is_id(value):
        address = attempt_address(UUID(value))
        return format_html('<a href="{}">{}</a>', address, code(value))
    if name.startswith("commitments."):
        hidden = format_html('<span class="under">{}</span>', _("a commitment: it hides the value"))
        return joined([code(str(value)), hidden])
    if isinstance(value, str):
        return code(value, absent=quiet(_("empty")))
    return code(json.dumps(value))


def _is_id(value: str) -> bool:
    try:
        return str(UUID(value)) == value
    except ValueError:
        return False
